"""Sums of arrays over all members of a team."""

from farcall import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.workers.teams.line import Memory
    from farcall.workers.teams.roster import Roster

AHEAD = 16
"""Exchanges that a term begins after the one before: others may be one ahead of the leader."""
KEPT = 64
"""Sizes of arrays for which there is memory."""
LONGEST_PAUSE = 0.05
"""Seconds between two looks at shared memory of a member that waits for long."""


class Reduction:
    """The exchanges of one member.

    Args:
        roster: who takes part.
        lines: how to reach each other member.
        silent: called with the number of a member that is silent for too long.

    Attributes:
        term: how often the team has formed.
        patience: seconds for which the leader waits.
        memory: memory that all members share, or None.
    """

    def __init__(
        self, roster: "Roster", lines: "dict[int, Any]", silent: "Callable[[int], object]"
    ) -> None:
        self.roster = roster
        self.term = 0
        self.patience = 0.0
        self.memory: "Memory | None" = None
        self._lines, self._silent = lines, silent
        self._parts: "dict[tuple[int, Any], Any]" = {}  # where others' arrays are copied
        self._waiter: "platform.Waiter | None" = None
        self._timer: "platform.Timer | None" = None
        self._since = 0.0  # when the exchange under way began
        self._due = 0.0  # when to look for silent members

    def renew(self) -> None:
        """Begin with another team: its terms are counted from 0, and it shares no memory yet."""
        self.term, self.memory = 0, None
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def begin_term(self) -> int:
        """Begin a term of the team; gives the number of exchanges by shared memory so far."""
        self.term += 1
        if self.memory is None:
            return 0
        self.memory.turn += AHEAD
        return self.memory.turn

    def start(self, array: "Any") -> "Any":
        """Send an array, which becomes the sum of all members'; gives None, or an awaitable.

        Raises:
            ConnectionError: a member is lost.
        """
        others = self.roster.others
        if self.roster.broken():
            raise ConnectionError("a member of the team is gone")
        if not others:
            return None
        if self.memory is not None and array.nbytes <= self.memory.most:
            return self._by_memory(self.memory, array, others)
        for member in others:
            self._lines[member].put(self.term, array)
        if self._complete():
            self._arrive(array)
            return None
        return self._arriving(array)

    def heard(self) -> None:
        """An array has come."""
        if self._waiter is not None and self._complete():
            self._waiter.settle_now(None)

    def fail(self, text: "str") -> None:
        """End the exchange under way with a ConnectionError."""
        if self._waiter is not None:
            self._waiter.settle_soon(None, ConnectionError(text))

    # Arrays that come in messages.

    async def _arriving(self, array: "Any") -> None:
        if not self.roster.place:
            self._since = platform.clock()
            self._watch()
        if not self._complete():
            await self._woken()
        self._arrive(array)

    def _watch(self) -> None:
        """Look in time for members that are silent; a timer for each exchange would cost more."""
        if self._timer is None:
            left = max(0.01, self.patience - (platform.clock() - self._since))
            self._due = platform.clock() + left
            self._timer = platform.Timer(left, self._look_for_silent)

    def _look_for_silent(self) -> None:
        self._timer, now = None, platform.clock()
        if self._waiter is None:
            return
        if now - self._due > self.patience / 4:
            self._since = now  # it is this thread that stood still, and did not hear the others
        if now - self._since < self.patience:
            self._watch()
            return
        for member in self.roster.others:
            if not self._lines[member].arrived(self.term):
                self._silent(member)

    async def _woken(self) -> None:
        self._waiter = platform.Waiter()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _complete(self) -> bool:
        term, lines = self.term, self._lines
        return all(lines[member].arrived(term) for member in self.roster.others)

    def _arrive(self, array: "Any") -> None:
        self._sum(array, lambda member, out: self._lines[member].fetch(out))

    def _sum(self, array: "Any", fetch: "Callable[[int, Any], object]") -> None:
        """Add the others' arrays to this one, in the order of members: the same bits for all."""
        part = self._part(array)
        first, *rest = self.roster.members
        if len(rest) == 1:
            fetch(rest[0] if first == self.roster.place else first, part)
            array += part
            return
        own = array.copy()
        if first != self.roster.place:
            fetch(first, array)
        for member in rest:
            if member == self.roster.place:
                array += own
            else:
                fetch(member, part)
                array += part

    def _part(self, array: "Any") -> "Any":
        """Memory for another member's array of this form, kept for the next one."""
        key = array.nbytes, array.dtype
        part = self._parts.get(key)
        if part is None:
            if len(self._parts) > KEPT:
                self._parts.clear()
            part = self._parts[key] = array.copy()
        return part if part.shape == array.shape else part.reshape(array.shape)

    # Shared memory.

    def _by_memory(self, memory: "Memory", array: "Any", others: "list[int]") -> "Any":
        since, part = platform.clock(), self._part(array)
        if not memory.meet(array, part, others):
            return self._shared(memory, array, others, since)
        if len(others) == 1:
            array += part
        else:
            self._sum(array, memory.read)
        return None

    async def _shared(
        self, memory: "Memory", array: "Any", others: "list[int]", since: "float"
    ) -> None:
        term, turn, pause, left = self.term, memory.turn, 0.001, self.patience
        while True:
            now = platform.clock()
            left -= min(now - since, 2 * LONGEST_PAUSE)  # more is this thread's own standing still
            since = now
            if not self.roster.place and left < 0:
                for member in [m for m in others if not memory.came(turn, [m], 0)]:
                    self._silent(member)
            if term != self.term or self.roster.broken():
                raise ConnectionError("a member of the team is gone")
            timer = platform.Timer(pause, self._look)
            try:
                await self._woken()
            finally:
                timer.cancel()
            pause = min(2 * pause, LONGEST_PAUSE)
            if memory.came(turn, others):
                break
        self._sum(array, memory.read)

    def _look(self) -> None:
        if self._waiter is not None:
            self._waiter.settle_now(None)
