// The exposing half in JavaScript: real Comlink serving small objects. fixtures.py is its twin in Python.
import * as Comlink from "../../../node_modules/comlink/dist/esm/comlink.mjs";
import nodeEndpoint from "../../../node_modules/comlink/dist/esm/node-adapter.mjs";

export class Temperature {
  constructor(tenths) { this.tenths = tenths; }
}
Comlink.transferHandlers.set("temperature", {
  canHandle: (value) => value instanceof Temperature,
  serialize: ({ tenths }) => [tenths, []],
  deserialize: (tenths) => new Temperature(tenths),
});

class Sample {
  static size = 4;
  static make() { return 77; }
  promised = Promise.resolve(8);
  constructor(count = 1) { this.count = count; }
  increment(by = 1) { return (this.count += by); }
  fail() { throw new RangeError("out of samples"); }
  async later() { return 5; }
  get soon() { return Promise.resolve(6); }
  get half() { return this.count / 2; }
  set half(value) { this.count = value * 2; }
  child() { return Comlink.proxy(new Sample(40)); }
}

const record = () => ({
  value: 4,
  missing: undefined,
  callback: undefined,
  double: (n) => 2 * n,
  async ring(n) { return await this.callback(n); },
});
const later = (work) => new Promise((resolve) => setTimeout(() => resolve(work()), 1));
const tracked = (flags) => ({ value: 1, [Comlink.finalizer]() { flags.finalized += 1; } });
const nested = () => ({ a: { b: Comlink.proxy(new Sample(9)) } });

const FIXTURES = {
  record,
  nested,
  tracked,
  Sample: () => Sample,
  members: () => ({ Sample }),
  instance: () => new Sample(),
  add: () => (a, b) => a + b,
  later: () => (a, b) => later(() => a + b),
  fail: () => function fail() { throw new Error("kaput"); },
  reject: () => async (message) => { throw new Error(message); },
  toss: () => (kind) => { throw { object: { test: true }, number: 42, text: "oops", nothing: null }[kind]; },
  size: () => (buffer) => buffer.byteLength,
  deepSize: () => (value) => value.v.b.byteLength,
  echo: () => (value) => value,
  ring: () => (port) => { port.postMessage("ring"); port.close(); return "sent"; },
  make: () => () => Comlink.proxy(new Sample(20)),
  pokes: () => async (object) => { await object.increment(2); return await object.count; },
  calls: () => async (f) => (await f(3)) + 1,
  sums: () => async (f, g, h) => (await f(1)) + (await g(2)) + (await h(3)),
  nothings: () => (a, b, c) => [a, b === undefined || b === null, c],
  options: () => ({ a, b }) => a + b,
  warmer: () => (temperature) => new Temperature(temperature.tenths + 5),
  stuck: () => () => [() => 1],
  relay: (flags, endpoint) => {
    const page = Comlink.wrap(endpoint);
    return async (a, b) => `relayed ${await page.join(a, b)}`;
  },
};

export async function exposer() {
  const flags = { finalized: 0 };
  return {
    open: (name, endpoint) => Comlink.expose(FIXTURES[name](flags, endpoint), endpoint),
    openWindow: (name, peer, origin, allowed) => {
      const endpoint = Comlink.windowEndpoint(peer, globalThis, origin);
      Comlink.expose(FIXTURES[name](flags, endpoint), endpoint, allowed);
    },
    openEmitter: (name, emitter) => Comlink.expose(FIXTURES[name](flags), nodeEndpoint(emitter)),
    flag: (name) => flags[name],
    leaks: () => [],
  };
}
