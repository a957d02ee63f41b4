"""Gradients by central differences in float64: the other layers, every loss, the whole network.

Most layers are in test_gradients; that none is in neither is tested here.
"""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.differentiate import differentiate
from nn.training.data_adapter import one_batch

from tests.unit.nn.against_keras.layers.test_layers import CASES as LAYERS
from tests.unit.nn.against_keras.losses.test_losses import CASES as LOSSES

pytestmark = pytest.mark.usefixtures("float64")

RNG = np.random.default_rng(6)
IMAGES = RNG.normal(size=(2, 5, 6, 3))
STEPS = RNG.normal(size=(3, 4, 5))
OTHERS: list[tuple[str, dict[str, Any], Any]] = [
    ("Cropping2D", {"cropping": ((1, 2), (0, 1))}, IMAGES),
    ("CategoryEncoding", {"num_tokens": 9}, RNG.integers(0, 9, (3, 5))),
    ("ConstantArray", {"value": RNG.normal(size=(1, 2))}, STEPS),
    ("Discretization", {"bin_boundaries": [-0.5, 0.5], "output_mode": "one_hot"}, STEPS),
    ("Embedding", {"input_dim": 9, "output_dim": 4}, RNG.integers(0, 9, (3, 5))),
    ("GetItem", {"index": [[1, 4, 2], -1]}, STEPS),
    ("Log", {}, np.abs(STEPS) + 0.5),
    ("Power", {"exponent": 3.0}, STEPS),
    ("ThresholdedReLU", {"theta": 0.4}, STEPS),
    ("Masking", {"mask_value": 0.0}, STEPS),  # none is masked: at a mask's edge is no derivative
    ("Resizing", {"height": 8, "width": 4, "interpolation": "bilinear"}, IMAGES),
    ("Resizing", {"height": 3, "width": 7, "interpolation": "nearest"}, IMAGES),
    ("Resizing", {"height": 3, "width": 7, "interpolation": "bicubic", "antialias": True}, IMAGES),
    ("Resizing", {"height": 7, "width": 3, "pad_to_aspect_ratio": True, "fill_value": 2.0}, IMAGES),
    *(("Activation", {"activation": name}, STEPS) for name in nn.activations.ACTIVATIONS),
]
# In tests of their own: random ones, of several inputs, around other layers, or of tokens.
APART = {
    "Add", "AlphaDropout", "Attention", "Average", "Bidirectional", "Concatenate", "ConvLSTM1D",
    "ConvLSTM2D", "ConvLSTM2DCell", "Divide", "Dot", "GRUCell", "GaussianDropout",
    "GaussianNoise", "HashedCrossing", "Hashing", "IntegerLookup", "LSTMCell", "Matmul", "Maximum",
    "Minimum", "MultiHeadAttention", "Multiply", "RNN", "RandomBrightness", "RandomContrast",
    "RandomCrop", "RandomFlip", "RandomHeight", "RandomRotation", "RandomTranslation",
    "RandomWidth", "RandomZoom", "SimpleRNNCell", "SpatialDropout1D", "SpatialDropout2D",
    "SpatialDropout3D", "StackedRNNCells", "StringLookup", "Subtract", "TextVectorization",
    "TimeDistributed",
}  # fmt: skip


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Gradients of every layer and of the whole network; Adam",
)
@pytest.mark.parametrize(("kind", "config", "x"), OTHERS, ids=lambda v: str(v)[:40])
def test_the_other_layers_backward_is_the_derivative_of_forward(
    kind: str, config: dict[str, Any], x: Any
) -> None:
    nn.check_gradients(nn.layers.CLASSES[kind](**config), x, samples=25)


def of_several() -> list[tuple[Any, tuple[Any, ...]]]:
    return [
        (nn.LSTM(3, return_sequences=True, return_state=True), (STEPS,)),
        (nn.Bidirectional(nn.GRU(3)), (STEPS,)),
        (nn.MultiHeadAttention(2, 3), (STEPS, STEPS[:, :2], STEPS[:, 1:3])),
        (nn.Attention(), (STEPS, STEPS[:, :2])),
        (nn.Concatenate(), (STEPS, STEPS[..., :2])),
        (nn.Maximum(), (STEPS, STEPS[::-1])),
        (nn.Multiply(), (STEPS, RNG.normal(size=(3, 1, 5)))),
        (nn.Dot(2), (STEPS, STEPS[:, :2])),
        (branched(), (STEPS, STEPS[:, 0])),
    ]


