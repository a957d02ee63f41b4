"""Conversion of ONNX operators to layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import (
    read_arithmetic,
    read_axes,
    read_indices,
    read_pads,
    read_quantized,
    read_rearranged,
    read_recurrent,
    read_shapes,
)
from nn.io.onnx.messages import Node
from nn.io.onnx.read_arithmetic import fitted, in_one_order
from nn.io.onnx.read_constants import axis_of, dtype_of
from nn.io.onnx.read_gelu import exact_gelu
from nn.io.onnx.read_pads import LOWEST, surrounded, zeros_around
from nn.io.onnx.read_resize import resize
from nn.io.onnx.reader import Array, Handle, Reader, Symbol, where

# ONNX's default, equivalent to Keras' `momentum`.
_MOMENTUM = 0.9
# Its default alpha and gamma, those of Keras.
_SELU = (1.6732632423543772, 1.0507009873554805)


def _number(node: Node, name: str, default: float) -> float:
    value = node.attributes.get(name, default)
    if not isinstance(value, int | float):
        raise UnsupportedError(f"{where(node)}: expected a number {name!r}, received {value!r}")
    return float(value)


# Matrices.


def _gemm(reader: Reader, node: Node) -> None:
    if node.attributes.get("transA", 0):
        raise UnsupportedError(f"{where(node)}: expected transA=0")
    kernel = reader.needed(node, 1)
    kernel = kernel.T if node.attributes.get("transB", 0) else kernel
    kernel = np.multiply(kernel, _number(node, "alpha", 1.0), dtype=np.float32)
    bias = reader.constant(node, 2)
    if bias is not None:
        scaled = np.multiply(bias, _number(node, "beta", 1.0), dtype=np.float32)
        bias = np.broadcast_to(fitted(node, kernel.shape[1:], scaled), kernel.shape[1:])
    reader.set(node, _dense(reader, reader.symbol(node), kernel, bias))


def _mat_mul(reader: Reader, node: Node) -> None:
    if all(name in reader.symbols for name in node.inputs):
        a, b = (reader.in_order(reader.symbol(node, index)) for index in (0, 1))
        if a.rank != b.rank or a.rank < 3:
            raise UnsupportedError(
                f"{where(node)}: expected matrices for each sample, received {a.rank} and {b.rank} "
                "axes"
            )
        options = {"axes": [2, 1]} if a.rank == 3 else {}
        made = reader.apply("Dot" if options else "Matmul", a, b, **options)
        reader.set(node, replace(made, turned=False))
        return
    kernel, x = reader.needed(node, 1), reader.symbol(node)
    if kernel.ndim < 2 or kernel.ndim > x.rank or math.prod(kernel.shape[:-2]) != 1:
        raise UnsupportedError(f"{where(node)}: expected a matrix, received shape {kernel.shape}")
    kernel = kernel.reshape(kernel.shape[-2:])
    bias = _bias_after(reader, node, kernel.shape[1], x.rank)
    reader.set(node, _dense(reader, x, kernel, bias))


def _bias_after(reader: Reader, node: Node, units: int, rank: int) -> Array | None:
    """Return the bias that is added to a product, directly or reshaped, and mark it as added.

    Nothing else may read the product.
    """
    output = node.outputs[0]
    follower = reader.follower(output)
    while follower and follower.operator == "Reshape" and _keeps_last(reader, follower, units):
        rank = reader.constants[follower.inputs[1]].size
        output = follower.outputs[0]
        follower = reader.follower(output)
    if follower is None or follower.operator != "Add":
        return None
    for name in follower.inputs:
        bias = reader.constants.get(name)
        fits = bias is not None and bias.shape[-1:] == (units,) and bias.ndim <= rank
        if bias is not None and fits and bias.size == units:
            reader.same[follower.outputs[0]] = output
            return bias.reshape(units)
    return None


def _keeps_last(reader: Reader, node: Node, units: int) -> bool:
    target = reader.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
    return target is not None and target.size > 1 and int(np.ravel(target)[-1]) == units


def _dense(reader: Reader, x: Symbol, kernel: Array, bias: Array | None) -> Symbol:
    if x.image:
        kernel = _reorder_rows(kernel, x.image)
    x = reader.in_order(x) if x.first else x
    weights = [kernel] if bias is None else [kernel, bias]
    made = reader.apply(
        "Dense", x, weights=weights, units=kernel.shape[1], use_bias=bias is not None
    )
    return replace(made, image=None)


def _reorder_rows(kernel: Array, image: tuple[int, ...]) -> Array:
    """Reorder the rows of a kernel from flattened (c, h, w) to flattened (h, w, c)."""
    channels, *sizes = image
    rows = np.moveaxis(kernel.reshape(channels, *sizes, kernel.shape[1]), 0, -2)
    return rows.reshape(kernel.shape)


# Convolutions and pools.


def _conv(reader: Reader, node: Node) -> None:
    x, kernel, bias = _image(reader, node), reader.needed(node, 1), reader.constant(node, 2)
    rank = kernel.ndim - 2
    if rank not in (1, 2, 3):
        raise UnsupportedError(f"{where(node)}: expected 1 to 3 axes, received {rank}")
    strides = _list(node, "strides", rank, 1)
    dilations = _list(node, "dilations", rank, 1)
    window = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    x, padding = _pad(reader, node, x, window, strides, any_value=True)
    options: dict[str, Any] = {
        "kernel_size": list(kernel.shape[2:]) if rank > 1 else kernel.shape[2],
        "strides": strides if rank > 1 else strides[0],
        "padding": padding,
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
    reader.set(node, reader.apply(kind, x, weights=weights, **options))


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


def _pad(
    reader: Reader,
    node: Node,
    x: Symbol,
    window: Sequence[int],
    strides: Sequence[int],
    *,
    any_value: bool,
    counted: bool = False,
) -> tuple[Symbol, str]:
    """Return the image, padded if necessary, and Keras' padding for the following layer.

    Args:
        reader: the state of the import.
        node: the node.
        x: its image.
        window: the extent of the kernel or pool.
        strides: its steps.
        any_value: whether zeros may stand around values below 0.
        counted: whether a pool counts the zeros, as Keras' "same" does not.
    """
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "", "SAME_UPPER", "SAME_LOWER"):
        raise UnsupportedError(f"{where(node)}: no auto_pad {mode!r} here")
    rank = len(window)
    same = _same(x.tensor.shape[1:-1], window, strides)
    lower = [*same[rank:], *same[:rank]] if same else None  # the odd one goes in front
    pads = {"SAME_UPPER": same, "SAME_LOWER": lower}.get(str(mode), [])
    pads = _list(node, "pads", 2 * rank, 0) if pads == [] else pads
    if not counted and (mode == "SAME_UPPER" or (pads == same and any(pads or ()))):
        return x, "same"
    if pads is None:
        raise UnsupportedError(f"{where(node)}: expected a known shape, received {x.tensor.shape}")
    if not any(pads):
        return x, "valid"
    if min(pads) < 0 or not (any_value or x.positive):
        every = [0, 0, *pads[:rank], 0, 0, *pads[rank:]]
        return surrounded(reader, node, x, every, "constant", LOWEST), "valid"
    return zeros_around(reader, x, pads), "valid"


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
    if rank not in (1, 2, 3) or node.attributes.get("group", 1) != 1:
        raise UnsupportedError(f"{where(node)}: expected 1 to 3 axes and one group")
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
    def handle(reader: Reader, node: Node) -> None:
        x = _image(reader, node)
        rank = x.rank - 2
        window = _list(node, "kernel_shape", rank, 1)
        strides = _list(node, "strides", rank, 1)
        if len(node.outputs) > 1:
            raise UnsupportedError(f"{where(node)}: no indices here")
        if any(size != 1 for size in _list(node, "dilations", rank, 1)):
            raise UnsupportedError(f"{where(node)}: no dilations here")
        counted = kind == "AveragePooling" and bool(node.attributes.get("count_include_pad", 0))
        x, padding = _padded_pool(reader, node, x, window, strides, kind, counted)
        if node.attributes.get("ceil_mode", 0) and padding == "valid":
            _expect_whole(node, x, window, strides)
        made = reader.apply(
            f"{kind}{rank}D",
            x,
            pool_size=window if rank > 1 else window[0],
            strides=strides if rank > 1 else strides[0],
            padding=padding,
        )
        reader.set(node, replace(made, positive=x.positive))

    return handle


def _expect_whole(node: Node, x: Symbol, window: Sequence[int], strides: Sequence[int]) -> None:
    """Refuse ceil_mode, unless the windows fill the image and it changes nothing."""
    sizes = x.tensor.shape[1:-1]
    for size, length, stride in zip(sizes, window, strides, strict=True):
        if size is None or (size - length) % stride:
            raise UnsupportedError(f"{where(node)}: no ceil_mode here for {sizes} by {stride}")


def _padded_pool(
    reader: Reader,
    node: Node,
    x: Symbol,
    window: Sequence[int],
    strides: Sequence[int],
    kind: str,
    counted: bool,
) -> tuple[Symbol, str]:
    """Pool with padding: Keras' "same" ignores it; zeros are equivalent for values >= 0, and the
    least number for the largest of any."""
    gaps = any(stride > size for size, stride in zip(window, strides, strict=True))
    if gaps and node.attributes.get("auto_pad") == "SAME_UPPER":
        # ONNX Runtime 1.31 refuses these, or begins behind the first element (opset 19).
        raise UnsupportedError(f"{where(node)}: no SAME_UPPER of strides longer than the window")
    padded, padding = _pad(reader, node, x, window, strides, any_value=counted, counted=counted)
    if kind == "AveragePooling" and padded is not x and not counted:
        raise UnsupportedError(f"{where(node)}: no padding that is left out of the mean here")
    return replace(padded, positive=x.positive), padding


def _global_pool(kind: str) -> Handle:
    def handle(reader: Reader, node: Node) -> None:
        x = _image(reader, node)
        reader.set(node, reader.apply(f"{kind}{x.rank - 2}D", x, keepdims=True))

    return handle


def _batch_normalization(reader: Reader, node: Node) -> None:
    if node.attributes.get("training_mode", 0) or not node.attributes.get("spatial", 1):
        raise UnsupportedError(f"{where(node)}: expected training_mode=0 and spatial=1")
    x = reader.as_image(reader.symbol(node))
    weights = [reader.needed(node, index) for index in (1, 2, 3, 4)]
    if x.image:
        weights = [_reorder_rows(weight[:, None], x.image)[:, 0] for weight in weights]
    made = reader.apply(
        "BatchNormalization",
        x,
        weights=weights,
        epsilon=_number(node, "epsilon", 1e-5),
        momentum=_number(node, "momentum", _MOMENTUM),
    )
    reader.set(node, made)


# Element by element.


def _layer(kind: str, positive: bool = False, **options: Any) -> Handle:
    def handle(reader: Reader, node: Node) -> None:
        made = reader.apply(kind, reader.symbol(node), **options)
        reader.set(node, replace(made, positive=positive))

    return handle


def _activation(name: str, positive: bool = False) -> Handle:
    return _layer("Activation", positive, activation=name)


def _leaky_relu(reader: Reader, node: Node) -> None:
    slope = _number(node, "alpha", 0.01)
    reader.set(node, reader.apply("LeakyReLU", reader.symbol(node), negative_slope=slope))


def _elu(reader: Reader, node: Node) -> None:
    alpha = _number(node, "alpha", 1.0)
    reader.set(node, reader.apply("ELU", reader.symbol(node), alpha=alpha))


def _selu(reader: Reader, node: Node) -> None:
    alpha, gamma = _number(node, "alpha", _SELU[0]), _number(node, "gamma", _SELU[1])
    if np.allclose((alpha, gamma), _SELU, rtol=1e-5):
        _activation("selu")(reader, node)
        return
    x = reader.apply("ELU", reader.symbol(node), alpha=alpha)
    reader.set(node, reader.apply("Rescaling", x, scale=gamma))


def _celu(reader: Reader, node: Node) -> None:
    """alpha * elu(x / alpha)."""
    x, alpha = reader.symbol(node), _number(node, "alpha", 1.0)
    inner = x if alpha == 1 else reader.apply("Rescaling", x, scale=1 / alpha)
    made = reader.apply("ELU", inner)
    reader.set(node, made if alpha == 1 else reader.apply("Rescaling", made, scale=alpha))


def _clip(reader: Reader, node: Node) -> None:
    if reader.opset < 11:
        low, high = (_number(node, name, end) for name, end in (("min", -np.inf), ("max", np.inf)))
    else:
        ends = reader.constant(node, 1), reader.constant(node, 2)
        low, high = (
            default if end is None else float(end.reshape(()))
            for end, default in zip(ends, (-np.inf, np.inf), strict=True)
        )
    x = reader.symbol(node)
    reader.set(node, read_arithmetic.clipped(reader, node, x, float(low), float(high)))


def _hard_sigmoid(reader: Reader, node: Node) -> None:
    slope, middle = _number(node, "alpha", 0.2), _number(node, "beta", 0.5)
    names = {0.2: "keras2_hard_sigmoid", 0.1667: "hard_sigmoid"}
    name = names.get(round(slope, 4))
    if name is None or middle != 0.5:
        raise UnsupportedError(f"{where(node)}: no alpha={slope}, beta={middle} here")
    _activation(name, positive=True)(reader, node)


def _parametric_relu(reader: Reader, node: Node) -> None:
    x, slope = reader.symbol(node), reader.needed(node, 1)
    x = reader.in_order(x) if x.image and slope.size > 1 else x
    slope = fitted(node, x.sizes, slope)
    slope = np.moveaxis(slope, 0, -1) if x.first else slope
    shared = [axis for axis, size in enumerate(slope.shape, 1) if size == 1]
    reader.set(node, reader.apply("PReLU", x, weights=[slope], shared_axes=shared))


def _layer_normalization(reader: Reader, node: Node) -> None:
    x, scale, bias = reader.symbol(node), reader.needed(node, 1), reader.constant(node, 2)
    x = reader.in_order(x)
    axis = axis_of(node, -1, x.rank)
    if not axis or len(node.outputs) > 1:
        raise UnsupportedError(f"{where(node)}: expected axes after the batch's, and one output")
    sizes = list(x.sizes)
    if axis < x.rank - 1:
        joined = read_axes.known(node, x)[axis - 1 :]
        x = read_axes.shaped(reader, x, [*sizes[: axis - 1], math.prod(joined)])
        scale = np.broadcast_to(scale, joined).ravel()
        bias = None if bias is None else np.broadcast_to(bias, joined).ravel()
    made = reader.apply(
        "LayerNormalization",
        x,
        weights=[scale] if bias is None else [scale, bias],
        epsilon=_number(node, "epsilon", 1e-5),
        center=bias is not None,
    )
    reader.set(node, read_axes.shaped(reader, made, sizes))


def _instance_normalization(reader: Reader, node: Node) -> None:
    x, weights = reader.as_image(reader.symbol(node)), [reader.needed(node, i) for i in (1, 2)]
    if x.rank < 3:
        raise UnsupportedError(f"{where(node)}: expected 3 axes or more, received {x.rank}")
    epsilon = _number(node, "epsilon", 1e-5)
    reader.set(
        node, reader.apply("GroupNormalization", x, weights=weights, groups=-1, epsilon=epsilon)
    )


def _unit_length(reader: Reader, node: Node) -> None:
    x = reader.in_order(reader.symbol(node))
    axis = axis_of(node, -1, x.rank)
    if not axis or node.attributes.get("p", 2) != 2:
        raise UnsupportedError(f"{where(node)}: expected p=2, and another axis than the batch's")
    reader.set(node, reader.apply("UnitNormalization", x, axis=axis))


def _gelu(reader: Reader, node: Node) -> None:
    """The gelu, or by tanh: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""
    if node.attributes.get("approximate", "none") != "tanh":
        _activation("gelu")(reader, node)
        return
    x = reader.symbol(node)
    cubes = reader.apply("Rescaling", read_arithmetic.powered(reader, x, 3.0), scale=0.044715)
    wide = reader.apply("Rescaling", reader.apply("Add", x, cubes), scale=math.sqrt(2 / math.pi))
    curve = reader.apply("Activation", wide, activation="tanh")
    share = reader.apply("Rescaling", curve, scale=0.5, offset=0.5)
    reader.set(node, reader.apply("Multiply", x, share))


