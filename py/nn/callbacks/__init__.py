"""Callbacks with Keras' protocol; hooks may be coroutines or return awaitables."""

from nn.callbacks.base import Callback, CallbackList, History, LambdaCallback
from nn.callbacks.monitors import (
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from nn.lazy import absent

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]


def __getattr__(name: str) -> object:
    """Say what to use in place of a callback of Keras that is not here."""
    raise absent(__name__, name)
