"""What a network costs and what its data hold: layer times, bytes, fewer bits, hints."""

from __future__ import annotations

import asyncio
import time
from importlib import import_module
from typing import Any

import nn
import numpy as np
from nn.data import Dataset

KINDS = ("float32", "float16", "uint16", "uint8")
UNEVEN = 4  # times: from here on a class that is rare is called so


class Insight:
    """Served to the page as `insight`.

    Args:
        data: has `train` and `test`, Datasets of uint8 (n, 28, 28, 1), and `name`.
    """

    def __init__(self, data: Any) -> None:
        self._data = data

    # -- cost -------------------------------------------------------------------------------

    def profile(self, model: Any, size: int = 128) -> list[dict[str, Any]]:
        """A row for each layer: {layer, forward_ms, backward_ms, share} of a batch of images."""
        images = _scaled(self._data.train.x[:size], self._data.train.scale)
        rows: list[dict[str, Any]] = model.profile(images)
        return rows

    def memory(self, model: Any) -> dict[str, int]:
        """Bytes: of the model's weights and workspaces, and of the interpreter's whole memory."""
        held = model.memory()
        found = {"weights": held["weight_bytes"], "workspaces": held["workspace_bytes"]}
        heap = _heap()
        return found | ({"WebAssembly": heap} if heap else {})

    def warm_up(self, model: Any) -> float:
        """Milliseconds of the first prediction, which makes the workspaces of all later ones."""
        start = time.perf_counter()
        model.warm_up()
        return 1e3 * (time.perf_counter() - start)

    # -- weights in fewer bits --------------------------------------------------------------

    async def quantized(self, model: Any) -> list[dict[str, Any]]:
        """A row for each precision: {kind, octets, accuracy}, the accuracy over the test set."""
        rows = []
        for kind in KINDS:
            octets = _saved(model, kind)
            accuracy = await self._accuracy(nn.io.load(octets))
            rows.append({"kind": kind, "octets": len(octets), "accuracy": accuracy})
        return rows

    def quantize(self, model: Any, kind: str) -> Any:
        """The model with its weights rounded to a precision of KINDS."""
        return nn.io.load(_saved(model, kind))

    async def _accuracy(self, model: Any) -> float:
        test, right = self._data.test, 0
        for start in range(0, len(test), 1000):
            images = _scaled(test.x[start : start + 1000], test.scale)
            answers = (await model.predict(images)).argmax(axis=1)
            right += int((answers == test.y[start : start + 1000]).sum())
            await asyncio.sleep(0)
        return right / max(1, len(test))

    # -- data -------------------------------------------------------------------------------

    def hints(self) -> list[str]:
        """What is worth knowing about the data before training, in sentences."""
        train, test = self._data.train, self._data.test
        return [*_balance(train), *_repeats(train, test)]


def _scaled(images: Any, scale: float) -> Any:
    return images.astype(np.float32) * np.float32(scale)


def _saved(model: Any, kind: str) -> bytes:
    if kind not in KINDS:
        raise ValueError(f"precision: expected one of {', '.join(KINDS)}, received {kind!r}")
    options: dict[str, Any] = {} if kind == "float32" else {"quantization": {kind: "*"}}
    return nn.io.save(model, "npz", include_optimizer=False, **options)


def _heap() -> int:
    """Bytes of WebAssembly's memory; 0 outside a browser."""
    try:
        module = import_module("pyodide_js")._module
    except ImportError:
        return 0
    return int(module.HEAPU8.length)


def _balance(train: Dataset) -> list[str]:
    counts = train.class_counts()
    names = [str(name) for name in train.class_names or range(len(counts))]
    most, least = max(counts), min(counts)
    if not least:
        return [f"Class {names[counts.index(0)]} has no training image."]
    if most < UNEVEN * least:
        return []
    rare, common = names[counts.index(least)], names[counts.index(most)]
    return [
        f"Class {common} has {most / least:.0f} times the images of class {rare}: "
        "a network may learn to prefer it."
    ]


def _repeats(train: Dataset, test: Dataset) -> list[str]:
    seen = [hash(image.tobytes()) for image in train.x]
    distinct = set(seen)
    shared = sum(hash(image.tobytes()) in distinct for image in test.x)
    found = []
    if len(distinct) < len(seen):
        found.append(f"{len(seen) - len(distinct):,} training images are copies of others.")
    if shared:
        found.append(
            f"{shared:,} test images are among the training images: "
            "the test accuracy says more than is true."
        )
    return found
