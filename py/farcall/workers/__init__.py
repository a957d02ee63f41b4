"""Workers: serve in one, connect to one, know when it is gone.

PyScript's own promises do not settle on most failures (a 404 source never, a script that raised
resolves), so the two sides talk on their own. The worker speaks on its default channel, which
only its page hears; the page by BroadcastChannel, since PyScript's own handler of the default
channel complains in the console about every message it does not know.

    worker -> page   "serving" detail: name of the lock that the worker holds for life
                     "failed"  detail: the traceback that ended the script before it served
                     "port"    detail: what the page asked with; a MessagePort for a session
    page -> worker   "status"  once PyScript says that the script is over
                     "open"    detail: the worker's lock, a space, a number

Death raises no event either: the page queues for the worker's lock, and gets it when the worker
is gone, for whatever reason. No heartbeat: Python at work cannot answer one. Over a port, as pages
have to a SharedWorker and workers to each other, each side names a lock of its own to the other.
"""

import asyncio

from farcall import errors, messages, platform
from farcall.connection.session import Session
from farcall.endpoints import Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# A worker whose script is over and that answers nothing for so long never imported farcall.
GRACE = 10.0
_POLL = 0.02


class Life:
    """A lock that this page or worker holds as long as it lives, for its peers to watch.

    Args:
        decided: called once it is known whether the lock is held.
    """

    def __init__(self, decided: "Any" = None) -> None:
        self.name = "farcall-" + platform.random_id()
        self.held: "bool | None" = None  # None: not known yet
        self._then = decided
        self._waiting: "list[Session]" = []
        self._keep = platform.callback(self._decided)
        platform.javascript.holdLock(self.name, self._keep)

    def _decided(self, held: "bool") -> None:
        self.held = held
        if self._then is not None:
            self._then()
        waiting, self._waiting = self._waiting, []
        for session in waiting:
            self.tell(session)

    def tell(self, session: "Session") -> None:
        """Let the peer know which lock to watch."""
        if self.held is None:
            self._waiting.append(session)
        elif self.held and session.error is None:
            session.send([messages.ALIVE, self.name])


_lives: "list[Life]" = []


def _watched(session: "Session") -> "Session":
    """The session, whose peer will notice when this page or worker is gone."""
    if platform.BROWSER:
        if not _lives:
            _lives.append(Life())
        _lives[0].tell(session)
    return session


# -- in the worker


class Host:
    """This worker's side: answers the page's questions, opens a session for each port."""

    def __init__(self) -> None:
        self.served: "Any" = None
        self.options: "dict[str, Any]" = {}
        self.sessions: "list[Session]" = []
        self._signal = platform.interruptible()
        self._keep = platform.callback(self._on_control)
        self._channel = platform.javascript.broadcasts()
        platform.javascript.listenControl(self._channel, self._keep)
        self._life = Life(self._announce)
        self.lock = self._life.name
        _lives.append(self._life)

    def serve(self, served: "Any", options: "dict[str, Any]") -> None:
        """Serve from now on, and say so."""
        self.served = served
        self.options = options
        self._announce()

    def _announce(self) -> None:
        if self.served is not None and self._life.held is not None:
            self._say("serving", self.lock + (" locked" if self._life.held else ""), self._signal)

    def _say(self, kind: "str", detail: "str", thing: "Any") -> None:
        platform.javascript.sendControl(platform.js.globalThis, kind, detail, thing)

    def _on_control(self, kind: "str", detail: "str", port: "Any") -> None:
        try:
            self._handle(kind, detail)
        except Exception as exc:
            platform.report(platform.traceback_text(exc))

    def _handle(self, kind: "str", detail: "str") -> None:
        if kind == "open" and detail.split(" ")[0] == self.lock:
            self._open(detail)
        elif kind == "status" and self.served is None:
            self._say("failed", platform.last_exception_text(), None)
        elif kind == "status":
            self._announce()

    def _open(self, detail: "str") -> None:
        channel = platform.js.MessageChannel.new()
        session = _watched(Session(Port(channel.port1), self.served, name="page", **self.options))
        self.sessions.append(session)
        session.on_close.append(lambda _: self.sessions.remove(session))
        self._say("port", detail, channel.port2)


host: "Host | None" = None
if platform.BROWSER and platform.javascript.isWorker:
    host = Host()


def serve(served: "Any", **options: "Any") -> None:
    """Let the page use `served`: the worker's last line.

    Args:
        served: names to modules (what their `__all__` names), objects and functions (their public
            names); or one object. Nothing else can be reached, but through what these return.
        options: of the sessions: timeout, on_error, limits, traceback.

    Raises:
        TypeError: a module without `__all__`, or a name that is not public.
        RuntimeError: not in a worker.
    """
    from farcall.connection.policy import namespace

    if host is None:
        raise RuntimeError("serve: this is no worker; give `connect` a `serve=` argument instead")
    host.serve(namespace(served), options)


# -- on the page


