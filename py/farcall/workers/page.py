"""The page's side: connect to a worker, and know when it is gone.

    <script type="py" worker name="engine" src="./worker.py" config="./worker.toml"></script>

    engine = await farcall.connect("engine")

PyScript's own promises do not settle on most failures (a source that is missing never, a script
that raised resolves), so the two sides talk on their own: the worker on its default channel, the
page by BroadcastChannel, since PyScript's own handler of the default channel complains in the
console about every message it does not know:

    "status"  once PyScript says that the script is over
    "open"    detail: the worker's lock, a space, a number
    "member"  the same, for a port to its place in a team

What a page knows of a worker that starts, it may tell by an event "message" at the Worker itself:
    "broken"  detail: why its script cannot run
    "gone"    detail: that it has ended
"""

import asyncio

from farcall import errors, platform
from farcall.connection.session import Session
from farcall.endpoints import Port
from farcall.proxies.remote import reference
from farcall.workers.life import watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.endpoints import Endpoint
    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Remote, Value

# A worker whose script is over and that answers nothing for so long never imported farcall.
GRACE = 10.0
_POLL = 0.02
# Seconds without a worker after which its configuration is looked for. PyScript fetched it once,
# and a page that starts well fetches it no second time.
_LATE = 10


class Engine:
    """The page's side of one worker: its thread, its lock, its sessions."""

    def __init__(self, name: "str", worker: "JavaScript") -> None:
        self.name = name
        self.worker = worker
        self.lock: "str | None" = None
        self.sessions: "list[Session]" = []
        self.outcome = platform.Shared()
        self._callbacks = [platform.callback(self._on_control)]
        self._stop: "JavaScript" = platform.javascript.listenControl(worker, self._callbacks[0])
        self.ended = False  # PyScript says that its script is over
        self.error: "Exception | None" = None  # what it died of
        self.signal: "JavaScript" = None  # the byte that interrupts its Python, where isolated
        self._unwatch: "JavaScript" = None
        self._asked: "dict[str, platform.Waiter]" = {}
        self._last = 0
        self.task: "asyncio.Task[Any] | None" = None

    def _on_control(self, kind: "str", detail: "str", port: "JavaScript") -> None:
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
        elif kind == "broken":
            self.over(detail)
        elif kind == "gone":
            self.died(detail)
        elif kind == "port" and detail in self._asked:
            waiter = self._asked.pop(detail)
            if waiter.done:  # who asked has gone: the worker must not go on serving it
                Session(Port(port), name=self.name).close()
            else:
                waiter.settle_now(port)

    def settle(self, value: "object", error: "Exception | None" = None) -> None:
        """Decide the outcome of the boot; one that failed may be tried again."""
        if error is not None and not self.outcome.done:
            self._forget()
        self.outcome.settle_soon(value, error)

    def _forget(self) -> None:
        """Hear of the worker no more."""
        if _engines.get(self.name) is self:
            del _engines[self.name]
        if self._stop is not None:
            self._stop()
        self._stop = None
        callbacks, self._callbacks = self._callbacks, []
        platform.forget_later(callbacks)

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

    def port(self, kind: "str" = "open") -> "platform.Waiter":
        """Ask the worker for a port to what it serves, or to its "member"; gives its waiter."""
        self._last += 1
        asked = f"{self.lock} {self._last}"
        waiter = platform.Waiter()
        if self.error is not None:
            waiter.settle(None, errors.again(self.error))
            return waiter
        self._asked[asked] = waiter
        platform.javascript.broadcast(kind, asked)
        return waiter

    def open(self, port: "JavaScript", served: "Value", options: "dict[str, Any]") -> "Session":
        """A new session with the worker over a port of its."""
        session = Session(Port(port), served, name=self.name, **options)
        session.worker = self
        self.sessions.append(session)
        session.on_close.append(lambda _: self.sessions.remove(session))
        return session

    def died(self, text: "str") -> None:
        """End every session: the worker is no more."""
        self.worker.farcallEnd = text  # its script tag stays, and may be connected to again
        error = self.error = errors.WorkerDiedError(f"worker {self.name!r}: {text}")
        self.settle(None, error)
        for waiter in self._asked.values():
            waiter.settle_soon(None, error)  # a task may be what ends it
        for session in list(self.sessions):
            session.close(error, tell=False)
        self._unwatch = None
        self._forget()

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
    target: "str | Endpoint | JavaScript",
    *,
    timeout: "float | None" = 60.0,
    serve: "Value" = None,
    **options: "Any",
) -> "Any":
    """Connect to a worker; gives the proxy of what it serves.

    Args:
        target: name of a `<script type="py" worker name=...>` of this page; or a SharedWorker; or a
            MessagePort, such as `port` gives; or an endpoint.
        timeout: seconds for the whole of it, start of the worker included; None waits.
        serve: what the worker may use of this side.
        options: of the session: timeout for calls is `call_timeout`; on_error, limits, traceback.

    Raises:
        WorkerBootError: no such name (lists the names there are), source missing, script failed
            (with its traceback), script ended without serving.
        TimeoutError: the time is over.
    """
    timeout = platform.seconds(timeout, float("inf"))
    if "call_timeout" in options:
        options["timeout"] = options.pop("call_timeout")
    deadline = platform.clock() + timeout
    if isinstance(target, platform.JsProxy) and hasattr(target, "port"):
        target = target.port
        options.setdefault("traceback", False)
    _check(target)
    if not isinstance(target, str):
        endpoint = Port(target) if isinstance(target, platform.JsProxy) else target
        session = watched(Session(endpoint, serve, **options))
        return await _ready(session, deadline, timeout, "the other side")
    engine = await _engine(target, deadline, timeout)
    port = await _within(engine.port(), deadline, timeout, f"worker {target!r}")
    session = engine.open(port, serve, options)
    return await _ready(session, deadline, timeout, f"worker {target!r}")


