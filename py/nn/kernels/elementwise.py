"""Sums, dropout, activations, softmax, and losses fused with what is before them."""

from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple

import numpy as np

from nn.kernels import library, reference
from nn.kernels.binding import Binding
from nn.kernels.geometry import expect_shape
from nn.kernels.library import F4, address, addressof, contiguous, from_buffer, optional
from nn.kernels.reference import Array

CODES = {
    "relu": 1, "sigmoid": 2, "tanh": 3, "relu6": 4, "hard_sigmoid": 5, "hard_silu": 6,
    "elu": 7, "selu": 7, "celu": 7, "leaky_relu": 8, "silu": 9, "gelu": 10, "softplus": 11,
    "log_sigmoid": 11, "mish": 12, "gelu_tanh": 13,
}  # fmt: skip
OF_INPUT = ("hard_silu", "silu", "gelu", "softplus", "log_sigmoid", "mish", "gelu_tanh")
"""The activations whose gradients are computed from their inputs."""
CUTS = ("relu", "relu6", "hard_sigmoid", "hard_silu")
FUSED = {None: 0, "linear": 0} | {name: CODES[name] for name in CUTS}
"""The activations that products and convolutions apply before they store a result."""
ENDS = {"linear": 0, "softmax": 1, "sigmoid": 2}
"""The activations that `fused_loss` computes."""
INTS = {np.dtype(f"{kind}{4 * ints}"): ints for kind in "iu" for ints in (1, 2)}
"""The types of labels that the kernel reads, and how many ints of 32 bits one takes."""


def add(a: Array, b: Array, out: Array | None = None) -> Array:
    """Return a + b; arrays of different shapes are broadcast. `out` may be `a` or `b`."""
    lib = library.compiled((a, b, out), (out,), a.shape == b.shape)
    if lib is None:
        return reference.add(a, b, out)
    expect_shape(out, a.shape, "out")
    out = np.empty(a.shape, F4) if out is None else out
    a, b = contiguous(a), contiguous(b)
    lib.add(address(a), address(b), address(out), a.size)
    return out


class Draw(NamedTuple):
    """What decides which elements are kept.

    Attributes:
        seed: below 2**31.
        first: the place of the first element, in the whole batch.
    """

    seed: int
    first: int


def drop(x: Array, draw: Draw, rate: float, out: Array | None = None) -> Array:
    """Return x / (1 - rate) with a share `rate` of the elements set to 0; `out` may be `x`."""
    expect_shape(out, x.shape, "out")
    least, scale = math.ceil(rate * 2**24), 1 / (1 - rate) if rate < 1 else 0.0
    lib = library.compiled((x, out), (out,))
    if lib is None:
        return reference.drop(x, draw.seed, draw.first, least, scale, out)
    out = np.empty(x.shape, F4) if out is None else out
    x = contiguous(x)
    lib.drop(address(x), address(out), x.size, draw.first, draw.seed, least, scale)
    return out


def activate(
    x: Array, name: str, out: Array | None = None, a: float = 0.0, b: float = 0.0
) -> Array:
    """Apply an activation of `CODES`; `out` may be `x`.

    Args:
        a: the slope of leaky relu below zero; the factor of exp(x) - 1 of elu and selu; softplus
            is a log(1 + exp(b x)).
        b: the slope of elu and selu above zero.
    """
    expect_shape(out, x.shape, "out")
    lib = library.compiled((x, out), (out,), name in CODES)
    if lib is None:
        return reference.activate(x, name, out, a, b)
    out = np.empty(x.shape, F4) if out is None else out
    x = contiguous(x)
    lib.activate(CODES[name], address(x), address(out), x.size, a, b)
    return out


def activation_gradient(
    dy: Array, y: Array, name: str, out: Array | None = None, a: float = 0.0, b: float = 0.0
) -> Array:
    """Return dx from dy and the activation's output y, or its input where it is one of `OF_INPUT`;
    `out` may be `dy`, the numbers are those of `activate`."""
    expect_shape(y, dy.shape, "y")
    expect_shape(out, dy.shape, "out")
    lib = library.compiled((dy, y, out), (out,), name in CODES)
    if lib is None:
        return reference.activation_gradient(dy, y, name, out, a, b)
    out = np.empty(dy.shape, F4) if out is None else out
    dy, y = contiguous(dy), contiguous(y)
    lib.activation_gradient(CODES[name], address(dy), address(y), address(out), dy.size, a, b)
    return out


