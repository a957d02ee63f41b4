// What a node needs of the browser: a key that no script can read, and fetch.
() => {
  const CURVE = { name: "ECDSA", namedCurve: "P-384" };
  const STORE = "keys";

  // A request of IndexedDB, or a transaction, as a promise.
  const settled = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = request.oncomplete = () => resolve(request.result);
      request.onerror = request.onabort = () => reject(request.error);
    });

  const database = (name) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    return settled(request);
  };

  const generate = () => crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]);

  // The first number that no other tab uses; held until this worker ends.
  const taken = (name, number) =>
    new Promise((resolve, reject) => {
      const held = (lock) => {
        resolve(lock !== null);
        return lock && new Promise(() => {});
      };
      navigator.locks.request(`${name}-${number}`, { ifAvailable: true }, held).catch(reject);
    });

  const kept = async (name) => {
    let number = 0;
    while (!(await taken(name, number))) number += 1;
    const keys = await database(name);
    const write = (pair) =>
      settled(keys.transaction(STORE, "readwrite").objectStore(STORE).put(pair, number));
    const found = await settled(keys.transaction(STORE).objectStore(STORE).get(number));
    if (found) return { pair: found, write };
    const pair = await generate();
    await write(pair);
    return { pair, write };
  };

  return {
    // The key of this tab: the same at its next visit, unless the browser keeps nothing; and what
    // that visit finds beside it.
    async key(name) {
      const { pair, write } = await kept(name).catch(async () => ({ pair: await generate() }));
      const spki = await crypto.subtle.exportKey("spki", pair.publicKey);
      const note = pair.note ?? new Uint8Array();
      const keep = async (bytes) => {
        await write?.({ ...pair, note: bytes.slice() }).catch(() => {});
      };
      return { pair, public: new Uint8Array(spki), note, keep };
    },

    async sign(pair, data) {
      const how = { name: "ECDSA", hash: "SHA-256" };
      return new Uint8Array(await crypto.subtle.sign(how, pair.privateKey, data));
    },

    async post(address, body, headers, seconds) {
      const options = { method: "POST", body, headers: Object.fromEntries(headers) };
      const signal = AbortSignal.timeout(1000 * seconds);
      const answer = await fetch(address, { ...options, signal, cache: "no-store" });
      const received = new Uint8Array(await answer.arrayBuffer());
      return { status: answer.status, body: received, date: answer.headers.get("date") ?? "" };
    },
  };
};
