"""How many calls of an object run at a time, and how many may wait.

Opt-in, by the class:

    @farcall.exposed(concurrency=1, queue=100)
    class Model: ...

The object is the same for all sessions that serve it: two pages of one worker take turns. Calls
that wait are let in in their order. Not asyncio.Semaphore, because MicroPython has none;
because it has no limit to how many wait, and a peer could make them a million; and because waking
the next call through the event loop would let a call that comes meanwhile go first.
"""

from farcall import errors, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.proxies.remote import Value


class Turn(platform.Waiter):
    """The wait of one call; `queue` is where it waits."""

    def __init__(self, queue: "list[Turn]") -> None:
        self._queue = queue

    def cancelled(self) -> None:
        """Wait no longer: a turn that comes before its task hears of it is another's."""
        self._queue.remove(self)


class Turnstile:
    """Lets `concurrency` calls in at a time."""

    def __init__(self, concurrency: "int", queue: "int") -> None:
        self._concurrency = concurrency
        self._free = concurrency
        self._queue = queue
        self._waiting: "list[Turn]" = []

    @property
    def idle(self) -> bool:
        """Whether no call is in or waits."""
        return self._free == self._concurrency and not self._waiting

    async def enter(self) -> None:
        """Wait for a turn.

        Raises:
            LimitError: the queue is full.
        """
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._queue:
            raise errors.LimitError(f"{self._queue} calls wait for this object already")
        turn = Turn(self._waiting)
        self._waiting.append(turn)
        try:
            await turn
        except platform.CancelledError:
            if turn.error is None:  # its turn had come
                self.leave()
            raise

    def leave(self) -> None:
        """Let the next call in."""
        if self._waiting:
            self._waiting.pop(0).settle_soon(None)
        else:
            self._free += 1


_used: "dict[int, tuple[object, Turnstile]]" = {}
"""The turnstiles in use by the id of their object, which is kept, so that its id stays its own."""


async def in_turn(
    owner: "object",
    marks: "dict[str, Any]",
    function: "Callable[..., Any]",
    args: "list[Value]",
    kwargs: "dict[str, Value]",
) -> "Value":
    """Run a call of an object when it is its turn.

    Args:
        owner: the object.
        marks: what `exposed` says of its class.
        function: its method.
        args: by place.
        kwargs: by name.

    Raises:
        LimitError: too many calls wait for the object.
    """
    used = _used.get(id(owner))
    if used is None:
        used = _used[id(owner)] = (owner, Turnstile(marks["concurrency"], marks["queue"]))
    stile = used[1]
    try:
        await stile.enter()
        try:
            result = function(*args, **kwargs)
            if platform.is_awaitable(result):
                result = await result
            return result
        finally:
            stile.leave()
    finally:  # a call that was cancelled as its turn came may be the last too
        if stile.idle and _used.get(id(owner)) is used:  # not one that came after it
            del _used[id(owner)]
