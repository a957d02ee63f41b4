"""Sums of arrays over all members of a team."""

from farcall import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.workers.teams.line import Memory

LONGEST_PAUSE = 0.05
"""Seconds between two looks at shared memory of a member that waits for long."""


class Reduction:
    """The exchanges of one member.

    Args:
        lines: how to reach each other member.
        gone: called with the number of a member that is silent for too long.

    Attributes:
        place: the number of this member among those who began.
        members: the numbers of those who remain.
        lost: those who are gone.
        term: how often the team has formed.
        patience: seconds for which the leader waits.
        memory: memory that all members share, or None.
    """

    def __init__(self, lines: "dict[int, Any]", gone: "Callable[[int], object]") -> None:
        self.place = self.term = 0
        self.members = [0]
        self.lost: "set[int]" = set()
        self.patience = 0.0
        self.memory: "Memory | None" = None
        self._lines, self._gone = lines, gone
        self._arrays: "dict[int, list[tuple[int, Any]]]" = {}
        self._waiter: "platform.Waiter | None" = None
        self._timer: "platform.Timer | None" = None
        self._since = 0.0  # when the exchange under way began

    @property
    def others(self) -> "list[int]":
        """The numbers of the other members who remain."""
        return [m for m in self.members if m != self.place]

    def start(self, array: "Any") -> "Any":
        """Send an array, which becomes the sum of all members'; gives None, or an awaitable.

        Raises:
            ConnectionError: a member is lost.
        """
        others = self.others
        if self.lost and any(m in self.lost for m in others):
            raise ConnectionError("a member of the team is gone")
        if not others:
            return None
        if self.memory is not None and array.nbytes <= self.memory.most:
            self.memory.leave(array)
            return self._shared(self.memory, array, others)
        for member in others:
            self._lines[member].post("array", self.term, array)
        if self._complete():
            self._arrive(array)
            return None
        return self._arriving(array)

    def hear(self, member: "int", term: "int", array: "Any") -> None:
        """Take another member's array."""
        self._arrays.setdefault(member, []).append((term, array))
        if self._waiter is not None and self._complete():
            self._waiter.settle_now(None)

    def fail(self, text: "str") -> None:
        """End the exchange under way with a ConnectionError."""
        if self._waiter is not None:
            self._waiter.settle_soon(None, ConnectionError(text))

    # Arrays that come in messages.

    async def _arriving(self, array: "Any") -> None:
        if not self.place:
            self._since = platform.clock()
            self._watch()
        if not self._complete():
            await self._woken()
        self._arrive(array)

    def _watch(self) -> None:
        """Look in time for members that are silent; a timer for each exchange would cost more."""
        if self._timer is None:
            left = self.patience - (platform.clock() - self._since)
            self._timer = platform.Timer(max(0.01, left), self._look_for_silent)

    def _look_for_silent(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if platform.clock() - self._since < self.patience:
            self._watch()
            return
        for member in self.others:
            if not self._arrived(member):
                self._gone(member)

    async def _woken(self) -> None:
        self._waiter = platform.Waiter()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _arrived(self, member: "int") -> bool:
        """Whether an array of this term came; those of earlier ones are dropped."""
        waiting = self._arrays.setdefault(member, [])
        while waiting and waiting[0][0] < self.term:
            waiting.pop(0)
        return bool(waiting) and waiting[0][0] == self.term

    def _complete(self) -> bool:
        return all(self._arrived(m) for m in self.others)

    def _arrive(self, array: "Any") -> None:
        parts = {m: self._arrays[m].pop(0)[1] for m in self.others}
        self._sum(array, lambda member: parts[member])

    def _sum(self, array: "Any", part: "Callable[[int], Any]") -> None:
        """Add the others' arrays to this one, in the order of members: the same bits for all."""
        first, *rest = self.members
        if len(rest) == 1:
            array += part(rest[0] if first == self.place else first)
            return
        own = array.copy()
        array[...] = own if first == self.place else part(first)
        for member in rest:
            array += own if member == self.place else part(member)

    # Shared memory.

    async def _shared(self, memory: "Memory", array: "Any", others: "list[int]") -> None:
        term, turn, pause = self.term, memory.turn, 0.001
        until = platform.clock() + self.patience
        while not memory.came(turn, others):
            if not self.place and platform.clock() > until:
                for member in [m for m in others if not memory.came(turn, [m], 0)]:
                    self._gone(member)
            if term != self.term or any(m in self.lost for m in others):
                raise ConnectionError("a member of the team is gone")
            timer = platform.Timer(pause, self._look)
            try:
                await self._woken()
            finally:
                timer.cancel()
            pause = min(2 * pause, LONGEST_PAUSE)
        self._sum(array, lambda member: memory.read(member, array))

    def _look(self) -> None:
        if self._waiter is not None:
            self._waiter.settle_now(None)
