"""Training runs: epochs and batches, with stop, pause and predictions in between.

After every batch the event loop gets its turn, so that messages from another thread (stop, pause,
a digit to predict) are served while training goes on. Nothing else could let them in: a worker
that runs Python can't be interrupted without SharedArrayBuffer.

Logs of a batch: `loss` and the metrics as means over the epoch so far (as Keras), `batch_loss`
(this batch alone), `batch` and `batches` (from 1, and how many), `size`, `epoch` (from 0),
`images_per_second`. Logs of an epoch: `loss`, metrics, and the same of validation with `val_`
before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.callbacks import Callback, CallbackList, History, LambdaCallback, ProgbarLogger
from nn.data.dataset import Dataset
from nn.data.source import ArraySource, Batch, StreamSource, each
from nn.errors import BusyError, ConfigError, EmptyError, ShapeError
from nn.types import Array

if TYPE_CHECKING:
    from nn.model import Model

IDLE, TRAINING, PAUSED, STOPPING = "idle", "training", "paused", "stopping"
BATCH, PREDICT_BATCH = 32, 128


class Progress:
    """The life of a run: IDLE -> TRAINING <-> PAUSED -> STOPPING -> IDLE."""

    def __init__(self) -> None:
        self.running = False
        self.stopping = False
        self._go: asyncio.Event | None = None

    @property
    def state(self) -> str:
        if not self.running:
            return IDLE
        if self.stopping:
            return STOPPING
        return PAUSED if self._go is not None else TRAINING

    def start(self, model: str) -> None:
        """Enter TRAINING.

        Raises:
            BusyError: a run is under way.
        """
        if self.running:
            raise BusyError(f"{model}: a fit is under way; stop() it first")
        self.running, self.stopping, self._go = True, False, None

    def finish(self) -> None:
        """Enter IDLE."""
        self.running, self.stopping, self._go = False, False, None

    def stop(self) -> None:
        """End the run after the current batch."""
        self.stopping = self.running
        self.resume()

    def pause(self) -> None:
        """Hold the run after the current batch."""
        if self.running and self._go is None:
            self._go = asyncio.Event()

    def resume(self) -> None:
        """Let a held run go on."""
        if self._go is not None:
            self._go.set()
            self._go = None

    async def gate(self) -> bool:
        """Let the event loop have its turn, wait while paused; returns whether to go on."""
        await asyncio.sleep(0)
        while self._go is not None:
            await self._go.wait()
        return not self.stopping


async def fit(
    model: Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = 0,
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
    *,
    seed: int | None = None,
    **hooks: Any,
) -> History:
    """Train `model`.

    Args:
        x: an array, a list of them, a Dataset, or a (possibly async) generator of (x, y[,
            weights]).
        y: targets; not for a Dataset with labels or a generator.
        batch_size: samples to a step, 32 by default; the last step of an epoch may have fewer.
        epochs: the number of the last epoch, counted from 1.
        callbacks: Callback objects.
        validation_split: take this fraction from the end of the data, before shuffling, to
            validate.
        validation_data: (x, y), (x, y, weights), a Dataset or a generator.
        shuffle: draw a new order for each epoch.
        class_weight: factor of each integer class.
        sample_weight: factor of each sample.
        initial_epoch: where to go on counting.
        steps_per_epoch: end an epoch after so many batches.
        validation_freq: validate after each so many epochs.
        seed: of the shuffles and dropouts of this run, to repeat it exactly.
        hooks: `on_batch_end=function` and the like, in place of a LambdaCallback.

    Raises:
        BusyError: the model is being trained.
        NotCompiledError: `compile` was not called.
        ShapeError: data do not fit the model or each other.
    """
    trainer = model.trainer
    batch_size = BATCH if batch_size is None else batch_size
    if seed is not None:
        model.rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    if isinstance(x, Dataset) and y is None and x.y is not None:
        y = x.y
    if validation_split and validation_data is None:
        x, y, sample_weight, validation_data = split(x, y, sample_weight, validation_split)
    source = open_source(model, x, y, sample_weight, class_weight, batch_size, steps_per_epoch)
    held_out = None
    if validation_data is not None:
        held_out = _open_validation(
            model, validation_data, validation_batch_size or batch_size, validation_steps
        )
    history = History()
    listeners: list[Callback] = [history, *_as_list(callbacks)]
    if hooks:
        listeners.append(LambdaCallback(**hooks))
    if verbose and verbose != "auto":
        listeners.append(ProgbarLogger())
    params = {"epochs": epochs, "steps": source.steps, "batch_size": batch_size}
    calls = CallbackList(listeners, model, params)
    run = _Run(model, trainer, source, held_out, calls, shuffle)
    model.progress.start(model.name)
    model.history = history
    try:
        await run.epochs(initial_epoch, epochs, validation_freq)
    finally:
        model.progress.finish()
    return history


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

    async def epochs(self, first: int, last: int, validation_freq: int) -> None:
        progress, calls = self.model.progress, self.calls
        await calls.call("on_train_begin", {})
        logs: dict[str, Any] = {}
        for epoch in range(first, last):
            await calls.call("on_epoch_begin", epoch, {})
            complete = await self._epoch(epoch)
            await calls.land()
            logs = self.trainer.train_logs()
            if complete and self.held_out is not None and (epoch + 1) % validation_freq == 0:
                logs |= await self._validate()
            await calls.call("on_epoch_end", epoch, logs)
            if progress.stopping:
                break
        # A moving average of the weights, where the optimizer keeps one, is what a run ends with.
        self.trainer.optimizer.finalize()
        await calls.call("on_train_end", logs)

    async def _epoch(self, epoch: int) -> bool:
        """Run the batches; returns whether all of them were."""
        model, trainer, calls = self.model, self.trainer, self.calls
        trainer.reset_train()
        begins = calls.listens("on_train_batch_begin")
        ends = calls.listens("on_train_batch_end")
        clock = _Clock()
        index = 0
        async for batch in each(self.source.batches(model.rng if self.shuffle else None)):
            if begins:
                await calls.call_batch("on_train_batch_begin", index, {})
            loss = trainer.train_step(*batch)
            clock.tick(batch.size)
            if ends:
                logs = trainer.train_logs()
                logs["batch_loss"] = loss
                logs["batch"] = index + 1
                logs["batches"] = self.source.steps
                logs["size"] = batch.size
                logs["epoch"] = epoch
                logs["images_per_second"] = clock.rate
                await calls.call_batch("on_train_batch_end", index, logs)
            index += 1
            paused = model.progress.state == PAUSED
            if not await model.progress.gate():
                return bool(index == self.source.steps)
            if paused:
                clock.restart()
        if not index:
            raise EmptyError(f"{model.name}: the data gave no batch in epoch {epoch + 1}")
        return True

    async def _validate(self) -> dict[str, float]:
        logs = await _test(self.model, self.held_out, self.calls)
        return {f"val_{k}": v for k, v in logs.items()}


class _Clock:
    """Samples per second, smoothed over about ten batches; pauses do not count."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._pace = 0.0
        self._last = time.perf_counter()

    def tick(self, size: int) -> None:
        now = time.perf_counter()
        pace = (now - self._last) / size
        self._last = now
        self._pace = pace if not self._pace else 0.9 * self._pace + 0.1 * pace
        self.rate = 1 / self._pace if self._pace else 0.0

    def restart(self) -> None:
        self._last = time.perf_counter()


