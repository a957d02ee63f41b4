"""What is typed with a layer's variables, as in Keras."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import keras
import nn
import numpy as np
import pytest
from nn.errors import ConfigError, ShapeError

WEIGHTS = np.random.default_rng(0).uniform(0.5, 1.5, (3, 2)).astype(np.float32)
ROWS = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
Typed = Callable[[Any, Any], Any]

READ: dict[str, Typed] = {
    "np.asarray": lambda k, v: np.asarray(v),
    "np.array, a type": lambda k, v: np.array(v, "float16"),
    "np.mean": lambda k, v: np.mean(v),
    "numpy": lambda k, v: v.numpy(),
    "ndim": lambda k, v: v.ndim,
    "v[0]": lambda k, v: v[0],
    "v[:, 1:]": lambda k, v: v[:, 1:],
    "v + 1": lambda k, v: v + 1,
    "1 + v": lambda k, v: 1 + v,
    "v - v": lambda k, v: v - v,
    "1 - v": lambda k, v: 1 - v,
    "v * v": lambda k, v: v * v,
    "2 * v": lambda k, v: 2 * v,
    "v / 2": lambda k, v: v / 2,
    "1 / v": lambda k, v: 1 / v,
    "v // 1": lambda k, v: v // 1,
    "v % 1": lambda k, v: v % 1,
    "v ** 2": lambda k, v: v**2,
    "2 ** v": lambda k, v: 2**v,
    "-v": lambda k, v: -v,
    "abs(v)": lambda k, v: abs(v),
    "v > 1": lambda k, v: v > 1,
    "v <= 1": lambda k, v: v <= 1,
    "v @ array": lambda k, v: v @ WEIGHTS.T,
    "array @ v": lambda k, v: ROWS @ v,
    "array * v": lambda k, v: WEIGHTS * v,
    "ops.sum": lambda k, v: k.ops.sum(k.ops.square(v)),
    "ops.matmul": lambda k, v: k.ops.matmul(ROWS, v),
    "ops.convert_to_numpy": lambda k, v: k.ops.convert_to_numpy(v),
    "L1L2": lambda k, v: k.regularizers.L1L2(0.1, 0.2)(v),
    "MaxNorm": lambda k, v: k.constraints.MaxNorm(1.0)(v),
    "relu": lambda k, v: k.activations.relu(v - 1),
    "a layer": lambda k, v: k.layers.Dense(1, kernel_initializer="ones")(v),
    "a loss": lambda k, v: k.losses.MeanSquaredError()(WEIGHTS * 2, v),
    "a schedule": lambda k, v: k.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)(v[0, 0]),
}
WRITTEN: dict[str, Typed] = {
    "assign": lambda k, v: v.assign(v * 2),
    "assign, itself": lambda k, v: v.assign(v),
    "assign_add": lambda k, v: v.assign_add(WEIGHTS),
    "assign_add, a number": lambda k, v: v.assign_add(1.0),
    "assign_sub": lambda k, v: v.assign_sub(v),
}


def kernel(k: Any) -> tuple[Any, Any]:
    layer = k.layers.Dense(2, use_bias=False)
    layer.build((None, 3))
    layer.set_weights([WEIGHTS])
    return layer, layer.kernel


@pytest.mark.parametrize("typed", READ)
def test_a_variable_computes_as_its_value_does_in_keras(typed: str) -> None:
    made = [np.asarray(READ[typed](k, kernel(k)[1])) for k in (keras, nn)]
    assert made[0].shape == made[1].shape
    np.testing.assert_allclose(made[1], made[0], rtol=1e-5)


@pytest.mark.parametrize("typed", WRITTEN)
def test_a_variable_is_assigned_as_in_keras(typed: str) -> None:
    made = []
    for k in (keras, nn):
        layer, variable = kernel(k)
        WRITTEN[typed](k, variable)
        made.append(np.asarray(layer(ROWS)))
    np.testing.assert_allclose(*made, rtol=1e-5)


def test_what_was_read_of_a_variable_stays_and_the_variable_is_a_key() -> None:
    layer, variable = kernel(nn)
    read = np.asarray(variable)
    variable.assign_add(1.0)
    np.testing.assert_array_equal(read, WEIGHTS)
    assert variable in layer.weights
    assert {variable: 1}[variable] == 1
    before = np.asarray(variable)
    with pytest.raises(ShapeError, match=r"dense/kernel: expected shape \(3, 2\)"):
        variable.assign_add(np.ones((4, 3, 2)))
    np.testing.assert_array_equal(variable, before)
    other = nn.layers.Dense(2, use_bias=False)
    other.build((None, 3))
    other.set_weights(layer.weights)
    np.testing.assert_array_equal(other.kernel, variable)


class OfAWeight(nn.losses.Loss):
    """A loss of your own that reads a weight."""

    layer: Any

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return nn.ops.mean(nn.ops.square(y_true - y_pred), -1) + nn.ops.sum(abs(self.layer.kernel))


def of_a_weight(kind: str) -> tuple[Any, Any]:
    """Return a model and its loss, of which one part reads the kernel beside its arguments."""
    layer = nn.Dense(2)
    last = nn.Dense(2)
    loss: Any = "mse"
    if kind == "loss":
        loss = lambda y, p: np.mean((y - p) ** 2) + np.sum(np.square(layer.kernel))  # noqa: E731
    elif kind == "class":
        loss = OfAWeight()
        loss.layer = layer
    elif kind == "regularizer":
        last = nn.Dense(2, kernel_regularizer=lambda w: np.sum(w * layer.kernel[:2]))
    else:
        last = nn.Dense(2, activation=lambda x: x * np.mean(layer.kernel))
    return nn.Sequential([nn.Input((3,)), layer, last]), loss


@pytest.mark.parametrize("kind", ["loss", "class", "regularizer", "activation"])
def test_a_weight_that_training_would_not_reach_is_refused_in_a_function(kind: str) -> None:
    model, loss = of_a_weight(kind)
    model.compile("sgd", loss)
    before = model.get_weights()
    with pytest.raises(ConfigError, match="dense/kernel: expected a regularizer"):
        asyncio.run(model.fit(ROWS, ROWS[:, :2]))
    for was, held in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, held)
