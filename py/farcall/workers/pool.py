"""Pools of workers."""

import collections

from farcall import errors, platform
from farcall.workers.rooms import Rooms
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
HELD = 1_000
"""Items that an imap starts behind the one that its loop waits for, if `ahead` is no more."""


class Pool:
    """`size` workers of one kind; work goes to the one with the least to do.

    A worker whose session ends, for whatever reason, is replaced; what it was at raises the error.

    Args:
        size: how many.
        source: URL of their script.
        concurrency: how many jobs a worker is given at once; the others wait here, in their order.
            Of the jobs that its jobs run on this pool it is given as many more, and so on.
            The second of two is there when the first ends. One is better for jobs of which some
            take long, more for those that wait for something else than the worker's Python.
        options: of each Worker.
    """

    def __init__(
        self, size: "int", source: "str", *, concurrency: "int" = 2, **options: "Any"
    ) -> None:
        if size < 1:
            raise ValueError(f"Pool: expected at least one worker, received {size}")
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ValueError(f"Pool: expected concurrency of at least 1, received {concurrency!r}")
        options.setdefault("restarts", None)
        options.setdefault("name", "pool")
        self.workers = [Worker(source, **options) for _ in range(size)]
        for worker in self.workers:
            worker.changed = self._changed
        self._concurrency = concurrency
        # Jobs of the page, jobs of those, and so on: with room of their own, none waits for itself.
        self._rooms = [Rooms(self.workers)]
        self._depths: "dict[object, int]" = {}  # of the jobs under way, by the marks of their tasks
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

    async def __aenter__(self) -> "Pool":
        return await self.start()

    async def __aexit__(self, kind: "object", exc: "object", traceback: "object") -> None:
        self.terminate()

    async def run(
        self, function: "Work", *args: "Value", affinity: "Hashable | None" = None
    ) -> "Value":
        """`await function(engine, *args)` on the least loaded worker, once one has room.

        Args:
            function: takes a worker's engine first: `lambda engine, x: engine.work(x)`.
            args: passed on.
            affinity: a hashable: the same worker for the same value, as long as it lives and
                fewer than AFFINITIES others were used since.
        """
        return await self._job(self._concurrency, function, args, affinity)

    async def _job(
        self,
        most: "int",
        function: "Work",
        args: "tuple[Value, ...]",
        affinity: "Hashable | None" = None,
    ) -> "Value":
        rooms = self._room()
        number = rooms.number()
        while True:
            index = await rooms.turn(number, most, self._home(affinity, rooms))
            if index is None:
                continue
            try:
                engine = self.workers[index].engine
                if engine is not None:  # else it has died since its turn came
                    return await self._begin(rooms.depth, function, engine, args)
            finally:
                rooms.leave(index)

    async def _begin(
        self, depth: "int", function: "Work", engine: "Any", args: "tuple[Value, ...]"
    ) -> "Value":
        before, mark = platform.marks(), object()
        self._depths[mark] = depth
        platform.set_marks(before + (mark,))
        try:
            return await function(engine, *args)
        finally:
            platform.set_marks(before)
            del self._depths[mark]

    def _room(self) -> "Rooms":
        """Where a job waits: each job of a job is one deeper than what it is a job of."""
        depth = 1 + max([self._depths.get(mark, -1) for mark in platform.marks()] + [-1])
        if depth == len(self._rooms):
            self._rooms.append(Rooms(self.workers, depth))
        return self._rooms[depth]

    def _home(self, affinity: "Hashable | None", rooms: "Rooms") -> int:
        """The place of the worker for an affinity; -1, for any, without one.

        Raises:
            WorkerDiedError: no worker is up or will be.
        """
        usable = [i for i, worker in enumerate(self.workers) if worker.usable()]
        if not usable:
            raise self._gone()
        if affinity is None:
            return -1
        home = self._homes.pop(affinity, None)
        if home not in usable:
            up = [i for i in usable if self.workers[i].engine is not None]
            home = min(up or usable, key=rooms.demand)
        self._homes[affinity] = home
        if len(self._homes) > AFFINITIES:
            del self._homes[next(iter(self._homes))]
        return home

    def _gone(self) -> "errors.WorkerDiedError":
        why = [f": {w.failure!r}" for w in self.workers if w.failure is not None]
        return errors.WorkerDiedError(
            "all workers of the pool are gone and did not start again" + "".join(why[:1])
        )

    def _changed(self) -> None:
        """A worker has come or gone: who waits for one that is gone looks for another."""
        for rooms in self._rooms:
            rooms.changed()

    async def map(
        self, function: "Work", items: "Iterable[Value]", ahead: "int" = 0
    ) -> "list[Value]":
        """Results of function(engine, item) for all items, in their order.

        The first error ends it: calls under way are cancelled, and no other begins.

        Args:
            function: as for `run`.
            items: taken one by one, as workers become free.
            ahead: how many are under way at most; 0 for the pool's concurrency a worker. More
                helps functions that wait for something else than the worker's Python.
        """
        return await Map(self, function, items).results(self._ahead("map", ahead))

    def imap(self, function: "Work", items: "Iterable[Value]", ahead: "int" = 0) -> "Imap":
        """As `map`, results as they come, in their order.

        At most `ahead` items are started early. While the loop waits for an item that takes long,
        the workers go on: up to HELD results wait behind it.
        """
        return Imap(self, function, iter(items), self._ahead("imap", ahead))

    def _ahead(self, what: "str", ahead: "int") -> int:
        if not isinstance(ahead, int) or ahead < 0:
            raise ValueError(
                f"{what}: expected ahead of at least 1, or 0 for the pool's concurrency a worker, "
                f"received {ahead!r}"
            )
        return ahead or self._concurrency * len(self.workers)

    async def _item(self, ahead: "int", function: "Work", item: "Value") -> "Value":
        """One job of those of which `ahead` may be under way: each worker takes its share."""
        share = (ahead + len(self.workers) - 1) // len(self.workers)
        return await self._job(max(self._concurrency, share), function, (item,))


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
        tasks = [platform.spawn(self._work(width)) for _ in range(width)]
        try:
            await self._over
        finally:
            for task in tasks:
                task.cancel()
        return [self._found[n] for n in range(len(self._found))]

    async def _work(self, width: "int") -> None:
        try:
            while not self._over.done:
                try:
                    number, item = next(self._items)
                except StopIteration:
                    break
                self._found[number] = await self._pool._item(width, self._function, item)
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            self._over.settle_soon(None, exc)
        self._running -= 1
        if not self._running:
            self._over.settle_soon(None)


