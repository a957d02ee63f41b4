"""Trajectories of optimizers and values of schedules against Keras 3, step by step."""

from __future__ import annotations

from typing import Any

import keras
import nn
import numpy as np
import pytest
from nn import schedules
from nn.parameters import Parameters
from nn.variables import Variable

from tests.unit.nn.against_keras.oracle import walk

pytestmark = pytest.mark.usefixtures("float64")

OPTIMIZERS = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("Adagrad", {"learning_rate": 0.1}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"weight_decay": 0.1}),
    ("Adamax", {}),
    ("Adadelta", {"learning_rate": 1.0}),
    ("Nadam", {}),
    ("Nadam", {"beta_1": 0.5, "weight_decay": 0.1}),
    ("Lion", {"weight_decay": 0.02}),
    ("ScheduleFreeAdamW", {}),
    ("ScheduleFreeAdamW", {"beta_1": 0.6, "epsilon": 1e-3, "warmup_steps": 4, "weight_decay": 0.1}),
    ("Lamb", {}),
    ("Lamb", {"beta_1": 0.5, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Ftrl", {"learning_rate": 0.5}),
    ("Ftrl", {"l1_regularization_strength": 0.2, "l2_regularization_strength": 0.1, "beta": 0.3}),
    ("Ftrl", {"learning_rate_power": -0.3, "l2_shrinkage_regularization_strength": 0.1}),
    ("Adafactor", {}),
    ("Adafactor", {"learning_rate": 2.0, "relative_step": False}),
    ("Adafactor", {"beta_2_decay": -0.5, "clip_threshold": 0.3, "relative_step": False}),
    ("Muon", {}),
    ("Muon", {"rms_rate": None, "nesterov": False, "exclude_layers": ["w1"], "ns_steps": 2}),
    ("Adam", {"clipnorm": 0.5}),
    ("Adam", {"clipvalue": 0.3}),
    ("SGD", {"global_clipnorm": 0.5}),
    ("Adam", {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3}),
    ("SGD", {"gradient_accumulation_steps": 3, "momentum": 0.5}),
    ("Adam", {"gradient_accumulation_steps": 2}),
]


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Gradients of every layer and of the whole network; Adam",
)
@pytest.mark.parametrize(("name", "config"), OPTIMIZERS, ids=str)
def test_walks_as_keras(name: str, config: dict[str, Any]) -> None:
    config = {"learning_rate": 0.05} | config
    rng = np.random.default_rng(8)
    start = [rng.normal(size=(3, 2)), rng.normal(size=4)]
    ours = nn.optimizers.CLASSES[name](**config)
    theirs = getattr(keras.optimizers, name)(**config)
    walk(ours, theirs, start, steps=7, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize(
    "names", [["bias"], ["gamma|beta"], ["^bias$"], ["ln"], ["b/"], ["kernel", "a$"], ["."], []]
)
def test_leaves_excluded_variables_undecayed_as_keras(names: list[str]) -> None:
    def decayed(library: Any, layers: Any, optimizer: Any) -> list[Any]:
        model = library.Sequential([
            library.Input((2,)), layers.Dense(2, name="ln"), layers.LayerNormalization(name="b"),
        ])  # fmt: skip
        model.set_weights([np.ones_like(w) for w in model.get_weights()])
        optimizer.exclude_from_weight_decay(var_names=names)
        model.compile(optimizer, "mse")
        model.train_on_batch(np.zeros((1, 2)), np.ones((1, 2)))
        return list(model.get_weights())

    ours = decayed(nn, nn, nn.SGD(0.1, weight_decay=0.5))
    theirs = decayed(keras, keras.layers, keras.optimizers.SGD(0.1, weight_decay=0.5))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("name", sorted({name for name, _ in OPTIMIZERS}))
def test_a_rate_of_0_leaves_the_weights_as_they_are(name: str) -> None:
    optimizer = nn.optimizers.CLASSES[name](learning_rate=lambda step: 0.0 if step else 0.1)
    parameters = Parameters([Variable(np.ones(3), "w")])
    optimizer.build(parameters)
    for _ in range(3):
        parameters.gradients[...] = 0.5
        optimizer.step()
        before = parameters.values.copy()
    assert np.array_equal(parameters.values, before)
    assert np.isfinite(before).all()


@pytest.mark.parametrize(("name", "config"), OPTIMIZERS, ids=str)
def test_goes_on_from_its_state_bit_for_bit(name: str, config: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(8, 5))

    def go(optimizer: Any, parameters: Parameters, steps: Any) -> None:
        for g in steps:
            parameters.gradients[...] = g
            optimizer.step()

    made = nn.optimizers.CLASSES[name](**config)
    whole = Parameters([Variable(np.ones(5), "w")])
    made.build(whole)
    go(made, whole, gradients[:4])
    again = nn.optimizers.get(nn.optimizers.serialize(made))
    rest = Parameters([Variable(whole.values.copy(), "w")])
    again.build(rest)
    again.set_state(made.get_state())
    go(made, whole, gradients[4:])
    go(again, rest, gradients[4:])
    assert np.array_equal(whole.values, rest.values)


SCHEDULES = [
    ("ExponentialDecay", (0.1, 10, 0.5), {}),
    ("ExponentialDecay", (0.1, 10, 0.5), {"staircase": True}),
    ("InverseTimeDecay", (0.1, 5, 0.5), {}),
    ("PiecewiseConstantDecay", ([5, 12], [1.0, 0.5, 0.1]), {}),
    ("PolynomialDecay", (0.1, 10), {"power": 2.0}),
    ("PolynomialDecay", (0.1, 7), {"cycle": True}),
    ("CosineDecay", (0.1, 15), {"alpha": 0.1}),
    ("CosineDecayRestarts", (0.1, 5), {"t_mul": 1.0, "m_mul": 0.5}),
    ("CosineDecayRestarts", (0.1, 3), {"alpha": 0.1}),
    ("CosineDecay", (0.0, 15), {"warmup_target": 0.2, "warmup_steps": 4}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), SCHEDULES, ids=str)
def test_schedules_as_keras(name: str, arguments: Any, options: Any) -> None:
    ours = schedules.CLASSES[name](*arguments, **options)
    theirs = getattr(keras.optimizers.schedules, name)(*arguments, **options)
    for step in range(25):
        np.testing.assert_allclose(ours(step), float(theirs(step)), rtol=1e-5, atol=1e-8)
    again = schedules.get(schedules.serialize(ours))
    assert [again(s) for s in range(25)] == [ours(s) for s in range(25)]


def test_rises_and_falls_in_one_cycle() -> None:
    cycle = schedules.OneCycle(1.0, 10, pct_start=0.3)
    rates = [cycle(step) for step in range(10)]
    assert rates[0] == pytest.approx(1 / 25)
    assert max(rates) == rates[2] == pytest.approx(1.0)
    assert rates[9] == pytest.approx(1 / 25 / 1e4)


def _multiply(optimizer: Any) -> None:
    optimizer.learning_rate *= 0.5


TYPED = {
    "nothing": lambda optimizer: None,
    "assign": lambda optimizer: optimizer.learning_rate.assign(0.25),
    "assign, an array": lambda optimizer: optimizer.learning_rate.assign(np.array(0.25)),
    "=": lambda optimizer: setattr(optimizer, "learning_rate", 0.25),
    "= another's": lambda o: setattr(o, "learning_rate", type(o)(0.125).learning_rate),
    "*=": _multiply,
}


@pytest.mark.parametrize(("typed", "scheduled"), [*((t, False) for t in TYPED), ("nothing", True)])
def test_the_learning_rate_is_read_and_assigned_as_in_keras(typed: str, scheduled: bool) -> None:
    read = []
    for library in (keras, nn):
        schedule = library.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
        optimizer = library.optimizers.SGD(schedule if scheduled else 0.5)
        TYPED[typed](optimizer)
        rate = optimizer.learning_rate
        config = optimizer.get_config()["learning_rate"]
        made = [float(rate), float(np.asarray(rate)), 2 * rate + 1]
        read.append([*map(float, made), *([] if scheduled else [float(config)])])
        if not scheduled:  # JAX computes a schedule as a tensor
            assert float(rate.numpy()) == float(np.asarray(rate.value)) == float(rate)
    np.testing.assert_allclose(*read)


def test_the_learning_rate_of_a_schedule_is_that_of_the_next_step_as_in_keras() -> None:
    model = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    model.compile(nn.SGD(nn.schedules.ExponentialDecay(0.5, 1, 0.5)), "mse")
    seen = [float(model.optimizer.learning_rate)]
    for _ in range(2):
        model.train_on_batch([[1.0]], [[1.0]])
        seen.append(float(model.optimizer.learning_rate))
    assert seen == [0.5, 0.25, 0.125]
    model.optimizer.learning_rate = 1
    assert model.optimizer.learning_rate == 1
    assert model.optimizer.get_config()["learning_rate"] == 1


@pytest.mark.parametrize("value", ["x", None, [0.1], np.ones(2)])
def test_what_is_no_learning_rate_is_refused_wherever_it_is_assigned(value: Any) -> None:
    optimizer = nn.Adam()
    with pytest.raises(nn.errors.ConfigError, match="learning_rate: expected a number or a sch"):
        optimizer.learning_rate = value
    with pytest.raises(nn.errors.ConfigError, match="learning_rate: expected a number or a sch"):
        optimizer.learning_rate.assign(value)
    assert optimizer.learning_rate == 0.001
