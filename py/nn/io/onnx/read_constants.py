"""Constant folding: operators whose inputs are all constants, computed with NumPy.

Exporters that do not fold (PyTorch without `do_constant_folding`, tf2onnx, skl2onnx) transpose,
reshape, slice and cast the weights by nodes of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import DTYPES, Node
from nn.io.onnx.reader import Array, Reader, where

Fold = Callable[..., Any]


def handles(reader: Reader, node: Node) -> bool:
    """Return whether all inputs of the node are constants, and NumPy can do what it does."""
    given = [name for name in node.inputs if name]
    return (
        node.operator in _FOLDS
        and node.domain in ("", "ai.onnx")
        and bool(given)
        and all(name in reader.constants for name in given)
    )


def compute(reader: Reader, node: Node) -> None:
    """Compute the node's output.

    Raises:
        LimitError: it is larger than constants of a model are.
        UnsupportedError: an option that is not known here.
    """
    given = [reader.constants[name] if name else None for name in node.inputs]
    for name, array in zip(node.outputs, computed(reader, node, given), strict=False):
        reader.constants[name] = array


def computed(reader: Reader, node: Node, given: Sequence[Array | None]) -> list[Array]:
    """Return a node's outputs for these inputs, none for an operator that NumPy does not do.

    Raises:
        LimitError: they are larger than constants of a model are.
        UnsupportedError: an option that is not known here.
    """
    if node.operator not in _FOLDS:
        return []
    most = 0 if node.operator in VIEWS else size(node, given) * 8
    reader.claim(most, where(node))
    with np.errstate(all="ignore"):
        made = _FOLDS[node.operator](node, *given)
    arrays = [np.asarray(part) for part in (made if node.operator == "Split" else [made])]
    reader.room += max(most - sum(array.nbytes for array in arrays), 0)
    return arrays


def folded(node: Node, given: Sequence[Array | None]) -> Array | None:
    """Return a node's output for these inputs, None for an operator that NumPy does not do."""
    fold = _FOLDS.get(node.operator) if node.domain in ("", "ai.onnx") else None
    return None if fold is None else np.asarray(fold(node, *given))


def size(node: Node, given: Sequence[Array | None]) -> int:
    """Return the most elements that the output can have."""
    arrays = [array for array in given if array is not None]
    count = _SIZES.get(node.operator)
    return int(count(node, *arrays)) if count else arrays[0].size


def axis_of(node: Node, default: int, rank: int) -> int:
    """Return the attribute `axis`, from 0.

    Raises:
        UnsupportedError: there is no such axis.
    """
    axis = node.attributes.get("axis", default)
    if not isinstance(axis, int) or not -rank <= axis < rank:
        raise UnsupportedError(f"{where(node)}: expected an axis of {rank}, received {axis!r}")
    return axis % rank


def axes_of(node: Node, given: Array | None, rank: int) -> list[int] | None:
    """Return the axes from 0, of an input (opset 13 or 18) or the attribute, None if unnamed."""
    named: Any = node.attributes.get("axes") if given is None else np.ravel(given).tolist()
    if not isinstance(named, list) or not named:
        return None
    if not all(isinstance(axis, int) and -rank <= axis < rank for axis in named):
        raise UnsupportedError(f"{where(node)}: expected axes of {rank}, received {named!r:.80}")
    return sorted({axis % rank for axis in named})