async def evaluate(
    model: Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    verbose: Any = 0,
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
    **hooks: Any,
) -> Any:
    """Return [loss, *metrics] over the data (a float where there are no metrics), or a dict of
    them."""
    listeners = [*_as_list(callbacks), *([LambdaCallback(**hooks)] if hooks else [])]
    source = open_source(model, x, y, sample_weight, None, batch_size or PREDICT_BATCH, steps)
    params = {"steps": source.steps, "batch_size": batch_size}
    logs = await _test(model, source, CallbackList(listeners, model, params))
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


async def _test(model: Model, source: Any, calls: CallbackList) -> dict[str, float]:
    trainer = model.trainer
    trainer.reset_test()
    await calls.call("on_test_begin", {})
    index = 0
    async for batch in each(source.batches(None)):
        trainer.test_step(*batch)
        if calls.listens("on_test_batch_end"):
            logs = {**trainer.test_logs(), "batch": index + 1, "batches": source.steps}
            await calls.call_batch("on_test_batch_end", index, logs)
        index += 1
        if not await model.progress.gate():
            break
    await calls.land()
    if not index:
        raise EmptyError(f"{model.name}: the data gave no batch to evaluate")
    logs = trainer.test_logs()
    await calls.call("on_test_end", logs)
    return logs


async def predict(
    model: Model,
    x: Any,
    batch_size: int | None = None,
    verbose: Any = 0,
    steps: int | None = None,
    callbacks: Any = None,
) -> Any:
    """Return the outputs for `x`: (n, ...), or one output where `x` is one sample without batch
    axis.

    Other work on the event loop gets its turn between batches.
    """
    model._build_for(_as_list(x))
    results: list[list[Array]] = []
    if isinstance(x, Dataset) or not _is_stream(x):
        data, single = _inputs(model, x)
        source: Any = ArraySource(
            data, [t.dtype for t in model.inputs], [], [], batch_size or PREDICT_BATCH
        )
    else:
        single = False
        source = StreamSource(x, lambda item: Batch(_adapted(model, item), [], [], 0), steps)
    calls = CallbackList(_as_list(callbacks), model, {"steps": source.steps})
    await calls.call("on_predict_begin", {})
    async for batch in each(source.batches(None)):
        await calls.call_batch("on_predict_batch_begin", len(results), {})
        results.append([y.copy() for y in model.run(batch.inputs)])
        await calls.call_batch("on_predict_batch_end", len(results) - 1, {"outputs": results[-1]})
        await asyncio.sleep(0)
    await calls.land()
    await calls.call("on_predict_end", {})
    if not results:
        raise EmptyError(f"{model.name}: the data gave no batch to predict")
    outputs = [
        np.concatenate(parts) if len(parts) > 1 else parts[0]
        for parts in zip(*results, strict=True)
    ]
    outputs = [y[0] for y in outputs] if single else outputs
    return outputs[0] if model._single_output else outputs


