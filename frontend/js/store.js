// A browser that keeps nothing (private windows, a full disk) costs the memory and nothing else.
export function remembered(store, key) {
  return {
    get() {
      try { return JSON.parse(store.getItem(key)); } catch { return null; }
    },
    set(value) {
      try { store.setItem(key, JSON.stringify(value)); } catch { /* too much, or not allowed */ }
    },
    drop() {
      try { store.removeItem(key); } catch { /* not allowed */ }
    },
  };
}

// What the policy editor keeps is this reader's own: whoever signs in next on the same machine makes none of it theirs.
export const keptHere = (store, name) => remembered(store, `${name}:${document.body.dataset.person}:${document.getElementById("policy-form").dataset.policy}`);
