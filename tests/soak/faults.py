"""What nodes and servers do wrong in a federation, each in a round of its own; what it costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from federation import (
    Answer,
    ArrayRecord,
    FederationError,
    Message,
    MetricRecord,
    Node,
    RecordDict,
    UnreachableError,
)
from federation.fleet import SIGNED
from federation.platform.cpython import CPythonKey, HttpTransport

from tests.support.flower import Recorded
from tests.support.nodes import Changing, adding_one
from tests.support.superlink import until

TIMEOUT = 20.0  # seconds of a round
MARGIN = 10.0  # the server app asks every 3 s, and this machine may be busy
STEP = 0.001  # what good nodes add to each number
HUGE = 30_000_000  # numbers, 120 MB
HEARTBEAT = 10.0  # seconds; a node is gone after two
VERSATILE = ("nan", "length", "huge", "forged", "duplicate", "clock", "slow")
SILENT = ("half", "closed")  # gone from their round on
ROUNDS = (*VERSATILE, *SILENT, "gateway")
Say = Callable[[str], None]


class Cut(HttpTransport):
    """A connection that can be lost for ever, as a closed tab's."""

    lost = False

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self.lost:
            raise UnreachableError("the tab is closed")
        return await super().post(path, body, headers)


class Faulty:
    """A node that does one thing wrong in each round of its faults, and else what good nodes do."""

    def __init__(self, address: str, *faults: str) -> None:
        self.faults, self.now = faults, 0
        self.transport = Cut(address)
        self.fleet = Changing(self.transport, CPythonKey())
        self.fleet.change = self._change
        self.good = adding_one(STEP)
        self.node = Node(self._answer, self.fleet, heartbeat=HEARTBEAT, poll=1.0, idle=1.0)
        self.again, self.refused = False, ""
        self.repeated: asyncio.Future[None] | None = None

    @property
    def wrong(self) -> str:
        """Its fault in this round, or ""."""
        fault = ROUNDS[self.now - 1] if 0 < self.now <= len(ROUNDS) else ""
        return fault if fault in self.faults else ""

    async def _answer(self, message: Message, context: Any) -> Message:
        self.now = int(message.content["config"]["server-round"])
        if self.wrong == "slow":
            await asyncio.sleep(TIMEOUT + 2)
        if self.wrong == "clock":
            self.fleet._offset = 3600.0  # it believes that it is an hour later
            self.fleet._signed = -SIGNED
        if self.wrong == "closed":
            self.transport.lost = True
        if self.wrong in ("nan", "length", "huge"):
            return self._bad(message)
        return await self.good(message, context)

    def _bad(self, message: Message) -> Message:
        arrays = message.content["arrays"].to_numpy_ndarrays()
        if self.wrong == "nan":
            arrays[0] = np.full_like(arrays[0], np.nan)
        else:
            arrays[-1] = np.ones(HUGE if self.wrong == "huge" else 3, np.float32)
        metrics = MetricRecord({"num-examples": 10, "loss": 0.5})
        return Message(
            RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message
        )

    def _change(self, name: str, fields: dict[str, Any]) -> None:
        if self.wrong == "half" and name == "push-object":
            self.transport.lost = True
        if self.wrong == "forged" and name == "push-messages":
            [message] = fields["messages_list"]
            message["metadata"]["src_node_id"] += 1
        if self.wrong == "duplicate" and name == "push-messages" and not self.again:
            self.again = True
            self.repeated = asyncio.ensure_future(self._repeat({**fields}))

    async def _repeat(self, fields: dict[str, Any]) -> None:
        """Announce the same reply again, after it came."""
        answered = self.node.answered
        await until(lambda: self.node.answered > answered, 60)
        try:
            await self.fleet.call("push-messages", **fields)
        except FederationError as error:
            self.refused = str(error)


async def timed(say: Say, folder: Path) -> bool:
    """Run the rounds of faults, then restart the SuperLink; whether all is as wanted."""
    with Recorded(folder) as federation:
        federation.superlink()
        federation.gateway("--rate", "100000")
        address = f"http://127.0.0.1:{federation.door}"
        nodes = [Faulty(address), Faulty(address), Faulty(address, *VERSATILE)]
        nodes += [Faulty(address, fault) for fault in SILENT]
        tasks = [asyncio.create_task(one.node.run()) for one in nodes]
        await until(lambda: all(one.node.node_id for one in nodes), 60)
        federation.begin(
            num_server_rounds=len(ROUNDS), min_nodes=2, fraction_evaluate=0.0, timeout=TIMEOUT,
            most_change=1e6, test_images=100,
        )  # fmt: skip
        sound = True

        def recorded(number: int) -> dict[str, Any] | None:
            for task in tasks:
                if task.done():
                    task.result()  # why a node has ended
            return federation.recorded(number)

        for number, fault in enumerate(ROUNDS, 1):
            if fault == "gateway":
                await until(lambda: nodes[0].now == len(ROUNDS), 60)
                await restart(federation, "gateway")
            saved = await until(partial(recorded, number), 120)
            sound &= judged(say, fault, saved)
        sound &= await superlink(say, federation, nodes)
        for one in nodes:
            one.node.stop()
            one.transport.lost = False
        await asyncio.gather(*tasks, return_exceptions=True)
    return sound


def judged(say: Say, fault: str, saved: dict[str, Any]) -> bool:
    """Say what a round took and kept; whether that is as wanted."""
    seconds = float(saved["end"] - saved["start"])
    moved = [saved[f"made-{place}"] - saved[f"sent-{place}"] for place in range(8)]
    clean = all(np.abs(move - STEP).max() < STEP / 100 for move in moved)
    kept = sum(name.startswith("count-") for name in saved) - len(saved["dropped"])
    dropped, errors = ", ".join(saved["dropped"]), ", ".join(map(str, saved["errors"]))
    say(
        f"{fault}: {seconds:.1f} s, {kept} replies kept, dropped: {dropped[:120] or 'none'}, "
        f"errors: {errors[:120] or 'none'}, {'nothing' if clean else 'SOMETHING'} of a bad reply"
    )
    return clean and seconds <= TIMEOUT + MARGIN


async def restart(federation: Recorded, name: str) -> None:
    await asyncio.to_thread(federation.stop, name)
    if name == "gateway":
        await asyncio.to_thread(federation.gateway, "--rate", "100000")
    else:
        await asyncio.to_thread(federation.superlink)


async def superlink(say: Say, federation: Recorded, nodes: list[Faulty]) -> bool:
    """Restart the SuperLink, which forgets nodes and run: they join again, the next run ends."""
    alive = [one for one in nodes if not one.transport.lost]
    before = {one.node.node_id for one in alive}
    start = time.monotonic()
    await restart(federation, "superlink")
    await until(lambda: all(one.node.node_id not in {0, *before} for one in alive), 60)
    joined = time.monotonic() - start
    (federation.out / "round-1.npz").unlink()
    for one in nodes:
        one.faults = ()
    federation.begin(
        num_server_rounds=1, min_nodes=len(alive), fraction_evaluate=0.0, timeout=TIMEOUT,
        most_change=1e6, test_images=100,
    )  # fmt: skip
    saved = await until(lambda: federation.recorded(1), 120)
    say(f"superlink: {len(alive)} nodes joined again after {joined:.1f} s; then a run of theirs:")
    return judged(say, "superlink", saved)