def _same_value(reader: Reader, node: Node) -> None:
    reader.set(node, reader.symbol(node))


def _cast(reader: Reader, node: Node) -> None:
    """Pass floats and integers on; floats may only become indices of a table."""
    x, made = reader.symbol(node), dtype_of(node)
    if made.kind in "iu" and read_indices.end_in_tables(reader, node):
        reader.whole[node.outputs[0]] = x, []
        return
    wide = made.kind == "i" and made.itemsize >= 4
    if made.kind != "f" and not (wide and node.inputs[0] in reader.integers):
        raise UnsupportedError(f"{where(node)}: expected a cast to floats, received {made}")
    reader.set(node, x)


def _gather(reader: Reader, node: Node) -> None:
    table = reader.needed(node, 0)
    if table.ndim != 2 or node.attributes.get("axis", 0) != 0:
        raise UnsupportedError(f"{where(node)}: expected rows of a table, received {table.shape}")
    rows, width = table.shape
    name = node.inputs[1]
    given = reader.whole[name][0] if name in reader.whole else reader.symbol(node, 1)
    if name in reader.whole and not read_indices.unchanged(reader, node, rows):
        raise UnsupportedError(f"{where(node)}: expected the numbers of rows as they are given")
    x = reader.in_order(given)
    made = reader.apply("Embedding", x, weights=[table], input_dim=rows, output_dim=width)
    reader.set(node, replace(made, turned=False))