def branched() -> nn.Model:
    """A model of two inputs and three outputs, one of them of one input alone."""
    steps, last = nn.Input((4, 5)), nn.Input((5,))
    read = nn.LSTM(3, dropout=0.2)(steps)
    both = nn.Dense(2, activation="softmax")(
        nn.Concatenate()([read, nn.BatchNormalization()(last)])
    )
    return nn.Model([steps, last], [both, read, nn.Dense(2)(last)])


def of_one_input() -> list[tuple[Any, tuple[Any, ...]]]:
    cases = [(kind, config, np.asarray(x)) for kind, config, x in [*LAYERS, *OTHERS]]
    return [(nn.layers.CLASSES[k](**c), (x,)) for k, c, x in cases if x.dtype.kind == "f"]


@pytest.mark.parametrize("place", range(2))
def test_a_function_that_calls_layers_goes_back_through_them(place: int) -> None:
    cases = of_several() if place else [*of_one_input(), *of_several()]
    for layer, xs in cases:
        if place < len(xs):
            check_function(
                lambda *xs, layer=layer: layer([*xs] if len(xs) > 1 else xs[0]), xs, place
            )


def check_function(call: Any, xs: tuple[Any, ...], place: int) -> None:
    """Compare the gradient of a function of a layer's outputs with central differences, twice."""

    def function(*xs: Any) -> Any:
        made = call(*xs)
        parts = made if isinstance(made, list | tuple) else [made]
        return np.concatenate([2 * np.reshape(part, (len(part), -1)) for part in parts], axis=-1)

    y, pull = differentiate(function, *xs, wrt=place)
    np.testing.assert_allclose(y, function(*xs))
    direction, step = RNG.normal(size=xs[place].shape), 1e-6
    ahead, behind = (
        function(*xs[:place], xs[place] + sign * step * direction, *xs[place + 1 :])
        for sign in (1, -1)
    )
    for _ in range(2):
        dy = RNG.normal(size=y.shape)
        slope = np.sum((ahead - behind) * dy) / (2 * step)
        assert np.sum(pull(dy) * direction) == pytest.approx(slope, rel=1e-5, abs=1e-6), call


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Gradients of every layer and of the whole network; Adam",
)
def test_no_layer_is_left_out() -> None:
    checked = {case[0] for case in [*LAYERS, *OTHERS]} | APART
    assert checked == set(nn.layers.CLASSES) - {"InputLayer"}


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Gradients of every layer and of the whole network; Adam",
)
@pytest.mark.parametrize(
    ("name", "config", "true", "pred"), LOSSES, ids=[f"{c[0]}-{c[1]}" for c in LOSSES]
)
@settings(settings.get_profile("oracles"))
@given(st.integers(0, 1000))
def test_a_loss_gives_the_derivative_of_its_value(
    name: str, config: Any, true: Any, pred: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    loss = nn.losses.CLASSES[name](**config)
    # Around the case's own outputs: probabilities stay positive.
    y = np.array(pred, np.float64) * rng.uniform(0.9, 1.1, np.shape(pred))
    weights = rng.uniform(0.5, 2, len(y))
    gradient = np.array(loss.step(true, y, weights)[1])
    direction = rng.normal(size=y.shape)
    step = 1e-6 * direction
    rise = loss.step(true, y + step, weights)[0] - loss.step(true, y - step, weights)[0]
    np.testing.assert_allclose((gradient * direction).sum(), rise / 2e-6, rtol=1e-5, atol=1e-8)


def test_every_loss_is_among_them() -> None:
    assert {case[0] for case in LOSSES} == set(nn.losses.CLASSES)


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Gradients of every layer and of the whole network; Adam",
)
def test_the_seed_network_s_gradient_is_the_derivative_of_its_loss() -> None:
    model = nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(8, 3, activation="relu"), nn.MaxPooling2D(),
            nn.Conv2D(16, 3, activation="relu"), nn.MaxPooling2D(),
            nn.Flatten(), nn.Dense(128, activation="relu"), nn.Dense(10, activation="softmax"),
        ]
    )  # fmt: skip
    model.compile("sgd", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(3)
    batch = one_batch(model, rng.random((4, 28, 28, 1)), rng.integers(0, 10, 4), None, None)
    model.trainer.gradient_step(*batch)
    values, gradients = model.parameters.values, model.parameters.gradients.copy()
    assert values.size == 53_866
    assert values.dtype == np.float64
    for span in model.parameters.spans:
        for place in rng.choice(np.arange(span.start, span.stop), 6):
            kept, losses = values[place], []
            for step in (1e-6, -1e-6):
                values[place] = kept + step
                losses.append(model.trainer.test_step(*batch))
            values[place] = kept
            slope = (losses[0] - losses[1]) / 2e-6
            assert gradients[place] == pytest.approx(slope, rel=1e-4, abs=1e-8)
