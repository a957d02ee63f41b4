"""Generators and iterables across the wire: pushed ahead in batches, within a credit window.

The consumer grants credit (`pull`), the producer sends that many items without being asked again
(`items`) and `end`, with the exception if there was one. Half a window consumed grants the half
anew, so that items are always on their way. The producer stops when its consumer is released,
collected or closed: leaving an `async for` loop ends the generator on the other side.

asend and athrow need lock-step: use them before or instead of `async for`, not in between.
"""

from farcall import errors, messages, platform
from farcall.proxies import remote
from farcall.values.registered import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WINDOW = 256
# A generator that computes gives way to messages this often; its items so far are sent.
SLICE = 0.005
_GENERATORS = ("generator", "async_generator")


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


def is_stream(value: "Any") -> bool:
    """Whether a value crosses as a stream."""
    if isinstance(value, Streamed):
        return True
    return not platform.MICROPYTHON and type(value).__name__ in _GENERATORS


class Producer:
    """This side's end of a stream that the peer consumes."""

    def __init__(self, session: "Any", number: "int", source: "Any") -> None:
        self.source = source.source if isinstance(source, Streamed) else source
        self._session = session
        self._number = number
        self._credit = 0
        self._task: "Any" = None
        self._running: "Any" = None  # settled when the task has ended
        self._busy = False
        self._over = False
        asynchronous = hasattr(self.source, "__aiter__")
        self._next = self._iterator(asynchronous)
        self._asynchronous = asynchronous

    def _iterator(self, asynchronous: "bool") -> "Any":
        return self.source.__aiter__() if asynchronous else iter(self.source)

    def pull(self, credit: "int") -> None:
        """The consumer has room for `credit` more."""
        self._credit += credit
        if self._busy or self._over:
            return
        self._busy = True
        if self._asynchronous:
            self._task = platform.spawn(self._run())
        else:
            self._slice()

    def _slice(self) -> None:
        """Send what a sync source gives within SLICE seconds, then give way."""
        if self._over:
            return
        end = platform.clock() + SLICE
        items: "list[Any]" = []
        encode = self._session.codec.encode
        try:
            while self._credit > len(items) and platform.clock() < end:
                items.append(encode(next(self._next)))
        except StopIteration:
            self._send(items)
            self._end(None)
            return
        except Exception as exc:
            self._send(items)
            self._end(exc)
            return
        self._send(items)
        self._busy = self._credit > 0
        if self._busy:
            platform.Timer(0, self._slice)

    async def _run(self) -> None:
        self._running = platform.Waiter()
        try:
            while self._credit > 0:
                item = await self._next.__anext__()
                self._send([self._session.codec.encode(item)])
        except StopAsyncIteration:
            self._end(None)
        except platform.CancelledError:
            raise
        except Exception as exc:
            self._end(exc)
        finally:
            self._busy = False
            self._task = None
            running, self._running = self._running, None
            running.settle_soon(None)

    def _send(self, items: "list[Any]") -> None:
        self._credit -= len(items)
        if items and not self._over:
            self._session.send([messages.ITEMS, self._number, items])

    def _end(self, exc: "Exception | None") -> None:
        if self._over:
            return
        self._over = True
        wire = None if exc is None else self._session.codec.encode_exception(exc)
        self._session.send([messages.END, self._number, wire])

    async def asend(self, value: "Any") -> "Any":
        """Lock-step: resume the generator with a value, give its next item."""
        if self._asynchronous:
            return await self._next.asend(value)
        return self._step(self._next.send, value)

    async def athrow(self, exc: "Any") -> "Any":
        """Lock-step: raise in the generator, give its next item."""
        if self._asynchronous:
            return await self._next.athrow(exc)
        return self._step(self._next.throw, exc)

    def _step(self, method: "Any", value: "Any") -> "Any":
        try:
            return method(value)
        except StopIteration:
            self._over = True
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """End the generator; returns when its `finally` has run."""
        self._over = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        if self._running is not None:  # a generator that runs cannot be closed
            await self._running
        closing = getattr(self._next, "aclose", None) or getattr(self._next, "close", None)
        result = closing() if closing else None
        if result is not None and platform.is_awaitable(result):
            await result

    def stop(self) -> None:
        """The consumer is gone."""
        if self._over:
            return
        self._over = True
        if self._asynchronous:
            platform.spawn(self._stopped())
        elif hasattr(self._next, "close"):
            self._close()

    def _close(self) -> None:
        try:
            self._next.close()
        except Exception as exc:
            self._session.complain(exc, "of a stream that was closed")

    async def _stopped(self) -> None:
        try:
            await self.aclose()
        except platform.CancelledError:
            return
        except Exception as exc:
            self._session.complain(exc, "of a stream that was closed")


