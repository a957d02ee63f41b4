"""What is measured: each task names its cases, and the rounds go through them in turn.

A round runs every case once, A B C A B C, so that what else the machine does falls on all alike;
a figure is the median of its rounds.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.bench import (
    engines,
    federation,
    lighthouse,
    own,
    photograph_rows,
    picture,
    rpc,
    start,
    team,
)
from tests.bench.drive import PagePeer, Peer, ProcessPeer
from tests.bench.gpu import host
from tests.bench.requirements import (
    CHANNELS,
    DIRECTIONS,
    LOADED,
    OTHER_NETWORKS,
    SEQUENCES,
    Figures,
)

Case = Callable[[], float]
LOSS_TOLERANCE = 1e-3
LATER_TOLERANCE = 1e-2  # after nine updates: rounding has grown, a wrong gradient shows
WARM_UP_SECONDS = 0.7
TRAINERS = (
    "nn",
    "torch_1t",
    "ort_web_1t",
    "tfjs_wasm_1t",
    "nn_numpy",
    "numpy_native",
    "numpy_pyodide",
)
# Peers that train each network; the naive NumPy step is written for the seed network's layers.
TRAINS = {
    "seed": ("nn", "torch_1t", "ort_web_1t", "nn_numpy", "numpy_native", "numpy_pyodide"),
    "lenet": ("nn", "torch_1t", "ort_web_1t"),
    "cnn_bn": ("nn", "torch_1t", "ort_web_1t"),
    "mlp": ("nn", "torch_1t", "ort_web_1t", "tfjs_wasm_1t"),
    "lstm": ("nn", "torch_1t", "ort_web_1t"),
}
# Steps of a tenth of a second and more need longer blocks than steps of a few milliseconds.
SECONDS = {"seed": 1.0, "lenet": 1.0, "cnn_bn": 2.0, "mlp": 1.0, "lstm": 1.5}
SCRIPTS = {
    "ort_web_1t": "ort_training.mjs",
    "ort_inference": "ort_inference.mjs",
    "tfjs_wasm_1t": "tfjs.js",
    "peak": "peak.mjs",
    "photographs_ort": "photographs_ort.mjs",
    "photographs_tfjs": "photographs_tfjs.js",
}
PROCESSES = {
    "torch_1t": "torch_1t",
    "numpy_native": "numpy_native",
    "photographs_torch": "photographs_torch",
}


class Engine:
    """One of the loops that the engine's worker holds: nn, nn_numpy or numpy_pyodide."""

    def __init__(self, page: Peer, loop: str) -> None:
        self.page, self.loop = page, loop

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        """Run one operation of this loop."""
        return self.page.call(f"{self.loop}.{operation}", **given)

    def close(self) -> None:
        """Leave the page to its owner."""