class Going:
    """What an imap and its jobs share: jobs that knew the imap would keep it from its end.

    Attributes:
        jobs: how many are under way.
        more: of each task that waits for a result, what starts more.
    """

    def __init__(self) -> None:
        self.jobs = 0
        self.more: "list[Callable[[], object]]" = []


class Imap:
    """Async iterator over results in order; `aclose()` cancels what was started early.

    So does the end of an `async with` over it, an error, and on CPython and Pyodide the end of the
    loop: MicroPython runs nothing when an object is collected.
    """

    def __init__(
        self, pool: "Pool", function: "Work", items: "Iterator[Value]", ahead: "int"
    ) -> None:
        self._pool = pool
        self._function = function
        self._items: "Iterator[Value] | None" = items
        self._ahead = ahead
        self._tasks: "list[asyncio.Task[tuple[Value, BaseException | None]]]" = []
        self._going = Going()
        self._failure: "BaseException | None" = None  # of the iterable: after the items before it

    def __aiter__(self) -> "Imap":
        return self

    async def __anext__(self) -> "Value":
        self._fill()
        if not self._tasks:
            failure, self._failure = self._failure, None
            raise failure or StopAsyncIteration
        first = self._tasks.pop(0)
        self._going.more.append(self._go_on)
        self._go_on()
        try:
            value, error = await first
        except BaseException:
            self._stop()
            raise
        finally:
            self._going.more.pop()
        if error is not None:
            self._stop()
            raise error
        return value

    def _fill(self) -> None:
        while len(self._tasks) < self._ahead and self._begin():
            pass

    def _go_on(self) -> None:
        """Keep `ahead` jobs under way while the loop waits."""
        most = max(self._ahead, HELD)
        while self._going.jobs < self._ahead and len(self._tasks) < most and self._begin():
            pass

    def _begin(self) -> bool:
        """Start the next item; False if there is none."""
        if self._items is None:
            return False
        try:
            item = next(self._items)
        except Exception as exc:
            self._items = None
            self._failure = None if isinstance(exc, StopIteration) else exc
            return False
        self._going.jobs += 1
        job = _outcome(self._going, self._pool, self._ahead, self._function, item)
        self._tasks.append(platform.spawn(job))
        return True

    def _stop(self) -> None:
        self._items = self._failure = None
        for task in self._tasks:
            platform.cancel(task)
        self._tasks = []

    async def aclose(self) -> None:
        """Cancel what was started early; nothing more comes."""
        self._stop()

    async def __aenter__(self) -> "Imap":
        return self

    async def __aexit__(self, kind: "object", exc: "object", traceback: "object") -> None:
        self._stop()

    def __del__(self) -> None:
        try:
            self._stop()
        except RuntimeError:  # its event loop is closed
            return


async def _outcome(
    going: "Going", pool: "Pool", ahead: "int", function: "Work", item: "Value"
) -> "tuple[Value, BaseException | None]":
    """A job's result or error: one that no task takes is no complaint of the event loop's."""
    try:
        return await pool._item(ahead, function, item), None
    except Exception as exc:
        return None, exc
    finally:
        going.jobs -= 1
        if going.more:
            going.more[-1]()
