"""Losses and their gradients against Keras 3 on JAX, on the same draws."""

from __future__ import annotations

import asyncio
from typing import Any

import jax
import keras
import nn
import numpy as np
import pytest
from nn.errors import ShapeError

from tests.unit.nn.against_keras.draws import (
    BITS,
    DIRECTIONS,
    HEARD,
    LABELS,
    LOGITS,
    ONE_HOT,
    PROBABILITIES,
    REGIONS,
    SCORES,
    SPELT,
    TWINS,
    WEIGHTS,
)

pytestmark = pytest.mark.usefixtures("float64")
REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight")
CASES = [
    ("MeanSquaredError", {}, LOGITS[::-1], LOGITS),
    ("MeanAbsoluteError", {}, LOGITS[::-1], LOGITS),
    ("MeanAbsolutePercentageError", {}, LOGITS[::-1], LOGITS),
    ("MeanSquaredLogarithmicError", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("Huber", {"delta": 0.7}, LOGITS[::-1], LOGITS),
    ("LogCosh", {}, LOGITS[::-1], LOGITS),
    ("Poisson", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("Hinge", {}, BITS, LOGITS),
    ("SquaredHinge", {}, BITS, LOGITS),
    ("CategoricalHinge", {}, ONE_HOT, LOGITS),
    ("KLDivergence", {}, PROBABILITIES[::-1], PROBABILITIES),
    ("CosineSimilarity", {}, LOGITS[::-1], LOGITS),
    ("BinaryCrossentropy", {}, BITS, PROBABILITIES),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, BITS, LOGITS),
    ("CategoricalCrossentropy", {}, ONE_HOT, PROBABILITIES * 2),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ONE_HOT, LOGITS),
    ("SparseCategoricalCrossentropy", {}, LABELS, PROBABILITIES * 2),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, LOGITS),
    ("BinaryFocalCrossentropy", {}, BITS, PROBABILITIES),
    ("BinaryFocalCrossentropy",
     {"from_logits": True, "apply_class_balancing": True, "gamma": 1.5, "label_smoothing": 0.1},
     BITS, LOGITS),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT, PROBABILITIES * 2),
    ("CategoricalFocalCrossentropy",
     {"from_logits": True, "alpha": 0.5, "gamma": 1.0, "label_smoothing": 0.1}, ONE_HOT, LOGITS),
    ("Dice", {}, BITS, PROBABILITIES),
    ("Dice", {"axis": 1}, BITS, PROBABILITIES),
    ("Dice", {"axis": (1, 2)}, REGIONS, SCORES),
    ("Tversky", {}, BITS, PROBABILITIES),
    ("Tversky", {"alpha": 0.3, "beta": 0.9, "axis": -1}, BITS, PROBABILITIES),
    ("Tversky", {"alpha": 0.3, "axis": (1, 2)}, REGIONS, SCORES),
    ("CategoricalGeneralizedCrossEntropy", {}, LABELS, PROBABILITIES),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.2}, LABELS, PROBABILITIES),
    ("Circle", {}, TWINS, DIRECTIONS),
    ("Circle", {"gamma": 5.0, "margin": 0.1}, TWINS, DIRECTIONS),
    ("Circle", {"remove_diagonal": False}, LABELS, DIRECTIONS),
    ("CTC", {}, SPELT, HEARD),
]  # fmt: skip


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "Frozen and trainable parameters; AdamW and cross-entropy",
)
@pytest.mark.parametrize(
    ("name", "config", "true", "pred"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_loses_as_keras_and_its_gradient(name: str, config: Any, true: Any, pred: Any) -> None:
    """By every reduction, with and without weights of samples: for Keras one program of JAX's."""
    ways = [(reduction, weights) for reduction in REDUCTIONS for weights in (None, WEIGHTS)]

    @jax.jit
    def theirs(p: Any) -> Any:
        return [jax.value_and_grad(lost)(p, *way) for way in ways]

    def lost(p: Any, reduction: str, weights: Any) -> Any:
        loss = getattr(keras.losses, name)(**config, reduction=reduction)
        return loss(true, p, sample_weight=weights)

    # Keras reads its epsilon as float32, 1e-7 to eight digits; it aligns in float32.
    near = 1e-5 if name == "CTC" else 1e-6
    for (reduction, weights), (expected, slope) in zip(ways, theirs(pred), strict=True):
        ours = nn.losses.CLASSES[name](**config, reduction=reduction)
        value, gradient = ours.step(true, pred, weights)
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(gradient, slope, rtol=near, atol=1e-8)
        np.testing.assert_allclose(ours(true, pred, weights), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "config", "true", "pred"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_survives_its_own_configuration(name: str, config: Any, true: Any, pred: Any) -> None:
    loss = nn.losses.CLASSES[name](**config)
    again = nn.losses.get(nn.losses.serialize(loss))
    assert again(true, pred) == loss(true, pred)


FUNCTIONS = ["mean_squared_error", "binary_crossentropy", "categorical_crossentropy", "huber"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_losses_are_functions_as_in_keras(name: str) -> None:
    ours, theirs = getattr(nn.losses, name), getattr(keras.losses, name)
    np.testing.assert_allclose(ours(ONE_HOT, PROBABILITIES), theirs(ONE_HOT, PROBABILITIES), 1e-6)
    assert nn.losses.get(ours).get_config() == nn.losses.get(name).get_config()


def test_any_sequence_of_labels_aligns_as_in_keras() -> None:
    rng = np.random.default_rng(1)
    count, steps, length, classes = 200, 5, 4, 4
    lengths = rng.integers(0, length + 1, count)
    labels = rng.integers(1, classes, (count, length)) * (np.arange(length) < lengths[:, None])
    logits = rng.normal(size=(count, steps, classes)) * 3
    twice = ((labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] > 0)).sum(axis=1)
    impossible = lengths + twice > steps
    losses = nn.losses.CTC(None)(labels, logits)
    assert ((losses > 9e4) == impossible).all()  # 1e5 for each, as in Keras
    assert 0 < impossible.sum() < count / 2
    value, gradient = nn.losses.CTC("sum").step(labels[~impossible], logits[~impossible])
    theirs = keras.losses.CTC("sum")
    slope = jax.jit(jax.value_and_grad(lambda p: theirs(labels[~impossible], p)))
    expected = slope(logits[~impossible])
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-4, atol=1e-6)


def test_refuses_labels_that_cannot_be_aligned() -> None:
    loss = nn.losses.CTC()
    for labels, says in (([[5]], "labels from 0 to 4"), ([1], r"labels \(n, length\)")):
        with pytest.raises(nn.errors.ShapeError, match=says):
            loss(labels, HEARD[:1])


def test_a_network_learns_to_spell() -> None:
    rng = np.random.default_rng(0)
    letters = rng.integers(1, 4, (32, 2))
    x = np.repeat(np.eye(4)[letters], 3, axis=1).astype(np.float32)
    model = nn.Sequential([nn.Input((6, 4)), nn.LSTM(8, return_sequences=True), nn.Dense(4)])
    model.compile(nn.Adam(0.05), nn.losses.CTC())
    losses = [float(model.train_on_batch(x, letters)) for _ in range(25)]
    assert losses[-1] < losses[0] / 3


def test_a_focal_loss_of_logits_has_all_digits_however_sure_the_network_is() -> None:
    loss = nn.losses.BinaryFocalCrossentropy(from_logits=True, reduction="sum")
    logits = np.linspace(-15, 15, 1201)[:, None]  # the probability is cut at 1e-7, as in Keras
    for label in (0, 1):
        true = np.full_like(logits, label)
        for got, want in zip(
            loss.step(true.astype(np.float32), logits.astype(np.float32)),
            loss.step(true, logits.astype(np.float32).astype(np.float64)),
            strict=True,
        ):
            np.testing.assert_allclose(got, want, rtol=3e-5 if np.ndim(got) else 1e-6, atol=1e-9)


@pytest.mark.parametrize("given", [["mse", "mae"], ["mse", None], [None, "mae"]], ids=str)
def test_the_losses_of_outputs_are_named_where_there_are_several_as_in_keras(given: Any) -> None:
    def logs(library: Any, layers: Any) -> dict[str, float]:
        x = library.Input((3,))
        model = library.Model(x, [layers.Dense(2, name="a")(x), layers.Dense(2, name="b")(x)])
        model.set_weights([np.ones_like(w) for w in model.get_weights()])
        model.compile("sgd", given, metrics=[["mae"], ["mse"]])
        xs, ys = np.ones((4, 3)), [np.zeros((4, 2)), np.ones((4, 2))]
        found = model.evaluate(xs, ys, verbose=0, return_dict=True)
        return asyncio.run(found) if library is nn else found  # type: ignore[no-any-return]

    ours, theirs = logs(nn, nn), logs(keras, keras.layers)
    assert ours == pytest.approx(theirs)


ENTROPIES = {
    "BinaryCrossentropy": "sigmoid", "BinaryFocalCrossentropy": "sigmoid",
    "CategoricalCrossentropy": "softmax", "CategoricalFocalCrossentropy": "softmax",
}  # fmt: skip


@pytest.mark.parametrize("name", ENTROPIES)
@pytest.mark.parametrize("shape", [(4, 1), (4,), (1, 3), (4, 2)], ids=str)
def test_cross_entropies_broadcast_no_labels_as_keras_does_not(name: str, shape: Any) -> None:
    labels, outputs = np.ones(shape, "f"), np.full((4, 3), 0.3, "f")
    if name != "CategoricalFocalCrossentropy":  # Keras takes any labels there
        with pytest.raises(ValueError, match="shape"):
            getattr(keras.losses, name)()(labels, outputs)
    for logits in (False, True):
        loss = getattr(nn.losses, name)(from_logits=logits)
        with pytest.raises(ShapeError, match=r"expected labels \(y_true\) of shape \(4, 3\)"):
            loss(labels, outputs)
        ends = "linear" if logits else ENTROPIES[name]
        model = nn.Sequential([nn.Input((2,)), nn.Dense(3, activation=ends)])
        model.compile("sgd", loss)
        with pytest.raises(ShapeError, match="expected"):
            model.train_on_batch(np.ones((4, 2)), labels)


@pytest.mark.parametrize("ends", ["linear", "sigmoid"])
@pytest.mark.parametrize(
    "name", ["mse", "mae", "mape", "msle", "huber", "log_cosh", "hinge", "squared_hinge"]
)
def test_labels_of_an_axis_of_one_are_broadcast_in_training_too(name: str, ends: str) -> None:
    x, labels = np.ones((4, 2), "f"), np.arange(4, dtype="f")[:, None]
    found = []
    for y in (labels, np.repeat(labels, 3, 1)):
        nn.set_random_seed(1)
        model = nn.Sequential([nn.Input((2,)), nn.Dense(3, activation=ends)])
        model.compile("sgd", name)
        found.append([model.train_on_batch(x, y) for _ in range(3)])
    np.testing.assert_allclose(*found, rtol=1e-6)
