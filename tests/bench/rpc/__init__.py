"""farcall beside raw postMessage, Comlink and PyScript's `workers`, in one Chromium.

The pages are served with COOP and COEP, for timers of 5 us instead of 100 us; nothing here needs
them otherwise. Round trips are `add(i, 1)`, one after the other, every result checked.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium.common.exceptions import TimeoutException

from tests.bench.drive import ROOT, PagePeer, PeerError
from tests.support.interpreters import farcall_files
from tests.support.site import Site

ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
Case = Callable[[], float]
# Figure's name to (page, peer there).
PEERS = {
    "raw_js": ("javascript", "raw_js"),
    "comlink": ("javascript", "comlink"),
    "raw_mpy_py": ("mpy", "raw"),
    "farcall_mpy_py": ("mpy", "farcall"),
    "pyscript_workers": ("mpy", "pyscript_workers"),
    "raw_py_py": ("py", "raw"),
    "farcall_py_py": ("py", "farcall"),
    "pyscript_workers_py_py": ("py", "pyscript_workers"),
}
CALLS, WARM_UP_CALLS = 2000, 1000  # a round; five rounds make the 10,000
SIZES = (1, 10, 100)
ARRAY_PEERS = ("farcall", "limit", "pyscript_workers")
# What a worker gives: figure's name to (function of served.py, characters or rows).
VALUES = {
    "text_100kb": ("text", 100_000),
    "text_1mb": ("text", 1_000_000),
    "text_10mb": ("text", 10_000_000),
    "rows_20000": ("rows", 20_000),
    "bytes_1mb": ("raw", 1_000_000),
}
PATIENCE = 100  # seconds for what takes a few: then a peer cannot do it
VALUE_PEERS = ("farcall_mpy_py", "pyscript_workers", "farcall_py_py", "pyscript_workers_py_py")


def pack(path: Path) -> None:
    """Write farcall as the zip that the pages' configurations name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in farcall_files():
            archive.write(ROOT / "py" / "farcall" / name, f"farcall/{name}")


class Remote:
    """The pages, each in a browser of its own, and the cases on them."""

    def __init__(self) -> None:
        pack(ROOT / "build" / "bench" / "farcall.zip")
        self.site = Site(headers=ISOLATED)
        self.pages: dict[str, PagePeer] = {}
        self.lacking: set[tuple[str, str]] = set()  # peers and what they cannot carry

    def __enter__(self) -> Remote:
        for name in ("javascript", "mpy", "py"):
            self.pages[name] = self._opened(name)
            assert self.pages[name].call("info")["isolated"], "timers are coarse: not isolated"
        return self

    def __exit__(self, *error: object) -> None:
        for page in self.pages.values():
            page.close()
        self.site.close()

    def _opened(self, name: str) -> PagePeer:
        page = PagePeer(name, f"{self.site.url}tests/bench/rpc/{name}.html")
        page.page.set_script_timeout(PATIENCE)
        return page

    def latencies(self) -> dict[str, dict[str, float]]:
        """Measure a round of every peer; return p50, p95 and p99 by peer, in ms."""
        return {
            name: self.pages[page].call("latency", peer=peer, calls=CALLS)
            for name, (page, peer) in PEERS.items()
        }

    def round_trips(self) -> dict[str, float]:
        """Return the figures of one round of latencies."""
        return {
            f"rpc.{percentile}_ms.{name}": value
            for name, found in self.latencies().items()
            for percentile, value in found.items()
        }

    def warm_up(self) -> None:
        """Let every peer run before anything counts."""
        for page, peer in PEERS.values():
            self.pages[page].call("latency", peer=peer, calls=WARM_UP_CALLS)

    def rates(self) -> dict[str, Case]:
        """Return the cases that count calls, callbacks and stream items a second (MicroPython)."""
        page = self.pages["mpy"]

        def flying(count: int) -> Case:
            return lambda: float(page.call("rate", in_flight=count, seconds=0.7)["rate"])

        return {
            **{f"rpc.calls_per_s.{n}": flying(n) for n in (1, 8, 64, 512)},
            "rpc.callbacks_per_s": lambda: page.call("callbacks", count=3200, wave=64)["rate"],
            "rpc.stream_items_per_s": lambda: page.call("stream", count=10_000)["rate"],
        }

    def arrays(self) -> dict[str, Case]:
        """Return the cases that bring an array from the worker into the page's NumPy."""
        page = self.pages["py"]
        for peer in ARRAY_PEERS:
            for size in SIZES:
                page.call("prepare", peer=peer, megabytes=size)
                page.call("array", peer=peer, megabytes=size)  # the first touches fresh memory

        def bringing(peer: str, size: int) -> Case:
            return lambda: float(page.call("array", peer=peer, megabytes=size)["ms"])

        return {
            f"rpc.array_{size}mb_ms.{peer}": bringing(peer, size)
            for size in SIZES
            for peer in ARRAY_PEERS
        }

    def values(self) -> dict[str, float]:
        """Bring every value once: milliseconds until it is read, and the page's longest pause.

        A peer that cannot carry a value takes for ever.
        """
        return {
            f"rpc.{value}_{unit}.{name}": spent
            for value in VALUES
            for name in VALUE_PEERS
            for unit, spent in self._brought(value, name).items()
        }

    def _brought(self, value: str, name: str) -> dict[str, float]:
        page, peer = PEERS[name]
        kind, size = VALUES[value]
        if kind == "raw" and peer != "farcall":
            return {}
        if (value, name) not in self.lacking:
            try:
                return self.pages[page].call("bring", peer=peer, kind=kind, size=size)
            except (PeerError, TimeoutException):
                self.lacking.add((value, name))
                self.pages[page].close()
                self.pages[page] = self._opened(page)
                self.prepare_texts(page)
        return {"ms": math.inf, "block_ms": math.inf}

    def prepare_texts(self, *pages: str) -> None:
        """Have the texts made, so that no time of theirs is counted."""
        for page in pages:
            for kind, size in VALUES.values():
                for peer in ("farcall", "pyscript_workers"):
                    if kind == "text":
                        self.pages[page].call("prepare_text", peer=peer, characters=size)

    def first_call(self) -> dict[str, float]:
        """Measure a worker's start to its first answer, in a fresh browser."""
        page = self._opened("first")
        try:
            return {"rpc.first_call_ms": float(page.call("first_call")["ms"])}
        finally:
            page.close()


def run(bench: Any) -> None:
    """Measure everything over the rounds of `bench` (a `cases.Bench`)."""
    with Remote() as remote:
        remote.warm_up()
        bench.repeat(remote.round_trips, bench.rounds)
        bench.measure(remote.rates())
        bench.measure(remote.arrays(), rounds=3 * bench.rounds)
        remote.prepare_texts("mpy", "py")
        remote.values()  # the first grows heaps
        bench.repeat(remote.values, bench.rounds)
        for value, name in sorted(remote.lacking):
            bench.say(f"  {name} cannot carry {value}")
        bench.repeat(remote.first_call, rounds=3)
