"""What a model returns, and weights of functions of your own, here and in Keras."""

from __future__ import annotations

import asyncio
from typing import Any

import keras
import nn
import numpy as np
import pytest
from nn.differentiate import differentiate

X = np.random.default_rng(5).normal(size=(4, 3)).astype("float32")


def kind(value: Any) -> Any:
    """Return how outputs are held: by name, in a list, or one alone."""
    if isinstance(value, dict):
        return {name: kind(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(kind(one) for one in value)
    return tuple(value.shape)


ENDS: dict[str, Any] = {
    "one": lambda a, b: a,
    "a list of one": lambda a, b: [a],
    "a dict of one": lambda a, b: {"a": a},
    "a list of two": lambda a, b: [a, b],
    "a dict of two": lambda a, b: {"a": a, "b": b},
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_outputs_are_held_as_in_keras(ends: Any) -> None:
    held = []
    for library in (keras, nn):
        entry = library.Input((3,))
        model = library.Model(
            entry, ends(library.layers.Dense(2)(entry), library.layers.Dense(1)(entry))
        )
        again = type(model).from_config(model.get_config())
        predicted = model.predict(X) if library is nn else model.predict(X, verbose=0)
        held.append(
            [
                kind(asyncio.run(predicted) if library is nn else predicted),
                kind(model(X)),
                kind(model.predict_on_batch(X)),
                kind(again.predict_on_batch(X)),
                kind(model.output),
                kind(model(library.Input((3,)))),
                model.output_shape,
            ]
        )
    assert held[1] == held[0]


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_outputs_are_held_alike_where_a_function_of_them_is_differentiated(ends: Any) -> None:
    entry = nn.Input((3,))
    model = nn.Model(entry, ends(nn.Dense(2)(entry), nn.Dense(1)(entry)))
    held = []

    def first(x: Any) -> Any:
        outputs = model(x)
        held.append(kind(outputs))
        while not hasattr(outputs, "shape"):
            outputs = outputs[next(iter(outputs))] if isinstance(outputs, dict) else outputs[0]
        return outputs[:, 0]

    score, pull = differentiate(first, X)
    assert held == [kind(model(X))]
    assert (score.shape, pull(1.0).shape) == ((4,), (4, 3))


def halves(shape: Any, dtype: Any = None) -> Any:
    return np.full(shape, 0.5, dtype)


def counted(shape: Any, dtype: Any = "float32") -> Any:
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def not_negative(w: Any) -> Any:
    return w * (w >= 0)


@pytest.mark.parametrize("initializer", [halves, counted])
@pytest.mark.parametrize("constraint", [None, not_negative])
def test_functions_begin_and_bound_weights_as_in_keras(initializer: Any, constraint: Any) -> None:
    ends = []
    for library in (keras, nn):
        options = {"bias_initializer": initializer, "kernel_constraint": constraint}
        model = library.Sequential(
            [library.layers.Dense(2, kernel_initializer=initializer, **options)]
        )
        model.build((None, 3))
        model.compile(library.optimizers.SGD(0.5), "mse")
        for _ in range(2):
            model.train_on_batch(X, np.ones((4, 2)))
        ends.append([np.asarray(w) for w in model.get_weights()])
    for ours, theirs in zip(ends[1], ends[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_function_whose_values_are_of_another_shape_is_refused_by_its_name() -> None:
    def three(shape: Any, dtype: Any = None) -> Any:
        return np.zeros(3, dtype)

    with pytest.raises(nn.errors.ShapeError, match=r"initializer three: expected .*\(3, 2\)"):
        nn.Dense(2, kernel_initializer=three).build((None, 3))
    with pytest.raises(nn.errors.ConfigError, match="initializer len"):
        nn.Dense(2, kernel_initializer=len).build((None, 3))
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2, kernel_constraint=lambda w: w[:1])])
    model.compile("sgd", "mse")
    with pytest.raises(nn.errors.ShapeError, match="constraint <lambda>: expected"):
        model.train_on_batch(X, np.ones((4, 2)))
    with pytest.raises(nn.errors.ConfigError, match=r"constraint: .*function <lambda>"):
        model.get_config()
