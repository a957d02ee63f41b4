"""Conversion of ONNX operators to layers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import (
    read_arithmetic,
    read_axes,
    read_guards,
    read_indices,
    read_one_hot,
    read_pads,
    read_quantized,
    read_rearranged,
    read_recurrent,
    read_shapes,
    read_windows,
)
from nn.io.onnx.messages import Node
from nn.io.onnx.read_arithmetic import fitted, in_one_order
from nn.io.onnx.read_constants import axis_of, dtype_of
from nn.io.onnx.read_einsum import einsum
from nn.io.onnx.read_gelu import exact_gelu
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
    at = int(node.inputs[0] not in reader.constants)  # the constant's place
    kernel, x = reader.needed(node, at), reader.symbol(node, 1 - at)
    if math.prod(kernel.shape[:-2]) != 1:
        reader.set(node, _of_many_matrices(reader, node, x, kernel, at))
        return
    left = at == 0 and (kernel.ndim < 2 or x.rank < 3)
    if kernel.ndim > x.rank or x.rank < 2 or left:
        raise UnsupportedError(f"{where(node)}: expected a matrix, received shape {kernel.shape}")
    if not at:  # the transposed product of the transposed
        order = [*range(1, x.rank - 2), x.rank - 1, x.rank - 2]
        turned = reader.apply("Permute", reader.in_order(x), dims=order)
        made = _dense(reader, turned, kernel.reshape(kernel.shape[-2:]).T, None)
        reader.set(node, replace(reader.apply("Permute", made, dims=order), turned=False))
        return
    if kernel.ndim == 1:
        made = _dense(reader, x, kernel[:, None], None)
        reader.set(node, read_axes.shaped(reader, made, made.sizes[:-1]))
        return
    kernel = kernel.reshape(kernel.shape[-2:])
    bias = _bias_after(reader, node, kernel.shape[1], x.rank)
    reader.set(node, _dense(reader, x, kernel, bias))


def _of_many_matrices(reader: Reader, node: Node, x: Symbol, constant: Array, at: int) -> Symbol:
    """Return the products of a value's matrices with a constant's, which is operand 0 or 1."""
    whole = constant.reshape((1,) * (x.rank - constant.ndim) + constant.shape)
    if whole.ndim != x.rank or len(whole) > 1:
        raise UnsupportedError(
            f"{where(node)}: expected matrices for {['n', *x.sizes]}, received {constant.shape}"
        )
    reader.claim(whole.size * 4, where(node))
    x = reader.in_order(x)
    other = reader.apply("ConstantArray", x, value=whole.astype(np.float32))
    return replace(reader.apply("Matmul", *([x, other] if at else [other, x])), turned=False)


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
    made = dtype_of(node)
    if made.kind == "b" and node.inputs[0] not in reader.symbols:
        read_guards.compare(reader, node)
        return
    x = reader.symbol(node)
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
    if reader.alone and target[0] == 1:
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
    symbols = in_one_order(reader, _with_values(reader, node))
    if len(symbols) == 1:
        reader.set(node, symbols[0])
        return
    if symbols[0].reordered:
        symbols = [reader.in_order(symbol) for symbol in symbols]
    x = symbols[0]
    axis = axis_of(node, 1, x.rank)
    if not axis:
        raise UnsupportedError(f"{where(node)}: expected an axis after the batch's")
    made = reader.apply("Concatenate", *symbols, axis=read_axes.moved(x, axis))
    reader.set(node, replace(made, image=None))


def _with_values(reader: Reader, node: Node) -> Node:
    """Return a node that reads a value for each constant of one sample.

    A graph of a batch of 1 has them, such as a class token: each sample gets the same.

    Raises:
        UnsupportedError: a constant has several samples, or integers that floats do not hold.
    """
    first = any(reader.symbols[name].first for name in node.inputs if name in reader.symbols)
    names = []
    for name in node.inputs:
        array = reader.constants.get(name)
        if array is not None:
            value = array.astype(np.float32)
            if len(array) != 1 or (array.dtype.kind in "iu" and np.any(value != array)):
                raise UnsupportedError(
                    f"{where(node)}: expected constants of one sample and integers below 2**24, "
                    f"received {name!r} of shape {array.shape}"
                )
            image = first and array.ndim > 2
            value = np.moveaxis(value, 1, -1) if image else value
            reader.claim(value.nbytes, where(node))
            made = reader.apply("ConstantArray", reader.any_value(), value=value).tensor
            name = f"{name} in {node.outputs[0]}"
            reader.symbols[name] = Symbol(made, first=image)
        names.append(name)
    return replace(node, inputs=names)


OPERATORS: dict[str, Handle] = {
    **read_arithmetic.OPERATORS,
    **read_axes.OPERATORS,
    **read_one_hot.OPERATORS,
    **read_pads.OPERATORS,
    **read_quantized.OPERATORS,
    **read_rearranged.OPERATORS,
    **read_recurrent.OPERATORS,
    **read_windows.OPERATORS,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Celu": _celu,
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "Dropout": _dropout,
    "Einsum": einsum(_mat_mul),
    "Elu": _elu,
    "Erf": exact_gelu(_constant),
    "Exp": _activation("exponential", positive=True),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": read_guards.compare,
    "GreaterOrEqual": read_guards.compare,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _activation("hard_silu"),
    "Identity": _same_value,
    "IsNaN": read_guards.compare,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": _leaky_relu,
    "Less": read_guards.compare,
    "LessOrEqual": read_guards.compare,
    "Log": _layer("Log"),
    "LpNormalization": _unit_length,
    "MatMul": _mat_mul,
    "MatMulInteger": read_quantized.of_floats("MatMul", _mat_mul),
    "Mish": _activation("mish"),
    "Or": read_guards.compare,
    "PRelu": _parametric_relu,
    "Relu": _layer("ReLU", positive=True),
    "Reshape": _reshape,
    "Resize": resize,
    "Selu": _selu,
    "Sigmoid": _activation("sigmoid", positive=True),
    "Sign": read_guards.sign,
    "Softplus": _activation("softplus", positive=True),
    "Slice": _gather,
    "Softsign": _activation("softsign"),
    "Tanh": _activation("tanh"),
    "Transpose": _transpose,
    "Where": read_guards.select,
}
