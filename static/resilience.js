// Patches of browser functions that PyScript, MicroPython and Pyodide call, so that a passing failure does not end a start.
//
//   1 FinalizationRegistry          a substitute where the browser has none
//   2 indexedDB.open                an empty database for PyScript where storage is refused
//   3 fetch                         retry a download that breaks
//   4 WebAssembly.instantiateStreaming   likewise, and report the last failure
//   5 URL.createObjectURL, Worker   bring 1 to 4 into workers, and their reports to the page; say when a worker ends as it starts
//
// Each has its cause, and the condition under which it can go. An upstream issue is open for 4 alone. A module that did not
// arrive stays missing in its page or worker; only starting again helps, and boot.js does so on the event `farcall-broken`.
"use strict";
(() => {
  const install = () => {
    if (self.farcallResilience) return;
    self.farcallResilience = true;

    // 1. FinalizationRegistry.
    // Cause: PyScript, MicroPython and Pyodide construct registries as they load, and fail in a browser without them.
    // Without finalizers, memory is released later. Remove when: the oldest supported browser has the class.
    if (!self.FinalizationRegistry) {
      self.FinalizationRegistry = class { register() {} unregister() {} };
      self.document?.documentElement.setAttribute("data-no-finalizers", "");
    }

    // 2. indexedDB.open.
    // Cause: PyScript opens a database for packages, which this page does not use, and does not start where storage is refused
    // (a sandbox, a private window). It gets a database that stays empty. Remove when: PyScript starts without IndexedDB.
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

    // 3. fetch.
    // Cause: PyScript and the interpreters fetch each file once; one broken connection ends the start. GET and HEAD are retried
    // twice. Remove when: PyScript, MicroPython's loader and Pyodide retry by themselves.
    const PAUSES = [500, 2000]; // ms: enough for a server that restarts, and no long wait
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

    // A body may break off too, so it is read before it is returned; WebAssembly is compiled while it arrives.
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
        if (busy) return busy; // the caller decides what this status means
        throw error;
      }
    };

    // 4. WebAssembly.instantiateStreaming.
    // Cause: a body that breaks off fails here, after `fetch` has succeeded; Pyodide logs the failure and waits forever.
    // Emscripten leaves it no other way: https://github.com/emscripten-core/emscripten/issues/23038. Pyodide's
    // https://github.com/pyodide/pyodide/pull/6296 was closed.
    // Remove when: Pyodide rejects `loadPyodide` after a failed instantiation, and retries.
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
        broken(`${url}: ${error.message}`);
        throw error;
      });
    };

    const page = typeof document === "object";
    const broken = (reason) => {
      if (page) dispatchEvent(new CustomEvent("farcall-broken", { detail: reason }));
      else self.postMessage({ farcallBroken: reason });
    };
    if (page) return;
    addEventListener("unhandledrejection", ({ reason }) => {
      if (reason?.name !== "PythonError") broken(String(reason?.message ?? reason));
    });
    // No event says that a worker has ended; its locks end with it.
    navigator.locks?.request(`farcall-start-${Math.random()}`, ({ name }) => {
      self.postMessage({ farcallLock: name });
      return new Promise(() => {});
    }).catch(() => {});
  };

  install();

  // 5. URL.createObjectURL and Worker.
  // Cause: a worker has its own `fetch`; PyScript makes each worker's script from a blob, so this text goes in front of it.
  // A worker's failed download raises no event on the page, so it posts one. One that ends before it serves would be waited for
  // until the time is over: farcall hears of it as if the worker had said so. Remove when: 1 to 4 are gone.
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
      const served = new AbortController(); // then farcall watches a lock of its own
      const tell = (farcall, detail) => this.dispatchEvent(new MessageEvent("message", { data: { farcall, detail } }));
      const broken = (detail) => {
        dispatchEvent(new CustomEvent("farcall-broken", { detail }));
        tell("broken", detail);
      };
      const gone = () => {
        this.farcallEnd = "it ended while it started";
        tell("gone", this.farcallEnd);
      };
      this.addEventListener("message", ({ data }) => {
        if (data?.farcall === "serving") served.abort();
        if (data?.farcallLock) navigator.locks.request(data.farcallLock, { signal: served.signal }, gone).catch(() => {});
        // A TypeError is PyScript's: an import that failed. An exception of Python arrives as an Error.
        const reason = data instanceof TypeError ? data.message : data?.farcallBroken;
        if (reason) broken(reason);
      });
      // An event without a message is of a script that did not load, as one that the page's policy forbids.
      this.addEventListener("error", ({ message }) => { if (!message) broken("the browser does not run the worker's script"); });
    }
  };
})();
