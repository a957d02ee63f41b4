"""What a worker of a team measures: `fit` with the other, or the same work by itself."""

from __future__ import annotations

import time
from typing import Any

import nn
import numpy as np
from nn.distribution.training import summed

from tests.bench.peers import engine
from tests.bench.peers.loop import WARM_UP_STEPS

__all__ = [
    "exchange", "load", "predict", "prepare", "search", "share", "step", "train", "trial", "trials",
]  # fmt: skip

_models: dict[tuple[str, int, bool], Any] = {}


def _data() -> Any:
    data = engine.DATA
    images = data.images.reshape(-1, 28, 28, 1)
    return nn.data.Dataset(images, data.labels, scale=1 / 255)


async def load(network: str, batch: int, team: bool = True) -> dict[str, Any]:
    """Build the network for the team, or for this worker alone; return the losses of its first
    steps, and how they share."""
    nn.distribution.set_distribution(nn.distribution.DataParallel() if team else None)
    model = engine.build(engine.DATA.networks[network], engine.DATA, network)
    nn.distribution.set_distribution(None)
    _models[network, batch, team] = model
    losses: list[float] = []
    await model.fit(
        _data(), batch_size=batch, steps_per_epoch=WARM_UP_STEPS, shuffle=False,
        on_batch_end=lambda number, logs: losses.append(logs["batch_loss"]),
    )  # fmt: skip
    return {"losses": losses, "way": model.distribution}


async def train(network: str, batch: int, seconds: float, team: bool = True) -> dict[str, Any]:
    """Train for at least so many seconds after a first step; return images a second."""
    model = _models[network, batch, team]
    times: list[float] = []

    def end(number: int, logs: Any) -> None:
        times.append(time.perf_counter())
        if times[-1] - times[0] >= seconds:
            model.stop()

    await model.fit(_data(), batch_size=batch, epochs=1000, shuffle=False, on_batch_end=end)
    return {"rate": (len(times) - 1) * batch / (times[-1] - times[0])}


async def exchange(count: int, numbers: int) -> dict[str, Any]:
    """Sum an array with the other members so many times; return the seconds of all."""
    group, array = nn.distribution.DataParallel().group, np.ones(numbers, np.float32)
    await summed(group, array)  # all have begun
    start = time.perf_counter()
    for _ in range(count):
        array.fill(1)
        await summed(group, array)
    assert array[0] == array[-1] == group.size
    return {"seconds": time.perf_counter() - start}


def prepare(network: str, batch: int) -> dict[str, Any]:
    """Build the network for this worker alone."""
    return dict(engine.LOOPS["nn"].load(network, batch))


def step(network: str, batch: int, seconds: float) -> dict[str, Any]:
    """Train by itself; return images a second."""
    return dict(engine.LOOPS["nn"].train(network, batch, seconds))


def share(network: str, batch: int) -> dict[str, Any]:
    """Return the bytes that members exchange for a batch, and the optimizer's share of a step."""
    optimizer = _models[network, batch, True].optimizer
    spent = []
    for _ in range(20):
        start = time.perf_counter()
        optimizer.step()
        spent.append(time.perf_counter() - start)
    whole = batch / step(network, batch, 0.5)["rate"]
    return {"bytes": optimizer.parameters.gradients.nbytes, "share": sorted(spent)[10] / whole}


def predict(network: str, batch: int, count: int, seconds: float) -> dict[str, Any]:
    """Predict so many images at a time; return images a second."""
    trainer = engine.LOOPS["nn"].trainers[f"{network}{batch}"]
    images = np.resize(engine.DATA.images, (count, 784))
    trainer.predict(images)
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        trainer.predict(images)
        calls += 1
    return {"rate": calls * count / elapsed}


def _network(hp: Any) -> Any:
    layers = [nn.Dense(64, activation="relu"), nn.Dense(10, activation="softmax")]
    model = nn.Sequential([nn.Input((28, 28, 1)), nn.Flatten(), *layers])
    rate = hp.Float("rate", 1e-4, 1e-2, sampling="log")
    model.compile(nn.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


async def trial(values: dict[str, Any]) -> dict[str, Any]:
    """Train one trial's network for about a third of a second; return its metrics."""
    model = _network(nn.tuner.HyperParameters(values))
    history = await model.fit(_data(), batch_size=128, epochs=10)
    return {name: found[-1] for name, found in history.history.items()}


async def trials(count: int) -> dict[str, Any]:
    """Train so many networks one after the other; return trials a second."""
    start = time.perf_counter()
    for number in range(count):
        await trial({"rate": 1e-3 * (number + 1)})
    return {"rate": count / (time.perf_counter() - start)}


async def search(run: Any, workers: int, count: int) -> dict[str, Any]:
    """Search for the best rate of learning with so many workers; return trials a second."""
    tuner = nn.tuner.RandomSearch(_network, "accuracy", count, seed=1, run=run, at_once=workers)
    start = time.perf_counter()
    await tuner.search()
    elapsed = time.perf_counter() - start
    failed = [str(each.error) for each in tuner.trials if each.status != "COMPLETED"]
    assert not failed, failed
    return {"rate": count / elapsed}
