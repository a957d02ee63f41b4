"""The only module that knows which interpreter it runs on: CPython, Pyodide or MicroPython.

Python is told about JavaScript's world through a handful of functions made from one constant
text. They exist because MicroPython cannot catch a JavaScript exception thrown in a synchronous
call (it aborts the whole script), so every call that may throw has its try/catch in JavaScript;
and because handing Python the header string instead of the event saves two proxies a message.
Nothing that a peer sent ever reaches that constructor.
"""

import asyncio
import builtins
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

MICROPYTHON = sys.implementation.name == "micropython"
PYODIDE = sys.platform == "emscripten" and not MICROPYTHON
BROWSER = MICROPYTHON or PYODIDE

_SOURCE = """
const attempt = (f) => { try { f(); return ""; } catch (e) { return String(e); } };
const scripts = () => [...document.querySelectorAll("script[worker][name]")];
// Memory that came back: a fresh ArrayBuffer costs a page fault for every 4 KiB of it.
const spares = [];
const SPARE = { least: 65536, most: 256 * 2 ** 20, count: 8 };
let reused = 0;
const take = (length) => {
  const index = spares.findIndex((view) => view.byteLength === length);
  if (index < 0) return new Uint8Array(length);
  reused += 1;
  return spares.splice(index, 1)[0];
};
const bare = (value) => value instanceof ArrayBuffer ? new Uint8Array(value)
  : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
const views = (list) => list.map((item) => item.buffer ?? item);
// One plain result, the commonest message, costs MicroPython less as numbers than as a text.
const REPLY = /^\\[(\\d{1,9}), ?\\["ret", ?(\\d{1,9}), ?(-?\\d{1,9}|true|false)\\]\\]$/;
const plain = (text) => text === "true" ? true : text === "false" ? false : +text;
return {
  open(target, onText, onBuffers, onBroken, onReply, source, origin) {
    const onString = (text) => {
      const reply = onReply && text.length < 50 && REPLY.exec(text);
      if (reply) onReply(+reply[1], +reply[2], plain(reply[3]), text.length);
      else onText(text);
    };
    const listener = (event) => {
      if (source && (event.source !== source || event.origin !== origin)) return;
      const data = event.data;
      if (typeof data === "string") onString(data);
      else if (!Array.isArray(data) || typeof data[0] !== "string") onBroken(String(typeof data));
      else if (data.length === 1) onText(data[0]);
      else onBuffers(data[0], data);
    };
    const broken = () => onBroken("a message that could not be deserialised");
    target.addEventListener("message", listener);
    target.addEventListener("messageerror", broken);
    if (target.start) target.start();
    return () => {
      target.removeEventListener("message", listener);
      target.removeEventListener("messageerror", broken);
    };
  },
  poster(target, origin) {
    const post = (message, list) => attempt(() =>
      origin ? target.postMessage(message, origin, list) : target.postMessage(message, list));
    return {
      text: (header) => post(header, []),
      // Gives the length of the header, or what went wrong.
      call(received, number, place, ...args) {
        const header = `[${received},["call",${number},${place},${JSON.stringify(args)},{}]]`;
        return post(header, []) || header.length;
      },
      buffers: (header, list) => post([header, ...list], views(list)),
      copies: (header, list) => attempt(() =>
        target.postMessage(list.length ? [header, ...list] : header)),
    };
  },
  take,
  spare(view) {
    if (!(view instanceof Uint8Array) || view.byteLength < SPARE.least) return;
    if (view.byteLength !== view.buffer.byteLength) return;
    spares.unshift(view);
    let bytes = 0;
    const kept = spares.filter((v) => (bytes += v.byteLength) <= SPARE.most).slice(0, SPARE.count);
    spares.splice(0, spares.length, ...kept);
  },
  reused: () => reused,
  spares: () => spares.length,
  byteLength: (item) => item.byteLength ?? 0,
  isPort: (value) => value instanceof MessagePort,
  addWorker(type, name, source, config) {
    const script = document.createElement("script");
    script.type = type; script.src = source;
    script.setAttribute("worker", ""); script.setAttribute("name", name);
    if (config) script.setAttribute("config", config);
    document.body.append(script);
  },
  removeWorker(name) {
    scripts().filter((s) => s.getAttribute("name") === name).forEach((s) => s.remove());
  },
  ticker(callback) { return () => queueMicrotask(callback); },
  // A page that may come back from the back/forward cache is not gone.
  onLeave(callback) { addEventListener("pagehide", (e) => { if (!e.persisted) callback(); }); },
  holdLock(name, done) {
    if (!globalThis.navigator?.locks) { done(false); return; }
    navigator.locks.request(name, () => { done(true); return new Promise(() => {}); })
      .catch(() => done(false));
  },
  watchLock(name, callback) {
    if (!globalThis.navigator?.locks) return () => {};
    const stop = new AbortController();
    navigator.locks.request(name, { signal: stop.signal }, () => callback()).catch(() => {});
    return () => stop.abort();
  },
  // A lock that nobody holds here is of another origin: it says nothing.
  isHeld(name, answer) {
    if (!globalThis.navigator?.locks) { answer(false); return; }
    navigator.locks.query()
      .then((all) => answer(all.held.some((lock) => lock.name === name)), () => answer(false));
  },
  registry(callback) { return new FinalizationRegistry((held) => callback(held[0], held[1])); },
  token(registry, id, generation) {
    const token = {}; registry.register(token, [id, generation]); return token;
  },
  status(url, callback) {
    fetch(url, { method: "HEAD" }).then((r) => callback(r.status), () => callback(0));
  },
  listenControl(target, callback) {
    const listener = (event) => {
      const data = event.data;
      if (data && typeof data === "object" && typeof data.farcall === "string")
        callback(data.farcall, String(data.detail ?? ""), event.ports[0] ?? data.thing ?? null);
    };
    target.addEventListener("message", listener);
    return () => target.removeEventListener("message", listener);
  },
  sendControl(target, kind, detail, thing) {
    const moved = thing instanceof MessagePort ? [thing] : [];
    return attempt(() => target.postMessage(
      { farcall: kind, detail, thing: moved.length ? null : thing }, moved));
  },
  signal() {
    // WebKitGTK has none, though it says that it is isolated.
    const shared = globalThis.crossOriginIsolated && globalThis.SharedArrayBuffer;
    return shared ? new Uint8Array(new shared(1)) : null;
  },
  interrupt(signal) { Atomics.store(signal, 0, 2); },  // SIGINT
  broadcast(kind, detail) {
    const channel = new BroadcastChannel("farcall");
    channel.postMessage({ farcall: kind, detail }); channel.close();
  },
  broadcasts: () => new BroadcastChannel("farcall"),
  named: (name) => scripts().find((s) => s.getAttribute("name") === name) ?? null,
  names: () => scripts().map((s) => s.getAttribute("name")).join(", "),
  // Under cross-origin isolation PyScript puts a `document` into workers too.
  isWorker: typeof WorkerGlobalScope !== "undefined" && globalThis instanceof WorkerGlobalScope,
  isView: (value) => ArrayBuffer.isView(value) || value instanceof ArrayBuffer,
  bytesOf(value, move) {
    const view = bare(value);
    if (move && view.byteLength === view.buffer.byteLength) return view;
    const copy = take(view.byteLength);
    copy.set(view);
    return copy;
  },
  fromHex: (text) => Uint8Array.fromHex ? Uint8Array.fromHex(text)
    : Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16)),
  toHex(value) {
    const view = bare(value);
    return view.toHex ? view.toHex()
      : Array.from(view, (byte) => byte.toString(16).padStart(2, "0")).join("");
  },
  typed(bytes, kind) {
    const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
    const type = globalThis[kind];
    return new type(whole.buffer, whole.byteOffset, whole.byteLength / type.BYTES_PER_ELEMENT);
  },
  isDetached: (value) => (value instanceof ArrayBuffer ? value : value.buffer).detached === true,
  kindOf: (value) => value instanceof ArrayBuffer ? "ArrayBuffer" : value.constructor.name,
  isFunction: (value) => typeof value === "function",
  random() { return crypto.getRandomValues(new Uint32Array(4)).join("-"); },
  now: () => performance.now() / 1000,
  mendStack(module) {
    const apply = module.promisingApply;
    if (!apply || !module.stackRestore) return;
    let live = 0, top = 0;
    // In a microtask after the last call's own: no frame of WebAssembly is left then.
    const lift = () => { if (!live && module.stackSave() < top) module.stackRestore(top); };
    const over = () => { live -= 1; queueMicrotask(lift); };
    module.promisingApply = (...args) => {
      if (!live) top = Math.max(top, module.stackSave());
      live += 1;
      const ended = apply(...args);
      ended.then(over, over);
      return ended;
    };
  },
};
"""


