"""A training engine on NumPy with the names, arguments and defaults of Keras 3.

    model = nn.Sequential([nn.Input((28, 28, 1)), nn.Conv2D(8, 3, activation="relu"), ...])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = await model.fit(dataset, epochs=5, batch_size=128, on_batch_end=draw_loss)
    probabilities = await model.predict(images)

Images are channels-last, numbers float32. `fit`, `evaluate` and `predict` are coroutines and yield
to the event loop after every batch.

Names are imported on first use, so that a page that only predicts neither imports nor downloads the
training part (`nn.lazy`).
"""

from typing import TYPE_CHECKING

from nn.layers import HOMES as LAYERS
from nn.lazy import load, lookup

if TYPE_CHECKING:
    from nn import (
        activations,
        applications,
        backend,
        callbacks,
        constraints,
        data,
        datasets,
        distribution,
        errors,
        federated,
        initializers,
        io,
        kernels,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        preprocessing,
        quantize,
        regularizers,
        saving,
        schedules,
        tuner,
        utils,
    )
    from nn.callbacks import (
        Callback,
        CSVLogger,
        EarlyStopping,
        History,
        LambdaCallback,
        LearningRateScheduler,
        ModelCheckpoint,
        ProgbarLogger,
        ReduceLROnPlateau,
        TerminateOnNaN,
    )
    from nn.config import epsilon, floatx, set_floatx, set_random_seed
    from nn.data import Dataset, parse_idx
    from nn.layers import *
    from nn.models.model import Model
    from nn.models.sequential import Sequential
    from nn.optimizers import (
        SGD,
        Adadelta,
        Adafactor,
        Adagrad,
        Adam,
        Adamax,
        AdamW,
        Ftrl,
        Lamb,
        Lion,
        Muon,
        Nadam,
        RMSprop,
        ScheduleFreeAdamW,
    )
    from nn.ort.session import TrainingSession
    from nn.serving.classifier import Classifier
    from nn.serving.quantized_model import QuantizedModel
    from nn.training.check_gradients import GradientError, check_gradients
    from nn.variables import Variable

HOMES = {
    "nn.callbacks": (
        "Callback", "CSVLogger", "EarlyStopping", "History", "LambdaCallback",
        "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau",
        "TerminateOnNaN",
    ),
    "nn.config": ("epsilon", "floatx", "set_floatx", "set_random_seed"),
    "nn.data": ("Dataset", "parse_idx"),
    "nn.training.check_gradients": ("GradientError", "check_gradients"),
    "nn.models.model": ("Model",),
    "nn.optimizers": (
        "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "Ftrl", "Lamb",
        "Lion", "Muon", "Nadam", "RMSprop", "ScheduleFreeAdamW",
    ),
    "nn.serving.quantized_model": ("QuantizedModel",),
    "nn.models.sequential": ("Sequential",),
    "nn.serving.classifier": ("Classifier",),
    "nn.ort.session": ("TrainingSession",),
    "nn.variables": ("Variable",),
    **LAYERS,
}  # fmt: skip
"""Module -> names that the package has from it."""

MODULES = (
    "activations", "applications", "backend", "callbacks", "constraints", "data", "datasets",
    "distribution", "errors", "federated", "initializers", "io", "kernels", "layers", "losses",
    "metrics", "models", "ops", "optimizers", "preprocessing", "quantize", "regularizers",
    "saving", "schedules", "tuner", "utils",
)  # fmt: skip

if not TYPE_CHECKING:  # a checker would take any name for one of the package
    __all__ = sorted([*MODULES, *(name for names in HOMES.values() for name in names)])
    __getattr__, __dir__ = lookup(__name__, HOMES, MODULES)


def __join_team__(group: object) -> None:  # noqa: N807
    """Take the place in a team of workers that `group` gives, when one is complete."""
    load("nn.distribution.leading").join(group)
