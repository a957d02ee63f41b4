"""Training runs: epochs and batches, with stop, pause and predictions in between.

After 8 ms of batches the event loop gets its turn, so that messages from another thread (stop,
pause, a digit to predict) are served while training goes on. Nothing else could let them in: a
worker that runs Python can't be interrupted without SharedArrayBuffer.

Logs of a batch: `loss` and the metrics as means over the epoch so far (as Keras), the same of this
batch alone as `batch_loss` and `batch_<metric>`, `batch` and `batches` (from 1, and how many),
`size`, `epoch` (from 0), `images_per_second`. Logs of an epoch: `loss`, metrics, and the same of
validation with `val_` before. `model.epoch_finished` says whether that epoch ran all its batches.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import numpy as np

from nn.callbacks import Callback, CallbackList, History, LambdaCallback, ProgbarLogger
from nn.data.dataset import Dataset
from nn.data.loading.prefetch import Prefetched
from nn.data.numeric import optional, whole
from nn.data.source import each, warn_of_few
from nn.errors import ConfigError, EmptyError
from nn.keras_arguments import expects, flag
from nn.models.model import Model
from nn.models.run_control import PAUSED
from nn.models.signature import as_list
from nn.training import evaluation
from nn.training.data_adapter import one_batch, open_source, open_validation, split
from nn.training.evaluation import as_callback, results
from nn.training.pace import Pace
from nn.training.run_state import RunState, generator

__all__ = ["fit", "one_batch", "test_on_batch", "train_on_batch"]

BATCH = 32


@expects
async def fit(
    model: Model,
    x: Any,
    y: Any,
    batch_size: Any,
    epochs: Any,
    verbose: Any,
    callbacks: Any,
    validation_split: float | None,
    validation_data: Any,
    shuffle: bool,
    class_weight: dict[int, float] | None,
    sample_weight: Any,
    initial_epoch: Any,
    steps_per_epoch: Any,
    validation_steps: Any,
    validation_batch_size: Any,
    validation_freq: Any,
    *,
    seed: Any,
    prefetch: Any,
    resume: bool,
    hooks: dict[str, Any],
) -> History:
    """Train `model`; `Model.fit` says what the arguments are."""
    trainer = model.trainer
    batch_size = BATCH if batch_size is None else whole(batch_size, "batch_size")
    epochs = whole(epochs, "epochs", 0)
    steps_per_epoch = optional(steps_per_epoch, "steps_per_epoch")
    validation_steps = optional(validation_steps, "validation_steps")
    held_out_size = optional(validation_batch_size, "validation_batch_size") or batch_size
    prefetch = whole(prefetch, "prefetch", 0)
    seed = None if seed is None else whole(seed, "seed", 0)
    state = _run_state(model, initial_epoch, resume)
    if seed is not None and not resume:
        model.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    if isinstance(x, Dataset) and y is None and x.y is not None:
        y = x.y
    if validation_split and validation_data is None:
        x, y, sample_weight, validation_data = split(model, x, y, sample_weight, validation_split)
    source = open_source(model, x, y, sample_weight, class_weight, batch_size, steps_per_epoch)
    source = Prefetched(source, prefetch) if prefetch else source
    held_out = None
    if validation_data is not None:
        held_out = open_validation(model, validation_data, held_out_size, validation_steps)
    history = History()
    listeners: list[Callback] = [history, *as_list(callbacks), *as_callback("fit", hooks)]
    # The history comes first, so that what saves the model in an epoch's end saves it too, and
    # once more after all of them, since they may add to the logs.
    listeners.append(LambdaCallback(on_epoch_end=history.complete))
    if flag(verbose, "verbose") and verbose != "auto":
        listeners.append(ProgbarLogger())
    params = {
        "epochs": epochs,
        "steps": source.steps,
        "batch_size": batch_size,
        "validates": held_out is not None,
    }
    calls = CallbackList(listeners, model, params)
    with _under_way(model, state, history):
        trainer.begin(resume)
        run = _Run(model, trainer, source, held_out, calls, shuffle)
        run.validates_after = _after(validation_freq)
        run.wanted = steps_per_epoch, validation_steps
        run.executor = trainer.executor(source, calls.saves_every())
        try:
            await run.epochs(epochs)
        finally:
            if run.executor is not None:
                run.executor.close()
    return history


def train_on_batch(
    model: Model,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: dict[int, float] | None,
    return_dict: bool,
) -> Any:
    """Take one training step; return what `Model.train_on_batch` does."""
    batch = one_batch(model, x, y, sample_weight, class_weight)
    trainer = model.trainer
    trainer.reset_train()
    trainer.train_step(*batch)
    return results(trainer.train_logs(), return_dict)


def test_on_batch(model: Model, x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
    """Return what `Model.test_on_batch` does; no weight changes."""
    batch = one_batch(model, x, y, sample_weight, None)
    trainer = model.trainer
    trainer.reset_test()
    trainer.test_step(*batch)
    return results(trainer.test_logs(), return_dict)


def _after(frequency: Any) -> Callable[[int], bool]:
    """Return whether to validate after an epoch, counted from 1.

    Args:
        frequency: after each so many epochs, or the numbers of the epochs.
    """
    if isinstance(frequency, Container) and not isinstance(frequency, str):
        return frequency.__contains__
    every = whole(frequency, "validation_freq")
    return lambda epoch: epoch % every == 0


def _run_state(model: Model, initial_epoch: int, resume: bool) -> RunState:
    if not resume:
        return RunState(whole(initial_epoch, "initial_epoch", 0))
    if model.run_state is None:
        raise ConfigError(f"{model.name}: expected a run to resume; the model has had none")
    return RunState.from_state(model.run_state.get_state())


@contextmanager
def _under_way(model: Model, state: RunState, history: History) -> Iterator[None]:
    """Mark the model as in training."""
    model.progress.start(model.name)
    model.history, model.run_state = history, state
    try:
        yield
    finally:
        model.progress.finish()


class _Run:
    """One `fit`."""

    def __init__(
        self,
        model: Model,
        trainer: Any,
        source: Any,
        held_out: Any,
        calls: CallbackList,
        shuffle: bool,
    ) -> None:
        self.model = model
        self.trainer = trainer
        self.source = source
        self.held_out = held_out
        self.calls = calls
        self.shuffle = shuffle
        self.validates_after: Callable[[int], bool] = lambda epoch: True
        self.state: RunState = model.run_state
        self.executor: Any = None
        self.wanted: tuple[int | None, int | None] = None, None

    async def epochs(self, last: int) -> None:
        await self.calls.call("on_train_begin", {})
        self._pick_up()
        self.logs: dict[str, Any] = {}
        if self.executor is not None:
            await self.executor.begin()
        try:
            await self._each_epoch(last)
        except BaseException as error:
            self.model.progress.epoch_finished = False
            await self._end_after(error)
            raise
        await self._end()

    async def _end(self) -> None:
        # A moving average of the weights, where the optimizer keeps one, is what a run ends with.
        self.trainer.optimizer.finalize()
        await self.calls.call("on_train_end", self.logs)

    async def _end_after(self, error: BaseException) -> None:
        """End the run for callbacks too; a second error is a note on the first."""
        try:
            await self._end()
        except Exception as second:
            error.add_note(f"on_train_end: {type(second).__name__}: {second}")

    async def _each_epoch(self, last: int) -> None:
        progress, calls, state = self.model.progress, self.calls, self.state
        for epoch in range(state.epoch, last):
            progress.begin_epoch()
            await calls.call("on_epoch_begin", epoch, {})
            progress.epoch_finished = await self._epoch(epoch)
            if self.executor is not None:
                await self.executor.sync()
            await calls.land()
            if not state.batch:
                break  # a generator came to its end in an earlier epoch
            logs = self.logs = self.trainer.train_logs()
            validates = self.held_out is not None and self.validates_after(epoch + 1)
            if progress.epoch_finished and validates:
                logs |= await self._validate()
            if progress.stopping:
                state.freeze()
            else:
                state.finish_epoch()
            await calls.call("on_epoch_end", epoch, logs)
            if self.executor is not None:
                await self.executor.agree()
            if progress.stopping:
                break

    def _pick_up(self) -> None:
        """Restore callbacks and data to where an interrupted run stopped."""
        state, sources = self.state, (self.source, self.held_out)
        self.calls.set_state(state.callbacks)
        for source, stream in zip(sources, state.streams, strict=True):
            if source is not None:
                source.set_state(stream)
        state.attach(self.trainer, self.calls, sources)

    def _batches(self, epoch: int) -> Any:
        """Return the epoch's batches, or what is left of them."""
        state, rng = self.state, self.model.rng
        before = state.total - state.batch
        goes_on = state.batch or self.source.goes_on(before)
        if goes_on and state.order is not None:
            rng = generator(state.order)
        if not state.batch or state.order is None:
            state.begin_epoch(epoch, rng.bit_generator.state)
        order = rng if self.shuffle else None
        source = self.source if self.executor is None else self.executor
        batches = source.batches(order, state.batch, before)
        return batches if hasattr(batches, "aclose") else each(batches)

    async def _epoch(self, epoch: int) -> bool:
        """Run the batches; returns whether all of them were."""
        model, trainer, calls, state = self.model, self.trainer, self.calls, self.state
        trainer.reset_train()
        if state.batch:
            trainer.set_state(state.means)
        begins = calls.listens("on_train_batch_begin")
        ends = calls.listens("on_train_batch_end")
        pace = Pace()
        index = state.batch
        async with aclosing(self._batches(epoch)) as batches:
            async for batch in batches:
                if begins:
                    await calls.call_batch("on_train_batch_begin", index, {})
                loss = self.executor.loss(batch) if self.executor else trainer.train_step(*batch)
                pace.tick(batch.size)
                state.count_batch(index + 1)
                if ends:
                    logs = trainer.train_logs()
                    logs["batch_loss"] = loss
                    logs |= trainer.batch_logs()
                    logs["batch"] = index + 1
                    logs["batches"] = self.source.steps
                    logs["size"] = batch.size
                    logs["epoch"] = epoch
                    logs["images_per_second"] = pace.rate
                    await calls.call_batch("on_train_batch_end", index, logs)
                index += 1
                paused = model.progress.state == PAUSED
                if not await self._gate():
                    return bool(index == self.source.steps)
                if paused:
                    pace.restart()
        if index:
            warn_of_few(model.name, index, self.wanted[0])
        return bool(index) or self._ends_early(epoch)

    async def _gate(self) -> bool:
        """Yield to the event loop, wait while paused, and return whether to continue.

        On a GPU, what was started is reported first, and a pause finds the weights at home.
        """
        return await (self.executor or self.model.progress).gate()

    def _ends_early(self, epoch: int) -> bool:
        """End a run whose data gave no more batch, as Keras does: warn, and return False.

        Raises:
            EmptyError: they never gave one.
        """
        what = f"{self.model.name}: the data gave no batch in epoch {epoch + 1}"
        if not self.state.total:
            raise EmptyError(what)
        warnings.warn(f"{what}; the run ends after {epoch} epochs", stacklevel=2)
        return False

    async def _validate(self) -> dict[str, float]:
        led = self.executor if hasattr(self.executor, "evaluation") else None
        steps = self.wanted[1]
        logs = await evaluation.run(self.model, self.held_out, self.calls, led, steps)
        return {f"val_{k}": v for k, v in logs.items()}
