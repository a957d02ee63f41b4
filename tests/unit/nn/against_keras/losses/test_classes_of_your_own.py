"""Losses, regularizers and layers of a user's own, in the form that Keras' guides write them."""

from __future__ import annotations

import asyncio
from typing import Any

import keras
import nn
import numpy as np
import pytest
from nn.errors import ConfigError

X = np.random.default_rng(0).random((24, 4)).astype("float32")
Y = np.random.default_rng(1).random((24, 9)).astype("float32")


def history(library: Any, model: Any, loss: Any, y: Any = Y) -> list[float]:
    for weight in model.weights:
        weight.assign(np.sin(np.arange(np.prod(weight.shape))).reshape(weight.shape))
    model.compile("sgd", loss)
    fit = model.fit(X, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    found = asyncio.run(fit) if library is nn else fit
    return [float(value) for value in found.history["loss"]]


def dense(library: Any, **options: Any) -> Any:
    return library.Sequential([library.Input((4,)), library.layers.Dense(9, **options)])


def far_from_half(library: Any, reduction: str) -> Any:
    ops = library.ops

    class FarFromHalf(library.losses.Loss):  # type: ignore[misc, name-defined]
        def __init__(self, factor: float = 0.1, name: str = "far") -> None:
            super().__init__(name=name, reduction=reduction)
            self.factor = factor

        def call(self, y_true: Any, y_pred: Any) -> Any:
            wrong = ops.mean(ops.square(y_true - y_pred), axis=-1)
            return wrong + ops.mean(ops.square(0.5 - y_pred), axis=-1) * self.factor

    return FarFromHalf()


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_a_loss_that_defines_call_alone_trains_as_in_keras(reduction: str) -> None:
    ours, theirs = (
        history(library, dense(library), far_from_half(library, reduction))
        for library in (nn, keras)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def orthogonal(library: Any) -> Any:
    ops = library.ops

    class Orthogonal(library.regularizers.Regularizer):  # type: ignore[misc, name-defined]
        def __init__(self, features: int, factor: float = 0.01) -> None:
            self.features, self.factor = features, factor

        def __call__(self, x: Any) -> Any:
            rows = ops.reshape(x, (-1, self.features))
            product = ops.matmul(ops.transpose(rows), rows)
            return ops.sum(self.factor * ops.square(product - np.eye(self.features)))

    return Orthogonal(3)


@pytest.mark.parametrize("place", ["kernel_regularizer", "activity_regularizer"])
def test_a_regularizer_that_defines_its_call_counts_as_in_keras(place: str) -> None:
    ours, theirs = (
        history(library, dense(library, **{place: orthogonal(library)}), "mse")
        for library in (nn, keras)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    model = dense(nn, **{place: orthogonal(nn)})
    with pytest.raises(ConfigError, match="received the function Orthogonal"):
        nn.io.save(model)


@pytest.mark.parametrize("name", ["L1", "L2", "L1L2"])
def test_a_regularizer_is_called_on_an_array(name: str) -> None:
    for options in ({}, {"l2": 0.3} if name != "L1" else {"l1": 0.3}):
        ours, theirs = (getattr(k.regularizers, name)(**options)(X) for k in (nn, keras))
        np.testing.assert_allclose(ours, float(theirs), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        ((), {"shape": (2, 3), "initializer": "zeros", "trainable": True}, "variable_0"),
        ((), {"shape": (2, 3), "initializer": "zeros", "name": "w", "dtype": "float32"}, "w"),
        (((2, 3), "zeros"), {"name": "w"}, "w"),
        (([2, 3],), {"initializer": "zeros"}, "variable_0"),
        (("w", (2, 3), "zeros"), {"dtype": None}, "w"),
    ],
)
def test_a_weight_is_added_in_keras_order_and_in_that_with_its_name_first(
    arguments: Any, options: Any, name: str
) -> None:
    weight = nn.Layer().add_weight(*arguments, **options)
    assert (weight.name, weight.shape, weight.numpy().any()) == (name, (2, 3), False)
    if not isinstance(next(iter(arguments), None), str):
        theirs = keras.layers.Layer().add_weight(*arguments, **options)
        assert (tuple(theirs.shape), theirs.trainable) == (weight.shape, weight.trainable)


def test_weights_without_names_have_different_ones() -> None:
    layer = nn.Layer()
    assert [layer.add_weight(shape=(1,)).name for _ in range(3)] == [
        "variable_0",
        "variable_1",
        "variable_2",
    ]
    assert layer.add_weight().shape == ()


def test_a_weight_of_another_type_than_the_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"layer/w: expected float32, received 'float16'"):
        nn.Layer().add_weight(shape=(2,), name="w", dtype="float16")


MATRIX = np.random.default_rng(2).normal(size=(6, 3))


@pytest.mark.parametrize("value", [MATRIX, MATRIX[0], MATRIX.tolist(), 0.5, 2])
def test_a_constant_initializer_takes_an_array(value: Any) -> None:
    ours, theirs = (
        k.layers.Embedding(6, 3, embeddings_initializer=k.initializers.Constant(value))
        for k in (nn, keras)
    )
    for layer in (ours, theirs):
        layer.build((None,))
    np.testing.assert_allclose(ours.get_weights()[0], theirs.get_weights()[0], rtol=1e-6)
    model = nn.Sequential([nn.Input((2,), dtype="int32"), ours])
    for file in ("npz", "keras"):
        again = nn.io.load(nn.io.save(model, file))
        assert np.array_equal(again.get_weights()[0], ours.get_weights()[0])
    copy = nn.models.clone_model(model)
    np.testing.assert_allclose(copy.get_weights()[0], ours.get_weights()[0], rtol=1e-6)


@pytest.mark.parametrize("value", [None, "one", [[1, 2], [3]], {"a": 1}, 1j])
def test_a_constant_initializer_refuses_what_is_no_numbers(value: Any) -> None:
    with pytest.raises(ConfigError, match="Constant"):
        nn.initializers.Constant(value)


def test_a_constant_of_another_shape_than_the_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match="embedding: received"):
        nn.Embedding(6, 4, embeddings_initializer=nn.initializers.Constant(MATRIX)).build((None,))


def two_outputs(library: Any) -> Any:
    inputs = library.Input((4,))
    hidden = library.layers.Dense(3)(inputs)
    return library.Model(inputs, [library.layers.Dense(9)(hidden), hidden])


def test_targets_of_the_outputs_with_a_loss_are_enough() -> None:
    ours, theirs = (
        history(library, two_outputs(library), ["mse", None]) for library in (nn, keras)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    np.testing.assert_allclose(history(nn, two_outputs(nn), ["mse", None], [Y]), theirs, rtol=1e-4)
