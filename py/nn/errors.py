"""Errors of the engine.

NNError
├── ShapeError (ValueError)        the shape of an array or layer does not fit
├── ConfigError (ValueError)       an argument or configuration is unknown or contradictory
├── NotBuiltError (RuntimeError)   weights are used before the input shape is known
├── NotCompiledError (RuntimeError) training or evaluation before `compile`
├── NotReadyError (RuntimeError)   prediction before the model is loaded
├── DisposedError (RuntimeError)   use after `dispose`
├── BusyError (RuntimeError)       a second `fit` while one is in progress
├── DeviceLostError (RuntimeError) the GPU is gone
├── NotFiniteError (RuntimeError)  the loss is NaN or infinite
├── MissingPartError (ImportError) training, but only the prediction part is loaded
└── DataError (ValueError)
    ├── MagicError                 the file is of another kind than expected
    ├── TruncatedError             the file is shorter than its header says
    ├── EmptyError                 the file, array or folder is empty
    └── TooLargeError              above the limit; raised before memory is allocated
"""

from __future__ import annotations

__all__ = [
    "BusyError",
    "ConfigError",
    "DataError",
    "DeviceLostError",
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
    """Base of all errors that the engine raises."""


class ShapeError(NNError, ValueError):
    """The shape of an array or layer does not fit."""


class ConfigError(NNError, ValueError):
    """An argument or configuration is unknown or contradicts itself."""


class NotBuiltError(NNError, RuntimeError):
    """Weights were used before the input shape was known."""


class NotCompiledError(NNError, RuntimeError):
    """Training or evaluation was called before `compile`."""


class NotReadyError(NNError, RuntimeError):
    """A prediction was requested before the model was loaded."""


class DisposedError(NNError, RuntimeError):
    """The model was used after it was disposed of."""


class BusyError(NNError, RuntimeError):
    """A training run was started while another is in progress."""


class DeviceLostError(NNError, RuntimeError):
    """The GPU was lost in training. The weights are those that came home last."""


class NotFiniteError(NNError, RuntimeError):
    """The loss is NaN or infinite."""


class MissingPartError(NNError, ImportError):
    """Training was used, but only the prediction part of the engine is loaded."""


class DataError(NNError, ValueError):
    """A data file or array is invalid."""


class MagicError(DataError):
    """The file is of another kind than expected."""


class TruncatedError(DataError):
    """The file is shorter than its header says."""


class EmptyError(DataError):
    """The file, array or folder is empty."""


class TooLargeError(DataError):
    """The file declares more than the limit. Raised before memory is allocated."""
