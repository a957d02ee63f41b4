"""Losses and their gradients, named and defined as in Keras 3 (`keras.losses`).

A loss gives one number for each sample (and each further axis but the last), which are weighted by
`sample_weight` and reduced: "sum_over_batch_size" (the default) divides their sum by their number,
never by the sum of the weights, as Keras does; "mean_with_sample_weight" divides by that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nn import config, kernels
from nn.errors import ConfigError, ShapeError
from nn.types import Array, Config, prod

__all__ = [
    "FunctionLoss",
    "Loss",
    "SparseCategoricalCrossentropy",
    "fit_weight",
    "get",
    "masked_weight",
    "same_rank",
    "serialize",
]

REDUCTIONS = ("sum", "sum_over_batch_size", "mean", "mean_with_sample_weight", "none", None)


class Loss:
    """Base class; a loss of one's own defines `call` and `gradient`.

    Args:
        reduction: one of `REDUCTIONS`.
        name: shown in logs.
    """

    fields: tuple[str, ...] = ()
    fused_activation: str | None = None
    """The activation before the loss for which `from_logits` is one exact, stable kernel."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None
    ) -> None:
        if reduction not in REDUCTIONS:
            raise ConfigError(f"reduction must be one of {REDUCTIONS}, received {reduction!r}")
        self.reduction = reduction
        self.name = name or self.default_name()

    @classmethod
    def default_name(cls) -> str:
        from nn.layers.base import snake_case

        return snake_case(cls.__name__)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """Return the loss of each sample: y_pred's shape less the last axis."""
        raise NotImplementedError(f"{type(self).__name__} must define call")

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        """Return d(loss of each sample)/d(y_pred), in y_pred's shape."""
        raise NotImplementedError(f"{type(self).__name__} must define gradient")

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        """Return `y_true` in y_pred's type, with a last axis of 1 added or taken where Keras
        does."""
        array = np.asarray(y_true)
        if array.dtype != y_pred.dtype:
            array = array.astype(y_pred.dtype)
        return same_rank(array, y_pred)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the reduced loss: a float, or an array with reduction "none"."""
        pred = np.asarray(y_pred)
        pred = pred if pred.dtype.kind == "f" else pred.astype(config.floatx())
        losses = self.call(self.prepare(y_true, pred), pred)
        scale = self.scale(losses.shape, sample_weight, pred.dtype)
        if self.reduction in ("none", None):
            return losses * scale
        return float(np.sum(losses * scale))

    def scale(self, shape: tuple[int, ...], sample_weight: Any, dtype: Any) -> Any:
        """Return what each sample's loss is multiplied with before they are summed."""
        weight = None if sample_weight is None else fit_weight(sample_weight, shape, dtype)
        divisor = 1.0
        if self.reduction in ("sum_over_batch_size", "mean"):
            divisor = float(prod(shape))
        elif self.reduction == "mean_with_sample_weight":
            divisor = float(prod(shape) if weight is None else np.broadcast_to(weight, shape).sum())
        factor = dtype.type(1 / divisor) if divisor else dtype.type(0)
        return factor if weight is None else weight * factor

    def step(self, y_true: Any, y_pred: Array, sample_weight: Any = None) -> tuple[float, Array]:
        """Return (loss, gradient with respect to y_pred)."""
        true = self.prepare(y_true, y_pred)
        losses = self.call(true, y_pred)
        scale = self.scale(losses.shape, sample_weight, y_pred.dtype)
        gradient = self.gradient(true, y_pred)
        gradient = gradient * (scale[..., None] if np.ndim(scale) else scale)
        return float(np.sum(losses * scale)), gradient

    def from_logits_step(
        self, y_true: Any, logits: Array, sample_weight: Any, out: Array, predictions: Array | None
    ) -> float:
        """Return the loss from what `fused_activation` would be applied to.

        `out` receives the gradient with respect to the logits, `predictions` the activation's
        output.
        """
        raise NotImplementedError(f"{type(self).__name__} has no fused form")

    def get_config(self) -> Config:
        return {"name": self.name, "reduction": self.reduction} | {
            f: getattr(self, f) for f in self.fields
        }

    @classmethod
    def from_config(cls, settings: Config) -> Loss:
        return cls(**settings)


def same_rank(a: Array, b: Array) -> Array:
    """Add or take a last axis of 1 so that `a` has b's rank (Keras'
    squeeze_or_expand_to_same_rank)."""
    if a.ndim == b.ndim - 1 and b.shape[-1] == 1:
        return a[..., None]
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return a[..., 0]
    return a