async def _ready(session: "Session", deadline: "float", timeout: "float", what: "str") -> "Any":
    """What the other side serves; the session ends with the wait if that is given up."""
    try:
        return await _within(session.ready.each(), deadline, timeout, what)
    except BaseException as exc:
        if not platform.is_over(exc):
            session.close(exc if isinstance(exc, errors.TimeoutError) else None)
        raise


def _check(target: "object") -> None:
    """Refuse what is no worker's name, port or endpoint, and a name where there is no page."""
    if isinstance(target, str):
        if not platform.on_page():
            raise RuntimeError(
                f"connect: only a page can connect to worker {target!r} by its name: "
                "have the page send a port (`await farcall.port(proxy)`), and connect to that"
            )
        return
    speaks = "start" if isinstance(target, platform.JsProxy) else "post"
    if not hasattr(target, speaks):
        raise TypeError(
            f"connect: expected a worker's name, a port or an endpoint, received {target!r}"
        )


async def _engine(name: "str", deadline: "float", timeout: "float") -> "Engine":
    if name not in _engines:
        worker = await _thread(name, deadline, timeout)
        if name not in _engines:
            _engines[name] = Engine(name, worker)
            _watch_boot(name, _engines[name])
    engine = _engines[name]
    await _within(engine.outcome.each(), deadline, timeout, f"worker {name!r}")
    return engine