def _dropout(reader: Reader, node: Node) -> None:
    ratio, training = reader.constant(node, 1), reader.constant(node, 2)
    if training is not None and training.any():
        raise UnsupportedError(f"{where(node)}: expected training_mode=False")
    rate = float(ratio.reshape(())) if ratio is not None else _number(node, "ratio", 0.5)
    x = reader.symbol(node)
    reader.set(node, replace(reader.apply("Dropout", x, rate=rate), positive=x.positive))


def _constant(reader: Reader, node: Node) -> None:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if name in node.attributes:
            reader.constants[node.outputs[0]] = np.asarray(node.attributes[name])
            return
    raise UnsupportedError(f"{where(node)}: expected a value, received {sorted(node.attributes)}")


# Shapes.


def _flatten(reader: Reader, node: Node) -> None:
    x = reader.symbol(node)
    if axis_of(node, 1, x.rank) != 1:
        raise UnsupportedError(f"{where(node)}: expected axis 1")
    reader.set(node, _flat(reader, x))


def _flat(reader: Reader, x: Symbol) -> Symbol:
    if x.rank == 2:
        return x
    image = _image_shape(x) if x.first else None
    made = reader.apply("Flatten", x)
    return replace(made, first=False, image=image, positive=x.positive)


def _image_shape(x: Symbol) -> tuple[int, ...]:
    *sizes, channels = x.tensor.shape[1:]
    if channels is None or any(size is None for size in sizes):
        raise UnsupportedError(f"onnx import: expected a known shape, received {x.tensor.shape}")
    return (channels, *(size for size in sizes if size is not None))