def parts_of(node: Node, given: Array | None, size: int) -> list[tuple[int, int]]:
    """Return the first element and the end of each part that a Split makes of an axis.

    Args:
        node: the node.
        given: its input with the sizes of the parts, None if it has none.
        size: that of the axis.

    Raises:
        UnsupportedError: the parts are not those of the axis.
    """
    count = len(node.outputs)
    named: Any = node.attributes.get("split") if given is None else np.ravel(given).tolist()
    ends = np.cumsum(named or [-(-size // count)] * count).tolist()
    whole = ends[-1] == size if named else True
    if len(ends) != count or min(np.diff(ends, prepend=0)) < 0 or not whole:
        raise UnsupportedError(f"{where(node)}: expected parts of {size}, received {named}")
    return [(min(a, size), min(b, size)) for a, b in zip([0, *ends], ends, strict=False)]


def dtype_of(node: Node) -> np.dtype[Any]:
    """Return the dtype that a Cast makes.

    Raises:
        UnsupportedError: NumPy has none such.
    """
    code = node.attributes.get("to")
    if code not in DTYPES:
        raise UnsupportedError(f"{where(node)}: no type {code!r} here")
    return np.dtype(DTYPES[code]).newbyteorder("=")  # type: ignore[index]


def _squeeze(node: Node, data: Array, axes: Array | None = None) -> Array:
    named = axes_of(node, axes, data.ndim)
    return np.squeeze(data, None if named is None else tuple(named))


def _unsqueeze(node: Node, data: Array, axes: Array | None = None) -> Array:
    count = len(np.ravel(axes)) if axes is not None else len(_list(node, "axes"))
    return np.expand_dims(data, tuple(axes_of(node, axes, data.ndim + count) or ()))


def _list(node: Node, name: str) -> list[Any]:
    value = node.attributes.get(name)
    if not isinstance(value, list):
        raise UnsupportedError(f"{where(node)}: expected a list {name!r}, received {value!r:.80}")
    return value


def _reshape(node: Node, data: Array, shape: Array) -> Array:
    zeros = not node.attributes.get("allowzero", 0)
    sizes = [int(n) for n in np.ravel(shape)]
    return data.reshape([data.shape[i] if n == 0 and zeros else n for i, n in enumerate(sizes)])


def _flatten(node: Node, data: Array) -> Array:
    axis = int(node.attributes.get("axis", 1))  # type: ignore[arg-type]
    return data.reshape(math.prod(data.shape[:axis]), -1)


def _transpose(node: Node, data: Array) -> Array:
    perm = node.attributes.get("perm")
    return np.transpose(data, perm if isinstance(perm, list) else None)  # type: ignore[arg-type]


def _gather(node: Node, data: Array, indices: Array) -> Array:
    return np.take(data, indices.astype(np.int64), axis=axis_of(node, 0, data.ndim))


def _concat(node: Node, *parts: Array) -> Array:
    return np.concatenate(parts, axis=axis_of(node, 0, parts[0].ndim))


def _slice(node: Node, data: Array, *given: Array | None) -> Array:
    numbers = [None if a is None else [int(n) for n in np.ravel(a)] for a in given]
    starts, ends, axes, steps = [*numbers, None, None, None, None][:4]
    starts = _list(node, "starts") if starts is None else starts
    ends = _list(node, "ends") if ends is None else ends
    axes = node.attributes.get("axes", [*range(len(starts))]) if axes is None else axes  # type: ignore[assignment]
    picked = [slice(None)] * data.ndim
    for axis, *span in zip(axes or (), starts, ends, steps or [1] * len(starts), strict=True):
        picked[axis] = slice(*_ends(*span))
    return data[tuple(picked)]


def _ends(start: int, end: int, step: int) -> tuple[int, int | None, int]:
    """Return the ends of a slice as Python counts: the least integer is the front's end."""
    return start, None if step < 0 and end < -(1 << 31) else end, step


def _divide(node: Node, a: Any, b: Any) -> Any:
    if a.dtype.kind in "iu" and not np.all(b):
        raise UnsupportedError(f"{where(node)}: expected divisors other than 0")
    return np.fix(a / b).astype(a.dtype) if a.dtype.kind in "iu" else a / b


def _reduce(function: Callable[..., Any], alone: bool = True) -> Fold:
    """Return the reduction by a function of NumPy's.

    Args:
        function: takes the axes as `axis`, and `keepdims`.
        alone: whether an element by itself stays as it is.
    """

    def fold(node: Node, data: Array, axes: Array | None = None) -> Any:
        named = axes_of(node, axes, data.ndim)
        if named is None and node.attributes.get("noop_with_empty_axes", 0):
            if not alone:
                raise UnsupportedError(f"{where(node)}: expected axes, received none")
            return data
        kept = bool(node.attributes.get("keepdims", 1))
        made = function(data, axis=None if named is None else tuple(named), keepdims=kept)
        return made.astype(data.dtype)

    return fold


def _log_total_exp(data: Any, **over: Any) -> Any:
    most = np.max(data, **over | {"keepdims": True})
    shares = np.exp(data - np.where(np.isfinite(most), most, 0))
    return np.log(np.sum(shares, **over)) + np.reshape(most, np.shape(np.sum(shares, **over)))


def _along(function: Callable[..., Any]) -> Fold:
    """Return the number of the largest or smallest element along an axis."""

    def fold(node: Node, data: Array) -> Any:
        axis, named = axis_of(node, 0, data.ndim), node.attributes
        if named.get("select_last_index", 0):
            raise UnsupportedError(f"{where(node)}: expected select_last_index=0")
        return function(data, axis=axis, keepdims=bool(named.get("keepdims", 1)))

    return fold


def _softmax(node: Node, data: Any) -> Any:
    if "axis" not in node.attributes or axis_of(node, -1, data.ndim) != data.ndim - 1:
        raise UnsupportedError(f"{where(node)}: expected the last axis, by its number")
    shares = np.exp(data - data.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def _einsum(node: Node, *given: Any) -> Any:
    return np.einsum(str(node.attributes.get("equation")), *given)


def _constant_of_shape(node: Node, shape: Array) -> Array:
    value = np.ravel(node.attributes.get("value", np.zeros(1, np.float32)))  # type: ignore[arg-type]
    return np.full([int(n) for n in np.ravel(shape)], value[0])


def integer_of(node: Node, zero: Array | None) -> np.dtype[Any]:
    """Return the integers that a QuantizeLinear makes: those of its zero point, or uint8.

    Raises:
        UnsupportedError: they are no integers that NumPy has.
    """
    code: Any = node.attributes.get("output_dtype") or 2
    kind = np.dtype(DTYPES.get(code, "?")) if zero is None else zero.dtype
    if kind.kind not in "iu":
        raise UnsupportedError(f"{where(node)}: expected integers, received type {code}")
    return kind


def _by_axis(node: Node, data: Array, given: Array | None) -> Any:
    """Return a scale or zero point, one or one for each place of an axis, as it broadcasts."""
    if given is None or given.size == 1:
        return np.zeros((), np.int64) if given is None else given.reshape(())
    axis = axis_of(node, 1, data.ndim)
    if given.ndim != 1 or node.attributes.get("block_size", 0):
        raise UnsupportedError(f"{where(node)}: no blocks here, received {given.shape}")
    return given.reshape([-1 if n == axis else 1 for n in range(data.ndim)])


def _dequantize(node: Node, data: Array, scale: Array, zero: Array | None = None) -> Array:
    steps = data.astype(np.int64) - _by_axis(node, data, zero).astype(np.int64)
    return np.multiply(steps, _by_axis(node, data, scale), dtype=np.float32)


def _quantize(node: Node, data: Array, scale: Array, zero: Array | None = None) -> Array:
    kind = integer_of(node, zero)
    bits, offset = np.iinfo(kind), _by_axis(node, data, zero)
    steps = np.rint(data / _by_axis(node, data, scale)) + offset.astype(np.float32)
    return np.clip(steps, bits.min, bits.max).astype(kind)


def _clip(node: Node, data: Array, low: Array | None = None, high: Array | None = None) -> Any:
    ends: list[Any] = [
        node.attributes.get(name) if end is None else end
        for name, end in (("min", low), ("max", high))
    ]
    return np.clip(data, *ends)


def _gemm(node: Node, a: Array, b: Array, c: Array | None = None) -> Any:
    named: Any = node.attributes
    a, b = (m.T if named.get(k, 0) else m for k, m in (("transA", a), ("transB", b)))
    made: Any = named.get("alpha", 1.0) * np.matmul(a, b)
    return (made if c is None else made + named.get("beta", 1.0) * c).astype(a.dtype)


def _standardized(node: Node, data: Any, *given: Array) -> Any:
    """A BatchNormalization of a constant, by its own mean and variance if it is in training."""
    named: Any = node.attributes
    scale, offset, mean, variance = (a.reshape(-1, *[1] * (data.ndim - 2)) for a in given)
    if named.get("training_mode", 0):
        axes = (0, *range(2, data.ndim))
        mean, variance = data.mean(axes, keepdims=True), data.var(axes, keepdims=True)
    made = (data - mean) / np.sqrt(variance + named.get("epsilon", 1e-5))
    return (made * scale + offset).astype(data.dtype)


def _one_hot(node: Node, indices: Array, depth: Array, values: Array) -> Array:
    count = int(np.ravel(depth)[0])
    given = indices.astype(np.int64)[..., None]
    given = np.where(given < 0, given + count, given)
    ends = np.where(given == np.arange(count), values[1], values[0])
    return np.moveaxis(ends, -1, axis_of(node, -1, ends.ndim))


def _split(node: Node, data: Array, parts: Array | None = None) -> list[Any]:
    axis = axis_of(node, 0, data.ndim)
    spans = parts_of(node, parts, data.shape[axis])
    return np.split(data, [end for _, end in spans[:-1]], axis)


def _cumulated(node: Node, data: Array, axis: Array) -> Any:
    if node.attributes.get("exclusive", 0) or node.attributes.get("reverse", 0):
        raise UnsupportedError(f"{where(node)}: no sums from the end, or without the own element")
    return np.cumsum(data, int(axis.reshape(()))).astype(data.dtype)


def _gather_places(node: Node, data: Array, indices: Array) -> Array:
    if node.attributes.get("batch_dims", 0):
        raise UnsupportedError(f"{where(node)}: no batch_dims here")
    return data[tuple(np.moveaxis(indices.astype(np.int64), -1, 0))]


def _scatter(node: Node, data: Array, indices: Array, updates: Array) -> Array:
    if node.attributes.get("reduction", "none") != "none":
        raise UnsupportedError(f"{where(node)}: no reduction here")
    made = data.copy()
    made[tuple(np.moveaxis(indices.astype(np.int64), -1, 0))] = updates
    return made


def _plain(function: Callable[..., Any]) -> Fold:
    return lambda node, *given: function(*given)


_BROADCAST: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Pow": lambda a, b: np.power(a, b).astype(a.dtype),
    "Max": lambda *given: np.maximum.reduce(np.broadcast_arrays(*given)),
    "Min": lambda *given: np.minimum.reduce(np.broadcast_arrays(*given)),
    "Equal": np.equal,
    "Xor": np.logical_xor,
    "Greater": np.greater,
    "Less": np.less,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Where": np.where,
    "GreaterOrEqual": np.greater_equal,
    "LessOrEqual": np.less_equal,
}

VIEWS = ("Identity", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
"""What NumPy does without a copy."""


def _broadcast_size(node: Node, *arrays: Array) -> int:
    return math.prod(np.broadcast_shapes(*(array.shape for array in arrays)))


def _expanded_size(node: Node, data: Array, shape: Array) -> int:
    return math.prod(np.broadcast_shapes(data.shape, tuple(int(n) for n in np.ravel(shape))))


def _range_size(node: Node, *ends: Array) -> int:
    start, stop, step = (float(np.ravel(end)[0]) for end in ends)
    return math.ceil(abs((stop - start) / step)) if step else 0


def _gathered_size(node: Node, data: Array, indices: Array) -> int:
    return indices.size * (data.size // max(data.shape[axis_of(node, 0, data.ndim)], 1))


def _picked_size(node: Node, data: Array, indices: Array) -> int:
    axes = indices.shape[-1]
    return math.prod(indices.shape[:-1]) * math.prod(data.shape[axes:])


def _gemm_size(node: Node, a: Array, b: Array, c: Array | None = None) -> int:
    turned = [int(bool(node.attributes.get(name, 0))) for name in ("transA", "transB")]
    return a.shape[turned[0]] * b.shape[1 - turned[1]]


def _product_size(node: Node, a: Array, b: Array) -> int:
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return math.prod((*outer, *a.shape[-2:-1], *b.shape[-1:]))


def _einsum_size(node: Node, *given: Array) -> int:
    """Return how many products there are, of which the output has a part."""
    names = str(node.attributes.get("equation")).replace(" ", "").partition("->")[0].split(",")
    if [len(name) for name in names] != [array.ndim for array in given] or "." in "".join(names):
        raise UnsupportedError(f"{where(node)}: no equation {names} of these constants here")
    sizes = {
        letter: size
        for name, array in zip(names, given, strict=True)
        for letter, size in zip(name, array.shape, strict=True)
    }
    return math.prod(sizes.values())


_SIZES: dict[str, Callable[..., int]] = {
    **dict.fromkeys((*_BROADCAST, "Div"), _broadcast_size),
    "Concat": lambda node, *parts: sum(part.size for part in parts),
    "ConstantOfShape": lambda node, shape: math.prod(int(n) for n in np.ravel(shape)),
    "Einsum": _einsum_size,
    "Expand": _expanded_size,
    "Gather": _gathered_size,
    "GatherND": _picked_size,
    "Gemm": _gemm_size,
    "MatMul": _product_size,
    "OneHot": lambda node, indices, depth, values: indices.size * int(np.ravel(depth)[0]),
    "Range": _range_size,
    "Tile": lambda node, data, times: data.size * math.prod(int(n) for n in np.ravel(times)),
}
"""Operator -> the most elements that its output can have, where they may be more than the first
input's."""

_FOLDS: dict[str, Fold] = {
    **{name: _plain(function) for name, function in _BROADCAST.items()},
    "Abs": _plain(np.abs),
    "ArgMax": _along(np.argmax),
    "ArgMin": _along(np.argmin),
    "BatchNormalization": _standardized,
    "Cast": lambda node, data: data.astype(dtype_of(node)),
    "Ceil": _plain(np.ceil),
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Cos": _plain(np.cos),
    "CumSum": _cumulated,
    "DequantizeLinear": _dequantize,
    "Div": _divide,
    "Einsum": _einsum,
    "Exp": _plain(np.exp),
    "Expand": lambda node, a, shape: a * np.ones([int(n) for n in np.ravel(shape)], a.dtype),
    "Flatten": _flatten,
    "Floor": _plain(np.floor),
    "Gather": _gather,
    "GatherND": _gather_places,
    "Gemm": _gemm,
    "Identity": lambda node, data: data,
    "IsNaN": _plain(np.isnan),
    "Log": _plain(np.log),
    "MatMul": _plain(np.matmul),
    "Mod": lambda node, a, b: (np.fmod if node.attributes.get("fmod", 0) else np.mod)(a, b),
    "Neg": _plain(np.negative),
    "Not": _plain(np.logical_not),
    "OneHot": _one_hot,
    "QuantizeLinear": _quantize,
    "Range": lambda node, *ends: np.arange(*(np.ravel(end)[0] for end in ends)),
    "Reciprocal": _plain(np.reciprocal),
    "ReduceL1": _reduce(lambda data, **over: np.sum(np.abs(data), **over), False),
    "ReduceL2": _reduce(lambda data, **over: np.sqrt(np.sum(np.square(data), **over)), False),
    "ReduceLogSum": _reduce(lambda data, **over: np.log(np.sum(data, **over)), False),
    "ReduceLogSumExp": _reduce(_log_total_exp, False),
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(np.mean),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceSumSquare": _reduce(lambda data, **over: np.sum(np.square(data), **over), False),
    "Relu": lambda node, data: np.maximum(data, 0),
    "Reshape": _reshape,
    "Round": _plain(np.rint),
    "ScatterND": _scatter,
    "Shape": lambda node, data: np.array(data.shape, np.int64)[
        node.attributes.get("start", 0) : node.attributes.get("end")
    ],
    "Sigmoid": lambda node, data: (1 / (1 + np.exp(-data))).astype(data.dtype),
    "Sign": _plain(np.sign),
    "Sin": _plain(np.sin),
    "Size": lambda node, data: np.array(data.size, np.int64),
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": lambda node, data: np.logaddexp(0, data).astype(data.dtype),
    "Split": _split,
    "Sqrt": _plain(np.sqrt),
    "Squeeze": _squeeze,
    "Tanh": _plain(np.tanh),
    "Tile": lambda node, data, times: np.tile(data, [int(n) for n in np.ravel(times)]),
    "Transpose": _transpose,
    "Trilu": lambda node, a, k=0: (np.triu if node.attributes.get("upper", 1) else np.tril)(
        a, int(np.ravel(k)[0])
    ),
    "Unsqueeze": _unsqueeze,
}