class Engine:
    """The page's side of one worker: its thread, its lock, its sessions."""

    def __init__(self, name: "str", worker: "Any") -> None:
        self.name = name
        self.worker = worker
        self.lock: "str | None" = None
        self.sessions: "list[Session]" = []
        self.outcome = platform.Waiter()
        self._callbacks = [platform.callback(self._on_control)]
        self._stop = platform.javascript.listenControl(worker, self._callbacks[0])
        self.ended = False  # PyScript says that its script is over
        self.signal: "Any" = None  # the byte that interrupts its Python, where isolated
        self._unwatch: "Any" = None
        self._asked: "dict[str, Any]" = {}
        self._last = 0
        self.task: "Any" = None

    def _on_control(self, kind: "str", detail: "str", port: "Any") -> None:
        if kind == "serving" and self.lock is None:
            self.lock = detail.split(" ")[0]
            self.signal = None if platform.is_null(port) else port
            if detail.endswith(" locked"):
                gone = platform.callback(lambda: self.died("the worker is gone"))
                self._callbacks.append(gone)
                self._unwatch = platform.javascript.watchLock(self.lock, gone)
            self.settle(self)
        elif kind == "failed" and self.ended:  # else it answers what was asked of another worker
            self.settle(None, _boot_error(self.name, detail))
        elif kind == "port" and detail in self._asked:
            self._asked.pop(detail).settle_now(port)

    def settle(self, value: "Any", error: "Any" = None) -> None:
        """Decide the outcome of the boot."""
        self.outcome.settle_now(value, error)

    def over(self, failure: "str") -> None:
        """PyScript says that the worker's script is over, or that it cannot run."""
        if failure:
            self.settle(None, errors.WorkerBootError(f"worker {self.name!r}: {failure}"))
            return
        self.ended = True
        self._ask(int(GRACE))

    def _ask(self, times: "int") -> None:
        """Ask how it is, once a second: a question that comes before `import farcall` is lost."""
        if self.outcome.done:
            return
        if not times:
            self._silent()
            return
        platform.javascript.broadcast("status", "")
        platform.Timer(1, lambda: self._ask(times - 1))

    def _silent(self) -> None:
        text = (
            f"the script of worker {self.name!r} ended without importing farcall: "
            "it failed before that; its traceback is in the browser's console"
        )
        self.settle(None, errors.WorkerBootError(text))

    def port(self) -> "Any":
        """Ask the worker for a port; gives the waiter of it."""
        self._last += 1
        asked = f"{self.lock} {self._last}"
        waiter = self._asked[asked] = platform.Waiter()
        platform.javascript.broadcast("open", asked)
        return waiter

    def open(self, port: "Any", served: "Any", options: "dict[str, Any]") -> "Session":
        """A new session with the worker over a port of its."""
        session = Session(Port(port), served, name=self.name, **options)
        session.worker = self
        self.sessions.append(session)
        session.on_close.append(lambda _: self.sessions.remove(session))
        return session

    def died(self, text: "str") -> None:
        """End every session: the worker is no more."""
        error = errors.WorkerDiedError(f"worker {self.name!r}: {text}")
        _engines.pop(self.name, None)
        self.settle(None, error)
        for waiter in self._asked.values():
            waiter.settle_now(None, error)
        for session in list(self.sessions):
            session.close(error, tell=False)
        if self._stop is not None:
            self._stop()
        self._stop = self._unwatch = None
        callbacks, self._callbacks = self._callbacks, []
        platform.forget_later(callbacks)

    def terminate(self) -> None:
        """Kill the thread, wherever it is."""
        if self._unwatch is not None:
            self._unwatch()
        self.worker.terminate()
        self.died("terminated")


_engines: "dict[str, Engine]" = {}


def _boot_error(name: "str", traceback: "str") -> "Exception":
    if traceback:
        last = traceback.strip().split("\n")[-1]
        text = f"worker {name!r} failed before it served: {last}"
    else:
        text = f"the script of worker {name!r} ended without farcall.serve()"
    error = errors.WorkerBootError(text)
    error.remote_traceback = traceback
    return error


async def connect(
    target: "Any", *, timeout: "float" = 60.0, serve: "Any" = None, **options: "Any"
) -> "Any":
    """Connect to a worker; gives the proxy of what it serves.

    Args:
        target: name of a `<script type="py" worker name=...>` of this page; or a SharedWorker; or a
            MessagePort, such as `port` gives; or an endpoint.
        timeout: seconds for the whole of it, start of the worker included.
        serve: what the worker may use of this side.
        options: of the session: timeout for calls is `call_timeout`; on_error, limits, traceback.

    Raises:
        WorkerBootError: no such name (lists the names there are), source missing, script failed
            (with its traceback), script ended without serving.
        TimeoutError: the time is over.
    """
    if "call_timeout" in options:
        options["timeout"] = options.pop("call_timeout")
    deadline = platform.clock() + timeout
    if isinstance(target, platform.JsProxy) and hasattr(target, "port"):
        target = target.port
        options.setdefault("traceback", False)
    if not isinstance(target, str):
        endpoint = Port(target) if isinstance(target, platform.JsProxy) else target
        session = _watched(Session(endpoint, serve, **options))
        return await _within(session.ready, deadline, timeout, "the other side", session.close)
    engine = await _engine(target, deadline, timeout)
    port = await _within(engine.port(), deadline, timeout, f"worker {target!r}", None)
    session = engine.open(port, serve, options)
    return await _within(session.ready, deadline, timeout, f"worker {target!r}", session.close)


