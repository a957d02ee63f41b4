"""Ten photographs of each class: a head on features, then the last block."""

import asyncio
import time

import nn
import numpy as np
import pytest
from nn import applications

from tools import photographs

CLASSES = ("chelsea.png", "coffee.png", "rocket.jpg")
EACH = 10


@pytest.fixture(scope="module")
def data(native):
    """Ten crops of each of three photographs, preprocessed, and their classes."""
    crops = [(name, np.asarray(crop)) for name, crop in photographs.crops() if name in CLASSES]
    labels = np.array([CLASSES.index(name) for name, _ in crops])
    assert np.bincount(labels).tolist() == [EACH] * 3
    small = np.stack([crop[::2, ::2] for _, crop in crops])
    return applications.preprocess_input(small), labels


def test_a_head_is_trained_on_features_in_two_seconds_and_then_the_last_block(data):
    images, labels = data
    held_out = np.arange(len(labels)) % 5 == 0  # two of each class
    nn.set_random_seed(1)

    async def learn():
        base = await applications.EfficientNetLite0(
            include_top=False, pooling="avg", input_shape=(112, 112, 3)
        )
        features = await base.predict(images)
        head = nn.Sequential([nn.Input((1280,)), nn.Dense(3, activation="softmax")])
        head.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        began = time.process_time()
        await head.fit(features[~held_out], labels[~held_out], epochs=10, batch_size=16)
        seconds = time.process_time() - began
        first = await head.evaluate(features[held_out], labels[held_out], return_dict=True)

        model = nn.Model(base.input, head(base.output))
        for layer in base.layers:
            last = layer.name.startswith(("block7a", "top"))
            layer.trainable = last and not layer.name.endswith("bn")
        model.compile(nn.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
        before = {layer.name: layer.get_weights() for layer in base.layers}
        history = await model.fit(images[~held_out], labels[~held_out], epochs=2, batch_size=16)
        second = await model.evaluate(images[held_out], labels[held_out], return_dict=True)
        changed = {
            name
            for name, weights in before.items()
            for one, other in zip(weights, base.get_layer(name).get_weights(), strict=True)
            if not np.array_equal(one, other)
        }
        return seconds, first, history.history["loss"], second, changed

    seconds, first, losses, second, changed = asyncio.run(learn())
    assert seconds < 2
    assert first["accuracy"] == second["accuracy"] == 1
    assert losses[1] < losses[0] < 1
    assert second["loss"] < 1.1 * first["loss"]
    kernels_of = ("block7a_expand_conv", "block7a_dwconv", "block7a_project_conv", "top_conv")
    assert changed == set(kernels_of)
