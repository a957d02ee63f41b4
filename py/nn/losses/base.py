"""Base classes of losses: reduction, sample weights and axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from nn import config, kernels
from nn.data.numeric import cast, floats, numeric
from nn.differentiate import of_arguments
from nn.errors import ConfigError, ShapeError
from nn.identifiers import snake_case
from nn.keras_arguments import Checked, LeftOut, refuse
from nn.kernels.binding import Binding
from nn.types import Array, Config, prod

REDUCTIONS = ("sum", "sum_over_batch_size", "mean", "mean_with_sample_weight", "none", None)


class Loss(metaclass=Checked):
    """Base class. Subclasses define `call`, and `gradient` where it is not to be found from that.

    Args:
        reduction: one of `REDUCTIONS`.
        name: shown in logs; the class name in snake case by default.
    """

    fields: tuple[str, ...] = ()
    left_out: ClassVar[LeftOut] = {"dtype": (None, "a loss has the dtype of its outputs")}
    axis = -1
    """The axis of classes or features. `call` and `gradient` receive arrays with it moved last."""
    fused_activation: str | None = None
    """The activation that one numerically stable kernel computes together with this loss; not with
    one of a subclass, which may be another, unless it says so itself."""
    exact = False
    """Whether labels must have the shape of the outputs; for other losses they are broadcast."""
    label_smoothing = 0.0
    from_logits = False
    """Whether the outputs are values before the activation."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        **others: Any,
    ) -> None:
        refuse(type(self), others)
        if reduction not in REDUCTIONS:
            raise ConfigError(f"reduction must be one of {REDUCTIONS}, received {reduction!r}")
        self.reduction = reduction
        self.name = name or self.default_name()

    @classmethod
    def default_name(cls) -> str:
        """Return the class name in snake case."""
        return snake_case(cls.__name__)

    def can_fuse(self, layer: Any) -> bool:
        """Return whether `from_logits_step` can take what `layer` computes before the activation
        at its end, which must be the loss's own, or none where the loss takes logits."""
        activation = vars(type(self)).get("fused_activation")
        return (
            activation is not None
            and layer.last_activation == ("linear" if self.from_logits else activation)
            and self.axis == -1
            and self.reduction not in ("none", None)
        )

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """Return the loss of each sample, in the shape of `y_pred` without its last axis."""
        raise NotImplementedError(f"{type(self).__name__} must define call")

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        """Return d(loss of each sample)/d(y_pred), in the shape of `y_pred`: by default `call`,
        made of NumPy's functions or of `nn.ops`, is differentiated."""
        losses, pull = of_arguments(self.call, y_true, y_pred, wrt=1)
        return pull(np.ones_like(losses))

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        """Return `y_true` in the dtype of `y_pred`, with a last axis of size 1 added or removed
        where Keras does so."""
        array = numeric(y_true, f"{self.name}: labels (y_true)")
        return matching(cast(array, y_pred.dtype), y_pred, self.name, exact=self.exact)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the reduced loss: a float, or an array with reduction "none"."""
        pred = floats(numeric(y_pred, f"{self.name}: outputs (y_pred)"), config.floatx())
        y_true, pred = self.lined(y_true, pred)
        losses = self.call(self.prepare(y_true, pred), pred)
        scale = self.scale(losses.shape, sample_weight, pred.dtype)
        if self.reduction in ("none", None):
            return losses * scale
        return float(np.sum(losses * scale))

    def scale(self, shape: tuple[int, ...], sample_weight: Any, dtype: Any) -> Any:
        """Return the factor of each loss: its weight divided by the reduction's divisor."""
        weight = None if sample_weight is None else fit_weight(sample_weight, shape, dtype)
        divisor = 1.0
        if self.reduction in ("sum_over_batch_size", "mean"):
            divisor = float(prod(shape))
        elif self.reduction == "mean_with_sample_weight":
            divisor = float(prod(shape) if weight is None else np.broadcast_to(weight, shape).sum())
        factor = dtype.type(1 / divisor) if divisor else dtype.type(0)
        return factor if weight is None else weight * factor

    def step(self, y_true: Any, y_pred: Array, sample_weight: Any = None) -> tuple[float, Array]:
        """Return the reduced loss and its gradient with respect to `y_pred`."""
        if self.axis not in (-1, y_pred.ndim - 1):
            y_true, pred = self.lined(y_true, y_pred)
            loss, gradient = self.lined_step(y_true, pred, sample_weight)
            return loss, np.ascontiguousarray(np.moveaxis(gradient, -1, self.axis))
        return self.lined_step(y_true, y_pred, sample_weight)

    def lined(self, y_true: Any, y_pred: Array) -> tuple[Any, Array]:
        """Return both arrays with `axis` moved last."""
        expect_values(y_pred, self.axis, self.name)
        if self.axis in (-1, y_pred.ndim - 1):
            return y_true, y_pred
        true = numeric(y_true, f"{self.name}: labels (y_true)")
        if true.ndim == y_pred.ndim:
            true = np.moveaxis(true, self.axis, -1)
        return true, np.ascontiguousarray(np.moveaxis(y_pred, self.axis, -1))

    def lined_step(self, y_true: Any, y_pred: Array, sample_weight: Any) -> tuple[float, Array]:
        """Compute `step` for arrays that have `axis` last."""
        true = self.prepare(y_true, y_pred)
        losses = self.call(true, y_pred)
        scale = self.scale(losses.shape, sample_weight, y_pred.dtype)
        gradient = self.gradient(true, y_pred)
        gradient = gradient * (scale[..., None] if np.ndim(scale) else scale)
        return float(np.sum(losses * scale)), gradient

    def from_logits_step(
        self,
        y_true: Any,
        logits: Array,
        sample_weight: Any,
        out: Array,
        predictions: Array | None,
        binding: Binding | None = None,
    ) -> float:
        """Return the loss of logits, applying `fused_activation` in the same kernel.

        The gradient with respect to the logits is written into `out`, the activation's output
        into `predictions`. What the kernel settles for these arrays is kept in `binding`.
        """
        true = self.targets(y_true, logits)
        arrays = logits, out, predictions
        shape = true.shape[:-1]
        rows, slopes, seen, weights, scale = self.in_rows(*arrays, shape, sample_weight, binding)
        return kernels.fused_loss(
            str(self.fused_activation),
            rows,
            true.reshape(rows.shape),
            smoothing=self.label_smoothing,
            sample_weight=weights,
            scale=scale,
            gradient=slopes,
            outputs=seen,
            binding=binding,
        )

    def in_rows(
        self,
        logits: Array,
        out: Array,
        predictions: Array | None,
        shape: tuple[int, ...],
        sample_weight: Any,
        binding: Binding | None = None,
    ) -> tuple[Array, Array, Array | None, Array | None, float]:
        """Return what a kernel takes: logits, gradient and predictions (rows, classes), the factor
        of each row, if they differ, and that of all."""
        scale = self.scale(shape, sample_weight, logits.dtype)
        if logits.ndim != 2:  # a kernel is bound to these very arrays, not to views of them
            logits, out = (a.reshape(-1, a.shape[-1]) for a in (logits, out))
            predictions = predictions if predictions is None else predictions.reshape(logits.shape)
        if sample_weight is None:
            return logits, out, predictions, None, float(scale)
        weights = scale.reshape(-1)
        return logits, out, predictions, binding.keep(weights) if binding else weights, 1.0

    def targets(self, y_true: Any, y_pred: Array) -> Array:
        """Return the labels in the shape and the dtype of the outputs, not smoothed."""
        true = Loss.prepare(self, y_true, y_pred)
        return true if true.shape == y_pred.shape else np.broadcast_to(true, y_pred.shape)

    def get_config(self) -> Config:
        """Return the settings that `from_config` accepts."""
        return {"name": self.name, "reduction": self.reduction} | {
            f: getattr(self, f) for f in self.fields
        }

    @classmethod
    def from_config(cls, settings: Config) -> Loss:
        """Create a loss from the settings that `get_config` returned."""
        return cls(**settings)


