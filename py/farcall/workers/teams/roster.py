"""Who takes part in a team, as one of its members knows it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Roster:
    """The numbers of a team's members, from 0: the leader.

    Attributes:
        place: the number of this member.
        count: how many began.
        members: those who take part, in order.
        lost: those who are left out, or are to be once the team forms again.
        away: those of them that may live, and are still sent how the team forms.
        why: why fewer take part than began, or "".
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin with another team."""
        self.place, self.count = 0, 1
        self.members = [0]
        self.lost: "set[int]" = set()
        self.away: "set[int]" = set()
        self.why = ""
        self._ended: "set[int]" = set()
        self._back: "set[int]" = set()
        self._dismissed: "set[int]" = set()

    @property
    def others(self) -> "list[int]":
        """The other members who take part."""
        return [m for m in self.members if m != self.place]

    def standing(self) -> "tuple[int, int]":
        """The rank of this member among those who take part, and how many these are."""
        members = self.members
        return members.index(self.place) if self.place in members else 0, len(members)

    def broken(self) -> bool:
        """Whether one of them is lost."""
        return bool(self.lost) and any(m in self.lost for m in self.others)

    def begin(self, place: "int", count: "int") -> None:
        """All take part."""
        self.place, self.count = place, count
        self.members = list(range(count))

    def end(self, member: "int") -> bool:
        """Note that a member has ended; returns whether that is new."""
        if member in self._ended:
            return False
        self._ended.add(member)
        self.away.discard(member)
        self._back.discard(member)
        return True

    def lose(self, member: "int", why: "str") -> bool:
        """Leave a member out; returns whether it takes part in what is under way."""
        if member in self.lost:
            return False
        self.lost.add(member)
        self.why = f"one of {self.count} {why}"
        return member in self.members

    def dismiss(self, members: "Iterable[int]", why: "str") -> None:
        """Leave members out until they are asked for again."""
        dismissed = set(members)
        self._dismissed |= dismissed
        self.away |= dismissed
        self.lost |= dismissed
        self.why = f"{len(dismissed)} of {self.count}: {why}"

    def answer(self, member: "int") -> None:
        """Note that a member that was away is there again."""
        self._back.add(member)

    def form(self) -> None:
        """Go on with those who are not lost."""
        self.members = [m for m in self.members if m not in self.lost]

    def readmit(self, dismissed: "bool") -> bool:
        """Take in those who are back, or also those dismissed; returns whether there are any."""
        if dismissed:
            self._dismissed = set()
        back = self._back - self._dismissed
        self._back -= back
        self.away -= back
        self.lost -= back
        self.members = sorted(set(self.members) | back)
        if len(self.members) == self.count and not self.lost:
            self.why = ""
        return bool(back)
