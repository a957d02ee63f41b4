"""LSTM and GRU over whole sequences: time first, gates in Keras' order."""

from __future__ import annotations

from nn.kernels import library, reference
from nn.kernels.geometry import expect_shape
from nn.kernels.library import address, contiguous, optional
from nn.kernels.reference import Array


def lstm(z: Array, recurrent: Array, h: Array, c: Array) -> None:
    """Run all steps in place, gates in the order i, f, g, o.

    Args:
        z: (steps, n, 4 units); x W + b on entry, the activated gates on return.
        recurrent: (units, 4 units).
        h: (steps + 1, n, units); the initial state at index 0, the rest is written.
        c: the cell states, likewise.
    """
    _check(z, recurrent, 4, h, c)
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
    _check(z, recurrent, 4, dh, c)
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


def gru(z: Array, inner: Array, recurrent: Array, bias: Array | None, h: Array) -> None:
    """Run all steps in place, gates in the order update, reset, candidate; the reset gate is
    applied after the product, as in Keras.

    Args:
        z: (steps, n, 3 units); x W + b on entry, the activated gates on return.
        inner: like z; h U + `bias` on return.
        recurrent: (units, 3 units).
        bias: (3 units,), or None for zeros.
        h: (steps + 1, n, units); the initial state at index 0, the rest is written.
    """
    _check(z, recurrent, 3, h)
    expect_shape(inner, z.shape, "inner")
    expect_shape(bias, z.shape[2:], "bias")
    lib = library.compiled((z, inner, recurrent, bias, h), (z, inner, h))
    if lib is None:
        reference.gru(z, inner, recurrent, bias, h)
        return
    recurrent = contiguous(recurrent)
    bias = None if bias is None else contiguous(bias)
    steps, n, gates = z.shape
    lib.gru(
        address(z), address(inner), address(recurrent), optional(bias), address(h), steps, n,
        gates // 3, lib.scratch(lib.gru_scratch(gates // 3)),
    )  # fmt: skip


def gru_gradient(z: Array, inner: Array, recurrent: Array, h: Array, dh: Array) -> None:
    """Run all backward steps in place.

    Args:
        z: the gates written by `gru`; the gradient of x W + b on return.
        inner: written by `gru`; the gradient of h U + bias on return.
        recurrent: (units, 3 units).
        h: the states written by `gru`.
        dh: (steps + 1, n, units); gradients of each step's output, at the index of h. Index 0 holds
            other gradients of the initial state, or zero; the total on return.
    """
    _check(z, recurrent, 3, h, dh)
    expect_shape(inner, z.shape, "inner")
    lib = library.compiled((z, inner, recurrent, h, dh), (z, inner, dh))
    if lib is None:
        reference.gru_gradient(z, inner, recurrent, h, dh)
        return
    recurrent, h = contiguous(recurrent), contiguous(h)
    steps, n, gates = z.shape
    lib.gru_gradient(
        address(z), address(inner), address(recurrent), address(h), address(dh), steps, n,
        gates // 3, lib.scratch(lib.gru_scratch(gates // 3)),
    )  # fmt: skip


def _check(z: Array, recurrent: Array, gates: int, *states: Array) -> None:
    steps, n, width = z.shape
    units = width // gates
    expect_shape(recurrent, (units, gates * units), "recurrent")
    for state in states:
        expect_shape(state, (steps + 1, n, units), "state")
