"""What is drawn is distributed as in Keras: first weights, and what layers do in training.

Both sides draw once with a seed, so that a case always ends the same way; quantiles may differ by
what samples of that size differ.
"""

from __future__ import annotations

from typing import Any

import keras
import nn
import numpy as np
import pytest

DENSE, IMAGES = (160, 120), (3, 3, 40, 50)
SHARES = np.array([0.05, 0.2, 0.4, 0.5, 0.6, 0.8, 0.95])
APART = 0.06  # of a deviation: four times what quantiles of 18,000 numbers differ by

INITIALIZERS: dict[str, list[dict[str, Any]]] = {
    "Constant": [{"value": 0.3}],
    "GlorotNormal": [{}],
    "GlorotUniform": [{}],
    "HeNormal": [{}],
    "HeUniform": [{}],
    "Identity": [{"gain": 2.0}],
    "LecunNormal": [{}],
    "LecunUniform": [{}],
    "Ones": [{}],
    "Orthogonal": [{"gain": 0.5}],
    "RandomNormal": [{}, {"mean": 0.2, "stddev": 0.1}],
    "RandomUniform": [{}, {"minval": -0.2, "maxval": 0.5}],
    "TruncatedNormal": [{}, {"mean": 0.2, "stddev": 0.1}],
    "VarianceScaling": [
        {"scale": scale, "mode": mode, "distribution": distribution}
        for scale in (0.5, 2.0)
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("uniform", "truncated_normal", "untruncated_normal")
    ],
    "Zeros": [{}],
}
CASES = [
    (name, options, shape)
    for name, several in INITIALIZERS.items()
    for options in several
    for shape in ((DENSE,) if name == "Identity" else (IMAGES,))
]


def seeded(kind: type, options: dict[str, Any]) -> Any:
    made = kind(**options)
    return kind(**options, seed=3) if "seed" in made.get_config() else made


def expect_alike(ours: Any, theirs: Any, apart: float = APART) -> None:
    """Check that two samples have the same least and largest numbers and quantiles."""
    got, want = (np.quantile(values, SHARES) for values in (ours, theirs))
    spread = theirs.std()
    np.testing.assert_allclose(got, want, atol=apart * spread + 1e-6)
    assert np.abs([ours.min() - theirs.min(), ours.max() - theirs.max()]).max() <= 1.5 * spread


def test_every_initializer_has_a_case() -> None:
    assert set(INITIALIZERS) == set(nn.initializers.CLASSES)


@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=str)
def test_first_values_are_distributed_as_in_keras(name: str, options: Any, shape: Any) -> None:
    ours = seeded(getattr(nn.initializers, name), options)(shape)
    theirs = np.asarray(seeded(getattr(keras.initializers, name), options)(shape))
    assert ours.shape == theirs.shape
    expect_alike(ours, theirs)
    if name == "Orthogonal":
        flat = ours.reshape(-1, shape[-1])
        square = options.get("gain", 1.0) ** 2 * np.eye(shape[-1])
        np.testing.assert_allclose(flat.T @ flat, square, atol=1e-5)


# Layers. Their input is one number everywhere, so that a layer's draws are all that differs.

LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("AlphaDropout", {"rate": 0.3}, (60, 6, 50)),
    ("Dropout", {"rate": 0.3}, (60, 6, 50)),
    ("Dropout", {"rate": 0.3, "noise_shape": (None, 1, 50)}, (60, 6, 50)),
    ("GaussianDropout", {"rate": 0.3}, (60, 6, 50)),
    ("GaussianNoise", {"stddev": 0.4}, (60, 6, 50)),
    ("SpatialDropout1D", {"rate": 0.3}, (60, 6, 50)),
    ("SpatialDropout2D", {"rate": 0.3}, (60, 3, 2, 50)),
    ("SpatialDropout2D", {"rate": 0.3, "data_format": "channels_first"}, (60, 50, 3, 2)),
    ("SpatialDropout3D", {"rate": 0.3}, (60, 3, 2, 1, 50)),
]


def test_every_layer_of_noise_has_a_case() -> None:
    noisy = {name for name in nn.layers.CLASSES if "Dropout" in name or "Noise" in name}
    assert noisy == {name for name, _, _ in LAYERS}


@pytest.mark.parametrize(("name", "options", "shape"), LAYERS, ids=str)
def test_a_layer_draws_in_training_as_in_keras(
    name: str, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    x = np.full(shape, 1.5, np.float32)
    layer = getattr(nn, name)(**options, seed=1)
    theirs = np.asarray(getattr(keras.layers, name)(**options, seed=1)(x, training=True))
    model = nn.Sequential([nn.Input(shape[1:]), layer])
    ours = model.layers[-1](x, training=True)
    np.testing.assert_array_equal(model.predict_on_batch(x), x)
    expect_alike(ours, theirs)
    # A draw for several places makes the means over places as wide as those of single numbers.
    channels = 1 if options.get("data_format") == "channels_first" else -1
    for axis in {*range(len(shape))} - {0, channels % len(shape)}:
        got, want = (values.mean(axis).std() for values in (ours, theirs))
        assert got == pytest.approx(want, rel=0.08)
