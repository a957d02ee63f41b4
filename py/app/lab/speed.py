"""The engine's speed on this device: measured by the visitor, shown, copied.

It does the same work as the repository's bench (networks, batches, rates) without the other
libraries, in about twelve seconds. Each figure is the median of a few rounds, so that a short
disturbance of the device does not count. Then the GPU trains, if there is one.
"""

from __future__ import annotations

import asyncio
import datetime
import platform
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import nn
import numpy as np
from nn import kernels
from nn.config import separate_seed
from nn.data import Dataset
from nn.errors import ConfigError

from app.lab.hardware import Hardware
from app.lab.images.mnist import CLASSES, labels
from app.language import key, tr

Row = dict[str, Any]
Layers = list[Any]
F4 = np.float32
SEED = 1234
BATCHES = 8  # different ones, so that they do not stay in a cache
CHANNELS = (8, 32)
DIRECTIONS = (key("forward"), key("weight gradient"), key("input gradient"))


def _pooled(filters: int, side: int, padding: str = "valid") -> Layers:
    convolution = nn.Conv2D(filters, side, padding=padding, activation="relu")
    return [convolution, nn.MaxPooling2D(2)]


def _normed(filters: int) -> Layers:
    return [
        nn.Conv2D(filters, 3, padding="same", use_bias=False),
        nn.BatchNormalization(),
        nn.Activation("relu"),
        nn.MaxPooling2D(2),
    ]


def _seed() -> Layers:
    return [*_pooled(8, 3), *_pooled(16, 3), nn.Flatten(), nn.Dense(128, activation="relu")]


def _lenet() -> Layers:
    dense = [nn.Dense(units, activation="relu") for units in (120, 84)]
    return [*_pooled(6, 5, "same"), *_pooled(16, 5), nn.Flatten(), *dense]


def _batch_norm() -> Layers:
    return [*_normed(32), *_normed(64), *_normed(128), nn.Flatten()]


def _perceptron() -> Layers:
    return [nn.Flatten(), nn.Dense(500, activation="relu")]


def _recurrent() -> Layers:
    return [nn.Reshape((28, 28)), nn.LSTM(64)]


TRAINED: tuple[tuple[str, int, Callable[[], Layers]], ...] = (
    (key("Two convolutions (54 k), batches of 128"), 128, _seed),
    (key("Two convolutions (54 k), batches of 512"), 512, _seed),
    ("LeNet-5", 128, _lenet),
    (key("32-64-128 with batch norm"), 128, _batch_norm),
    (key("Perceptron 784-500-10"), 128, _perceptron),
    (key("LSTM of 64 units on rows"), 128, _recurrent),
)


ON_GPU = (TRAINED[0], TRAINED[3])
RESIDENT = 8192
"""Images that lie on the GPU at most."""


