"""What Comlink runs on: anything with postMessage in a browser, a pair of queues in tests.

A frame travels as JSON text in the codec's form, with buffers and, by number, the JavaScript
values that JSON cannot say (ports, dates, blobs). In a browser the text becomes the structure that
Comlink's wire wants, and back, in JavaScript: exact on both interpreters (MicroPython cuts
integers to 32 bits when it reads a property), and without a proxy for each value.
"""

import asyncio

from farcall import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

if platform.BROWSER:
    import js  # type: ignore[import-not-found]

_SOURCE = """
const DTYPES = {
  Int8Array: "|i1", Uint8ClampedArray: "|u1", Int16Array: "<i2", Uint16Array: "<u2",
  Int32Array: "<i4", Uint32Array: "<u4", BigInt64Array: "<i8", BigUint64Array: "<u8",
  Float16Array: "<f2", Float32Array: "<f4", Float64Array: "<f8",
};
const KINDS = Object.fromEntries(Object.entries(DTYPES).map(([kind, dtype]) => [dtype, kind]));
Object.assign(KINDS, { "|u1": "Uint8Array", "|b1": "Uint8Array" });
const DEPTH = 24;
const deep = new Error("deep");
const bytesOf = (v) => v instanceof ArrayBuffer ? new Uint8Array(v)
  : new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
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
function leaf(value, out) {
  if ((out.values -= 1) < 0) throw new RangeError("the message holds more values than the limit");
  switch (typeof value) {
    case "undefined": return null;
    case "boolean": return value;
    case "string":
      if ((out.bytes -= value.length) < 0) throw large();
      return value;
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
const isA = (v, kind) => known[kind] !== undefined && v instanceof known[kind];

return {
  listen(endpoint, kinds, limits, onFrame, onBroken, onGone) {
    const wanted = new Set(kinds);
    const listener = (event) => {
      const data = event.data;
      if (!data || typeof data !== "object" || !wanted.has(data.type)) return;
      const out = { buffers: [], refs: [], bytes: limits.bytes, values: limits.values };
      let text;
      try { text = JSON.stringify(frame(data, out)); }
      catch (error) {
        onBroken(typeof data.id === "string" ? data.id : "", data.type, String(error.message));
        return;
      }
      onFrame(text, out.buffers, out.refs, String(event.origin ?? ""));
    };
    const broken = () => onBroken("", "", "a message that could not be deserialised");
    const why = (event) => String(event.message || "its source could not be loaded");
    const failed = (event) => onGone(why(event), true);
    const gone = () => onGone("the port was closed", false);
    const pairs = [["message", listener], ["messageerror", broken], ["close", gone]];
    if (isA(endpoint, "Worker")) pairs.push(["error", failed]);
    for (const [type, f] of pairs) endpoint.addEventListener(type, f);
    if (endpoint.start) endpoint.start();
    return () => pairs.forEach(([type, f]) => endpoint.removeEventListener(type, f));
  },
  post(endpoint, text, buffers, refs, transfers) {
    try {
      const message = revive(JSON.parse(text), { buffers, refs });
      raw(message); raw(message.value); (message.argumentList ?? []).forEach(raw);
      const ports = refs.filter((r) => isA(r, "MessagePort"));
      const moved = new Set([...buffers.map((b) => b.buffer), ...ports, ...transfers]);
      endpoint.postMessage(message, [...moved]);
      return "";
    } catch (error) { return String(error); }
  },
  close(endpoint) { if (isA(endpoint, "MessagePort")) endpoint.close(); },
  isPort: (value) => isA(value, "MessagePort"),
  remember(port, realm) { realms.set(port, realm); },
  remembered: (port) => realms.get(port) ?? 0,
  limits: (bytes, values) => ({ bytes, values }),
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
"""

# A peer's message is counted before Python sees any of it.
MESSAGE_BYTES = 256 * 1024 * 1024
MESSAGE_VALUES = 1_000_000

javascript: "Any" = js.Function.new(_SOURCE)() if platform.BROWSER else None


def _array(items: "Any") -> "Any":
    array = js.Array.new()
    for item in items:
        array.push(item)
    return array


def _list(array: "Any") -> "list[Any]":
    return [array[i] for i in range(array.length)]


def _forget(callbacks: "list[Any]") -> None:
    for callback in callbacks:
        platform.forget(callback)


