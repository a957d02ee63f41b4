"""Gradients of functions of NumPy arrays: of losses, activations and penalties given as functions.

>>> score, pull = differentiate(lambda image: model(image)[:, 3], image)
>>> gradient = pull(1.0)                           # of the score, for each number of the image

A function runs once on a `Traced` array in place of the argument to differentiate. NumPy passes
its functions on to that array (NEP 13 and 18), which notes what was computed from what; a walk back
over these notes gives the gradient. Layers and models that the function calls go back by their own
`backward`; `nn.layers.base` says why they don't use this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from nn import config
from nn.errors import ConfigError
from nn.types import Array

Pull = Callable[[Array], Array]
"""The gradient of an input, from that of the output."""


def of_arguments(function: Callable[..., Any], *arguments: Any, wrt: int = 0) -> tuple[Any, Pull]:
    """Do as `differentiate` for what a model trains by, whose gradient has no part for weights that
    the function reads: it may read none.

    Raises:
        ConfigError: it reads a variable.
    """
    token = config.of_arguments.set(True)
    try:
        return differentiate(function, *arguments, wrt=wrt)
    finally:
        config.of_arguments.reset(token)


def differentiate(function: Callable[..., Any], *arguments: Any, wrt: int = 0) -> tuple[Any, Pull]:
    """Return the value of `function(*arguments)` and how a gradient goes back to one argument.

    Args:
        function: a function of arrays, of NumPy's functions, layers and models.
        arguments: its arguments.
        wrt: the place of the argument to differentiate with respect to.

    Raises:
        ConfigError: the function calls one of NumPy's whose gradient is not known here.
    """
    start = Traced(np.asarray(arguments[wrt]))
    given = [*arguments[:wrt], start, *arguments[wrt + 1 :]]
    result = function(*given)
    if not isinstance(result, Traced):
        return np.asarray(result), lambda dy: np.zeros_like(start.value)
    return result.value, lambda dy: _walk(result, start, dy)


def _walk(result: Traced, start: Traced, dy: Array) -> Array:
    """Return the gradient of `start`, from that of `result`."""
    gradients: dict[int, Any] = {id(result): np.broadcast_to(dy, result.value.shape)}
    for traced in reversed(_ordered(result)):
        gradient = gradients.pop(id(traced), None)
        if traced is start:
            return np.asarray(gradient, start.value.dtype)
        for parent, pull in traced.parents:
            part = pull(gradient)
            known = gradients.get(id(parent))
            gradients[id(parent)] = part if known is None else known + part
    return np.zeros_like(start.value)


def _ordered(result: Traced) -> list[Traced]:
    """Return all that `result` was computed from, in the order of computation, `result` last."""
    found: dict[int, Traced] = {}
    waiting = [result]
    while waiting:
        traced = waiting.pop()
        if id(traced) not in found:
            found[id(traced)] = traced
            waiting += [parent for parent, _ in traced.parents]
    return sorted(found.values(), key=lambda traced: traced.number)


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that knows what it was computed from.

    Attributes:
        value: the array.
        parents: the traced arrays that it was computed from, each with how the gradient goes back.
        number: its place in the order of computation.
    """

    count = 0

    def __init__(self, value: Any, parents: Sequence[tuple[Traced, Pull]] = ()) -> None:
        self.value = np.asarray(value)
        self.parents = parents
        Traced.count += 1
        self.number = Traced.count

    def through(self, forward: Callable[[Array], Any], gradient: Callable[[Array], Any]) -> Traced:
        """Return `forward` of the array; `gradient(dy)` is that of the array."""
        return Traced(forward(self.value), [(self, gradient)])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        name = ufunc.__name__
        if method == "reduce" and name == "add":
            return _sum(inputs[0], **{k: v for k, v in options.items() if k != "out"})
        values = [_value(x) for x in inputs]
        if method != "__call__":
            raise _unknown(f"{name}.{method}")
        if not (name in SLOPES or name in WITHOUT or name == "matmul"):
            raise _unknown(name)
        y = ufunc(*values, **options)
        if name in WITHOUT:
            return y
        if name == "matmul":
            return Traced(y, _matmul_parents(inputs))
        parents = [
            (x, _slope(SLOPES[name][place], values, y, x.value.shape))
            for place, x in enumerate(inputs)
            if isinstance(x, Traced)
        ]
        return Traced(y, parents)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        if name in FUNCTIONS:
            return FUNCTIONS[name](*args, **kwargs)
        if name in REARRANGING:
            return _rearranged(function, args, kwargs)
        if name in WITHOUT:
            return function(*map(_value, args), **{k: _value(v) for k, v in kwargs.items()})
        raise _unknown(name)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ConfigError(
            "expected a function of NumPy's functions, received one that makes an array of an "
            "argument that it is differentiated by"
        )

    def __getitem__(self, index: Any) -> Any:
        return _rearranged(lambda x: x[index], (self,), {})

    def __len__(self) -> int:
        return len(self.value)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's name
        return np.transpose(self)  # type: ignore[call-overload]

    def astype(self, dtype: Any, **_: Any) -> Traced:
        return self.through(lambda x: x.astype(dtype), lambda dy: dy)

    def sum(self, axis: Any = None, **options: Any) -> Any:
        return _sum(self, axis, **options)

    def mean(self, axis: Any = None, **options: Any) -> Any:
        return _mean(self, axis, **options)

    def max(self, axis: Any = None, **options: Any) -> Any:
        return FUNCTIONS["max"](self, axis, **options)

    def min(self, axis: Any = None, **options: Any) -> Any:
        return FUNCTIONS["min"](self, axis, **options)

    def reshape(self, *shape: Any) -> Any:
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return np.reshape(self, sizes)  # type: ignore[call-overload]

    def ravel(self) -> Any:
        return np.ravel(self)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, axes or None)  # type: ignore[call-overload]

    def clip(self, low: Any = None, high: Any = None) -> Any:
        return _clip(self, low, high)


