"""Exceptions of every builtin class with odd arguments, as Hypothesis draws them."""

import asyncio
import builtins
from typing import Any

import farcall
from hypothesis import strategies as st


class Abort(BaseException):
    """No Exception."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise Abort("no text")


class Unreadable(BaseException):
    @property
    def args(self) -> Any:  # type: ignore[override]
        raise Abort("no arguments")


CLASSES = [
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, BaseException)
] + [asyncio.CancelledError, Abort, Unprintable, Unreadable, farcall.ReleasedError]


def made(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception of the class, also with arguments that its constructor refuses."""
    if issubclass(kind, BaseExceptionGroup):
        inner: list[Any] = [exc for exc in args if isinstance(exc, Exception)]
        return kind("group", [*inner, KeyError("of the group")])
    try:
        return kind(*args)
    except Exception:  # BlockingIOError's __new__ refuses them too
        exc = kind.__new__(kind)
        exc.args = args
        return exc


ODD = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.sampled_from([object(), ..., {"a": b"x"}, [1, (2,)], float("nan"), ValueError("inner")]),
    st.builds(lambda n: "x" * n, st.integers(3000, 6000)),
)
EXCEPTIONS = st.builds(made, st.sampled_from(CLASSES), st.lists(ODD, max_size=3).map(tuple))
