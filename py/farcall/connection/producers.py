"""The sending side of a stream: items are pushed ahead in batches, within a window of credit.

The consumer grants credit (`pull`), the producer sends that many items without being asked again
(`items`) and `end`, with the exception if there was one. The producer stops when its consumer is
released, collected or closed: leaving an `async for` loop ends the generator on the other side.
"""

from farcall import messages, platform
from farcall.platform import buffers as memory
from farcall.proxies.remote import Remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any

    from farcall.connection.channel import Channel
    from farcall.connection.encoding import Encoding
    from farcall.messages import Wire
    from farcall.proxies.remote import Value

# A generator that computes gives way to messages this often; its items so far are sent.
SLICE = 0.005
WINDOW_BYTES = 256 * 1024


class Streamed:
    """Marks an iterable to be streamed rather than copied or referenced."""

    def __init__(self, source: "Any") -> None:
        self.source = source


def stream(source: "Any") -> "Streamed":
    """Send any iterable as a stream; MicroPython's generators, which look like coroutines, need it.

    Args:
        source: a generator, async generator, iterable or async iterable.
    """
    return Streamed(source)


def is_stream(value: "object") -> bool:
    """Whether a value crosses as a stream; a peer's that is handed on does."""
    if isinstance(value, Remote):
        return value._farcall.flow is not None
    return isinstance(value, Streamed) or type(value).__name__ in platform.GENERATORS


def _resume(source: "Any", name: "str", value: "Value") -> "Any":
    """Take a generator's next step, or that of an iterator, to which nothing can be sent."""
    if value is not None or hasattr(source, name):
        return getattr(source, name)(value)
    return next(source) if name == "send" else source.__anext__()


