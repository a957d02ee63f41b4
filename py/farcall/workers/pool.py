"""Pools of workers.

pool = await farcall.Pool(2, "./worker.py", config="./worker.toml").start()
print(await pool.map(lambda engine, x: engine.square(x), range(10)))
"""

import collections

from farcall import errors, platform
from farcall.workers.started import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
    from typing import Any

    from farcall.proxies.remote import Value

    Work = Callable[..., Awaitable[Value]]  # of a worker's engine, and more

AFFINITIES = 1_000
"""Values of `affinity` whose worker a pool remembers: those that were used last."""


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
        self._homes: "dict[object, int]" = collections.OrderedDict()

    async def start(self) -> "Pool":
        """Start them all, one after the other: each takes a core while it starts.

        If one does not start, or this is cancelled, none is left.
        """
        try:
            for worker in self.workers:
                await worker.start()
        except BaseException as exc:
            if not platform.is_over(exc):
                self.terminate()
            raise
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
            affinity: a hashable: the same worker for the same value, as long as it lives and
                fewer than AFFINITIES others were used since.
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
        home = None if affinity is None else self._homes.pop(affinity, None)
        if home is None or not self.workers[home].usable():
            home = self._least()
        if affinity is not None:
            self._homes[affinity] = home
            if len(self._homes) > AFFINITIES:
                del self._homes[next(iter(self._homes))]
        return home

    def _least(self) -> int:
        """The worker with the least to do; one that is not up yet only if none is."""
        some = [i for i, worker in enumerate(self.workers) if worker.engine is not None]
        some = some or [i for i, worker in enumerate(self.workers) if worker.usable()]
        if not some:
            why = [f": {w.failure!r}" for w in self.workers if w.failure is not None]
            raise errors.WorkerDiedError(
                "all workers of the pool are gone and did not start again" + "".join(why[:1])
            )
        return min(some, key=lambda i: self._loads[i])

    async def map(
        self, function: "Work", items: "Iterable[Value]", ahead: "int" = 0
    ) -> "list[Value]":
        """Results of function(engine, item) for all items, in their order.

        The first error ends it: calls under way are cancelled, and no other begins.

        Args:
            function: as for `run`.
            items: taken one by one, as workers become free.
            ahead: how many are under way at most; 0 for two a worker. More helps functions that
                wait for something else than the worker's Python.
        """
        return await Map(self, function, items).results(self._ahead("map", ahead))

    def imap(self, function: "Work", items: "Iterable[Value]", ahead: "int" = 0) -> "Imap":
        """As `map`, results as they come, in their order; at most `ahead` items started early."""
        return Imap(self, function, iter(items), self._ahead("imap", ahead))

    def _ahead(self, what: "str", ahead: "int") -> int:
        if not isinstance(ahead, int) or ahead < 0:
            raise ValueError(
                f"{what}: expected ahead of at least 1, or 0 for two items a worker, "
                f"received {ahead!r}"
            )
        return ahead or 2 * len(self.workers)


class Map:
    """One `map`: each of its tasks takes the next item when its last one is done."""

    def __init__(self, pool: "Pool", function: "Work", items: "Iterable[Value]") -> None:
        self._pool = pool
        self._function = function
        self._items = enumerate(items)
        self._found: "dict[int, Value]" = {}
        self._over = platform.Waiter()
        self._running = 0

    async def results(self, width: "int") -> "list[Value]":
        """All results, by `width` tasks; raises the first error."""
        self._running = width
        tasks = [platform.spawn(self._work()) for _ in range(width)]
        try:
            await self._over
        finally:
            for task in tasks:
                task.cancel()
        return [self._found[n] for n in range(len(self._found))]

    async def _work(self) -> None:
        try:
            while not self._over.done:
                try:
                    number, item = next(self._items)
                except StopIteration:
                    break
                self._found[number] = await self._pool.run(self._function, item)
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            self._over.settle_soon(None, exc)
        self._running -= 1
        if not self._running:
            self._over.settle_soon(None)


class Imap:
    """Async iterator over results in order; `aclose()` cancels what was started early.

    So does an error, and on CPython and Pyodide the end of the loop.
    """

    def __init__(
        self, pool: "Pool", function: "Work", items: "Iterator[Value]", ahead: "int"
    ) -> None:
        self._pool = pool
        self._function = function
        self._items: "Iterator[Value] | None" = items
        self._ahead = ahead
        self._tasks: "list[asyncio.Task[tuple[Value, BaseException | None]]]" = []
        self._failure: "BaseException | None" = None  # of the iterable: after the items before it

    def __aiter__(self) -> "Imap":
        return self

    async def __anext__(self) -> "Value":
        self._fill()
        if not self._tasks:
            failure, self._failure = self._failure, None
            raise failure or StopAsyncIteration
        try:
            value, error = await self._tasks.pop(0)
        except BaseException:
            self._stop()
            raise
        if error is not None:
            self._stop()
            raise error
        return value

    def _fill(self) -> None:
        while self._items is not None and len(self._tasks) < self._ahead:
            try:
                item = next(self._items)
            except StopIteration:
                self._items = None
            except Exception as exc:
                self._items, self._failure = None, exc
            else:
                self._tasks.append(platform.spawn(_outcome(self._pool.run(self._function, item))))

    def _stop(self) -> None:
        self._items = self._failure = None
        for task in self._tasks:
            platform.cancel(task)
        self._tasks = []

    async def aclose(self) -> None:
        """Cancel what was started early; nothing more comes."""
        self._stop()

    def __del__(self) -> None:
        try:
            self._stop()
        except RuntimeError:  # its event loop is closed
            return


async def _outcome(job: "Any") -> "tuple[Value, BaseException | None]":
    """A job's result or error: one that no task takes is no complaint of the event loop's."""
    try:
        return await job, None
    except Exception as exc:
        return None, exc
