"""A worker's place in a team: what it exchanges with the other members.

What members exchange goes from worker to worker; the page's thread has no part in it.
"""

from farcall import platform
from farcall.connection.namespace import exposed
from farcall.connection.session import Session
from farcall.proxies.remote import reference
from farcall.workers.page import connect
from farcall.workers.teams.line import Memory, line_to, shared
from farcall.workers.teams.reduction import Reduction
from farcall.workers.teams.roster import Roster

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Remote, Value


@exposed("begin", "connect", "hear", "meet", "renew")
class Member:
    """A worker's place in a team: what it serves for the page and the others, and a group.

    Args:
        joined: called with this object once the team is complete.

    Attributes:
        rank: the number of this member among those who remain, from 0: the leader.
        size: how many remain.
        way: how they exchange.
        why: why fewer take part than began, or "".
    """

    def __init__(self, joined: "Callable[[Member], object] | None" = None) -> None:
        self.rank, self.size = 0, 1
        self._joined = joined
        self._lines: "dict[int, Any]" = {}
        self._roster = Roster()
        self._reduction = Reduction(self._roster, self._lines, self._silent)
        self._messages: "list[tuple[bool, Value]]" = []
        self._receiver: "platform.Waiter | None" = None

    @property
    def way(self) -> str:
        return "ports" if self._reduction.memory is None else "shared memory"

    @property
    def why(self) -> str:
        return self._roster.why

    # What the page calls.

    def renew(self) -> None:
        """Forget the team that this member led, and the others: it leads another one."""
        self._roster.renew()
        self._reduction.renew()
        self._stand()

    async def connect(self, place: "int", peer: "int", port: "JavaScript") -> None:
        """Connect to another member by a port of its, and be known to it."""
        self._roster.place = place
        member = (await connect(port)).member
        if platform.PYODIDE:
            channel = platform.js.MessageChannel.new()
            hear = await member.meet(place, self.hear, channel.port2)
            self._keep(peer, hear, channel.port1)
        else:
            self._keep(peer, await member.meet(place, self.hear), None)

    def begin(self, place: "int", size: "int", patience: "float") -> None:
        """Begin to work: all members are connected.

        Args:
            place: the number of this member.
            size: how many there are.
            patience: seconds after which the leader goes on without a member that is silent.
        """
        self._reduction.patience = patience
        self._roster.begin(place, size)
        self._stand()
        if self._joined is not None:
            self._joined(self)

    # What other members call.

    def meet(self, peer: "int", hear: "Remote", port: "JavaScript" = None) -> "Any":
        """Remember how to reach another member; gives how to reach this one."""
        self._keep(peer, hear, port)
        return self.hear

    def hear(self, peer: "int", kind: "str", term: "int", content: "Value") -> None:
        """Take what another member sends: a kind of message, and what belongs to it."""
        reduction = self._reduction
        if kind == "array":
            self._lines[peer].keep(term, content)
            reduction.heard()
        elif kind in ("message", "task"):
            self._messages.append((kind == "task", content))
            if self._receiver is not None:
                self._receiver.settle_now(None)
        elif kind == "memory":
            reduction.memory = Memory(content, self._roster.place, self._roster.count)
        elif kind == "form" and isinstance(content, list):
            self._formed(term, *content)
        elif kind == "back":
            self._roster.answer(peer)
        elif kind == "leave":
            self._gone(peer, f"failed: {content}")

    def _formed(self, term: "int", members: "list[int]", turn: "int") -> None:
        """The leader goes on with these members; all that is under way is void."""
        reduction = self._reduction
        reduction.term = term
        if reduction.memory is not None:
            reduction.memory.turn = turn
        self._messages = [m for m in self._messages if not m[0]]
        self._roster.members = members
        self._stand()
        if self._roster.place not in members:
            self._lines[0].post("back", term, None)
        reduction.fail("the team has formed again")

    def _keep(self, peer: "int", hear: "Remote", port: "JavaScript") -> None:
        line = self._lines[peer] = line_to(peer, hear, port, self.hear, self._reduction)
        session = reference(hear, "meet").connection
        if isinstance(session, Session):
            session.on_close.append(lambda _: self._gone(peer, "ended", line))

    def _gone(self, peer: "int", why: "str", line: "Any" = None) -> None:
        """Another member is there no more; with another line it was one of a former team."""
        if line not in (None, self._lines.get(peer)) or not self._roster.end(peer):
            return
        self._lines[peer].close()
        self._lose(peer, why)
        if not peer and self._receiver is not None:
            self._receiver.settle_soon(None)

    def _silent(self, peer: "int") -> None:
        """Another member has been silent for too long; it may come back."""
        self._roster.away.add(peer)
        self._lose(peer, f"was silent for {self._reduction.patience:g} s")

    def _lose(self, peer: "int", why: "str") -> None:
        if self._roster.lose(peer, why):
            self._reduction.fail(f"member {peer} of the team {why}")

    def _stand(self) -> None:
        """Take the place that this member has among those who take part."""
        self.rank, self.size = self._roster.standing()

    # A group, as training knows it.

    def all_reduce(self, array: "Any") -> "Any":
        """Replace the elements of a NumPy array by their sums over all members.

        The array leaves at once; what is returned awaits the others', or is None.

        Raises:
            ConnectionError: a member is lost; the leader calls `form` then.
        """
        return self._reduction.start(array)

    def reserve(self, size: "int") -> None:
        """The leader's: share memory for arrays of so many bytes, where the page is isolated."""
        reduction, roster = self._reduction, self._roster
        memory = reduction.memory
        if self.size == 1 or (memory is not None and memory.most >= size):
            return
        most, turn = size + -size % 64, 0 if memory is None else memory.turn
        space = shared(roster.count, most)
        if space is not None:
            for member in roster.others:
                self._lines[member].share(reduction.term, space, most, turn)
            reduction.memory = Memory((space, most, turn), roster.place, roster.count)

    def send(self, rank: "int", message: "Value", task: "bool" = False) -> None:
        """The leader's: let a member know what to do. A task is void once the team forms again."""
        member, kind = self._roster.members[rank], "task" if task else "message"
        if member not in self._roster.lost:
            self._lines[member].post(kind, self._reduction.term, message)

    async def receive(self) -> "Value":
        """Give the leader's next message.

        Raises:
            ConnectionError: the leader is gone.
        """
        while not self._messages:
            if 0 in self._roster.lost:
                raise ConnectionError("the leader of the team is gone")
            self._receiver = platform.Waiter()
            try:
                await self._receiver
            finally:
                self._receiver = None
        return self._messages.pop(0)[1]

    def form(self) -> None:
        """The leader's: go on with those who remain. Exchanges under way and tasks are void."""
        roster, turn = self._roster, self._reduction.begin_term()
        roster.form()
        self._stand()
        for member in roster.others + sorted(roster.away):
            self._lines[member].post("form", self._reduction.term, [roster.members, turn])

    def dismiss(self, ranks: "list[int]", why: "str") -> None:
        """The leader's: go on without some members, which may be asked again."""
        self._roster.dismiss([self._roster.members[rank] for rank in ranks], why)
        self.form()

    def readmit(self, dismissed: "bool" = False) -> bool:
        """The leader's: take in those who are back; returns whether there are any."""
        found = self._roster.readmit(dismissed)
        if found:
            self.form()
        return found

    def leave(self, why: "str") -> None:
        """A follower's: take part no more."""
        self._lines[0].post("leave", self._reduction.term, why)