class Bench:
    """The peers, started when first needed, and the figures so far."""

    def __init__(self, site: str, data: Path, rounds: int, say: Callable[[str], None]) -> None:
        self.site, self.data, self.rounds, self.say = site, data, rounds, say
        self.peers: dict[str, Peer] = {}
        self.info: dict[str, Any] = {}
        self.figures: Figures = {}
        self.spread: dict[str, list[float]] = {}
        self.failures: list[str] = []
        self.stack = ExitStack()

    @contextmanager
    def running(self) -> Iterator[Bench]:
        """Close every peer at the end, whatever happens."""
        with self.stack:
            yield self

    def peer(self, name: str) -> Peer:
        """Return a peer, started now if it is new."""
        if name not in self.peers:
            self.peers[name] = self._start(name)
            self.stack.callback(self.peers[name].close)
            self.info[name] = self.peers[name].call("info")
        return self.peers[name]

    def _start(self, name: str) -> Peer:
        if name in PROCESSES:
            return ProcessPeer(name, f"tests.bench.peers.{PROCESSES[name]}", self.data)
        pages = f"{self.site}tests/bench/pages/"
        if name == "engine":
            return PagePeer(name, f"{pages}engine.html")
        if name in SCRIPTS:
            return PagePeer(name, f"{pages}peer.html?script=../peers/{SCRIPTS[name]}")
        return Engine(self.peer("engine"), name)

    def measure(self, cases: dict[str, Case], rounds: int | None = None) -> None:
        """Run the cases in turn, round by round, and keep each one's median."""
        names = list(cases)
        taken: dict[str, list[float]] = {name: [] for name in names}
        for index in range(rounds or self.rounds):
            turn = index % len(names)  # whoever goes first finds the coolest machine
            for name in names[turn:] + names[:turn]:
                taken[name].append(cases[name]())
        self.keep(taken)

    def repeat(self, measured: Callable[[], Figures], rounds: int) -> None:
        """Run something that gives many figures at once, and keep each one's median."""
        taken: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, value in measured().items():
                taken.setdefault(name, []).append(value)
        self.keep(taken)

    def keep(self, taken: dict[str, list[float]]) -> None:
        """Note the rounds' values and their medians."""
        self.spread |= taken
        for name, values in taken.items():
            self.figures[name] = statistics.median(values)
            self.say(f"  {name:<28} {self.figures[name]:>12,.2f}   {_range(values)}")

    def load(self, network: str, batch: int, peers: tuple[str, ...]) -> None:
        """Load a network into peers and warm them up.

        Raises:
            AssertionError: their losses differ, so they do not do the same work.
        """
        losses: dict[str, list[float]] = {}
        for name in peers:
            loaded = self.peer(name).call("load", network=network, batch=batch)
            losses[name] = loaded["losses"]
            self.peer(name).call("train", network=network, batch=batch, seconds=WARM_UP_SECONDS)
        for step, tolerance in ((0, LOSS_TOLERANCE), (-1, LATER_TOLERANCE)):
            values = {name: taken[step] for name, taken in losses.items()}
            apart = max(values.values()) - min(values.values())
            assert apart <= tolerance, f"losses[{step}] on {network} differ: {values}"

    def trainer(self, name: str, network: str, batch: int) -> Case:
        """Return the case of one peer training for a block of steps."""
        peer, seconds = self.peer(name), SECONDS[network]

        def rate() -> float:
            given = {"network": network, "batch": batch, "seconds": seconds}
            return float(peer.call("train", **given)["rate"])

        return rate


def _range(values: list[float]) -> str:
    return f"{min(values):,.2f} to {max(values):,.2f}"


def train128(bench: Bench) -> None:
    """The seed network, batch 128."""
    _train(bench, "train128", "seed", 128)


def train512(bench: Bench) -> None:
    """The seed network, batch 512."""
    _train(bench, "train512", "seed", 512)


def _train(bench: Bench, task: str, network: str, batch: int) -> None:
    bench.load(network, batch, TRAINS[network])
    names = TRAINS[network]
    cases = {f"{task}.{name}": bench.trainer(name, network, batch) for name in names}
    # Beside the peak in the same rounds, as its ceiling follows from it.
    bench.measure(cases | (_peak(bench) if network == "lstm" else {}))


def _peak(bench: Bench) -> dict[str, Case]:
    peak = bench.peer("peak")
    return {"gemm512.fma_peak": lambda: float(peak.call("peak", seconds=0.3)["gflops"])}


def sequences(bench: Bench) -> None:
    """A GRU, a bidirectional LSTM and a block of a transformer, beside the machine's peak."""
    engine = bench.peer("engine")

    def case(network: str) -> Case:
        engine.call("sequences", network=network, seconds=WARM_UP_SECONDS)
        return lambda: float(engine.call("sequences", network=network, seconds=1.0)["rate"])

    bench.measure({f"{name}.nn": case(name) for name in SEQUENCES} | _peak(bench))


def epoch(bench: Bench) -> None:
    """`fit` over 60,000 real images, beside the steady rate in the same rounds."""
    bench.load("seed", 128, ("nn",))
    nn = bench.peer("nn")
    cases: dict[str, Case] = {
        "epoch.nn": lambda: float(nn.call("epoch")["rate"]),
        "epoch.steady": bench.trainer("nn", "seed", 128),
    }
    nn.call("epoch")
    bench.measure(cases, rounds=3)