class _NoProxy:
    """Stands in for the type that only exists in a browser."""


js: "Any" = None
javascript: "Any" = None
create_proxy: "Any" = None
JsProxy: "Any" = _NoProxy
TimeoutError: "Any" = getattr(builtins, "TimeoutError", None) or asyncio.TimeoutError

if MICROPYTHON:
    import js  # type: ignore[import-not-found, no-redef]
    from jsffi import JsProxy, create_proxy  # type: ignore[import-not-found, no-redef]
elif PYODIDE:
    import js  # type: ignore[no-redef]
    from pyodide.ffi import JsProxy, create_proxy  # type: ignore[import-not-found, no-redef]

if BROWSER:
    javascript = js.Function.new(_SOURCE)()

if PYODIDE:
    import pyodide_js  # type: ignore[import-not-found]

    # Until 314.0, where the browser has JSPI, each turn of Pyodide's event loop leaves 16 bytes of
    # its 5 MiB of stack behind: "memory access out of bounds" after 327,000 turns (pyodide#6249).
    javascript.mendStack(pyodide_js._module)


CancelledError = asyncio.CancelledError


def callback(function: "Callable[..., Any]") -> "Any":
    """What JavaScript may keep and call; give it back to `forget` when done.

    No collector sees both heaps: an object that holds what JavaScript made of its own callback
    must let go of that as well, or both stay for ever.
    """
    return create_proxy(function)


