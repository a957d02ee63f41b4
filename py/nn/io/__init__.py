"""Model files: save, load, and detect the format from the first bytes.

>>> data = nn.io.save(model)                    # the native format, .npz
>>> model = nn.io.load(data)                    # any of the formats
>>> data = nn.io.save(model, "tfjs", quantization={"uint8": "*"})

Nothing is unpickled or evaluated. Sizes are checked before memory is allocated (`Limits`). Damaged
files raise a `FormatError` that says what was expected, what was received, and where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nn.io.errors import (
    CorruptError,
    FormatError,
    LimitError,
    MismatchError,
    MissingEntryError,
    TruncatedError,
    UnknownFormatError,
    UnsupportedError,
)
from nn.io.formats import FORMATS, format_of, load, load_with_fallback, save, sniff
from nn.io.limits import Limits
from nn.lazy import lookup

if TYPE_CHECKING:
    from nn.io.weights import load_weights, save_weights

__all__ = [
    "FORMATS",
    "CorruptError",
    "FormatError",
    "LimitError",
    "Limits",
    "MismatchError",
    "MissingEntryError",
    "TruncatedError",
    "UnknownFormatError",
    "UnsupportedError",
    "format_of",
    "load",
    "load_weights",
    "load_with_fallback",
    "save",
    "save_weights",
    "sniff",
]

if not TYPE_CHECKING:
    __getattr__, _ = lookup(__name__, {"nn.io.weights": ("load_weights", "save_weights")})
