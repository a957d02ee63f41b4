"""Errors of model files.

    FormatError (NNError, ValueError)
    ├── UnknownFormatError    the file has none of the supported formats
    ├── TruncatedError        the file is shorter than it announces
    ├── CorruptError          a hash, size, checksum or field contradicts another
    ├── MissingEntryError     a required part is missing
    ├── MismatchError         an array's dtype or shape is not what the model needs
    ├── LimitError            larger than the limits; raised before memory is allocated
    └── UnsupportedError      well formed, but uses a feature that is not implemented

Every message says what was expected, what was received, and where in the file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nn.errors import MissingPartError, NNError

P = ParamSpec("P")
T = TypeVar("T")


class FormatError(NNError, ValueError):
    """A model file cannot be read or written."""


class UnknownFormatError(FormatError):
    """The file has none of the supported formats."""


class TruncatedError(FormatError):
    """The file is shorter than it announces."""


class CorruptError(FormatError):
    """A hash, size, checksum or field contradicts another."""


class MissingEntryError(FormatError):
    """A required part is missing."""


class MismatchError(FormatError):
    """An array's dtype or shape is not what the model needs."""


class LimitError(FormatError):
    """The file is larger than the limits. Raised before memory is allocated."""


class UnsupportedError(FormatError):
    """The file is well formed, but uses a feature that is not implemented."""


def utf8(text: str) -> bytes:
    """Return a text as UTF-8.

    Raises:
        UnsupportedError: it holds half of a character of two parts.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 40) : error.end]
        raise UnsupportedError(f"text: expected Unicode, received {around!r} in it") from error


def reads(what: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorator of readers: every error that damaged data causes is a `FormatError`.

    Readers check what they use and say what is wrong; this converts what no check foresaw.

    Args:
        what: the format, for the message.
    """

    def decorate(read: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(read)
        def checked(*args: P.args, **options: P.kwargs) -> T:
            try:
                return read(*args, **options)
            except (FormatError, MissingPartError):
                raise
            except MemoryError as error:
                raise LimitError(f"{what}: expected less than all memory: {error}") from error
            except Exception as error:
                trace = error.__traceback__
                if trace is not None and trace.tb_next is None:  # wrong arguments, not wrong data
                    raise
                raise CorruptError(f"{what}: {type(error).__name__}: {error}") from error

        return checked

    return decorate