def forget(proxy: "Any") -> None:
    """Free a `callback`; MicroPython frees its own."""
    if PYODIDE:
        proxy.destroy()


def forget_later(proxies: "list[Any]") -> None:
    """Free several when none of them can be calling any more."""

    def free() -> None:
        for proxy in proxies:
            forget(proxy)

    Timer(1, free)


class Watch:
    """Calls `gone` when the holder of a lock is gone."""

    def __init__(self, lock: "str", gone: "Callable[[], Any]") -> None:
        self._lock = lock
        self._gone: "Any" = gone
        self._abort: "Any" = None
        self._asked = True
        self._keep = [callback(self._held), callback(self._ended)]
        javascript.isHeld(lock, self._keep[0])

    def _held(self, held: "bool") -> None:
        self._asked = False
        if self._gone is None:
            self._free()
        elif held:
            self._abort = javascript.watchLock(self._lock, self._keep[1])

    def _ended(self) -> None:
        if self._gone is not None:
            self._gone()

    def stop(self) -> None:
        """Watch no more."""
        self._gone = None
        if self._abort is not None:
            self._abort()
        if not self._asked:
            self._free()

    def _free(self) -> None:
        self._abort = None
        keep, self._keep = self._keep, []
        forget_later(keep)


def is_null(value: "Any") -> bool:
    """True for None and for JavaScript's null, which Pyodide keeps apart from None."""
    return value is None or (PYODIDE and type(value).__name__ == "JsNull")


def spawn(coroutine: "Any") -> "Any":
    """Run a coroutine as a task of its own."""
    return asyncio.create_task(coroutine)


_VALUES = (int, str, float, type(None), bool, list, dict, tuple)


def is_awaitable(value: "Any") -> bool:
    """Whether a function's result must be awaited before it is a value."""
    if type(value) in _VALUES:
        return False
    if MICROPYTHON:
        return hasattr(value, "send") or (isinstance(value, JsProxy) and hasattr(value, "then"))
    return hasattr(type(value), "__await__")


def clock() -> float:
    """Seconds on a clock that only goes forward."""
    if MICROPYTHON:
        return float(javascript.now())
    return time.perf_counter()


class Timer:
    """Calls `function` once after `seconds`, unless cancelled."""

    def __init__(self, seconds: "float", function: "Callable[[], Any]") -> None:
        if MICROPYTHON:
            self._handle = js.setTimeout(create_proxy(function), int(seconds * 1000))
        else:
            self._handle = asyncio.get_running_loop().call_later(seconds, function)

    def cancel(self) -> None:
        """Nothing happens when it has run already."""
        if MICROPYTHON:
            js.clearTimeout(self._handle)
        else:
            self._handle.cancel()