def expect_values(y_pred: Array, axis: int, where: str) -> None:
    """Raise an error unless the outputs have values along an axis.

    Raises:
        ShapeError: they have no such axis, as one number has none, or nothing along it.
    """
    if not -y_pred.ndim <= axis < y_pred.ndim or not y_pred.shape[axis]:
        raise ShapeError(
            f"{where}: expected outputs (y_pred) with values along axis {axis}, "
            f"received shape {y_pred.shape}"
        )


def same_rank(a: Array, b: Array) -> Array:
    """Add or remove a last axis of size 1 so that `a` has the rank of `b` (Keras'
    squeeze_or_expand_to_same_rank)."""
    if a.ndim == b.ndim - 1 and b.shape[-1] == 1:
        return a[..., None]
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return a[..., 0]
    return a


def matching(y_true: Array, y_pred: Array, where: str, *, exact: bool = False) -> Array:
    """Return labels in the rank of the outputs.

    Args:
        y_true: the labels.
        y_pred: the outputs.
        where: the name of the loss or metric, for messages.
        exact: refuse labels that broadcast over an axis of the outputs.

    Raises:
        ShapeError: the labels do not have the shape of the outputs, or one that broadcasts to it.
    """
    array = same_rank(y_true, y_pred)
    if array.shape == y_pred.shape:
        return array
    pairs = zip(array.shape[1:], y_pred.shape[1:], strict=False)
    if (
        exact
        or array.ndim != y_pred.ndim
        or array.shape[:1] != y_pred.shape[:1]
        or any(t not in (1, p) for t, p in pairs)
    ):
        raise ShapeError(
            f"{where}: expected labels (y_true) of shape {y_pred.shape}, received {y_true.shape}"
        )
    return array


def integer_labels(y_true: Any, y_pred: Array, where: str) -> Array:
    """Return an integer for each sample: the labels, without a last axis of 1.

    Raises:
        DataError: the labels are not numbers.
        ShapeError: they have another shape than the outputs but for their last axis, or one is
            NaN or too large for an integer.
    """
    labels = numeric(y_true, f"{where}: labels (y_true)")
    if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.shape != y_pred.shape[:-1]:
        raise ShapeError(
            f"{where}: expected integer labels of shape {y_pred.shape[:-1]}, "
            f"received {labels.shape}"
        )
    return as_integers(labels, where, y_pred.shape[-1])


