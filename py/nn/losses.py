"""Losses and their gradients, named and defined as in Keras 3 (`keras.losses`).

A loss gives one number for each sample (and each further axis but the last), which are weighted by
`sample_weight` and reduced: "sum_over_batch_size" (the default) divides their sum by their number,
never by the sum of the weights, as Keras does; "mean_with_sample_weight" divides by that.
"""

from __future__ import annotations

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
            gradient = np.empty_like(flat)
            losses = kernels.softmax_cross_entropy(flat, index, gradient=gradient)
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


CLASSES: dict[str, type[Loss]] = {c.__name__: c for c in (SparseCategoricalCrossentropy,)}
_ALIASES: dict[str, type[Loss]] = {c.default_name(): c for c in CLASSES.values()}


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
