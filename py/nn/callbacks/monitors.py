"""Built-in callbacks, named and defined as in Keras 3 (`keras.callbacks`)."""

from __future__ import annotations

import csv
import inspect
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nn.callbacks.base import Callback, Logs
from nn.errors import ConfigError, NotFiniteError
from nn.lazy import load

RISING = (
    "acc", "auc", "precision", "recall", "f1", "fbeta", "r2_score", "cosine_similarity",
    "true_positives", "true_negatives", "specificity", "sensitivity", "io_u", "correlation",
)  # fmt: skip
"""Parts of the names of metrics that are better the larger they are."""


class Monitor(Callback):
    """Base of callbacks that compare one logged value from epoch to epoch.

    An epoch whose logs lack the value (stopped, not validated) is passed over.

    Args:
        monitor: a key of the epoch's logs.
        mode: "min", "max" or "auto" (max for accuracies, AUC, precision, recall and others).
        min_delta: smallest change that counts as an improvement.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0.0
    ) -> None:
        if mode not in ("auto", "min", "max"):
            raise ConfigError(f"{type(self).__name__}: unknown mode {mode!r}")
        self.monitor = monitor
        self.upwards = mode == "max" or (mode == "auto" and any(r in monitor for r in RISING))
        self.min_delta = abs(min_delta)
        self.best = -math.inf if self.upwards else math.inf
        self.warned = False

    def value(self, logs: Logs | None) -> float | None:
        """Return the monitored value; None where an epoch has none.

        An epoch that `stop` ended early is not validated, nor is one between two of
        `validation_freq`. Any other epoch without the value warns, once.
        """
        found = (logs or {}).get(self.monitor)
        if found is not None:
            return float(found)
        self.pass_over(self.monitor, logs or {})
        return None

    def pass_over(self, key: str, logs: Logs) -> None:
        """Warn, once, that logs lack a key, unless the epoch was stopped or not validated."""
        skipped = (
            key.startswith("val_")
            and self.params.get("validates", False)
            and not any(name.startswith("val_") for name in logs)
        )
        if self.warned or skipped or not self.model.epoch_finished:
            return
        self.warned = True
        warnings.warn(
            f"{type(self).__name__}: expected one of {sorted(logs)} to monitor, received {key!r}",
            stacklevel=2,
        )

    def better(self, value: float) -> bool:
        """Return whether `value` improves on the best so far by more than `min_delta`."""
        gain = value - self.best if self.upwards else self.best - value
        return gain > self.min_delta


class EarlyStopping(Monitor):
    """Stop training when the monitored value has not improved for `patience` epochs.

    Args:
        baseline: value to improve on from the first epoch.
        restore_best_weights: end with the weights of the best epoch.
        start_from_epoch: first epoch to monitor.
    """

    remembers = ("wait", "stopped_epoch", "best_epoch", "best", "best_weights")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.best = -math.inf if self.upwards else math.inf
        self.best_weights: Any = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.better(value):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._beats_baseline(value):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _beats_baseline(self, value: float) -> bool:
        assert self.baseline is not None
        gain = value - self.baseline if self.upwards else self.baseline - value
        return gain > self.min_delta

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by `factor` after `patience` epochs without improvement.

    Args:
        cooldown: epochs to wait after a reduction before counting again.
        min_lr: lower bound of the learning rate.
        baseline: value to improve on from the first epoch.
    """

    remembers = ("wait", "cooling", "best")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        *,
        baseline: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.baseline = baseline
        if factor >= 1:
            raise ConfigError(f"ReduceLROnPlateau: factor must be below 1, received {factor}")
        self.factor = factor
        self.patience = patience
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.cooling = 0
        self.best = -math.inf if self.upwards else math.inf
        if self.baseline is not None:
            self.best = self.baseline

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.current_learning_rate()
        value = self.value(logs)
        if value is None:
            return
        if self.cooling > 0:
            self.cooling -= 1
            self.wait = 0
        if self.better(value):
            self.best, self.wait = value, 0
        elif self.cooling <= 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce()

    def _reduce(self) -> None:
        optimizer = self.model.optimizer
        rate = _settable(self, optimizer)
        if rate > self.min_lr:
            optimizer.learning_rate = max(rate * self.factor, self.min_lr)
            self.cooling, self.wait = self.cooldown, 0


def _settable(callback: Callback, optimizer: Any) -> Any:
    """Return the learning rate.

    Raises:
        ConfigError: it is a schedule, which a callback can't change.
    """
    rate = optimizer.rate
    if callable(rate):
        raise ConfigError(
            f"{type(callback).__name__}: the learning rate is a schedule, expected a number"
        )
    return rate


