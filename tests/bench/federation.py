"""A federation of two tabs, and of two of Flower's own SuperNodes: bytes and time of a round."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench.drive import ROOT
from tests.support.chromium import Page
from tests.support.flower import Recorded
from tests.support.limit import Limit
from tests.support.relay import Relay

NODES, ROUNDS = 2, 5
SETTINGS = {"num_server_rounds": ROUNDS, "min_nodes": NODES, "test_images": 500}

Figures = dict[str, float]


def measure(site: str, say: Callable[[str], None]) -> Figures:
    """Return bytes of a round and node (headers and polls included), and a round's seconds less
    what its nodes' apps took, as they say themselves, for tabs that joined through the gateway and
    for SuperNodes.
    """
    found: Figures = {}
    for kind, nodes in (("nn", tabs), ("supernodes", supernodes)):
        with Recorded(ROOT / "build" / "bench" / "federation") as federation:
            federation.superlink()
            federation.gateway("--origin", site.rstrip("/"))
            with nodes(federation, site) as relay:
                run = federation.begin(**SETTINGS)
                start = float(ended(federation, 1)["start"])
                sent = relay.bytes
                ended(federation, ROUNDS)
                found[f"federation.bytes_per_round.{kind}"] = (
                    (relay.bytes - sent) / (ROUNDS - 1) / NODES
                )
                seconds = (evaluated(federation) - start) / ROUNDS
                work = federation.worked(run) / ROUNDS / NODES
                say(f"  {kind}: a round takes {seconds:.2f} s, the app on a node {work:.2f} s")
                found[f"federation.round_overhead_s.{kind}"] = seconds - work
    return found


def ended(federation: Recorded, number: int) -> dict[str, Any]:
    """What a round received, when it has ended."""
    limit = Limit(300)
    while (saved := federation.recorded(number)) is None:
        assert not limit.over(), f"round {number} does not end"
        time.sleep(0.05)
    return saved


def evaluated(federation: Recorded) -> float:
    """When the last round's evaluation had ended."""
    limit = Limit(60)
    while not (when := federation.evaluated(ROUNDS)):
        assert not limit.over(), "the last evaluation does not end"
        time.sleep(0.05)
    return when


@contextmanager
def tabs(federation: Recorded, site: str) -> Iterator[Relay]:
    """Two pages that have joined."""
    with Relay(federation.door) as relay:
        pages = [Page() for _ in range(NODES)]
        try:
            for page in pages:
                page.get(f"{site}index.html#join=&at=http://127.0.0.1:{relay.port}")
                page.until("document.getElementById('join')?.disabled === false", 120)
                page.execute_script("document.getElementById('join').click()")
            yield relay
        finally:
            for page in pages:
                page.quit()


@contextmanager
def supernodes(federation: Recorded, site: str) -> Iterator[Relay]:
    """Two of Flower's own nodes."""
    with Relay(federation.port) as relay:
        for number in range(NODES):
            federation.supernode(number, relay.port)
        yield relay
