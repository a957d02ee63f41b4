"""A worker's place in a team: what it exchanges with the other members.

What members exchange goes from worker to worker; the page's thread has no part in it.
"""

from farcall import platform
from farcall.connection.namespace import exposed
from farcall.connection.session import Session
from farcall.proxies.operations import options
from farcall.proxies.remote import reference
from farcall.workers.page import connect
from farcall.workers.teams.line import Calls, Line, Memory, shared
from farcall.workers.teams.reduction import Reduction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Remote, Value


@exposed("begin", "connect", "hear", "meet")
class Member:
    """A worker's place in a team: what it serves for the page and the others, and a group.

    Args:
        joined: called with this object once the team is complete.

    Attributes:
        rank: the number of this member among those who remain, from 0: the leader.
        size: how many remain.
        way: how they exchange.
    """

    def __init__(self, joined: "Callable[[Member], object] | None" = None) -> None:
        self.rank, self.size = 0, 1
        self._joined = joined
        self._count = 1
        self._lines: "dict[int, Any]" = {}
        self._reduction = Reduction(self._lines, self._gone)
        self._messages: "list[tuple[bool, Value]]" = []
        self._receiver: "platform.Waiter | None" = None

    @property
    def way(self) -> str:
        return "ports" if self._reduction.memory is None else "shared memory"

    # What the page calls.

    async def connect(self, place: "int", peer: "int", port: "JavaScript") -> None:
        """Connect to another member by a port of its, and be known to it."""
        self._reduction.place = place
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
        self._count = size
        reduction = self._reduction
        reduction.place, reduction.patience = place, patience
        self._go_on_with(list(range(size)))
        if self._joined is not None:
            self._joined(self)

    # What other members call.

    def meet(self, peer: "int", hear: "Remote", port: "JavaScript" = None) -> "Any":
        """Remember how to reach another member; gives how to reach this one."""
        self._keep(peer, hear, port)
        return self.hear

    def hear(self, peer: "int", kind: "str", term: "int", content: "Value") -> None:
        """Take an array to sum, a message of the leader's, shared memory, or the members that the
        leader goes on with."""
        reduction = self._reduction
        if kind == "array":
            reduction.hear(peer, term, content)
        elif kind in ("message", "task"):
            self._messages.append((kind == "task", content))
            if self._receiver is not None:
                self._receiver.settle_now(None)
        elif kind == "memory":
            reduction.memory = Memory(content, reduction.place, self._count)
        elif kind == "form" and isinstance(content, list):
            members, turn = content
            reduction.term = term
            if reduction.memory is not None:
                reduction.memory.turn = turn
            self._messages = [m for m in self._messages if not m[0]]
            self._go_on_with(members)
            reduction.fail("the team has formed again")

    def _keep(self, peer: "int", hear: "Remote", port: "JavaScript") -> None:
        if port is None:
            self._lines[peer] = Calls(options(hear, one_way=True), self._reduction.place)
        else:
            self._lines[peer] = Line(port, peer, self.hear)
        session = reference(hear, "meet").connection
        if isinstance(session, Session):
            session.on_close.append(lambda _: self._gone(peer))

    def _gone(self, peer: "int") -> None:
        reduction = self._reduction
        if peer in reduction.lost:
            return
        reduction.lost.add(peer)
        self._lines[peer].close()
        if peer in reduction.members:
            reduction.fail(f"member {peer} of the team is gone")
        if not peer and self._receiver is not None:
            self._receiver.settle_soon(None)

    def _go_on_with(self, members: "list[int]") -> None:
        place = self._reduction.place
        self._reduction.members = members
        self.size = len(members)
        self.rank = members.index(place) if place in members else 0

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
        reduction, count = self._reduction, self._count
        memory = reduction.memory
        if self.size == 1 or (memory is not None and memory.most >= size):
            return
        most, turn = size + -size % 64, 0 if memory is None else memory.turn
        space = shared(count, most)
        if space is not None:
            for member in reduction.others:
                self._lines[member].share(reduction.term, space, most, turn)
            reduction.memory = Memory((space, most, turn), reduction.place, count)

    def send(self, rank: "int", message: "Value", task: "bool" = False) -> None:
        """The leader's: let a member know what to do. A task is void once the team forms again."""
        reduction = self._reduction
        member = reduction.members[rank]
        if member not in reduction.lost:
            self._lines[member].post("task" if task else "message", reduction.term, message)

    async def receive(self) -> "Value":
        """Give the leader's next message.

        Raises:
            ConnectionError: the leader is gone.
        """
        while not self._messages:
            if 0 in self._reduction.lost:
                raise ConnectionError("the leader of the team is gone")
            self._receiver = platform.Waiter()
            try:
                await self._receiver
            finally:
                self._receiver = None
        return self._messages.pop(0)[1]

    def form(self) -> None:
        """The leader's: go on with those who remain. Exchanges under way and tasks are void."""
        reduction, turn = self._reduction, 0
        reduction.term += 1
        if reduction.memory is not None:  # others may be one exchange ahead
            turn = reduction.memory.turn = reduction.memory.turn + 16
        self._go_on_with([m for m in reduction.members if m not in reduction.lost])
        for member in reduction.others:
            self._lines[member].post("form", reduction.term, [reduction.members, turn])
