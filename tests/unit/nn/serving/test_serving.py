"""Serving a model: states, constant memory, time of each layer."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
import pytest


def network() -> nn.Sequential:
    nn.set_random_seed(1)
    layers = [nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D(), nn.Flatten()]
    return nn.Sequential([nn.Input((12, 12, 1)), *layers, nn.Dense(10, activation="softmax")])


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "`digit, confidence, probabilities` of an image",
)
@pytest.mark.promise(
    "Earlier work: models in production",
    "Loaded once, however many predictions; states before, while and after; named errors",
)
@pytest.mark.promise(
    "Earlier work: models in production",
    "Input shape, output shape, layers, trainable weights",
)
@pytest.mark.asyncio
async def test_loads_once_for_a_thousand_predictions() -> None:
    saved = nn.io.save(network(), "npz")

    async def fetch() -> bytes:
        await asyncio.sleep(0)
        return saved

    digits = nn.Classifier(fetch)
    assert not digits.ready
    with pytest.raises(nn.errors.NotReadyError, match="initialize"):
        await digits.classify(np.zeros((12, 12, 1)))
    await asyncio.gather(digits.initialize(), digits.initialize())
    await digits.initialize()
    for _ in range(1000):
        result = await digits.classify(np.ones((12, 12, 1)))
    assert digits.loads == 1
    assert result["confidence"] == max(result["probabilities"])
    assert digits.describe() == {
        "input_shape": (None, 12, 12, 1),
        "output_shape": (None, 10),
        "layers": 4,
        "trainable_weights": 4,
    }
    digits.dispose()
    digits.dispose()
    with pytest.raises(nn.errors.DisposedError, match="after dispose"):
        await digits.classify(np.zeros((12, 12, 1)))


@pytest.mark.promise(
    "Earlier work: models in production",
    "Loaded once, however many predictions; states before, while and after; named errors",
)
@pytest.mark.asyncio
async def test_can_be_initialized_again_after_a_failed_load() -> None:
    answers: list[Any] = [OSError("offline"), network()]

    def source() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    digits = nn.Classifier(source)
    with pytest.raises(OSError, match="offline"):
        await digits.initialize()
    await digits.initialize()
    assert digits.ready


@pytest.mark.promise(
    "Earlier work: models in production",
    "Thousands of predictions without growth; training stopped and begun again without growth",
)
def test_holds_flat_memory_over_ten_thousand_predictions() -> None:
    model = network()
    model.warm_up()
    image = np.ones((1, 12, 12, 1), np.float32)
    model.predict_on_batch(image)
    before = model.memory()
    for _ in range(10_000):
        model.predict_on_batch(image)
    assert model.memory() == before


@pytest.mark.promise(
    "Earlier work: models in production",
    "Thousands of predictions without growth; training stopped and begun again without growth",
)
@pytest.mark.asyncio
async def test_holds_flat_memory_over_twenty_runs_that_are_stopped() -> None:
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = np.ones((64, 12, 12, 1), np.float32), np.zeros(64, np.uint8)
    sizes = []
    for _ in range(20):
        running = asyncio.ensure_future(model.fit(x, y, epochs=100))
        for _ in range(4):
            await asyncio.sleep(0)
        model.stop()
        await running
        sizes.append(model.memory())
    assert all(size == sizes[0] for size in sizes)


@pytest.mark.promise("Earlier work: models in production", "Time of each layer")
def test_times_every_layer_and_changes_no_weight() -> None:
    model = network()
    before = model.get_weights()
    rows = model.profile(np.ones((8, 12, 12, 1), np.float32))
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert rows[-1]["layer"] == "dense"
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.promise(
    "Earlier work: models in production",
    "A limit of memory, looked at every so many predictions",
)
@pytest.mark.asyncio
async def test_lets_go_of_workspaces_beyond_the_limit_and_answers_the_same() -> None:
    images = np.random.default_rng(0).random((500, 12, 12, 1)).astype(np.float32)
    digits = nn.Classifier(network, max_memory_mb=0.05, cleanup_every=10)
    await digits.initialize()
    before = (await digits.classify(images))["probabilities"].tolist()
    assert digits.memory()["num_bytes"] > 50_000
    for _ in range(9):
        await digits.classify(images)
    assert digits.cleanups == 1
    assert digits.memory()["num_bytes"] < 50_000
    assert (await digits.classify(images))["probabilities"].tolist() == before


@pytest.mark.promise(
    "Earlier work: models in production",
    "A limit of memory, looked at every so many predictions",
)
@pytest.mark.asyncio
async def test_keeps_workspaces_where_there_is_no_limit() -> None:
    digits = nn.Classifier(network, cleanup_every=1)
    await digits.initialize()
    for _ in range(5):
        await digits.classify(np.zeros((12, 12, 1)))
    assert digits.cleanups == 0
    assert digits.seconds.keys() == {"load", "warm_up"}


def test_a_cleanup_never_is_refused() -> None:
    with pytest.raises(ValueError, match="cleanup_every: expected 1 or more, received 0"):
        nn.Classifier(network, cleanup_every=0)


@pytest.mark.promise(
    "Earlier work: models in production",
    "Warmed up: the first answer allocates nothing, and takes at most 1.5 times the "
    "median of the next 20 (there: 500 to 800 ms more)",
)
def test_a_warmed_up_model_allocates_nothing_for_its_first_answer() -> None:
    model = network()
    model.warm_up()
    before = model.memory()
    model.predict_on_batch(np.zeros((1, 12, 12, 1), np.float32))
    assert model.memory() == before


@pytest.mark.promise(
    "Earlier work: models in production",
    "Dequantized once, at load; or for each call: a quarter of the memory for weights, "
    "an answer of the seed network in 0.45 in place of 0.06 ms (CPython, native "
    "kernels, 1 thread)",
)
def test_weights_are_dequantized_once_when_they_are_loaded() -> None:
    small = nn.io.save(network(), quantization={"uint8": "*"})
    model = nn.io.load(small)
    assert {v.value.dtype for v in model.variables} == {np.dtype(np.float32)}
    x = np.ones((1, 12, 12, 1), np.float32)
    answers = [model.predict_on_batch(x).tobytes() for _ in range(3)]
    assert len(set(answers)) == 1
