"""LSTM over whole sequences: time first, gates in Keras' order i, f, g, o."""

from __future__ import annotations

from nn.kernels import library, reference
from nn.kernels.geometry import expect_shape
from nn.kernels.library import address, contiguous
from nn.kernels.reference import Array


def lstm(z: Array, recurrent: Array, h: Array, c: Array) -> None:
    """Run all steps in place.

    Args:
        z: (steps, n, 4 units); x W + b on entry, the activated gates on return.
        recurrent: (units, 4 units).
        h: (steps + 1, n, units); the initial state at index 0, the rest is written.
        c: the cell states, likewise.
    """
    _check(z, recurrent, h, c)
    lib = library.compiled((z, recurrent, h, c), (z, h, c))
    if lib is None:
        reference.lstm(z, recurrent, h, c)
        return
    recurrent = contiguous(recurrent)
    steps, n, gates = z.shape
    lib.lstm(
        address(z), address(recurrent), address(h), address(c), steps, n, gates // 4,
        lib.scratch(lib.lstm_scratch(gates // 4)),
    )  # fmt: skip


def lstm_gradient(z: Array, recurrent: Array, c: Array, dh: Array, dc: Array) -> None:
    """Run all backward steps in place.

    Args:
        z: the gates written by `lstm`; the gradient of x W + b on return.
        recurrent: (units, 4 units).
        c: the cell states written by `lstm`.
        dh: (steps + 1, n, units); gradients of each step's output, at the index of h. Index 0 holds
            other gradients of the initial state, or zero; the total on return.
        dc: (n, units); gradient of the last cell state, that of the first on return.
    """
    _check(z, recurrent, dh, c)
    expect_shape(dc, dh.shape[1:], "dc")
    lib = library.compiled((z, recurrent, c, dh, dc), (z, dh, dc))
    if lib is None:
        reference.lstm_gradient(z, recurrent, c, dh, dc)
        return
    recurrent, c = contiguous(recurrent), contiguous(c)
    steps, n, gates = z.shape
    lib.lstm_gradient(
        address(z), address(recurrent), address(c), address(dh), address(dc), steps, n, gates // 4,
        lib.scratch(lib.lstm_scratch(gates // 4)),
    )  # fmt: skip


def _check(z: Array, recurrent: Array, h: Array, c: Array) -> None:
    steps, n, gates = z.shape
    units = gates // 4
    expect_shape(recurrent, (units, 4 * units), "recurrent")
    expect_shape(h, (steps + 1, n, units), "h")
    expect_shape(c, (steps + 1, n, units), "c")