class Step(platform.Shared):
    """One step of lock-step, or all of a loop, in an async generator: settled when it has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.task = platform.current_task()


class Producer:
    """This side's end of a stream that the peer consumes."""

    def __init__(
        self, channel: "Channel", encoding: "Encoding", number: "int", source: "Any"
    ) -> None:
        self.sent = source  # what the peer has this for
        self.source = source.source if isinstance(source, Streamed) else source
        self._channel = channel
        self._encoding = encoding
        self._number = number
        self._credit = 0
        self._made = 0  # items that were sent, and consumed
        self._consumed: "int | None" = None
        self._heavy: "list[tuple[int, int]]" = []  # which of the others have buffers; their bytes
        self._ahead = 0  # bytes of those
        self._task: "asyncio.Task[Any] | None" = None
        self._running: "Step | None" = None  # of the task
        self._steps: "list[Step]" = []  # of lock-step
        self._busy = False
        self._over = False
        self.taken = False  # by this side: a peer that is gone ends it no more
        self._asynchronous = hasattr(self.source, "__aiter__")
        self._next: "Any" = self.source.__aiter__() if self._asynchronous else iter(self.source)
        self._variables = platform.Variables()  # a generator may set some until it ends

    def pull(self, credit: "int") -> None:
        """The consumer has room for `credit` more."""
        self._credit += credit
        # The first credit is the whole window, later ones are what was consumed.
        self._consumed = 0 if self._consumed is None else self._consumed + credit
        while self._heavy and self._heavy[0][0] <= self._consumed:
            self._ahead -= self._heavy.pop(0)[1]
        if self._busy or self._over:
            return
        self._busy = True
        if self._asynchronous:
            self._task = platform.spawn(self._variables.wait(self._run()))
        else:
            self._variables.run(self._slice)

    def _slice(self) -> None:
        """Send what a sync source gives within SLICE seconds, then give way."""
        if self._over:
            return
        end = platform.clock() + SLICE
        items: "list[Wire]" = []
        error: "BaseException | None" = None
        item: "Any" = None
        try:
            while self._credit > len(items) and self._has_room() and platform.clock() < end:
                item = next(self._next, self)  # itself for the end: encoding may raise any error
                if item is self:
                    break
                items.append(self._encoded(item))
        except BaseException as exc:
            error = exc
        self._send(items)
        if item is self or error is not None:
            self._end(error)
            return
        self._busy = self._credit > 0 and self._has_room()
        if self._busy:
            platform.Timer(0, lambda: self._variables.run(self._slice))

    async def _run(self) -> None:
        self._running = Step()
        try:
            await self._left()
            # A generator that swallows the cancellation by `aclose` goes on to its next item.
            while self._credit > 0 and self._has_room() and not self._over:
                try:
                    item = await self._next.__anext__()
                except StopAsyncIteration:
                    self._end(None)
                    break
                if not self._over:  # else it was closed as the item came
                    self._send([self._encoded(item)])
        except BaseException as exc:  # when `aclose` cancels this, the stream is over already
            if self._over or platform.is_over(exc):
                raise
            self._end(exc)
        finally:
            self._busy = False
            self._task = None
            running, self._running = self._running, None
            if running is not None:
                running.settle_soon(None)

    def _has_room(self) -> bool:
        """Whether the consumer has not too many bytes ahead; one item may be any size."""
        return self._ahead < self._channel.most["window_bytes"]

    def _encoded(self, value: "Value") -> "Wire":
        buffers = self._channel.buffers
        mark = len(buffers)
        wire = self._encoding.item(value)
        self._made += 1
        if len(buffers) > mark:
            size = memory.total(buffers[mark:])
            self._heavy.append((self._made, size))
            self._ahead += size
        return wire

    def _send(self, items: "list[Wire]") -> None:
        self._credit -= len(items)
        if items and not self._over:
            self._channel.send([messages.ITEMS, self._number, items])

    def _end(self, exc: "BaseException | None") -> None:
        if self._over:
            return
        wire = None if exc is None else self._encoding.codec.encode_exception(exc)
        self._channel.send([messages.END, self._number, wire])
        if exc is None:
            self._over = True
        else:  # an item that cannot cross, maybe: the generator waits for the next
            self.stop()

    async def asend(self, value: "Value") -> "Any":
        """Lock-step: resume a generator with a value, give the next item."""
        return await self._resumed("send", value)

    async def athrow(self, exc: "BaseException") -> "Any":
        """Lock-step: raise in the generator, give its next item."""
        # Of these two `errors` makes other classes; here they are the generator's to catch.
        ends = {"StopIteration": StopIteration, "StopAsyncIteration": StopAsyncIteration}
        end = ends.get(type(exc).__name__)
        return await self._resumed("throw", exc if end is None else end(*exc.args))

    async def _resumed(self, name: "str", value: "Value") -> "Any":
        """What the generator gives next; `_stopped` waits for that."""
        await self._left()
        step = Step()
        self._steps.append(step)
        end = StopAsyncIteration if self._asynchronous else StopIteration
        try:
            if self._asynchronous:
                return await self._variables.wait(_resume(self._next, "a" + name, value))
            return self._variables.run(_resume, self._next, name, value)
        except end:  # `pull` finds it again, and says so
            raise StopAsyncIteration from None
        except Exception as exc:
            if type(exc).__name__ == "StopAsyncIteration":
                raise RuntimeError("generator raised StopAsyncIteration") from exc
            raise
        finally:
            self._steps.remove(step)
            step.settle_soon(None)

    async def _left(self) -> None:
        """Wait for steps that were cancelled: their callers are gone, and may go on at once, while
        the generator runs until its `finally` has ended."""
        for step in list(self._steps):
            if platform.being_cancelled(step.task):
                await step

    async def aclose(self) -> None:
        """End the generator; returns when its `finally` has run."""
        await self._left()
        self._over = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        if self._running is not None:  # a generator that runs cannot be closed
            await self._running
        if not self._asynchronous:
            self._close()
        elif hasattr(self._next, "aclose"):
            await self._variables.wait(self._next.aclose())

    def stop(self) -> None:
        """The consumer is gone, or an item could not be sent."""
        over, self._over = self._over, True
        if over or self.taken:
            return
        if self._asynchronous:
            platform.spawn(self._stopped())
            return
        try:
            self._close()
        except BaseException as exc:
            self._channel.complain(exc, "of a stream that was closed")

    def _close(self) -> None:
        """Close a generator; any other iterator, as a file, is as usable as before."""
        if type(self._next).__name__ == "generator":
            self._variables.run(self._next.close)

    async def _stopped(self) -> None:
        try:
            while self._steps:
                await self._steps[0]
            await self.aclose()
        except platform.CancelledError:
            return
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            self._channel.complain(exc, "of a stream that was closed")
