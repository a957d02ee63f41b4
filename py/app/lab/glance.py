"""The network's answers to the first test images, for the strip below the curves."""

from __future__ import annotations

from typing import Any

from app.lab.images import pictures
from app.lab.images.mnist import Mnist, class_name, labels, pictures_of, plain


class Glance:
    """Served as `lab.glance`."""

    def __init__(self, mnist: Mnist) -> None:
        self._mnist = mnist

    async def answers(self, model: Any, count: int = 16) -> list[dict[str, Any]]:
        """Return the first test images, the names of their classes and of the model's answers:
        {rgba, truth, answer} each; nothing for a network of the data before."""
        if not self._mnist.suits(model):
            return []
        data = self._mnist.test.take(count)
        answers = (await model.predict(self._mnist.read(plain(pictures_of(data))))).argmax(axis=1)
        return [
            {
                "rgba": pictures.rgba(plain(image)),
                "truth": class_name(data, truth),
                "answer": class_name(data, answer),
            }
            for image, truth, answer in zip(pictures_of(data), labels(data), answers, strict=True)
        ]
