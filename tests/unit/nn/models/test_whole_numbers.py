"""Models whose inputs are whole numbers: images as they are stored, and indices."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
import pytest

from tests.support import every_layer

RNG = np.random.default_rng(4)
IMAGES = RNG.integers(0, 256, (6, 5, 4, 3)).astype(np.uint8)
IMAGE = IMAGES.shape[1:]
LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Rescaling", {"scale": 1 / 255, "offset": -0.5}, IMAGE),
    ("Normalization", {"mean": 127.3, "variance": 99.5}, IMAGE),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, IMAGE),
    ("Softmax", {}, IMAGE),
    ("Activation", {"activation": "sigmoid"}, IMAGE),
    ("AveragePooling2D", {"pool_size": 2}, IMAGE),
    ("Add", {}, IMAGE),
    ("Flatten", {}, IMAGE),
    *(
        (kind, {name: choices[-1] for name, choices in options.items()}, every_layer.SHAPES[shape])
        for shape, kinds in every_layer.OPTIONS.items()
        for kind, options in kinds.items()
    ),
]


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "bool", "float16"])
@pytest.mark.parametrize(("kind", "settings", "axes"), LAYERS)
def test_layers_compute_in_floats_whatever_numbers_a_model_is_given(
    kind: str, settings: dict[str, Any], axes: tuple[int, ...], dtype: str
) -> None:
    data = RNG.integers(0, 256, (3, *axes)).astype(dtype)

    def computed(own: str) -> Any:
        nn.set_random_seed(1)
        given = nn.Input(axes, dtype=own)
        layer = nn.layers.CLASSES[kind](**settings)
        made = layer([given, given]) if kind == "Add" else layer(given)
        return nn.Model(given, made).predict_on_batch(data)

    np.testing.assert_array_equal(computed(dtype), computed("float32"))


def test_images_as_they_are_stored_train_a_network_as_floats_do() -> None:
    losses = []
    for dtype in ("uint8", "float32"):
        nn.set_random_seed(1)
        model = nn.Sequential(
            [nn.Input((5, 4, 3), dtype=dtype), nn.Rescaling(1 / 255), nn.Flatten(), nn.Dense(1)]
        )
        model.compile("sgd", "mse")
        history = asyncio.run(model.fit(IMAGES, np.arange(6.0), epochs=3, shuffle=False))
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]


def test_indices_stay_whole_numbers_beside_images() -> None:
    image, number = nn.Input((5, 4, 3), dtype="uint8"), nn.Input((1,), dtype="int64")
    large = 2**40 + np.arange(6)[:, None]  # as floats of 32 bits one number
    found = nn.IntegerLookup(vocabulary=large[:, 0])(nn.Flatten()(number))
    model = nn.Model([image, number], [nn.Rescaling(1 / 255)(image), found])
    scaled, indices = model.predict_on_batch([IMAGES, large])
    np.testing.assert_allclose(scaled, IMAGES / 255, atol=1e-7)
    np.testing.assert_array_equal(indices[:, 0], np.arange(1, 7))


def test_a_users_own_layer_is_given_the_numbers_as_they_are() -> None:
    class Parity(nn.Layer):
        def forward(self, ctx: Any, *inputs: Any, training: bool = False) -> Any:
            return (inputs[0] & 1).astype(np.float32)

    model = nn.Sequential([nn.Input((5, 4, 3), dtype="uint8"), Parity()])
    np.testing.assert_array_equal(model.predict_on_batch(IMAGES), IMAGES % 2)