def fit_weight(sample_weight: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return the weights with as many axes as the losses.

    Raises:
        ShapeError: they do not broadcast to `shape`.
    """
    weight: Array = np.asarray(sample_weight, dtype)
    while weight.ndim > len(shape) and weight.shape[-1] == 1:
        weight = weight[..., 0]
    weight = weight.reshape(*weight.shape, *[1] * (len(shape) - weight.ndim))
    try:
        return np.broadcast_to(weight, shape)
    except ValueError as error:
        raise ShapeError(
            f"sample_weight: expected a shape that broadcasts to {shape}, "
            f"received {np.shape(sample_weight)}"
        ) from error


def masked_weight(sample_weight: Any, mask: Array, reduction: str | None, dtype: Any) -> Array:
    """Return weights that leave out what the mask does; means are over what it keeps (Keras'
    apply_mask)."""
    weight = mask.astype(dtype)
    if reduction in ("sum_over_batch_size", "mean"):
        weight *= weight.size / max(float(weight.sum()), 1.0)
    return (
        weight if sample_weight is None else weight * fit_weight(sample_weight, mask.shape, dtype)
    )


class SparseCategoricalCrossentropy(Loss):
    """-log p[label], for integer labels (n, ...) and probabilities or logits (n, ..., classes)."""

    fields = ("from_logits", "ignore_class")
    fused_activation = "softmax"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.from_logits = from_logits
        self.ignore_class = ignore_class

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        labels = np.asarray(y_true)
        if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
            labels = labels[..., 0]
        if labels.shape != y_pred.shape[:-1]:
            raise ShapeError(
                f"{self.name}: expected integer labels of shape {y_pred.shape[:-1]}, "
                f"received {labels.shape}"
            )
        # int32: NumPy's index type is 32-bit in WebAssembly, and int64 costs there.
        return labels if labels.dtype.kind in "iu" else labels.astype(np.int32)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return self._both(y_true, y_pred)[0]

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return self._both(y_true, y_pred)[1]

    def step(self, y_true: Any, y_pred: Array, sample_weight: Any = None) -> tuple[float, Array]:
        labels = self.prepare(y_true, y_pred)
        losses, gradient = self._both(labels, y_pred)
        scale = self.scale(losses.shape, sample_weight, y_pred.dtype)
        gradient *= scale[..., None] if np.ndim(scale) else scale
        return float(np.sum(losses * scale)), gradient

    def _both(self, labels: Array, y_pred: Array) -> tuple[Array, Array]:
        labels, kept = self._kept(labels)
        classes = y_pred.shape[-1]
        flat, index = y_pred.reshape(-1, classes), labels.reshape(-1)
        if index.size and (index.min() < 0 or index.max() >= classes):
            raise ShapeError(
                f"{self.name}: expected labels from 0 to {classes - 1}, "
                f"received {int(index.min())} to {int(index.max())}"
            )
        if self.from_logits:
            gradient: Array = np.empty_like(flat)
            losses: Array = kernels.softmax_cross_entropy(flat, index, gradient=gradient)
        else:
            losses, gradient = _from_probabilities(flat, index)
        losses, gradient = losses.reshape(labels.shape), gradient.reshape(y_pred.shape)
        if kept is not None:
            losses = losses * kept
            gradient = gradient * kept[..., None]
        return losses, gradient

    def _kept(self, labels: Array) -> tuple[Array, Array | None]:
        if self.ignore_class is None:
            return labels, None
        kept = labels != self.ignore_class
        return np.where(kept, labels, 0), kept

    def scale(self, shape: tuple[int, ...], sample_weight: Any, dtype: Any) -> Any:
        return super().scale(shape, sample_weight, dtype)

    def from_logits_step(
        self, y_true: Any, logits: Array, sample_weight: Any, out: Array, predictions: Array | None
    ) -> float:
        labels = np.asarray(y_true)
        if labels.shape != logits.shape[:-1]:
            labels = self.prepare(labels, logits)
        classes = logits.shape[-1]
        index = labels.reshape(-1)
        if index.dtype.kind not in "iu":
            index = index.astype(np.int32)
        if index.size and (index.max() >= classes or (index.dtype.kind == "i" and index.min() < 0)):
            raise ShapeError(
                f"{self.name}: expected labels from 0 to {classes - 1}, "
                f"received {int(index.min())} to {int(index.max())}"
            )
        scale = self.scale(labels.shape, sample_weight, logits.dtype)
        weights = scale.reshape(-1) if np.ndim(scale) else None
        losses = kernels.softmax_cross_entropy(
            logits.reshape(-1, classes),
            index,
            sample_weight=weights,
            gradient=out.reshape(-1, classes),
            probabilities=predictions.reshape(-1, classes) if predictions is not None else None,
        )
        if weights is not None:
            return float(np.dot(losses, weights))
        out *= scale
        return float(np.add.reduce(losses)) * float(scale)


def _from_probabilities(p: Array, labels: Array) -> tuple[Array, Array]:
    """Normalize, clip to [epsilon, 1 - epsilon], take the logarithm, as Keras on JAX."""
    epsilon = p.dtype.type(config.epsilon())
    rows = np.arange(len(p))
    total = p.sum(axis=-1)
    share = p[rows, labels] / total
    inside = (share >= epsilon) & (share <= 1 - epsilon)
    losses = -np.log(np.clip(share, epsilon, 1 - epsilon))
    gradient = np.broadcast_to((inside / total)[:, None], p.shape).copy()
    gradient[rows, labels] -= inside / (share * total)
    return losses, gradient


class ElementLoss(Loss):
    """Base of the losses that are the mean of one term for each element of the last axis."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return each element's loss and its derivative by y_pred."""
        raise NotImplementedError(f"{type(self).__name__} must define terms")

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(self.terms(y_true, y_pred)[0].mean(axis=-1))

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return self.terms(y_true, y_pred)[1] / y_pred.shape[-1]


class MeanSquaredError(ElementLoss):
    """mean((y_true - y_pred)^2)."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        return np.square(error), 2 * error


class MeanAbsoluteError(ElementLoss):
    """mean(|y_true - y_pred|)."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        return np.abs(error), np.sign(error)


class MeanAbsolutePercentageError(ElementLoss):
    """100 * mean(|y_true - y_pred| / max(|y_true|, epsilon))."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        scale = 100 / np.maximum(np.abs(y_true), y_true.dtype.type(config.epsilon()))
        error = y_pred - y_true
        return np.abs(error) * scale, np.sign(error) * scale


class MeanSquaredLogarithmicError(ElementLoss):
    """mean((log(y_true + 1) - log(y_pred + 1))^2), both at least epsilon."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        epsilon = y_pred.dtype.type(config.epsilon())
        pred = np.maximum(y_pred, epsilon)
        error = np.log1p(pred) - np.log1p(np.maximum(y_true, epsilon))
        return np.square(error), 2 * error / (pred + 1) * (y_pred >= epsilon)


class Huber(ElementLoss):
    """Squared near zero, linear beyond `delta` (Huber 1964)."""

    fields = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.delta = delta

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        size = np.abs(error)
        beyond = self.delta * size - 0.5 * self.delta**2
        value = np.where(size <= self.delta, 0.5 * np.square(error), beyond)
        return value, np.clip(error, -self.delta, self.delta)


class LogCosh(ElementLoss):
    """mean(log(cosh(y_pred - y_true)))."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        error = y_pred - y_true
        size = np.abs(error)
        return size + np.log1p(np.exp(-2 * size)) - math.log(2), np.tanh(error)


class Poisson(ElementLoss):
    """mean(y_pred - y_true * log(y_pred + epsilon))."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        shifted = y_pred + y_pred.dtype.type(config.epsilon())
        return y_pred - y_true * np.log(shifted), 1 - y_true / shifted


class Hinge(ElementLoss):
    """mean(max(1 - y_true * y_pred, 0)), labels 0 and 1 read as -1 and 1."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        signs = _signs(y_true)
        margin = np.maximum(1 - signs * y_pred, 0)
        return margin, -signs * (margin > 0)


class SquaredHinge(ElementLoss):
    """mean(max(1 - y_true * y_pred, 0)^2), labels 0 and 1 read as -1 and 1."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        signs = _signs(y_true)
        margin = np.maximum(1 - signs * y_pred, 0)
        return np.square(margin), -2 * signs * margin


def _signs(y_true: Array) -> Array:
    binary = bool(np.all((y_true == 0) | (y_true == 1)))
    return 2 * y_true - 1 if binary else y_true


class CategoricalHinge(Loss):
    """max(1 + max((1 - y_true) * y_pred) - sum(y_true * y_pred), 0)."""

    def call(self, y_true: Array, y_pred: Array) -> Array:
        positive = (y_true * y_pred).sum(axis=-1)
        negative = ((1 - y_true) * y_pred).max(axis=-1)
        return np.asarray(np.maximum(1 + negative - positive, 0))

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        others = (1 - y_true) * y_pred
        largest = others == others.max(axis=-1, keepdims=True)
        share = largest / largest.sum(axis=-1, keepdims=True)
        active = self.call(y_true, y_pred)[..., None] > 0
        return np.asarray(active * (share * (1 - y_true) - y_true))


class KLDivergence(Loss):
    """sum(y_true * log(y_true / y_pred)), both cut to [epsilon, 1]."""

    def call(self, y_true: Array, y_pred: Array) -> Array:
        true, pred = (np.clip(y, config.epsilon(), 1) for y in (y_true, y_pred))
        return np.asarray((true * np.log(true / pred)).sum(axis=-1))

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        inside = (y_pred >= config.epsilon()) & (y_pred <= 1)
        return -np.clip(y_true, config.epsilon(), 1) / np.clip(y_pred, config.epsilon(), 1) * inside


class CosineSimilarity(Loss):
    """-sum(normalized y_true * normalized y_pred)."""

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return -(_unit(y_true)[0] * _unit(y_pred)[0]).sum(axis=-1)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        true, (pred, size) = _unit(y_true)[0], _unit(y_pred)
        return -(true - pred * (true * pred).sum(axis=-1, keepdims=True)) / size


def _unit(x: Array) -> tuple[Array, Array]:
    size = np.sqrt(np.maximum(np.square(x).sum(axis=-1, keepdims=True), 1e-12))
    return x / size, size


class BinaryCrossentropy(ElementLoss):
    """-mean(y_true * log(p) + (1 - y_true) * log(1 - p)), from probabilities or logits."""

    fields = ("from_logits", "label_smoothing")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        true = y_true * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            value = np.maximum(y_pred, 0) - y_pred * true + np.log1p(np.exp(-np.abs(y_pred)))
            return value, 0.5 * (1 + np.tanh(0.5 * y_pred)) - true
        epsilon = config.epsilon()
        p = np.clip(y_pred, epsilon, 1 - epsilon)
        inside = (y_pred >= epsilon) & (y_pred <= 1 - epsilon)
        value = -(true * np.log(p) + (1 - true) * np.log(1 - p))
        return value, inside * (p - true) / (p * (1 - p))


class CategoricalCrossentropy(Loss):
    """-sum(y_true * log(p)), for one-hot labels and probabilities or logits."""

    fields = ("from_logits", "label_smoothing")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(reduction, name)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        true = super().prepare(y_true, y_pred)
        if true.shape != y_pred.shape:
            raise ShapeError(
                f"{self.name}: expected one-hot labels of shape {y_pred.shape}, "
                f"received {true.shape}"
            )
        return true * (1 - self.label_smoothing) + self.label_smoothing / y_pred.shape[-1]

    def call(self, y_true: Array, y_pred: Array) -> Array:
        if self.from_logits:
            shifted = y_pred - y_pred.max(axis=-1, keepdims=True)
            log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        else:
            epsilon = config.epsilon()
            share = y_pred / y_pred.sum(axis=-1, keepdims=True)
            log_p = np.log(np.clip(share, epsilon, 1 - epsilon))
        return -(y_true * log_p).sum(axis=-1)

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        if self.from_logits:
            shifted = np.exp(y_pred - y_pred.max(axis=-1, keepdims=True))
            p = shifted / shifted.sum(axis=-1, keepdims=True)
            return np.asarray(p * y_true.sum(axis=-1, keepdims=True) - y_true)
        total = y_pred.sum(axis=-1, keepdims=True)
        share = y_pred / total
        epsilon = config.epsilon()
        by_share = -y_true / np.clip(share, epsilon, 1 - epsilon)
        by_share = by_share * ((share >= epsilon) & (share <= 1 - epsilon))
        return np.asarray((by_share - (by_share * share).sum(axis=-1, keepdims=True)) / total)


CLASSES: dict[str, type[Loss]] = {
    c.__name__: c
    for c in (
        BinaryCrossentropy, CategoricalCrossentropy, CategoricalHinge, CosineSimilarity, Hinge,
        Huber,
        KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
        MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge,
    )
}  # fmt: skip
_ALIASES: dict[str, type[Loss]] = {c.default_name(): c for c in CLASSES.values()}
_ALIASES |= {
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "kl_divergence": KLDivergence,
    "kld": KLDivergence,
    "log_cosh": LogCosh,
}


class FunctionLoss(Loss):
    """A loss made of two functions: losses of the samples, and their gradient."""

    def __init__(
        self,
        call: Callable[[Array, Array], Array],
        gradient: Callable[[Array, Array], Array],
        name: str = "loss",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(reduction, name)
        self.call = call  # type: ignore[assignment,method-assign]
        self.gradient = gradient  # type: ignore[assignment,method-assign]


def get(identifier: Any) -> Loss:
    """Return a loss from its name, configuration or itself.

    Raises:
        ConfigError: nothing has that name.
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, dict):
        return _named(identifier["class_name"]).from_config(identifier.get("config") or {})
    return _named(identifier)()


def _named(name: Any) -> type[Loss]:
    found = CLASSES.get(name) or _ALIASES.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConfigError(f"loss: expected one of {sorted(_ALIASES)}, received {name!r}")
    return found


def serialize(loss: Loss) -> Config:
    """Return the class and settings, in Keras' spelling."""
    return {"class_name": type(loss).__name__, "config": loss.get_config()}
