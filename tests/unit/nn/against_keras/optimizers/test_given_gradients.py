"""Steps with gradients that a program computed itself, here and in Keras."""

from __future__ import annotations

from typing import Any

import keras
import nn
import numpy as np
import pytest

X = np.random.default_rng(5).normal(size=(4, 3)).astype("float32")


STEPPERS = {
    "sgd": lambda o: o.SGD(0.1, momentum=0.9),
    "adam": lambda o: o.Adam(0.01, clipnorm=0.5),
    "rmsprop": lambda o: o.RMSprop(0.01, weight_decay=0.1),
    "schedule-free": lambda o: o.ScheduleFreeAdamW(0.01),
    "adam of a mean": lambda o: o.Adam(0.01, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize("built", [False, True], ids=["", "built"])
@pytest.mark.parametrize("optimizer", STEPPERS.values(), ids=STEPPERS)
def test_gradients_of_a_program_are_applied_as_in_keras(optimizer: Any, built: bool) -> None:
    gradients = [[np.sin(np.arange(6).reshape(3, 2) + i), np.cos([i, 1.0])] for i in range(4)]
    ends = []
    for library in (keras, nn):
        layer = library.layers.Dense(2, kernel_initializer="ones")
        layer.build((None, 3))
        steps = optimizer(library.optimizers)
        if built:
            steps.build(layer.trainable_variables)
        arrays = [
            [library.ops.convert_to_tensor(g.astype("float32")) for g in step] for step in gradients
        ]
        steps.apply_gradients(zip(arrays[0], layer.trainable_variables, strict=True))
        steps.apply(arrays[1], layer.trainable_variables)
        steps.apply(arrays[2])
        steps.apply(arrays[3])
        ends.append([np.asarray(w) for w in layer.get_weights()])
    for ours, theirs in zip(ends[1], ends[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_gradients_of_a_program_and_steps_of_fit_are_those_of_one_optimizer() -> None:
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2)])
    model.compile(nn.optimizers.Adam(0.1), "mse")
    model.train_on_batch(X, np.ones((4, 2)))
    before = model.get_weights()
    model.optimizer.apply([np.ones((3, 2)), np.ones(2)], model.trainable_variables)
    assert model.optimizer.iterations == 2
    assert all((a != b).any() for a, b in zip(model.get_weights(), before, strict=True))
    model.train_on_batch(X, np.ones((4, 2)))
    assert model.optimizer.iterations == 3


WRONG_STEPS: dict[str, tuple[Any, str]] = {
    "no pairs": (lambda o, v: o.apply_gradients(5), "expected pairs of a gradient"),
    "no variable": (lambda o, v: o.apply([1.0], [2.0]), "expected variables, each once"),
    "twice": (lambda o, v: o.apply([np.ones(2)] * 2, [v[1], v[1]]), "each once"),
    "none": (lambda o, v: o.apply([None, np.ones(2)], v), "received None"),
    "shape": (lambda o, v: o.apply([np.ones(3), np.ones(2)], v), "expected a gradient of shape"),
    "too few": (lambda o, v: o.apply([np.ones(2)], v), "expected 2 gradients, received 1"),
    "first": (lambda o, v: o.apply([np.ones(2)]), "in the first step"),
    "others": (
        lambda o, v: (o.build(v), o.apply([np.ones(2)], v[1:])),
        r"each of \['dense/kernel', 'dense/bias'\]",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG_STEPS.values(), ids=WRONG_STEPS)
def test_a_step_with_wrong_gradients_says_what_was_expected(call: Any, message: str) -> None:
    layer = nn.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(nn.errors.NNError, match=message):
        call(nn.optimizers.SGD(), layer.trainable_variables)
    for ours, theirs in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("base", [nn.optimizers.Optimizer, nn.optimizers.SGD])
@pytest.mark.parametrize("name", ["update_step", "apply", "apply_gradients"])
def test_what_keras_calls_of_an_optimizer_is_refused_in_a_class_of_your_own(
    base: Any, name: str
) -> None:
    with pytest.raises(nn.errors.ConfigError, match=f"Mine: {name} is not called here"):
        type("Mine", (base,), {name: lambda self, *given: None})


@pytest.mark.parametrize("value", [3.0, 2, True, [1.0, 2.0], np.ones(2, "float32")], ids=str)
def test_a_variable_of_a_number_or_list_is_that_of_keras(value: Any) -> None:
    ours, theirs = nn.Variable(value), keras.Variable(value)
    assert (ours.shape, ours.dtype.name) == (theirs.shape, theirs.dtype)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
