"""What can be wrong with a file.

    FormatError (NNError, ValueError)
    ├── UnknownFormatError    the bytes are of none of the formats read here
    ├── TruncatedError        the file ends before what it announces
    ├── CorruptError          a hash, size, checksum or field contradicts another
    ├── MissingEntryError     a part that the format demands is not there
    ├── MismatchError         an array's dtype or shape is not what the model needs
    ├── LimitError            larger than the limits, found before anything is allocated
    └── UnsupportedError      well formed, but it asks for what is not implemented here

Every message says what was expected, what was received, and where in the file.
"""

from __future__ import annotations

from nn.errors import NNError


class FormatError(NNError, ValueError):
    """A model file cannot be read or written."""


class UnknownFormatError(FormatError):
    """The bytes are of none of the formats read here."""


class TruncatedError(FormatError):
    """The file ends before what it announces."""


class CorruptError(FormatError):
    """A hash, size, checksum or field contradicts another."""


class MissingEntryError(FormatError):
    """A part that the format demands is not there."""


class MismatchError(FormatError):
    """An array's dtype or shape is not what the model needs."""


class LimitError(FormatError):
    """Larger than the limits; nothing was allocated for it."""


class UnsupportedError(FormatError):
    """Well formed, but it asks for what is not implemented here."""