def as_integers(labels: Array, where: str, classes: int) -> Array:
    """Return labels as integers.

    Raises:
        ShapeError: a label is NaN, or too large for one.
    """
    if labels.dtype.kind in "iu":
        return labels
    if labels.dtype.kind == "f" and labels.size and not np.abs(labels).max() < 2**31:
        raise ShapeError(
            f"{where}: expected labels from 0 to {classes - 1}, "
            f"received {labels.min()} to {labels.max()}"
        )
    # int32, because NumPy's index type has 32 bits in WebAssembly and int64 is slower there.
    return labels.astype(np.int32)


def fit_weight(sample_weight: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return the weights broadcast to the shape of the losses.

    Raises:
        ShapeError: the weights do not broadcast to `shape`.
    """
    weight: Array = cast(numeric(sample_weight, "sample_weight"), dtype)
    if weight.shape == shape:
        return weight
    while weight.ndim > len(shape) and weight.shape[-1] == 1:
        weight = weight[..., 0]
    weight = weight.reshape((*weight.shape, *[1] * (len(shape) - weight.ndim)))
    try:
        return np.broadcast_to(weight, shape)
    except ValueError as error:
        raise ShapeError(
            f"sample_weight: expected a shape that broadcasts to {shape}, "
            f"received {np.shape(sample_weight)}"
        ) from error


def masked_weight(sample_weight: Any, mask: Array, reduction: str | None, dtype: Any) -> Array:
    """Return weights that are 0 where the mask is False, scaled so that means are taken over the
    remaining elements (Keras' apply_mask)."""
    weight = mask.astype(dtype)
    if reduction in ("sum_over_batch_size", "mean"):
        weight *= weight.size / max(float(weight.sum()), 1.0)
    return (
        weight if sample_weight is None else weight * fit_weight(sample_weight, mask.shape, dtype)
    )


class ElementLoss(Loss):
    """Base of losses that average one term per element of the last axis."""

    def terms(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Return the loss of each element and its derivative with respect to `y_pred`."""
        raise NotImplementedError(f"{type(self).__name__} must define terms")

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(self.terms(y_true, y_pred)[0].mean(axis=-1))

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        return self.terms(y_true, y_pred)[1] / y_pred.shape[-1]


class FunctionLoss(Loss):
    """A loss made of a function of labels and outputs: the loss of each sample, or of all.

    Args:
        call: the function.
        gradient: the gradient of the loss of each sample with respect to the outputs; by default
            the function, made of NumPy's, is differentiated (`nn.differentiate`).
        name: by default the function's.
        reduction: one of `REDUCTIONS`.
    """

    def __init__(
        self,
        call: Callable[[Array, Array], Any],
        gradient: Callable[[Array, Array], Array] | None = None,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(reduction, name or getattr(call, "__name__", "loss"))
        self.function = call
        self.given_gradient = gradient

    def prepare(self, y_true: Any, y_pred: Array) -> Array:
        array = numeric(y_true, f"{self.name}: labels (y_true)")
        return same_rank(cast(array, y_pred.dtype), y_pred)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        return np.asarray(self.function(y_true, y_pred))

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        if self.given_gradient is not None:
            return self.given_gradient(y_true, y_pred)
        losses, pull = of_arguments(self.function, y_true, y_pred, wrt=1)
        return pull(np.ones_like(losses))

    def lined_step(self, y_true: Any, y_pred: Array, sample_weight: Any) -> tuple[float, Array]:
        if self.given_gradient is not None:
            return super().lined_step(y_true, y_pred, sample_weight)
        true = self.prepare(y_true, y_pred)
        losses, pull = of_arguments(self.function, true, y_pred, wrt=1)
        scale = self.scale(losses.shape, sample_weight, y_pred.dtype)
        return float(np.sum(losses * scale)), pull(np.broadcast_to(scale, losses.shape))


def function_of(kind: type[Loss]) -> Callable[..., Any]:
    """Return Keras' function of a loss: the loss of each sample, `mean_squared_error(t, p)`."""

    def function(y_true: Any, y_pred: Any, **options: Any) -> Any:
        loss = kind(**options)
        if hasattr(y_pred, "through"):  # a function that calls this one is being differentiated
            values = loss.prepare(y_true, y_pred.value)
            slope = loss.gradient(values, y_pred.value)
            losses = loss.call(values, y_pred.value)
            return y_pred.through(lambda _: losses, lambda dy: np.asarray(dy)[..., None] * slope)
        pred = floats(numeric(y_pred, f"{loss.name}: outputs (y_pred)"), config.floatx())
        true, pred = loss.lined(y_true, pred)
        return loss.call(loss.prepare(true, pred), pred)

    function.__name__ = function.__qualname__ = snake_case(kind.__name__)
    function.__doc__ = f"Return the loss of each sample; `{kind.__name__}` has the options."
    function.kind = kind  # type: ignore[attr-defined]
    return function
