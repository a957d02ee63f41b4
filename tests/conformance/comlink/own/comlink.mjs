// Comlink, but for `expose`: the value goes to Python, which exposes it by farcall.comlink.
import * as Comlink from "/node_modules/comlink/dist/esm/comlink.mjs";

export * from "/node_modules/comlink/dist/esm/comlink.mjs";

const host = window.parent === window ? window : window.parent;
const kinds = new Set(["proxy", "throw"]);

const javascript = {
  // What a value is to Python: a class, a function, a promise, or data.
  kind(value) {
    if (typeof value === "function")
      return /^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "function";
    if (typeof value.then === "function") return "promise";
    if (Array.isArray(value)) return "array";
    const plain = Object.prototype.toString.call(value) === "[object Object]";
    if (!plain) return "other";
    return value[Comlink.proxyMarker] ? "object" : "data";
  },
  entries: (value) => Object.entries(value),
  // Public and private names of an object or of what a class's objects have.
  names(value) {
    const found = new Set(Object.keys(value));
    for (let at = value; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
      Object.getOwnPropertyNames(at).forEach((name) => found.add(name));
    found.delete("constructor");
    return [...found];
  },
  statics: (value) => Object.getOwnPropertyNames(value)
    .filter((name) => !["length", "name", "prototype"].includes(name)),
  get: (owner, name) => owner[name],
  set(owner, name, value) { owner[name] = value; },
  // Of the owner itself where there is no name. [whether it threw, whether that is an Error, what it gave or threw]
  call(owner, name, values) {
    try { return [false, false, name === undefined ? owner(...values) : owner[name](...values)]; }
    catch (error) { return [true, error instanceof Error, error]; }
  },
  construct: (value, values) => new value(...values),
  finalizer: (value) => value[Comlink.finalizer],
  // A proxy of Python's, as Comlink makes one: names extend its path, a call sends it.
  remote: (call, path = []) => new Proxy(() => {}, {
    get: (_, name) => typeof name === "symbol" || name === "then" ? undefined
      : javascript.remote(call, [...path, name]),
    apply: (_, __, values) => call(path, values),
  }),
  handlers: () => [...Comlink.transferHandlers].filter(([name]) => !kinds.has(name)),
};

export function expose(value, endpoint = globalThis) {
  host.expose(value, endpoint, javascript);
}
