"""Errors of the engine.

NNError
├── ShapeError (ValueError)        an array or layer does not fit where it is put
├── ConfigError (ValueError)       an argument or configuration that names nothing we have
├── NotBuiltError (RuntimeError)   weights asked for before the input shape is known
├── NotCompiledError (RuntimeError)
├── NotReadyError (RuntimeError)   prediction before `load`, or while there is no model
├── DisposedError (RuntimeError)   use after `dispose`
├── BusyError (RuntimeError)       a second `fit` while one is under way
├── NotFiniteError (RuntimeError)  a loss that is NaN or infinite, where that is to end a run
├── MissingPartError (ImportError) training where only the part that predicts was loaded
└── DataError (ValueError)
    ├── MagicError                 the file is of another kind than expected
    ├── TruncatedError             the file ends before its header says
    ├── EmptyError                 nothing there
    └── TooLargeError              refused before anything is allocated
"""

from __future__ import annotations

__all__ = [
    "BusyError",
    "ConfigError",
    "DataError",
    "DisposedError",
    "EmptyError",
    "MagicError",
    "MissingPartError",
    "NNError",
    "NotBuiltError",
    "NotCompiledError",
    "NotFiniteError",
    "NotReadyError",
    "ShapeError",
    "TooLargeError",
    "TruncatedError",
]


class NNError(Exception):
    """Base of every error that the engine raises on purpose."""


class ShapeError(NNError, ValueError):
    """An array or layer does not fit where it is put."""


class ConfigError(NNError, ValueError):
    """An argument or a configuration names nothing that exists, or contradicts itself."""


class NotBuiltError(NNError, RuntimeError):
    """Weights were asked for before the input shape was known."""


class NotCompiledError(NNError, RuntimeError):
    """Training or evaluation was asked for before `compile`."""


class NotReadyError(NNError, RuntimeError):
    """A prediction was asked for before the model was loaded."""


class DisposedError(NNError, RuntimeError):
    """Something was asked of a model that had been disposed of."""


class BusyError(NNError, RuntimeError):
    """A second training run was asked for while one is under way."""


class NotFiniteError(NNError, RuntimeError):
    """The loss is NaN or infinite."""


class MissingPartError(NNError, ImportError):
    """Training was asked for where only the part of the engine that predicts was loaded."""


class DataError(NNError, ValueError):
    """A file or an array of data is not what it should be."""


class MagicError(DataError):
    """The file is of another kind than expected."""


class TruncatedError(DataError):
    """The file ends before its header says that it should."""


class EmptyError(DataError):
    """The file, array or folder holds nothing."""


class TooLargeError(DataError):
    """The file declares more than the limit; refused before anything is allocated."""
