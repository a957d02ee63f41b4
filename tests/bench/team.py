"""Two workers that train one network, beside one, and beside two that exchange nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.bench.drive import ROOT, PagePeer, Peer, ProcessPeer
from tests.bench.requirements import Figures
from tests.bench.rpc import ISOLATED, pack
from tests.support.site import Site

Case = Callable[[], float]
TRIALS = 8
# Two workers' losses beside one's: of the first batch, and of the nine after it. Adam moves a
# weight whose gradient is nothing but rounding as far as any other, and cnn_bn has such weights: on
# one worker too its losses differ by 1.6e-3 if the rows of each batch come in another order, and
# the first by 2.4e-7.
FIRST_TOLERANCE = 1e-6
LOSS_TOLERANCE, LOSS_TOLERANCES = 1e-3, {"cnn_bn": 1e-2}
# Six networks, five cases each: all in five minutes.
SECONDS = {"seed": 0.7, "lenet": 0.7, "cnn_bn": 1.2, "mlp": 0.7, "lstm": 1.0}
# Seconds for which both workers of a page train first. Until then V8 compiles their code once more
# on the cores that they need: it takes 1.7 ms of a processor for each of the first hundred batches,
# and still 0.2 to 0.4 ms up to the 700th; all else of a batch takes 4.5 ms.
WARM_UP = 10
# Figures' beginning to network and batch.
NETWORKS = {
    "train128": ("seed", 128),
    "train512": ("seed", 512),
    **{name: (name, 128) for name in ("lenet", "cnn_bn", "mlp", "lstm")},
}


class Teams:
    """A plain page and an isolated one, each with two workers."""

    def __init__(self, plain: str, data: Path) -> None:
        self.data = data
        pack(ROOT / "build" / "bench" / "farcall.zip")
        self.site = Site(headers=ISOLATED)
        self.peers: list[Peer] = []
        self.pages: dict[str, PagePeer] = {}
        for name, url in (("nn_2w", plain), ("nn_2w_shared", self.site.url)):
            self.pages[name] = PagePeer(name, f"{url}tests/bench/pages/team.html")
        self.started = self.starting()
        for page in self.pages.values():
            found = page.call("info")
            assert found == {"size": 2, "why": ""}, found
        for page in self.pages.values():
            self._warm_up(page)

    def close(self) -> None:
        """Quit the browsers."""
        for peer in [*self.peers, *self.pages.values()]:
            peer.close()
        self.site.close()

    def cases(self, task: str, say: Callable[[str], None]) -> dict[str, Case]:
        """Load a network everywhere; return the rates to measure.

        Raises:
            AssertionError: two workers have other losses than one, or exchange in another way.
        """
        network, batch = NETWORKS[task]
        given = {"network": network, "batch": batch}
        half = {"network": network, "batch": batch // 2}
        found: dict[str, Case] = {}
        for name, page in self.pages.items():
            alone = page.call("together.prepare", **given)["losses"]
            shared = page.call("together.load", **given)
            say(f"  {task}.{name}: {shared['way']}")
            apart = [abs(a - b) for a, b in zip(alone, shared["losses"], strict=True)]
            limit = LOSS_TOLERANCES.get(network, LOSS_TOLERANCE)
            assert apart[0] <= FIRST_TOLERANCE, f"losses of {name} differ by {apart}"
            assert max(apart) <= limit, f"losses of {name} differ by {apart}"
            assert shared["way"].endswith("ports" if name == "nn_2w" else "shared memory")
            found[f"{task}.{name}"] = self._rate(page, "together.train", given)
        plain = self.pages["nn_2w"]
        plain.call("apart.prepare", **half)
        found[f"{task}.ceiling_2w"] = self._rate(plain, "apart.step", half)
        found[f"{task}.nn_1w"] = self._rate(plain, "together.step", given)
        plain.call("together.load", team=False, **given)
        found[f"{task}.fit_1w"] = self._rate(plain, "together.train", given | {"team": False})
        for case in found.values():
            case()
        return found

    @staticmethod
    def _warm_up(page: PagePeer) -> None:
        """Train until the code is compiled, on either page for as long."""
        network, batch = NETWORKS["train128"]
        page.call("together.load", network=network, batch=batch)
        page.call("together.train", network=network, batch=batch, seconds=WARM_UP)

    def starting(self) -> Figures:
        """Return what the start of a first and of a second worker takes, in s and MB."""
        page, figures = self.pages["nn_2w"], {}
        for name in ("first", "second"):
            memory, start = self._memory(page), time.perf_counter()
            page.call("start")
            figures[f"team.{name}_worker_s"] = time.perf_counter() - start
            figures[f"team.{name}_worker_mb"] = self._memory(page) - memory
        page.call("end")
        return figures

    @staticmethod
    def _memory(page: PagePeer) -> float:
        """Return the MB of a browser's processes; what they share counts once."""
        total = 0
        for process in processes(page.page.service.process.pid):
            with suppress(OSError):  # it has ended
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                total += sum(map(int, re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)))
        return total / 1000

    def shares(self, task: str) -> Figures:
        """Return the bytes of a batch's exchange, and Adam's share of one worker's step."""
        network, batch = NETWORKS[task]
        found = self.pages["nn_2w"].call("together.share", network=network, batch=batch)
        return {f"{task}.exchange_kb": found["bytes"] / 1000, f"{task}.adam_share": found["share"]}

    def threads(self, task: str) -> dict[str, Case]:
        """Return the rates of two workers beside peers with two threads."""
        network, batch = NETWORKS[task]
        given = {"network": network, "batch": batch}
        script = "script=../peers/ort_training.mjs%3Fthreads=2"
        page = f"{self.site.url}tests/bench/pages/peer.html?{script}"
        peers: dict[str, Peer] = {
            "ort_web_2t": PagePeer("ort_web_2t", page),
            "torch_2t": ProcessPeer("torch_2t", "tests.bench.peers.torch_1t", self.data, 2),
        }
        self.peers += peers.values()
        found = {f"{task}.nn_2w": self._rate(self.pages["nn_2w"], "together.train", given)}
        for name, peer in peers.items():
            assert peer.call("info")["threads"] == 2, name
            peer.call("load", **given)
            found[f"{task}.{name}"] = self._rate(peer, "train", given)
        for case in found.values():
            case()
        return found

    @staticmethod
    def _rate(page: Peer, operation: str, given: dict[str, Any]) -> Case:
        seconds = SECONDS[given["network"]]
        return lambda: float(page.call(operation, **given, seconds=seconds)["rate"])

    def predicting(self) -> dict[str, Case]:
        """Return the cases of 10,000 images, by one worker and half of them by each of two."""
        page = self.pages["nn_2w"]
        page.call("apart.prepare", network="seed", batch=0)

        def case(operation: str, count: int) -> Case:
            given = {"network": "seed", "batch": 0, "count": count, "seconds": 0.6}
            return lambda: float(page.call(operation, **given)["rate"])

        return {
            "predict10000.nn_2w": case("apart.predict", 5000),
            "predict10000.nn": case("together.predict", 10_000),
        }

    def searching(self) -> dict[str, Case]:
        """Return the cases of several trials: by a search with one worker and two, and apart."""
        page = self.pages["nn_2w"]

        def case(operation: str, **given: Any) -> Case:
            return lambda: float(page.call(operation, **given)["rate"])

        return {
            "trials8.nn_2w": case("search", workers=2, count=TRIALS),
            "trials8.nn_1w": case("search", workers=1, count=TRIALS),
            "trials8.ceiling_2w": case("apart.trials", count=TRIALS // 2),
        }


def processes(root: int) -> list[int]:
    """Return a process and all that it started."""
    found = [root]
    for process in found:
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            with suppress(OSError):  # it has ended
                found += map(int, task.read_text().split())
    return found


def run(bench: Any) -> None:
    """Measure every network, predictions, and trials."""
    teams = Teams(bench.site, bench.data)
    try:
        bench.repeat(lambda: teams.started, rounds=1)
        for task in NETWORKS:
            bench.measure(teams.cases(task, bench.say))
        bench.repeat(lambda: teams.shares("mlp"), rounds=1)
        bench.measure(teams.predicting())
        bench.measure(teams.searching())
        bench.measure(teams.threads("train512"))
    finally:
        teams.close()
