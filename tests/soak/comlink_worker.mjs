// JavaScript's Comlink, serving what the soak's programs use, and driving what the page serves.
import * as Comlink from "../../node_modules/comlink/dist/esm/comlink.mjs";
import "./values.js";

class Account {
  constructor(total = 0) { this.total = total; }
  add(amount) { return (this.total += amount); }
  child(total) { return Comlink.proxy(new Account(total)); }
}

const { drawnValues } = globalThis;
const later = (value, ms) => new Promise((resolve) => setTimeout(() => resolve(value), ms));
const integer = (below) => Math.floor(Math.random() * below);
function value(depth = 3) {
  switch (integer(depth ? 7 : 5)) {
    case 0: return integer(2 ** 50) - 2 ** 49;
    case 1: return Math.random();
    case 2: return String.fromCodePoint(...Array.from({ length: integer(20) }, () => 32 + integer(700)));
    case 3: return null;
    case 4: return Math.random() < 0.5;
    case 5: return Array.from({ length: integer(5) }, () => value(depth - 1));
    default: return Object.fromEntries(Array.from({ length: integer(5) }, (_, n) => [`k${n}`, value(depth - 1)]));
  }
}
// MicroPython's dicts know no order; Python's None is JavaScript's undefined.
const ordered = (_, v) => (v?.constructor === Object ? Object.entries(v).sort() : v);
function same(actual, expected, what) {
  const [a, b] = [actual, expected].map((v) => JSON.stringify(v ?? null, ordered));
  if (a !== b) throw new Error(`${what}: expected ${b}, received ${a}`);
}
async function refused(promise, name, what) {
  try { await promise; } catch (error) {
    if (error.name !== name) throw new Error(`${what}: expected ${name}, received ${error}`);
    return;
  }
  throw new Error(`${what}: expected ${name}, received a result`);
}
const raw = (port, message) => new Promise((resolve) => {
  const id = `raw-${Math.random()}`;
  port.addEventListener("message", function listener({ data }) {
    if (data.id !== id) return;
    port.removeEventListener("message", listener);
    resolve(data);
  });
  port.start();
  port.postMessage({ ...message, id });
});

// What JavaScript does with the Python object that the page serves; each is counted as a call.
const STEPS = {
  async echo(api) { const sent = value(); same(await api.echo(sent), sent, "echo"); },
  async order(api) {
    const account = await new api.accounts(0);
    const amounts = Array.from({ length: 8 }, () => integer(100));
    const calls = amounts.map((amount) => account.add(amount));
    let total = 0;
    for (const [n, amount] of amounts.entries()) same(await calls[n], total += amount, "order of calls");
    account[Comlink.releaseProxy]();
  },
  async callbacks(api) {
    const heard = [], n = integer(20);
    same(await api.tell(Comlink.proxy((k) => { heard.push(k); }), n), n, "callbacks");
    same(heard, [...Array(n).keys()], "callbacks in order");
  },
  async own_types(api) {
    const names = ["Date", "RegExp", "Blob", "File", "ImageData", "ImageBitmap"];
    const [sent, holds] = await drawnValues.draw(names[integer(names.length)]);
    same(await drawnValues.held(await api.echo(sent)), holds, "value of JavaScript's own");
  },
  async later(api) { same(await api.later(7, 0.001), 7, "later"); },
};
const FAULTS = {
  exception: (api) => refused(api.refuse("asked"), "Refused", "exception"),
  unencodable_result: (api) => refused(api.unencodable(), "TypeError", "unencodable result"),
  private_name: (api) => refused(api.__class__.__mro__, "PolicyError", "private name"),
  failing_callback: (api) => refused(
    api.tell(Comlink.proxy(() => { throw new RangeError("callback"); }), 1), "RangeError", "callback that raises"),
  // Whatever Python raises is the error of its call, and the calls beside it are answered.
  any_exception: async (api) => {
    const index = integer(1000);
    const calls = [api.echo(1), api.raises(index, ["text", 7]), api.raises_later(index, []), api.echo(2)];
    const found = await Promise.allSettled(calls);
    same(found.map((f) => f.status), ["fulfilled", "rejected", "rejected", "fulfilled"], "any exception");
  },
  forged_path: async (_, port) => {
    const reply = await raw(port, { type: "SET", path: ["__proto__", "x"], value: { type: "RAW", value: 1 } });
    if (reply.name !== "throw") throw new Error(`a forged path was served: ${JSON.stringify(reply)}`);
  },
  unknown_handler: async (_, port) => {
    const wire = { type: "HANDLER", name: "nobody's", value: 1 };
    const reply = await raw(port, { type: "APPLY", path: ["echo"], argumentList: [wire] });
    if (reply.name !== "throw") throw new Error(`an unknown handler was served: ${JSON.stringify(reply)}`);
  },
  frames_that_are_none: (_, port) => {
    for (const noise of ["{]", 7, null, { type: "NONSENSE", id: "1" }, { type: "GET", id: {} }, [1]])
      port.postMessage(noise);
  },
};

let doing = "";  // for the text of a hang

Comlink.expose({
  Account,
  echo: (value) => value,
  later,
  holds: (value) => drawnValues.held(value),
  time: (date) => date.getTime(),
  items: (array) => [...array],
  refuse: (text) => { throw new RangeError(text); },
  unencodable: () => [() => 1],
  async tell(callback, count) {
    try { for (let n = 0; n < count; n += 1) await callback(n); } finally { callback[Comlink.releaseProxy](); }
    return count;
  },
  // Replies to calls never made, replies made twice, and messages that are none.
  babble() {
    for (const noise of [null, 7, "{]", { id: "forged" }, { type: "RAW", id: "forged", value: 1 },
      { type: "HANDLER", name: "throw", id: "forged", value: { isError: false, value: 1 } }])
      for (let n = 0; n < 2; n += 1) postMessage(noise);
    return "said";
  },
  crash: () => { setTimeout(() => { throw new Error("crashed on demand"); }); },
  doing: () => doing,
  collect: () => globalThis.gc?.(),
  // Runs that many random steps against what `port` leads to; gives what was done, and what was wrong.
  async drive(port, count) {
    const api = Comlink.wrap(port), done = { calls: 0, faults: {}, wrong: [] };
    for (let n = 0; n < count; n += 1) {
      const table = Math.random() < 0.2 ? FAULTS : STEPS;
      const name = Object.keys(table)[integer(Object.keys(table).length)];
      doing = name;
      if (table === FAULTS) done.faults[name] = (done.faults[name] ?? 0) + 1;
      try { await table[name](api, port); done.calls += 1; } catch (error) { done.wrong.push(String(error)); }
    }
    api[Comlink.releaseProxy]();
    return JSON.stringify(done);
  },
});
