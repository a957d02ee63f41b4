"""A plan's trial before it trains: a step on a few samples against the CPU's, and its time.

Drivers have computed wrong gradients, and zeros, without any error. So each plan takes one step on
noise first, and its gradients must be the CPU's within rounding.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.source import Batch
from nn.gpu.samples import Item, Samples
from nn.gpu.session import Session
from nn.layers.embedding import Embedding
from nn.types import Array

SAMPLES = 8
"""Samples of the step that is compared."""
NEAR = 1e-2
"""How far a gradient may be off, as a share of its largest element: deep networks multiply
rounding, and a sum that is 0 but for rounding decides what a relu lets pass. Faults are larger."""
TIMED = 4
"""Steps of each of the two blocks whose time is taken."""


class Trial:
    """Compares a plan on the device with the CPU; leaves the model as it was."""

    def __init__(self, samples: Samples, session: Session) -> None:
        self.samples, self.session = samples, session
        self.trainer, self.model = samples.trainer, samples.model

    async def fault(self, first: Item) -> str | None:
        """Return what the device computes wrong, or None.

        Args:
            first: an item of the epoch, whose targets are used.
        """
        batch, data = self._noise(first)
        expected = self._gradients(batch)
        session = self.session
        session.send()
        session.write("slots", np.zeros_like(await session.recorded.read("slots")))
        if self.samples.resident:
            for number, array in enumerate(data):
                session.write(f"data{number}", array)
            session.write("order", np.arange(batch.size, dtype=np.uint32))
            self.samples.send_targets(session, batch.targets, batch.weights, batch.size)
        else:
            self.samples.send_batch(session, batch)
        await self._steps([(0, batch.size)], quiet=True)
        factor = self.model.optimizer.gradient_accumulation_steps or 1
        found = {v: factor * g for v, g in (await session.gradients()).items()}
        return _worst(found, expected)

    async def seconds(self, first: Item) -> tuple[float, float]:
        """Return the time of a step on the device and on the CPU, with all data in place."""
        places = [self.samples.places(first)] * TIMED
        times = []
        for _ in range(2):  # the first block warms up
            began = time.perf_counter()
            await self._steps(places)
            times.append((time.perf_counter() - began) / TIMED)
        batch = self.samples.whole(first)
        here = []
        for _ in range(4):  # the third step is the first that repeats what was recorded
            began = time.perf_counter()
            self._gradients(batch, keep=False)
            here.append(time.perf_counter() - began)
        return times[-1], min(here[2:])

    async def _steps(self, places: list[tuple[int, int]], quiet: bool = False) -> Array:
        """Take steps that don't count, without noise if they are to be quiet."""
        optimizer = self.model.optimizer
        before = optimizer.iterations
        try:
            return await self.session.steps(places, quiet)
        finally:
            optimizer.iterations = before

    def _noise(self, first: Item) -> tuple[Batch, list[Array]]:
        """Return a small batch of noise with targets of the data, and its inputs as they lie on
        the device."""
        whole = self.samples.whole(first)
        size = min(SAMPLES, whole.size)
        rng = np.random.default_rng(0)
        inputs: list[Array] = []
        data: list[Array] = []
        for number, (array, tensor) in enumerate(zip(whole.inputs, self.model.inputs, strict=True)):
            if self._is_looked_up(tensor):
                data.append(np.array(array[:size], np.float32))
                inputs.append(array[:size])
                continue
            scaled = self.session.source.bytes[number] if self.samples.resident else None
            if scaled is None:
                data.append(rng.standard_normal((size, *array.shape[1:]), np.float32))
                inputs.append(data[-1])
                continue
            data.append(rng.integers(0, 256, (size, *array.shape[1:]), np.uint8))
            source = self.samples.source.inputs[number]
            scale, offset = scaled if isinstance(source, Dataset) else (1.0, 0.0)
            inputs.append(data[-1] * np.float32(scale) + np.float32(offset))
        targets, weights = (
            [None if t is None else np.array(t[:size]) for t in arrays]
            for arrays in (whole.targets, whole.weights)
        )
        return Batch(inputs, targets, weights, size), data

    def _is_looked_up(self, tensor: Any) -> bool:
        nodes = self.model.graph.nodes
        return any(isinstance(n.layer, Embedding) for n in nodes if tensor in n.inputs)

    def _gradients(self, batch: Batch, keep: bool = True) -> dict[Any, Array]:
        trainer, parameters = self.trainer, self.model.parameters
        means = trainer.get_state()
        moved = [(v, v.value.copy()) for v in self.model.variables if v not in parameters.views]
        with quiet(self.model):
            trainer.gradient_step(*batch)
        trainer.set_state(means)
        for variable, value in moved:
            variable.assign(value)
        if not keep:
            return {}
        return {v: parameters.views[v].copy() for v in parameters.variables}


@contextmanager
def quiet(model: Any) -> Iterator[None]:
    """Context manager: the model's layers draw nothing."""
    names = ("stddev", "rate", "dropout")
    drawing = [(layer, n) for layer in model.layers for n in names if hasattr(layer, n)]
    before = [getattr(layer, name) for layer, name in drawing]
    for layer, name in drawing:
        setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for (layer, name), value in zip(drawing, before, strict=True):
            setattr(layer, name, value)


def _worst(found: dict[Any, Array], expected: dict[Any, Array]) -> str | None:
    """Return where gradients differ by more than rounding, or None."""
    sizes = {v: float(np.abs(g).max()) for v, g in expected.items()}
    least = NEAR * max(sizes.values(), default=0.0)
    worst, text = NEAR, None
    for variable, right in expected.items():
        off = float(np.abs(found[variable] - right).max()) / (max(sizes[variable], least) or 1.0)
        if not off <= worst:
            worst = off
            text = (
                f"{variable.path}: expected the CPU's gradient, of up to {sizes[variable]:.3g}, "
                f"received one that is off by {off:.1%} of it"
            )
    return text
