"""The engine, in the page's worker: the same loop as the native peers, and its kernels alone."""

from __future__ import annotations

import functools
import gzip
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nn
import numpy as np
from nn import kernels

from tests.bench.peers import sequences
from tests.bench.peers.loop import Array, Data, Loop
from tests.bench.peers.numpy_native import NumpyTrainer
from tests.bench.peers.photographs import Photographs

SIDE, IMAGES = 28, 32  # of the convolutions measured alone: "valid", 28x28 to 26x26


def _load_kernels() -> str:
    """Load the fastest variant that this engine runs; return its name."""
    for name in ("relaxed", "simd"):
        try:
            return str(kernels.load(str(Path(f"./kernels/{name}.so").resolve())).name)
        except OSError:
            continue
    return str(kernels.backend().name)


def build(spec: Any, data: Data, network: str, metrics: tuple[str, ...] = ()) -> Any:
    """Return the compiled model with the shared initial weights."""
    stack = [getattr(nn, name)(**options) for name, options in spec]
    model = nn.Sequential([nn.Input((28, 28, 1)), *stack])
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nn.Adam(1e-3), loss, metrics=metrics)
    model.set_weights(data.weights(network))
    return model


class EngineTrainer:
    """A model of nn, driven a batch at a time."""

    def __init__(self, spec: Any, data: Data, network: str) -> None:
        self.model = build(spec, data, network)
        self.batches: dict[int, tuple[Array, Array]] = {}

    def step(self, images: Array, labels: Array) -> float:
        """Train on one batch and give its loss."""
        self.model.reset_metrics()
        logs = self.model.train_on_batch(self._scaled(images), labels, return_dict=True)
        return float(logs["loss"])

    def predict(self, images: Array) -> Array:
        """Return the scores before softmax."""
        scores: Array = self.model.predict_on_batch(self._scaled(images))
        return scores

    def _scaled(self, images: Array) -> Array:
        """Scale a batch as `fit` does, into memory kept from step to step."""
        count = len(images)
        if count not in self.batches:
            self.batches[count] = np.arange(count), np.empty((count, 28, 28, 1), np.float32)
        indices, out = self.batches[count]
        return kernels.gather_scale(images.reshape(-1, 28, 28, 1), indices, 1 / 255, 0.0, out)


class WithoutKernels(EngineTrainer):
    """The same model on the kernels' NumPy twins."""

    def step(self, images: Array, labels: Array) -> float:
        """Train on one batch and give its loss."""
        with kernels.use("numpy"):
            return super().step(images, labels)


async def epoch() -> dict[str, Any]:
    """Run `fit` over the 60,000 real images once: shuffling, scaling, accuracy and callbacks."""
    dataset = _mnist()
    model = build(DATA.networks["seed"], DATA, "seed", ("accuracy",))
    losses: list[float] = []
    start = time.perf_counter()
    await model.fit(
        dataset,
        batch_size=128,
        epochs=1,
        on_batch_end=lambda batch, logs: losses.append(logs["loss"]),
    )
    elapsed = time.perf_counter() - start
    return {"rate": 60_000 / elapsed, "batches": len(losses), "loss": losses[-1]}