class LearningRateScheduler(Callback):
    """Set the learning rate of each epoch to `schedule(epoch, learning_rate)`.

    The schedule may be a coroutine, and may take the epoch alone.

    Raises:
        ConfigError: it returned no number, or the optimizer has a schedule of its own.
    """

    remembers = ("epoch",)

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        self.schedule = schedule
        self.epoch: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = None

    async def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch == self.epoch:
            return  # resumed within an epoch whose rate is already set
        self.epoch = epoch
        optimizer = self.model.optimizer
        given = (epoch, float(_settable(self, optimizer)))
        rate = self.schedule(*given if _takes_two(self.schedule) else given[:1])
        rate = await rate if inspect.isawaitable(rate) else rate
        try:
            optimizer.learning_rate = float(rate)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"LearningRateScheduler: expected a number for epoch {epoch}, received {rate!r}"
            ) from error

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.current_learning_rate()


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # written in C: Python does not know
        pass
    return True


class TerminateOnNaN(Callback):
    """Stop training when the loss is NaN or infinite.

    Raises:
        NotFiniteError: the loss is not finite and `raise_error` is True.
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("batch_loss", 0.0)
        if math.isfinite(loss):
            return
        if self.raise_error:
            raise NotFiniteError(f"batch {batch}: expected a finite loss, received {loss}")
        self.model.stop_training = True


class CSVLogger(Callback):
    """Write one row per epoch to a CSV file. Use `append=True` for a resumed run.

    The columns are those of the first epoch. Where it was not validated and others will be, the
    same with `val_` before are among them, and "NA" stands in rows without a value.
    """

    remembers = ("keys",)

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        self.filename = Path(filename)
        self.separator = separator
        self.append = append

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.keys: list[str] | None = None
        if not self.append:
            self.filename.write_text("")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        row = {"epoch": epoch, **(logs or {})}
        with self.filename.open("a", newline="") as file:
            if self.keys is None:
                self.keys = ["epoch", *self._columns(logs or {})]
                if not self.filename.stat().st_size:
                    csv.writer(file, delimiter=self.separator).writerow(self.keys)
            values = [row.get(key, "NA") for key in self.keys]
            csv.writer(file, delimiter=self.separator).writerow(values)

    def _columns(self, logs: Logs) -> list[str]:
        found = sorted(logs)
        if self.params.get("validates") and not any(key.startswith("val_") for key in found):
            found += [f"val_{key}" for key in found if key != "learning_rate"]
        return found


class ModelCheckpoint(Monitor):
    """Save the model after each epoch, in the format that the file's name says.

    An epoch whose logs lack the monitored value, or one in the name, is passed over.

    Args:
        filepath: a path that ends in .keras, .npz (which also keeps generators and the place in the
            run, for `fit(resume=True)`), .safetensors or .onnx, and may contain {epoch} and
            {val_loss:.2f}; or, for pages without a file system, a function (possibly async) called
            with the bytes of an .npz file and the epoch.
        save_best_only: save only if the monitored value is the best so far.
        save_weights_only: leave out optimizer, generator and history; the path ends in .weights.h5,
            .npz or .safetensors.
        save_freq: "epoch", or the number of batches between two saves.
        initial_value_threshold: value to improve on from the first epoch.
    """

    remembers = ("best", "batches", "epoch")
    comes_last = True

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise ConfigError(
                "ModelCheckpoint: save_freq must be 'epoch' or a number of batches, "
                f"received {save_freq!r}"
            )
        self.filepath = filepath
        self.format = "safetensors" if save_weights_only else "npz"
        if not callable(filepath):
            self.format = load("nn.io").format_of(filepath, weights_only=save_weights_only)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        if initial_value_threshold is not None:
            self.best = initial_value_threshold
        self.batches = 0
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    async def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.batches += 1
        if self.save_freq != "epoch" and self.batches % self.save_freq == 0:
            await self._save(self.epoch, logs)

    async def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            await self._save(epoch, logs)

    async def _save(self, epoch: int, logs: Logs | None) -> None:
        if self.save_best_only:
            value = self.value(logs)
            if value is None or not self.better(value):
                return
            self.best = value
        if callable(self.filepath):
            result = self.filepath(self._bytes(), epoch)
            if inspect.isawaitable(result):
                await result
            return
        path = self._path(epoch, logs or {})
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            load("nn.io.file").write(path, self._bytes())

    def _bytes(self) -> bytes:
        io = load("nn.io")
        save = io.save_weights if self.save_weights_only else io.save
        data: bytes = save(self.model, self.format)
        return data

    def _path(self, epoch: int, logs: Logs) -> Path | None:
        """Return where to save; None where the name holds a value that these logs lack."""
        try:
            return Path(str(self.filepath).format(**{**logs, "epoch": epoch + 1}))
        except KeyError as error:
            self.pass_over(str(error.args[0]), logs)
            return None


class ProgbarLogger(Callback):
    """Write one line of text per epoch, to standard output or to the function `write`."""

    def __init__(self, write: Callable[[str], Any] | None = None) -> None:
        self.write = write or _standard_output

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        numbers = " - ".join(f"{k}: {v:.4f}" for k, v in (logs or {}).items())
        self.write(f"Epoch {epoch + 1}/{self.params.get('epochs')} - {numbers}")


def _standard_output(line: str) -> None:
    import sys

    sys.stdout.write(line + "\n")
