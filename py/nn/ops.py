"""Functions of arrays and of a graph's tensors, named and defined as in Keras 3 (`keras.ops`).

On arrays they are NumPy's, so that losses, metrics and regularizers may call them and are
differentiated. On tensors of a graph they are layers: those that `.keras` files with such
operations are read as (`nn.io.keras.operations`, of formats.zip). What no layer computes is refused
by name.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Iterator, Sequence
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from nn import activations, config
from nn.errors import ConfigError
from nn.graph import SymbolicTensor
from nn.io.errors import UnsupportedError
from nn.keras_arguments import Explained
from nn.layers import Reshape, deserialize
from nn.lazy import load

__all__ = [
    "abs",
    "absolute",
    "add",
    "amax",
    "amin",
    "cast",
    "clip",
    "concatenate",
    "divide",
    "exp",
    "expand_dims",
    "gelu",
    "log",
    "log_softmax",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "negative",
    "one_hot",
    "power",
    "reciprocal",
    "reshape",
    "rsqrt",
    "softmax",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "subtract",
    "sum",
    "swapaxes",
    "transpose",
    "true_divide",
]

ACTIVATIONS = (
    "celu", "elu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "log_sigmoid", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink",
    "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish",
    "tanh", "tanh_shrink", "threshold",
)  # fmt: skip
"""Functions that `nn.activations` has too, for arrays and tensors."""

ARRAYS = {
    "all": "x / axis keepdims", "any": "x / axis keepdims",
    "allclose": "x1 x2 / rtol atol equal_nan",
    "arange": "start / stop step dtype", "arccos": "x", "arcsin": "x", "arctan": "x",
    "arctan2": "x1 x2", "argmax": "x / axis keepdims", "argmin": "x / axis keepdims",
    "argsort": "x / axis", "array": "x / dtype", "average": "x / axis weights",
    "broadcast_to": "x shape", "ceil": "x", "convert_to_numpy": "x",
    "convert_to_tensor": "x / dtype", "copy": "x", "cos": "x", "cosh": "x",
    "count_nonzero": "x / axis", "cumprod": "x / axis dtype", "cumsum": "x / axis dtype",
    "diag": "x k", "diff": "a / n axis", "dot": "x1 x2", "equal": "x1 x2", "expm1": "x",
    "eye": "N / M k dtype", "flip": "x / axis", "floor": "x", "floor_divide": "x1 x2",
    "full": "shape fill_value / dtype", "full_like": "x fill_value / dtype", "greater": "x1 x2",
    "greater_equal": "x1 x2", "hstack": "xs", "identity": "n / dtype", "inner": "x1 x2",
    "isclose": "x1 x2 / rtol atol equal_nan", "isfinite": "x", "isinf": "x", "isnan": "x",
    "less": "x1 x2", "less_equal": "x1 x2",
    "linspace": "start stop / num endpoint retstep dtype axis", "log10": "x", "log1p": "x",
    "log2": "x", "logical_and": "x1 x2", "logical_not": "x", "logical_or": "x1 x2",
    "logical_xor": "x1 x2", "median": "x / axis keepdims", "mod": "x1 x2",
    "nan_to_num": "x / nan posinf neginf", "ndim": "x", "nonzero": "x", "not_equal": "x1 x2",
    "ones": "shape / dtype", "ones_like": "x / dtype", "outer": "x1 x2",
    "prod": "x / axis keepdims dtype", "quantile": "x q / axis method keepdims", "ravel": "x",
    "repeat": "x repeats / axis", "roll": "x shift / axis", "round": "x / decimals", "shape": "x",
    "sign": "x", "sin": "x", "sinh": "x", "size": "x", "sort": "x / axis",
    "std": "x / axis keepdims", "take": "x indices / axis", "take_along_axis": "x indices / axis",
    "tan": "x", "tensordot": "x1 x2 / axes", "tile": "x repeats", "trace": "x / offset axis1 axis2",
    "tril": "x k", "triu": "x k", "trunc": "x", "var": "x / axis keepdims", "vstack": "xs",
    "where": "condition x1 x2", "zeros": "shape / dtype", "zeros_like": "x / dtype",
}  # fmt: skip
"""Functions of arrays alone -> Keras' arguments: those that NumPy takes by place, and after "/"
those by name."""


def _both(of_arrays: Callable[..., Any], of_tensors: Callable[..., Any], *given: Any) -> Any:
    """Return what NumPy's function makes of arrays, or Python's operator of a graph's tensors."""
    if not any(isinstance(x, SymbolicTensor) for x in given):
        with Explained(f"ops.{of_arrays.__name__}", given, {}):
            return _called(of_arrays, given, {})
    return of_tensors(*(np.asarray(x) if isinstance(x, list | tuple) else x for x in given))


