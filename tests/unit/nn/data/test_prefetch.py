"""Prefetching: the same batches, a limited number, prepared while a step computes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import nn
import numpy as np
import pytest
from nn.data.loading import prefetch

X = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 90)


def network() -> nn.Sequential:
    nn.set_random_seed(3)
    model = nn.Sequential([nn.Input((4,)), nn.Dense(6), nn.Dropout(0.3), nn.Dense(3)])
    model.compile("adam", nn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def batches() -> Iterator[Any]:
    for start in range(0, 90, 10):
        yield X[start : start + 10], Y[start : start + 10]


async def awaited() -> AsyncIterator[Any]:
    for batch in batches():
        await asyncio.sleep(0)
        yield batch


KINDS: dict[str, dict[str, Any]] = {
    "arrays": {"x": X, "y": Y, "batch_size": 16},
    "data set": {"x": nn.Dataset(X, Y), "batch_size": 7, "steps_per_epoch": 5},
    "generator": {"x": batches},
    "async generator": {"x": awaited},
}


@pytest.mark.filterwarnings("ignore:.*the data gave")
@pytest.mark.asyncio
@pytest.mark.parametrize("threads", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 30])
async def test_trains_to_the_bit_as_without(
    kind: str, threads: bool, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "THREADS", threads)
    plain, ahead = network(), network()
    await plain.fit(**KINDS[kind], epochs=3)
    await ahead.fit(**KINDS[kind], epochs=3, prefetch=size)
    assert plain.history.history == ahead.history.history
    for a, b in zip(plain.get_weights(), ahead.get_weights(), strict=True):
        assert np.array_equal(a, b)


class Tap:
    """A source that counts the batches it returns."""

    def __init__(self) -> None:
        self.given = 0
        self.threads: set[int] = set()

    def __call__(self) -> Iterator[Any]:
        for batch in batches():
            self.given += 1
            self.threads.add(threading.get_ident())
            yield batch


@pytest.mark.asyncio
async def test_plain_generators_are_drawn_in_another_thread_and_not_too_far_ahead() -> None:
    tap, far = Tap(), []
    await network().fit(tap, prefetch=2, on_batch_end=lambda i, _: far.append(tap.given - i - 1))
    assert threading.get_ident() not in tap.threads
    assert max(far) <= 2


@pytest.mark.asyncio
async def test_what_is_awaited_comes_while_a_step_trains() -> None:
    """Each batch arrives when the previous one has trained, whose step waits for it.

    Without prefetching this would deadlock.
    """
    trained, drawn = [asyncio.Event() for _ in range(9)], [asyncio.Event() for _ in range(9)]

    async def chained() -> AsyncIterator[Any]:
        for number, batch in enumerate(batches()):
            if number:
                await trained[number - 1].wait()
            drawn[number].set()
            yield batch

    async def hold(index: int, logs: Any) -> None:
        trained[index].set()
        await drawn[min(index + 1, 8)].wait()

    model = network()
    async with asyncio.timeout(20):
        await model.fit(chained, prefetch=1, on_train_batch_end=hold)
    assert model.optimizer.iterations == 9


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["plain", "awaited"])
async def test_an_error_surfaces_at_its_batch(kind: str) -> None:
    def broken() -> Iterator[Any]:
        yield X[:10], Y[:10]
        yield X[:10], Y[:10]
        raise OSError("the disk is gone")

    async def broken_later() -> AsyncIterator[Any]:
        for batch in broken():
            yield batch

    model = network()
    with pytest.raises(OSError, match="the disk is gone"):
        await model.fit(broken if kind == "plain" else broken_later, prefetch=4)
    assert model.optimizer.iterations == 2
    assert model.state == "idle"


@pytest.mark.asyncio
async def test_a_run_that_is_stopped_leaves_nothing_behind() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[Any]:
        try:
            while True:
                for batch in batches():
                    await asyncio.sleep(0)
                    yield batch
        finally:
            closed.set()

    model = network()
    before = asyncio.all_tasks()
    stop = lambda index, _: model.stop() if index == 20 else None  # noqa: E731
    await model.fit(endless(), prefetch=3, on_batch_end=stop)
    await model.fit(Tap(), epochs=5, prefetch=3, on_batch_end=lambda *_: model.stop())
    assert asyncio.all_tasks() == before
    assert not [t for t in threading.enumerate() if t.name.startswith("nn prefetch")]


@pytest.mark.asyncio
async def test_an_amount_that_is_none_is_named() -> None:
    with pytest.raises(nn.errors.ConfigError, match="prefetch: expected a whole number"):
        await network().fit(X, Y, prefetch=-1)
