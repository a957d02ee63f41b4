"""The oracle: Keras 3 on JAX's CPU backend, which must be chosen before anything imports it."""

import os
import warnings

import pytest

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"


@pytest.fixture(scope="session")
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports: not ours to mend
        import keras
    return keras