def _reshape(reader: Reader, node: Node) -> None:
    x = reader.symbol(node)
    target = read_shapes.target(reader, node)
    if node.attributes.get("allowzero", 0) and 0 in target:
        raise UnsupportedError(f"{where(node)}: no allowzero here")
    sizes = x.tensor.shape[1:]
    known = math.prod(size or 0 for size in sizes)
    # A batch of 1 that a graph states is any batch here, in its inputs and in its shapes.
    inputs = [value for value in reader.graph.inputs if value.name not in reader.constants]
    alone = any((value.shape or [None])[0] == 1 for value in inputs)
    if alone and target[0] == 1:
        target = [0, *target[1:]]
    batch = target[0] == 0
    whole = target[1:] == [known] if target[0] == -1 else batch and target[1:] in ([-1], [known])
    if whole and x.rank > 2:
        reader.set(node, _flat(reader, x))
        return
    # A size of 0 is that of the input at the same place.
    given = [0, *x.sizes, *[0] * len(target)]
    shape = [given[i] if size == 0 else size for i, size in enumerate(target)]
    counted = [size for size in shape[1:] if size is not None and size > 0]
    fixed = len(counted) == len(shape) - 1 and known > 0
    joined = target[0] == -1 and fixed and math.prod(counted) != known
    if target[0] not in (0, -1) or target[1:].count(-1) > 1 or joined:
        raise UnsupportedError(f"{where(node)}: no reshape of {x.tensor.shape} to {target} here")
    reader.set(node, read_axes.shaped(reader, reader.in_order(x), shape[1:]))


