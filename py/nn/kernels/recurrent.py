"""LSTM, GRU and SimpleRNN over whole sequences, products and gradients of the weights included."""

from __future__ import annotations

from collections.abc import Sequence

from nn.kernels import library, reference
from nn.kernels.geometry import LARGEST, expect_shape
from nn.kernels.library import address, contiguous, optional
from nn.kernels.reference import Array, Trace

GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
"""The cells, by their kernels' numbers: an LSTM's gates are i, f, g, o; a GRU's update, reset,
candidate, and its reset gate is applied after the product; SimpleRNN's h' = tanh(its only one)."""
KINDS = list(GATES)
Weights = tuple[Array, Array, Array | None]
"""Kernel (features, gates * units), recurrent kernel (units, gates * units) and bias (gates *
units,), for a GRU (2, gates * units): a row for the input and one for the state."""


def trace_shapes(
    cell: str, n: int, steps: int, features: int, units: int
) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the arrays of a `Trace`.

    Raises:
        MemoryError: the weights have more floats than C counts.
    """
    depth = units + features
    if 8 * (depth + 16) * (units + 8) > LARGEST:
        raise MemoryError(f"expected at most {LARGEST:,} floats, received {units, features}")
    states = (steps + 1 if cell == "lstm" else 0, n, units)
    gated = 0 if cell == "simple_rnn" else steps
    return (steps + 1, n, -(-depth // 4) * 4), (gated, n, 4 * units), states


def recurrent_steps(
    cell: str,
    x: Array,
    weights: Weights,
    first: Sequence[Array | None],
    trace: Trace,
    y: Array,
    *,
    slope: float = 0.0,
    turned: bool = False,
    mask: Array | None = None,
) -> None:
    """Run all steps of an LSTM, a GRU or a SimpleRNN, with tanh.

    Args:
        cell: one of `GATES`.
        x: (n, steps, features).
        weights: the weights.
        first: the states to begin with, (n, units) each: h and, for an LSTM, c; None for zeros.
        trace: is written; of the shapes that `trace_shapes` gives.
        y: is written: the outputs of all steps (n, steps, units), or of the last one (n, units).
        slope: that of hard gates, slope x + 1/2 between 0 and 1; 0 for the logistic function.
        turned: read x from its last step on.
        mask: (n, steps) of bool; False where a row leaves a step of x out, and keeps its states.
    """
    n, steps, features = x.shape
    units = _checked(cell, features, weights, trace, (n, steps))
    expect_shape(y, (n, steps, units) if y.ndim == 3 else (n, units), "y")
    expect_shape(mask, (n, steps), "the mask")
    for state in first:
        expect_shape(state, (n, units), "a state")
    joined, z, c = _of(cell, trace)
    lib = library.compiled((x, *weights, *first, joined, z, c, y), (joined, z, c, y))
    if lib is None:
        reference.recurrent_steps(cell, x, weights, first, trace, y, slope, turned, mask)
        return
    # Only an LSTM has a second state.
    given = [_whole(a) for a in (x, mask, *weights, *first, None)]
    lib.recurrent_steps(
        KINDS.index(cell), slope, *map(optional, given[:7]), address(joined), optional(z),
        optional(c), address(y), y.ndim == 3, turned, steps, n, features, units,
        lib.scratch(lib.recurrent_scratch(n, units, features)),
    )  # fmt: skip


def recurrent_gradient(
    cell: str,
    weights: Weights,
    trace: Trace,
    dy: Array | None,
    last: Sequence[Array],
    gradients: Weights,
    dx: Array | None = None,
    *,
    slope: float = 0.0,
    turned: bool = False,
    first_too: bool = True,
    mask: Array | None = None,
) -> None:
    """Run all steps of `recurrent_steps` backwards.

    Args:
        cell: as given to `recurrent_steps`.
        weights: likewise.
        trace: as `recurrent_steps` wrote it.
        dy: the gradients of all outputs (n, steps, units), or None.
        last: the gradients of the last states, (n, units) each, h first; those of the first states
            on return if `first_too`, else numbers of no meaning.
        gradients: those of the weights; are written.
        dx: (n, steps, features), is written; None if it is not needed.
        slope: as given to `recurrent_steps`.
        turned: as given to `recurrent_steps`.
        first_too: whether the gradients of the first states are needed.
        mask: as given to `recurrent_steps`.
    """
    steps, n, _ = trace.joined.shape
    steps -= 1
    features = len(weights[0])
    units = _checked(cell, features, weights, trace, (n, steps))
    expect_shape(dy, (n, steps, units), "dy")
    expect_shape(dx, (n, steps, features), "dx")
    expect_shape(mask, (n, steps), "the mask")
    for state in last:
        expect_shape(state, (n, units), "the gradient of a state")
    for weight, gradient in zip(weights, gradients, strict=True):
        if weight is not None:
            expect_shape(gradient, weight.shape, "the gradient of a weight")
    joined, z, c = _of(cell, trace)
    written = (*last, *gradients, dx)
    lib = library.compiled((*weights, joined, z, c, dy, *written), written)
    if lib is None:
        reference.recurrent_gradient(
            cell, weights, trace, dy, last, gradients, dx, slope, turned, mask
        )
        return
    kept, kernel, recurrent_kernel, dy = map(_whole, (mask, *weights[:2], dy))
    dh, dc = (*last, None)[:2]
    lib.recurrent_gradient(
        KINDS.index(cell), slope, *map(optional, (kept, kernel, recurrent_kernel)), address(joined),
        *map(optional, (z, c, dy, dh, dc, *gradients, dx)), first_too, turned, steps, n,
        features, units, lib.scratch(lib.recurrent_scratch(n, units, features)),
    )  # fmt: skip


def _whole(array: Array | None) -> Array | None:
    return None if array is None else contiguous(array)


def _of(cell: str, trace: Trace) -> tuple[Array, Array | None, Array | None]:
    """Return the arrays that the cell uses."""
    z = None if cell == "simple_rnn" else trace.z
    return trace.joined, z, trace.c if cell == "lstm" else None


def _checked(
    cell: str, features: int, weights: Weights, trace: Trace, sizes: tuple[int, int]
) -> int:
    """Check the shapes, and return the units."""
    kernel, recurrent_kernel, bias = weights
    units, width = len(recurrent_kernel), GATES[cell] * len(recurrent_kernel)
    expect_shape(kernel, (features, width), "the kernel")
    expect_shape(recurrent_kernel, (units, width), "the recurrent kernel")
    expect_shape(bias, (2, width) if cell == "gru" else (width,), "the bias")
    for array, shape in zip(trace, trace_shapes(cell, *sizes, features, units), strict=True):
        expect_shape(array, shape, "the trace")
    return units
