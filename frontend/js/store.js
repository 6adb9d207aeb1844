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
