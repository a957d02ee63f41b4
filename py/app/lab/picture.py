"""The picture of the network: its drawing, and what each layer makes of an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from app.lab.images import normalize_digit, pictures
from app.lab.images.mnist import Mnist, class_name, labels, pictures_of, plain
from app.lab.inside.activations import Activations
from app.lab.inside.colours import LIGHT
from app.lab.inside.drawing import Drawing
from app.lab.inside.reporting import Reporter

if TYPE_CHECKING:
    from app.lab.buckets import Buckets

WHOLE = (0.0, 0.0, 1.0, 1.0)


class Picture:
    """Served as `lab.picture`.

    Args:
        mnist: the data sets, whose test images are shown while nothing is drawn.
        buckets: the labelled drawings; each drawing that is shown becomes their `last`.

    Attributes:
        inks: the theme's colours.
        image: what is shown, (h, w) or (h, w, 3) uint8, or None before.
        frame: where it lies on the pad: left, top, width, height as shares.
        activations: what the network made of it, or None before.
    """

    def __init__(self, mnist: Mnist, buckets: Buckets) -> None:
        self._mnist = mnist
        self._buckets = buckets
        self._rng = np.random.default_rng(0)
        self.inks: Mapping[str, Sequence[float]] = LIGHT
        self._ratio = 1.0
        self._index = 0
        self._drawing: Drawing | None = None
        self._truth: str | None = None  # the class of the image, where it is known
        self.image: Any = None
        self.frame: tuple[float, ...] = WHOLE
        self.activations: Activations | None = None
        self.reporter = BatchReporter(self._changes)

    @property
    def names(self) -> list[str]:
        """The names of the classes that a network answers with."""
        return self._mnist.names

    def colours(self, inks: dict[str, list[float]], ratio: float = 1.0) -> None:
        """Take the theme's inks, and how many pixels of the screen a CSS pixel has.

        Args:
            inks: red, green and blue (0 to 255) of "tile", "blue", "rust" and "ink".
            ratio: of the screen.
        """
        self.inks, self._ratio = inks, max(1.0, ratio)
        if self._drawing is not None:
            self._drawing.colour(inks)

    def drawing(self, model: Any, place: dict[str, Any]) -> dict[str, Any]:
        """Return the drawing of a network: {number, size, svg, layers}.

        Args:
            model: the network.
            place: width, height, down, ends, middle, opened and text of
                `nn.utils.diagram.layout.Place`.
        """
        number = self._drawing.number + 1 if self._drawing is not None else 1
        self._drawing = Drawing(model, {"ratio": self._ratio, **place}, number)
        self._drawing.colour(self.inks)
        return self._drawing.described()

    # -- images -----------------------------------------------------------------------------

    def first_image(self) -> dict[str, Any]:
        """Choose the first test image to be shown; return its {rgba, name}."""
        self._index = 0
        return self._test_image()

    def next_image(self) -> dict[str, Any]:
        """Choose another test image at random; return its {rgba, name}."""
        self._index = int(self._rng.integers(0, len(self._mnist.test)))
        return self._test_image()

    def _test_image(self) -> dict[str, Any]:
        data = self._mnist.test
        self._index = min(self._index, len(data) - 1)
        image = plain(pictures_of(data)[self._index])
        return {"rgba": pictures.rgba(image), "name": self._name()}

    def _name(self) -> str:
        """Return the name of the test image's class."""
        data = self._mnist.test
        return class_name(data, labels(data)[self._index])

    def _take(self, pixels: Any, width: int) -> bool:
        """Take a drawing, or the test image; return whether there is one."""
        if pixels is None:
            data = self._mnist.test
            if not len(data):
                return False
            self._index = min(self._index, len(data) - 1)
            self.image = self._buckets.last = plain(pictures_of(data)[self._index])
            self._truth, self.frame = self._name(), WHOLE
            return True
        ink = normalize_digit.from_rgba(pixels, width)
        shape = self._mnist.shape
        digit = shape == normalize_digit.SHAPE
        image = normalize_digit.from_drawing(ink) if digit else normalize_digit.as_drawn(ink, shape)
        if image is None:
            return False
        self.image, self._truth = image, None
        self.frame = (normalize_digit.frame(ink) or WHOLE) if digit else WHOLE
        self._buckets.last = image
        return True

    # -- reports ----------------------------------------------------------------------------

    @property
    def shown(self) -> Activations | None:
        """What the network that is drawn made of the image; None until it has read it."""
        held, drawing = self.activations, self._drawing
        model = held.model() if held is not None else None
        if model is None or (drawing is not None and drawing.model() is not model):
            return None
        return held

    def show(self, model: Any, pixels: Any = None, width: int = 0) -> dict[str, Any] | None:
        """Return what the layers make of a drawing, or of the test image; None where nothing is.

        Args:
            model: the network.
            pixels: RGBA bytes of the pad, row by row; None for the test image.
            width: pixels in a row.
        """
        if not self._mnist.suits(model):  # its data were just replaced
            return None
        if not self._take(pixels, width):
            return None
        return self._read(model)

    def look(self, model: Any, image: Any) -> dict[str, Any]:
        """Return what the layers make of an image: (h, w) or (h, w, 3) uint8, as the data's are."""
        self.image, self._truth, self.frame = image, None, WHOLE
        return self._read(model)

    def read(self, images: Any) -> Any:
        """Return pictures, uint8 (n, h, w) or (n, h, w, 3), as a network takes them."""
        return self._mnist.read(images)

    def _read(self, model: Any) -> dict[str, Any]:
        if self.activations is None or self.activations.model() is not model:
            self.activations = Activations(model)
        self.activations.read(self.read(self.image[None]))
        return self._report(self.activations)

    def _report(self, activations: Activations) -> dict[str, Any]:
        probabilities = activations.probabilities
        report: dict[str, Any] = {
            "number": 0,
            "answer": answer(probabilities, self.image),
            "truth": self._truth,
        }
        drawing = self._drawing
        if drawing is not None and drawing.model() is activations.model():
            report |= drawing.report(activations)
        return report

    def _changes(self, model: Any) -> dict[str, Any] | None:
        """Return a report of what was shown last, if a weight was written since."""
        held = self.activations
        if held is None or held.model() is not model or not held.refresh():
            return None
        return self._report(held)

    def follow(self, model: Any, on_report: Callable[[dict[str, Any]], Any]) -> None:
        """Call `on_report(report)` while `model` is trained, at most 12 times a second.

        The next report waits until the last call has returned.
        """
        self.reporter.follow(model, on_report)

    def rest(self) -> None:
        """End the reports."""
        self.reporter.follow(None, None)


def answer(probabilities: Any, image: Any) -> dict[str, Any]:
    """Return a network's answer to an image as the page shows it."""
    return {
        "digit": int(probabilities.argmax()),
        "confidence": float(probabilities.max()),
        "probabilities": [float(share) for share in probabilities],
        "bits": probabilities.tobytes().hex(),
        "image": pictures.rgba(image),
    }


class BatchReporter(Reporter):
    """Reports at the end of batches."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tick()
