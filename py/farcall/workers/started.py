"""A worker started from Python, and started again when it died.

worker = await farcall.Worker("./worker.py", config="./worker.toml").start()
"""

import asyncio

from farcall import errors, platform
from farcall.workers.page import abandon, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from farcall.proxies.remote import Value
    from farcall.workers.page import Engine

# Seconds before another attempt to start it again; the last attempt is the one after the last.
PAUSES = (0.5, 1, 2, 4, 8, 16, 30)
# Seconds that a worker lives whose start was no failure.
STEADY = 5


class Start:
    """A start that is under way, or the attempts to start again what died.

    Args:
        work: what starts the worker.
        again: whether it goes on though all who wait for it have gone.

    Attributes:
        outcome: settled at its end; with an error only for those who asked for the start.
        callers: how many wait for it in `Worker.start`.
    """

    def __init__(self, work: "Callable[[Start], Any]", again: "bool") -> None:
        self.again = again
        self.outcome = platform.Shared()
        self.callers = 0
        self.given_up = False
        self.task = platform.spawn(self._run(work))

    async def _run(self, work: "Callable[[Start], Any]") -> None:
        try:
            await work(self)
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            self.outcome.settle_soon(None, exc)
        else:
            self.outcome.settle_soon(None)

    def give_up(self, name: "str") -> None:
        """End it now; its thread ends as soon as there is one."""
        self.given_up = True
        error = errors.WorkerDiedError(f"{name} was terminated while it started")
        self.outcome.settle_soon(None, error)
        platform.cancel(self.task)


async def _state(
    setup: "Callable[[Any], Awaitable[Value]]", engine: "Any", seconds: "float"
) -> "Value":
    """What `setup` gives; it is cancelled when its worker, or its time, ends first, which raises
    why.
    """
    outcome = platform.Waiter()

    async def run() -> None:
        try:
            outcome.settle_soon(await setup(engine))
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            outcome.settle_soon(None, exc)

    session = engine._farcall.connection
    session.on_close.append(lambda error: outcome.settle_soon(None, errors.again(error)))
    if session.error is not None:
        raise errors.again(session.error)
    task = platform.spawn(run())
    late = errors.TimeoutError(f"setup took more than {seconds} s")
    timer = platform.Timer(seconds, lambda: outcome.settle_now(None, late))
    try:
        return await outcome
    finally:
        timer.cancel()
        platform.cancel(task)


