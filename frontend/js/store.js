// Storage in the browser. Where it is unavailable (private windows, a full disk) nothing is remembered and nothing else breaks.
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

export function forget(pattern) {
  try {
    for (const store of [localStorage, sessionStorage]) {
      for (const key of Object.keys(store)) if (pattern.test(key)) store.removeItem(key);
    }
  } catch { /* nothing is kept */ }
}

// Typed text is encrypted with a key that only pages of its author's own session carry. However the session ends (it expires,
// it is ended elsewhere, the browser is closed), the stored text is unreadable to the next person on the machine, and readable
// again once its author signs in. Browsers encrypt only on https and localhost; elsewhere nothing is stored.
const IV = 12;
const hex = document.body.dataset.key?.match(/../g).map((byte) => parseInt(byte, 16));
const key = hex && crypto.subtle?.importKey("raw", new Uint8Array(hex), "AES-GCM", false, ["encrypt", "decrypt"]);

async function seal(value) {
  const iv = crypto.getRandomValues(new Uint8Array(IV));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await key, new TextEncoder().encode(JSON.stringify(value)));
  return Array.from([...iv, ...new Uint8Array(sealed)], (byte) => String.fromCharCode(byte)).join("");
}

async function unseal(text) {
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const iv = bytes.subarray(0, IV);
  return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, await key, bytes.subarray(IV))));
}

// `family`: the prefix of the keys under which other tabs store the same kind of thing. A tab with nothing of its own takes over
// what another one left, and drops both together unless the other has changed since.
class Sealed {
  constructor(store, name, family = name) {
    Object.assign(this, { store, name: `sealed:${name}`, family: `sealed:${family}`, found: null, turn: 0 });
  }

  async open() {
    try {
      const keys = Object.keys(this.store);
      const at = keys.find((one) => one === this.name) ?? keys.find((one) => one.startsWith(this.family));
      this.found = at && { at, text: this.store.getItem(at) };
      return key && this.found ? await unseal(this.found.text) : null;
    } catch { return null; /* somebody else's, or not allowed */ }
  }

  async set(value) {
    const turn = this.turn += 1;
    try {
      const sealed = key && await seal(value);
      if (sealed && turn === this.turn) this.store.setItem(this.name, sealed);
    } catch { /* too much, or not allowed */ }
  }

  drop() {
    this.turn += 1;
    try {
      this.store.removeItem(this.name);
      if (this.found && this.store.getItem(this.found.at) === this.found.text) this.store.removeItem(this.found.at);
    } catch { /* not allowed */ }
  }
}

export const sealed = (...of) => new Sealed(...of);
export const isSealed = (store, name) => { try { return store.getItem(`sealed:${name}`) !== null; } catch { return false; } };

const tab = remembered(sessionStorage, "tab");
function tabId() {
  const id = tab.get() ?? crypto.getRandomValues(new Uint32Array(1))[0];
  tab.set(id);
  return id;
}

// What the policy editor stores belongs to one person and one tab: the next person to sign in on the machine never inherits it,
// and of two tabs on one policy each gets back its own text.
export function keptHere(store, name) {
  const family = `${name}:${document.body.dataset.person}:${policyId()}:`;
  return sealed(store, family + tabId(), family);
}

export const policyId = () => document.getElementById("policy-form")?.dataset.policy;