class Ticker:
    """Calls `function` at the end of the current turn; asking twice in a turn calls it once more.

    In a browser a microtask: it runs when Python has returned to JavaScript, before any other
    event, so what one step of a task sends travels together and costs no wait.
    """

    def __init__(self, function: "Callable[[], Any]") -> None:
        self._function = function
        if BROWSER:
            self._proxy = callback(function)
            self.schedule = javascript.ticker(self._proxy)
        else:
            self.schedule = self._call_soon

    def _call_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._function)

    def close(self) -> None:
        """A turn already asked for still comes; nothing else does."""
        if BROWSER:
            proxy, self._proxy, self.schedule = self._proxy, None, _nothing
            forget_later([proxy])


def _nothing() -> None:
    """What a closed Ticker does."""


def finalizers(function: "Callable[[int, int], Any]") -> "Any":
    """A registry that calls function(id, generation) when a token of it is collected."""
    return javascript.registry(callback(function)) if MICROPYTHON else None


class Waiter:
    """Settled once with a value or an error; any number of tasks may wait for it.

    asyncio.Future would do, but wakes its task through the event loop: one more turn a call.
    Here the task is stepped by `wake`, right where the reply came in. A task that waits and is
    cancelled cancels the waiter (`cancelled` is told), as with asyncio.Future.
    """

    _asyncio_future_blocking = False
    done = False
    value: "Any" = None
    error: "Any" = None
    retrieved = False  # somebody has got the error
    _waiting: "Any" = ()

    def settle(self, value: "Any", error: "Any" = None) -> bool:
        """Keep the outcome; True when somebody waits for it and `wake` must follow."""
        if self.done:
            return False
        self.done = True
        self.value = value
        if error is not None:
            self.error = error
        return bool(self._waiting)

    def settle_now(self, value: "Any", error: "Any" = None) -> None:
        """Settle and wake: in an event handler, outside any task."""
        if self.settle(value, error):
            self.wake()
            drain()

    def settle_soon(self, value: "Any", error: "Any" = None) -> None:
        """Settle now, wake in a turn of its own: safe inside a task."""
        if self.settle(value, error):
            Timer(0, self._wake_alone)

    def _wake_alone(self) -> None:
        self.wake()
        drain()

    def result(self) -> "Any":
        """The value; raises the error."""
        if self.error is not None:
            self.retrieved = True
            raise self.error
        return self.value

    def cancelled(self) -> None:
        """The task that waited was cancelled."""

    def cancel(self, msg: "Any" = None) -> bool:
        """Called by a task that waits and is being cancelled; False when already settled."""
        if self.done:
            return False
        self.settle(None, CancelledError())
        self.retrieved = True
        self.cancelled()
        if not MICROPYTHON:  # the canceller's own step is still running: not from within it
            asyncio.get_running_loop().call_soon(self.wake)
        return True

    def wake(self) -> None:
        """Step the tasks that wait. Only outside any task, and `drain` must follow."""
        waiting, self._waiting = self._waiting, ()
        if MICROPYTHON:
            for task in waiting:
                _step(task)
            return
        for function, context in waiting:
            context.run(function, self)

    def wait(self) -> "Generator[Any, None, Any]":
        """Yield to the event loop until settled."""
        if not self.done:
            if MICROPYTHON:
                task = _core.cur_task
                self._waiting = self._waiting + (task,)
                task.data = self
                try:
                    yield
                except CancelledError:
                    self.cancel()
                    raise
            else:
                self._asyncio_future_blocking = True
                yield self
        if self.error is not None:
            self.retrieved = True
            raise self.error
        return self.value

    if MICROPYTHON:
        __iter__ = wait
    else:
        __await__ = wait

    # -- what asyncio's Task asks of a future (CPython, Pyodide)

    def get_loop(self) -> "Any":
        return asyncio.get_running_loop()

    def add_done_callback(self, function: "Any", *, context: "Any" = None) -> None:
        self._waiting = self._waiting + ((function, context),)

    def remove_done_callback(self, function: "Any") -> int:
        before = len(self._waiting)
        self._waiting = tuple(pair for pair in self._waiting if pair[0] != function)
        return before - len(self._waiting)

    # -- what MicroPython's Task asks of a queue it waits in

    def remove(self, task: "Any") -> None:
        self._waiting = tuple([t for t in self._waiting if t is not task])


