"""Where a training run is, so that another run can go on from there to the bit.

Weights, slots and the generator say what the model is; a course says how far the run has come:
which epoch, how many of its batches, the order in which they come, the means so far, and what
callbacks and layers remember. `nn.io.save` keeps it, `fit(resume=True)` goes on from it:

    await model.fit(train, epochs=5, callbacks=[nn.ModelCheckpoint(keep, save_freq=100)])
    # the tab is closed in batch 1234; on another day
    model = nn.io.load(kept)
    await model.fit(train, epochs=5, resume=True)       # the weights and logs of a run in one piece

An epoch that was broken off is not remembered by its batches but drawn again from its beginning,
from the generator's state there, and the batches that are done are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.errors import ConfigError
from nn.types import Config

if TYPE_CHECKING:
    from nn.callbacks import CallbackList
    from nn.layers.base import Layer
    from nn.training.step import TrainingStep

FIELDS = ("epoch", "batch", "total", "order", "streams", "means", "callbacks")


class Course:
    """A run's place.

    Args:
        epoch: the one to come, or under way; counted from 0.

    Attributes:
        batch: batches of that epoch that are done.
        total: batches of the run that are done.
        order: state of the model's generator before the epoch's order was drawn.
        streams: states of the data (training, validation) at the epoch's beginning.
        means: the running means of the epoch.
        callbacks: what they remember.
    """

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.batch = 0
        self.total = 0
        self.order: Any = None
        self.streams: list[Any] = [None, None]
        self.means: Any = None
        self.callbacks: list[Any] = []
        self._live: tuple[TrainingStep, CallbackList, Sequence[Any]] | None = None

    def follow(self, trainer: TrainingStep, calls: CallbackList, sources: Sequence[Any]) -> None:
        """Take means, callbacks and streams from a run that begins."""
        self._live = trainer, calls, sources

    def begin_epoch(self, epoch: int, order: Any) -> None:
        """Note where the data stand before the first batch is drawn."""
        self.epoch, self.order = epoch, order
        self.streams = self._stream_states()

    def took(self, batches: int) -> None:
        """Note how many batches of the epoch are done."""
        self.batch = batches
        self.total += 1

    def finish_epoch(self) -> None:
        """The next epoch is to come."""
        self.epoch += 1
        self.batch, self.order = 0, None

    def stay(self) -> None:
        """Remember this very place: what callbacks learn from here on belongs to the past."""
        vars(self).update(self.describe())
        self._live = None

    def describe(self) -> Config:
        """Return the place as plain data and arrays."""
        place = {name: getattr(self, name) for name in FIELDS}
        if self._live is None:
            return place
        trainer, calls, _ = self._live
        place["callbacks"] = calls.get_state()
        place["means"] = trainer.get_means() if self.batch else None
        if not self.batch:
            place["streams"] = self._stream_states()
        return place

    def _stream_states(self) -> list[Any]:
        sources = self._live[2] if self._live else ()
        return [None if source is None else source.get_state() for source in sources]

    @classmethod
    def described(cls, place: Config) -> Course:
        """Return the course that `describe` returned.

        Raises:
            ConfigError: a part is missing, or no count.
        """
        course = cls()
        for name in FIELDS:
            if name not in place:
                raise ConfigError(f"course: expected {name!r}, received {sorted(place)}")
            setattr(course, name, place[name])
        for name in ("epoch", "batch", "total"):
            count = place[name]
            if type(count) is not int or count < 0:
                raise ConfigError(f"course: expected {name} to be a count, received {count!r}")
        if course.order is not None:
            generator(course.order)
        return course


def generator(state: Any) -> np.random.Generator:
    """Return a generator in this state of a bit generator."""
    made = np.random.default_rng()
    made.bit_generator.state = state
    return made


def layer_states(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return by layer's path what layers carry from batch to batch beside weights: generators of
    their own, states of stateful recurrent layers."""
    found: dict[str, Any] = {}
    for layer in layers:
        state = {} if layer.sublayers else layer.get_state()
        if state:
            found[layer.path] = state
        found |= layer_states(layer.sublayers)
    return found


def restore_layers(layers: Sequence[Layer], states: dict[str, Any]) -> None:
    """Give the layers what `layer_states` returned."""
    for layer in layers:
        if layer.path in states:
            layer.set_state(states[layer.path])
        restore_layers(layer.sublayers, states)