def add(x1: Any, x2: Any) -> Any:
    """Return x1 + x2."""
    return _both(np.add, operator.add, x1, x2)


def subtract(x1: Any, x2: Any) -> Any:
    """Return x1 - x2."""
    return _both(np.subtract, operator.sub, x1, x2)


def multiply(x1: Any, x2: Any) -> Any:
    """Return the products of each two elements."""
    return _both(np.multiply, operator.mul, x1, x2)


def divide(x1: Any, x2: Any) -> Any:
    """Return x1 / x2."""
    return _both(np.divide, operator.truediv, x1, x2)


def power(x1: Any, x2: Any) -> Any:
    """Return x1 to the power of x2, of each two elements."""
    return _both(np.power, operator.pow, x1, x2)


def matmul(x1: Any, x2: Any) -> Any:
    """Return the product of two matrices, or of each two."""
    return _both(np.matmul, operator.matmul, x1, x2)


def negative(x: Any) -> Any:
    """Return -x."""
    return _both(np.negative, operator.neg, x)


def abs(x: Any) -> Any:
    """Return each element without its sign."""
    return _both(np.absolute, operator.abs, x)


true_divide, absolute = divide, abs


def square(x: Any) -> Any:
    """Return each element times itself."""
    return _apply("Square", np.square, [x])


def sqrt(x: Any) -> Any:
    """Return the square root of each element."""
    return _apply("Sqrt", np.sqrt, [x])


def rsqrt(x: Any) -> Any:
    """Return 1 / sqrt(x)."""
    return _apply("Rsqrt", lambda x: 1 / np.sqrt(x), [x])


def reciprocal(x: Any) -> Any:
    """Return 1 / x."""
    return _apply("Reciprocal", lambda x: np.divide(1, x), [x])


def exp(x: Any) -> Any:
    """Return e to the power of each element."""
    return _apply("Exp", np.exp, [x])


def log(x: Any) -> Any:
    """Return the natural logarithm of each element."""
    return _apply("Log", np.log, [x])


def gelu(x: Any, approximate: bool = True) -> Any:
    """Return gelu of each element, by tanh or exact."""
    return _apply("Gelu", _activation("gelu"), [x], approximate=approximate)


