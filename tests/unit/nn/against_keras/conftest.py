"""The oracle: Keras 3 on JAX's CPU build, which must be chosen before anything imports it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

with warnings.catch_warnings():
    # Keras and JAX warn about their own dependencies while they are imported.
    warnings.simplefilter("ignore")
    import jax
    import keras

import nn

settings.register_profile(
    "oracles",
    derandomize=True,
    deadline=None,
    max_examples=3,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def float64() -> Iterator[None]:
    """Both engines in float64, so that only definitions can differ."""
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    nn.set_floatx("float64")
    nn.set_random_seed(7)
    yield
    keras.config.set_floatx("float32")
    # Keras keeps the policy of the first layer ever made.
    keras.config.set_dtype_policy("float32")
    nn.set_floatx("float32")
    jax.config.update("jax_enable_x64", False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let pass what Keras' own variables provoke in NumPy 2; everything else stays an error."""
    for item in items:
        if "against_keras" in item.path.parts:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
            )