def _adapted(model: Model, item: Any) -> list[Array]:
    inputs = item[0] if isinstance(item, tuple) and len(item) in (2, 3) else item
    return model.adapt(_as_list(inputs))[0]


# Data.


def open_source(
    model: Model,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: dict[int, float] | None,
    batch_size: int,
    steps: int | None,
) -> Any:
    """Bring any kind of data to a source of batches, and build the model from its shape if need
    be."""
    if _is_stream(x):

        def adapt(item: Any) -> Batch:
            x_, y_, w_ = (
                (*item, None, None)[:3] if isinstance(item, tuple | list) else (item, None, None)
            )
            return one_batch(model, x_, y_, w_, class_weight)

        return StreamSource(x, adapt, steps)
    model._build_for(_as_list(x))
    if isinstance(x, Dataset) and y is None:
        y = x.y
    data, _ = _inputs(model, x)
    targets = _targets(model, y)
    weights = _weights(model, sample_weight, class_weight, targets)
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, received {batch_size}")
    source = ArraySource(data, [t.dtype for t in model.inputs], targets, weights, batch_size)
    return _Shortened(source, steps) if steps is not None and steps < source.steps else source


class _Shortened:
    """The first `steps` batches of each epoch of a source."""

    def __init__(self, source: ArraySource, steps: int) -> None:
        self._source = source
        self.steps = steps

    def batches(self, rng: np.random.Generator | None) -> Iterable[Batch]:
        return (
            batch for batch, _ in zip(self._source.batches(rng), range(self.steps), strict=False)
        )


def one_batch(
    model: Model, x: Any, y: Any, sample_weight: Any, class_weight: dict[int, float] | None
) -> Batch:
    """Return one batch from arrays."""
    if isinstance(x, Dataset):
        y = x.y if y is None else y
        out = np.empty((len(x), *x.shape), model.inputs[0].dtype)
        x = x.batch(np.arange(len(x)), out)
    model._build_for(_as_list(x))
    inputs, _ = model.adapt(_as_list(x) if not isinstance(x, dict) else _by_name(model, x))
    targets = _targets(model, y)
    weights = _weights(model, sample_weight, class_weight, targets)
    size = len(inputs[0])
    for array in [*targets, *weights]:
        if array is not None and len(array) != size:
            raise ShapeError(f"expected {size} samples in every array, received {len(array)}")
    return Batch(inputs, targets, weights, size)


def _open_validation(model: Model, data: Any, batch_size: int, steps: int | None) -> Any:
    if isinstance(data, tuple | list) and not _is_stream(data):
        x, y, w = (*data, None)[:3]
        return open_source(model, x, y, w, None, batch_size, steps)
    return open_source(model, data, None, None, None, batch_size, steps)


