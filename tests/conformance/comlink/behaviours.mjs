// The driving half in JavaScript: real Comlink using what fixtures.mjs or fixtures.py expose.
// BEHAVIOURS[n](context) is behaviour n of behaviours.json; behaviours.py is its twin in Python.
import * as Comlink from "../../../node_modules/comlink/dist/esm/comlink.mjs";
import nodeEndpoint from "../../../node_modules/comlink/dist/esm/node-adapter.mjs";
import { Temperature } from "./fixtures.mjs";

const plain = (value) => JSON.stringify(value, (_, v) => (ArrayBuffer.isView(v) ? [...v] : v));
function same(actual, expected) {
  if (plain(actual) !== plain(expected)) throw new Error(`expected ${plain(expected)}, received ${plain(actual)}`);
}
function holds(condition, what) {
  if (!condition) throw new Error(`expected ${what}`);
}
async function thrown(promise) {
  let value;
  try { value = await promise; } catch (error) { return { error }; }
  throw new Error(`expected a throw, received ${plain(value)}`);
}
const message = (port) => new Promise((resolve) => {
  port.onmessage = ({ data }) => resolve(data);
});
// A request past the wrapper that twenty later round trips of another endpoint overtake has no listener any more.
async function isDeaf(port, api) {
  let answered = false;
  const listener = ({ data }) => { answered ||= data.id === "probe"; };
  port.addEventListener("message", listener);
  port.postMessage({ id: "probe", type: "GET", path: ["count"] });
  for (let n = 0; n < 20; n += 1) await api.count;
  port.removeEventListener("message", listener);
  return !answered;
}
const isProxy = (value) => typeof value === "function";

class Local {
  constructor(count) { this.count = count; }
  increment(by) { return (this.count += by); }
}

async function over(endpoint, check, context) {
  const api = Comlink.wrap(endpoint);
  await check(api, context);
  api[Comlink.releaseProxy]();
}
async function uses(api) {
  same([await api.increment(), await api.count], [2, 2]);
}
async function secondEndpoint(api) {
  const port = await api[Comlink.createEndpoint]();
  holds(port instanceof MessagePort, "a message port");
  return port;
}
async function sharesItsState(api) {
  same(await api.increment(), 2);
  const twin = Comlink.wrap(await secondEndpoint(api));
  same(await twin.increment(), 3);
  same(await api.count, 3);
  twin[Comlink.releaseProxy]();
}
async function closesOnRelease(api, { until }) {
  const port = await secondEndpoint(api);
  const twin = Comlink.wrap(port);
  same(await twin.count, 1);
  same(await isDeaf(port, api), false);
  twin[Comlink.releaseProxy]();
  await until(() => isDeaf(port, api));
  same(await api.count, 1);
}

const wrapped = (fixture, check) => async (context) => check(Comlink.wrap(await context.open(fixture)), context);