class Speed:
    """Served as `lab.speed`.

    Args:
        data: has the images as `data.digits`, a Dataset of uint8 (n, 28, 28, 1).
        hardware: what opens the GPU.
    """

    def __init__(self, data: Any, hardware: Hardware | None = None) -> None:
        self._data = data
        self._hardware = hardware or Hardware()
        self._rows: list[Row] = []
        self._gpu = ""

    async def measure(self, seconds: float = 0.1, rounds: int = 5) -> AsyncIterator[Row]:
        """Measure everything, a row at a time.

        Args:
            seconds: that a round takes at least.
            rounds: whose median is taken.

        Yields:
            {group, task, value, unit, plain, done}: `plain` is NumPy's alone or None, `done` the
            share of the rows that are done.

        Raises:
            ValueError: there are no images.
        """
        if not len(self._data.digits):
            raise ValueError("speed: expected training images of 28 x 28, received none")
        self._rows, self._gpu = [], ""
        # Looking for it takes a second, in which the CPU is measured.
        looking = asyncio.ensure_future(self._hardware.missing("auto"))
        tasks = list(self._tasks())
        try:
            async for row in self._on_cpu(tasks, seconds, rounds):
                none = looking.done() and looking.result()
                yield row | {"done": len(self._rows) / (len(tasks) + (0 if none else len(ON_GPU)))}
            self._gpu = await looking
            if not self._gpu:
                async for row in self._on_gpu(seconds * rounds):
                    yield row | {"done": len(self._rows) / (len(tasks) + len(ON_GPU))}
        finally:
            looking.cancel()

    async def _on_cpu(self, tasks: Any, seconds: float, rounds: int) -> AsyncIterator[Row]:
        for group, task, unit, work, action, compared in tasks:
            value = await _rate(action, work, seconds, rounds)
            plain = None
            if compared:
                with kernels.use("numpy"):
                    plain = await _rate(action, work, seconds, 1)
            yield self._row(group, task, unit, 1e3 / value if unit == "ms" else value, plain)

    async def _on_gpu(self, seconds: float) -> AsyncIterator[Row]:
        for task, size, layers in ON_GPU:
            workload = Workload(layers, self._data.digits, size, "gpu")
            try:
                value = await workload.trained(seconds)
            except ConfigError as error:  # it has no room
                self._gpu = str(error)
                return
            self._gpu = workload.model.device
            if self._gpu.startswith("cpu: "):
                return
            yield self._row(tr("Train on the GPU"), tr(task), "images/s", value)

    def _row(self, group: str, task: str, unit: str, value: float, plain: Any = None) -> Row:
        row = {"group": group, "task": task, "unit": unit, "value": value, "plain": plain}
        self._rows.append(row)
        return row

    def _tasks(self) -> Iterator[tuple[str, str, str, float, Callable[[], Any], bool]]:
        """(group, task, unit, work of one action, action, compared with NumPy alone?)."""
        data = self._data.digits
        for name, size, layers in TRAINED:
            compared = layers is _seed and size == 128
            yield (
                tr("Train"),
                tr(name),
                "images/s",
                size,
                Workload(layers, data, size).step,
                compared,
            )
        many, one = Workload(_seed, data, 1000), Workload(_seed, data, 1)
        yield tr("Predict"), tr("1,000 images at a time"), "images/s", 1000, many.predict, True
        yield tr("Predict"), tr("One image"), "ms", 1, one.predict, False
        yield (
            tr("Kernels"),
            tr("Matrix product 512³"),
            "GFLOP/s",
            2 * 512**3 / 1e9,
            _product(512),
            True,
        )
        for channels in CHANNELS:
            for direction, (work, action) in zip(DIRECTIONS, _convolutions(channels), strict=True):
                name = tr(
                    "3 × 3 convolution, {channels} channels, {direction}",
                    channels=channels,
                    direction=tr(direction),
                )
                yield tr("Kernels"), name, "GFLOP/s", work, action, False
        work, action = _peak()
        if work:
            yield (
                tr("Kernels"),
                tr("Peak of multiply-add, four lanes"),
                "GFLOP/s",
                work,
                action,
                False,
            )

    def report(self, device: str, processors: int) -> str:
        """Return the last measurement as a Markdown table, with all that it depends on.

        Args:
            device: the browser's name for itself.
            processors: the number that the browser states.
        """
        lines = [
            tr(
                "Farcall's engine, {date}: kernels {kernels}, one thread; NumPy {numpy}, Python "
                "{python} on {system}; processors: {processors}; {device}",
                date=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
                kernels=kernels.backend().name,
                numpy=np.__version__,
                python=platform.python_version(),
                system=sys.platform,
                processors=processors,
                device=device,
            ),
            tr("GPU: {gpu}", gpu=self._gpu),
            "",
            f"| | {tr('Task')} | {tr('With kernels')} | {tr('NumPy alone')} | |",
            "|---|---|---:|---:|---|",
        ]
        for row in self._rows:
            plain = "" if row["plain"] is None else _short(row["plain"])
            cells = (row["group"], row["task"], _short(row["value"]), plain, row["unit"])
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