def through_layer(layer: Any, items: Sequence[Any], training: Any, mask: Any) -> Any:
    """Return what a layer makes of inputs of which some are traced.

    The gradients of the layer's variables are not computed.
    """
    ctx, found = layer.run_on([*map(_value, items)], training, mask)
    several = isinstance(found, tuple | list)
    outputs = list(found) if several else [found]

    def pull(place: int, output: int, dy: Any) -> Array:
        """Return the gradient of an input, from that of one output."""
        dys = [np.zeros_like(y) for y in outputs]
        dys[output][...] = dy
        dx = layer.backward(ctx, tuple(dys) if several else dys[0])
        part = dx if len(items) == 1 or dx is None else dx[place]
        return np.zeros_like(items[place].value) if part is None else np.array(part)

    traced = [
        Traced(y, [(x, partial(pull, i, k)) for i, x in enumerate(items) if isinstance(x, Traced)])
        for k, y in enumerate(outputs)
    ]
    return tuple(traced) if several else traced[0]


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Traced) else x


def _unknown(name: str) -> ConfigError:
    return ConfigError(
        f"gradient: expected one of {sorted({*SLOPES, *FUNCTIONS, *REARRANGING})}, "
        f"received numpy.{name}"
    )


def _fitted(gradient: Any, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which an input of this shape was repeated."""
    array = np.asarray(gradient)
    lead = array.ndim - len(shape)
    axes = [*range(lead)]
    axes += [i + lead for i, n in enumerate(shape) if n == 1 and array.shape[i + lead] != 1]
    if not axes:
        return array
    return array.sum(axis=tuple(axes), dtype=np.float64).reshape(shape).astype(array.dtype)


def _slope(slope: Any, values: Any, y: Any, shape: tuple[int, ...]) -> Pull:
    return lambda dy: _fitted(dy * slope(*values, y), shape)


def _matmul_parents(inputs: Any) -> list[tuple[Traced, Pull]]:
    a, b = map(_value, inputs)
    if a.ndim < 2 or b.ndim < 2:
        raise _unknown("matmul of vectors")
    pulls = (
        lambda dy: _fitted(dy @ np.swapaxes(b, -1, -2), a.shape),
        lambda dy: _fitted(np.swapaxes(a, -1, -2) @ dy, b.shape),
    )
    return [(x, pulls[i]) for i, x in enumerate(inputs) if isinstance(x, Traced)]


def _spread(dy: Any, x: Array, axis: Any, keepdims: bool) -> Array:
    """Repeat the gradient of a reduction over the axes that were reduced."""
    if axis is not None and not keepdims:
        dy = np.expand_dims(dy, axis)
    return np.broadcast_to(dy, x.shape)


def _sum(x: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, **_: Any) -> Any:
    v = x.value
    y = v.sum(axis=axis, dtype=dtype, keepdims=keepdims)
    return x.through(lambda _: y, lambda dy: _spread(dy, v, axis, keepdims))


def _mean(x: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    total = _sum(x, axis, keepdims=keepdims)
    return total / (x.value.size / max(total.value.size, 1))


def _extreme(find: Any) -> Any:
    def handle(x: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        v = x.value
        y = find(v, axis=axis, keepdims=True)
        share = (v == y) / (v == y).sum(axis=axis, keepdims=True)
        found = y if keepdims else find(v, axis=axis)
        return x.through(lambda _: found, lambda dy: share * _spread(dy, v, axis, keepdims))

    return handle


def _var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, **_: Any) -> Any:
    centred = x - _mean(x, axis, keepdims=True)
    total = _sum(centred * centred, axis, keepdims=keepdims)
    return total / (x.value.size / max(total.value.size, 1) - ddof)


def _where(condition: Any, a: Any, b: Any) -> Any:
    kept = np.asarray(_value(condition), bool)
    parents = [
        (x, lambda dy, m=m, s=x.value.shape: _fitted(dy * m, s))
        for x, m in ((a, kept), (b, ~kept))
        if isinstance(x, Traced)
    ]
    return Traced(np.where(kept, _value(a), _value(b)), parents)


def _clip(x: Any, low: Any = None, high: Any = None, **others: Any) -> Any:
    low, high = (
        others.get("a_min", others.get("min", low)),
        others.get("a_max", others.get("max", high)),
    )
    v = x.value
    inside = np.ones(v.shape, bool)
    if low is not None:
        inside &= v >= low
    if high is not None:
        inside &= v <= high
    return x.through(lambda x: np.clip(x, low, high), lambda dy: dy * inside)


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2):
        raise _unknown(f"linalg.norm of order {ord}")
    return np.sqrt(_sum(x * x, axis, keepdims=keepdims))


def _rearranged(function: Any, args: Any, kwargs: Any) -> Any:
    """Return the result of a function whose elements are each one of its inputs'.

    Called on the numbers of the elements, it says where each of them comes from.
    """
    y = function(*(_replaced(item, _value) for item in args), **kwargs)
    parents: list[tuple[Traced, Pull]] = []
    for traced in _traced(args):

        def numbered(item: Any, of: Traced = traced) -> Any:
            if item is of:
                return np.arange(of.size).reshape(of.shape)
            return np.full(np.shape(_value(item)), -1)

        numbers = np.asarray(function(*(_replaced(item, numbered) for item in args), **kwargs))
        parents.append((traced, _scatter(numbers, traced.value)))
    return Traced(y, parents)


def _replaced(item: Any, replace: Callable[[Any], Any]) -> Any:
    """Replace a traced array, or the arrays of a list of some; leave indices and shapes alone."""
    if isinstance(item, list | tuple) and _traced(item):
        return type(item)(map(replace, item))
    return replace(item) if isinstance(item, Traced) else item


def _scatter(numbers: Array, x: Array) -> Pull:
    def pull(dy: Array) -> Array:
        places, parts = numbers.ravel(), np.broadcast_to(dy, numbers.shape).ravel()
        kept = places >= 0
        total = np.bincount(places[kept], weights=parts[kept], minlength=x.size)
        return total.reshape(x.shape)

    return pull


def _traced(items: Any) -> list[Traced]:
    found: list[Traced] = []
    for item in items:
        if isinstance(item, Traced) and not any(item is f for f in found):
            found.append(item)
        elif isinstance(item, list | tuple):
            found += _traced(item)
    return found


def _one(*_: Any) -> float:
    return 1.0


SLOPES: dict[str, tuple[Callable[..., Any], ...]] = {
    "add": (_one, _one),
    "subtract": (_one, lambda a, b, y: -1.0),
    "multiply": (lambda a, b, y: b, lambda a, b, y: a),
    "divide": (lambda a, b, y: 1 / b, lambda a, b, y: -y / b),
    "power": (lambda a, b, y: b * np.power(a, b - 1), lambda a, b, y: y * np.log(a)),
    "float_power": (lambda a, b, y: b * np.power(a, b - 1), lambda a, b, y: y * np.log(a)),
    "maximum": (
        lambda a, b, y: (a > b) + 0.5 * (a == b),
        lambda a, b, y: (b > a) + 0.5 * (a == b),
    ),
    "minimum": (
        lambda a, b, y: (a < b) + 0.5 * (a == b),
        lambda a, b, y: (b < a) + 0.5 * (a == b),
    ),
    "logaddexp": (lambda a, b, y: np.exp(a - y), lambda a, b, y: np.exp(b - y)),
    "positive": (_one,),
    "negative": (lambda x, y: -1.0,),
    "absolute": (lambda x, y: np.sign(x),),
    "fabs": (lambda x, y: np.sign(x),),
    "square": (lambda x, y: 2 * x,),
    "sqrt": (lambda x, y: 0.5 / y,),
    "reciprocal": (lambda x, y: -y * y,),
    "exp": (lambda x, y: y,),
    "expm1": (lambda x, y: y + 1,),
    "log": (lambda x, y: 1 / x,),
    "log1p": (lambda x, y: 1 / (1 + x),),
    "log2": (lambda x, y: 1 / (x * np.log(2)),),
    "log10": (lambda x, y: 1 / (x * np.log(10)),),
    "sin": (lambda x, y: np.cos(x),),
    "cos": (lambda x, y: -np.sin(x),),
    "tan": (lambda x, y: 1 + y * y,),
    "arctan": (lambda x, y: 1 / (1 + x * x),),
    "sinh": (lambda x, y: np.cosh(x),),
    "cosh": (lambda x, y: np.sinh(x),),
    "tanh": (lambda x, y: 1 - y * y,),
}
"""The derivatives of NumPy's ufuncs by each input, from the inputs and the output."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _sum,
    "mean": _mean,
    "average": _mean,
    "max": _extreme(np.max),
    "amax": _extreme(np.max),
    "min": _extreme(np.min),
    "amin": _extreme(np.min),
    "var": _var,
    "std": lambda x, *args, **options: np.sqrt(_var(x, *args, **options)),
    "where": _where,
    "clip": _clip,
    "norm": _norm,
    "dot": lambda a, b: a @ b,
}
"""NumPy's functions that are computed from others here."""

REARRANGING = frozenset(
    (
        "reshape", "ravel", "transpose", "swapaxes", "moveaxis", "expand_dims", "squeeze",
        "broadcast_to", "concatenate", "stack", "hstack", "vstack", "take", "take_along_axis",
        "flip", "roll", "repeat", "tile", "atleast_1d", "atleast_2d", "diagonal",
    )
)  # fmt: skip
"""NumPy's functions whose elements are each one of their inputs'."""

WITHOUT = frozenset(
    (
        "greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "isnan",
        "isfinite", "isinf", "sign", "floor", "ceil", "rint", "trunc", "signbit", "argmax",
        "argmin", "argsort", "shape", "ndim", "size", "zeros_like", "ones_like", "full_like",
        "isclose", "any", "all", "count_nonzero", "floor_divide",
    )
)  # fmt: skip
"""NumPy's functions that no gradient goes through."""
