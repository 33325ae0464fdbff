// What a till keeps while nobody answers: in the browser's database, encrypted with a key that cannot leave it.
// Nothing here names a member: a card's number, an amount, a time, and the cashier's id.

export const MOST = 500;
export const OLDEST_MS = 72 * 3600 * 1000;
const DATABASE = "tessera-till";
const KEY = "queue";

const answered = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

// "strict": on the disk before we say that it is kept, or a crash of the machine would lose it.
function within(database, stores, mode, work) {
  return new Promise((resolve, reject) => {
    const change = database.transaction(stores, mode, { durability: "strict" });
    let result;
    change.oncomplete = () => resolve(result);
    change.onabort = () => reject(change.error ?? new Error("aborted"));
    change.onerror = () => undefined;
    Promise.resolve(work(change)).then((value) => (result = value), () => change.abort());
  });
}

async function open() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("keys");
    request.result.createObjectStore("kept", { keyPath: "id" });
    request.result.createObjectStore("notes");
  };
  return answered(request);
}

async function keyOf(database) {
  const fresh = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  return within(database, ["keys"], "readwrite", async (change) => {
    const keys = change.objectStore("keys");
    const known = await answered(keys.get(KEY)); // another tab may have been quicker
    if (!known) keys.put(fresh, KEY);
    return known ?? fresh;
  });
}

export class Full extends Error {}

export class Store {
  static async open() {
    if (!window.isSecureContext || !globalThis.indexedDB) throw new Error("nothing can be kept here");
    const database = await open();
    const store = new Store(database, await keyOf(database));
    navigator.storage?.persist?.().catch(() => undefined);
    return store;
  }

  constructor(database, key) {
    this.database = database;
    this.key = key;
  }

  async seal(value) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    return { iv, box: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.key, bytes) };
  }

  async unseal({ iv, box }) {
    const bytes = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, this.key, box);
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  // Keep a sale; it is on the disk when this returns. Throws Full when there is no room, and keeps what there is.
  async keep(item) {
    const sealed = await this.seal(item);
    const fits = await within(this.database, ["kept"], "readwrite", async (change) => {
      const kept = change.objectStore("kept");
      if ((await answered(kept.count())) >= MOST) return false;
      kept.add({ id: item.id, ...sealed });
      return true;
    });
    if (!fits) throw new Full();
    this.changed();
  }

  // Everything that waits, oldest first. What cannot be opened any more is counted, and stays.
  async all() {
    const rows = await within(this.database, ["kept"], "readonly", (c) => answered(c.objectStore("kept").getAll()));
    const opened = await Promise.all(
      rows.map(async (row) => ({ ...(await this.unseal(row)), problem: row.problem ?? null })).map((one) => one.catch(() => null)),
    );
    const items = opened.filter(Boolean).sort((a, b) => a.at.localeCompare(b.at));
    return { items, unreadable: rows.length - items.length };
  }

  async count() {
    return within(this.database, ["kept"], "readonly", (change) => answered(change.objectStore("kept").count()));
  }

  async remove(ids) {
    await within(this.database, ["kept"], "readwrite", (change) => {
      for (const id of ids) change.objectStore("kept").delete(id);
    });
    this.changed();
  }

  // The server did not understand an item: it stays here, with the reason, until somebody has written it down.
  async mark(id, problem) {
    await within(this.database, ["kept"], "readwrite", async (change) => {
      const kept = change.objectStore("kept");
      const row = await answered(kept.get(id));
      if (row) kept.put({ ...row, problem });
    });
    this.changed();
  }

  async note(name) {
    const sealed = await within(this.database, ["notes"], "readonly", (c) => answered(c.objectStore("notes").get(name)));
    return sealed ? this.unseal(sealed).catch(() => null) : null;
  }

  async putNote(name, value) {
    const sealed = await this.seal(value);
    await within(this.database, ["notes"], "readwrite", (change) => {
      change.objectStore("notes").put(sealed, name);
    });
  }

  async forgetNotes(...names) {
    await within(this.database, ["notes"], "readwrite", (change) => {
      for (const name of names) change.objectStore("notes").delete(name);
    });
  }

  changed() {
    document.dispatchEvent(new CustomEvent("till:kept"));
  }
}
