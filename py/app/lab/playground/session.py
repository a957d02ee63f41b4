"""A session of the playground: it makes points and a network, trains, and reports what it sees."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from nn.callbacks import Callback

from app.lab.inside.colours import LIGHT, table
from app.lab.inside.reporting import Reporter
from app.lab.playground import features, network, points
from app.lab.playground.planes import SIDE, SMALL, Planes

LIMIT = 20_000
"""Epochs of a network at most."""
DENSE = 256
"""After so many epochs each second is a point of the curves, after twice as many each fourth."""
PREVIEW = 90
"""Points of a toy's small picture."""


class Playground:
    """Served as `play`: one network at a time, which each `begin` replaces."""

    def __init__(self) -> None:
        self._shades = table(LIGHT)
        self._looked: tuple[int, int] | None = None
        self._run = 0
        self._task: asyncio.Task[None] | None = None
        self._options: Mapping[str, Any] = {}
        self._model: Any = None
        self._rows: list[list[float | None]] = []
        self._epoch = 0
        self._reporter = EpochReporter(self._report)
        self._rest = _Rest()
        self._turn = asyncio.Lock()  # two that waited for the same rest would begin together

    def toys(self) -> dict[str, str]:
        """Return the small picture of each toy, as paths of SVG."""
        pictures = {}
        for name in points.TOYS:
            whole = points.make(name, 0.0, 0.0, 2)
            few = points.Points(
                whole.places[:PREVIEW], whole.targets[:PREVIEW], whole.test[:PREVIEW]
            )
            pictures[name] = _svg(few, 0.9)
        return pictures

    def colours(self, inks: Mapping[str, Sequence[float]]) -> None:
        """Take the theme's inks: red, green and blue (0 to 255) of "tile", "blue" and "rust"."""
        self._shades = table(inks)

    # -- one network ------------------------------------------------------------------------

    async def begin(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Make points and a fresh network as the options say; a run in progress ends before.

        Args:
            options: toy, own, noise and test (percent), seed, batch, and those of
                `network.build`.

        Returns:
            run: the number that reports of this network have. train, test: points. params: of
            the network. svg: the points. trains: whether there is anything to learn. report.
        """
        async with self._turn:
            await self.rest()
            return self._begin(options)

    def _begin(self, options: Mapping[str, Any]) -> dict[str, Any]:
        self._run += 1
        self._options, self._epoch, self._rows, self._looked = options, 0, [], None
        toy, names = options["toy"], options["features"]
        regression = toy in points.REGRESSIONS
        noise, test = options["noise"] / 100, options["test"] / 100
        made = points.make(toy, noise, test, options["seed"], options["own"])
        inputs, targets = features.values(made.places, names), made.targets[:, None]
        self._learned = inputs[~made.test], targets[~made.test]
        self._held = (inputs[made.test], targets[made.test]) if made.test.any() else None
        self._model = network.build(options, regression)
        self._planes = Planes(self._model, names)
        learned = len(self._learned[0])
        return {
            "run": self._run,
            "train": learned,
            "test": len(inputs) - learned,
            "params": int(self._model.count_params()),
            "svg": _svg(made, 0.32),
            "trains": learned > 0 and (regression or len(np.unique(made.targets)) > 1),
            "report": self._report(self._model),
        }

    async def train(self, on_report: Callable[[dict[str, Any]], Any], epochs: int = LIMIT) -> bool:
        """Train until `rest`, or for so many epochs; return whether LIMIT was reached.

        Args:
            on_report: called with a report, at most 12 times a second and once at the end.
            epochs: 1 is a step.
        """
        async with self._turn:
            await self.rest()
            self._reporter.follow(self._model, on_report)
            self._task = asyncio.ensure_future(self._fit(min(LIMIT, self._epoch + epochs)))
        await self._task
        return self._epoch >= LIMIT

    async def _fit(self, last: int) -> None:
        x, y = self._learned
        await self._model.fit(
            x,
            y,
            batch_size=self._options["batch"],
            epochs=last,
            initial_epoch=self._epoch,
            seed=None if self._epoch else self._options["seed"],
            validation_data=self._held,
            validation_batch_size=max(1, len(x)),
            callbacks=[_Rows(self._note), self._rest, self._reporter],
        )
        await self._reporter.sent()

    def _note(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Note an epoch; the longer a run is, the fewer of its epochs are points of the curves."""
        self._epoch = epoch + 1
        self._last = [
            float(self._epoch),
            *(logs.get(name) for name in ("loss", "val_loss", "accuracy", "val_accuracy")),
        ]
        stride = 1 << max(0, (epoch // DENSE).bit_length())
        if self._epoch % stride == 0:
            self._rows.append(self._last)

    async def rest(self) -> None:
        """End a run after its epoch, and wait for that."""
        if self._task is not None and not self._task.done():
            self._rest.wanted = True
            await asyncio.wait([self._task])
        self._rest.wanted = False

    # -- what is seen -----------------------------------------------------------------------

    def look(self, place: Sequence[int] | None) -> dict[str, Any]:
        """Show the plane of a unit (layer, number) large, or of the answer; return a report."""
        self._looked = None if place is None else (place[0], place[1])
        return self._report(self._model)

    def discretise(self, on: bool) -> dict[str, Any]:
        """Show the large plane in two colours alone, or in shades; return a report."""
        self._options = {**self._options, "discretise": on}
        return self._report(self._model)

    def follow(self, on_report: Callable[[dict[str, Any]], Any] | None) -> dict[str, Any]:
        """Report to another from now on, to none with None; the run goes on. Return a report."""
        self._reporter.follow(self._model, on_report)
        return self._report(self._model)

    def _report(self, model: Any) -> dict[str, Any]:
        """Return pixels, widths of wires, words, and the epochs since the last report."""
        self._planes.refresh()
        rows, self._rows = self._rows, []
        return {
            "run": self._run,
            "epoch": self._epoch,
            "rows": rows,
            "last": self._last if self._epoch else None,
            "pixels": np.ascontiguousarray(
                self._planes.pixels(self._shades, self._looked, self._options["discretise"])
            ),
            "widths": network.widths(model),
            "words": self._planes.words(),
        }

    def sides(self) -> list[int]:
        """Return the pixels in a row of a unit's plane, and of the large one."""
        return [SMALL, SIDE]


class EpochReporter(Reporter):
    """Reports at the end of epochs."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.tick()


class _Rest(Callback):
    """Ends a run after an epoch, so that the next one goes on as if there had been no rest."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.wanted:
            self.model.stop()


class _Rows(Callback):
    """Hands the logs of each epoch on."""

    def __init__(self, note: Callable[[int, Mapping[str, float]], None]) -> None:
        super().__init__()
        self._note = note

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._note(epoch, logs or {})


def _svg(made: points.Points, size: float) -> str:
    """Return points as paths of SVG: by colour, by strength where they have values, and hollow."""
    groups: dict[tuple[bool, int, bool], list[str]] = {}
    classes = set(np.unique(made.targets).tolist()) <= {0.0, 1.0}
    for (x, y), target, test in zip(made.places, made.targets, made.test, strict=True):
        value = 2 * target - 1 if classes else target
        key = (bool(value >= 0), 4 if classes else max(1, round(4 * abs(float(value)))), bool(test))
        groups.setdefault(key, []).append(f"M{x:.2f} {-y:.2f}h0")
    parts = []
    for (blue, strength, test), places in sorted(groups.items()):
        path = "".join(places)
        kind = "for" if blue else "not"
        parts.append(f'<path class="rim" stroke-width="{1.4 * size:.3g}" d="{path}"/>')
        parts.append(
            f'<path class="{kind}" stroke-width="{size:.3g}" stroke-opacity="{(strength + 1) / 5}"'
            f' d="{path}"/>'
        )
        if test:
            parts.append(f'<path class="rim" stroke-width="{0.5 * size:.3g}" d="{path}"/>')
    return "".join(parts)
