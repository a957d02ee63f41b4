// A download that breaks is tried again: whatever PyScript, MicroPython and Pyodide fetch, on the page and in its workers.
//
// A worker is another world with a `fetch` of its own, so this text goes in front of each worker's script, which PyScript
// makes of a blob. A module that did not arrive is missing in its world for good: there only starting again helps, and
// boot.js does so when it hears `farcall-broken`.
"use strict";
(() => {
  const install = () => {
    if (self.farcallSteady) return;
    self.farcallSteady = true;

    // PyScript, MicroPython and Pyodide make registries as they load; without them, memory comes back later.
    if (!self.FinalizationRegistry) {
      self.FinalizationRegistry = class { register() {} unregister() {} };
      self.document?.documentElement.setAttribute("data-no-finalizers", "");
    }

    // PyScript opens a database for packages, which this page has none of, and does not start where storage is refused
    // (a sandbox, a private window): its own database remembers nothing.
    const answer = (result) => {
      const request = {};
      queueMicrotask(() => request.onsuccess?.({ target: { result } }));
      return request;
    };
    const refusal = () => {
      const request = { error: new DOMException("this browser has no IndexedDB", "NotFoundError") };
      queueMicrotask(() => request.onerror?.({ target: request }));
      return request;
    };
    const nothing = () => answer();
    const store = {
      get: nothing, getKey: nothing, put: nothing, delete: nothing, clear: nothing,
      count: () => answer(0), getAllKeys: () => answer([]),
    };
    const database = { close() {}, transaction: () => ({ objectStore: () => store }) };
    const factory = self.IDBFactory?.prototype ?? {};
    const { open } = factory;
    factory.open = function (name, ...version) {
      if (name.startsWith("IDBMap/")) return answer(database);
      return open ? open.call(this, name, ...version) : refusal();
    };
    if (!self.indexedDB) Object.defineProperty(self, "indexedDB", { value: factory, configurable: true });

    const PAUSES = [500, 2000]; // ms: a server that restarts is back, and nobody waits for long
    const PASSING = [408, 425, 429, 500, 502, 503, 504]; // HTTP statuses that say "later"
    const native = self.fetch;
    const pause = (duration) => new Promise((resolve) => setTimeout(resolve, duration));

    async function tried(action, lasting) {
      for (const duration of PAUSES) {
        try {
          return await action();
        } catch (error) {
          if (lasting(error)) throw error;
          await pause(duration);
        }
      }
      return action();
    }

    // A body may break off too, so it is read before it is handed out; WebAssembly is compiled while it comes.
    async function whole(response) {
      if (response.status !== 200 || isWasm(response)) return response;
      const { status, statusText, headers } = response;
      const copy = new Response(await response.arrayBuffer(), { status, statusText, headers });
      return Object.defineProperty(copy, "url", { value: response.url });
    }

    const isWasm = (response) => response.headers.get("content-type")?.startsWith("application/wasm");

    self.fetch = async (input, options) => {
      const method = options?.method ?? input.method ?? "GET";
      if (!["GET", "HEAD"].includes(method)) return native(input, options);
      let busy = null;
      const action = async () => {
        busy = null;
        const response = await native(input.clone?.() ?? input, options);
        if (!PASSING.includes(response.status)) return whole(response);
        busy = response;
        throw new TypeError(`HTTP ${response.status}`);
      };
      try {
        return await tried(action, ({ name }) => name === "AbortError" || name === "TimeoutError");
      } catch (error) {
        if (busy) return busy; // who asked decides what this status means
        throw error;
      }
    };

    const stream = WebAssembly.instantiateStreaming;
    WebAssembly.instantiateStreaming = async (source, imports) => {
      let response = await source;
      const { url } = response;
      const action = async () => {
        response ??= await fetch(url, { cache: "reload" });
        const current = response;
        response = null;
        return stream.call(WebAssembly, current, imports);
      };
      const lasting = !response.ok || !isWasm(response);
      return tried(action, () => lasting).catch((error) => {
        broken(`${url}: ${error.message}`); // Pyodide says so in the console alone, and waits for ever
        throw error;
      });
    };

    const page = typeof document === "object";
    const broken = (reason) => {
      if (page) dispatchEvent(new CustomEvent("farcall-broken", { detail: reason }));
      else self.postMessage({ farcallBroken: reason });
    };
    if (!page) addEventListener("unhandledrejection", ({ reason }) => {
      if (reason?.name !== "PythonError") broken(String(reason?.message ?? reason));
    });
  };

  install();
  const text = `"use strict";(${install})();\n`;
  const { createObjectURL } = URL;
  URL.createObjectURL = (thing) => {
    const script = thing instanceof Blob && thing.type === "text/javascript";
    return createObjectURL.call(URL, script ? new Blob([text, thing], { type: thing.type }) : thing);
  };
  const Native = self.Worker;
  self.Worker = class extends Native {
    constructor(address, options) {
      super(address, options);
      this.addEventListener("message", ({ data }) => {
        // A TypeError is PyScript's: an import that failed. What Python raises comes as an Error.
        const reason = data instanceof TypeError ? data.message : data?.farcallBroken;
        if (reason) dispatchEvent(new CustomEvent("farcall-broken", { detail: reason }));
      });
    }
  };
})();