def _transpose(reader: Reader, node: Node) -> None:
    x = reader.symbol(node)
    perm = node.attributes.get("perm", [*range(x.rank)][::-1])
    to_first = [0, x.rank - 1, *range(1, x.rank - 1)]
    to_last = [0, *range(2, x.rank), 1]
    if perm == [*range(x.rank)]:
        reader.set(node, x)
    elif not x.first and perm == to_first and x.rank > 2:
        reader.set(node, replace(x, first=True))
    elif x.first and perm == to_last:
        reader.set(node, replace(x, first=False, turned=True))
    elif isinstance(perm, list) and perm[:1] == [0]:
        made = reader.apply("Permute", reader.in_order(x), dims=perm[1:])
        reader.set(node, replace(made, positive=x.positive, turned=False))
    else:
        raise UnsupportedError(f"{where(node)}: no permutation {perm} here")


# Several inputs.


def _concat(reader: Reader, node: Node) -> None:
    symbols = in_one_order(reader, node)
    if symbols[0].reordered:
        symbols = [reader.in_order(symbol) for symbol in symbols]
    x = symbols[0]
    axis = int(_number(node, "axis", 1))
    axis = axis + x.rank if axis < 0 else axis
    if x.first and axis:
        axis = x.rank - 1 if axis == 1 else axis - 1
    reader.set(node, replace(reader.apply("Concatenate", *symbols, axis=axis), image=None))


