"""How many calls of an object run at a time, and how many may wait.

Opt-in: `@farcall.exposed(concurrency=1, queue=100)`. Calls that wait are let in in their order.
"""

from farcall import errors, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Turnstile:
    """Lets `concurrency` calls in at a time."""

    def __init__(self, concurrency: "int", queue: "int") -> None:
        self._free = concurrency
        self._queue = queue
        self._waiting: "list[platform.Waiter]" = []

    async def through(self, function: "Any", args: "Any", kwargs: "Any") -> "Any":
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
        self._known: "dict[int, tuple[Any, Turnstile]]" = {}

    def of(self, owner: "Any") -> "Turnstile | None":
        """The turnstile of an object whose class asks for one."""
        marks = getattr(type(owner), "__farcall__", None)
        if not marks or not marks["concurrency"]:
            return None
        found = self._known.get(id(owner))
        if found is None:  # keeps the owner, so that its id stays its own
            stile = Turnstile(marks["concurrency"], marks["queue"])
            found = self._known[id(owner)] = (owner, stile)
        return found[1]
