"""The visitors' measurement: every row is real work, and nothing else is disturbed by it."""

import asyncio
from types import SimpleNamespace

import nn
import numpy as np
import pytest
from app.lab import speed as speeds
from app.lab.speed import TRAINED, Speed
from nn import config, kernels
from nn.data import Dataset
from nn.gpu import devices

from tests.unit.nn.gpu.conftest import device, gpu  # noqa: F401


def images(count):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)
    return SimpleNamespace(digits=Dataset(pixels, random.integers(0, 10, count).astype(np.uint8)))


async def measured(speed):
    return [row async for row in speed.measure(seconds=0.001, rounds=1)]


@pytest.fixture(scope="module")
def measurement():
    """One measurement; what the engine's seed gives without one, and what it gave after it."""
    config.set_random_seed(7)
    expected = config.generator().random(3).tolist()
    config.set_random_seed(7)
    speed = Speed(images(300))
    rows = asyncio.run(measured(speed))
    after = config.generator().random(3).tolist()
    return SimpleNamespace(speed=speed, rows=rows, expected=expected, after=after)


def test_every_task_is_measured_and_reported(measurement):
    speed, rows = measurement.speed, measurement.rows
    assert all(row["value"] > 0 for row in rows)
    assert [row["task"] for row in rows][: len(TRAINED)] == [name for name, _, _ in TRAINED]
    assert rows[-1]["done"] == 1
    assert sum(row["plain"] is not None for row in rows) == 3
    report = speed.report("a browser", 2)
    assert "a browser" in report
    assert report.count("\n|") == len(rows) + 2
    for row in rows:
        assert f"| {row['task']} |" in report


def test_the_engines_own_seed_goes_on_undisturbed(measurement):
    assert measurement.after == measurement.expected


@pytest.mark.usefixtures("gpu")
def test_a_gpu_trains_too_and_where_there_is_none_the_report_says_why(measurement, monkeypatch):
    assert "\nGPU: WebGPU is in browsers" in measurement.speed.report("a browser", 2)
    monkeypatch.setattr(speeds, "ON_GPU", (("No hidden layer", 100, lambda: [nn.Flatten()]),))
    speed = Speed(images(300))
    monkeypatch.setattr(speed, "_tasks", lambda: ())
    (row,) = asyncio.run(measured(speed))
    assert row["group"] == "Train on the GPU"
    assert row["done"] == 1
    assert row["value"] > 0
    report = speed.report("a browser", 2)
    assert "| Train on the GPU | No hidden layer |" in report
    assert "\nGPU: SwiftShader" in report
    devices.opened().emulated = True
    assert asyncio.run(measured(speed)) == []
    assert "is emulated" in speed.report("a browser", 2)


@pytest.mark.asyncio
async def test_the_kernels_in_use_come_back_when_a_measurement_is_left():
    before = kernels.backend().name
    rows = Speed(images(20)).measure(seconds=0.001, rounds=1)
    async for _ in rows:
        break
    await rows.aclose()
    assert kernels.backend().name == before


@pytest.mark.asyncio
async def test_no_images_are_an_error_in_words():
    with pytest.raises(ValueError, match="expected training images of 28 x 28, received none"):
        await measured(Speed(images(0)))
