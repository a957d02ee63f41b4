"""How many calls of an object run at a time, and how many may wait.

Opt-in, by the class:

    @farcall.exposed(concurrency=1, queue=100)
    class Model: ...

Calls that wait are let in in their order. Not asyncio.Semaphore, because MicroPython has none;
because it has no limit to how many wait, and a peer could make them a million; and because waking
the next call through the event loop would let a call that comes meanwhile go first.
"""

from farcall import errors, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.proxies.remote import Value


class Turnstile:
    """Lets `concurrency` calls in at a time."""

    def __init__(self, concurrency: "int", queue: "int") -> None:
        self._free = concurrency
        self._queue = queue
        self._waiting: "list[platform.Waiter]" = []

    async def through(
        self, function: "Callable[..., Any]", args: "list[Value]", kwargs: "dict[str, Value]"
    ) -> "Value":
        """Run a call when it is its turn.

        Raises:
            LimitError: the queue is full.
        """
        await self._enter()
        try:
            result = function(*args, **kwargs)
            if platform.is_awaitable(result):
                result = await result
            return result
        finally:
            self._leave()

    async def _enter(self) -> None:
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._queue:
            raise errors.LimitError(f"{self._queue} calls wait for this object already")
        waiter = platform.Waiter()
        self._waiting.append(waiter)
        try:
            await waiter
        except platform.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            else:
                self._leave()
            raise

    def _leave(self) -> None:
        while self._waiting:
            waiter = self._waiting.pop(0)
            if not waiter.done:
                waiter.settle_soon(None)
                return
        self._free += 1


class Turnstiles:
    """One turnstile an object, made when first needed."""

    def __init__(self) -> None:
        self._known: "dict[int, tuple[object, Turnstile]]" = {}

    def of(self, owner: "object", marks: "dict[str, Any]") -> "Turnstile":
        """The turnstile of an object whose class asks for one in its marks."""
        found = self._known.get(id(owner))
        if found is None:  # keeps the owner, so that its id stays its own
            stile = Turnstile(marks["concurrency"], marks["queue"])
            found = self._known[id(owner)] = (owner, stile)
        return found[1]
