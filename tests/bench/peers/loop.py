"""The measured loop, the same for every peer written in Python (native or in the page's worker).

A peer gives `Trainer`; the loop cuts the batches, warms up, and times whole blocks of steps. A
step is: scale the batch from uint8, forward, backward, Adam, read the loss back.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
WARM_UP_STEPS = 10


class Trainer(Protocol):
    """One network in one peer's words."""

    def step(self, images: Array, labels: Array) -> float:
        """Train on one batch, (n, 784) uint8 and (n,) uint8, and give its loss."""

    def predict(self, images: Array) -> Array:
        """Return the scores, (n, 10), of (n, 784) uint8 images."""


Factory = Callable[[list[tuple[str, dict[str, Any]]], "Data", str], Trainer]


class Data:
    """The folder that `networks.write_data` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = np.fromfile(folder / "images.u8", np.uint8).reshape(-1, 784)
        self.labels = np.fromfile(folder / "labels.u8", np.uint8)
        self.networks = json.loads((folder / "networks.json").read_text())

    def shapes(self, network: str) -> dict[str, Any]:
        """Return the shapes of a network's weights in both layouts."""
        shapes: dict[str, Any] = json.loads((self.folder / f"{network}.shapes.json").read_text())
        return shapes

    def weights(self, network: str) -> list[Array]:
        """Return the initial weights in Keras' layout."""
        return self._cut(network, "nhwc", self.shapes(network)["nhwc"])

    def nchw_weights(self, network: str) -> dict[str, Array]:
        """Return the initial weights by name in PyTorch's layout."""
        names, shapes = zip(*self.shapes(network)["nchw"], strict=True)
        return dict(zip(names, self._cut(network, "nchw", list(shapes)), strict=True))

    def _cut(self, network: str, layout: str, shapes: list[list[int]]) -> list[Array]:
        flat = np.fromfile(self.folder / f"{network}.{layout}.f32", np.float32)
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        return [a.reshape(s).copy() for a, s in zip(np.split(flat, ends), shapes, strict=True)]


class Loop:
    """The operations that the harness calls by name."""

    def __init__(self, data: Data, factory: Factory) -> None:
        self.data = data
        self.factory = factory
        self.trainers: dict[str, Trainer] = {}
        self.position: dict[str, int] = {}

    def load(self, network: str, batch: int) -> dict[str, Any]:
        """Build the network afresh and warm up; return the losses of the first steps.

        Batch 0 is for predictions alone.
        """
        key = f"{network}{batch}"
        self.trainers[key] = self.factory(self.data.networks[network], self.data, network)
        self.position[key] = 0
        return {"losses": [self._step(key, batch) for _ in range(WARM_UP_STEPS if batch else 0)]}

    def train(self, network: str, batch: int, seconds: float) -> dict[str, Any]:
        """Train for at least so many seconds; return images per second over the whole block."""
        key, steps, start = f"{network}{batch}", 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            loss = self._step(key, batch)
            steps += 1
        return {"rate": steps * batch / elapsed, "loss": loss, "steps": steps}

    def predict(self, network: str, batch: int, count: int, seconds: float) -> dict[str, Any]:
        """Predict `count` images at a time; return images per second and ms a call."""
        trainer, images = self.trainers[f"{network}{batch}"], self.data.images[:count]
        first = trainer.predict(images)[0].tolist()
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            trainer.predict(images)
            calls += 1
        return {"rate": calls * count / elapsed, "ms": elapsed / calls * 1e3, "first": first}

    def _step(self, key: str, batch: int) -> float:
        start = self.position[key] * batch % len(self.data.images)
        self.position[key] += 1
        chosen = slice(start, start + batch)
        return float(self.trainers[key].step(self.data.images[chosen], self.data.labels[chosen]))


def serve(factory: Factory, info: dict[str, Any]) -> None:
    """Answer one JSON line for each JSON line read, until the input ends."""
    loop = Loop(Data(Path(sys.argv[1])), factory)
    operations: dict[str, Callable[..., dict[str, Any]]] = {
        "info": lambda: info,
        "load": loop.load,
        "train": loop.train,
        "predict": loop.predict,
    }
    for line in sys.stdin:
        request = json.loads(line)
        answer = operations[request["operation"]](**request["arguments"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
