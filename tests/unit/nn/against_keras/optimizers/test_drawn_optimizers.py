"""Any optimizer with any of its options, drawn, walks as Keras' does; any schedule gives its rates;
the confusion matrix is what counting gives."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nn import schedules

from tests.unit.nn.against_keras.oracle import walk

pytestmark = pytest.mark.usefixtures("float64")

drawn = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

BETAS = st.sampled_from([0.0, 0.5, 0.9, 0.99])
EPSILONS = st.sampled_from([1e-7, 1e-3])
OWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "SGD": {"momentum": st.sampled_from([0.0, 0.5, 0.9]), "nesterov": st.booleans()},
    "RMSprop": {
        "rho": BETAS,
        "momentum": st.sampled_from([0.0, 0.7]),
        "epsilon": EPSILONS,
        "centered": st.booleans(),
    },
    "Adagrad": {
        "initial_accumulator_value": st.sampled_from([0.1, 1.0]),
        "epsilon": EPSILONS,
    },
    "Adam": {"beta_1": BETAS, "beta_2": BETAS, "epsilon": EPSILONS, "amsgrad": st.booleans()},
    "AdamW": {"beta_1": BETAS, "beta_2": BETAS, "epsilon": EPSILONS, "amsgrad": st.booleans()},
    "Adamax": {"beta_1": BETAS, "beta_2": BETAS, "epsilon": EPSILONS},
    "ScheduleFreeAdamW": {
        "beta_1": st.sampled_from([0.5, 0.9]),
        "beta_2": BETAS,
        "epsilon": EPSILONS,
        "warmup_steps": st.sampled_from([0, 3]),
    },
    "Lamb": {"beta_1": BETAS, "beta_2": BETAS, "epsilon": EPSILONS},
    "Ftrl": {
        "learning_rate_power": st.sampled_from([-0.5, -0.8, -0.2]),
        "initial_accumulator_value": st.sampled_from([0.1, 1.0]),
        "l1_regularization_strength": st.sampled_from([0.0, 0.1]),
        "l2_regularization_strength": st.sampled_from([0.0, 0.1]),
        "l2_shrinkage_regularization_strength": st.sampled_from([0.0, 0.1]),
        "beta": st.sampled_from([0.0, 0.2]),
    },
    "Adafactor": {
        "beta_2_decay": st.sampled_from([-0.8, -0.3]),
        "epsilon_1": st.sampled_from([1e-30, 1e-3]),
        "epsilon_2": st.sampled_from([1e-3, 0.5]),
        "clip_threshold": st.sampled_from([1.0, 0.4]),
        "relative_step": st.booleans(),
    },
    "Muon": {
        "adam_beta_1": BETAS,
        "adam_weight_decay": st.sampled_from([0.004, 0.1]),
        "momentum": st.sampled_from([0.95, 0.5]),
        "ns_steps": st.integers(1, 5),
        "nesterov": st.booleans(),
        "adam_lr_ratio": st.sampled_from([1, 0.1]),
        "rms_rate": st.sampled_from([0.2, None]),
    },
    "Lion": {"beta_1": st.sampled_from([0.5, 0.9]), "beta_2": st.sampled_from([0.9, 0.99])},
}
CLIPS: list[dict[str, float]] = [
    {}, {"clipnorm": 0.7}, {"clipvalue": 0.4}, {"global_clipnorm": 0.9}
]  # fmt: skip
AVERAGES: list[dict[str, Any]] = [
    {},
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 2},
]
START = [np.array([[0.5, -1.0, 2.0], [0.1, 0.0, -0.4]]), np.array([0.3, -0.2])]


@st.composite
def options(draw: Any, name: str) -> dict[str, Any]:
    found = {key: draw(values, key) for key, values in OWN[name].items()}
    found |= draw(st.sampled_from(CLIPS), "clips") | draw(st.sampled_from(AVERAGES), "averages")
    decay = draw(st.sampled_from([None, 0.05]), "weight_decay")
    if decay is not None or name == "AdamW":
        found["weight_decay"] = decay if decay is not None else 0.01
    steps = draw(st.sampled_from([None, 2, 3]), "accumulation")
    return found if steps is None else found | {"gradient_accumulation_steps": steps}


def compare(name: str, config: dict[str, Any], rates: tuple[Any, Any]) -> None:
    """Take five steps in both; the optimizer's description makes the same one again."""
    ours = nn.optimizers.CLASSES[name](learning_rate=rates[0], **config)
    theirs = getattr(keras.optimizers, name)(learning_rate=rates[1], **config)
    walk(ours, theirs, START, steps=5, rtol=5e-6, atol=1e-6)
    again = nn.optimizers.get(nn.optimizers.serialize(ours))
    assert again.get_config() == ours.get_config()


