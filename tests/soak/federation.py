"""`make soak ONLY=federation`: many nodes through the gateway, and accuracy beside SuperNodes.

1,000 nodes of ours, 20 of them in each of two rounds: nodes served in a second, bytes, memory of
gateway and SuperLink. Then three rounds of three nodes of ours, and the same with three
flower-supernodes: the accuracies on 2,000 test images differ by at most 0.5 points.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import nn
import numpy as np
from federation import Answer, Fleet, Node, UnreachableError
from federation.platform.cpython import CPythonKey, UrllibTransport

from tests.support.nodes import adding_one
from tests.support.superlink import until
from tools.federation import APP, Federation
from tools.serve import ROOT

BUILD = ROOT / "build" / "soak-federation"
MNIST = ROOT / "static" / "vendor" / "mnist"
NODES, SAMPLED, ROUNDS, POINTS = 1000, 20, 2, 0.5


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


@contextmanager
def started(name: str) -> Iterator[tuple[Federation, Path, Path]]:
    """A federation, its app that writes what it receives, and where."""
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    app = shutil.copytree(APP, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests/browser/federation/recording.py", app / "learn")
    settings = app / "pyproject.toml"
    settings.write_text(settings.read_text().replace("learn.server_app:app", "learn.recording:app"))
    out = folder / "out"
    out.mkdir()
    with Federation(folder / "run", environment={"LEARN_OUT": str(out)}) as federation:
        federation.superlink()
        federation.gateway("--rate", "100000")
        yield federation, app, out


async def appears(path: Path, seconds: float, done: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not path.exists():  # noqa: ASYNC240 - on this machine's disk
        if time.monotonic() > end or done():
            raise TimeoutError(f"{path.name} does not come; ended: {done() or 'none'}")
        await asyncio.sleep(0.5)


async def many(say: Callable[[str], None], number: int) -> bool:
    """Run a federation of many nodes; whether each node that was asked answered."""
    with started("many") as (federation, app, out):
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
            federation.run(
                app, num_server_rounds=ROUNDS, min_nodes=SAMPLED, fraction_train=SAMPLED / number,
                fraction_evaluate=0.0, most_change=1e6, test_images=500,
            )  # fmt: skip
            await appears(out / f"round-{ROUNDS}.npz", 600, federation.ended)
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
    with started(kind) as (federation, app, out):
        running = []
        if kind == "supernodes":
            for number in range(3):
                federation.supernode(number)
        else:
            running = [asyncio.create_task(own(federation, n)) for n in range(3)]
        federation.run(app, num_server_rounds=rounds, min_nodes=3, test_images=500)
        await appears(out / f"round-{rounds}.npz", 400, federation.ended)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        with np.load(out / f"round-{rounds}.npz") as saved:
            made = [saved[f"made-{place}"] for place in range(4)]
    return await evaluated(made)


async def own(federation: Federation, number: int) -> None:
    """One of our nodes with a share of the images."""
    device = task_module().Device(*task_module().share(images("train"), number))

    async def answer(message: Any, context: Any) -> Any:
        from federation import ArrayRecord, Message, MetricRecord, RecordDict

        received = message.content["arrays"].to_numpy_ndarrays()
        if message.metadata.message_type == "train":
            arrays, metrics = await device.train(received, message.content["config"])
            records = {"arrays": ArrayRecord(arrays), "metrics": MetricRecord(metrics)}
        else:
            records = {"metrics": MetricRecord(await device.evaluate(received))}
        return Message(RecordDict(records), reply_to=message)

    address = f"http://127.0.0.1:{federation.door}"
    await Node(answer, Fleet(UrllibTransport(address), CPythonKey())).run()


def task_module() -> Any:
    if str(APP) not in sys.path:
        sys.path.insert(0, str(APP))
    from learn import task

    return task


def images(which: str) -> Any:
    parts = (f"{which}-images-idx3-ubyte.gz", f"{which}-labels-idx1-ubyte.gz")
    return nn.Dataset.from_idx(*[(MNIST / part).read_bytes() for part in parts])


async def evaluated(arrays: list[Any]) -> float:
    model, data = task_module().network(), images("t10k")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.set_weights(arrays)
    x = data.x[:2000].astype(np.float32) / np.float32(255)
    found = await model.evaluate(x, data.y[:2000], batch_size=500, return_dict=True)
    return 100 * float(found["accuracy"])


def check(nodes: int = NODES) -> bool:
    """Run all; whether it is sound."""

    def say(text: str) -> None:
        print(f"federation: {text}", flush=True)  # noqa: T201

    sound = asyncio.run(many(say, nodes))
    ours, theirs = asyncio.run(accuracy("nodes")), asyncio.run(accuracy("supernodes"))
    say(f"accuracy after 3 rounds: {ours:.2f} % with our nodes, {theirs:.2f} % with SuperNodes")
    return sound and abs(ours - theirs) <= POINTS
