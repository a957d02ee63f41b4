"""Teams: workers with direct ports to each other, that work on one thing together.

# worker.py
team = farcall.Member(nn.distribution.join)
farcall.serve({"nn": nn, "team": team})
# page
team = await farcall.Team("./worker.py", config="./worker.toml", size=2).start()
await team.leader.nn.distribution.set_distribution(await team.leader.nn.distribution.DataParallel())

What members exchange goes from worker to worker: the page's thread has no part in it.
"""

from farcall import platform
from farcall.connection.session import Session
from farcall.errors import FarcallError
from farcall.proxies.operations import options
from farcall.proxies.remote import reference
from farcall.workers.page import connect, port
from farcall.workers.pool import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Remote, Value

MOST = 4
"""Workers that a team has at most where no number is given."""


class Member:
    """A worker's place in a team: what it serves for the page, and for the other members.

    Args:
        joined: called with this object once the team is complete.
        patience: seconds after which the leader goes on without a member that is silent.

    Attributes:
        rank: the number of this member among those who remain, from 0: the leader.
        size: how many remain.
        way: how they exchange.
    """

    way = "ports"

    def __init__(
        self, joined: "Callable[[Member], object] | None" = None, patience: "float" = 10.0
    ) -> None:
        self.rank, self.size = 0, 1
        self._joined = joined
        self._patience = patience
        self._place = 0
        self._members = [0]
        self._peers: "dict[int, Any]" = {}
        self._lost: "set[int]" = set()
        self._term = 0  # how often the team has formed
        self._arrays: "dict[int, list[tuple[int, Any]]]" = {}
        self._messages: "list[Value]" = []
        self._waiter: "platform.Waiter | None" = None
        self._receiver: "platform.Waiter | None" = None

    # What the page calls.

    async def connect(self, place: "int", peer: "int", name: "str", port: "JavaScript") -> None:
        """Connect to another member by a port of its, and be known to it."""
        self._place = place
        there = await connect(port)
        member = getattr(there, name)
        hear = await member.meet(place, self.hear)
        self._keep(peer, hear)

    def begin(self, place: "int", size: "int") -> None:
        """Begin to work: all members are connected."""
        self._place = place
        self._members = list(range(size))
        self._count()
        if self._joined is not None:
            self._joined(self)

    # What other members call.

    def meet(self, peer: "int", hear: "Remote") -> "Any":
        """Remember how to reach another member; gives how to reach this one."""
        self._keep(peer, hear)
        return self.hear

    def hear(self, peer: "int", kind: "str", term: "int", content: "Value") -> None:
        """Take an array to sum, a message of the leader's, or the members after a loss."""
        if kind == "array":
            self._arrays.setdefault(peer, []).append((term, content))
            if self._waiter is not None and self._complete():
                self._waiter.settle_now(None)
        elif kind == "message":
            self._messages.append(content)
            if self._receiver is not None:
                self._receiver.settle_now(None)
        elif kind == "form" and isinstance(content, list):
            self._term, self._members = term, content
            self._count()
            self._fail("the team has formed again")

    def _keep(self, peer: "int", hear: "Remote") -> None:
        self._peers[peer] = options(hear, one_way=True)
        session = reference(hear, "meet").connection
        if isinstance(session, Session):
            session.on_close.append(lambda _: self._gone(peer))

    def _gone(self, peer: "int") -> None:
        if peer in self._lost:
            return
        self._lost.add(peer)
        if peer in self._members:
            self._fail(f"member {peer} of the team is gone")
        if not peer and self._receiver is not None:
            self._receiver.settle_soon(None)

    def _fail(self, text: "str") -> None:
        if self._waiter is not None:
            self._waiter.settle_soon(None, ConnectionError(text))

    def _count(self) -> None:
        self.size = len(self._members)
        self.rank = self._members.index(self._place) if self._place in self._members else 0

    # A group, as training knows it.

    async def all_reduce(self, array: "Any") -> None:
        """Replace the elements of a NumPy array by their sums over all members.

        Raises:
            ConnectionError: a member is lost; the leader calls `form` then.
        """
        others = [m for m in self._members if m != self._place]
        if any(m in self._lost for m in others):
            raise ConnectionError("a member of the team is gone")
        term = self._term
        for member in others:
            self._peers[member](self._place, "array", term, array)
        if not self._complete():
            await self._all_arrived()
        parts = {m: self._take(m) for m in others}
        if len(others) == 1:
            array += parts[others[0]]
            return
        parts[self._place] = array.copy()
        first, *rest = self._members
        array[...] = parts[first]
        for member in rest:
            array += parts[member]

    async def _all_arrived(self) -> None:
        self._waiter = platform.Waiter()
        timer = None
        if not self._place:
            timer = platform.Timer(self._patience, self._impatient)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _impatient(self) -> None:
        """Go on without those who are silent."""
        for member in self._members:
            if member != self._place and not self._arrived(member):
                self._gone(member)

    def _arrived(self, member: "int") -> bool:
        """Whether an array of this term came; those of earlier ones are dropped."""
        waiting = self._arrays.setdefault(member, [])
        while waiting and waiting[0][0] < self._term:
            waiting.pop(0)
        return bool(waiting) and waiting[0][0] == self._term

    def _complete(self) -> bool:
        return all(m == self._place or self._arrived(m) for m in self._members)

    def _take(self, member: "int") -> "Any":
        return self._arrays[member].pop(0)[1]

    def send(self, rank: "int", message: "Value") -> None:
        """The leader's: let a member know what to do."""
        member = self._members[rank]
        if member not in self._lost:
            self._peers[member](self._place, "message", self._term, message)

    async def receive(self) -> "Value":
        """Give the leader's next message.

        Raises:
            ConnectionError: the leader is gone.
        """
        while not self._messages:
            if 0 in self._lost:
                raise ConnectionError("the leader of the team is gone")
            self._receiver = platform.Waiter()
            try:
                await self._receiver
            finally:
                self._receiver = None
        return self._messages.pop(0)

    def form(self) -> None:
        """The leader's: go on with those who remain."""
        before, self._term = self._members, self._term + 1
        self._members = [m for m in before if m not in self._lost]
        self._count()
        for member in self._members:
            if member != self._place:
                self._peers[member](self._place, "form", self._term, self._members)