def split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Any, Any, Any, Any]:
    """Take the last `fraction` of the samples away, as Keras does, before any shuffling."""
    if not 0 < fraction < 1:
        raise ConfigError(f"validation_split must be between 0 and 1, received {fraction}")
    if _is_stream(x):
        raise ConfigError("validation_split needs arrays or a Dataset, received a generator")
    count = len(_as_list(x)[0]) if not isinstance(x, dict) else len(next(iter(x.values())))
    start = int(count * (1 - fraction))
    if start in (0, count):
        raise ConfigError(f"validation_split={fraction} leaves one side of {count} samples empty")
    front = [_slice(v, 0, start) for v in (x, y, sample_weight)]
    back = tuple(_slice(v, start, count) for v in (x, y, sample_weight))
    return front[0], front[1], front[2], back


def _slice(value: Any, start: int, stop: int) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return {k: _slice(v, start, stop) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_slice(v, start, stop) for v in value]
    return value.slice(start, stop) if isinstance(value, Dataset) else value[start:stop]


def _is_stream(x: Any) -> bool:
    if x is None:
        raise EmptyError("expected data, received None")
    if isinstance(x, Dataset | np.ndarray | dict | list | tuple):
        return False
    if hasattr(x, "__array__"):
        return False
    return callable(x) or hasattr(x, "__iter__") or hasattr(x, "__aiter__")


def _by_name(model: Model, x: dict[str, Any]) -> list[Any]:
    names = [t.node.layer.name for t in model.inputs]
    missing = [n for n in names if n not in x]
    if missing:
        raise ShapeError(f"{model.name}: expected inputs {names}, received {sorted(x)}")
    return [x[n] for n in names]


def _inputs(model: Model, x: Any) -> tuple[list[Any], bool]:
    """Return an array or Dataset for each input, checked, and whether a batch axis was added."""
    items = _by_name(model, x) if isinstance(x, dict) else _as_list(x)
    if (
        len(model.inputs) == 1
        and isinstance(x, list | tuple)
        and not (len(items) == 1 and isinstance(items[0], np.ndarray | Dataset))
    ):
        items = [np.asarray(x)]  # nested lists of numbers
    if len(items) != len(model.inputs):
        raise ShapeError(
            f"{model.name}: expected {len(model.inputs)} inputs, received {len(items)}"
        )
    result: list[Any] = []
    single = False
    for item, tensor in zip(items, model.inputs, strict=True):
        if isinstance(item, Dataset):
            if item.shape != tuple(tensor.shape[1:]) and None not in tensor.shape[1:]:
                raise ShapeError(
                    f"{model.name}: expected samples of shape {tensor.shape[1:]}, received "
                    f"{item.shape}"
                )
            result.append(item)
            continue
        array, added = model.adapt_one(item, tensor)
        result.append(array)
        single = single or added
    return result, single


def _targets(model: Model, y: Any) -> list[Any]:
    count = len(model.outputs)
    if y is None:
        return [None] * count
    if isinstance(y, dict):
        return [None if y.get(n) is None else np.asarray(y[n]) for n in model.output_names]
    if count == 1:
        one = y[0] if isinstance(y, list | tuple) and len(y) == 1 and np.ndim(y[0]) else y
        return [np.asarray(one)]
    if not isinstance(y, list | tuple) or len(y) != count:
        raise ShapeError(f"{model.name}: expected {count} targets, received {type(y).__name__}")
    return [None if t is None else np.asarray(t) for t in y]


def _weights(
    model: Model, sample_weight: Any, class_weight: Any, targets: Sequence[Any]
) -> list[Any]:
    count = len(targets)
    if isinstance(sample_weight, dict):
        weights = [sample_weight.get(n) for n in model.output_names]
    elif isinstance(sample_weight, list | tuple) and count > 1:
        weights = list(sample_weight)
    else:
        weights = [sample_weight] * count
    weights = [None if w is None else np.asarray(w, model.dtype) for w in weights]
    if class_weight is None:
        return weights
    return [
        _by_class(w, t, class_weight, model.dtype) for w, t in zip(weights, targets, strict=True)
    ]


def _by_class(weight: Any, target: Array, class_weight: dict[Any, float], dtype: str) -> Array:
    labels = target.argmax(-1) if target.ndim > 1 and target.shape[-1] > 1 else target.reshape(-1)
    factors = np.ones(max(int(labels.max()), *map(int, class_weight)) + 1, dtype)
    for label, factor in class_weight.items():
        factors[int(label)] = factor
    found: Array = factors[labels.astype(np.intp)]
    return found if weight is None else found * weight


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
