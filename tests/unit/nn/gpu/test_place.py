"""Where a run takes its steps: a lost device, a faulty one, a slow one, weights that are NaN."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import nn
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nn.errors import ConfigError
from nn.gpu import devices
from nn.gpu.plan import Plan

from tests.support import driver

RNG = np.random.default_rng(0)
X = RNG.standard_normal((70, 6), np.float32)
Y = RNG.integers(0, 3, 70)
EPOCHS, BATCH = 2, 8
STEPS = EPOCHS * 9


@pytest.fixture(autouse=True)
def shared(device: Any) -> Iterator[None]:
    """The device of the session, whose kernels are compiled once: no test may lose it."""
    from tests.unit.nn.gpu.native import Adapter

    devices.use(Adapter(device, emulated=True))
    yield
    devices.use(None, "no GPU was opened: await nn.gpu.open() first")


@pytest.fixture
def own(shared: Any) -> None:
    """A device that a test may lose."""
    from tests.unit.nn.gpu.native import Adapter, open_device

    devices.use(Adapter(open_device(), emulated=True))


def network(device: str, *, dropout: float = 0.0) -> Any:
    """A network with weights, slots and running statistics to lose, whose kernels compile fast."""
    layers = [nn.Dense(3, use_bias=False), nn.Dropout(dropout), nn.BatchNormalization()]
    model = nn.Sequential([nn.Input((6,)), *layers])
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 0.9, w.shape) for w in model.get_weights()])
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    crossentropy = nn.metrics.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nn.Adam(0.01), loss, metrics=["accuracy", crossentropy], device=device)
    return model


def stream() -> Any:
    """A function's batches; their arrays are used again."""
    x = np.empty((BATCH, 6), np.float32)
    for start in range(0, len(X), BATCH):
        rows = X[start : start + BATCH]
        x[: len(rows)] = rows
        yield x[: len(rows)], Y[start : start + BATCH]


def data(kind: str) -> Any:
    return {"x": X, "y": Y} if kind == "arrays" else {"x": stream}


def trained(model: Any, kind: str, at: int = 0, losses: int = 0, **options: Any) -> list[Any]:
    """Train; from batch `at` on so many devices are lost. Returns the logs of all batches."""
    seen: list[Any] = []
    lost: list[Any] = []

    def after(batch: int, logs: Any) -> None:
        seen.append({k: v for k, v in logs.items() if k != "images_per_second"})
        if len(seen) < at or len(lost) == losses:
            return
        adapter: Any = devices.opened()
        if adapter not in lost:
            lost.append(adapter)
            adapter.lose()

    options = {"epochs": EPOCHS, "batch_size": BATCH, "seed": 4, **data(kind)} | options
    asyncio.run(model.fit(**options, on_train_batch_end=after))
    return seen


def same(model: Any, logs: Any, other: Any, expected: Any, within: float) -> None:
    for own, right in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(own, right, rtol=0, atol=within)
    assert model.optimizer.iterations == other.optimizer.iterations == STEPS
    assert len(logs) == len(expected) == STEPS
    for log, right in zip(logs, expected, strict=True):
        assert log == pytest.approx(right, abs=within)


@pytest.fixture(scope="module")
def unbroken(device: Any) -> Any:
    """The runs without a loss, by kind of data and dropout: the model, and its logs."""
    from tests.unit.nn.gpu.native import Adapter

    devices.use(Adapter(device, emulated=True))
    made = {}
    for kind in ("arrays", "a stream"):
        for dropout in (0.0, 0.3):
            model = network("gpu", dropout=dropout)
            made[kind, dropout] = model, trained(model, kind)
    return made


