// Comlink's messages to the codec's text form and back, and the endpoints that carry them.
// Evaluated once by comlink/ports.py; nothing that a peer sent ever reaches it.
// The text is the table of dtypes, as JSON: the name of each typed array and NumPy's of its elements.
"use strict";
(table) => {
  // Plain bytes have no dtype: they become bytes.
  const DTYPES = JSON.parse(table);
  delete DTYPES.Uint8Array;
  delete DTYPES.ArrayBuffer;
  const KINDS = Object.fromEntries(Object.entries(DTYPES).map(([kind, dtype]) => [dtype, kind]));
  Object.assign(KINDS, { "|u1": "Uint8Array", "|b1": "Uint8Array" });
  const DEPTH = 24;
  const deep = new Error("deep");
  const bytesOf = (v) => v instanceof ArrayBuffer ? new Uint8Array(v)
    : new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
  // As farcall's own protocol: MicroPython reads a long text of JSON in a time quadratic in it.
  const LONG = 4096, LARGE = 2 ** 19;
  const long = (v) => v.length >= LONG && (!v.isWellFormed || v.isWellFormed());
  const number = (v) => Number.isFinite(v) ? v : ["f", v !== v ? "nan" : v > 0 ? "inf" : "-inf"];
  const bigint = (v) => ["i", v < 0n ? "-0x" + (-v).toString(16) : "0x" + v.toString(16)];

  const large = () => new RangeError("the message is larger than the limit");
  function bytes(value, out) {
    const view = bytesOf(value);
    out.bytes -= view.byteLength;
    if (out.bytes < 0) throw large();
    const dtype = DTYPES[value.constructor.name];
    out.buffers.push(dtype ? view.slice() : view);
    const index = out.buffers.length - 1;
    return dtype ? ["a", index, dtype, [value.length], "C"] : ["b", index];
  }
  function text(value, out) {
    const bytes = new TextEncoder().encode(value);
    out.texts += bytes.length;
    return ["u", out.buffers.push(bytes) - 1];
  }
  function leaf(value, out) {
    if ((out.values -= 1) < 0) throw new RangeError("the message holds more values than the limit");
    switch (typeof value) {
      case "undefined": return null;
      case "boolean": return value;
      case "string":
        if ((out.bytes -= value.length) < 0) throw large();
        return long(value) ? text(value, out) : value;
      case "number": return number(value);
      case "bigint": return bigint(value);
    }
    if (value === null) return null;
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return bytes(value, out);
    if (value instanceof Error) {
      const message = String(value.message), stack = String(value.stack ?? "");
      return ["e", [String(value.name), "Exception"], [message], message, stack, [], null];
    }
    out.refs.push(value);
    return ["o", out.refs.length - 1];
  }
  function parts(value) {
    if (Array.isArray(value)) return ["l", value];
    if (value instanceof Map) return ["d", [...value].flat(1)];
    if (value instanceof Set) return ["s", [...value]];
    return Object.prototype.toString.call(value) === "[object Object]" ? ["o", value] : null;
  }
  const container = (v) => typeof v === "object" && v !== null && !ArrayBuffer.isView(v)
    && !(v instanceof Error) ? parts(v) : null;
  function flat(value, out, depth) {
    const found = container(value);
    if (!found) return leaf(value, out);
    if (depth > DEPTH) throw deep;
    const [tag, held] = found;
    out.values -= 1;
    if (tag !== "o") return [tag, ...held.map((v) => flat(v, out, depth + 1))];
    return Object.fromEntries(Object.entries(held).map(([k, v]) => [k, flat(v, out, depth + 1)]));
  }
  function graph(value, out) {
    const numbers = new Map(), list = [];
    const part = (v) => {
      if (!container(v)) return leaf(v, out);
      if (!numbers.has(v)) { numbers.set(v, list.length); list.push(v); out.values -= 1; }
      return ["@", numbers.get(v)];
    };
    const root = part(value), nodes = [];
    while (nodes.length < list.length) {
      const [tag, held] = container(list[nodes.length]);
      const plain = tag === "o" ? Object.entries(held).flat(1) : held;
      nodes.push([tag === "o" ? "d" : tag, ...plain.map(part)]);
    }
    return ["g", root, nodes];
  }
  function value(v, out) {
    const mark = [out.buffers.length, out.refs.length];
    try { return flat(v, out, 0); } catch (error) {
      if (error !== deep) throw error;
      [out.buffers.length, out.refs.length] = mark;
      return graph(v, out);
    }
  }
  const wire = (w, out) => typeof w !== "object" || w === null || Array.isArray(w) ? value(w, out)
    : { type: value(w.type, out), name: value(w.name, out), value: value(w.value, out) };
  function frame(data, out) {
    const list = data.argumentList;
    return {
      id: value(data.id, out), type: value(data.type, out), path: value(data.path, out),
      name: value(data.name, out), py: value(data.py, out),
      argumentList: Array.isArray(list) ? ["l", ...list.map((w) => wire(w, out))] : value(list, out),
      value: data.type === "SET" ? wire(data.value, out) : value(data.value, out),
    };
  }

  const REVIVERS = {
    l: (w, all) => w.slice(1).map((x) => revive(x, all)),
    d: (w, all) => new Map(Array.from({ length: (w.length - 1) / 2 }, (_, i) =>
      [revive(w[2 * i + 1], all), revive(w[2 * i + 2], all)])),
    s: (w, all) => new Set(REVIVERS.l(w, all)),
    i: (w) => w[1].startsWith("-") ? -BigInt(w[1].slice(1)) : BigInt(w[1]),
    f: (w) => ({ nan: NaN, inf: Infinity, "-inf": -Infinity })[w[1]],
    b: (w, all) => all.buffers[w[1]],
    a(w, all) {
      const [, index, dtype, shape] = w;
      const kind = KINDS[dtype];
      if (!kind) throw new TypeError(`JavaScript has no typed array for dtype ${dtype}`);
      if (shape && shape.length > 1)
        throw new TypeError(`Comlink's wire has no shapes: send a.ravel() and (${shape}) beside it`);
      const array = new globalThis[kind](all.buffers[index].buffer);
      return shape ? array : array[0];
    },
    e: (w) => Object.assign(new Error(w[3]), { name: w[1][0], stack: w[4] }),
    D: (w, all) => revive(w[2], all),
    j: (w, all) => all.refs[w[1]],
    g(w, all) {
      const [, root, nodes] = w;
      const make = { l: () => [], t: () => [], s: () => new Set(), z: () => new Set() };
      const text = ([, ...kv]) => kv.every((k, i) => i % 2 || typeof k === "string");
      const made = nodes.map((n) => n[0] === "d" ? (text(n) ? {} : new Map()) : make[n[0]]());
      const part = (p) => Array.isArray(p) && p[0] === "@" ? made[p[1]] : revive(p, all);
      const own = (o, k, v) => Object.defineProperty(o, k,
        { value: v, writable: true, enumerable: true, configurable: true });
      nodes.forEach(([tag, ...held], n) => {
        const list = held.map(part), target = made[n];
        if (Array.isArray(target)) target.push(...list);
        else if (target instanceof Set) list.forEach((v) => target.add(v));
        else for (let i = 0; i < list.length; i += 2)
          if (target instanceof Map) target.set(list[i], list[i + 1]);
          else own(target, list[i], list[i + 1]);
      });
      return part(root);
    },
  };
  Object.assign(REVIVERS, { t: REVIVERS.l, z: REVIVERS.s, B: REVIVERS.b });
  function revive(w, all) {
    if (Array.isArray(w)) {
      if (!Object.hasOwn(REVIVERS, w[0]))
        throw new TypeError(`JavaScript has nothing like this value: ${JSON.stringify(w)}`);
      return REVIVERS[w[0]](w, all);
    }
    if (w === null || typeof w !== "object") return w;
    return Object.fromEntries(Object.entries(w).map(([k, v]) => [k, revive(v, all)]));
  }
  const raw = (w) => { if (w && w.type === "RAW" && w.value === null) w.value = undefined; };
  const realms = new WeakMap();
  const known = { Worker: globalThis.Worker, MessagePort, Function };
  // What the platform only moves.
  const MOVED = /^(MessagePort|OffscreenCanvas|(Readable|Writable|Transform)Stream|RTCDataChannel)$/;
  const moves = (v) => MOVED.test(Object.prototype.toString.call(v).slice(8, -1));
  const isA = (v, kind) => known[kind] !== undefined && v instanceof known[kind];

  // For each message to a worker's own scope PyScript calls a handler that does not exist.
  const scope = typeof WorkerGlobalScope === "undefined" ? null : globalThis;
  const unhandled = (event) => {
    const error = event.reason;
    if (error instanceof TypeError && /\bonmessage\b/.test(error.message)) event.preventDefault();
  };

  return {
    listen(endpoint, kinds, limits, onFrame, onBroken, onGone) {
      const wanted = new Set(kinds);
      const listener = (event) => {
        const data = event.data;
        if (!data || typeof data !== "object" || !wanted.has(data.type)) return;
        const out = { buffers: [], refs: [], bytes: limits.bytes, values: limits.values, texts: 0 };
        const refuse = (why, memory) =>
          onBroken(typeof data.id === "string" ? data.id : "", data.type, why, memory);
        let header;
        try { header = JSON.stringify(frame(data, out)); }
        catch (error) { refuse(String(error.message), false); return; }
        const size = header.length + out.texts;
        if (size >= LARGE && !limits.fits(new TextEncoder().encode(header), out.texts))
          refuse(`${size} characters do not fit in memory`, true);
        else onFrame(header, out.buffers, out.refs, String(event.origin ?? ""));
      };
      const broken = () => onBroken("", "", "a message that could not be deserialised");
      const why = (event) => String(event.message || "its source could not be loaded");
      const failed = (event) => onGone(why(event), true);
      const gone = () => onGone("the port was closed", false);
      const pairs = [["message", listener], ["messageerror", broken], ["close", gone]];
      if (isA(endpoint, "Worker")) pairs.push(["error", failed]);
      if (endpoint === scope) pairs.push(["unhandledrejection", unhandled]);
      for (const [type, f] of pairs) endpoint.addEventListener(type, f);
      if (typeof endpoint.start === "function") endpoint.start();
      return () => pairs.forEach(([type, f]) => endpoint.removeEventListener(type, f));
    },
    post(endpoint, text, buffers, refs, transfers) {
      try {
        const message = revive(JSON.parse(text), { buffers, refs });
        raw(message); raw(message.value); (message.argumentList ?? []).forEach(raw);
        const moved = new Set([...buffers.map((b) => b.buffer), ...refs.filter(moves), ...transfers]);
        endpoint.postMessage(message, [...moved]);
        return "";
      } catch (error) { return String(error); }
    },
    close(endpoint) { if (isA(endpoint, "MessagePort")) endpoint.close(); },
    isPort: (value) => isA(value, "MessagePort"),
    remember(port, realm) { realms.set(port, realm); },
    remembered: (port) => realms.get(port) ?? 0,
    limits: (bytes, values, fits) => ({ bytes, values, fits }),
    terminate(endpoint) { if (!endpoint.terminate) return false; endpoint.terminate(); return true; },
    window(peer, origin, context) {
      const listeners = new Map(), here = context ?? globalThis;
      return {
        postMessage: (message, list) => peer.postMessage(message, origin, list),
        addEventListener(type, listener) {
          const own = (event) => {
            if (event.source === peer && (origin === "*" || event.origin === origin)) listener(event);
          };
          listeners.set(listener, own);
          here.addEventListener(type, own);
        },
        removeEventListener(type, listener) {
          here.removeEventListener(type, listeners.get(listener));
          listeners.delete(listener);
        },
      };
    },
    emitter(source) {
      const listeners = new Map();
      return {
        postMessage: (message, list) => source.postMessage(message, list),
        addEventListener(type, listener) {
          const own = (data) => listener({ data });
          listeners.set(listener, own);
          source.on(type, own);
        },
        removeEventListener(type, listener) {
          source.off(type, listeners.get(listener));
          listeners.delete(listener);
        },
        start: () => source.start && source.start(),
      };
    },
  };
};
