"""The engine's side of the bench on a GPU: training steps of a plan, and their times by kernel.

It runs in Pyodide, as on a page. A call is a name and JSON, its answer JSON.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import js
import nn
import numpy as np
import photographs
from nn.gpu import devices, numbers
from nn.gpu.samples import Samples
from nn.gpu.session import Session
from nn.training.data_adapter import open_source

DATA = Path("/data")
AHEAD = 2
"""Blocks under way at once, as in `fit`."""


class Loop:
    """A network on the device, and where its batches are."""

    def __init__(self, model: Any, x: Any, y: Any, batch: int) -> None:
        self.model, self.batch = model, batch
        model.trainer.prepare()
        source = open_source(model, x, y, None, None, batch, None)
        samples = Samples(model.trainer, source)
        samples.order = np.arange(source.count, dtype=np.uint32)
        size, layout = samples.layout((0, batch))
        emulated = devices.opened().emulated
        self.session = Session(model, size, layout, emulated=emulated)
        self.samples, self.number = samples, 0
        self.batches = source.count // batch

    async def open(self) -> None:
        session = self.session
        session.attach(await devices.opened().record(session.plan))
        self.samples.send_data(session)
        session.write("order", self.samples.order)
        session.send()

    def block(self, steps: int) -> Any:
        places = []
        for _ in range(steps):
            places.append(((self.number % self.batches) * self.batch, self.batch))
            self.number += 1
        return self.session.steps(places)

    async def train(self, seconds: float, every: int) -> dict[str, float]:
        start, steps, under_way = time.perf_counter(), 0, []
        while time.perf_counter() - start < seconds:
            under_way.append(self.block(every))
            steps += every
            if len(under_way) == AHEAD:
                await under_way.pop(0)
        for block in under_way:
            await block
        return {"steps": steps, "rate": steps * self.batch / (time.perf_counter() - start)}

    async def profile(self, rounds: int) -> list[dict[str, Any]]:
        """Milliseconds of each dispatch, by the device's own clock."""
        made, records = numbers.block(1)
        numbers.place(records[0], 0, self.batch, 0)
        numbers.fill(records[0], self.model.optimizer, 0)
        recorded: Any = self.session.recorded
        device: Any = devices.opened()
        timed = js.eval(Path(__file__).with_name("profile.js").read_text())
        data = recorded._to_js(made.reshape(-1))
        found = await timed(device._device, recorded._recorded, data, rounds)
        return [
            {"name": str(d.name), "groups": list(d.groups.to_py()), "ms": float(d.ms)}
            for d in found
        ]


_loop: Loop | None = None


async def open() -> None:
    """Open the GPU."""
    if await nn.gpu.open(emulated=True) is None:
        raise RuntimeError(nn.gpu.reason())


async def call(name: str, given: str) -> str:
    """Run one operation of this module."""
    return json.dumps(await globals()[name](**json.loads(given)))


async def _begin(loop: Loop) -> None:
    global _loop
    if _loop is not None:
        _loop.session.close()
    _loop = loop
    await loop.open()


async def load(network: str, batch: int) -> dict[str, Any]:
    """Load a network; returns its first ten losses."""
    loop = tuning(batch) if network == "mobilenet_v2" else training(network, batch)
    await _begin(loop)
    results = await loop.block(10)
    return {
        # With Dawn's null backend results are whatever lay there; JSON knows no NaN.
        "losses": [float(x) for x in np.nan_to_num(results[:, 0])],
        "dispatches": len(loop.session.plan.steps),
        "bytes": loop.session.plan.bytes,
    }


def tuning(batch: int) -> Loop:
    """Return MobileNetV2 with all but its head and last block frozen."""
    model = photographs.build("mobilenet_v2")
    for layer in model.layers[: -photographs.LAST_BLOCK]:
        layer.trainable = False
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nn.SGD(1e-3, momentum=0.9), loss, device="gpu")
    random = np.random.default_rng(7)
    images = random.uniform(-1, 1, (16, 224, 224, 3)).astype(np.float32)[:batch]
    return Loop(model, images, np.arange(batch) % 1000, batch)


def training(network: str, batch: int) -> Loop:
    """Return one of the bench's networks with its weights."""
    layers = json.loads((DATA / "networks.json").read_text())[network]
    made = [getattr(nn, kind)(**options) for kind, options in layers]
    model = nn.Sequential([nn.Input((28, 28, 1)), *made])
    flat = np.frombuffer((DATA / f"{network}.nhwc.f32").read_bytes(), np.float32)
    shapes = [w.shape for w in model.get_weights()]
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    parts = np.split(flat, ends[:-1])
    model.set_weights([p.reshape(s) for p, s in zip(parts, shapes, strict=True)])
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nn.Adam(1e-3, epsilon=1e-7), loss, device="gpu")
    images = np.frombuffer((DATA / "images.u8").read_bytes(), np.uint8).reshape(-1, 28, 28)
    labels = np.frombuffer((DATA / "labels.u8").read_bytes(), np.uint8).astype(np.int64)
    return Loop(model, nn.data.Dataset(images, labels), labels, batch)


async def train(network: str, batch: int, seconds: float, every: int = 8) -> dict[str, float]:
    """Train the loaded network for so long, `every` steps to a submit."""
    assert _loop is not None
    return await _loop.train(seconds, every)


async def profile(rounds: int = 5) -> dict[str, Any]:
    """Return the times of each dispatch of the loaded network."""
    assert _loop is not None
    return {"dispatches": await _loop.profile(rounds)}


async def operation(operation: str, rounds: int = 5) -> dict[str, Any]:
    """Return the times of a dense layer of 2048, or a 3x3 convolution of 64 channels, by the
    dispatches of a step of a network that is little else.

    Returns:
        `ms` for each direction ("forward", "dx", "dw"), and all dispatches.
    """
    rng = np.random.default_rng(0)
    if operation == "gemm2048":
        layers = [nn.Input((2048,)), nn.Dense(2048, activation="relu"), nn.Dense(2048), nn.Dense(1)]
        x = rng.standard_normal((2048, 2048), np.float32)
    else:
        options = {"padding": "same", "activation": "relu"}
        layers = [
            nn.Input((28, 28, 64)),
            nn.Conv2D(64, 3, **options),
            nn.Conv2D(64, 3, **options),
            nn.GlobalAveragePooling2D(),
            nn.Dense(1),
        ]
        x = rng.standard_normal((256, 28, 28, 64), np.float32)
    model = nn.Sequential(layers)
    model.compile(nn.SGD(1e-6), "mse", device="gpu")
    loop = Loop(model, x, np.zeros((len(x), 1), np.float32), len(x))
    await _begin(loop)
    await loop.block(1)
    return {"dispatches": await loop.profile(rounds)}
