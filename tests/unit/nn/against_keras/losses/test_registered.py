"""Classes and functions of your own that are found by name, as Keras finds them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import keras
import nn
import numpy as np
import pytest
from nn.errors import ConfigError, NNError

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
Y = X[:, :2] + 1
WEIGHTS = [np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2), np.zeros(2, np.float32)]


@pytest.fixture(autouse=True)
def nothing_stays_registered() -> Iterator[None]:
    with nn.saving.custom_object_scope({}), keras.saving.custom_object_scope({}):
        yield
    assert not nn.saving.get_custom_objects()
    keras.saving.get_custom_objects().clear()


def registered(k: Any) -> dict[str, Any]:
    """Register a function or a class of each kind; return them by name."""

    @k.saving.register_keras_serializable()
    def cubed(x: Any) -> Any:
        return x * x * x

    @k.saving.register_keras_serializable(package="mine")
    def far(y_true: Any, y_pred: Any) -> Any:
        return k.ops.mean(k.ops.abs(y_true - y_pred), axis=-1)

    @k.saving.register_keras_serializable("mine", "Half")
    class Halves(k.constraints.Constraint):  # type: ignore[misc]
        def __call__(self, w: Any) -> Any:
            return w * 0.5

        def get_config(self) -> dict[str, Any]:
            return {}

    return {"cubed": cubed, "far": far, "Half": Halves()}


def trained(k: Any, given: dict[str, Any]) -> list[Any]:
    """Train with what is given for each name; settings and copies hold names."""
    dense = k.layers.Dense(2, activation=given["cubed"], kernel_constraint=given["Half"])
    model = k.Sequential([k.Input((3,)), dense])
    if k is nn:
        model = nn.models.clone_model(model)
    model.set_weights(WEIGHTS)
    model.compile("sgd", given["far"], metrics=[given["far"]])
    fit = model.fit(X, Y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    history = (asyncio.run(fit) if k is nn else fit).history
    return [*history["loss"], *history["far"], *model.get_weights()]


def test_what_is_registered_trains_by_its_name_as_it_does_in_keras() -> None:
    expected = trained(keras, registered(keras))
    for ours, theirs in zip(trained(nn, {n: n for n in registered(nn)}), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["Custom>cubed", "mine>far", "mine>Half", "mine>nothing"])
def test_a_registered_object_is_found_by_its_package_and_name_as_in_keras(name: str) -> None:
    found = []
    for k in (keras, nn):
        registered(k)
        made = k.saving.get_registered_object(name)
        found.append(made and (made.__name__, k.saving.get_registered_name(made)))
    assert found[0] == found[1]
    assert nn.saving.get_registered_name(dict) == keras.saving.get_registered_name(dict)


class Doubled(nn.Layer):
    """A layer of your own."""

    def forward(self, ctx: Any, *inputs: Any, training: bool = False) -> Any:
        return 2 * inputs[0]

    def backward(self, ctx: Any, dy: Any) -> Any:
        return 2 * dy


@pytest.mark.parametrize("format", ["npz", "safetensors"])
def test_a_layer_that_is_registered_is_found_in_files_and_settings(format: str) -> None:
    model = nn.Sequential([nn.Input((3,)), Doubled()])
    data = nn.io.save(model, format)
    for again in (lambda: nn.io.load(data), lambda: nn.Sequential.from_config(model.get_config())):
        with pytest.raises(NNError, match="Doubled"):
            again()
        with nn.utils.custom_object_scope({"Doubled": Doubled}):
            np.testing.assert_array_equal(again().predict_on_batch(X), 2 * X)
        with pytest.raises(NNError, match="Doubled"):
            again()


def test_what_cannot_be_registered_is_refused_and_a_scope_ends_after_an_error() -> None:
    with pytest.raises(ConfigError, match="Plain: expected a class with get_config"):
        nn.saving.register_keras_serializable()(type("Plain", (), {}))
    for wrong in (["cubed"], {1: len}):
        with pytest.raises(ConfigError, match="expected objects by name"):  # noqa: SIM117
            with nn.saving.custom_object_scope(wrong):
                pass
    with pytest.raises(KeyError), nn.saving.custom_object_scope({"cubed": len}):
        raise KeyError
    with pytest.raises(ConfigError, match="activation: expected one of"):
        nn.Dense(2, activation="cubed")
