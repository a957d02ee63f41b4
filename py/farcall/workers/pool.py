"""Workers started from Python, restarted when they die, and pools of them.

worker = await farcall.Worker("./worker.py", config="./worker.toml").start()
print(await worker.engine.add(1, 2))

pool = await farcall.Pool(2, "./worker.py", config="./worker.toml").start()
print(await pool.map(lambda engine, x: engine.square(x), range(10)))
"""

from farcall import errors, platform
from farcall.workers.page import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
    from typing import Any

    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Value
    from farcall.workers.page import Engine

    Work = Callable[..., Awaitable[Value]]  # of a worker's engine, and more


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
            another reason; None for always.
        timeout: seconds for a start.
        options: of the session, as for `connect`.

    Attributes:
        engine: the proxy of what it serves; None while it is not up.
        state: what `setup` gave.
        starts: how often it was started.
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
        timeout: "float" = 60.0,
        **options: "Any",
    ) -> None:
        self.engine: "Any" = None
        self.state: "Value" = None
        self.starts = 0
        self.task: "asyncio.Task[None] | None" = None
        self._behind: "list[platform.Waiter] | None" = None  # who waits for a restart under way
        self._thread: "Engine | None" = None  # outlives its session if that fails
        self._source = source
        self._config = config
        self._type = type
        self._name = name
        self._setup = setup
        self._restarts = restarts
        self._timeout = timeout
        self._options = options
        self._stopped = False

    async def start(self) -> "Worker":
        """Start it, connect, run `setup`.

        Raises:
            WorkerBootError, TimeoutError: as `connect`.
        """
        if not platform.on_page():
            raise RuntimeError("Worker: only a page can start workers: have it start this one too")
        self._stopped = False
        self.starts += 1
        Worker._last += 1
        name = f"{self._name}~{Worker._last}"
        platform.javascript.addWorker(self._type, name, self._source, self._config)
        try:
            engine = await connect(name, timeout=self._timeout, **self._options)
        except Exception:
            _kill(platform.javascript.named(name))
            raise
        finally:
            platform.javascript.removeWorker(name)
        session = engine._farcall.connection
        self._thread = session.worker
        try:
            if self._stopped:
                raise errors.WorkerDiedError(f"{self._name} was terminated while it started")
            if self._setup is not None:
                self.state = await self._setup(engine)
        except BaseException:
            self._end_thread()
            raise
        self.engine = engine
        session.on_close.append(self._died)
        if session.error is not None:  # while `setup` ran
            self._died(session.error)
        return self

    def usable(self) -> bool:
        """Whether it is up, or is being started again."""
        return self.engine is not None or self._behind is not None

    async def up(self) -> "Any":
        """The engine, after a restart that is under way; None if there is none."""
        if self.engine is None and self._behind is not None:
            waiter = platform.Waiter()
            self._behind.append(waiter)
            await waiter
        return self.engine

    def _died(self, error: "BaseException") -> None:
        """Its session has ended; its thread may still live."""
        self.engine = self.state = None
        left = self._restarts is None or self.starts <= self._restarts
        if left and not self._stopped:
            self._end_thread()
            self._behind = []
            self.task = platform.spawn(self._again())

    async def _again(self) -> None:
        try:
            await self.start()
        except Exception as exc:
            platform.report(f"farcall: {self._name} did not start again: {exc!r}")
        finally:
            behind, self._behind = self._behind or [], None
            for waiter in behind:
                waiter.settle_soon(None)

    def terminate(self) -> None:
        """Kill it for good; pending calls raise WorkerDiedError. Python at work is no obstacle."""
        self._stopped = True
        self._end_thread()

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.terminate()

    async def restart(self) -> "Worker":
        """Kill it and start a fresh one: the way out of Python that does not give way."""
        self.terminate()
        return await self.start()


def _kill(script: "JavaScript") -> None:
    """End the thread of a worker that did not start, if it has one by now."""
    if hasattr(script, "xworker") and script.xworker:
        script.xworker.terminate()


class Pool:
    """`size` workers of one kind; work goes to the one with the least to do.

    A worker whose session ends, for whatever reason, is replaced; what it was at raises the error.

    Args:
        size: how many.
        source: URL of their script.
        options: of each Worker.
    """

    def __init__(self, size: "int", source: "str", **options: "Any") -> None:
        if size < 1:
            raise ValueError(f"Pool: expected at least one worker, received {size}")
        options.setdefault("restarts", None)
        options.setdefault("name", "pool")
        self.workers = [Worker(source, **options) for _ in range(size)]
        self._loads = [0] * size
        self._homes: "dict[object, int]" = {}

    async def start(self) -> "Pool":
        """Start them all, one after the other: each takes a core while it starts."""
        for worker in self.workers:
            await worker.start()
        return self

    def terminate(self) -> None:
        """Kill them all."""
        for worker in self.workers:
            worker.terminate()

    async def run(
        self, function: "Work", *args: "Value", affinity: "Hashable | None" = None
    ) -> "Value":
        """`await function(engine, *args)` on the least loaded worker.

        Args:
            function: takes a worker's engine first: `lambda engine, x: engine.work(x)`.
            args: passed on.
            affinity: a hashable: the same worker for the same value, as long as it lives.
        """
        while True:
            index = self._pick(affinity)
            self._loads[index] += 1
            try:
                engine = await self.workers[index].up()
                if engine is not None:
                    return await function(engine, *args)
            finally:
                self._loads[index] -= 1

    def _pick(self, affinity: "Hashable | None") -> int:
        home = self._homes.get(affinity)
        if home is not None and self.workers[home].usable():
            return home
        usable = [i for i, worker in enumerate(self.workers) if worker.usable()]
        if not usable:
            raise errors.WorkerDiedError("all workers of the pool are gone and did not start again")
        index = min(usable, key=lambda i: self._loads[i])
        if affinity is not None:
            self._homes[affinity] = index
        return index

    async def map(self, function: "Work", items: "Iterable[Value]") -> "list[Value]":
        """Results of function(engine, item) for all items, in their order."""
        tasks = [platform.spawn(self.run(function, item)) for item in items]
        results = []
        try:
            for task in tasks:
                results.append(await task)  # noqa: PERF401 - no async comprehensions there
        except BaseException:
            await _ended(tasks)
            raise
        return results

    def imap(self, function: "Work", items: "Iterable[Value]", ahead: "int" = 0) -> "Imap":
        """As `map`, results as they come, in their order; at most `ahead` items started early."""
        return Imap(self, function, iter(items), ahead or 2 * len(self.workers))


async def _ended(tasks: "list[asyncio.Task[Value]]") -> None:
    """Cancel the tasks and retrieve their exceptions; only the first is raised."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        try:
            await task
        except BaseException:
            continue


class Imap:
    """Async iterator over results in order."""

    def __init__(
        self, pool: "Pool", function: "Work", items: "Iterator[Value]", ahead: "int"
    ) -> None:
        self._pool = pool
        self._function = function
        self._items = items
        self._ahead = ahead
        self._tasks: "list[asyncio.Task[Value]]" = []

    def __aiter__(self) -> "Imap":
        return self

    async def __anext__(self) -> "Value":
        self._fill()
        if not self._tasks:
            raise StopAsyncIteration
        return await self._tasks.pop(0)

    def _fill(self) -> None:
        while len(self._tasks) < self._ahead:
            try:
                item = next(self._items)
            except StopIteration:
                return
            self._tasks.append(platform.spawn(self._pool.run(self._function, item)))
