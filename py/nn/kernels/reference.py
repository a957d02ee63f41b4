"""Reference kernels in NumPy: they run without a compiled library, and are its specification.

Images are (n, h, w, c), convolution kernels (kh, kw, c / groups, filters). Any float type; results
have the type of the first operand. Every `out` is written and returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]
NO_PADDING: Padding = ((0, 0), (0, 0))
TERMS = 4096
"""Terms of a sum that may be added one after another."""
_BLAS = bool(np.show_config(mode="dicts")["Build Dependencies"]["blas"].get("found"))


def _product(a: Array, b: Array, out: Array | None = None) -> Array:
    """Return a @ b, by the faster of NumPy's two loops without BLAS (as in Pyodide).

    Without BLAS matmul is slow: 512x512x512 takes 255 ms, einsum 35; 128x400x128 4.6 and 1.9;
    72x15488x16 of a transpose 19.5 and 7.6. It is faster only for narrow results of plain rows.
    Both add up some sums of many terms one after another: 24,000 were wrong by 7e-6, so the sums
    of 4,096 are added.
    """
    if a.shape[1] > TERMS:
        total = np.empty((len(a), b.shape[1]), a.dtype) if out is None else out
        total[...] = 0
        for i in range(0, a.shape[1], TERMS):
            total += _product(a[:, i : i + TERMS], b[i : i + TERMS])
        return total
    if _BLAS or (b.shape[1] < 32 and a.flags.c_contiguous):
        return np.matmul(a, b, out=out)
    product: Array = np.einsum("ik,kj->ij", a, b, out=out)
    return product


def matmul(
    a: Array,
    b: Array,
    out: Array | None = None,
    *,
    bias: Array | None = None,
    activation: str | None = None,
    accumulate: bool = False,
) -> Array:
    """Multiply (m, k) by (k, n), add `bias` (n,), `activation`; `accumulate` adds to `out`."""
    if accumulate and out is not None:
        out += _product(a, b)
    else:
        out = _product(a, b, out)
    if bias is not None:
        out += bias
    return out if activation is None else activate(out, activation, out)


def batch_matmul(a: Array, b: Array, out: Array | None = None) -> Array:
    """Multiply (n, g, m, k) by (n, g, k, l) into (n, g, m, l)."""
    return np.matmul(a, b, out=out)


def conv2d(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str | None = None,
    out: Array | None = None,
) -> Array:
    """Return the convolution: (n, h, w, c), (kh, kw, c / groups, f) -> (n, oh, ow, f)."""
    kh, kw, _, filters = w.shape
    columns = _columns(x, (kh, kw), strides, padding, dilation)
    if out is None:
        out = np.empty((*columns.shape[:3], filters), x.dtype)
    part = filters // groups
    for g, cols in enumerate(_split(columns, groups)):
        kernel = w[..., g * part : (g + 1) * part].reshape(-1, part)
        out[..., g * part : (g + 1) * part] = _product(cols, kernel).reshape(
            *columns.shape[:3], part
        )
    if bias is not None:
        out += bias
    return out if activation is None else activate(out, activation, out)


def pack_conv2d(
    w: Array, bias: Array | None = None, *, scale: Array | None = None, out: Array | None = None
) -> Array:
    """Return the weights, times `scale` by filter, and the bias, one after the other."""
    filters = w.shape[-1]
    out = np.empty(w.size + filters, w.dtype) if out is None else out
    np.multiply(w, 1 if scale is None else scale, out=out[:-filters].reshape(w.shape))
    out[-filters:] = 0 if bias is None else bias
    return out


def conv2d_packed(
    x: Array,
    packed: Array,
    kernel_shape: tuple[int, ...],
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str | None = None,
    residual: Array | None = None,
    out: Array | None = None,
) -> Array:
    """Return activation(convolution + bias + residual)."""
    filters = kernel_shape[-1]
    out = conv2d(
        x, packed[:-filters].reshape(kernel_shape), packed[-filters:],
        strides=strides, padding=padding, dilation=dilation, groups=groups, out=out,
    )  # fmt: skip
    if residual is not None:
        out += residual
    return out if activation is None else activate(out, activation, out)


def conv2d_weight_gradient(
    x: Array,
    dy: Array,
    kernel_shape: tuple[int, ...],
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    out: Array | None = None,
    bias_out: Array | None = None,
) -> Array:
    """Return the gradient of the kernel (`kernel_shape`); the bias's goes to `bias_out` (f,)."""
    kh, kw, channels, filters = kernel_shape
    columns = _columns(x, (kh, kw), strides, padding, dilation)
    if out is None:
        out = np.empty(kernel_shape, dy.dtype)
    part = filters // groups
    for g, cols in enumerate(_split(columns, groups)):
        d = dy[..., g * part : (g + 1) * part].reshape(-1, part)
        out[..., g * part : (g + 1) * part] = _product(cols.T, d).reshape(kh, kw, channels, part)
    if bias_out is not None:
        column_sums(dy.reshape(-1, filters), bias_out)
    return out