def predict(bench: Bench) -> None:
    """The seed network's predictions: 1,000 images at a time, and one."""
    names = {"nn": "nn", "ort_web_1t": "ort_inference", "tfjs_wasm_1t": "tfjs_wasm_1t"}
    scores = {}
    for name, peer in names.items():
        bench.peer(peer).call("load", network="seed", batch=0)
        given = {"network": "seed", "batch": 0, "count": 1000, "seconds": WARM_UP_SECONDS}
        scores[name] = bench.peer(peer).call("predict", **given)["first"]
    apart = max(
        abs(a - b) for own in scores.values() for a, b in zip(own, scores["nn"], strict=True)
    )
    assert apart <= LOSS_TOLERANCE, f"the first image's scores differ: {scores}"

    def predictor(peer: str, count: int, figure: str) -> Case:
        given = {"network": "seed", "batch": 0, "count": count, "seconds": 0.6}
        return lambda: float(bench.peer(peer).call("predict", **given)[figure])

    cases = {f"predict1000.{n}": predictor(p, 1000, "rate") for n, p in names.items()}
    bench.measure({**cases, "predict1_ms.nn": predictor("nn", 1, "ms")})


def kernels(bench: Bench) -> None:
    """GFLOP/s of the matrix product and of 3x3 convolutions, beside the machine's peak."""
    engine = bench.peer("engine")

    def convolution(channels: int, direction: str) -> Case:
        given = {"channels": channels, "direction": direction, "seconds": 0.15}
        return lambda: float(engine.call("convolution", **given)["gflops"])

    cases: dict[str, Case] = {
        "gemm512.nn": lambda: float(engine.call("gemm", size=512, seconds=0.3)["gflops"]),
        **_peak(bench),
    }
    for channels in CHANNELS:
        for direction in DIRECTIONS:
            cases[f"conv3x3.{channels}.{direction}"] = convolution(channels, direction)
    bench.measure(cases)


def loading(bench: Bench) -> None:
    """Megabytes of weights a second that `nn.io.load` reads, in each format."""
    engine = bench.peer("engine")

    def case(format: str) -> Case:
        return lambda: float(engine.call("loading", format=format, seconds=0.3)["mb_per_s"])

    bench.measure({f"load.mb_per_s.{format}": case(format) for format in LOADED})


def photographs(bench: Bench) -> None:
    """Networks for photographs of 224 x 224: one image, 16, the last block trained, memory."""
    photograph_rows.run(bench)


def remote(bench: Bench) -> None:
    """Round trips, calls in flight, callbacks, streams and arrays over farcall and its peers."""
    rpc.run(bench)


def gpu(bench: Bench) -> None:
    """Training through WebGPU: the host's work for a step, and an emulated GPU."""
    host.run(bench)


def teams(bench: Bench) -> None:
    """Two workers that train one network, beside one, and beside two that exchange nothing."""
    team.run(bench)


def starting(bench: Bench) -> None:
    """The page's start, cold and warm, beside a bare worker's."""
    bench.repeat(lambda: start.measure(bench.site), rounds=3)


def pictured(bench: Bench) -> None:
    """What the network's picture costs the main thread a report, and the training."""
    bench.repeat(picture.reports, rounds=3)
    bench.repeat(picture.training, rounds=1)


def classes(bench: Bench) -> None:
    """Classes made on the page: training on features, and answers to a camera."""
    bench.repeat(own.measure, rounds=3)


def audited(bench: Bench) -> None:
    """Lighthouse's scores of the page, on a desktop and on a phone."""
    bench.repeat(lambda: lighthouse.measure(bench.site, bench.say), rounds=1)


def federated(bench: Bench) -> None:
    """A federation of two tabs, and of two of Flower's own nodes: bytes and time of a round."""
    bench.repeat(lambda: federation.measure(bench.site, bench.say), rounds=1)


def browsers(bench: Bench) -> None:
    """The seed network on the page, and photographs, in Chromium, Firefox and WebKit."""
    bench.repeat(lambda: engines.measure(bench.rounds, bench.say), rounds=1)
    bench.keep(engines.predicting(bench.rounds, bench.data))


def _network(name: str) -> Callable[[Bench], None]:
    def task(bench: Bench) -> None:
        _train(bench, name, name, 128)

    task.__doc__ = f"Training the network {name}, batch 128."
    return task


TASKS: dict[str, Callable[[Bench], None]] = {
    "train128": train128,
    "train512": train512,
    "epoch": epoch,
    "predict": predict,
    "kernels": kernels,
    "load": loading,
    **{name: _network(name) for name in OTHER_NETWORKS},
    "photographs": photographs,
    "sequences": sequences,
    "teams": teams,
    "engines": browsers,
    "rpc": remote,
    "gpu": gpu,
    "start": starting,
    "picture": pictured,
    "own": classes,
    "lighthouse": audited,
    "federation": federated,
}