def softmax(x: Any, axis: Any = -1) -> Any:
    """Return the softmax along an axis."""
    return _apply("Softmax", _activation("softmax"), [x], axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """Return the logarithm of the softmax along an axis."""
    return _apply("LogSoftmax", _activation("log_softmax"), [x], axis=axis)


def maximum(x1: Any, x2: Any) -> Any:
    """Return the larger of each two elements."""
    return _apply("Maximum", np.maximum, [x1, x2])


def minimum(x1: Any, x2: Any) -> Any:
    """Return the smaller of each two elements."""
    return _apply("Minimum", np.minimum, [x1, x2])


def clip(x: Any, x_min: float, x_max: float) -> Any:
    """Return the elements, none below one number or above another."""
    return _apply(
        "Clip", lambda x, x_min, x_max: np.clip(x, x_min, x_max), [x], x_min=x_min, x_max=x_max
    )


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the mean over axes; of a graph's tensor the batch's axis stays."""
    return _apply("Mean", np.mean, [x], axis=axis, keepdims=keepdims)


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the sum over axes; of a graph's tensor the batch's axis stays."""
    return _apply("Sum", np.sum, [x], axis=axis, keepdims=keepdims)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest element along axes; of a graph's tensor the batch's axis stays."""
    return _apply("Max", np.max, [x], axis=axis, keepdims=keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest element along axes; of a graph's tensor the batch's axis stays."""
    return _apply("Min", np.min, [x], axis=axis, keepdims=keepdims)


amax, amin = max, min


def reshape(x: Any, newshape: Sequence[Any]) -> Any:
    """Return the elements in another shape, the batch's axis first."""
    return _apply("Reshape", lambda x, newshape: np.reshape(x, newshape), [x], newshape=newshape)


def expand_dims(x: Any, axis: Any) -> Any:
    """Return the elements with a new axis of size 1, or several."""
    if isinstance(x, SymbolicTensor) and len(x.shape) == 1 and axis in (1, -1):
        return Reshape((1,))(x)  # files do not tell such a shape from an unknown one
    return _apply("ExpandDims", np.expand_dims, [x], axis=axis)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Return the elements without axes of size 1."""
    return _apply("Squeeze", np.squeeze, [x], axis=axis)


def transpose(x: Any, axes: Any = None) -> Any:
    """Return the axes in another order."""
    return _apply("Transpose", np.transpose, [x], axes=axes)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Return two axes in each other's place."""
    return _apply(
        "Swapaxes", lambda x, axis1, axis2: np.swapaxes(x, axis1, axis2), [x],
        axis1=axis1, axis2=axis2,
    )  # fmt: skip


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Return axes in other places."""
    return _apply("Moveaxis", np.moveaxis, [x], source=source, destination=destination)


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Return arrays or tensors side by side along an axis."""
    return _apply("Concatenate", np.concatenate, [_listed(xs)], axis=axis)


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Return arrays or tensors of one shape along a new axis."""
    return _apply("Stack", np.stack, [_listed(x)], axis=axis)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Return the parts of an array or tensor along an axis: so many of one size, or those that
    begin at indices."""
    given = [x, indices_or_sections, axis]
    with Explained("ops.split", given, {}):
        return _called(_parts, given, {})


def cast(x: Any, dtype: str) -> Any:
    """Return the elements in another type."""
    return _apply("Cast", lambda x, dtype: np.asarray(x).astype(dtype), [x], dtype=dtype)


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: str | None = None) -> Any:
    """Return a 1 at each class, zeros elsewhere, for arrays of whole numbers."""
    _expect_arrays("one_hot", [x])

    def hot(x: Any, num_classes: int, axis: int, dtype: str) -> Any:
        ones = np.asarray(x)[..., None] == np.arange(num_classes)
        return np.moveaxis(ones.astype(dtype), -1, axis)

    return _apply("OneHot", hot, [x], num_classes=num_classes, axis=axis, dtype=dtype or "float32")


def _parts(x: Any, sections: Any, axis: int) -> Any:
    if not isinstance(x, SymbolicTensor):
        return np.split(np.asarray(x) if isinstance(x, list) else x, sections, axis)
    size = x.shape[axis] if axis % len(x.shape) else None
    if size is None:
        raise ConfigError(f"ops.split: expected an axis of known size, received {x.shape}, {axis}")
    before = (slice(None),) * (axis % len(x.shape))
    parts = np.split(np.arange(size), sections)
    return [x[(*before, slice(int(part[0]), int(part[-1]) + 1))] for part in parts]


def _activation(name: str) -> Callable[..., Any]:
    return getattr(activations, name)  # type: ignore[no-any-return]


def _called(function: Callable[..., Any], given: Sequence[Any], options: dict[str, Any]) -> Any:
    """Call a function, in a frame of its own, as Explained asks.

    NumPy makes 16-bit floats of bytes and booleans, where Keras makes 32-bit ones.
    """
    made = function(*given, **options)
    if _type(made) != np.float16 or np.float16 in map(_type, given):
        return made
    return function(*(np.asarray(x, config.floatx()) for x in given), **options)


def _type(value: Any) -> Any:
    return getattr(value, "dtype", None)


def _listed(values: Any) -> list[Any]:
    if not isinstance(values, list | tuple) and not (
        isinstance(values, np.ndarray) and values.ndim
    ):
        raise ConfigError(f"ops: expected a list of arrays or tensors, received {values!r:.80}")
    return [*values]