def conv2d_input_gradient(
    dy: Array,
    w: Array,
    input_shape: tuple[int, ...],
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    dilation: Pair = (1, 1),
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Return the gradient of the images: each window's gradient, added to its inputs."""
    n, height, width, _ = input_shape
    (top, bottom), (left, right) = padding
    kh, kw, channels, filters = w.shape
    oh, ow = dy.shape[1:3]
    padded = np.zeros((n, height + top + bottom, width + left + right, input_shape[3]), dy.dtype)
    part = filters // groups
    for k, (rows, cols) in enumerate(_taps((kh, kw), strides, dilation, (oh, ow))):
        for g in range(groups):
            d = dy[..., g * part : (g + 1) * part]
            kernel = w[k // kw, k % kw, :, g * part : (g + 1) * part]
            padded[:, rows, cols, g * channels : (g + 1) * channels] += d @ kernel.T
    result = padded[:, top : top + height, left : left + width]
    if out is None:
        return np.ascontiguousarray(result)
    out[...] = result
    return out


def max_pool2d(
    x: Array,
    pool_size: Pair,
    *,
    strides: Pair,
    padding: Padding = NO_PADDING,
    out: Array | None = None,
    argmax: Array | None = None,
) -> tuple[Array, Array]:
    """Return each window's maximum and the index (row-major) of its first occurrence."""
    padded = _pad(x, padding, -np.inf)
    oh, ow = (
        (n - k) // s + 1 for n, k, s in zip(padded.shape[1:3], pool_size, strides, strict=True)
    )
    shape = (x.shape[0], oh, ow, x.shape[3])
    out = np.empty(shape, x.dtype) if out is None else out
    argmax = np.empty(shape, np.uint8) if argmax is None else argmax
    for k, (rows, cols) in enumerate(_taps(pool_size, strides, (1, 1), (oh, ow))):
        v = padded[:, rows, cols]
        if k == 0:
            out[...] = v
            argmax.fill(0)
            continue
        # Arithmetic on bytes: 3.8 ms for (128, 26, 26, 8) in Pyodide, masked assignment 7.4.
        wins = (v > out).view(np.uint8)
        wins *= np.uint8(k)
        np.maximum(argmax, wins, out=argmax)
        np.maximum(out, v, out=out)
    return out, argmax


def max_pool2d_gradient(
    dy: Array,
    argmax: Array,
    input_shape: tuple[int, ...],
    pool_size: Pair,
    *,
    strides: Pair,
    padding: Padding = NO_PADDING,
    out: Array | None = None,
    relu_output: Array | None = None,
) -> Array:
    """Assign each gradient to its window's maximum; `relu_output` masks by the pooled relu."""
    n, height, width, channels = input_shape
    (top, bottom), (left, right) = padding
    oh, ow = dy.shape[1:3]
    d = dy if relu_output is None else dy * (relu_output > 0)
    padded = np.zeros((n, height + top + bottom, width + left + right, channels), dy.dtype)
    for k, (rows, cols) in enumerate(_taps(pool_size, strides, (1, 1), (oh, ow))):
        padded[:, rows, cols] += d * (argmax == k)
    result = padded[:, top : top + height, left : left + width]
    if out is None:
        return np.ascontiguousarray(result)
    out[...] = result
    return out


def average_pool2d(
    x: Array,
    pool_size: Pair,
    *,
    strides: Pair,
    padding: Padding = NO_PADDING,
    summed: bool = False,
    out: Array | None = None,
) -> Array:
    """Return the mean of each window's elements that are not padding, or their sum."""
    windows = _windows(_pad(x, padding), pool_size, strides, (1, 1))
    count = 1 if summed else _inside(x, pool_size, strides, padding)
    return np.divide(windows.sum(axis=(4, 5)), count, out=out)


def _inside(x: Array, pool_size: Pair, strides: Pair, padding: Padding) -> Array:
    """Return the number of elements of each window that are not padding: (1, oh, ow, 1)."""
    ones = _pad(np.ones((1, *x.shape[1:3], 1), x.dtype), padding)
    return np.asarray(_windows(ones, pool_size, strides, (1, 1)).sum(axis=(4, 5)))


def average_pool2d_gradient(
    dy: Array,
    input_shape: tuple[int, ...],
    pool_size: Pair,
    *,
    strides: Pair,
    padding: Padding = NO_PADDING,
    summed: bool = False,
    out: Array | None = None,
) -> Array:
    """Return the gradient of the images: a share of its windows' gradients to each element, or the
    whole of them where the windows are summed."""
    n, height, width, channels = input_shape
    (top, bottom), (left, right) = padding
    dx = np.zeros((n, height + top + bottom, width + left + right, channels), dy.dtype)
    inside = dx[:, top : top + height, left : left + width]
    share = dy if summed else dy / _inside(inside, pool_size, strides, padding)
    for rows, cols in _taps(pool_size, strides, (1, 1), dy.shape[1:3]):  # type: ignore[arg-type]
        dx[:, rows, cols] += share
    result = dx[:, top : top + height, left : left + width]
    if out is None:
        return np.ascontiguousarray(result)
    out[...] = result
    return out


def mean_places(x: Array, out: Array | None = None) -> Array:
    """Return the mean over the places: (n, places, channels) -> (n, channels)."""
    means = np.mean(x, axis=1, dtype=np.float64)
    if out is None:
        return means.astype(x.dtype)
    out[...] = means
    return out


def mean_places_gradient(dy: Array, places: int, out: Array | None = None) -> Array:
    """Return the gradient of `mean_places`' input."""
    out = np.empty((len(dy), places, dy.shape[1]), dy.dtype) if out is None else out
    return np.divide(dy[:, None], places, out=out)


def concatenate(parts: Sequence[Array], out: Array | None = None) -> Array:
    """Return arrays side by side along the last axis."""
    return np.concatenate(parts, axis=-1, out=out)


def pad2d(x: Array, padding: Padding, out: Array | None = None) -> Array:
    """Return images inside a frame of zeros."""
    (top, bottom), (left, right) = padding
    n, height, width, c = x.shape
    shape = (n, top + height + bottom, left + width + right, c)
    out = np.empty(shape, x.dtype) if out is None else out
    out.fill(0)
    out[:, top : top + height, left : left + width] = x
    return out


def conv2d_max_pool2d(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    activation: str | None = None,
    out: Array | None = None,
    argmax: Array | None = None,
) -> tuple[Array, Array]:
    """Return the 2x2 max pooling of a convolution with optional relu."""
    y = conv2d(x, w, bias, strides=strides, padding=padding)
    if activation == "relu":
        activate(y, "relu", y)
    return max_pool2d(y, (2, 2), strides=(2, 2), out=out, argmax=argmax)


def conv2d_max_pool2d_gradient(
    x: Array,
    w: Array,
    dy: Array,
    y: Array,
    argmax: Array,
    *,
    strides: Pair = (1, 1),
    padding: Padding = NO_PADDING,
    activation: str | None = None,
    out: Array | None = None,
    bias_out: Array | None = None,
    input_out: Array | None = None,
) -> Array:
    """Return the kernel's gradient; the others go to `bias_out` and `input_out`."""
    (top, bottom), (left, right) = padding
    size = (
        (x.shape[1] + top + bottom - w.shape[0]) // strides[0] + 1,
        (x.shape[2] + left + right - w.shape[1]) // strides[1] + 1,
    )
    relu = y if activation == "relu" else None
    shape = (x.shape[0], *size, w.shape[3])
    dz = max_pool2d_gradient(dy, argmax, shape, (2, 2), strides=(2, 2), relu_output=relu)
    if input_out is not None:
        conv2d_input_gradient(dz, w, x.shape, strides=strides, padding=padding, out=input_out)
    return conv2d_weight_gradient(
        x, dz, w.shape, strides=strides, padding=padding, out=out, bias_out=bias_out
    )


def add(a: Array, b: Array, out: Array | None = None) -> Array:
    """Return a + b."""
    return np.add(a, b, out=out)


def softmax_gradient(dy: Array, y: Array, out: Array | None = None, factor: float = 1.0) -> Array:
    """Return dx from dy and the result y of `softmax`."""
    inner = (dy * y).sum(axis=-1, keepdims=True)
    out = np.subtract(dy, inner, out=out)
    out *= y
    out *= out.dtype.type(factor)
    return out


def layer_norm(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float,
    out: Array | None = None, moments: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Return gamma z + beta and (mean, 1 / sqrt(variance + epsilon)) of each row."""
    moments = np.empty((len(x), 2), x.dtype) if moments is None else moments
    moments[:, 0] = x.mean(axis=1)
    moments[:, 1] = 1 / np.sqrt(x.var(axis=1) + epsilon)
    out = np.subtract(x, moments[:, :1], out=out)
    out *= moments[:, 1:]
    if gamma is not None:
        out *= gamma
    if beta is not None:
        out += beta
    return out, moments


def layer_norm_gradient(
    x: Array, dy: Array, gamma: Array | None, moments: Array, out: Array | None = None,
    dgamma: Array | None = None, dbeta: Array | None = None,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return (dx, dgamma, dbeta)."""
    mean, inverse = moments[:, :1], moments[:, 1:]
    z = (x - mean) * inverse
    dgamma, dbeta = column_sums(dy * z, dgamma), column_sums(dy, dbeta)
    d = dy if gamma is None else dy * gamma
    d = d - d.mean(axis=1, keepdims=True) - z * (d * z).mean(axis=1, keepdims=True)
    return np.multiply(d, inverse, out=out), dgamma, dbeta


def swap_axes(x: Array, out: Array, turned: int | None = None) -> None:
    """Write x (a, b, c) to `out` (b, a, c); its axis `turned` is read from the end."""
    out[...] = (x if turned is None else np.flip(x, turned)).transpose(1, 0, 2)


def softmax(x: Array, out: Array | None = None, factor: float = 1.0) -> Array:
    """Return exp(z) / sum(exp(z)) along the last axis, z = `factor` x."""
    out = np.subtract(x, x.max(axis=-1, keepdims=True), out=out)
    out *= out.dtype.type(factor)
    np.exp(out, out=out)
    out /= out.sum(axis=-1, keepdims=True)
    return out


def column_sums(x: Array, out: Array | None = None) -> Array:
    """Return the sum of the rows of (rows, columns).

    NumPy adds rows one after another: float32 sums of 86,528 numbers around 3.5 are wrong by 7e-6
    of their size. In doubles they are exact, in 1.5 times the time.
    """
    sums = np.sum(x, axis=0, dtype=np.float64)
    if out is None:
        return sums.astype(x.dtype)
    out[...] = sums
    return out


def column_moments(x: Array) -> tuple[Array, Array]:
    """Return the mean and the variance of each column of (rows, columns)."""
    mean = column_sums(x) / x.dtype.type(len(x))
    return mean, column_sums(np.square(x - mean)) / x.dtype.type(len(x))


def _let_through(y: Array, shown: Array | None, activation: str | None) -> Array:
    if shown is None:
        return y
    inside = (shown > 0) & (shown < 6) if activation == "relu6" else shown > 0
    return np.where(inside, y, 0)


def column_products(
    x: Array,
    mean: Array,
    y: Array,
    shown: Array | None = None,
    activation: str | None = None,
) -> tuple[Array, Array]:
    """Return the sums of y and of (x - mean) y of each column, with y masked by `shown`."""
    y = _let_through(y, shown, activation)
    return column_sums(y), column_sums((x - mean) * y)


def column_affine(
    x: Array,
    a: Array,
    b: Array,
    out: Array | None = None,
    *,
    y: Array | None = None,
    e: Array | None = None,
    shown: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Return activation(x a + b) per column, or x a + y e + b."""
    other = None if y is None else y * e
    out = np.multiply(_let_through(x, shown, activation), a, out=out)
    if other is not None:
        out += other
    out += b
    return out if shown is not None or activation is None else activate(out, activation, out)


def sigmoid(x: Array) -> Array:
    """Return the logistic function, as exact near 0 as near 1: silu multiplies its error by x."""
    e = np.exp(-np.abs(x))
    y: Array = np.where(x < 0, e, 1) / (1 + e)
    return y


class Trace(NamedTuple):
    """What a recurrent cell's steps leave for their gradient.

    Attributes:
        joined: (steps + 1, n, width); before each step the state h, the input, and what fills
            `width` up.
        z: (steps, n, 4 units); an LSTM's gates i, f, g, o, or a GRU's candidate, update and reset
            gate, and the part of its candidate that comes from h; empty for a SimpleRNN.
        c: (steps + 1, n, units), an LSTM's cell states; empty for the others.
    """

    joined: Array
    z: Array
    c: Array


def recurrent_steps(
    cell: str, x: Array, weights: Sequence[Any], first: Sequence[Any], trace: Trace, y: Array,
    slope: float, turned: bool, mask: Array | None = None,
) -> None:  # fmt: skip
    """Run a cell over all steps; see `nn.kernels.recurrent_steps`."""
    joined, z, c = trace
    (gates, bias), units = joined_weights(cell, *weights), len(weights[1])
    h, inputs = joined[..., :units], joined[:-1, :, units : len(gates)]
    inputs[...] = (x[:, ::-1] if turned else x).swapaxes(0, 1)
    for state, given in zip((h, c), first, strict=False):
        state[0] = 0 if given is None else given
    for t in range(len(inputs)):
        now = _product(joined[t, :, : len(gates)], gates) + bias
        if cell == "simple_rnn":
            h[t + 1] = np.tanh(now)
        elif cell == "lstm":
            i, f, g, o = np.split(now, 4, axis=1)
            for gate in (i, f, o):
                gate[...] = _opened(gate, slope)
            np.tanh(g, out=g)
            c[t + 1] = f * c[t] + i * g
            h[t + 1] = o * np.tanh(c[t + 1])
        else:
            candidate, update, reset, held = np.split(now, 4, axis=1)
            for gate in (update, reset):
                gate[...] = _opened(gate, slope)
            np.tanh(candidate + reset * held, out=candidate)
            h[t + 1] = update * h[t] + (1 - update) * candidate
        if len(z):
            z[t] = now
        for state in (h, c) if cell == "lstm" else (h,):
            np.copyto(state[t + 1], state[t], where=~_kept(mask, t, turned))
    y[...] = h[-1] if y.ndim == 2 else h[1:].swapaxes(0, 1)


def recurrent_gradient(
    cell: str, weights: Sequence[Any], trace: Trace, dy: Any, last: Sequence[Array],
    gradients: Sequence[Any], dx: Any, slope: float, turned: bool, mask: Array | None = None,
) -> None:  # fmt: skip
    """Run all backward steps; see `nn.kernels.recurrent_gradient`."""
    joined, z, c = trace
    (gates, _), units = joined_weights(cell, *weights), len(weights[1])
    depth, (dh, *cells) = len(gates), last
    dz = np.empty((len(joined) - 1, len(dh), gates.shape[1]), joined.dtype)
    for t in range(len(dz) - 1, -1, -1):
        if dy is not None:
            dh += dy[:, t]
        kept = _kept(mask, t, turned)
        aside = [d * ~kept for d in last]
        for d in last:
            d *= kept
        if cell == "simple_rnn":
            dz[t] = dh * (1 - joined[t + 1, :, :units] ** 2)
            dh[...] = 0
        elif cell == "lstm":
            i, f, g, o = np.split(z[t], 4, axis=1)
            (dc,), tanh = cells, np.tanh(c[t + 1])
            dc += dh * o * (1 - tanh * tanh)
            si, sf, so = (_gate_slope(gate, slope) for gate in (i, f, o))
            parts = dc * g * si, dc * c[t] * sf, dc * i * (1 - g * g), dh * tanh * so
            dz[t] = np.concatenate(parts, axis=1)
            dc *= f
            dh[...] = 0
        else:
            candidate, update, reset, held = np.split(z[t], 4, axis=1)
            d = dh * (1 - update) * (1 - candidate * candidate)
            dupdate = dh * (joined[t, :, :units] - candidate) * _gate_slope(update, slope)
            dreset = d * held * _gate_slope(reset, slope)
            dz[t] = np.concatenate([d, dupdate, dreset, d * reset], axis=1)
            dh *= update
        dh += _product(dz[t], gates[:units].T)
        for d, part in zip(last, aside, strict=True):
            d += part
    if dx is not None:
        back = _product(dz.reshape(-1, gates.shape[1]), gates[units:].T)
        back = back.reshape(*dz.shape[:2], depth - units).swapaxes(0, 1)
        dx[...] = back[:, ::-1] if turned else back
    rows, flat = joined[:-1, :, :depth].reshape(-1, depth), dz.reshape(-1, gates.shape[1])
    split_weights(cell, _product(rows.T, flat), column_sums(flat), *gradients)


def _opened(x: Array, slope: float) -> Array:
    return np.clip(slope * x + 0.5, 0, 1) if slope else sigmoid(x)


def _gate_slope(y: Array, slope: float) -> Array:
    return y.dtype.type(slope) * (y > 0) * (y < 1) if slope else y * (1 - y)


def _kept(mask: Array | None, t: int, turned: bool) -> Any:
    """Return which rows (n, 1) take a step."""
    return np.bool_(True) if mask is None else mask[:, -1 - t if turned else t, None]


def joined_weights(
    cell: str, kernel: Array, recurrent_kernel: Array, bias: Any
) -> tuple[Array, Array]:
    """Return the matrix (units + features, 4 units) of all gates and their bias: h and x times the
    one, plus the other, are what an LSTM's gates are computed from, or a GRU's candidate (from x),
    update, reset, candidate (from h). SimpleRNN has one part of `units`."""
    units, gru = len(recurrent_kernel), cell == "gru"
    width = kernel.shape[1] + gru * units
    gates = np.zeros((units + len(kernel), width), kernel.dtype)
    biases = np.zeros(width, kernel.dtype)
    (of_x, bias_of_x), (of_h, bias_of_h) = _parts(gru, units, gates, biases)
    of_h[:units], of_x[units:] = recurrent_kernel, np.roll(kernel, units * gru, 1)
    if bias is not None:
        first, *second = bias if gru else (bias,)
        bias_of_x[...] = np.roll(first, units * gru)
        for row in second:
            bias_of_h += row
    return gates, biases


def split_weights(
    cell: str, gates: Array, biases: Array, kernel: Array, recurrent_kernel: Array, bias: Any
) -> None:
    """Write the parts of a gradient of `joined_weights` to those of the weights."""
    units, gru = len(recurrent_kernel), cell == "gru"
    (of_x, bias_of_x), (of_h, bias_of_h) = _parts(gru, units, gates, biases)
    recurrent_kernel[...] = of_h[:units]
    kernel[...] = np.roll(of_x[units:], -units * gru, 1)
    if bias is not None:
        row = np.roll(bias_of_x, -units * gru)
        bias[...] = [row, bias_of_h] if gru else row


def _parts(gru: bool, units: int, *gates: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return the columns that x reaches, and those that h reaches."""
    if not gru:
        return gates, gates
    return tuple(g[..., : 3 * units] for g in gates), tuple(g[..., units:] for g in gates)


def softmax_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    sample_weight: Array | None = None,
    scale: float = 1.0,
    gradient: Array | None = None,
    probabilities: Array | None = None,
) -> tuple[Array, float]:
    """Return the loss of each sample and what they come to; see
    `nn.kernels.softmax_cross_entropy`."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=-1, keepdims=True)
    rows = np.arange(len(labels))
    losses: Array = np.log(total[:, 0]) - shifted[rows, labels]
    if probabilities is not None:
        np.divide(exponentials, total, out=probabilities)
    if gradient is not None:
        np.divide(exponentials, total, out=gradient)
        gradient[rows, labels] -= 1
        gradient *= scale if sample_weight is None else scale * sample_weight[:, None]
    weighted = losses if sample_weight is None else losses * sample_weight
    return losses, scale * float(weighted.sum())


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
) -> float:
    """Return what the losses of all samples come to; see `nn.kernels.fused_loss`."""
    classes = logits.shape[1]
    true = targets * (1 - smoothing) + smoothing / (classes if activation == "softmax" else 2)
    if activation == "softmax":
        shifted = logits - logits.max(axis=-1, keepdims=True)
        exponentials = np.exp(shifted)
        total, held = exponentials.sum(-1, keepdims=True), true.sum(-1, keepdims=True)
        y = exponentials / total
        losses = held[:, 0] * np.log(total[:, 0]) - (true * shifted).sum(axis=-1)
        slopes = y * held - true
    elif activation == "sigmoid":
        exponentials = np.exp(-np.abs(logits))
        y = np.where(logits < 0, exponentials, 1) / (1 + exponentials)
        losses = (np.maximum(logits, 0) - logits * true + np.log1p(exponentials)).mean(axis=-1)
        slopes = (y - true) / classes
    else:
        y = logits
        losses = np.square(y - true).mean(axis=-1)
        slopes = 2 * (y - true) / classes
    if outputs is not None:
        outputs[...] = y
    if gradient is not None:
        gradient[...] = slopes * (
            scale if sample_weight is None else scale * sample_weight[:, None]
        )
    weighted = losses if sample_weight is None else losses * sample_weight
    return scale * float(weighted.sum())


def _ramp(x: Array) -> Array:
    return np.clip(x / 6 + 0.5, 0, 1)


# Numerical Recipes 3rd ed. 6.2.2: erfc(z) = t exp(-z^2 + P(t)), t = 2 / (2 + z), |error| < 1.2e-16.
_ERFC = (
    -1.3026537197817094, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.561514786808631e-3,
    -9.46595344482036e-4, 3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5,
    -1.624290004647e-6, 1.303655835580e-6, 1.5626441722e-8, -8.5238095915e-8, 6.529054439e-9,
    5.059343495e-9, -9.91364156e-10, -2.27365122e-10, 9.6467911e-11, 2.394038e-12, -6.886027e-12,
    8.94487e-13, 3.13092e-13, -1.12708e-13, 3.81e-16, 7.106e-15, -1.523e-15, -9.4e-17, 1.21e-16,
    -2.8e-17,
)  # fmt: skip


def _normal(x: Array) -> Array:
    """Return the share of the normal distribution below x, to float64 rounding (NumPy has none)."""
    z = np.abs(x).astype(np.float64) * math.sqrt(0.5)
    t = 2 / (2 + z)
    ty = 4 * t - 2
    d = np.zeros_like(z)
    dd = np.zeros_like(z)
    for coefficient in _ERFC[:0:-1]:
        d, dd = ty * d - dd + coefficient, d
    above = 0.5 * t * np.exp(-z * z + 0.5 * (_ERFC[0] + ty * d) - dd)
    below: Array = np.where(x < 0, above, 1 - above).astype(x.dtype, copy=False)
    return below


def _silu_slope(x: Array) -> Array:
    s = sigmoid(x)
    slope: Array = s * (1 + x * (1 - s))
    return slope


def _softplus(x: Array) -> Array:
    y: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return y


def _mish_slope(x: Array) -> Array:
    t = np.tanh(_softplus(x))
    slope: Array = t + x * (1 - t * t) * sigmoid(x)
    return slope


def _twice(x: Array) -> Array:
    """Return 2 z, where 0.5 (1 + tanh(z)) is the share that gelu by tanh takes of x."""
    y: Array = math.sqrt(8 / math.pi) * x * (1 + 0.044715 * x * x)
    return y


def _gelu_tanh_slope(x: Array) -> Array:
    s, rest = sigmoid(_twice(x)), sigmoid(-_twice(x))  # 1 - s is not exact
    slope: Array = s * (1 + x * rest * math.sqrt(8 / math.pi) * (1 + 3 * 0.044715 * x * x))
    return slope


_FORWARD: dict[str, Callable[[Array, float, float], Array]] = {
    "relu": lambda x, a, b: np.maximum(x, 0),
    "sigmoid": lambda x, a, b: sigmoid(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "linear": lambda x, a, b: x,
    "relu6": lambda x, a, b: np.clip(x, 0, 6),
    "hard_sigmoid": lambda x, a, b: _ramp(x),
    "hard_silu": lambda x, a, b: x * _ramp(x),
    "elu": lambda x, a, b: np.where(x > 0, b * x, a * np.expm1(np.minimum(x, 0))),
    "leaky_relu": lambda x, a, b: np.where(x > 0, x, x * a),
    "silu": lambda x, a, b: x * sigmoid(x),
    "gelu": lambda x, a, b: x * _normal(x),
    "softplus": lambda x, a, b: a * _softplus(b * x),
    "mish": lambda x, a, b: x * np.tanh(_softplus(x)),
    "gelu_tanh": lambda x, a, b: x * sigmoid(_twice(x)),
}
_SLOPES: dict[str, Callable[[Array, float, float], Array]] = {
    "relu": lambda y, a, b: y > 0,
    "sigmoid": lambda y, a, b: y * (1 - y),
    "tanh": lambda y, a, b: 1 - y * y,
    "relu6": lambda y, a, b: (y > 0) & (y < 6),
    "hard_sigmoid": lambda y, a, b: ((y > 0) & (y < 1)) / y.dtype.type(6),
    "hard_silu": lambda x, a, b: np.where(np.abs(x) < 3, x / 3 + x.dtype.type(0.5), x >= 3),
    "elu": lambda y, a, b: np.where(y > 0, b, y + a),
    "leaky_relu": lambda y, a, b: np.where(y > 0, 1.0, a),
    "silu": lambda x, a, b: _silu_slope(x),
    "gelu": lambda x, a, b: _normal(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi),
    "softplus": lambda x, a, b: a * b * sigmoid(b * x),
    "mish": lambda x, a, b: _mish_slope(x),
    "gelu_tanh": lambda x, a, b: _gelu_tanh_slope(x),
}
for _forms in (_FORWARD, _SLOPES):
    _forms["selu"] = _forms["celu"] = _forms["elu"]
    _forms["log_sigmoid"] = _forms["softplus"]


def _mixed(h: Array) -> Array:
    """The finalizer of murmur3, both ways a bijection of 32 bits."""
    h = (h ^ (h >> 16)) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * np.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def drop(
    x: Array, seed: int, first: int, least: int, scale: float, out: Array | None = None
) -> Array:
    """Multiply by `scale` where the 24 bits of a place are at least `least`, else by 0."""
    places = np.arange(first, first + x.size, dtype=np.uint32)
    kept = _mixed(_mixed(places) ^ np.uint32(seed)) >> 8 >= least
    dropped: Array = np.multiply(x, kept.reshape(x.shape) * x.dtype.type(scale), out=out)
    return dropped


def activate(
    x: Array, name: str, out: Array | None = None, a: float = 0.0, b: float = 0.0
) -> Array:
    """Apply a named activation, whose numbers `a` and `b` are; `out` may be `x`."""
    out = np.empty_like(x) if out is None else out
    out[...] = _FORWARD[name](x, a, b)
    return out


def activation_gradient(
    dy: Array, y: Array, name: str, out: Array | None = None, a: float = 0.0, b: float = 0.0
) -> Array:
    """Return dx from dy and the activation's output y, or its input; `out` may be `dy`."""
    out = np.empty_like(dy) if out is None else out
    out[...] = dy * _SLOPES[name](y, a, b)
    return out


def adam_update(
    p: Array,
    m: Array,
    v: Array,
    g: Array,
    *,
    step_size: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float = 0.0,
) -> None:
    """Update p, m and v in place by Adam (Kingma and Ba 2014); `step_size` is bias-corrected.

    `weight_decay` is the fraction of p subtracted first (learning rate times decay).
    """
    if weight_decay:
        p *= 1 - weight_decay
    m += (1 - beta_1) * (g - m)
    v += (1 - beta_2) * (g * g - v)
    p -= step_size * m / (np.sqrt(v) + epsilon)


def sgd_update(
    p: Array,
    velocity: Array | None,
    g: Array,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> None:
    """Update p (and velocity, with momentum) in place, as Keras' SGD does."""
    if velocity is None or not momentum:
        p -= learning_rate * g
        return
    velocity *= momentum
    velocity -= learning_rate * g
    p += momentum * velocity - learning_rate * g if nesterov else velocity


def gather_scale(
    images: Array, indices: Array, scale: float, offset: float = 0.0, out: Array | None = None
) -> Array:
    """Return rows of a uint8 data set as floats: images[indices] * scale + offset."""
    if out is None:
        out = np.empty((len(indices), *images.shape[1:]), np.float32)
    np.multiply(images[indices], out.dtype.type(scale), out=out)
    if offset:
        out += out.dtype.type(offset)
    return out


def add_rows(rows: Array, indices: Array, out: Array) -> Array:
    """Add each of the rows (n, width) to the row of `out` that `indices` (n,) names."""
    np.add.at(out, indices, rows)
    return out


def _pad(x: Array, padding: Padding, value: float = 0.0) -> Array:
    if padding == NO_PADDING:
        return x
    (top, bottom), (left, right) = padding
    n, height, width, channels = x.shape
    y = np.full((n, top + height + bottom, left + width + right, channels), value, x.dtype)
    y[:, top : top + height, left : left + width] = x
    return y


def _taps(size: Pair, strides: Pair, dilation: Pair, out: Pair) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of the image covered by each element of a window."""
    for i in range(size[0]):
        for j in range(size[1]):
            yield tuple(  # type: ignore[misc]
                slice(at * d, at * d + (n - 1) * s + 1, s)
                for at, d, n, s in zip((i, j), dilation, out, strides, strict=True)
            )


def _windows(x: Array, size: Pair, strides: Pair, dilation: Pair) -> Array:
    """View (n, h, w, c) as (n, oh, ow, c, kh, kw)."""
    reach = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    over: Any = (1, 2)  # the stubs know one axis only
    view: Array = np.lib.stride_tricks.sliding_window_view(x, reach, axis=over)
    return view[:, :: strides[0], :: strides[1], :, :: dilation[0], :: dilation[1]]


def _columns(x: Array, size: Pair, strides: Pair, padding: Padding, dilation: Pair) -> Array:
    """View images as (n, oh, ow, kh, kw, c)."""
    return _windows(_pad(x, padding), size, strides, dilation).transpose(0, 1, 2, 4, 5, 3)


def _split(columns: Array, groups: int) -> list[Array]:
    """Copy the columns of each group: (n * oh * ow, kh * kw * c / groups)."""
    n, oh, ow, kh, kw, c = columns.shape
    part = c // groups
    return [
        columns[..., g * part : (g + 1) * part].reshape(n * oh * ow, kh * kw * part)
        for g in range(groups)
    ]