class Team:
    """Workers of one kind with ports to each other, started by `await team.start()`.

    Args:
        source: URL of their script, which serves a `Member`.
        size: how many; "auto" is the number of the machine's cores, at most 4.
        member: the name under which the script serves it.
        options: of each Worker.

    Attributes:
        workers: those that started; the first leads.
        why: why there are fewer than asked for, or "".
    """

    def __init__(
        self,
        source: "str",
        *,
        size: "int | str" = "auto",
        member: "str" = "team",
        **options: "Any",
    ) -> None:
        if size != "auto" and (not isinstance(size, int) or size < 1):
            raise ValueError(f"Team: expected a size of at least 1 or 'auto', received {size!r}")
        self._size = size
        self._source = source
        self._member = member
        self._name = options.pop("name", "team")
        self._options = options
        self.workers: "list[Worker]" = []
        self.why = ""

    @property
    def leader(self) -> "Any":
        """The proxy of what the leader serves; None while it is not up."""
        return self.workers[0].engine if self.workers else None

    @property
    def size(self) -> int:
        """How many workers take part."""
        return len(self.workers)

    async def start(self) -> "Team":
        """Start the workers and connect them; one that does not start leaves a smaller team.

        Raises:
            WorkerBootError, TimeoutError: the first one does not start.
        """
        wanted = _cores() if self._size == "auto" else int(self._size)
        for number in range(wanted):
            role = "leader" if not number else str(number)
            worker = Worker(self._source, name=f"{self._name}-{role}", **self._options)
            try:
                await worker.start()
            except FarcallError as error:
                if not number:
                    raise
                self.why = f"{number} of {wanted} workers: {error}"
                break
            self.workers.append(worker)
        await self._connect()
        return self

    async def _connect(self) -> None:
        members = [getattr(worker.engine, self._member) for worker in self.workers]
        for peer in range(len(members)):
            for place in range(peer + 1, len(members)):
                line = await port(self.workers[peer].engine)
                await members[place].connect(place, peer, self._member, line)
        for place in range(len(members) - 1, -1, -1):
            await members[place].begin(place, len(members))

    def terminate(self) -> None:
        """Kill them all."""
        for worker in self.workers:
            worker.terminate()


def _cores() -> int:
    return max(1, min(MOST, int(platform.js.navigator.hardwareConcurrency or 1)))