class JavaScriptPort:
    """Anything with postMessage and addEventListener.

    Attributes:
        endpoint: the JavaScript object.
    """

    def __init__(self, endpoint: "Any") -> None:
        self.endpoint = endpoint
        self._callbacks: list[Any] = []
        self._stop: Any = None

    def listen(
        self,
        kinds: "tuple[str, ...]",
        on_frame: "Callable[[str, Any, Any, str], Any]",
        on_broken: "Callable[[str, str, str], Any]",
        on_gone: "Callable[[str], Any]",
    ) -> None:
        """Call on_frame(text, buffers, references, origin) for each message of these kinds.

        on_broken(id, kind, why) is for messages past the limits or undecodable, on_gone(why) for
        a peer that is known to be gone.
        """

        def listed(text: "str", buffers: "Any", refs: "Any", origin: "str") -> None:
            on_frame(text, _list(buffers), _list(refs), origin)

        self._callbacks = [platform.callback(f) for f in (listed, on_broken, on_gone)]
        limits = javascript.limits(MESSAGE_BYTES, MESSAGE_VALUES)
        self._stop = javascript.listen(self.endpoint, _array(kinds), limits, *self._callbacks)

    def post(self, text: "str", buffers: "Any", refs: "Any", transfers: "Any") -> str:
        """Send; the text of what went wrong, or nothing."""
        lists = [_array(x) for x in (buffers, refs, transfers)]
        return str(javascript.post(self.endpoint, text, *lists))

    def close(self) -> None:
        """Stop listening; a MessagePort is closed, anything else is left as it is."""
        if self._stop is None:
            return
        self._stop()
        self._stop = None
        javascript.close(self.endpoint)
        callbacks, self._callbacks = self._callbacks, []
        platform.Timer(0, lambda: _forget(callbacks))

    def terminate(self) -> bool:
        """End the worker, if this is one."""
        return bool(javascript.terminate(self.endpoint))

    def channel(self) -> "tuple[JavaScriptPort, Any]":
        """A new channel: this side's end, and the other as it travels."""
        channel = js.MessageChannel.new()
        return JavaScriptPort(channel.port1), channel.port2


class MemoryPort:
    """One end of a pair in one process. Frames are copied, arrive in order and in later turns."""

    def __init__(self) -> None:
        self.peer: Any = None
        self.realm = 0
        self.closed = False
        self._listeners: Any = None
        self._early: list[Any] = []

    def listen(
        self,
        kinds: "tuple[str, ...]",
        on_frame: "Callable[[str, Any, Any, str], Any]",
        on_broken: "Callable[[str, str, str], Any]",
        on_gone: "Callable[[str], Any]",
    ) -> None:
        """As JavaScriptPort's; what came before is delivered now. Kinds are not told apart."""
        self._listeners = (on_frame, on_broken, on_gone)
        early, self._early = self._early, []
        for item in early:
            asyncio.get_running_loop().call_soon(self._deliver, *item)

    def post(self, text: "str", buffers: "Any", refs: "Any", transfers: "Any") -> str:
        """Send a copy, as JavaScriptPort's; a closed port swallows it, as a browser's does."""
        if not self.closed and not self.peer.closed:
            asyncio.get_running_loop().call_soon(
                self.peer._deliver, text, [bytearray(b) for b in buffers], list(refs)
            )
        return ""

    def _deliver(self, text: "str", buffers: "Any", refs: "Any") -> None:
        if self.closed:
            return
        if self._listeners is None:
            self._early.append((text, buffers, refs))
        else:
            self._listeners[0](text, buffers, refs, "")

    def close(self) -> None:
        """Nothing arrives any more, and the other end is told."""
        if self.closed:
            return
        self.closed = True
        if not self.peer.closed and self.peer._listeners:
            asyncio.get_running_loop().call_soon(self.peer._listeners[2], "the port was closed")

    def terminate(self) -> bool:
        """There is no worker behind it."""
        return False

    def channel(self) -> "tuple[MemoryPort, Any]":
        """A new pair."""
        return memory_pair()


def memory_pair() -> "tuple[MemoryPort, MemoryPort]":
    """Two ends of a channel within this process, for tests and for programs without a browser."""
    one, two = MemoryPort(), MemoryPort()
    one.peer, two.peer = two, one
    return one, two


def port_of(endpoint: "Any") -> "Any":
    """The port for what `expose` and `wrap` were given.

    Raises:
        TypeError: it can carry no messages.
    """
    if isinstance(endpoint, (JavaScriptPort, MemoryPort)):
        return endpoint
    if isinstance(endpoint, platform.JsProxy) and hasattr(endpoint, "postMessage"):
        return JavaScriptPort(endpoint)
    kind = type(endpoint).__name__
    raise TypeError(f"expected a worker, port, channel or window endpoint, received a {kind}")


def remember(port: "Any", realm: "int") -> None:
    """Note which realm a port leads to, for `remembered`."""
    if isinstance(port, MemoryPort):
        port.realm = realm
    elif is_port(port):
        javascript.remember(port, realm)


def remembered(endpoint: "Any") -> int:
    """The realm that a port leads to; 0 if it did not come from a peer."""
    if isinstance(endpoint, MemoryPort):
        return endpoint.realm
    return int(javascript.remembered(endpoint)) if is_port(endpoint) else 0


def is_port(value: "Any") -> bool:
    """Whether a value that came from a peer is a port, as a value by reference must be."""
    if isinstance(value, MemoryPort):
        return True
    return (
        platform.BROWSER and isinstance(value, platform.JsProxy) and bool(javascript.isPort(value))
    )
