"""Weights in fewer bits: what a network loses, in bytes and in answers, when they are rounded."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
from nn.data import Dataset

from app.lab.images.mnist import labels

KINDS = ("float32", "float16", "uint16", "uint8")


async def compare(model: Any, test: Dataset) -> list[dict[str, Any]]:
    """Return size in bytes and accuracy on the test set for each precision of KINDS."""
    rows = []
    for kind in KINDS:
        content = saved(model, kind)
        right = await accuracy(nn.io.load(content), test)
        rows.append({"kind": kind, "octets": len(content), "accuracy": right})
    return rows


def rounded(model: Any, kind: str) -> Any:
    """Return the model with its weights rounded to a precision of KINDS.

    Raises:
        ValueError: there is no such precision.
    """
    return nn.io.load(saved(model, kind))


async def accuracy(model: Any, test: Dataset) -> float:
    """Return the share of the images that a model reads right."""
    right, truth = 0, labels(test)
    for start in range(0, len(test), 1000):
        images = test.x[start : start + 1000].astype(np.float32) * np.float32(test.scale)
        answers = (await model.predict(images)).argmax(axis=1)
        right += int((answers == truth[start : start + 1000]).sum())
        await asyncio.sleep(0)
    return right / max(1, len(test))


def saved(model: Any, kind: str) -> bytes:
    """Return a file of the model with weights of a precision of KINDS.

    Raises:
        ValueError: there is no such precision.
    """
    if kind not in KINDS:
        raise ValueError(f"precision: expected one of {', '.join(KINDS)}, received {kind!r}")
    options: dict[str, Any] = {} if kind == "float32" else {"quantization": {kind: "*"}}
    return nn.io.save(model, "npz", include_optimizer=False, **options)
