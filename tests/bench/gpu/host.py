"""The rows of `make bench` that need no card: the host's own work, and an emulated GPU.

A ratio on an emulator is not one on a card. What a step costs the host is: the processor time of
the process, with Dawn's null backend, which records and checks every call and computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from tests.bench.drive import PeerError
from tests.bench.gpu import pack, rows
from tests.bench.gpu.rows import Process

PEERS = ("nn", "tfjs", "jaxjs")


def run(bench: Any) -> None:
    """Milliseconds of a step of the seed network on the host; images a second, emulated."""
    try:
        _measure(bench, pack.write())
    except rows.PeerError as error:
        raise PeerError(str(error)) from error


def _measure(bench: Any, folder: Path) -> None:
    with ExitStack() as stack:
        peers = {
            name: stack.enter_context(closing(Process(name, folder, backend="null")))
            for name in PEERS
        }
        given = {"network": "seed", "batch": 128}
        for peer in peers.values():
            peer.call("load", **given)
            peer.call("train", **given, seconds=1)
        bench.measure(
            {f"gpu.host_ms_per_step.{n}": _figure(p, "host_ms", given) for n, p in peers.items()}
        )
    with ExitStack() as stack:
        peers = {
            name: stack.enter_context(closing(Process(name, folder, emulated=True)))
            for name in PEERS
        }
        given = {"network": "seed", "batch": 32}
        first = {name: peer.call("load", **given)["losses"][0] for name, peer in peers.items()}
        apart = max(first.values()) - min(first.values())
        assert apart <= 1e-3, f"first losses on the emulated GPU differ: {first}"
        bench.measure(
            {f"gpu.software.seed32.{n}": _figure(p, "rate", given) for n, p in peers.items()},
            rounds=min(3, bench.rounds),
        )


def _figure(peer: Process, name: str, given: dict[str, Any]) -> Callable[[], float]:
    return lambda: float(peer.call("train", **given, seconds=1)[name])