class Stream(remote.Remote):
    """This side's end of a stream that the peer produces: an async iterator."""

    __slots__ = ()

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> "Any":
        flow = self._farcall.flow
        if flow.at < len(flow.items):
            item = flow.items[flow.at]
            flow.at += 1
            flow.taken += 1
            return item
        return await flow.next()

    async def asend(self, value: "Any") -> "Any":
        """Resume the remote generator with `value`; its next item."""
        self._farcall.flow.lock_step()
        return await self._farcall.session.calls.operate(self, "asend", (value,))

    async def athrow(self, exc: "Any") -> "Any":
        """Raise `exc` in the remote generator; its next item."""
        self._farcall.flow.lock_step()
        return await self._farcall.session.calls.operate(self, "athrow", (exc,))

    async def aclose(self) -> None:
        """End the remote generator, and return when its `finally` has run."""
        ref = self._farcall
        if ref.released or ref.session.error is not None:
            return
        await ref.session.calls.operate(self, "aclose", ())
        ref.session.tables.release(ref)

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, kind: "Any", exc: "Any", traceback: "Any") -> None:
        await self.aclose()


class Flow:
    """Items that have come, and credit that was granted."""

    def __init__(self, session: "Any", number: "int", window: "int") -> None:
        self._session = session
        self._number = number
        self._window = window
        self._granted = 0
        self.items: "list[Any]" = []
        self.at = 0
        self.taken = 0
        self._over = False
        self._error: "Any" = None
        self._waiter: "Any" = None

    async def next(self) -> "Any":
        """The next item, when the batch at hand is used up."""
        while self.at >= len(self.items):
            if self._over:
                self._finish()
            self._grant()
            await self._more()
        self.at += 1
        self.taken += 1
        return self.items[self.at - 1]

    async def _more(self) -> None:
        """Wait for what comes next; the session holds the waiter, and with it the task.

        The proxy is held weakly, to be released when nobody wants it. A task that waits does, but
        no one else may hold it (event loops do not): it was collected in the middle of its loop.
        """
        waiter = self._waiter = platform.Waiter()
        awaited = self._session.streams.awaited
        awaited[self._number] = waiter
        timer = self._timer(waiter)
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()
            if awaited.get(self._number) is waiter:
                del awaited[self._number]

    def _timer(self, waiter: "Any") -> "Any":
        """Each wait for items may take as long as a call, where calls have a time-out."""
        seconds = self._session.timeout
        if seconds is None:
            return None
        error = errors.TimeoutError(f"the next item of a stream took more than {seconds} s")
        return platform.Timer(seconds, lambda: waiter.settle_now(None, error))

    def _finish(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopAsyncIteration

    def _grant(self) -> None:
        """Grant what was consumed since the last grant."""
        credit = self.taken if self._granted else self._window
        self.taken = 0
        self._granted = True
        if credit and self._session.error is None:
            self._session.send([messages.PULL, self._number, credit])

    def feed(self, items: "list[Any]") -> None:
        """A batch has come."""
        self.items = self.items[self.at :] + items if self.at < len(self.items) else items
        self.at = 0
        if self.taken * 2 >= self._window:
            self._grant()
        self._wake(None)

    def end(self, error: "Any") -> None:
        """The producer has no more, or has failed."""
        self._over = True
        self._error = error
        self._wake(None)

    def _wake(self, value: "Any") -> None:
        if self._waiter is not None and self._waiter.settle(value):
            self._session.woken.append(self._waiter)

    def lock_step(self) -> None:
        """Refuse asend and athrow once items are pushed ahead."""
        if self._granted:
            raise RuntimeError("asend and athrow cannot be mixed with `async for` on a stream")


class Iteration:
    """`async for` over a proxy or a call: asks for the stream when the first item is wanted."""

    def __init__(self, proxy: "Any") -> None:
        self._proxy = proxy
        self._stream: "Any" = None

    def __aiter__(self) -> "Iteration":
        return self

    async def __anext__(self) -> "Any":
        if self._stream is None:
            session = self._proxy._farcall.session
            self._stream = await session.calls.operate(self._proxy, "iter", ())
        flow = self._stream._farcall.flow
        if flow.at < len(flow.items):
            item = flow.items[flow.at]
            flow.at += 1
            flow.taken += 1
            return item
        return await flow.next()

    async def aclose(self) -> None:
        """End the remote iteration."""
        if self._stream is not None:
            await self._stream.aclose()


class Streams:
    """The streams of one session, both ways."""

    def __init__(self, session: "Any") -> None:
        self._session = session
        self.awaited: "dict[int, Any]" = {}  # stream -> the waiter for its next items

    def producer(self, number: "int", source: "Any") -> "Producer":
        """This side's end of a stream that goes out."""
        return Producer(self._session, number, source)

    def consumer(self, ref: "Any") -> "Stream":
        """This side's end of a stream that came in."""
        ref.flow = Flow(self._session, ref.target, self._session.limits["window"])
        return Stream(ref)

    def iterate(self, proxy: "Any") -> "Iteration":
        """What `async for` over a proxy iterates."""
        return Iteration(proxy)

    def on_pull(self, frame: "Any", buffers: "Any") -> None:
        """The peer grants credit; for a stream it released meanwhile, too late."""
        _, number, credit = frame
        if type(credit) is not int or not 0 < credit <= 1_000_000:
            raise errors.ProtocolError(f"credit {credit!r} for stream {number!r}")
        export = self._session.tables.exports.get(number)
        if export is None or not isinstance(export.value, Producer):
            raise errors.ProtocolError(f"credit for {number!r}, which is no stream")
        export.value.pull(credit)

    def on_items(self, frame: "Any", buffers: "Any") -> None:
        """A batch of items; dropped when the stream was released meanwhile."""
        proxy = self._session.tables.import_of(frame[1])
        if isinstance(proxy, Stream):
            try:
                items = self._session.codec.decode_all(frame[2], buffers)
            except Failure as exc:  # of a handler
                proxy._farcall.flow.end(exc.error)
            else:
                proxy._farcall.flow.feed(items)

    def on_end(self, frame: "Any", buffers: "Any") -> None:
        """A stream has ended."""
        proxy = self._session.tables.import_of(frame[1])
        if isinstance(proxy, Stream):
            error = frame[2] and self._session.codec.decode_with(frame[2], buffers)
            proxy._farcall.flow.end(error)

    def open(self) -> int:
        """How many streams this side produces now."""
        exports = self._session.tables.exports.values()
        return len([e for e in exports if isinstance(e.value, Producer)])

    def abandon(self, error: "Any") -> "list[Any]":
        """End every consumed stream with `error`; gives the waiters to wake."""
        woken: "list[Any]" = self._session.woken
        for number in list(self._session.tables.imports):
            proxy = self._session.tables.import_of(number)
            if isinstance(proxy, Stream):
                proxy._farcall.flow.end(errors.again(error))
        return woken
