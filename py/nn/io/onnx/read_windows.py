"""Conversion of windows over images: convolutions and pools."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError
from nn.io.onnx import read_quantized
from nn.io.onnx.messages import Node
from nn.io.onnx.read_pads import LOWEST, surrounded, zeros_around
from nn.io.onnx.reader import Array, Handle, Reader, Symbol, where

_MOST = 64  # elements of a window of which each is a part


def _conv(reader: Reader, node: Node) -> None:
    x, kernel, bias = _image(reader, node), reader.needed(node, 1), reader.constant(node, 2)
    rank = kernel.ndim - 2
    if rank not in (1, 2, 3):
        raise UnsupportedError(f"{where(node)}: expected 1 to 3 axes, received {rank}")
    strides = _list(node, "strides", rank, 1)
    dilations = _list(node, "dilations", rank, 1)
    window = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    pads, same = _pads(node, x, window, strides)
    # Keras has no strides beside dilations: every place is computed, and some are taken.
    taken = strides if max(strides) > 1 and max(dilations) > 1 else [1] * rank
    same = same and taken == [1] * rank
    x = x if same else _zeros(reader, node, x, pads)
    steps = strides if taken == [1] * rank else [1] * rank
    options: dict[str, Any] = {
        "kernel_size": list(kernel.shape[2:]) if rank > 1 else kernel.shape[2],
        "strides": steps if rank > 1 else steps[0],
        "padding": "same" if same else "valid",
        "dilation_rate": dilations if rank > 1 else dilations[0],
        "use_bias": bias is not None,
    }
    groups: Any = node.attributes.get("group", 1)
    if groups == x.tensor.shape[-1] and groups != 1 and kernel.shape[1] == 1 and rank < 3:
        kind, times = f"DepthwiseConv{rank}D", kernel.shape[0] // groups
        options["depth_multiplier"] = times
        apart = kernel.reshape(groups, times, *kernel.shape[2:])
        turned = np.transpose(apart, (*range(2, rank + 2), 0, 1))
    else:
        kind = f"Conv{rank}D"
        options |= {"filters": kernel.shape[0], "groups": groups}
        turned = np.transpose(kernel, (*range(2, rank + 2), 1, 0))
    weights = [turned] if bias is None else [turned, bias]
    made = reader.apply(kind, x, weights=weights, **options)
    if max(taken) > 1:
        made = reader.apply("GetItem", made, index=[[None, None, step] for step in taken])
    reader.set(node, made)


def _image(reader: Reader, node: Node) -> Symbol:
    symbol = reader.as_image(reader.symbol(node))
    if not symbol.first:
        raise UnsupportedError(f"{where(node)}: expected an image, received {symbol.tensor.shape}")
    return symbol


def _list(node: Node, name: str, rank: int, default: int) -> list[int]:
    value: Any = node.attributes.get(name, [default] * rank)
    if not isinstance(value, list) or len(value) != rank:
        raise UnsupportedError(f"{where(node)}: expected {rank} {name}, received {value!r}")
    return [int(item) for item in value]


def _pads(
    node: Node, x: Symbol, window: Sequence[int], strides: Sequence[int]
) -> tuple[list[int] | None, bool]:
    """Return the numbers before the axes and those after them, and whether they are Keras' "same".

    They are None if sizes would have to be known for them.
    """
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "", "SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedError(f"{where(node)}: no auto_pad {mode!r} here")
    rank = len(window)
    same = _same(x.tensor.shape[1:-1], window, strides)
    if mode == "SAME_UPPER":
        return same, True
    if mode == "SAME_LOWER":  # the odd one goes in front
        pads = [*same[rank:], *same[:rank]] if same else None
    else:
        pads = _list(node, "pads", 2 * rank, 0)
    return pads, pads == same and any(pads or ())


def _zeros(reader: Reader, node: Node, x: Symbol, pads: Sequence[int] | None) -> Symbol:
    """Return an image with zeros around it, which may lie above its own values."""
    if pads is None:
        raise UnsupportedError(f"{where(node)}: expected a known shape, received {x.tensor.shape}")
    if min(pads) < 0:
        raise UnsupportedError(f"{where(node)}: no pads {[*pads]} of {['n', *x.sizes]} here")
    return zeros_around(reader, x, pads) if any(pads) else x


def _same(
    sizes: Sequence[int | None], window: Sequence[int], strides: Sequence[int]
) -> list[int] | None:
    """Return the pads of Keras' "same" padding for these sizes."""
    before, after = [], []
    for size, extent, stride in zip(sizes, window, strides, strict=True):
        if size is None and stride > 1:
            return None
        steps = -(-size // stride) if size else 1  # by single steps any size has the same pads
        total = max((steps - 1) * stride + extent - (size or 1), 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]


def _conv_transpose(reader: Reader, node: Node) -> None:
    x, kernel, bias = _image(reader, node), reader.needed(node, 1), reader.constant(node, 2)
    rank = kernel.ndim - 2
    if rank not in (1, 2, 3):
        raise UnsupportedError(f"{where(node)}: expected 1 to 3 axes, received {rank}")
    kernel = _of_one_group(reader, node, kernel)
    if "output_shape" in node.attributes:
        raise UnsupportedError(f"{where(node)}: expected pads, received an output_shape")
    strides, dilations = _list(node, "strides", rank, 1), _list(node, "dilations", rank, 1)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    added = _list(node, "output_padding", rank, 0)
    before, after = _transposed_pads(node, reach, strides, added)
    # Elements cut and elements added after the last one cancel out.
    cut = [max(a - more, 0) for a, more in zip(after, added, strict=True)]
    extra = [max(more - a, 0) for a, more in zip(after, added, strict=True)]
    turned = np.transpose(kernel, (*range(2, rank + 2), 1, 0))
    made = reader.apply(
        f"Conv{rank}DTranspose",
        x,
        weights=[turned] if bias is None else [turned, bias],
        filters=kernel.shape[1],
        kernel_size=list(kernel.shape[2:]),
        strides=strides,
        output_padding=extra,
        dilation_rate=dilations,
        use_bias=bias is not None,
    )
    border = [[b, a] for b, a in zip(before, cut, strict=True)]
    if np.any(border):
        options = {"cropping": border[0] if rank == 1 else border}
        made = reader.apply(f"Cropping{rank}D", made, **options)
    reader.set(node, made)


def _of_one_group(reader: Reader, node: Node, kernel: Array) -> Array:
    """Return a kernel (channels, filters, ...) with zeros between channels and filters of other
    groups: Keras' transposed convolutions have one group."""
    groups: Any = node.attributes.get("group", 1)
    if groups == 1:
        return kernel
    if not isinstance(groups, int) or groups < 1 or len(kernel) % groups:
        raise UnsupportedError(
            f"{where(node)}: expected groups of the {len(kernel)} channels, received {groups}"
        )
    channels, filters = kernel.shape[0] // groups, kernel.shape[1]
    reader.claim(kernel.nbytes * groups, where(node))
    whole = np.zeros((len(kernel), filters * groups, *kernel.shape[2:]), kernel.dtype)
    for group in range(groups):
        rows = slice(group * channels, (group + 1) * channels)
        whole[rows, group * filters : (group + 1) * filters] = kernel[rows]
    return whole


def _transposed_pads(
    node: Node, reach: Sequence[int], strides: Sequence[int], added: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return the amounts cut before and after; "same" results in size * stride."""
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID", ""):
        rank = len(reach)
        pads = _list(node, "pads", 2 * rank, 0)
        return pads[:rank], pads[rank:]
    total = [max(r + more - s, 0) for r, s, more in zip(reach, strides, added, strict=True)]
    halves = [t // 2 for t in total]
    rest = [t - h for t, h in zip(total, halves, strict=True)]
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedError(f"{where(node)}: no auto_pad {mode!r} here")
    return (halves, rest) if mode == "SAME_UPPER" else (rest, halves)


def _pool(kind: str) -> Handle:
    average = kind == "AveragePooling"

    def handle(reader: Reader, node: Node) -> None:
        x = _image(reader, node)
        rank = x.rank - 2
        window = _list(node, "kernel_shape", rank, 1)
        strides = _list(node, "strides", rank, 1)
        if len(node.outputs) > 1:
            raise UnsupportedError(f"{where(node)}: no indices here")
        dilations = _list(node, "dilations", rank, 1)
        if max(dilations) > 1:
            reader.set(node, _dilated(reader, node, x, window, strides, dilations))
            return
        pads, same = _pads(node, x, window, strides)
        gaps = any(stride > size for size, stride in zip(window, strides, strict=True))
        if gaps and node.attributes.get("auto_pad") == "SAME_UPPER":
            # ONNX Runtime 1.31 refuses these, or begins behind the first element (opset 19).
            raise UnsupportedError(f"{where(node)}: no SAME_UPPER of strides longer than windows")
        counted = average and bool(node.attributes.get("count_include_pad", 0))
        same = same and not counted  # Keras' "same" does not count what it adds
        if same:
            around, shares = x, None
        else:
            steps = [*_axes(node, x, window, strides, pads)]
            around = _surrounded(reader, node, x, [axis.all_pads for axis in steps], average)
            shares = _shares(reader, node, steps, counted) if average else None
        made = reader.apply(
            f"{kind}{rank}D",
            around,
            pool_size=window if rank > 1 else window[0],
            strides=strides if rank > 1 else strides[0],
            padding="same" if same else "valid",
        )
        made = made if shares is None else reader.apply("Rescaling", made, scale=shares.tolist())
        reader.set(node, replace(made, positive=x.positive))

    return handle


def _dilated(
    reader: Reader,
    node: Node,
    x: Symbol,
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Symbol:
    """Return the largest of the elements of each window, of which some are left out: the largest of
    parts of the image, one for each element of the window."""
    if node.operator != "MaxPool" or math.prod(window) > _MOST:
        raise UnsupportedError(
            f"{where(node)}: expected at most {_MOST} elements of a MaxPool with dilations, "
            f"received {window}"
        )
    reach = [(size - 1) * step + 1 for size, step in zip(window, dilations, strict=True)]
    pads, _ = _pads(node, x, reach, strides)
    axes = [*_axes(node, x, reach, strides, pads)]
    around = _surrounded(reader, node, x, [axis.all_pads for axis in axes], False)
    parts = []
    for places in itertools.product(*map(range, window)):
        starts = [place * step for place, step in zip(places, dilations, strict=True)]
        ends = [start + 1 - size or None for start, size in zip(starts, reach, strict=True)]
        index = [list(span) for span in zip(starts, ends, strides, strict=True)]
        parts.append(reader.apply("GetItem", around, index=index))
    made = reader.apply("Maximum", *parts) if len(parts) > 1 else parts[0]
    return replace(made, positive=x.positive)


@dataclass(frozen=True)
class _Axis:
    """The places of a pool's window along one axis.

    Attributes:
        size: the image's, None if it is unknown.
        window: the window's.
        stride: from one place to the next.
        before: the padding in front.
        after: the padding at the end.
        beyond: by how much the last window goes beyond that (ceil_mode).
    """

    size: int | None
    window: int
    stride: int
    before: int
    after: int
    beyond: int

    @property
    def all_pads(self) -> tuple[int, int]:
        """What a window may see before the image and after it."""
        return self.before, self.after + self.beyond

    def shares(self, counted: bool) -> NDArray[np.float64]:
        """Return by what a mean is too small at each place, or 1 if all elements count.

        Args:
            counted: whether the padding counts; what is beyond it never does.
        """
        if self.size is None or not any(self.all_pads) or (counted and not self.beyond):
            return np.ones(1)
        whole = self.size + sum(self.all_pads)
        starts = np.arange(0, whole - self.window + 1, self.stride) - self.before
        first, end = (-self.before, self.size + self.after) if counted else (0, self.size)
        counts = np.minimum(starts + self.window, end) - np.maximum(starts, first)
        return self.window / np.maximum(counts, 1)


def _axes(
    node: Node,
    x: Symbol,
    window: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int] | None,
) -> Iterator[_Axis]:
    sizes, rank = x.tensor.shape[1:-1], len(window)
    ceil = bool(node.attributes.get("ceil_mode", 0))
    for at, (size, length, stride) in enumerate(zip(sizes, window, strides, strict=True)):
        before, after = (pads[at], pads[rank + at]) if pads is not None else (0, 0)
        if pads is None or (size is None and ceil and stride > 1):
            raise UnsupportedError(f"{where(node)}: expected a known shape, received {sizes}")
        whole = (size or 0) + before + after
        beyond = -(whole - length) % stride if ceil and size is not None else 0
        # A window that would begin behind the image and its padding in front is left out.
        if whole + beyond - length >= (size or 0) + before:
            beyond = 0
        yield _Axis(size, length, stride, before, after, beyond)


def _surrounded(
    reader: Reader, node: Node, x: Symbol, pads: Sequence[tuple[int, int]], average: bool
) -> Symbol:
    """Return an image with what windows see around it: zeros, or the least number for the largest
    of values that may be below 0."""
    every = [*(before for before, _ in pads), *(after for _, after in pads)]
    if average or x.positive or not any(every):
        return _zeros(reader, node, x, every)
    rank = len(pads)
    return surrounded(
        reader, node, x, [0, 0, *every[:rank], 0, 0, *every[rank:]], "constant", LOWEST
    )


def _shares(reader: Reader, node: Node, axes: Sequence[_Axis], counted: bool) -> Array | None:
    """Return the factors of means that count only some elements, None if they are all 1."""
    if not counted and any(axis.size is None and any(axis.all_pads) for axis in axes):
        raise UnsupportedError(f"{where(node)}: expected known sizes, with padding beside the mean")
    shares: Any = math.prod(np.ix_(*(axis.shares(counted) for axis in axes)))
    if np.all(shares == 1):
        return None
    reader.claim(shares.nbytes, where(node))
    return shares[..., None]


def _global_pool(kind: str) -> Handle:
    def handle(reader: Reader, node: Node) -> None:
        x = _image(reader, node)
        reader.set(node, reader.apply(f"{kind}{x.rank - 2}D", x, keepdims=True))

    return handle


OPERATORS: dict[str, Handle] = {
    "AveragePool": _pool("AveragePooling"),
    "Conv": _conv,
    "ConvInteger": read_quantized.of_floats("Conv", _conv),
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool("GlobalAveragePooling"),
    "GlobalMaxPool": _global_pool("GlobalMaxPooling"),
    "MaxPool": _pool("MaxPooling"),
}