export const BEHAVIOURS = {
  1: wrapped("record", async (api) => same(await api.value, 4)),
  2: wrapped("record", async (api) => same(await api.double(4), 8)),
  3: wrapped("add", async (api) => same(await api(1, 3), 4)),
  4: wrapped("record", async (api) => holds((await api.missing) == null, "nothing")),
  5: wrapped("fail", async (api) => {
    const { error } = await thrown(api());
    holds(error instanceof Error, "an Error");
    same(error.message, "kaput");
    holds(error.stack.includes("kaput") && error.stack.includes("fail"), "the stack of the exposing side");
  }),
  6: wrapped("reject", async (api) => same((await thrown(api("not today"))).error.message, "not today")),
  7: wrapped("toss", async (api) => same((await thrown(api("object"))).error, { test: true })),
  8: wrapped("toss", async (api) => {
    same((await thrown(api("number"))).error, 42);
    same((await thrown(api("text"))).error, "oops");
  }),
  9: wrapped("toss", async (api) => holds((await thrown(api("nothing"))).error == null, "nothing")),
  10: wrapped("add", async (api) => same(await api("a", "b"), "ab")),
  11: wrapped("later", async (api) => same(await api(2, 3), 5)),
  12: wrapped("Sample", async (api) => same(await (await new api()).count, 1)),
  13: wrapped("Sample", async (api) => same(await (await new api(23)).count, 23)),
  14: wrapped("members", async (api) => same(await (await new api.Sample(3)).increment(), 4)),
  15: wrapped("instance", async (api) => same(await api.count, 1)),
  16: wrapped("instance", async (api) => {
    await (api.count = 12);
    same(await api.count, 12);
  }),
  17: wrapped("instance", async (api) => same(await api.increment(), 2)),
  18: wrapped("instance", async (api) => {
    const { error } = await thrown(api.fail());
    same(error.message, "out of samples");
  }),
  19: wrapped("instance", async (api) => {
    for (let n = 2; n < 12; n += 1) same(await api.increment(), n);
  }),
  20: wrapped("instance", async (api) => same(await api.later(), 5)),
  21: wrapped("instance", async (api) => same(await api.promised, 8)),
  22: wrapped("instance", async (api) => same(await api.soon, 6)),
  23: wrapped("Sample", async (api) => same(await api.size, 4)),
  24: wrapped("Sample", async (api) => same(await api.make(), 77)),
  25: wrapped("instance", async (api) => {
    const increment = api.increment.bind(api);
    same([await increment(), await increment(2)], [2, 4]);
  }),
  26: wrapped("instance", async (api) => same(await api.half, 0.5)),
  27: wrapped("instance", async (api) => {
    await (api.half = 6);
    same(await api.count, 12);
  }),
  28: async (context) => {
    const api = Comlink.wrap(await context.broadcast("add"));
    same(await api(20, 3), 23);
  },
  29: wrapped("size", async (api) => {
    const { buffer } = new Uint8Array([1, 2, 3]);
    same(await api(Comlink.transfer(buffer, [buffer])), 3);
    same(buffer.byteLength, 0);
  }),
  30: wrapped("echo", async (api) => {
    const array = new Uint8Array([1, 2, 3]);
    same([...(await api(array))], [1, 2, 3]);
    same(array.byteLength, 3);
  }),
  31: wrapped("echo", async (api) => {
    const array = new Float32Array([1, 2.5]);
    same([...(await api({ v: array })).v], [1, 2.5]);
    same(array.byteLength, 8);
  }),
  32: wrapped("deepSize", async (api) => {
    const { buffer } = new Uint8Array(7);
    same(await api(Comlink.transfer({ v: { b: buffer } }, [buffer])), 7);
    same(buffer.byteLength, 0);
  }),
  33: wrapped("ring", async (api) => {
    const { port1, port2 } = new MessageChannel();
    const ring = message(port1);
    same(await api(Comlink.transfer(port2, [port2])), "sent");
    same(await ring, "ring");
  }),
  34: wrapped("make", async (api) => {
    const made = await api();
    holds(isProxy(made), "a proxy");
    same([await made.increment(), await made.count], [21, 21]);
  }),
  35: wrapped("instance", async (api) => {
    const child = await api.child();
    same([await child.increment(), await child.count, await api.count], [41, 41, 1]);
  }),
  36: wrapped("pokes", async (api) => {
    const local = new Local(5);
    same(await api(Comlink.proxy(local)), 7);
    same(local.count, 7);
  }),
  37: wrapped("record", async (api) => {
    const heard = [];
    await (api.callback = Comlink.proxy((n) => heard.push(n)));
    same(await api.ring(9), 1);
    same(heard, [9]);
  }),
  38: wrapped("calls", async (api) => same(await api(Comlink.proxy((n) => n * 10)), 31)),
  39: wrapped("sums", async (api) => {
    const times = (k) => Comlink.proxy((n) => k * n);
    same(await api(times(1), times(10), times(100)), 321);
  }),
  40: wrapped("nested", async (api) => {
    const inner = await api.a.b;
    same(await inner.increment(), 10);
    same(await api.a.b.count, 10);
  }),
  41: wrapped("nothings", async (api) => same(await api(3, undefined, 4), [3, true, 4])),
  42: wrapped("options", async (api) => same(await api({ a: 2, b: 5 }), 7)),
  43: wrapped("warmer", async (api) => {
    const warmer = await api(new Temperature(215));
    holds(warmer instanceof Temperature, "a Temperature");
    same(warmer.tenths, 220);
  }),
  44: wrapped("instance", sharesItsState),
  45: wrapped("instance", async (api) => {
    same(await api.count, 1);
    api[Comlink.releaseProxy]();
    const { error } = await thrown((async () => api.count)());
    holds(/released/.test(error.message), `an error that says "released", not ${error.message}`);
  }),
  46: wrapped("tracked", async (api, context) => {
    const before = await context.flag("finalized");
    same(await api.value, 1);
    api[Comlink.releaseProxy]();
    await context.until(async () => (await context.flag("finalized")) === before + 1);
  }),
  47: async (context) => {
    const before = await context.flag("finalized");
    await (async () => same(await Comlink.wrap(await context.open("tracked")).value, 1))();
    await context.until(async () => {
      globalThis.gc();
      return (await context.flag("finalized")) === before + 1;
    });
  },
  48: async (context) => {
    const target = Object.assign(function () {}, { value: 0, double: null });
    const api = Comlink.wrap(await context.open("record"), target);
    same(["value" in api, "double" in api, "ring" in api], [true, true, false]);
    same(await api.double(21), 42);
  },
  49: wrapped("stuck", async (api) => {
    const { error } = await thrown(api());
    same([error.name, error.message.startsWith("Unserializable return value")], ["TypeError", true]);
  }),
  50: async (context) => {
    const { peer, origin } = await context.window("add");
    await over(Comlink.windowEndpoint(peer, globalThis, origin), async (api) => same(await api(1, 3), 4));
  },
  51: async (context) => {
    const { peer, origin } = await context.window("relay");
    const endpoint = Comlink.windowEndpoint(peer, globalThis, origin);
    Comlink.expose({ join: (a, b) => `${a}+${b}` }, endpoint);
    same(await Comlink.wrap(endpoint)("x", "y"), "relayed x+y");
  },
  52: async (context) => {
    same(await context.intruderIsAnswered("record", ["https://example.com"]), false);
  },
  53: async (context) => {
    same(await context.intruderIsAnswered("record", null), true);
  },
  54: async (context) => over(await context.whole("instance"), uses),
  55: async (context) => over(await context.whole("instance"), sharesItsState),
  56: async (context) => over(await context.whole("instance"), closesOnRelease, context),
  57: async (context) => over(nodeEndpoint(await context.emitter("instance")), uses),
  58: async (context) => over(nodeEndpoint(await context.emitter("instance")), sharesItsState),
  59: async (context) => over(nodeEndpoint(await context.emitter("instance")), closesOnRelease, context),
};

export async function driver() {
  return {
    run: (number, context) => BEHAVIOURS[number](context),
    leaks: () => [],
  };
}
