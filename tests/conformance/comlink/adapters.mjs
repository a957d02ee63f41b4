// An endpoint over something that outlives one behaviour (a worker, a window): taken off again afterwards,
// so that what a collector releases late does not reach the next behaviour.
export function detachable(source, post) {
  const attached = [];
  let live = true;
  return {
    postMessage: (...message) => { if (live) post(...message); },
    addEventListener(type, listener) {
      source.addEventListener(type, listener);
      attached.push([type, listener]);
    },
    removeEventListener: (type, listener) => source.removeEventListener(type, listener),
    detach() {
      live = false;
      attached.forEach(([type, listener]) => source.removeEventListener(type, listener));
    },
  };
}

// Takes note of what listens to this realm itself (a worker, a window) until `over()`; `detach()` takes
// it all off again, so that the next behaviour finds the realm vacant.
export function noted() {
  const heard = [];
  globalThis.addEventListener = (type, listener, ...rest) => {
    heard.push([type, listener]);
    EventTarget.prototype.addEventListener.call(globalThis, type, listener, ...rest);
  };
  const over = () => { delete globalThis.addEventListener; };
  return {
    over,
    detach() {
      over();
      heard.forEach(([type, listener]) => removeEventListener(type, listener));
    },
  };
}

// An endpoint of the shape that Node's worker_threads have: on, off, and data in place of events.
export function emitter(port) {
  const listeners = new Map();
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer ?? []),
    on(type, listener) {
      listeners.set(listener, ({ data }) => listener(data));
      port.addEventListener(type, listeners.get(listener));
    },
    off: (type, listener) => port.removeEventListener(type, listeners.get(listener)),
    start: () => port.start(),
  };
}