def _mnist() -> Any:
    raw = [gzip.decompress(Path(f"./data/train-{part}-ubyte.gz").read_bytes()) for part in PARTS]
    images = np.frombuffer(raw[0], np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return nn.data.Dataset(images, np.frombuffer(raw[1], np.uint8, offset=8), scale=1 / 255)


PARTS = ("images-idx3", "labels-idx1")


def gflops(flops: float, seconds: float, action: Callable[[], Any]) -> dict[str, Any]:
    """Repeat an action for so many seconds and give its rate."""
    action()
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        action()
        count += 1
    return {"gflops": flops * count / elapsed / 1e9}


def gemm(size: int, seconds: float) -> dict[str, Any]:
    """Measure a square float32 matrix product."""
    a, b = (np.random.default_rng(s).random((size, size), np.float32) for s in (1, 2))
    out = np.empty((size, size), np.float32)
    return gflops(2 * size**3, seconds, lambda: kernels.matmul(a, b, out=out))


def convolution(channels: int, direction: str, seconds: float) -> dict[str, Any]:
    """Measure one direction of a 3x3 convolution, as many channels in as out."""
    random = np.random.default_rng(1)
    inner = SIDE - 2
    x = random.random((IMAGES, SIDE, SIDE, channels), np.float32)
    w = random.random((3, 3, channels, channels), np.float32)
    dy = random.random((IMAGES, inner, inner, channels), np.float32)
    y, dx, dw = np.empty_like(dy), np.empty_like(x), np.empty_like(w)
    bias, bias_gradient = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    plain: dict[str, Any] = {"strides": (1, 1), "padding": ((0, 0), (0, 0))}
    plain |= {"dilation": (1, 1), "groups": 1}
    actions = {
        "forward": lambda: kernels.conv2d(x, w, bias, activation="relu", out=y, **plain),
        "dw": lambda: kernels.conv2d_weight_gradient(
            x, dy, w.shape, out=dw, bias_out=bias_gradient, **plain
        ),
        "dx": lambda: kernels.conv2d_input_gradient(dy, w, x.shape, out=dx, **plain),
    }
    flops = 2 * IMAGES * inner * inner * 9 * channels * channels
    return gflops(flops, seconds, actions[direction])


@functools.cache
def file(format: str) -> tuple[bytes, int]:
    """Return a model's file, and the bytes of its weights: 6 MB in a network of 1.6 million."""
    layers = [nn.Input((1024,)), nn.Dense(1024, activation="relu"), nn.Dense(512)]
    model = nn.Sequential(layers)
    return nn.io.save(model, format), 4 * model.count_params()


def loading(format: str, seconds: float) -> dict[str, Any]:
    """Load a file again and again: megabytes of weights a second."""
    data, size = file(format)
    nn.io.load(data)
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        nn.io.load(data)
        count += 1
    return {"mb_per_s": size * count / elapsed / 1e6}


def profile(network: str, batch: int, seconds: float) -> dict[str, Any]:
    """Say where a step's time goes: ms a step in each C kernel and in all else."""
    LOOPS["nn"].load(network, batch)
    before = LOOPS["nn"].train(network, batch, seconds)
    spent: dict[str, float] = {}
    library = kernels.library.active
    originals = {name: getattr(library, name) for name in kernels.library.SIGNATURES}
    try:
        for name, original in originals.items():
            setattr(library, name, _timed(name, original, spent))
        # A new model records the watched functions; the one above repeats those it has recorded.
        LOOPS["nn"].load(network, batch)
        LOOPS["nn"].train(network, batch, seconds / 4)
        spent.clear()
        timed = LOOPS["nn"].train(network, batch, seconds)
    finally:
        for name, original in originals.items():
            setattr(library, name, original)
    rows = {name: value / timed["steps"] * 1e3 for name, value in spent.items()}
    whole = seconds / timed["steps"] * 1e3
    rows |= {"all else": whole - sum(rows.values()), "step": whole}
    return rows | {"step, not watched": batch / before["rate"] * 1e3}


def _timed(name: str, original: Callable[..., Any], spent: dict[str, float]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        start = time.perf_counter()
        result = original(*arguments)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - start
        return result

    return call


VARIANT = _load_kernels()
sys.path += [str(path) for path in Path(".").resolve().glob("*.whl")]  # pyfive, for .keras files
DATA = Data(Path("./data"))
LOOPS: dict[str, Any] = {
    "nn": Loop(DATA, EngineTrainer),
    "nn_numpy": Loop(DATA, WithoutKernels),
    "numpy_pyodide": Loop(DATA, NumpyTrainer),
    "photographs": Photographs(),
}


def info() -> dict[str, Any]:
    """Return the versions and the kernels in use."""
    return {"backend": VARIANT, "numpy": np.__version__, "threads": 1}


ALONE: dict[str, Callable[..., Any]] = {
    "info": info,
    "gemm": gemm,
    "convolution": convolution,
    "loading": loading,
    "profile": profile,
    "sequences": sequences.train,
    "nn.epoch": epoch,
}


def operation(name: str) -> Callable[..., Any]:
    """Find an operation: `info`, `gemm`, ... or `<loop>.<operation of the loop>`."""
    if name in ALONE:
        return ALONE[name]
    loop, _, method = name.partition(".")
    found: Callable[..., Any] = info if method == "info" else getattr(LOOPS[loop], method)
    return found