@pytest.mark.parametrize("name", OWN)
def test_every_optimizer_with_drawn_options_walks_as_keras(name: str) -> None:
    @settings(drawn, max_examples=3)
    @given(options(name), st.sampled_from([0.001, 0.03]))
    def check(config: dict[str, Any], rate: float) -> None:
        compare(name, config, (rate, rate))

    check()


RATES = st.floats(1e-4, 1.0)
STEPS = st.integers(1, 12)
SCHEDULES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "ExponentialDecay": {
        "initial_learning_rate": RATES,
        "decay_steps": STEPS,
        "decay_rate": st.floats(0.1, 1.0),
        "staircase": st.booleans(),
    },
    "InverseTimeDecay": {
        "initial_learning_rate": RATES,
        "decay_steps": STEPS,
        "decay_rate": st.floats(0.1, 2.0),
        "staircase": st.booleans(),
    },
    "PolynomialDecay": {
        "initial_learning_rate": RATES,
        "decay_steps": STEPS,
        "end_learning_rate": st.floats(1e-5, 0.1),
        "power": st.sampled_from([0.5, 1.0, 2.0]),
        "cycle": st.booleans(),
    },
    "CosineDecay": {
        "initial_learning_rate": RATES,
        "decay_steps": STEPS,
        "alpha": st.floats(0.0, 0.5),
        "warmup_target": st.none() | RATES,
        "warmup_steps": st.integers(0, 5),
    },
    "CosineDecayRestarts": {
        "initial_learning_rate": RATES,
        "first_decay_steps": STEPS,
        "t_mul": st.sampled_from([1.0, 2.0]),
        "m_mul": st.sampled_from([1.0, 0.8]),
        "alpha": st.floats(0.0, 0.5),
    },
}


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name in schedules.CLASSES])
def test_every_schedule_with_drawn_settings_gives_the_rates_of_keras(name: str) -> None:
    @settings(drawn, max_examples=6)
    @given(st.fixed_dictionaries(SCHEDULES[name]), st.lists(st.integers(0, 40), max_size=4))
    def check(config: dict[str, Any], steps: list[int]) -> None:
        ours = schedules.CLASSES[name](**config)
        theirs = getattr(keras.optimizers.schedules, name)(**config)
        for step in {0, 1, *steps}:
            np.testing.assert_allclose(ours(step), float(theirs(step)), rtol=2e-5, atol=1e-7)

    check()


@settings(drawn, max_examples=3)
@given(st.data(), st.integers(1, 30), st.sampled_from([0.5, 2.0]))
def test_any_boundaries_give_the_rates_of_keras(data: Any, last: int, factor: float) -> None:
    edges = sorted(data.draw(st.sets(st.integers(1, last), min_size=1, max_size=5)))
    values = [0.1 * factor**i for i in range(len(edges) + 1)]
    ours = schedules.PiecewiseConstantDecay(edges, values)
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay(edges, values)
    for step in {0, *edges, *(e + 1 for e in edges)}:
        assert ours(step) == pytest.approx(float(theirs(step)), rel=1e-6)


def test_an_optimizer_walks_by_a_drawn_schedule_as_keras() -> None:
    @settings(drawn, max_examples=2)
    @given(st.sampled_from(["Adam", "Lion"]), st.fixed_dictionaries(SCHEDULES["CosineDecay"]))
    def check(name: str, config: dict[str, Any]) -> None:
        rates = schedules.CosineDecay(**config), keras.optimizers.schedules.CosineDecay(**config)
        compare(name, {"gradient_accumulation_steps": 2}, rates)

    check()


@settings(drawn, max_examples=40)
@given(st.data(), st.integers(1, 6), st.booleans())
def test_the_confusion_matrix_is_what_counting_gives(data: Any, classes: int, onehot: bool) -> None:
    metric = nn.metrics.ConfusionMatrix(classes)
    expected: Counter[tuple[int, int]] = Counter()
    labels = st.lists(st.integers(0, classes - 1), min_size=1, max_size=9)
    for _ in range(data.draw(st.integers(1, 3), "batches")):
        true = data.draw(labels)
        shown = [data.draw(st.integers(0, classes - 1)) for _ in true]
        expected.update(zip(true, shown, strict=True))
        y = np.eye(classes)[true] if onehot and classes > 1 else np.array(true)
        metric.update_state(y, np.eye(classes)[shown] + 0.1)
    counted = [[expected[i, j] for j in range(classes)] for i in range(classes)]
    assert metric.result() == counted
    metric.reset_state()
    assert metric.result() == [[0] * classes for _ in range(classes)]