def softmax(x: Array, out: Array | None = None, factor: float = 1.0) -> Array:
    """Return exp(z) / sum(exp(z)) along the last axis, z = `factor` x; `out` may be `x`."""
    expect_shape(out, x.shape, "out")
    lib = library.compiled((x, out), (out,))
    if lib is None:
        return reference.softmax(x, out, factor)
    out = np.empty(x.shape, F4) if out is None else out
    x = contiguous(x)
    lib.softmax(address(x), address(out), x.size // x.shape[-1], x.shape[-1], factor)
    return out


def softmax_gradient(dy: Array, y: Array, out: Array | None = None, factor: float = 1.0) -> Array:
    """Return dx from dy and the result y of `softmax`; `out` may be `dy`."""
    expect_shape(y, dy.shape, "y")
    expect_shape(out, dy.shape, "out")
    lib = library.compiled((dy, y, out), (out,))
    if lib is None:
        return reference.softmax_gradient(dy, y, out, factor)
    out = np.empty(dy.shape, F4) if out is None else out
    dy, y = contiguous(dy), contiguous(y)
    rows, classes = dy.size // dy.shape[-1], dy.shape[-1]
    lib.softmax_gradient(address(dy), address(y), address(out), rows, classes, factor)
    return out


def softmax_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    sample_weight: Array | None = None,
    scale: float = 1.0,
    gradient: Array | None = None,
    probabilities: Array | None = None,
    binding: Binding | None = None,
) -> tuple[Array, float]:
    """Return the loss of each sample (n,), from logits (n, classes) and integer labels (n,), and
    the sum of all, each times its `sample_weight`, if given, and `scale`.

    `gradient` receives d(sum)/d(logits), and `probabilities` the softmax. What is settled for
    these arrays, the labels apart, is kept in `binding`, and so are the losses, which the next
    call overwrites.

    Raises:
        ValueError: a label is out of range, or shapes do not match.
    """
    n, classes = logits.shape
    if labels.shape != (n,):
        expect_shape(labels, (n,), "labels")
    binding = binding or Binding()
    held = logits, sample_weight, gradient, probabilities
    if not binding.holds(*held) and not _bind_loss(binding, *held):
        _check_labels(labels, classes)
        return reference.softmax_cross_entropy(
            logits,
            labels,
            sample_weight=sample_weight,
            scale=scale,
            gradient=gradient,
            probabilities=probabilities,
        )
    places = labels
    if labels.dtype not in INTS or not labels.flags.carray:
        places = np.array(labels, labels.dtype if labels.dtype in INTS else np.int64, order="C")
    losses, reduction = binding.arrays[4:6]
    reduction[0] = scale
    if binding.call(address(places), INTS[places.dtype]):
        _check_labels(labels, classes)
    return losses, reduction[1]


def next_softmax_cross_entropy(labels: Array, binding: Binding) -> float | None:
    """Do what `softmax_cross_entropy` did last with `binding`, for labels of the same shape and
    dtype, of which nothing is checked but that they are classes; return the sum, or None: nothing
    was done.

    In a step whose work has emptied the processor's caches each call of NumPy takes 10 to 50 us
    (Pyodide 0.28.3 in Chromium 156, one core of an EPYC).
    """
    width = INTS.get(labels.dtype)
    try:
        place = addressof(from_buffer(labels))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # not contiguous, or not to be written to
        return None
    if width is None or place % 4 or binding.call(place, width):
        return None
    return float(binding.arrays[5][1])


def fused_loss(
    activation: str,
    logits: Array,
    targets: Array,
    *,
    smoothing: float = 0.0,
    sample_weight: Array | None = None,
    scale: float = 1.0,
    gradient: Array | None = None,
    outputs: Array | None = None,
    binding: Binding | None = None,
) -> float:
    """Return the sum of the losses of all samples, each times its `sample_weight`, if given, and
    `scale`, from logits and targets (n, classes).

    The loss of a sample is, with y = activation(logits): of "softmax" -sum(t log y), of "sigmoid"
    the mean of -t log y - (1 - t) log(1 - y), of "linear" that of (y - t)^2. `smoothing` moves
    targets towards the same number for each class. `gradient` receives d(sum)/d(logits), and
    `outputs` y. `binding` keeps what is settled for all arrays but the targets.

    Raises:
        ValueError: shapes do not match.
    """
    expect_shape(targets, logits.shape, "targets")
    binding = binding or Binding()
    held = logits, sample_weight, gradient, outputs
    if not binding.holds(*held) and not _bind_loss(binding, *held, activation):
        return reference.fused_loss(
            activation,
            logits,
            targets,
            smoothing=smoothing,
            sample_weight=sample_weight,
            scale=scale,
            gradient=gradient,
            outputs=outputs,
        )
    reduction = binding.arrays[5]
    reduction[0], reduction[2] = scale, 1 - smoothing
    reduction[3] = smoothing / (logits.shape[1] if activation == "softmax" else 2)
    targets = contiguous(targets.astype(F4, copy=False))  # held while its address is in use
    binding.call(address(targets))
    return float(reduction[1])


def _bind_loss(
    binding: Binding,
    logits: Array,
    weights: Array | None,
    gradient: Array | None,
    outputs: Array | None,
    activation: str | None = None,
) -> bool:
    """Bind a kernel to all arrays but the targets, and behind them the losses, and four numbers:
    what these are scaled by, their sum, and how targets are smoothed; returns whether it can be
    used. `activation` is None where the targets are integers."""
    n, classes = logits.shape
    expect_shape(weights, (n,), "sample_weight")
    expect_shape(gradient, logits.shape, "gradient")
    expect_shape(outputs, logits.shape, "outputs")
    lib = library.compiled((logits, weights, gradient, outputs), (gradient, outputs))
    if lib is None:
        return False
    logits = contiguous(logits)
    weights = weights if weights is None else contiguous(weights)
    losses, work, reduction = np.empty(n, F4), np.empty(classes, F4), (ctypes.c_float * 4)()
    first: list[Any] = [address(logits), optional(weights)]
    first = [*first, address(losses)] if activation is None else [ENDS[activation], *first]
    binding.bind(
        lib, lib.softmax_cross_entropy if activation is None else lib.fused_loss,
        *first, optional(gradient), optional(outputs), n, classes, address(work),
        ctypes.addressof(reduction),
        to=(logits, weights, gradient, outputs, losses, reduction, work),
    )  # fmt: skip
    return True


def _check_labels(labels: Array, classes: int) -> None:
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"expected labels from 0 to {classes - 1}, "
            f"received values from {labels.min()} to {labels.max()}"
        )
