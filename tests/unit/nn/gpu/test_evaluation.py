"""Evaluation and validation on a GPU against the CPU, and on a device that fails."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.gpu import devices

from tests.support import driver

RNG = np.random.default_rng(0)
X = RNG.standard_normal((70, 6), np.float32)
Y = RNG.integers(0, 3, 70)
BATCH, STEPS = 16, 5
pytestmark = pytest.mark.usefixtures("native", "gpu")


def network(device: str, metrics: Any = ("accuracy",)) -> Any:
    """A network whose layers do something else in training."""
    model = nn.Sequential(
        [
            nn.Input((6,)),
            nn.Dense(8),
            nn.BatchNormalization(),
            nn.Dropout(0.5),
            nn.Dense(3, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in model.get_weights()])
    loss = "sparse_categorical_crossentropy"
    model.compile("adam", loss, metrics=list(metrics), device=device)
    return model


def batches() -> Any:
    """Batches of which the first is not the largest; their arrays are used again."""
    x = np.empty((40, 6), np.float32)
    for start, end in ((0, 8), (8, 24), (24, 30), (30, 70)):
        x[: end - start] = X[start:end]
        yield x[: end - start], Y[start:end]


def evaluated(model: Any, x: Any = X, y: Any = Y, **options: Any) -> tuple[Any, list[Any]]:
    """Return the result and the logs of each batch, with the bytes that a GPU held then."""
    seen: list[Any] = []

    def after(batch: int, logs: Any) -> None:
        seen.append((dict(logs), model.memory()["gpu_bytes"]))

    options = {"batch_size": BATCH, "return_dict": True, "on_test_batch_end": after} | options
    return asyncio.run(model.evaluate(x, y, **options)), seen


def same(found: Any, expected: Any) -> None:
    result, logs = found
    assert result == pytest.approx(expected[0], abs=2e-6)
    assert len(logs) == len(expected[1])
    for (own, _), (right, _) in zip(logs, expected[1], strict=True):
        assert own == pytest.approx(right, abs=2e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"steps": 3},
        {"sample_weight": np.linspace(0, 2, 70, dtype=np.float32)},
        {"x": batches, "y": None},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_an_evaluation_on_the_gpu_has_the_logs_of_the_cpu(options: Any) -> None:
    model = network("gpu")
    before = model.get_weights()
    found = evaluated(model, **options)
    same(found, evaluated(network("cpu"), **options))
    assert all(size > 0 for _, size in found[1])
    assert model.memory()["gpu_bytes"] == 0
    (plan,) = devices.opened().plans  # type: ignore[attr-defined]
    assert not {"update", "noise", "moments"} & {k.name for k in plan.kernels}
    assert model.optimizer.iterations == 0
    for own, right in zip(model.get_weights(), before, strict=True):
        assert np.array_equal(own, right)


def test_metrics_that_the_gpu_cannot_count_are_computed_from_its_outputs() -> None:
    metrics = ["sparse_top_k_categorical_accuracy", "sparse_categorical_crossentropy"]
    same(evaluated(network("gpu", metrics)), evaluated(network("cpu", metrics)))


def test_right_answers_of_sequences_are_counted_as_on_the_cpu() -> None:
    x, y = X.reshape(14, 5, 6), Y.reshape(14, 5)
    found = []
    for device in ("cpu", "gpu"):
        model = nn.Sequential([nn.Input((5, 6)), nn.Dense(3, activation="softmax")])
        model.set_weights([np.linspace(-1, 1, 18).reshape(6, 3), np.zeros(3)])
        loss = "sparse_categorical_crossentropy"
        model.compile("adam", loss, metrics=["accuracy"], device=device)
        logs = asyncio.run(model.fit(x, y, 4, 2, shuffle=False)).history
        found.append(logs | asyncio.run(model.evaluate(x, y, 4, return_dict=True)))
    assert {name: pytest.approx(values, abs=2e-6) for name, values in found[0].items()} == found[1]


def test_a_run_validates_on_the_gpu_after_each_epoch_with_one_plan() -> None:
    found = []
    for device in ("cpu", "gpu"):
        layers = [nn.Dense(8), nn.BatchNormalization(), nn.Dense(3, activation="softmax")]
        model = nn.Sequential([nn.Input((6,)), *layers])
        rng = np.random.default_rng(1)
        model.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in model.get_weights()])
        loss = "sparse_categorical_crossentropy"
        model.compile("adam", loss, metrics=["accuracy"], device=device)
        held = (X[:30], Y[:30])
        run = model.fit(X, Y, BATCH, 3, validation_data=held, shuffle=False)
        found.append(asyncio.run(run).history)
        assert model.memory()["gpu_bytes"] == 0
        assert model.optimizer.iterations == 3 * STEPS
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert found[1][name] == pytest.approx(found[0][name], abs=2e-6), name
    assert len(devices.opened().plans) == 2  # type: ignore[attr-defined]


@settings(max_examples=2, deadline=None)
@given(at=st.integers(0, STEPS - 1))
def test_the_cpu_evaluates_what_is_left_when_the_device_is_lost(device: Any, at: int) -> None:
    from tests.unit.nn.gpu.native import Adapter, open_device

    adapter = Adapter(open_device())
    devices.use(adapter)
    model, logs = network("gpu"), []

    def lose(batch: int, seen: Any) -> None:
        logs.append((dict(seen), 0))
        if batch == at:
            adapter.lose()

    found, _ = evaluated(model, on_test_batch_end=lose)
    same((found, logs), evaluated(network("cpu")))
    devices.use(Adapter(device))
    same(evaluated(model), evaluated(network("cpu")))  # another one is the device's again


def test_a_device_that_computes_another_loss_leaves_all_batches_to_the_cpu() -> None:
    # It adds up too few terms of a loss.
    driver.miscompile(devices.opened(), "= sums[0].x;", "= 0.9 * sums[0].x;")
    found, expected = evaluated(network("gpu")), evaluated(network("cpu"))
    assert found[0] == expected[0]
    assert [size > 0 for _, size in found[1]] == [False] * STEPS


def test_without_a_gpu_auto_evaluates_on_the_cpu_and_gpu_says_why() -> None:
    devices.use(None, "the browser offers no GPU")
    same(evaluated(network("auto")), evaluated(network("cpu")))
    with pytest.raises(nn.errors.ConfigError, match="the browser offers no GPU"):
        evaluated(network("gpu"))
