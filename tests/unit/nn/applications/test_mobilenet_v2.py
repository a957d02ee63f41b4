"""MobileNetV2 against Keras': the same layers, weights and logits, and its file."""

import asyncio
import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import nn
import numpy as np
import pytest
from nn import applications
from nn.errors import ConfigError

from tests.support.networks import perturb

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPE = (96, 96, 3)


@pytest.fixture(scope="module")
def theirs(native, tmp_path_factory):
    """Keras' network of 96 x 96 with drawn statistics, the bytes of its file, images, logits."""
    keras.utils.set_random_seed(1)
    make = keras.applications.MobileNetV2
    model = make(SHAPE, alpha=0.5, weights=None, classifier_activation=None)
    rng = np.random.default_rng(3)
    perturb(model, rng)
    images = rng.uniform(-1, 1, (2, *SHAPE)).astype(np.float32)
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model.save(path)
    logits = model.predict_on_batch(images)  # compiled as a whole: a call compiles each operation
    return model, path.read_bytes(), images, logits


def close(made, expected):
    return np.abs(made - expected).max() < 1e-4 * np.abs(expected).max()


def test_keras_file_opens_and_gives_its_logits(theirs):
    _, data, images, logits = theirs
    assert close(nn.io.load(data).predict_on_batch(images), logits)


def test_its_layers_are_keras_s_and_its_weights_come_from_keras_file(theirs):
    model, data, images, logits = theirs
    options = {"alpha": 0.5, "classifier_activation": None}
    ours = asyncio.run(applications.MobileNetV2(SHAPE, weights=data, **options))
    names = {layer.name for layer in model.layers if layer.weights}
    assert {layer.name for layer in ours.layers if layer.variables} == names
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in model.get_weights()]
    assert close(ours.predict_on_batch(images), logits)


@pytest.mark.parametrize(
    "alpha", [0.35, *(pytest.param(alpha, marks=pytest.mark.soak) for alpha in (1.0, 1.4))]
)
def test_other_widths_have_keras_s_weights(alpha):
    options = {"alpha": alpha, "weights": None, "include_top": False}
    theirs = keras.applications.MobileNetV2((64, 64, 3), **options)
    ours = asyncio.run(applications.MobileNetV2((64, 64, 3), **options))
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]


def test_trained_weights_that_are_nowhere_are_refused():
    with pytest.raises(ConfigError, match=r"expected bytes of a file, an address or None"):
        asyncio.run(applications.MobileNetV2(weights="imagenet"))
