"""Calls of the peer by their numbers: running, or kept while the peer may still build on them."""

from farcall import errors, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


MOST = 200_000  # results that a peer has not said it has seen
MOST_BYTES = 2**28  # of their buffers, besides the newest result's


class Answer(platform.Waiter):
    """A call of the peer: running, or done and kept for calls that target its result."""

    task: "Any" = None
    coroutine: "Any" = None  # until the task has begun
    _followers: "tuple[platform.Waiter, ...]" = ()

    async def ended(self) -> None:
        """Wait for its end, whatever that is; who is cancelled meanwhile leaves it running."""
        if not self.done:
            waiter = platform.Waiter()
            self._followers = self._followers + (waiter,)
            await waiter

    def end(self, value: "object", error: "BaseException | None") -> None:
        """Keep the outcome, and wake the calls that wait for it a turn later."""
        self.settle(value, error)
        if self._followers:
            followers, self._followers = self._followers, ()
            for waiter in followers:
                waiter.settle_soon(None)


class Answers:
    """The calls of one peer."""

    def __init__(self) -> None:
        self.known: "dict[int, Answer]" = {}
        # Number of the message, of the call, and bytes of its buffers.
        self.settled: "list[tuple[int, int, int]]" = []
        self._bytes = 0

    def new(self, number: "object") -> "Answer":
        """Note a call that has come; 0 is a call without a reply.

        Raises:
            ProtocolError: the number is none, or used.
        """
        if type(number) is not int or number < 0 or number in self.known:
            raise errors.ProtocolError(f"call id {number!r}")
        answer = Answer()
        if number:
            self.known[number] = answer
        return answer

    def get(self, number: "object") -> "Answer":
        """The call of the peer under a number.

        Raises:
            ProtocolError: there is none, or none any more.
        """
        answer = self.known.get(number) if type(number) is int else None
        if answer is None:
            raise errors.ProtocolError(f"call {number!r} is not known (any more)")
        return answer

    def keep(self, message: "int", number: "int", size: "int") -> None:
        """Keep a result; the oldest ones go where a peer never says what it has seen."""
        self.settled.append((message, number, size))
        self._bytes += size
        while len(self.settled) > MOST or (self._bytes > MOST_BYTES and len(self.settled) > 1):
            self._drop()

    def _drop(self) -> None:
        _, number, size = self.settled.pop(0)
        self._bytes -= size
        self.known.pop(number, None)

    def forget(self, seen: "int") -> None:
        """Drop results that the peer has seen; every call on them has arrived by now."""
        while self.settled and self.settled[0][0] <= seen:
            self._drop()

    def postpone(self, first: "int", last: "int") -> None:
        """Replies of message `first` went out in several, up to `last`: keep results that long."""
        self.settled[:] = [(last if first <= m < last else m, n, s) for m, n, s in self.settled]

    def clear(self) -> None:
        """Forget them all."""
        self.known.clear()
        del self.settled[:]
        self._bytes = 0
