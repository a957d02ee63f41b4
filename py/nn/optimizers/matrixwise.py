"""Optimizers whose step depends on the shape of each variable: Adafactor and Muon."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import kernels
from nn.optimizers.base import Optimizer
from nn.types import Array
from nn.variables import Variable


class Adafactor(Optimizer):
    """Adam with means of the squares over rows and columns of matrices (Shazeer and Stern 2018).

    Args:
        learning_rate: a number or a schedule, relative to the size of each variable.
        beta_2_decay: the power of the step that the weight of new squares falls with.
        epsilon_1: added to the squares.
        epsilon_2: the least size of a variable that a step is relative to.
        clip_threshold: the largest root mean square of a step, before the learning rate.
        relative_step: kept for files of Keras, whose rate is at most 1 / sqrt(step) in any case.
        options: see `Optimizer`.
    """

    fields = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")
    # Of rows and columns each variable uses the first elements of its part.
    slots = ("row", "column", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def slot_shape(self, slot: str, variable: Variable) -> tuple[int, ...] | None:
        shape = variable.shape
        if slot not in ("row", "column"):
            return shape
        if len(shape) < 2:  # Keras keeps a 0 in place of each
            return ()
        return shape[:-1] if slot == "row" else (*shape[:-2], shape[-1])

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        rate = min(learning_rate, self.local_step**-0.5)
        kept = 1 - self.local_step**self.beta_2_decay
        for variable, weights, gradient in self.each(p, g):
            squares = np.square(gradient) + gradient.dtype.type(self.epsilon_1)
            change = gradient / np.sqrt(self._velocity(variable, squares, kept))
            change /= max(1.0, _size(change) / self.clip_threshold)
            weights -= max(self.epsilon_2, _size(weights)) * rate * change

    def _velocity(self, variable: Variable, squares: Array, kept: float) -> Array:
        """Return the mean of squares with the newest, put together of rows and columns."""
        velocity = self.part("velocity", variable)
        if squares.ndim < 2:
            velocity += (1 - kept) * (squares - velocity)
            return velocity
        row, column = self.part("row", variable), self.part("column", variable)
        row += (1 - kept) * (squares.mean(axis=-1) - row)
        column += (1 - kept) * (squares.mean(axis=-2) - column)
        share = row / row.mean(axis=-1, keepdims=True)
        np.multiply(share[..., None], column[..., None, :], out=velocity)
        return velocity


class Muon(Optimizer):
    """Momentum made orthogonal by Newton-Schulz steps, for matrices (Jordan et al. 2024).

    Other variables, embeddings and the layers of `exclude_layers` take steps of AdamW.

    Args:
        learning_rate: a number or a schedule.
        adam_beta_1: momentum of AdamW.
        adam_beta_2: momentum of AdamW's squares.
        adam_weight_decay: weight decay of AdamW's variables.
        epsilon: AdamW's.
        weight_decay: that of the matrices.
        exclude_layers: patterns (`re.search`) of paths whose variables take AdamW.
        exclude_embeddings: whether a path with "embedding" takes AdamW.
        muon_a: first number of a Newton-Schulz step, a X + (b A + c A A) X with A = X X'.
        muon_b: its second number.
        muon_c: its third number.
        adam_lr_ratio: AdamW's learning rate over Muon's.
        momentum: that of the matrices.
        ns_steps: Newton-Schulz steps.
        nesterov: step from where the momentum will lead.
        rms_rate: steps have this root mean square, as AdamW's about have (Liu et al. 2025).
        options: see `Optimizer`.
    """

    fields = (
        "adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "exclude_layers",
        "exclude_embeddings", "muon_a", "muon_b", "muon_c", "adam_lr_ratio", "momentum",
        "ns_steps", "nesterov", "rms_rate",
    )  # fmt: skip
    slots = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **options)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def slot_shape(self, slot: str, variable: Variable) -> tuple[int, ...] | None:
        return None if slot == "velocity" and self._is_matrix(variable) else variable.shape

    def _is_matrix(self, variable: Variable) -> bool:
        """Return whether a variable takes Muon's own steps."""
        embeds = self.exclude_embeddings and "embedding" in variable.path.lower()
        excluded = any(re.search(pattern, variable.path) for pattern in self.exclude_layers)
        return len(variable.shape) == 2 and not embeds and not excluded

    def decays_in_update(self) -> bool:
        return True

    def update(self, p: Array, g: Array, learning_rate: float) -> None:
        for variable, weights, gradient in self.each(p, g):
            muon = self._is_matrix(variable)
            decay = self.weight_decay if muon else self.adam_weight_decay
            if decay and self._decays(variable):
                weights *= weights.dtype.type(1 - decay * learning_rate)
            step = self._orthogonal if muon else self._adam
            weights -= weights.dtype.type(learning_rate) * step(variable, gradient)

    def _adam(self, variable: Variable, gradient: Array) -> Array:
        m, v = self.part("momentum", variable), self.part("velocity", variable)
        m += (gradient - m) * (1 - self.adam_beta_1)
        v += (np.square(gradient) - v) * (1 - self.adam_beta_2)
        root = np.sqrt(1 - self.adam_beta_2**self.local_step)
        scale = self.adam_lr_ratio * root / (1 - self.adam_beta_1**self.local_step)
        change: Array = gradient.dtype.type(scale) * m / (np.sqrt(v) + self.epsilon)
        return change

    def _orthogonal(self, variable: Variable, gradient: Array) -> Array:
        m = self.part("momentum", variable)
        m += gradient + m * (self.momentum - 1)
        x = gradient + self.momentum * m if self.nesterov else m
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (np.sqrt(np.sum(np.square(x))) + 1e-7)
        for _ in range(self.ns_steps):
            a = kernels.matmul(x, x.T)
            b = self.muon_b * a + self.muon_c * kernels.matmul(a, a)
            x = self.muon_a * x + kernels.matmul(b, x)
        x = x.T if tall else x
        scale = 1.0 if self.rms_rate is None else max(x.shape) ** 0.5 * self.rms_rate
        made: Array = x * x.dtype.type(scale)
        return made


def _size(array: Array) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(array))))
