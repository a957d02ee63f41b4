"""Drawings read by the network, and a few training steps on corrected ones."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from app.lab.buckets import Buckets
from app.lab.images import normalize_digit, pictures
from app.lab.images.mnist import Mnist
from app.lab.precisions import accuracy


class Draw:
    """Served as `lab.draw`.

    Args:
        mnist: the data sets that the page trains on.
        buckets: the labelled drawings; each drawing that is read becomes their `last`.
    """

    def __init__(self, mnist: Mnist, buckets: Buckets) -> None:
        self._mnist = mnist
        self._buckets = buckets
        self._rng = np.random.default_rng(0)

    async def read(self, model: Any, pixels: Any, width: int) -> dict[str, Any] | None:
        """Return the network's answer to a canvas, or None when nothing is drawn.

        Args:
            model: the network.
            pixels: RGBA bytes of the canvas, row by row.
            width: pixels in a row.
        """
        ink = normalize_digit.from_rgba(pixels, width)
        shape = self._mnist.shape
        digit = shape == normalize_digit.SHAPE
        image = normalize_digit.from_drawing(ink) if digit else normalize_digit.as_drawn(ink, shape)
        if image is None:
            return None
        self._buckets.last = image
        probabilities = (await model.predict(self._mnist.read(image[None])))[0]
        return {
            "digit": int(probabilities.argmax()),
            "confidence": float(probabilities.max()),
            "probabilities": [float(share) for share in probabilities],
            "bits": probabilities.tobytes().hex(),
            "image": pictures.rgba(image),
        }

    async def fine_tune(
        self, model: Any, before: float | None = None, steps: int = 12
    ) -> dict[str, float]:
        """Train a few steps on the labelled drawings: {loss (on them), before, after}.

        Training images are mixed in, so that the network keeps what it knows. What it has
        forgotten all the same is seen by the shares of test images read right before and after.

        Args:
            model: the network.
            before: its share of test images, None where that is not known.
            steps: batches.
        """
        if before is None:
            before = await accuracy(model, self._mnist.test)
        images, digits = self._buckets.arrays()
        times = max(1, 16 // len(digits))  # a single drawing must count among the others
        images, digits = np.repeat(images, times, 0), np.repeat(digits, times)
        loss = 0.0
        for _ in range(steps):
            others = self._rng.integers(0, len(self._mnist.train), max(32, len(digits)))
            more, more_digits = self._mnist.training_images(others)
            x, y = np.concatenate([images, more]), np.concatenate([digits, more_digits])
            model.train_on_batch(self._mnist.read(x), y)
            loss = model.test_on_batch(self._mnist.read(images), digits, return_dict=True)["loss"]
            await asyncio.sleep(0)
        after = await accuracy(model, self._mnist.test)
        return {"loss": float(loss), "before": before, "after": after}
