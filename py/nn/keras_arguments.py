"""Arguments of Keras' constructors: their kinds, and those that the engine lacks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from nn.errors import ConfigError, NNError

LeftOut = Mapping[str, tuple[Any, str]]
"""Argument -> (Keras' default, reason why it is missing)."""


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
        if value != default:
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


def expect_kinds(
    cls: type, settings: Mapping[str, Any], loose: Collection[str] = ("bool", "str")
) -> None:
    """Raise an error for a setting of another kind than the constructor's annotation says.

    It would fail only where it is used: an epsilon that is text, in the first prediction. `loose`
    are kinds that may be anything: a caller writes 1 for True, and names are checked by themselves.

    Raises:
        ConfigError: a setting is no bool, number or text where the constructor takes only that.
    """
    kinds, refused = _kinds(cls), left_out(cls)
    for name, value in settings.items():
        if name in refused:  # for a better reason
            continue
        kind = kinds.get(name, "").removesuffix(" | None")
        if kind in loose or (value is None and kind != kinds.get(name, "")):
            continue
        if not _fits(value, kind):
            raise ConfigError(
                f"{cls.__name__}: expected {name} to be a {kind}, received {value!r:.80}"
            )


def _fits(value: Any, kind: str) -> bool:
    """Return whether a value is of a kind: one of _KINDS, a sequence of ints, "int |" before it for
    one of them, " | None" inside for items that may be None; any other kind fits all."""
    single, several, inner = kind.partition("Sequence[int")
    if several and isinstance(value, Sequence | np.ndarray):
        return all(_fits(n, "int") or (n is None and inner != "]") for n in value)
    kind = single[:3] if several else kind
    return isinstance(value, _KINDS.get(kind, () if several else object)) and not (
        kind in _KINDS
        and ((isinstance(value, int) and abs(value) >= _MOST) or (kind == "int" and value % 1 != 0))
    )


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


class Checked(type):
    """Lets every error that settings cause in a constructor of the engine's be a ConfigError."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        try:
            if ours(cls):
                code = getattr(cls.__init__, "__code__", None)  # type: ignore[misc]
                names = code.co_varnames[1:] if code else ()
                expect_kinds(cls, {**dict(zip(names, args, strict=False)), **options})
            return super().__call__(*args, **options)
        except (NNError, UnexpectedArgument):
            raise
        except WRONG as error:
            trace = error.__traceback__
            if not ours(cls) or trace is None or trace.tb_next is None:  # wrong names of arguments
                raise
            given = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in options.items())])
            raise ConfigError(f"{cls.__name__}: received {given:.200}: {error}") from error


def ours(cls: type) -> bool:
    """Return whether a class is the engine's."""
    return cls.__module__.startswith("nn.")
