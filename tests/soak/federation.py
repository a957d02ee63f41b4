"""`make soak ONLY=federation`: faults, accuracy beside SuperNodes, many nodes through the gateway.

Ten rounds of two good nodes and others that each do one thing wrong in a round of their own: no
round takes longer than its time-out, none fails, and nothing is kept of a bad reply. Then three
rounds of three nodes of ours, and the same with three flower-supernodes: the accuracies on 2,000
test images differ by at most 0.5 points. Last 1,000 nodes, 20 of them in each of two rounds: nodes
served in a second, bytes, memory of gateway and SuperLink.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import nn
import numpy as np
from federation import Answer, Fleet, Node, UnreachableError
from federation.platform.cpython import CPythonKey, HttpTransport

from tests.soak.faults import timed
from tests.support.flower import Recorded, answering, images, task
from tests.support.nodes import adding_one
from tests.support.superlink import until
from tools.federation import Federation
from tools.serve import ROOT

BUILD = ROOT / "build" / "soak-federation"
NODES, SAMPLED, ROUNDS, POINTS = 1000, 20, 2, 0.5
OPEN = ("--rate", "100000")  # all these nodes have one address

Say = Callable[[str], None]


class Pooled:
    """Requests over few connections, as many browsers' would come through a proxy."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        try:
            found = await self._client.post(path, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise UnreachableError(f"{path}: {error!r}") from error
        return Answer(found.status_code, found.content, found.headers.get("date"))


async def many(say: Say, number: int) -> bool:
    """Run a federation of many nodes; whether each node that was asked answered."""
    with Recorded(BUILD / "many") as federation:
        federation.superlink()
        federation.gateway(*OPEN)
        limits = httpx.Limits(max_connections=50)
        address = f"http://127.0.0.1:{federation.door}"
        async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
            nodes = [
                Node(adding_one(), Fleet(Pooled(client), CPythonKey()), heartbeat=600.0,
                     poll=15.0, idle=30.0) for _ in range(number)
            ]  # fmt: skip
            before, start = memory(federation), time.monotonic()
            tasks = [asyncio.create_task(node.run()) for node in nodes]
            await until(lambda: all(node.node_id for node in nodes), 600)
            say(f"{number} nodes joined in {time.monotonic() - start:.0f} s")
            calls, sent, received = totals(nodes)
            start = time.monotonic()
            federation.begin(
                num_server_rounds=ROUNDS, min_nodes=SAMPLED, fraction_train=SAMPLED / number,
                fraction_evaluate=0.0, most_change=1e6, test_images=500,
            )  # fmt: skip
            await until(lambda: federation.recorded(ROUNDS), 600)
            seconds = time.monotonic() - start
            after = memory(federation)
            more, out_bytes, in_bytes = (b - a for a, b in zip(
                (calls, sent, received), totals(nodes), strict=True))  # fmt: skip
            answered = sum(node.answered for node in nodes)
            say(f"{ROUNDS} rounds of {SAMPLED} in {seconds:.0f} s, {more / seconds:.1f} calls/s, "
                f"{answered} answers")  # fmt: skip
            each = ROUNDS * SAMPLED
            say(f"bytes a round and asked node, bodies: {out_bytes / each:.0f} sent, "
                f"{in_bytes / each:.0f} received, with all other nodes' polls")  # fmt: skip
            for name in before:
                say(f"memory of the {name}: {before[name]:.0f} MiB, then {after[name]:.0f} MiB")
            for node in nodes:
                node.stop()
            await asyncio.gather(*tasks)
            return answered == each


def totals(nodes: list[Node]) -> tuple[int, int, int]:
    fleets = [node.fleet for node in nodes]
    return (
        sum(fleet.calls for fleet in fleets),
        sum(fleet.sent for fleet in fleets),
        sum(fleet.received for fleet in fleets),
    )


def memory(federation: Federation) -> dict[str, float]:
    """Resident memory of the SuperLink and the gateway, MiB."""
    found = {}
    for name in ("superlink", "gateway"):
        status = Path(f"/proc/{federation.pid(name)}/status").read_text()
        found[name] = int(status.split("VmRSS:")[1].split()[0]) / 1024
    return found


async def accuracy(kind: str, rounds: int = 3) -> float:
    """The accuracy that three nodes of a kind reach, in percent."""
    with Recorded(BUILD / kind) as federation:
        federation.superlink()
        federation.gateway(*OPEN)
        running = []
        if kind == "supernodes":
            for number in range(3):
                federation.supernode(number)
        else:
            running = [asyncio.create_task(own(federation, number)) for number in range(3)]
        federation.begin(num_server_rounds=rounds, min_nodes=3, test_images=500)
        saved = await until(lambda: federation.recorded(rounds), 400)
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return await evaluated([saved[f"made-{place}"] for place in range(8)])


async def own(federation: Federation, number: int) -> None:
    """One of our nodes with a share of the images."""
    device = task().Device(task().network(), *task().share(images("train"), number))
    fleet = Fleet(HttpTransport(f"http://127.0.0.1:{federation.door}"), CPythonKey())
    await Node(answering(device), fleet).run()


async def evaluated(arrays: list[Any]) -> float:
    model = task().network()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.set_weights(arrays)
    found = await model.evaluate(images("t10k").take(2000), batch_size=500, return_dict=True)
    return 100 * float(found["accuracy"])


def check(nodes: int = NODES) -> bool:
    """Run all; whether it is sound."""

    def say(text: str) -> None:
        print(f"federation: {text}", flush=True)  # noqa: T201

    nn.kernels.load()
    with np.errstate(all="ignore"):  # what bad nodes send
        sound = asyncio.run(timed(say, BUILD / "faults"))
    ours, theirs = asyncio.run(accuracy("nodes")), asyncio.run(accuracy("supernodes"))
    say(f"accuracy after 3 rounds: {ours:.2f} % with our nodes, {theirs:.2f} % with SuperNodes")
    sound &= abs(ours - theirs) <= POINTS
    return asyncio.run(many(say, nodes)) and sound