class Workload:
    """A network with weights from a fixed seed and some batches of real images."""

    def __init__(
        self, layers: Callable[[], Layers], data: Dataset, size: int, device: str = "cpu"
    ) -> None:
        with separate_seed(SEED):
            parts = [nn.Input((28, 28, 1)), *layers(), nn.Dense(CLASSES)]
            self.model = nn.Sequential(parts)
            loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
            self.model.compile(nn.optimizers.Adam(1e-3), loss, device=device)
        self._data = data
        starts = range(0, size * BATCHES, size)
        self._batches = [np.arange(start, start + size) % len(data) for start in starts]
        self._memory = np.empty((size, 28, 28, 1), F4)
        self._size, self._count = size, 0

    def _next(self) -> tuple[Any, Any]:
        chosen = self._batches[self._count % BATCHES]
        self._count += 1
        x = kernels.gather_scale(self._data.x, chosen, 1 / 255, 0.0, self._memory)
        return x, labels(self._data)[chosen] % CLASSES

    def step(self) -> None:
        """Train one batch, scaling included."""
        self.model.train_on_batch(*self._next())

    async def trained(self, seconds: float) -> float:
        """Return the images a second of a run of so many seconds; what comes before its first
        batch, as the GPU's shaders, does not count."""
        data = self._data.take(min(RESIDENT, len(self._data)))
        ends: list[float] = []

        def after(batch: int, logs: Any) -> None:
            ends.append(time.perf_counter())
            if ends[-1] - ends[0] > seconds:
                self.model.stop()

        given = Dataset(data.x, labels(data) % CLASSES, scale=1 / 255)
        epochs = sys.maxsize  # until it is stopped
        await self.model.fit(given, batch_size=self._size, epochs=epochs, on_batch_end=after)
        return self._size * (len(ends) - 1) / (ends[-1] - ends[0])

    def predict(self) -> None:
        """Predict one batch, scaling included."""
        self.model.predict_on_batch(self._next()[0])


def _random(*shape: int) -> Any:
    return np.random.default_rng(SEED).standard_normal(shape).astype(F4)


def _product(side: int) -> Callable[[], Any]:
    a, b, out = _random(side, side), _random(side, side), np.empty((side, side), F4)
    return lambda: kernels.matmul(a, b, out)


def _convolutions(channels: int) -> list[tuple[float, Callable[[], Any]]]:
    """The three directions of a "same" convolution of 28 x 28: (GFLOP of an action, action)."""
    images = 256 // channels
    x, y = _random(images, 28, 28, channels), np.empty((images, 28, 28, channels), F4)
    w, bias = _random(3, 3, channels, channels), np.zeros(channels, F4)
    dw, dx, dy = np.empty_like(w), np.empty_like(x), _random(*y.shape)
    same: Any = {"padding": ((1, 1), (1, 1))}
    work = 2 * 9 * channels * y.size / 1e9
    actions: list[Callable[[], Any]] = [
        lambda: kernels.conv2d(x, w, bias, activation="relu", out=y, **same),
        lambda: kernels.conv2d_weight_gradient(x, dy, w.shape, out=dw, bias_out=bias, **same),
        lambda: kernels.conv2d_input_gradient(dy, w, x.shape, out=dx, **same),
    ]
    return [(work, action) for action in actions]


def _peak(times: int = 100_000) -> tuple[float, Callable[[], Any]]:
    """Multiply-adds and nothing else: (GFLOP of an action, action); no work without kernels."""
    return kernels.multiply_add(times) / 1e9, lambda: kernels.multiply_add(times)


async def _rate(action: Callable[[], Any], work: float, seconds: float, rounds: int) -> float:
    """Return work per second, the median of rounds; other tasks run between them."""
    times = 1
    took = _clocked(action, times)  # the first also fills caches and workspaces
    while (took := _clocked(action, times)) < seconds / 4:
        times *= 2
        await asyncio.sleep(0)
    times = max(1, round(times * seconds / took))
    rates = []
    for _ in range(rounds):
        await asyncio.sleep(0)
        rates.append(work * times / _clocked(action, times))
    return statistics.median(rates)


def _clocked(action: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        action()
    return max(time.perf_counter() - start, 1e-9)  # a browser's clock is coarse


def _short(value: float) -> str:
    """Three figures, thousands grouped."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
