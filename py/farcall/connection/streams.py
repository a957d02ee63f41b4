"""The receiving side of a stream: an async iterator whose items arrive ahead of use.

Half a window consumed grants that half again, so that items are always on their way.

A Stream is what the call of a generator gives; of any other iterable an Iteration asks for one.

asend and athrow need lock-step: use them before or instead of `async for`, not in between.
"""

from farcall import errors, messages, platform
from farcall.proxies.remote import Reference, Remote, advance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from farcall.connection.channel import Channel
    from farcall.proxies.remote import Value

WINDOW = 256


async def _next(self: "Stream | Iteration") -> "Value":
    """The next item, at once while the batch at hand lasts."""
    flow: "Flow" = self._farcall.flow
    if flow.at >= len(flow.items):
        await flow.filled()
    item = flow.items[flow.at]
    flow.at += 1
    flow.taken += 1
    if flow.at == len(flow.items):
        flow.grant()  # so that the next is made while this one is used
    return item


async def _step(self: "Stream", name: "str", value: "Value") -> "Value":
    """Lock-step."""
    self._farcall.flow.lock_step()
    return await advance(self, name, value)


class Flow:
    """Items that have come, and credit that was granted.

    Several tasks may take items from one stream: each item goes to one of them.

    Args:
        channel: sends the credit.
        awaited: stream -> the waiters for its next items; shared by all streams of the session.
        number: of the peer's stream.
        window: items that may be on their way.
    """

    def __init__(
        self,
        channel: "Channel",
        awaited: "dict[int, list[platform.Waiter]]",
        number: "int",
        window: "int",
    ) -> None:
        self._channel = channel
        self._awaited = awaited
        self._number = number
        self._window = window
        self._granted = 0
        self.items: "list[Value]" = []
        self.at = 0
        self.taken = 0
        self._over = False
        self._error: "BaseException | None" = None

    async def filled(self) -> None:
        """Wait for items, when the batch at hand is used up; raises the end of the stream."""
        while self.at >= len(self.items):
            if self._over:
                error, self._error = self._error, None
                raise StopAsyncIteration if error is None else error
            self.grant()
            await self._more()

    async def _more(self) -> None:
        """Wait for the next items; the session holds the waiter, and with it the task.

        The session holds the proxy weakly, to release it when the program drops it. A task that
        waits needs it, but may itself be held by nothing else (event loops hold tasks weakly):
        without this it was collected in the middle of its loop.
        """
        waiter = platform.Waiter()
        waiting = self._awaited.setdefault(self._number, [])
        waiting.append(waiter)
        timer = self._timer(waiter)
        try:
            await waiter
        finally:
            if timer is not None:
                timer.cancel()
            if waiter in waiting:
                waiting.remove(waiter)
            if not waiting:
                self._awaited.pop(self._number, None)

    def _timer(self, waiter: "platform.Waiter") -> "platform.Timer | None":
        """Each wait for items may take as long as a call, where calls have a time-out."""
        seconds = self._channel.timeout
        if seconds is None:
            return None
        error = errors.TimeoutError(f"the next item of a stream took more than {seconds} s")
        return platform.Timer(seconds, lambda: waiter.settle_now(None, error))

    def grant(self) -> None:
        """Grant what was consumed since the last grant."""
        if self._over:
            return
        credit = self.taken if self._granted else self._window
        self.taken = 0
        self._granted = True
        if credit and self._channel.error is None:
            self._channel.send([messages.PULL, self._number, credit])

    def feed(self, items: "list[Value]") -> None:
        """Take a batch that has come."""
        if self._over:
            return
        self.items = self.items[self.at :] + items if self.at < len(self.items) else items
        self.at = 0
        if self.taken * 2 >= self._window:
            self.grant()
        self._wake()

    def end(self, error: "BaseException | None") -> None:
        """The producer has no more, or has failed; the first end counts."""
        if self._over:
            return
        self._over = True
        self._error = error
        self._wake()

    def leave(self, error: "BaseException | None" = None) -> None:
        """The stream was closed or released on this side: nothing more is taken from it."""
        if not self._over:
            self._over = True
            self._error = error
        self.items = []
        for waiter in list(self._awaited.get(self._number, ())):
            waiter.settle_soon(None)

    def _wake(self) -> None:
        """Have the tasks that wait look again, in the order in which they came."""
        for waiter in self._awaited.get(self._number, ()):
            if waiter.settle(None):
                self._channel.woken.append(waiter)

    def lock_step(self) -> None:
        """Refuse asend and athrow once items are pushed ahead, and after `aclose`."""
        if self._granted:
            raise RuntimeError(
                "asend and athrow cannot be mixed with `async for` or anext on a stream: for anext "
                "write `asend(None)`"
            )
        if self._over and self._error is None:
            raise StopAsyncIteration


class Stream(Remote):
    """This side's end of a stream that the peer produces: an async iterator."""

    __slots__ = ()

    def __aiter__(self) -> "Stream":
        return self

    __anext__ = _next

    async def asend(self, value: "Value") -> "Value":
        """Resume the remote generator with `value`; its next item."""
        return await _step(self, "asend", value)

    async def athrow(self, exc: "BaseException | type[BaseException]") -> "Value":
        """Raise `exc`, an exception or a class of one, in the remote generator; its next item."""
        if isinstance(exc, type):  # it would cross by reference
            exc = exc()
        return await _step(self, "athrow", exc)

    async def aclose(self) -> None:
        """End the remote generator, and return when its `finally` has run."""
        ref = self._farcall
        if ref.released or ref.connection.error is not None:
            return
        try:
            await ref.connection.operate(self, "aclose", ())
        finally:
            ref.flow.leave()  # a task may be waiting for its next item
            ref.connection.release(ref)

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, kind: "object", exc: "object", traceback: "object") -> None:
        await self.aclose()


class Iteration:
    """`async for` over a proxy or a call: asks for the stream when the first item is wanted.

    Of an iterator there is none: each item is asked for.
    """

    def __init__(self, proxy: "Remote") -> None:
        self._proxy: "Value" = proxy  # None once it is closed
        self._farcall = Reference(proxy._farcall.connection, 0)  # the stream's, once there is one
        self._single = False
        self._asking: "list[platform.Waiter] | None" = None  # tasks behind the one that asks

    def __aiter__(self) -> "Iteration":
        return self

    async def __anext__(self) -> "Value":
        if not self._single and self._farcall.flow is None:
            await self._start()
        if self._farcall.flow is not None:
            return await _next(self)
        if self._proxy is None:
            raise StopAsyncIteration  # it was closed before
        return await advance(self._proxy, "next")

    async def _start(self) -> None:
        """Ask for the stream, unless another task has asked."""
        while self._farcall.flow is None and not self._single:
            if self._proxy is None:
                raise StopAsyncIteration  # it was closed before
            if self._asking is None:
                await self._ask()
            else:
                waiter = platform.Waiter()
                self._asking.append(waiter)
                await waiter

    async def _ask(self) -> None:
        waiting: "list[platform.Waiter]" = []
        self._asking = waiting
        try:
            proxy = self._proxy = await self._farcall.connection.operate(self._proxy, "iter", ())
            self._single = not isinstance(proxy, Stream)
            if not self._single:
                self._farcall = proxy._farcall
        finally:
            self._asking = None
            for waiter in waiting:
                waiter.settle_soon(None)

    async def aclose(self) -> None:
        """End the iteration, and the remote one if it has begun."""
        proxy, self._proxy = self._proxy, None
        if isinstance(proxy, Stream):
            await proxy.aclose()
