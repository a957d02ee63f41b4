"""CTC: the loss of sequences of labels whose places in the output are unknown."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.data.numeric import numeric
from nn.errors import ShapeError
from nn.losses.base import Loss, as_integers
from nn.types import Array

_NEVER = -1e5  # the logarithm of a probability of 0, as Keras has it


class CTC(Loss):
    """-log of the probability of all alignments of the labels (Graves et al. 2006).

    Labels (n, length) from 1 on, 0 where a sequence is shorter; logits (n, steps, classes), of
    which class 0 is the blank. One loss for each sample.
    """

    from_logits = True

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        labels = numeric(y_true, f"{self.name}: labels (y_true)")
        if y_pred.ndim != 3 or labels.ndim != 2 or len(labels) != len(y_pred):
            raise ShapeError(
                f"{self.name}: expected labels (n, length) and logits (n, steps, classes), "
                f"received {labels.shape} and {y_pred.shape}"
            )
        classes = y_pred.shape[-1]
        found = as_integers(labels, self.name, classes)
        if found.size and not (found.min() >= 0 and found.max() < classes):
            raise ShapeError(
                f"{self.name}: expected labels from 0 to {classes - 1}, "
                f"received {found.min()} to {found.max()}"
            )
        return found

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return _Alignments(y_true, y_pred).losses

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return _Alignments(y_true, y_pred).gradient()

    def lined_step(self, y_true: Any, y_pred: Array, sample_weight: Any) -> tuple[float, Array]:
        found = _Alignments(self.prepare(y_true, y_pred), y_pred)
        scale = self.scale(found.losses.shape, sample_weight, y_pred.dtype)
        gradient = found.gradient()
        gradient *= scale[:, None, None] if np.ndim(scale) else scale
        return float(np.sum(found.losses * scale)), gradient


class _Alignments:
    """The states of a sequence are blank, label, blank, ..., blank; each step stays or goes on.

    A label may follow another without a blank, unless both are the same.
    """

    def __init__(self, labels: Array, logits: Array) -> None:
        n, length = labels.shape
        self.states = np.zeros((n, 2 * length + 1), np.intp)
        self.states[:, 1::2] = labels
        shifted = logits - logits.max(axis=-1, keepdims=True)
        self.log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        # What a path loses that leaves a blank out on its way to each state.
        self.skipping = np.full(self.states.shape, -np.inf, logits.dtype)
        self.skipping[:, 3::2] = np.where(labels[:, 1:] == labels[:, :-1], _NEVER, 0)
        first = np.full(self.states.shape, _NEVER, logits.dtype)
        first[:, 0] = 0
        self.alphas: list[Array] = [first]
        for step in range(logits.shape[1]):
            self.alphas.append(self._reached(self.alphas[-1]) + self._emitted(step))
        # The states that may be last: the last label, and the blank behind it.
        self.ends = 2 * (labels != 0).sum(axis=-1)
        rows = np.arange(n)
        blank = self.alphas[-1][rows, self.ends]
        label = np.where(
            self.ends > 0, self.alphas[-1][rows, np.maximum(self.ends - 1, 0)], -np.inf
        )
        total = np.logaddexp(blank, label)
        self.shares = np.exp(blank - total), np.exp(label - total)
        self.losses: Array = -total

    def _emitted(self, step: int) -> Array:
        return np.take_along_axis(self.log_p[:, step], self.states, axis=-1)

    def _ways(self, alpha: Array) -> tuple[Array, Array, Array]:
        """Return for each state the paths that stay, come from the one before, and skip a blank."""
        before, skipped = np.full_like(alpha, -np.inf), np.full_like(alpha, -np.inf)
        before[:, 1:] = alpha[:, :-1]
        skipped[:, 2:] = alpha[:, :-2] + self.skipping[:, 2:]
        return alpha, before, skipped

    def _reached(self, alpha: Array) -> Array:
        stay, before, skipped = self._ways(alpha)
        made: Array = np.logaddexp(np.logaddexp(stay, before), skipped)
        return made

    def gradient(self) -> Array:
        """Return the gradient of each sample's loss by its logits."""
        n, steps, classes = self.log_p.shape
        rows = np.arange(n)
        d = np.zeros_like(self.alphas[0])
        d[rows, self.ends] = self.shares[0]
        d[rows, np.maximum(self.ends - 1, 0)] += self.shares[1]
        found = np.zeros((n, steps, classes), d.dtype)
        for step in reversed(range(steps)):
            np.add.at(found[:, step], (rows[:, None], self.states), d)
            alpha = self.alphas[step]
            reached = self._reached(alpha)
            stay, before, skipped = (d * np.exp(way - reached) for way in self._ways(alpha))
            d = stay
            d[:, :-1] += before[:, 1:]
            d[:, :-2] += skipped[:, 2:]
        p = np.exp(self.log_p)
        made: Array = p * found.sum(axis=-1, keepdims=True) - found
        return made