def _flat(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        yield from _flat(value) if isinstance(value, list) else [value]


def _apply(kind: str, function: Callable[..., Any], given: list[Any], **options: Any) -> Any:
    """Return an operation of arrays, or the tensor of the layers that compute it in a graph."""
    if not any(isinstance(x, SymbolicTensor) for x in _flat(given)):
        with Explained(f"ops, {kind}", given, options):
            return _called(function, given, options)
    try:
        return _Graph().apply(kind, given, options)
    except UnsupportedError as error:
        text = str(error).partition(f"operation {kind}: ")[2] or str(error)
        raise ConfigError(f"ops, {kind}: {text}") from error


class _Graph:
    """Tensors by name, for one operation: it is read as that of a file is."""

    def __init__(self) -> None:
        self.tensors: dict[Any, Any] = {}
        self.rank = 0

    def apply(self, kind: str, given: list[Any], options: dict[str, Any]) -> Any:
        operations = load("nn.io.keras.operations")
        settings = {k: [*v] if isinstance(v, tuple) else v for k, v in options.items()}
        settings = {k: v for k, v in settings.items() if v is not None}
        self.rank = builtins.max(len(x.shape) for x in _flat(given) if hasattr(x, "node"))
        item = {
            "module": operations.NUMPY, "class_name": kind, "name": "of", "config": settings,
            "inbound_nodes": [{"args": self._written(given), "kwargs": {}}],
        }  # fmt: skip
        result: Any = None
        for step in load("nn.io.keras.steps").spread([item]):
            made = operations.layer(step)
            made["config"].pop("name", None)
            inputs = [self._read(x) for x in _flat(step["inbound_nodes"][0]["args"])]
            tensors = [x for x in inputs if x is not None]
            result = deserialize(made)(tensors if len(tensors) > 1 else tensors[0])
            self.tensors[step["name"]] = result
        return result

    def _written(self, value: Any) -> Any:
        """Return arguments as a file has them."""
        if isinstance(value, list):
            return [self._written(item) for item in value]
        if isinstance(value, SymbolicTensor):
            name = f"x{len(self.tensors)}"
            self.tensors[name] = value
            history = {"shape": [*value.shape], "keras_history": [name, 0, 0]}
            return {"class_name": "__keras_tensor__", "config": history}
        if isinstance(value, int | float):
            return value
        return {"class_name": "__numpy__", "config": {"value": value}}

    def _read(self, value: Any) -> Any:
        """Return the tensor or array of an argument, None for a number."""
        if not isinstance(value, dict):
            return None
        config = value["config"]
        if "keras_history" in config:
            return self.tensors[config["keras_history"][0]]
        array = np.asarray(config["value"])
        return array.reshape((1,) * (self.rank - array.ndim) + array.shape)


def _expect_arrays(name: str, given: Sequence[Any]) -> None:
    if any(isinstance(x, SymbolicTensor) for x in _flat([*given])):
        raise ConfigError(f"ops.{name}: expected arrays: no layer computes it, received a tensor")


def _of_arrays(name: str) -> Callable[..., Any]:
    function = getattr(np, "asarray" if name.startswith("convert") else name)
    places, _, names = ARRAYS[name].partition(" / ")
    by_place, kind = places.split(), Parameter.POSITIONAL_OR_KEYWORD
    signature = Signature([Parameter(n, kind, default=None) for n in (*by_place, *names.split())])

    def call(*args: Any, **options: Any) -> Any:
        _expect_arrays(name, [*args, *options.values()])
        given = signature.bind(*args, **options).arguments
        placed = [given.pop(n) for n in by_place if n in given]
        with Explained(f"ops.{name}", args, options):
            return _called(function, placed, given)

    call.__name__, call.__signature__ = name, signature  # type: ignore[attr-defined]
    call.__doc__ = f"Return NumPy's {function.__name__} of arrays."
    return call


def __getattr__(name: str) -> Any:
    if name in ACTIVATIONS:
        return _activation(name)
    if name in ARRAYS:
        return _of_arrays(name)
    raise AttributeError(f"nn.ops has no {name!r}; its functions are {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return sorted([*__all__, *ACTIVATIONS, *ARRAYS])
