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
    const found = await settled(keys.transaction(STORE).objectStore(STORE).get(number));
    if (found) return found;
    const pair = await generate();
    await settled(keys.transaction(STORE, "readwrite").objectStore(STORE).put(pair, number));
    return pair;
  };

  return {
    // The key of this tab: the same at its next visit, unless the browser keeps nothing.
    async key(name) {
      const pair = await kept(name).catch(generate);
      const spki = await crypto.subtle.exportKey("spki", pair.publicKey);
      return { pair, public: new Uint8Array(spki) };
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