async def _engine(name: "str", deadline: "float", timeout: "float") -> "Engine":
    if name not in _engines:
        worker = await _thread(name, deadline, timeout)
        if name not in _engines:
            _engines[name] = Engine(name, worker)
            _watch_boot(name, _engines[name])
    engine = _engines[name]
    try:
        await _within(engine.outcome, deadline, timeout, f"worker {name!r}", None)
    except Exception:
        if engine.outcome.done and _engines.get(name) is engine:
            del _engines[name]
        raise
    return engine


async def _thread(name: "str", deadline: "float", timeout: "float") -> "Any":
    """The Worker of a script tag, as soon as PyScript has made it."""
    script = platform.javascript.named(name)
    if platform.is_null(script):
        names = str(platform.javascript.names()) or "none"
        raise errors.WorkerBootError(f"no worker named {name!r} on this page; there are: {names}")
    failures: "list[int]" = []
    source = str(script.src)
    if source:
        platform.javascript.status(source, platform.callback(failures.append))
    while not hasattr(script, "xworker") or not script.xworker:
        _refuse_missing(name, source, failures)
        if platform.clock() > deadline:
            raise errors.TimeoutError(f"PyScript made no worker {name!r} in {timeout} s")
        await asyncio.sleep(_POLL)
    return script.xworker


def _refuse_missing(name: "str", source: "str", failures: "list[int]") -> None:
    if failures and (failures[0] >= 400 or failures[0] == 0):
        what = f"status {failures[0]}" if failures[0] else "no answer"
        raise errors.WorkerBootError(f"the source of worker {name!r} is missing: {source}: {what}")


def _watch_boot(name: "str", engine: "Engine") -> None:
    from pyscript import workers  # type: ignore[import-not-found]

    async def wait() -> None:
        try:
            await workers[name]
        except Exception as exc:
            engine.over(str(exc))
        else:
            engine.over("")

    engine.task = platform.spawn(wait())
    source = str(platform.javascript.named(name).src)

    def answered(status: "int") -> None:
        try:
            _refuse_missing(name, source, [status])
        except errors.WorkerBootError as exc:
            engine.settle(None, exc)

    if source:
        platform.javascript.status(source, platform.callback(answered))


async def _within(
    waiter: "Any", deadline: "float", timeout: "float", what: "str", otherwise: "Any"
) -> "Any":
    """The waiter's value before the deadline; every waiting task gets the same outcome."""

    def over() -> None:
        error = errors.TimeoutError(f"{what} did not answer in {timeout} s")
        if otherwise is not None:
            otherwise(error)
        else:
            waiter.settle_now(None, error)

    timer = platform.Timer(max(0.0, deadline - platform.clock()), over)
    try:
        return await waiter
    finally:
        timer.cancel()


async def port(proxy: "Any", timeout: "float" = 60.0) -> "Any":
    """A new MessagePort to the worker that `proxy` belongs to.

    Send it to another worker, which connects to it: they talk without the page.
    """
    engine = _worker_of(proxy, "port")
    deadline = platform.clock() + timeout
    return await _within(engine.port(), deadline, timeout, f"worker {engine.name!r}", None)


def _worker_of(proxy: "Any", what: "str") -> "Any":
    from farcall.proxies.remote import reference

    worker = reference(proxy, what).session.worker
    if worker is None:
        raise TypeError(f"{what}: this session has no worker")
    return worker


def interrupt(proxy: "Any") -> None:
    """Interrupt the Python that the worker of `proxy` computes: its call raises RemoteError.

    Raises:
        RuntimeError: the page is not isolated, or the worker is no Pyodide: kill it instead.
    """
    signal = _worker_of(proxy, "interrupt").signal
    if signal is None:
        raise RuntimeError(
            "interrupt: needs a cross-origin isolated page and Pyodide in the worker; "
            "elsewhere use farcall.Worker and its restart()"
        )
    platform.javascript.interrupt(signal)


def serve_shared(served: "Any", **options: "Any") -> None:
    """In a SharedWorker: a session for every page that connects, until that page is gone.

    On the page: `await farcall.connect(js.SharedWorker.new(url))`. Either side keeps its tracebacks
    unless it has `traceback=True`.
    """
    from farcall.connection.policy import namespace

    options.setdefault("traceback", False)
    space = namespace(served)
    sessions: "list[Session]" = []

    def connected(event: "Any") -> None:
        session = _watched(Session(Port(event.ports[0]), space, name="page", **options))
        sessions.append(session)
        session.on_close.append(lambda _: sessions.remove(session))

    platform.js.addEventListener("connect", platform.callback(connected))


def terminate(proxy: "Any") -> None:
    """Kill the worker that `proxy` belongs to; all its pending calls raise WorkerDiedError."""
    _worker_of(proxy, "terminate").terminate()
