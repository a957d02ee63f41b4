"""Gradient check of layers by central differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nn.context import Context, Run
from nn.data.numeric import numeric
from nn.errors import NNError
from nn.keras_arguments import expects
from nn.layers.base import Layer
from nn.parameters import Parameters
from nn.types import Array

FLOAT = np.dtype(np.float64)


class GradientError(NNError, AssertionError):
    """The gradients of a layer's `backward` do not match its `forward`."""


@expects
def check_gradients(
    layer: Layer,
    *inputs: Any,
    training: bool = False,
    epsilon: float = 1e-6,
    tolerance: float = 1e-5,
    samples: int | None = 40,
    seed: int | None = 0,
) -> float:
    """Compare `layer.backward` with central differences of `layer.forward`, in float64.

    The gradients of a random weighting of the outputs are compared, for every floating input and
    every trainable variable, at up to `samples` elements of each. Draws (dropout) are repeated
    exactly.

    Args:
        inputs: arrays; integer ones (indices) are left alone.
        training: passed to `forward`.
        epsilon: step of the differences.
        tolerance: largest error, relative to 1 + the gradient's size.
        samples: elements of each; None for all.

    Returns:
        The largest error found.

    Raises:
        GradientError: the error is above `tolerance`; the message says where.
    """
    arrays = [
        np.asarray(x) if hasattr(x, "__array__") else numeric(x, "check_gradients") for x in inputs
    ]
    arrays = [np.array(a, FLOAT) if a.dtype.kind == "f" else a for a in arrays]
    layer.ensure_built(*[(None, *a.shape[1:]) for a in arrays])
    with _float64(layer):
        return _Check(layer, arrays, training, epsilon, tolerance, samples, seed).run()


class _float64:
    """Run with the layer's variables in float64."""

    def __init__(self, layer: Layer) -> None:
        self.variables = layer.variables

    def __enter__(self) -> None:
        self.kept = [(v.value, v.home) for v in self.variables]
        for variable in self.variables:
            variable.value = variable.value.astype(FLOAT)

    def __exit__(self, *_: object) -> None:
        for variable, (value, home) in zip(self.variables, self.kept, strict=True):
            variable.value, variable.home = value, home


class _Check:
    def __init__(
        self,
        layer: Layer,
        inputs: list[Array],
        training: bool,
        epsilon: float,
        tolerance: float,
        samples: int | None,
        seed: int | None,
    ) -> None:
        self.layer = layer
        self.inputs = inputs
        self.training = training
        self.epsilon = epsilon
        self.tolerance = tolerance
        self.samples = samples
        self.rng = np.random.default_rng(seed)
        self.ctx = Context(Run(np.random.default_rng(seed), FLOAT))
        self.dropout = self.ctx.run.rng.bit_generator.state
        self.others = [(v, v.value.copy()) for v in layer.non_trainable_variables]

    def forward(self) -> list[Array]:
        self.ctx.run.rng.bit_generator.state = self.dropout
        for variable, value in self.others:
            variable.value[...] = value
            variable.mark_written()
        y = self.layer.forward(self.ctx, *self.inputs, training=self.training)
        return list(y) if isinstance(y, tuple | list) else [y]

    def value(self, weights: list[Array]) -> float:
        return sum(float((y * w).sum()) for y, w in zip(self.forward(), weights, strict=True))

    def run(self) -> float:
        parameters = Parameters(self.layer.trainable_variables)
        self.ctx.run.start_backward(parameters)
        weights = [self.rng.normal(size=y.shape) for y in self.forward()]
        self.forward()
        dx = self.layer.backward(self.ctx, weights[0] if len(weights) == 1 else tuple(weights))
        self.ctx.run.settle()
        self.ctx.run.finish_backward()
        dxs = [
            np.array(d) if d is not None else None for d in (dx if isinstance(dx, tuple) else (dx,))
        ]
        worst = 0.0
        for name, place, gradient in self._pairs(parameters, dxs):
            worst = max(worst, self._compare(name, place, gradient, weights))
        return worst

    def _pairs(self, parameters: Parameters, dxs: list[Any]) -> Iterator[tuple[str, Array, Array]]:
        for i, (x, d) in enumerate(zip(self.inputs, dxs, strict=True)):
            if x.dtype.kind == "f" and d is not None:
                yield f"input {i}", x, d
        for variable, view in parameters.views.items():
            yield variable.path, variable.value, view.copy()

    def _compare(self, name: str, place: Array, gradient: Array, weights: list[Array]) -> float:
        if place.shape != gradient.shape:
            raise GradientError(
                f"{self.layer.name}: expected a gradient of shape {place.shape} for {name}, "
                f"received {gradient.shape}"
            )
        flat = place.reshape(-1)
        chosen = self.rng.permutation(flat.size)[: self.samples]
        worst = 0.0
        for i in chosen:
            kept = flat[i]
            flat[i] = kept + self.epsilon
            above = self.value(weights)
            flat[i] = kept - self.epsilon
            below = self.value(weights)
            flat[i] = kept
            expected = (above - below) / (2 * self.epsilon)
            received = float(gradient.reshape(-1)[i])
            error = abs(expected - received) / (1 + abs(expected))
            if not error <= self.tolerance:
                raise GradientError(
                    f"{self.layer.name}: d/d({name})[{i}]: expected {expected:.8g} by central "
                    f"differences, received {received:.8g} from backward"
                )
            worst = max(worst, error)
        return worst