class Worker:
    """A worker of a PyScript page, started by `await worker.start()`.

    Calls are at-most-once: what was under way when the worker died raises WorkerDiedError and is
    not tried again. A restarted worker starts empty; `setup` makes its state again.

    Args:
        source: URL of its script, relative to the page.
        config: URL of its PyScript configuration, relative to the page; names the interpreter.
        type: "py" (Pyodide) or "mpy" (MicroPython).
        name: for errors; a number is added for each start.
        setup: `async def setup(engine)`, run after every start; its result is `state`.
        restarts: how often it is started again by itself when it died, or its session ended for
            another reason; None for always. A start that fails, or whose worker lives for less
            than STEADY seconds, is tried again after a pause that grows from half a second; the
            eighth that fails in a row is the last, and says so.
        timeout: seconds for a start, and as many for its `setup`; None waits.
        options: of the session, as for `connect`.

    Attributes:
        engine: the proxy of what it serves; None while it is not up.
        state: what `setup` gave.
        starts: how often it was started.
        failure: why it did not start again, or was not up for long; None while it is up.
        changed: called when it is up, and when it is gone for good.
    """

    _last = 0

    def __init__(
        self,
        source: "str",
        *,
        config: "str" = "",
        type: "str" = "py",
        name: "str" = "worker",
        setup: "Callable[[Any], Awaitable[Value]] | None" = None,
        restarts: "int | None" = 0,
        timeout: "float | None" = 60.0,
        **options: "Any",
    ) -> None:
        self.engine: "Any" = None
        self.state: "Value" = None
        self.starts = 0
        self.failure: "BaseException | None" = None
        self.changed: "Callable[[], object]" = lambda: None
        self._start: "Start | None" = None  # under way
        self._thread: "Engine | None" = None  # outlives its session if that fails
        self._failed = 0  # starts by itself since it was up for long, or was started by hand
        self._restarted = 0  # starts by itself since its first
        self._since = 0.0  # when it was up
        self._source = source
        self._config = config
        self._type = type
        self._name = name
        self._setup = setup
        self._restarts = restarts
        self._timeout = platform.seconds(timeout, float("inf"))
        self._options = options

    async def start(self) -> "Worker":
        """Start it, connect, run `setup`; nothing if it is up, and only once at a time.

        Raises:
            WorkerBootError, TimeoutError: as `connect`.
            WorkerDiedError: it was terminated meanwhile.
        """
        if self.engine is not None:
            return self
        start = self._under_way()
        start.callers += 1
        try:
            await start.outcome
        except BaseException as exc:
            last = start.callers == 1 and not start.again and not start.outcome.done
            if last and not platform.is_over(exc):
                self.terminate()  # no other task waits for it
            raise
        finally:
            start.callers -= 1
        return self

    def _under_way(self) -> "Start":
        """The start that is under way, or a new one."""
        if not platform.on_page():
            raise RuntimeError("Worker: only a page can start workers: have it start this one too")
        if self._start is None:
            self._end_thread()
            self._failed = 0
            self._start = Start(self._attempt, False)
        return self._start

    async def _attempt(self, start: "Start") -> None:
        self.starts += 1
        Worker._last += 1
        name = f"{self._name}~{Worker._last}"
        platform.javascript.addWorker(self._type, name, self._source, self._config)
        script = platform.javascript.named(name)
        try:
            engine = await connect(name, timeout=self._timeout, **self._options)
            session = engine._farcall.connection
            state = None
            if self._setup is not None:
                state = await _state(self._setup, engine, self._timeout)
            if start.given_up or session.error is not None:  # by `setup`, or while it ran
                died = errors.WorkerDiedError(f"{self._name} was terminated while it started")
                raise errors.again(session.error or died)
        except BaseException as exc:
            if not platform.is_over(exc):
                abandon(name, script)
            if self._start is start and not start.again and not platform.is_over(exc):
                self._start = None
                self.failure = exc
                self.changed()
            raise
        finally:
            platform.javascript.removeWorker(name)
        thread = self._thread = session.worker
        self.engine, self.state = engine, state
        self._start = self.failure = None
        self._since = platform.clock()
        session.on_close.append(lambda error: self._died(thread, error))
        self.changed()

    def usable(self) -> bool:
        """Whether it is up, or is being started again."""
        return self.engine is not None or self._start is not None

    def _died(self, thread: "Engine", error: "BaseException") -> None:
        """The session of a thread has ended; the thread may still live."""
        if self._thread is not thread:
            return  # it was terminated
        self.engine = self.state = None
        lived = platform.clock() - self._since
        if lived >= STEADY:
            self._failed = 0
        text = f"{self._name} died {int(lived)} s after its start: {error}"
        self.failure = errors.WorkerDiedError(text)
        if self._left():
            self._end_thread()
            self._start = Start(self._again, True)
        self.changed()

    def _left(self) -> bool:
        return self._restarts is None or self._restarted < self._restarts

    async def _again(self, start: "Start") -> None:
        while not start.given_up and self._failed <= len(PAUSES) and self._left():
            self._failed += 1
            self._restarted += 1
            if self._failed > 1:
                await asyncio.sleep(PAUSES[self._failed - 2])
            try:
                await self._attempt(start)
                return
            except Exception as exc:
                self.failure = exc
        if self._start is start:
            self._start = None
            text = f"in {self._failed} attempts, the last: {self.failure!r}"
            platform.report(f"farcall: {self._name} did not start again {text}")
            self.changed()
        raise self.failure or errors.WorkerDiedError(f"{self._name} was terminated")

    def terminate(self) -> None:
        """Kill it for good; pending calls raise WorkerDiedError. Python at work is no obstacle."""
        start, self._start = self._start, None
        if start is not None:
            start.give_up(self._name)
        self.engine = self.state = None
        self._end_thread()
        self.changed()

    async def __aenter__(self) -> "Worker":
        return await self.start()

    async def __aexit__(self, kind: "object", exc: "object", traceback: "object") -> None:
        self.terminate()

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.terminate()

    async def restart(self) -> "Worker":
        """Kill it and start a fresh one: the way out of Python that does not give way.

        The fresh one starts though the task that awaits this is cancelled: a callback that the
        worker called is, with the worker.

        Raises:
            WorkerBootError, TimeoutError, WorkerDiedError: as `start`.
        """
        self.terminate()
        self._under_way().callers += 1  # as if another task waited, too
        return await self.start()
