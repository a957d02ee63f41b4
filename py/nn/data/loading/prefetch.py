"""Prefetching: prepares the next batches while the current one trains.

Batches that are awaited (a fetch, IndexedDB, another worker) load while a step computes. Batches
that are computed can overlap with training only in a second thread: CPython draws plain generators
and arrays in one. A Pyodide worker has no threads and draws them on demand, as without prefetching.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import numpy as np

from nn.data.source import ArraySource, Batch, each
from nn.errors import ConfigError

THREADS = sys.platform != "emscripten"
_END: Any = object()


class Prefetched:
    """A source that prepares up to `size` batches of another source ahead.

    The batches, their order and their errors are those of `source`.
    """

    def __init__(self, source: Any, size: int) -> None:
        if size < 1:
            raise ConfigError(f"prefetch: expected 1 batch or more, received {size}")
        self.source = source
        self.size = size
        self.repeats = source.repeats
        self.get_state, self.set_state = source.get_state, source.set_state
        self.goes_on, self.restart = source.goes_on, source.restart
        if isinstance(source, ArraySource):
            source.depth = size + 1

    @property
    def steps(self) -> int | None:
        steps: int | None = self.source.steps
        return steps

    async def batches(
        self, rng: np.random.Generator | None, skip: int = 0, before: int = 0
    ) -> AsyncIterator[Batch]:
        """Yield the batches of an epoch; closing the generator stops the preparation."""
        async with AsyncExitStack() as stack:
            drawn = self._drawn(stack, rng, skip, before)
            if THREADS or self.source.awaits():
                line = _Line(drawn, self.size)
                stack.push_async_callback(line.close)
                drawn = line.batches()
            async for batch in await stack.enter_async_context(aclosing(each(drawn))):
                yield batch

    def _drawn(self, stack: AsyncExitStack, *arguments: Any) -> Any:
        """Return the source's batches, drawn in a thread if they are computed and threads exist."""
        if self.source.awaits() or not THREADS:
            return self.source.batches(*arguments)
        draw = self._thread(stack)
        if isinstance(self.source, ArraySource):
            return _in_thread(self.source.batches(*arguments), draw)
        return self.source.batches(*arguments, draw)

    @staticmethod
    def _thread(stack: AsyncExitStack) -> Any:
        from concurrent.futures import ThreadPoolExecutor

        executor = stack.enter_context(ThreadPoolExecutor(1, "nn prefetch"))
        loop = asyncio.get_running_loop()
        return lambda function, *arguments: loop.run_in_executor(executor, function, *arguments)


async def _in_thread(batches: Any, draw: Any) -> AsyncIterator[Batch]:
    while (batch := await draw(next, batches, _END)) is not _END:
        yield batch


class _Line:
    """A queue of prepared batches and the task that fills it."""

    def __init__(self, source: Any, size: int) -> None:
        self._source = source
        self._room = asyncio.Semaphore(size)
        self._waiting: asyncio.Queue[Any] = asyncio.Queue()
        self._task = asyncio.ensure_future(self._fill())

    async def _fill(self) -> None:
        try:
            async with aclosing(each(self._source)) as batches:
                await self._room.acquire()
                async for batch in batches:
                    self._waiting.put_nowait(batch)
                    await self._room.acquire()
            self._waiting.put_nowait(_END)
        except Exception as error:
            self._waiting.put_nowait(error)

    async def batches(self) -> AsyncIterator[Batch]:
        while True:
            batch = await self._waiting.get()
            if batch is _END:
                return
            if isinstance(batch, Exception):
                raise batch
            self._room.release()
            yield batch

    async def close(self) -> None:
        """Stop preparing batches and wait for the task to end."""
        self._task.cancel()
        await asyncio.wait([self._task])
