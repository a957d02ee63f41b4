"""Teams: workers with direct ports to each other, that work on one thing together.

    # worker.py
    farcall.serve({"nn": nn})
    # page
    team = await farcall.Team("./worker.py", config="./worker.toml", size="auto")
    nn = team.leader.nn
    await nn.distribution.set_distribution(await nn.distribution.DataParallel())

Each worker has a `Member`, its place in the team. What it serves and has a function
`__join_team__`, such as the engine, is given it once the team is complete.
"""

from farcall import platform
from farcall.workers.page import connect, member_port
from farcall.workers.started import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from farcall.proxies.remote import Remote

MOST = 4
"""Workers that a team has at most where no number is given."""
PER_GIB = 2
"""Workers for each GiB of the machine's memory."""


class Team:
    """Workers of one kind with ports to each other; `await` starts them.

    Args:
        source: URL of their script.
        size: how many; "auto" is the number of the machine's cores, at most 4, and less where the
            browser says that there is little memory.
        leader: the proxy of a worker that is up already, and leads; by default another is started.
            It may have led another team, which has been terminated.
        patience: seconds after which the leader goes on without a member that is silent.
        options: of each Worker.

    Raises:
        WorkerBootError, TimeoutError: the first one does not start, or has no part of farcall for
            teams. One of the others that does not start leaves a smaller team. Whatever else is
            raised leaves none of the workers.

    Attributes:
        workers: those that started; the first leads.
        why: why there are fewer than asked for, or "".
    """

    def __init__(
        self,
        source: "str",
        *,
        size: "int | str" = "auto",
        leader: "Remote | None" = None,
        patience: "float" = 10.0,
        **options: "Any",
    ) -> None:
        if size != "auto" and (not isinstance(size, int) or size < 1):
            raise ValueError(f"Team: expected a size of at least 1 or 'auto', received {size!r}")
        self._size = size
        self._leader = leader
        self._patience = patience
        self._source = source
        self._name = options.pop("name", "team")
        self._options = options
        self._members: "list[Any]" = []
        self.workers: "list[Worker | _Leader]" = []
        self.why = ""

    @property
    def leader(self) -> "Any":
        """The proxy of what the leader serves; None while it is not up."""
        return self.workers[0].engine if self.workers else None

    @property
    def size(self) -> int:
        """How many workers take part."""
        return len(self.workers)

    if platform.MICROPYTHON:

        def __iter__(self) -> "Any":
            return self._start()

    else:

        def __await__(self) -> "Generator[Any, None, Team]":
            return self._start().__await__()

    async def _start(self) -> "Team":
        if self._size == "auto":
            wanted, self.why = fitting(platform.js.navigator)
        else:
            wanted = int(self._size)
        try:
            for number in range(len(self.workers), wanted):
                if not await self._join(number, wanted):
                    break
            await self._connect()
        except BaseException as error:
            if not platform.is_over(error):
                self.terminate()
                self.workers, self._members = [], []
            raise
        return self

    async def _join(self, number: "int", wanted: "int") -> bool:
        """Start one more; False if it did not, and was not the first."""
        worker: "Worker | _Leader"
        if self._leader is not None and not number:
            worker = _Leader(self._leader)
        else:
            role = "leader" if not number else str(number)
            worker = Worker(self._source, name=f"{self._name}-{role}", **self._options)
        try:
            await worker.start()
            member = await connect(await member_port(worker.engine))
            if isinstance(worker, _Leader):
                await member.member.renew()
        except BaseException as error:
            if not platform.is_over(error):
                worker.terminate()
            if not number or not isinstance(error, Exception):
                raise
            self.why = f"{number} of {wanted} workers: {error}"
            return False
        self.workers.append(worker)
        self._members.append(member.member)
        return True

    async def _connect(self) -> None:
        members = self._members
        for peer in range(len(members)):
            for place in range(peer + 1, len(members)):
                line = await member_port(self.workers[peer].engine)
                await members[place].connect(place, peer, line)
        for place in range(len(members) - 1, -1, -1):
            await members[place].begin(place, len(members), self._patience)

    def terminate(self) -> None:
        """Kill them all, but a leader that others started."""
        for worker in self.workers:
            worker.terminate()


class _Leader:
    """A worker that others started."""

    def __init__(self, engine: "Remote") -> None:
        self.engine = engine

    async def start(self) -> None:
        """It is up."""

    def terminate(self) -> None:
        """Leave it to those who started it."""


def fitting(navigator: "Any") -> "tuple[int, str]":
    """How many workers a machine has cores and memory for, and why not more; "" if for all."""
    wanted = max(1, min(MOST, int(navigator.hardwareConcurrency or 1)))
    memory = navigator.deviceMemory if hasattr(navigator, "deviceMemory") else None
    if not memory or memory * PER_GIB >= wanted:
        return wanted, ""
    size = max(1, int(memory * PER_GIB))
    return size, f"{size} of {wanted} workers: the machine has {memory:g} GiB of memory"
