"""How much Python runs in one batch of training."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
from types import SimpleNamespace
from typing import Any

import nn
import numpy as np
import pytest
from nn.activations.further import APPROXIMATE_GELU
from nn.kernels.elementwise import CODES
from nn.models import run_control
from nn.training.step import TrainingStep

from tests.unit.nn.training.test_fit import seed_network

pytestmark = pytest.mark.usefixtures("native")


def calls_of_batches(model: nn.Model, x: Any, y: Any) -> list[int]:
    """Count the Python functions called from each training step to the next, all of them: the step,
    the loop of `fit`, the batch's arrays, asyncio."""
    counts: list[int] = []

    def count(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            if frame.f_code is TrainingStep.train_step.__code__:
                counts.append(0)
            if counts:
                counts[-1] += 1

    async def run() -> None:
        sys.setprofile(count)
        try:
            await model.fit(x, y, batch_size=128)
        finally:
            sys.setprofile(None)

    asyncio.run(run())
    return counts[:-1]


@pytest.mark.parametrize("kept_as", ["floats", "bytes"])
@pytest.mark.parametrize(("passes", "most"), [(0.0, 72), (0.01, 94)], ids=["no turn", "a turn"])
def test_a_batch_of_the_seed_network_takes_few_calls_of_python_functions(
    kept_as, passes, most, monkeypatch
):
    """Without a turn of the event loop, as where no time passes, and with one after each batch."""
    clock = itertools.count(0.0, passes)  # no function of Python
    monkeypatch.setattr(run_control, "time", SimpleNamespace(perf_counter=clock.__next__))
    model = seed_network()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    random = np.random.default_rng(0)
    y = random.integers(0, 10, 1024)
    x: Any = random.random((1024, 28, 28, 1), dtype=np.float32)
    if kept_as == "bytes":
        x, y = nn.Dataset((x * 255).astype(np.uint8), y), None
    counts = calls_of_batches(model, x, y)
    assert len(counts) == 7
    assert max(counts[2:]) <= most, counts


@pytest.mark.parametrize(
    ("loss", "ends_in", "most"),
    [
        (nn.losses.SparseCategoricalCrossentropy(), "softmax", 59),
        (nn.losses.SparseCategoricalCrossentropy(from_logits=True), "linear", 59),
        (nn.losses.CategoricalCrossentropy(), "softmax", 70),
        (nn.losses.BinaryCrossentropy(), "sigmoid", 70),
        (nn.losses.MeanSquaredError(), "linear", 70),
    ],
)
def test_a_step_on_arrays_takes_few_calls_of_python_functions(loss, ends_in, most):
    model = nn.Sequential([*seed_network().layers[:-1], nn.Dense(10, activation=ends_in)])
    model.compile("adam", loss)
    one_hot = not isinstance(loss, nn.losses.SparseCategoricalCrossentropy)
    assert max(calls_of_steps(model, (28, 28, 1), one_hot)) <= most


def calls_of_steps(model: Any, shape: tuple[int, ...], one_hot: bool = False) -> list[int]:
    """How many functions of Python each of three steps on arrays calls, after three."""
    random, counts = np.random.default_rng(0), [0]

    def count(frame: Any, event: str, _: Any) -> None:
        counts[-1] += event == "call"

    for _ in range(6):
        x, y = random.random((128, *shape), np.float32), random.integers(0, 10, 128)
        y = np.eye(10, dtype=np.float32)[y] if one_hot else y
        counts.append(0)
        sys.setprofile(count)
        try:
            model.train_on_batch(x, y)
        finally:
            sys.setprofile(None)
    return counts[4:]


@pytest.mark.parametrize("name", sorted(CODES))
def test_a_step_takes_as_many_calls_with_any_activation_of_the_kernels_as_with_relu(name):
    found = []
    of_options = {"gelu_tanh": APPROXIMATE_GELU}  # by gelu(x, approximate=True), not by a name
    for function in ("relu", of_options.get(name, name)):
        given = [nn.Conv2D(4, 3, activation=function), nn.MaxPooling2D(), nn.Conv2D(4, 3)]
        after = [nn.Activation(function), nn.Flatten(), nn.Dense(8, activation=function)]
        model = nn.Sequential([nn.Input((12, 12, 1)), *given, *after, nn.Dense(10)])
        model.compile("sgd", nn.losses.SparseCategoricalCrossentropy(from_logits=True))
        found.append(min(calls_of_steps(model, (12, 12, 1))))  # what is kept once costs a few more
    assert found[0] == found[1]


def test_an_axis_that_the_graph_does_not_know_costs_no_call_of_a_batch():
    random = np.random.default_rng(0)
    x, y = random.random((1024, 20, 8)), random.integers(0, 10, 1024)
    usual = {}
    for length in (20, None):
        entry = nn.Input((length, 8))
        hidden = nn.LayerNormalization()(nn.Conv1D(8, 3, padding="same")(entry))
        hidden = nn.GlobalAveragePooling1D()(nn.LSTM(8, return_sequences=True)(hidden))
        model = nn.Model(entry, nn.Dense(10, activation="softmax")(hidden))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        # A few batches have a turn of the event loop besides.
        usual[length] = statistics.mode(calls_of_batches(model, x, y)[2:])
    assert usual[None] == usual[20]
