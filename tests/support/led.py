"""Teams with a leader in one process: farcall's members, over pairs in memory, and their faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import farcall
import nn
from farcall.connection.namespace import namespace
from farcall.endpoints import memory_pair
from farcall.workers.teams.member import Member
from nn.distribution.training import summed

PATIENCE = 20.0
"""Seconds: no member is silent by chance."""


class Faulty(Member):
    """A member with faults: when it is to sum for the nth time, it "dies", "fails" for want of
    memory, or "blocks": its thread is busy with something else until `release`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.faults: dict[int, str] = {}
        self.sums = 0
        self.team: Team | None = None
        self.heard: list[tuple[str, Any]] = []
        self._missed: list[Any] | None = None
        self._released = asyncio.Event()

    def hear(self, peer: Any, kind: Any, term: Any, content: Any) -> None:
        """Take a message, or miss it."""
        self.heard.append((kind, content))
        if self._missed is None:
            super().hear(peer, kind, term, content)
        else:
            self._missed.append((peer, kind, term, content))

    async def all_reduce(self, array: Any) -> None:
        """Sum, or do what the fault says."""
        self.sums += 1
        fault = self.faults.get(self.sums)
        if fault == "dies":
            assert self.team is not None
            self.team.cut(self._roster.place)
            await asyncio.Event().wait()
        if fault == "fails":
            raise MemoryError("no page of memory is left")
        if fault == "blocks":
            await self._block()
        await summed(super(), array)

    async def _block(self) -> None:
        self._missed = []
        await self._released.wait()
        self._released.clear()
        missed, self._missed = self._missed, None
        for message in missed:
            asyncio.get_running_loop().call_soon(super().hear, *message)

    @property
    def blocked(self) -> bool:
        """Whether it does not answer."""
        return self._missed is not None

    def release(self) -> None:
        """Let a blocked member go on."""
        self._released.set()


class Team:
    """Members of this process, connected as a page connects workers."""

    def __init__(self, members: list[Faulty]) -> None:
        self.members = members
        self.sessions: dict[tuple[int, int], Any] = {}
        for member in members:
            member.team = self

    @property
    def leader(self) -> Faulty:
        """The member that leads."""
        return self.members[0]

    async def start(self, patience: float) -> None:
        """Connect all with each other, and begin."""
        for place, member in enumerate(self.members):
            for peer in range(place):
                here, there = memory_pair()
                space = namespace({"member": self.members[peer]})
                self.sessions[peer, place] = farcall.Session(here, space)
                await member.connect(place, peer, there)
        for place in reversed(range(len(self.members))):
            self.members[place].begin(place, len(self.members), patience)

    def cut(self, place: int) -> None:
        """Cut all lines of a member, as its death does."""
        for pair, session in self.sessions.items():
            if place in pair:
                session.close()


@asynccontextmanager
async def led(
    size: int,
    faults: dict[int, dict[int, str]] | None = None,
    limits: dict[int, int] | None = None,
    patience: float = PATIENCE,
) -> AsyncIterator[Team]:
    """A team that has begun; it ends with the block.

    Args:
        size: how many members.
        faults: of members by their places: the number of a sum, and what happens then.
        limits: of members by their places: bytes that they have.
        patience: seconds after which the leader goes on without one that is silent.
    """

    def joins(place: int) -> Callable[[Any], None]:
        def join(member: Any) -> None:
            limit = (limits or {}).get(place)
            with nullcontext() if limit is None else nn.config.weight_limit(limit):
                nn.distribution.join(member)

        return join

    team = Team([Faulty(joins(place)) for place in range(size)])
    for place, plan in (faults or {}).items():
        team.members[place].faults = plan
    await team.start(patience)
    try:
        yield team
    finally:
        nn.distribution.initialize()
        for place in range(1, size):
            team.cut(place)
