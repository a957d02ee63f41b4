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

from nn.errors import NNError


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