def drain() -> None:
    """Run the tasks that `wake` made ready now instead of after a timer (MicroPython only).

    MicroPython resumes tasks from setTimeout, clamped to 4 ms when nested; we are already in an
    event of our own.
    """
    if MICROPYTHON:
        first = _core._task_queue.peek()
        if first and _core.ticks_diff(first.ph_key, _core.ticks()) <= 0:
            _core._run_iter()


def _step(task: "Any") -> None:
    """Resume a task of MicroPython's at once: its queue and loop cost 5 microseconds.

    Task.state: True while it runs with nobody waiting, a function or a queue of those who wait;
    afterwards None until somebody has taken what `data` keeps, then False.
    """
    before = _core.cur_task
    _core.cur_task = task
    task.data = None
    try:
        task.coro.send(None)
    except (CancelledError, Exception) as exc:
        _ended(task, exc)
    finally:
        _core.cur_task = before


def _ended(task: "Any", exc: "Any") -> None:
    state = task.state
    heard = state is not True
    task.state = False if heard else None
    if callable(state):
        state(task, exc)
    elif heard:
        _Now.draining = True
        heard = bool(state.peek())
        while state.peek():
            _core._task_queue.push(state.pop())
        _Now.draining = False
    if not heard and not isinstance(exc, (CancelledError, StopIteration)):
        _core._task_queue.push(task)  # its turn there reports the exception, if nobody takes it
    task.data = exc


_core: "Any" = getattr(asyncio, "core", None)
proxies: "Any" = ()  # classes whose instances have every name

if MICROPYTHON:

    class _Now:
        """asyncio's view of `js`: sets no timer for tasks that `drain` is about to run.

        A timer set and cleared each way costs 8 of a call's 60 microseconds.
        """

        draining = False

        @staticmethod
        def setTimeout(function, milliseconds):  # type: ignore[no-untyped-def]
            return None if _Now.draining else js.setTimeout(function, milliseconds)

        @staticmethod
        def clearTimeout(handle):  # type: ignore[no-untyped-def]
            js.clearTimeout(handle)

    _core.js = _Now
    _promote = _core._promote_to_task

    async def _awaited(value: "Any") -> "Any":
        return await value

    def _task_of(value: "Any") -> "Any":
        """What gather and wait_for wait for; theirs takes what has a `send` for a coroutine."""
        return _promote(_awaited(value) if isinstance(value, proxies) else value)

    _core._promote_to_task = _task_of


def traceback_text(exc: "BaseException") -> str:
    """The traceback as a person would see it."""
    if MICROPYTHON:
        import io

        text = io.StringIO()
        sys.print_exception(exc, text)  # type: ignore[attr-defined]
        return str(text.getvalue())
    import traceback

    return "".join(traceback.format_exception(exc))


def last_exception_text() -> str:
    """The traceback that ended the script, if the interpreter kept it (Pyodide does)."""
    exc = getattr(sys, "last_exc", None)
    return traceback_text(exc) if exc is not None else ""


def interruptible() -> "Any":
    """A byte shared with the page that interrupts this worker's Python, or None.

    Only Pyodide listens to one, and only an isolated page (COOP and COEP) can share memory.
    """
    if not PYODIDE:
        return None
    signal = javascript.signal()
    if is_null(signal):
        return None
    pyodide_js.setInterruptBuffer(signal)
    return signal


def report(text: "str") -> None:
    """Tell a person: the browser's console, or stderr."""
    print(text, file=sys.stderr)  # noqa: T201


def random_id() -> str:
    """Unguessable enough to name a lock."""
    if BROWSER:
        return str(javascript.random())
    import uuid

    return str(uuid.uuid4())


if MICROPYTHON:
    import weakref as _weakref

    def weak(value: "Any", gone: "Callable[[Any], Any]") -> "Any":
        """A reference that does not keep `value`; MicroPython never calls `gone`."""
        return _weakref.ref(value)
else:
    import weakref as _weakref

    def weak(value: "Any", gone: "Callable[[Any], Any]") -> "Any":
        """A reference that does not keep `value`; `gone` is called when it is collected."""
        return _weakref.ref(value, gone)
