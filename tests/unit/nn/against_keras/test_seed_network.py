"""The seed network trains as Keras trains it: the same losses, gradients and weights."""

import asyncio
import warnings

import jax
import keras
import nn
import numpy as np
import pytest
from nn.models.summary import text

SHAPE = (28, 28, 1)
GOLDEN = [80, 0, 1168, 0, 0, 51328, 1290]


def layers(library):
    kinds = library if library is nn else library.layers
    return [
        library.Input(SHAPE),
        kinds.Conv2D(8, 3, activation="relu"),
        kinds.MaxPooling2D(2),
        kinds.Conv2D(16, 3, activation="relu"),
        kinds.MaxPooling2D(2),
        kinds.Flatten(),
        kinds.Dense(128, activation="relu"),
        kinds.Dense(10, activation="softmax"),
    ]


@pytest.fixture
def ours():
    nn.set_random_seed(5)
    return nn.Sequential(layers(nn))


@pytest.fixture
def theirs(ours):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = keras.Sequential(layers(keras))
        model.set_weights(ours.get_weights())
    return model


@pytest.fixture(scope="module")
def loss_and_gradients():
    """Keras' network as one compiled function of (weights, x, y), for every optimizer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = keras.Sequential(layers(keras))
    loss = keras.losses.SparseCategoricalCrossentropy()

    def lost(weights, x, y):
        predicted, _ = model.stateless_call(weights, [], x, training=True)
        return loss(y, predicted)

    return jax.jit(jax.value_and_grad(lost))


@pytest.fixture
def batches():
    rng = np.random.default_rng(1)
    return [
        (rng.random((32, *SHAPE)).astype(np.float32), rng.integers(0, 10, 32)) for _ in range(5)
    ]


@pytest.mark.promise(
    "The page: architecture",
    "Layers added, moved, removed, edited; summary, parameters and code follow",
)
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Sequential model of 2 convolutions, 2 poolings, 2 dense layers: 53,866 parameters,"
    " the published table",
)
def test_the_summary_is_the_golden_table(ours):
    rows = ours.summary_rows()
    assert [row[3] for row in rows] == GOLDEN
    assert sum(row[3] for row in rows) == 53_866
    assert "53,866" in text(ours)


def test_predicts_what_keras_predicts(ours, theirs, batches):
    x, _ = batches[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.asarray(theirs(x))
    np.testing.assert_allclose(asyncio.run(ours.predict(x)), expected, atol=1e-6)


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Gradients of every layer and of the whole network; Adam",
)
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("Adam", {}),
        ("SGD", {"learning_rate": 0.05}),
        ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
        ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
        ("RMSprop", {"momentum": 0.5, "centered": True}),
        ("Adagrad", {"learning_rate": 0.05}),
        ("AdamW", {"weight_decay": 0.05}),
        ("Adamax", {}),
        ("Lion", {}),
        ("Adam", {"clipnorm": 0.01}),
        ("Adam", {"clipvalue": 0.001}),
        ("Adam", {"global_clipnorm": 0.05}),
    ],
    ids=str,
)
def test_five_steps_of_every_optimizer_are_those_of_keras(
    ours, theirs, batches, loss_and_gradients, optimizer, options
):
    ours.compile(getattr(nn, optimizer)(**options), "sparse_categorical_crossentropy")
    walking = getattr(keras.optimizers, optimizer)(**options)
    walking.build(theirs.trainable_variables)
    apply = jax.jit(walking.stateless_apply)
    weights = [v.value for v in theirs.trainable_variables]
    state = [v.value for v in walking.variables]
    expected = []
    for x, y in batches:
        loss, gradients = loss_and_gradients(weights, x, y)
        weights, state = apply(state, gradients, weights)
        expected.append(float(loss))
    received = [first(ours.train_on_batch(x, y)) for x, y in batches]
    np.testing.assert_allclose(received, expected, atol=2e-4)
    for name, a, b in zip(
        [v.path for v in ours.variables], ours.get_weights(), weights, strict=True
    ):
        np.testing.assert_allclose(a, b, atol=3e-4, err_msg=f"{optimizer} {options}: {name}")


def first(value):
    return float(value[0] if isinstance(value, list | tuple) else value)