OPERATORS: dict[str, Handle] = {
    **read_arithmetic.OPERATORS,
    **read_axes.OPERATORS,
    **read_pads.OPERATORS,
    **read_quantized.OPERATORS,
    **read_rearranged.OPERATORS,
    **read_recurrent.OPERATORS,
    "AveragePool": _pool("AveragePooling"),
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Celu": _celu,
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "Conv": _conv,
    "ConvInteger": read_quantized.of_floats("Conv", _conv),
    "ConvTranspose": _conv_transpose,
    "Dropout": _dropout,
    "Elu": _elu,
    "Erf": exact_gelu(_constant),
    "Exp": _activation("exponential", positive=True),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool("GlobalAveragePooling"),
    "GlobalMaxPool": _global_pool("GlobalMaxPooling"),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _activation("hard_silu"),
    "Identity": _same_value,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": _leaky_relu,
    "Log": _layer("Log"),
    "LpNormalization": _unit_length,
    "MatMul": _mat_mul,
    "MatMulInteger": read_quantized.of_floats("MatMul", _mat_mul),
    "MaxPool": _pool("MaxPooling"),
    "Mish": _activation("mish"),
    "PRelu": _parametric_relu,
    "Relu": _layer("ReLU", positive=True),
    "Reshape": _reshape,
    "Resize": resize,
    "Selu": _selu,
    "Sigmoid": _activation("sigmoid", positive=True),
    "Softplus": _activation("softplus", positive=True),
    "Slice": _gather,
    "Softsign": _activation("softsign"),
    "Tanh": _activation("tanh"),
    "Transpose": _transpose,
}
