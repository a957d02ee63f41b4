"""Training as the page's options say: what the program under "As Python" does, done here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import nn
import numpy as np
from nn.callbacks import Callback
from nn.config import separate_seed
from nn.data import Dataset
from nn.errors import ConfigError

from app.lab import augmentation
from app.lab.hardware import Hardware
from app.lab.images.features import Featured
from app.lab.images.mnist import Mnist
from app.language import tr

CHANGES = ("shift", "rotate", "zoom", "noise")


class Training:
    """Served as `lab.training`. Options are a dict with the names of `app.state.settings`.

    Args:
        mnist: the data sets that the page trains on.
        observers: callbacks of every run.
        hardware: what opens the GPU.
    """

    def __init__(
        self, mnist: Mnist, observers: Sequence[Callback] = (), hardware: Hardware | None = None
    ) -> None:
        self._mnist = mnist
        self._hardware = hardware or Hardware()
        self._observers = observers
        self._rng = np.random.default_rng(0)
        self._optimizers: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._plan: tuple[str, int, int] = ("constant", 0, 0)  # schedule, batches, first iteration
        self.rate = 0.0  # before the schedule; it may be changed during a run

    def adopt(self, model: Any) -> None:
        """Go on with the optimizer that a model from a checkpoint has."""
        self._optimizers[model] = model.optimizer

    def compile(
        self,
        model: Any,
        options: dict[str, Any],
        batches: int = 0,
        done: int = 0,
        device: str = "cpu",
    ) -> None:
        """Compile a model; an optimizer of the same class is kept with its state.

        Args:
            model: the model.
            options: optimizer (class name), lr, schedule, l2.
            batches: of the whole run, which its schedule is spread over; 0 is no run.
            done: batches of the run that are done already.
            device: where `fit` takes its steps.

        Raises:
            ConfigError: the device is "gpu", which has no kernels for a layer.
        """
        kind = getattr(nn.optimizers, options["optimizer"])
        held = self._optimizers.get(model)
        optimizer: Any = held if type(held) is kind else kind(learning_rate=options["lr"])
        first = max(0, optimizer.iterations - done)
        self._plan = (options["schedule"] if batches else "constant", batches, first)
        self.rate = options["lr"]
        optimizer.learning_rate = schedule(self.rate, *self._plan)
        _penalise(model, options["l2"])
        self._optimizers[model] = optimizer
        model.compile(
            optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], device=device
        )

    def advance(self, model: Any) -> None:
        """Train one batch of a paused run, which stays paused."""
        model.progress.advance()

    def set_rate(self, model: Any, rate: float) -> None:
        """Change the learning rate of a run in progress; its schedule goes on from there."""
        self.rate = rate
        if model in self._optimizers:  # else `fit` compiles it with this rate
            model.optimizer.learning_rate = schedule(rate, *self._plan)

    def images(self, options: dict[str, Any]) -> Dataset:
        """Return the training images that the options choose, with their random changes.

        Features that were computed ahead are of pictures without changes.
        """
        data = self._mnist.train.take(min(options["subset"], len(self._mnist.train)))
        choice = {name: options[name] for name in CHANGES}
        if isinstance(data, Featured) or not any(choice.values()):
            return data
        return augmentation.changed(data, choice, options["seed"])

    async def fit(
        self,
        model: Any,
        options: dict[str, Any],
        run: dict[str, Any],
        on_batch: Callable[[int, dict[str, Any]], Any],
        on_epoch: Callable[[int, dict[str, Any]], Any],
        checkpoints: Callback | None = None,
    ) -> bool:
        """Train; return whether the last epoch was cut short.

        Args:
            model: the model.
            options: all that the program under "As Python" states.
            run: seed (of this run), done (batches that are done already), first (number of
                the first epoch), resume (whether the model goes on from its checkpoint).
            on_batch: called with index and logs of each batch.
            on_epoch: called with number and logs of each epoch that was finished.
            checkpoints: the callback that saves the run as it goes on.
        """
        self.rate = options["lr"]
        images = self.images(options)
        report = _Report(on_epoch)
        callbacks: list[Callback] = [*self._observers, _LearningRate(), nn.TerminateOnNaN()]
        if checkpoints is not None:
            callbacks.append(checkpoints)
        if options["patience"]:
            callbacks.append(
                nn.EarlyStopping(
                    monitor="val_loss", patience=options["patience"], restore_best_weights=True
                )
            )
        given = {
            "validation_data": self._mnist.test,
            "epochs": options["epochs"],
            "batch_size": options["batch"],
            "seed": run["seed"],
            "resume": run["resume"],
            "initial_epoch": 0 if run["resume"] else run["first"],
            "callbacks": [*callbacks, report],
            "on_batch_end": on_batch,
        }
        await self._fit(model, options, run["done"], images, given)
        return report.cut_short

    async def _fit(
        self, model: Any, options: dict[str, Any], done: int, images: Dataset, given: dict[str, Any]
    ) -> None:
        """Train where the options say; on the CPU where the GPU can't train this network."""
        batches = options["epochs"] * -(-len(images) // options["batch"])
        for device in (await self._hardware.choose(options["device"]), "cpu"):
            try:
                with _sharing(model, options):
                    now = {**options, "lr": self.rate}  # it may have been changed meanwhile
                    self.compile(model, now, batches, done, device)
                await model.fit(images, **given)
            except ConfigError as error:  # before the first step
                if device == "cpu":
                    raise
                self._hardware.refused = str(error)
            else:
                return

    def step(self, model: Any, size: int) -> dict[str, float]:
        """Train one batch of random images; return its {loss, accuracy}."""
        indices = self._rng.integers(0, len(self._mnist.train), size)
        images, digits = self._mnist.training_images(indices)
        model.reset_metrics()
        logs = model.train_on_batch(self._mnist.read(images), digits, return_dict=True)
        return {name: float(value) for name, value in logs.items()}


@contextmanager
def _sharing(model: Any, options: dict[str, Any]) -> Iterator[None]:
    """Context manager: a model that is compiled in it is trained by the team of this worker.

    Single steps, and what else is compiled later, are this worker's alone.
    """
    if options["cores"] == 1:
        yield
        return
    _penalise(model, options["l2"])
    alone = None if _penalties(model) == _penalties(_twin(model)) else tr("its penalty was changed")
    group = alone and nn.distribution.Alone(alone)
    nn.distribution.set_distribution(nn.distribution.DataParallel(group))
    try:
        yield
    finally:
        nn.distribution.set_distribution(None)


def _twin(model: Any) -> Any:
    """Return the network that the other workers of a team make of what they are sent."""
    with separate_seed(0):
        return type(model).from_config(model.get_config())


def _penalties(model: Any) -> list[Any]:
    return [v.regularizer and v.regularizer.get_config() for v in model.trainable_variables]


def schedule(rate: float, kind: str, batches: int, first: int = 0) -> Any:
    """Return the learning rate of a run, as an optimizer takes it.

    Args:
        rate: the rate that the run begins with.
        kind: "constant", "cosine" (to zero at the end) or "step" (a tenth after each third).
        batches: of the whole run.
        first: iterations that the optimizer had done before the run.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "constant":
        return rate
    if kind == "cosine" and first:
        return nn.schedules.CosineDecay(rate, batches, warmup_target=rate, warmup_steps=first)
    if kind == "cosine":
        return nn.schedules.CosineDecay(rate, batches)
    if kind == "step":
        thirds = [first - (-batches // 3) - 1, first - (-2 * batches // 3) - 1]
        rates = [rate * 0.1**third for third in range(3)]
        return nn.schedules.PiecewiseConstantDecay(thirds, rates)
    raise ValueError(f"schedule: expected constant, cosine or step, received {kind!r}")


def _penalise(model: Any, l2: float) -> None:
    """Set the penalty of weights; a network from a file, or with other options, has another."""
    penalty = nn.regularizers.L2(l2) if l2 else None
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:  # weights, not biases
            variable.regularizer = penalty


class _LearningRate(Callback):
    """Adds the learning rate of each batch to its logs."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        rate = optimizer.rate
        logs["learning_rate"] = float(rate(optimizer.iterations - 1) if callable(rate) else rate)


class _Report(Callback):
    """Hands finished epochs to the page, and notes whether the last one was cut short."""

    def __init__(self, on_epoch: Callable[[int, dict[str, Any]], Any]) -> None:
        super().__init__()
        self.cut_short = False
        self._on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> Any:
        self.cut_short = not self.model.epoch_finished
        return None if self.cut_short else self._on_epoch(epoch, logs)
