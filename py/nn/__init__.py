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

from nn.lazy import lookup

if TYPE_CHECKING:
    from nn import (
        activations,
        callbacks,
        constraints,
        data,
        errors,
        federated,
        initializers,
        io,
        kernels,
        layers,
        losses,
        metrics,
        optimizers,
        quantize,
        regularizers,
        schedules,
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
    from nn.layers import (
        ELU,
        GRU,
        LSTM,
        Activation,
        Add,
        AveragePooling2D,
        BatchNormalization,
        Concatenate,
        Conv1D,
        Conv2D,
        Conv2DTranspose,
        Cropping2D,
        Dense,
        DepthwiseConv2D,
        Dropout,
        Embedding,
        Flatten,
        GaussianNoise,
        GlobalAveragePooling2D,
        GlobalMaxPooling2D,
        Input,
        InputLayer,
        Layer,
        LayerNormalization,
        LeakyReLU,
        Masking,
        MaxPooling2D,
        Multiply,
        Permute,
        ReLU,
        Rescaling,
        Reshape,
        Resizing,
        SeparableConv2D,
        SimpleRNN,
        Softmax,
        SpatialDropout2D,
        UpSampling2D,
        ZeroPadding2D,
    )
    from nn.models.model import Model
    from nn.models.sequential import Sequential
    from nn.optimizers import SGD, Adagrad, Adam, Adamax, AdamW, Lion, RMSprop
    from nn.ort.session import TrainingSession
    from nn.serving.classifier import Classifier
    from nn.serving.quantized_model import QuantizedModel
    from nn.training.check_gradients import GradientError, check_gradients
    from nn.variables import Variable

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "SGD",
    "Activation",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "CSVLogger",
    "Callback",
    "Classifier",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dataset",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "GradientError",
    "History",
    "Input",
    "InputLayer",
    "LambdaCallback",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "LearningRateScheduler",
    "Lion",
    "Masking",
    "MaxPooling2D",
    "Model",
    "ModelCheckpoint",
    "Multiply",
    "Permute",
    "ProgbarLogger",
    "QuantizedModel",
    "RMSprop",
    "ReLU",
    "ReduceLROnPlateau",
    "Rescaling",
    "Reshape",
    "Resizing",
    "SeparableConv2D",
    "Sequential",
    "SimpleRNN",
    "Softmax",
    "SpatialDropout2D",
    "TerminateOnNaN",
    "TrainingSession",
    "UpSampling2D",
    "Variable",
    "ZeroPadding2D",
    "activations",
    "callbacks",
    "check_gradients",
    "constraints",
    "data",
    "epsilon",
    "errors",
    "federated",
    "floatx",
    "initializers",
    "io",
    "kernels",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "parse_idx",
    "quantize",
    "regularizers",
    "schedules",
    "set_floatx",
    "set_random_seed",
]

HOMES = {
    "nn.callbacks": (
        "Callback", "CSVLogger", "EarlyStopping", "History", "LambdaCallback",
        "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau",
        "TerminateOnNaN",
    ),
    "nn.config": ("epsilon", "floatx", "set_floatx", "set_random_seed"),
    "nn.data": ("Dataset", "parse_idx"),
    "nn.training.check_gradients": ("GradientError", "check_gradients"),
    "nn.layers": (
        "ELU", "GRU", "LSTM", "Activation", "Add", "AveragePooling2D", "BatchNormalization",
        "Concatenate", "Conv1D", "Conv2D", "Conv2DTranspose", "Cropping2D", "Dense",
        "DepthwiseConv2D", "Dropout", "Embedding", "Flatten", "GaussianNoise",
        "GlobalAveragePooling2D", "GlobalMaxPooling2D", "Input", "InputLayer", "Layer",
        "LayerNormalization", "LeakyReLU", "Masking", "MaxPooling2D", "Multiply", "Permute",
        "ReLU", "Rescaling", "Reshape", "Resizing", "SeparableConv2D", "SimpleRNN", "Softmax",
        "SpatialDropout2D", "UpSampling2D", "ZeroPadding2D",
    ),
    "nn.models.model": ("Model",),
    "nn.optimizers": ("SGD", "Adagrad", "Adam", "Adamax", "AdamW", "Lion", "RMSprop"),
    "nn.serving.quantized_model": ("QuantizedModel",),
    "nn.models.sequential": ("Sequential",),
    "nn.serving.classifier": ("Classifier",),
    "nn.ort.session": ("TrainingSession",),
    "nn.variables": ("Variable",),
}  # fmt: skip
"""Module -> names that are asked for here."""

MODULES = (
    "activations", "callbacks", "constraints", "data", "errors", "federated", "initializers", "io",
    "kernels", "layers", "losses", "metrics", "optimizers", "quantize", "regularizers",
    "schedules",
)  # fmt: skip

if not TYPE_CHECKING:  # a checker would take any name for one of the package
    __getattr__, __dir__ = lookup(__name__, HOMES, MODULES)