@pytest.mark.usefixtures("own")
@settings(max_examples=4, deadline=None)
@given(at=st.integers(1, STEPS), kind=st.sampled_from(["arrays", "a stream"]), saves=st.booleans())
def test_a_lost_device_is_opened_again_and_the_run_ends_to_the_bit_as_an_unbroken_one(
    unbroken: Any, at: int, kind: str, saves: bool
) -> None:
    model = network("gpu", dropout=0.3)
    kept: list[bytes] = []
    keep = nn.ModelCheckpoint(lambda data, epoch: kept.append(data), save_freq=4)
    logs = trained(model, kind, at, 1, callbacks=[keep] if saves else [])
    assert model.device == devices.opened().name
    same(model, logs, *unbroken[kind, 0.3], within=0)
    assert len(kept) == (STEPS // 4 if saves else 0)


@pytest.mark.usefixtures("own")
@settings(max_examples=4, deadline=None)
@example(at=STEPS // 2 - 1, kind="a stream")
@example(at=STEPS // 2, kind="a stream")
@given(at=st.integers(1, STEPS // 2), kind=st.sampled_from(["arrays", "a stream"]))
def test_after_a_second_loss_the_cpu_goes_on_and_says_so(unbroken: Any, at: int, kind: str) -> None:
    model = network("gpu")
    logs = trained(model, kind, at, 2)
    assert model.device.startswith("cpu: the device was lost (")
    same(model, logs, *unbroken[kind, 0.0], within=2e-6)
    assert trained(model, kind)  # another run begins on the device again
    assert model.device == devices.opened().name


@pytest.mark.usefixtures("own")
def test_a_device_that_is_lost_before_a_run_is_opened_again() -> None:
    devices.opened().lose()  # type: ignore[attr-defined]
    model = network("gpu")
    assert len(trained(model, "arrays")) == STEPS
    assert model.device == devices.opened().name


@pytest.mark.usefixtures("own")
def test_a_device_that_cannot_be_opened_again_leaves_the_run_to_the_cpu(unbroken: Any) -> None:
    async def gone() -> Any:
        return None, "the browser offers no GPU"

    model = network("gpu")
    devices.opened().reopen = gone  # type: ignore[method-assign]
    logs = trained(model, "arrays", 5, 1)
    assert model.device == "cpu: device 'gpu': the browser offers no GPU"
    same(model, logs, *unbroken["arrays", 0.0], within=2e-6)


def test_a_device_that_computes_a_wrong_gradient_is_left_to_the_cpu(unbroken: Any) -> None:
    # It takes the sum of a gradient's parts for 0, as the driver of a phone did.
    driver.miscompile(devices.opened(), "gradients[i] = g;", "g = 0.0; gradients[i] = g;")
    model = network("gpu")
    logs = trained(model, "arrays")
    assert "expected the CPU's gradient" in model.device
    assert "off by 100.0% of it" in model.device
    assert model.device.startswith(f"cpu: {devices.opened().name}")
    same(model, logs, *unbroken["arrays", 0.0], within=2e-6)


def test_the_device_says_what_it_does_while_kernels_are_compiled() -> None:
    adapter: Any = devices.opened()
    record, said = adapter.record, []
    model = network("gpu")

    async def compiling(plan: Plan) -> Any:
        said.append((model.device, f"{adapter.name}: compiling {len(plan.kernels)} kernels"))
        return await record(plan)

    adapter.record = compiling
    trained(model, "arrays", epochs=1)
    assert [own for own, _ in said] == [right for _, right in said]
    assert model.device == adapter.name


def test_auto_never_takes_an_emulated_device() -> None:
    model = network("auto")
    trained(model, "arrays")
    assert model.device.endswith("is emulated, and slower than the CPU")


def test_auto_takes_the_faster_of_the_two_and_says_what_they_take(unbroken: Any) -> None:
    devices.opened().emulated = False
    model = network("auto")
    logs = trained(model, "arrays")
    times = " ms for a step of 8 samples, the CPU "  # why, where the CPU is the faster
    assert times in model.device or model.device == devices.opened().name
    same(model, logs, *unbroken["arrays", 0.0], within=2e-6)


def test_weights_that_are_nan_are_noticed() -> None:
    model = network("gpu")
    weights = model.get_weights()
    weights[0][0] = np.nan
    model.set_weights(weights)
    logs = trained(model, "arrays", epochs=3, callbacks=[nn.callbacks.TerminateOnNaN()])
    assert len(logs) <= STEPS
    assert np.isnan(model.history.history["loss"][-1])


def test_the_bytes_on_the_device_are_known_while_it_trains_and_held_to_the_limit() -> None:
    model = network("gpu")
    seen = []
    asyncio.run(
        model.fit(X, Y, on_train_batch_end=lambda *_: seen.append(model.memory()["gpu_bytes"]))
    )
    plan = devices.opened().plans[-1]  # type: ignore[attr-defined]
    assert seen[0] == plan.bytes > X.nbytes
    assert model.memory()["gpu_bytes"] == 0
    with nn.config.weight_limit(plan.bytes - 1), pytest.raises(nn.errors.TooLargeError):
        asyncio.run(model.fit(X, Y))


def test_a_window_whose_elements_a_byte_cannot_count_is_refused() -> None:
    for size, refused in ((16, False), (17, True)):
        layers = [nn.Input((size, size, 4)), nn.MaxPooling2D(size, name="pool"), nn.Flatten()]
        model = nn.Sequential([*layers, nn.Dense(1)])
        with pytest.raises(ConfigError, match="pool: no kernels") if refused else nullcontext():
            model.compile("sgd", "mse", device="gpu")


def test_what_cannot_train_is_refused_at_compile_and_the_model_stays_compiled_as_it_was() -> None:
    model = network("cpu")
    before = model.optimizer
    with pytest.raises(ConfigError, match="no kernels for reduction=None"):
        model.compile("sgd", nn.losses.MeanSquaredError(reduction=None), device="gpu")
    assert model.optimizer is before
