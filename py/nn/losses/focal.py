"""Focal losses, for classes of which some are rare (Lin et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import config
from nn.differentiate import differentiate
from nn.losses.base import Loss
from nn.types import Array


class Focal(Loss):
    """Base of the focal losses: `focal` computes the loss of each sample by NumPy's functions."""

    exact = True

    def __init__(
        self,
        alpha: float,
        gamma: float,
        from_logits: bool,
        label_smoothing: float,
        axis: int,
        reduction: str | None,
        name: str | None,
        **others: Any,
    ) -> None:
        super().__init__(reduction, name, **others)
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def focal(self, y_true: Array, y_pred: Any) -> Any:
        """Return the loss of each sample."""
        raise NotImplementedError(f"{type(self).__name__} must define focal")

    def call(self, y_true: Array, y_pred: Array) -> Array:
        losses: Array = self.focal(y_true, y_pred)
        return losses

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        losses, pull = differentiate(self.focal, y_true, y_pred, wrt=1)
        return pull(np.ones_like(losses))


class BinaryFocalCrossentropy(Focal):
    """(1 - p_t)^gamma * binary cross-entropy; `alpha` weighs class 1 if `apply_class_balancing`."""

    fields = (
        "apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis",
    )  # fmt: skip

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(
            alpha, gamma, from_logits, label_smoothing, axis, reduction, name, **others
        )
        self.apply_class_balancing = apply_class_balancing

    def focal(self, y_true: Array, y_pred: Any) -> Any:
        true = y_true * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        p, rest = y_pred, 1 - y_pred
        if self.from_logits:
            p, rest = _logistic(y_pred), _logistic(-y_pred)
        log_p, log_rest = (
            np.log(np.clip(share, config.epsilon(), 1 - config.epsilon())) for share in (p, rest)
        )
        losses = -(true * log_p + (1 - true) * log_rest)
        losses = losses * (true * rest + (1 - true) * p) ** self.gamma
        if self.apply_class_balancing:
            losses = losses * (true * self.alpha + (1 - true) * (1 - self.alpha))
        return np.mean(losses, axis=-1)


def _logistic(x: Any) -> Any:
    """Return the logistic function, with the digits that 1 - p and 1 + tanh(x / 2) lose near 0."""
    return 1 / (1 + np.exp(-np.clip(x, -40, 40)))


class CategoricalFocalCrossentropy(Focal):
    """alpha * (1 - p)^gamma * categorical cross-entropy, for one-hot labels."""

    fields = ("alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(
            alpha, gamma, from_logits, label_smoothing, axis, reduction, name, **others
        )

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        true = super().prepare(y_true, y_pred)
        return true * (1 - self.label_smoothing) + self.label_smoothing / y_pred.shape[-1]

    def focal(self, y_true: Array, y_pred: Any) -> Any:
        p = y_pred
        if self.from_logits:
            p = np.exp(p - np.max(p, axis=-1, keepdims=True))
        share = p / np.sum(p, axis=-1, keepdims=True)
        share = np.clip(share, config.epsilon(), 1 - config.epsilon())
        return np.sum(self.entropy(y_true, share), axis=-1)

    def entropy(self, y_true: Any, share: Any) -> Any:
        """Return the loss of each class, from its share of all outputs."""
        return -self.alpha * y_true * np.log(share) * (1 - share) ** self.gamma
