"""Small data sets to begin with, named as in Keras 3 (`keras.datasets`)."""

from typing import TYPE_CHECKING

from nn.lazy import lookup

if TYPE_CHECKING:
    from nn.datasets import mnist

MODULES = ("mnist",)

if not TYPE_CHECKING:  # as in nn
    __all__ = list(MODULES)
    __getattr__, __dir__ = lookup(__name__, {}, MODULES)
