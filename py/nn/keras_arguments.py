"""Arguments of constructors and functions: their kinds, and those of Keras that are missing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from inspect import unwrap
from numbers import Real
from typing import Any, ParamSpec, TypeVar

import numpy as np

from nn.errors import ConfigError, NNError

P = ParamSpec("P")
T = TypeVar("T")
LeftOut = Mapping[str, tuple[Any, str]]
"""Argument -> (Keras' default, reason why it is missing)."""


OLDER = {
    ("Embedding", "input_length"): "",
    ("GRU", "implementation"): "",
    ("GRUCell", "implementation"): "",
    ("InputLayer", "batch_input_shape"): "batch_shape",
    ("InputLayer", "input_shape"): "shape",
    ("LSTM", "implementation"): "",
    ("LSTMCell", "implementation"): "",
    ("LeakyReLU", "alpha"): "negative_slope",
}
"""Class and argument of Keras 2 that Keras 3 takes too -> its name, "" where it has no effect."""


class UnexpectedArgument(TypeError):
    """An argument that neither the engine nor Keras has."""


def refuse(cls: type, options: Mapping[str, Any]) -> None:
    """Raise an error unless all `options` are in `cls.left_out` and at Keras' default.

    Raises:
        TypeError: Keras lacks the argument too.
        ConfigError: the value is not the default; the message gives the reason.
    """
    refuse_all(cls, left_out(cls), options)


def refuse_all(cls: type, known: LeftOut, options: Mapping[str, Any]) -> None:
    """Raise an error, as `refuse` does, unless all `options` are in `known` and at the default."""
    for name, value in options.items():
        if name not in known:
            raise UnexpectedArgument(f"{cls.__name__}: unexpected argument {name!r}")
        default, reason = known[name]
        # As an object: NumPy 2.0 has no array_equal of a text and a number.
        if not np.array_equal(np.array(value, object), default):
            raise ConfigError(
                f"{cls.__name__}: {name} must be {default!r} ({reason}), received {value!r}"
            )


def left_out(cls: type) -> dict[str, tuple[Any, str]]:
    """Return the arguments that `cls` and its bases lack."""
    known: dict[str, tuple[Any, str]] = {}
    for base in reversed(cls.__mro__):
        known |= vars(base).get("left_out", {})
    return known


_MOST = 1 << 63  # above, NumPy has no such integer
_KINDS: dict[Any, Any] = {"bool": int, "float": Real, "int": Real, "str": str}
# What tells an object of a class that is defined above this module.
_MARKS = {"Layer": "ensure_built", "Model": "layers", "Network": "layers"}


def expect_kinds(
    cls: type,
    settings: Mapping[str, Any],
    loose: Collection[str] = ("bool", "str"),
    fits: Callable[[Any, str], bool] | None = None,
) -> None:
    """Raise an error for a setting of another kind than the constructor's annotation says.

    It would fail only where it is used: an epsilon that is text, in the first prediction. `loose`
    are kinds that may be anything: a caller writes 1 for True, and names are checked by themselves.
    `fits` says whether a value is of a kind, by default without functions and layers.

    Raises:
        ConfigError: a setting is no bool, number or text where the constructor takes only that.
    """
    refused = left_out(cls)  # for a better reason
    given = {k: v for k, v in settings.items() if k not in refused}
    _expect(cls, _kinds(cls), given, loose, fits or _fits)


def _expect(
    where: Any,
    kinds: Mapping[str, str],
    settings: Mapping[str, Any],
    loose: Collection[str],
    fits: Callable[[Any, str], bool],
) -> None:
    for name, value in settings.items():
        kind = kinds.get(name, "").removesuffix(" | None")
        if value is None and kind != kinds.get(name, ""):
            continue
        if kind in loose:
            flag(value, f"{where.__name__}: {name}", kind)
        elif not fits(value, kind):
            raise ConfigError(
                f"{where.__name__}: expected {name} to be a {kind}, received {value!r:.80}"
            )


def flag(value: Any, what: str, kind: str = "bool") -> bool:
    """Return whether a value is true.

    Raises:
        ConfigError: it is neither true nor false, as an array of several numbers.
    """
    try:
        return bool(value)
    except WRONG as error:
        raise ConfigError(f"{what}: expected a {kind}, received {value!r:.80}") from error


def _fits(value: Any, kind: str) -> bool:
    """Return whether a value is of a kind: one of _KINDS, a sequence of ints, "int |" before it for
    one of them, " | None" inside for items that may be None; any other kind fits all."""
    single, several, inner = kind.partition("Sequence[int")
    if single.endswith("["):  # of sequences
        return True
    if several and isinstance(value, Sequence | np.ndarray):
        return all(_fits(n, "int") or (n is None and inner != "]") for n in value)
    kind = single[:3] if several else kind
    return isinstance(value, _KINDS.get(kind, () if several else object)) and not (
        kind in _KINDS
        and ((isinstance(value, int) and abs(value) >= _MOST) or (kind == "int" and value % 1))
    )


def is_of(value: Any, kind: str) -> bool:
    """Return whether a function's argument is of a kind, which may be a layer, a model, a function
    or a mapping. A constructor's is not checked for these: the settings of a file describe them."""
    if kind in _MARKS:
        return hasattr(value, _MARKS[kind]) and not isinstance(value, type)
    if kind.startswith("Callable["):
        return callable(value)
    return isinstance(value, Mapping) if kind == "Mapping[str, Any]" else _fits(value, kind)


def without_missing(cls: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without those that are None where the constructor takes no None.

    TensorFlow.js writes null for what was not given.
    """
    kinds = _kinds(cls)
    return {k: v for k, v in settings.items() if v is not None or kinds.get(k) not in _KINDS}


def _kinds(cls: type) -> dict[str, str]:
    """Return the annotations of a constructor's arguments, those of the bases included."""
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        found = getattr(vars(base).get("__init__"), "__annotations__", {}) | found
    return {name: str(kind) for name, kind in found.items()}


# What settings that no check foresaw end in: text for a number, a number for a list.
WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Explained:
    """Context manager: every error that arguments cause is a ConfigError, which states them."""

    def __init__(
        self, name: str, args: Sequence[Any], options: Mapping[str, Any], wanted: str = ""
    ) -> None:
        self.name = name
        self.wanted = f"expected {wanted}, " * bool(wanted)
        self.args = args
        self.options = options

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, WRONG) or isinstance(error, NNError | UnexpectedArgument):
            return
        if trace.tb_next is None:  # wrong names of arguments
            return
        given = [*map(_short, self.args), *(f"{k}={_short(v)}" for k, v in self.options.items())]
        received = f"received {', '.join(given):.200}: {error}"
        raise ConfigError(f"{self.name}: {self.wanted}{received}") from error


def _short(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):  # of a file, perhaps
        return f"{len(value)} bytes"
    return repr(value)


class Checked(type):
    """Lets every error that settings cause in a constructor of the engine's be a ConfigError."""

    def expect(cls, settings: Mapping[str, Any]) -> None:
        """Raise ConfigError for a setting of a wrong kind."""
        expect_kinds(cls, settings)

    def __call__(cls, *args: Any, **options: Any) -> Any:
        if not ours(cls):
            return super().__call__(*args, **options)
        kind = cls.__name__
        options = {new: v for k, v in options.items() if (new := OLDER.get((kind, k), k))}
        with Explained(cls.__name__, args, options):
            cls.expect(_named(cls.__init__, args, options, 1))  # type: ignore[misc]
            return super().__call__(*args, **options)


def expects(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator: a number, model or layer among a function's arguments must be one.

    The annotations say which. Other errors stay what they are: the function may call code of the
    caller's own.
    """

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> T:
        _expect_arguments(function, args, options)
        return function(*args, **options)

    return call


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator: does what `expects` does, and every other error that the arguments cause in the
    function is a ConfigError."""

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> T:
        _expect_arguments(function, args, options)
        with Explained(function.__name__, args, options, _wanted(function)):
            return function(*args, **options)

    return call


def _wanted(function: Any) -> str:
    kinds = {k: v for k, v in function.__annotations__.items() if k != "return" and v != "Any"}
    return ", ".join(f"{name}: {kind}" for name, kind in kinds.items())


def _expect_arguments(function: Any, args: Sequence[Any], options: Mapping[str, Any]) -> None:
    given = _named(function, args, options)
    for name, value in given.items():
        if getattr(value, "size", 0) == 1 and hasattr(value, "item"):  # arrays of one number
            given[name] = value.item()
    _expect(function, function.__annotations__, given, ("bool", "str"), is_of)


def _named(
    function: Any, args: Sequence[Any], options: Mapping[str, Any], first: int = 0
) -> dict[str, Any]:
    """Return the arguments of a call by name; a function of C has no names for those by place."""
    code = getattr(unwrap(function), "__code__", None)
    names = code.co_varnames[first : code.co_argcount] if code else ()
    return {**dict(zip(names, args, strict=False)), **options}


def ours(cls: type) -> bool:
    """Return whether a class is the engine's."""
    return cls.__module__.startswith("nn.")
