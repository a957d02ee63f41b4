"""A training engine on NumPy with the names, arguments and defaults of Keras 3.

    model = nn.Sequential([nn.Input((28, 28, 1)), nn.Conv2D(8, 3, activation="relu"), ...])
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    history = await model.fit(dataset, epochs=5, batch_size=128, on_batch_end=draw_loss)
    probabilities = await model.predict(images)

Images are channels-last, numbers float32. `fit`, `evaluate` and `predict` are coroutines, since
they let the event loop have its turn after every batch.
"""

from nn import (
    activations,
    callbacks,
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
)
from nn.callbacks import Callback, History, LambdaCallback
from nn.config import epsilon, floatx, set_floatx, set_random_seed
from nn.data import Dataset, parse_idx
from nn.layers import (
    ELU,
    Activation,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    InputLayer,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Softmax,
)
from nn.model import Model
from nn.optimizers import SGD, Adam
from nn.sequential import Sequential
from nn.session import TrainingSession
from nn.variables import Variable

__all__ = [
    "ELU",
    "SGD",
    "Activation",
    "Adam",
    "Callback",
    "Conv2D",
    "Dataset",
    "Dense",
    "Dropout",
    "Flatten",
    "History",
    "Input",
    "InputLayer",
    "LambdaCallback",
    "Layer",
    "LeakyReLU",
    "MaxPooling2D",
    "Model",
    "ReLU",
    "Sequential",
    "Softmax",
    "TrainingSession",
    "Variable",
    "activations",
    "callbacks",
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
    "set_floatx",
    "set_random_seed",
]
