"""State of a training run, from which another run continues exactly.

Weights, slots and the generator are the model's; a `RunState` says how far the run has come: which
epoch, how many of its batches, the order in which they come, the means so far, and the state of
callbacks and layers. `nn.io.save` saves it, `fit(resume=True)` continues from it:

    await model.fit(train, epochs=5, callbacks=[nn.ModelCheckpoint(keep, save_freq=100)])
    # the tab is closed in batch 1234; on another day
    model = nn.io.load(kept)
    await model.fit(train, epochs=5, resume=True)       # the weights and logs of an unbroken run

The batches of an interrupted epoch are not saved. The epoch's order is drawn again from the
generator's state at its beginning, and the batches that are done are skipped.
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


class RunState:
    """The place of a run.

    Args:
        epoch: the epoch that comes next or is running, counted from 0.

    Attributes:
        batch: number of batches of that epoch that are done.
        total: number of batches of the run that are done.
        order: state of the model's generator before the epoch's order was drawn.
        streams: states of the data (training, validation) at the beginning of the epoch.
        means: the running means of the epoch.
        callbacks: the states of the callbacks.
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

    def attach(self, trainer: TrainingStep, calls: CallbackList, sources: Sequence[Any]) -> None:
        """Read means, callbacks and streams from a run that begins."""
        self._live = trainer, calls, sources

    def begin_epoch(self, epoch: int, order: Any) -> None:
        """Record the state of the data before the first batch is drawn."""
        self.epoch, self.order = epoch, order
        self.streams = self._stream_states()

    def count_batch(self, batches: int) -> None:
        """Record how many batches of the epoch are done."""
        self.batch = batches
        self.total += 1

    def finish_epoch(self) -> None:
        """Move to the beginning of the next epoch, which may go on in the order of this one."""
        self.epoch += 1
        self.batch = 0

    def freeze(self) -> None:
        """Freeze the state at this batch; later updates of callbacks are not saved."""
        vars(self).update(self.get_state())
        self._live = None

    def get_state(self) -> Config:
        """Return the state as plain data and arrays."""
        place = {name: getattr(self, name) for name in FIELDS}
        if self._live is None:
            return place
        trainer, calls, _ = self._live
        place["callbacks"] = calls.get_state()
        place["means"] = trainer.get_state() if self.batch else None
        if not self.batch:
            place["streams"] = self._stream_states()
        return place

    def _stream_states(self) -> list[Any]:
        sources = self._live[2] if self._live else ()
        return [None if source is None else source.get_state() for source in sources]

    @classmethod
    def from_state(cls, place: Config) -> RunState:
        """Return the run state that `get_state` returned.

        Raises:
            ConfigError: a part is missing, or a count is invalid.
        """
        state = cls()
        for name in FIELDS:
            if name not in place:
                raise ConfigError(f"course: expected {name!r}, received {sorted(place)}")
            setattr(state, name, place[name])
        for name in ("epoch", "batch", "total"):
            count = place[name]
            if type(count) is not int or count < 0:
                raise ConfigError(f"course: expected {name} to be a count, received {count!r}")
        if state.order is not None:
            generator(state.order)
        return state


def generator(state: Any) -> np.random.Generator:
    """Return a generator whose bit generator is in this state."""
    made = np.random.default_rng()
    made.bit_generator.state = state
    return made


def layer_states(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return, by the path of each layer, what it carries from batch to batch besides weights: its
    own generator, the states of a stateful recurrent layer."""
    found: dict[str, Any] = {}
    for layer in layers:
        state = {} if layer.sublayers else layer.get_state()
        if state:
            found[layer.path] = state
        found |= layer_states(layer.sublayers)
    return found


def restore_layers(layers: Sequence[Layer], states: dict[str, Any]) -> None:
    """Restore what `layer_states` returned."""
    for layer in layers:
        if layer.path in states:
            layer.set_state(states[layer.path])
        restore_layers(layer.sublayers, states)