async def _thread(name: "str", deadline: "float", timeout: "float") -> "JavaScript":
    """The Worker of a script tag, as soon as PyScript has made it."""
    script = platform.javascript.named(name)
    if platform.is_null(script):
        names = str(platform.javascript.names()) or "none"
        raise errors.WorkerBootError(f"no worker named {name!r} on this page; there are: {names}")
    failures: "list[Exception]" = []
    _look_for(name, "source", str(script.src), failures.append)
    late = platform.clock() + min(_LATE, timeout / 2)
    while not hasattr(script, "xworker") or not script.xworker:
        if failures:
            raise failures[0]
        if late and platform.clock() > late:
            late = 0
            config = str(platform.javascript.config(script))
            _look_for(name, "configuration", config, failures.append)
        if platform.clock() > deadline:
            raise errors.TimeoutError(f"PyScript made no worker {name!r} in {timeout} s")
        await asyncio.sleep(_POLL)
    if hasattr(script.xworker, "farcallEnd") and script.xworker.farcallEnd:
        raise errors.WorkerDiedError(
            f"worker {name!r} has ended ({script.xworker.farcallEnd}), and its script tag starts "
            "no other: start workers by farcall.Worker, or reload the page"
        )
    return script.xworker


def _look_for(
    name: "str", what: "str", url: "str", refuse: "Callable[[Exception], object]"
) -> None:
    """Call `refuse` with an error if a file of a worker's cannot be had."""

    def answered(status: "int") -> None:
        if status >= 400 or status == 0:
            why = f"status {status}" if status else "no answer"
            text = f"the {what} of worker {name!r} is missing: {url}: {why}"
            refuse(errors.WorkerBootError(text))

    if url:
        platform.javascript.status(url, platform.callback(answered))


def _watch_boot(name: "str", engine: "Engine") -> None:
    async def wait() -> None:
        try:
            await engine.worker.ready  # PyScript's `workers` would keep it for ever
        except Exception as exc:  # on MicroPython args are a proxy, the name and the text
            engine.over(str(exc.args[-1] if exc.args else exc))
        else:
            engine.over("")

    engine.task = platform.spawn(wait())
    source = str(platform.javascript.named(name).src)
    _look_for(name, "source", source, lambda error: engine.settle(None, error))


async def _within(
    waiter: "platform.Waiter", deadline: "float", timeout: "float", what: "str"
) -> "Any":
    """The waiter's value before the deadline; no other task may wait for it."""

    def over() -> None:
        waiter.settle_now(None, errors.TimeoutError(f"{what} did not answer in {timeout} s"))

    timer = platform.Timer(max(0.0, deadline - platform.clock()), over)
    try:
        return await waiter
    finally:
        timer.cancel()


async def port(proxy: "Remote", timeout: "float | None" = 60.0) -> "JavaScript":
    """A new MessagePort to the worker that `proxy` belongs to.

    Send it to another worker, which connects to it: they talk without the page.
    """
    return await _port(_worker_of(proxy, "port"), "open", timeout)


async def member_port(proxy: "Remote", timeout: "float" = 60.0) -> "JavaScript":
    """A new MessagePort to the place in a team of the worker that `proxy` belongs to."""
    return await _port(_worker_of(proxy, "member_port"), "member", timeout)


async def _port(engine: "Engine", kind: "str", timeout: "float | None") -> "JavaScript":
    timeout = platform.seconds(timeout, float("inf"))
    deadline = platform.clock() + timeout
    return await _within(engine.port(kind), deadline, timeout, f"worker {engine.name!r}")


def _worker_of(proxy: "Remote", what: "str") -> "Engine":
    session = reference(proxy, what).connection
    worker = session.worker if isinstance(session, Session) else None
    if worker is None:
        raise TypeError(f"{what}: this session has no worker")
    found: "Engine" = worker
    return found


def abandon(name: "str", script: "JavaScript", looks: "int" = 600) -> None:
    """End a start that was given up: its thread too, as soon as PyScript has made it."""
    if name in _engines:
        _engines[name].terminate()
    elif hasattr(script, "xworker") and script.xworker:
        script.xworker.terminate()
    elif looks:
        platform.Timer(0.1, lambda: abandon(name, script, looks - 1))


def interrupt(proxy: "Remote") -> None:
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


def terminate(proxy: "Remote") -> None:
    """Kill the worker that `proxy` belongs to; all its pending calls raise WorkerDiedError."""
    _worker_of(proxy, "terminate").terminate()
