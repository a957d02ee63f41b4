"""Trainer: compile, fit, evaluate and predict, with the signatures of Keras' `Trainer`.

The methods are here; what only training needs is imported by their first call, so that a page that
only predicts has nothing of `nn.training` (`nn.lazy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.data.numeric import optional, whole
from nn.data.source import ArraySource, Batch, IndexedSource, StreamSource, each, warn_of_few
from nn.errors import EmptyError, NotCompiledError
from nn.lazy import load
from nn.models.network import Network
from nn.models.program import PrepareWeights
from nn.models.run_control import Progress
from nn.models.signature import as_list, is_indexed, is_stream
from nn.types import Array

if TYPE_CHECKING:
    from typing import Protocol

    from nn.callbacks.base import History
    from nn.losses.base import Loss
    from nn.optimizers.base import Optimizer

    class CompiledStep(Protocol):
        """What the engine uses of `nn.training.step.TrainingStep`, which `compile` makes."""

        optimizer: Optimizer
        settings: dict[str, Any]
        runs_on: str
        gpu_bytes: int

        @property
        def losses(self) -> list[Loss | None]: ...

        def begin(self, resume: bool) -> None: ...

        def prepare(self) -> None: ...

        def check_device(self) -> None: ...

        distribution: Any

        def executor(self, source: Any, every: int | None) -> Any: ...

        def evaluator(self, source: Any) -> Any: ...

        def shared_evaluation(self) -> Any: ...

        def gradient_step(
            self, inputs: Sequence[Array], targets: Sequence[Any], weights: Sequence[Any], size: int
        ) -> float: ...

        def train_step(
            self, inputs: Sequence[Array], targets: Sequence[Any], weights: Sequence[Any], size: int
        ) -> float: ...

        def test_step(
            self, inputs: Sequence[Array], targets: Sequence[Any], weights: Sequence[Any], size: int
        ) -> float: ...

        def train_logs(self) -> dict[str, Any]: ...

        def test_logs(self) -> dict[str, Any]: ...

        def reset_train(self) -> None: ...

        def reset_test(self) -> None: ...


BATCH = 128
"""The batch size of `predict` and `evaluate` where none is given."""


class Trainer(Network):
    """The methods of a model that train it, evaluate it and predict with it."""

    def __init__(self, inputs: Any = None, outputs: Any = None, **options: Any) -> None:
        super().__init__(inputs, outputs, **options)
        self._trainer: CompiledStep | None = None
        self._progress = Progress()
        self.history: History | None = None
        self.run_state: Any = None

    # Training.

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        *,
        device: str = "cpu",
        **others: Any,
    ) -> None:
        """Choose how to train; the arguments and their order are Keras', but for `device`.

        Args:
            optimizer: a name or an Optimizer.
            loss: a name or a Loss; a list or a dict by output name for several outputs.
            loss_weights: factors of the losses, in the order of the outputs.
            metrics: names or Metrics; nested for several outputs like `loss`.
            weighted_metrics: metrics that `sample_weight` and `class_weight` apply to.
            device: where `fit` and `evaluate` take their steps: "cpu"; "gpu", after
                `await nn.gpu.open()`, which refuses what it has no kernels for; or "auto", which
                then takes the CPU, and else the faster of the two.
            others: Keras' other arguments, at their defaults.

        Raises:
            ConfigError: one of `others` has another value than Keras' default, or the device is
                "gpu" and a part of the model has no kernels for it.
        """
        before = self._trainer
        self._trainer = load("nn.training.step").compiled(
            self, optimizer, loss, loss_weights, metrics, weighted_metrics, device, others
        )
        if self._graph is None:
            return
        self.pack()
        try:
            self._trainer.check_device()
        except Exception:
            self._trainer = before
            raise

    async def fit(
        self,
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
        validation_freq: Any = 1,
        *,
        seed: int | None = None,
        prefetch: int = 0,
        resume: bool = False,
        **hooks: Any,
    ) -> History:
        """Train the model; other work on the event loop gets its turn after 8 ms of batches.

        Args:
            x: an array or nested lists, a list of them or a dict by name, a Dataset, a (possibly
                async) generator of (x, y[, weights]), or an object that gives these by number as
                Keras' PyDataset.
            y: targets; not for a Dataset with labels or a generator.
            batch_size: samples to a step, 32 by default; the last step of an epoch may have fewer.
            epochs: the number of the last epoch, counted from 1.
            verbose: 1 prints a line for each epoch.
            callbacks: Callback objects.
            validation_split: take this fraction from the end of the data, before shuffling, to
                validate.
            validation_data: (x, y), (x, y, weights), a Dataset or a generator.
            shuffle: draw a new order for each epoch.
            class_weight: factor of each integer class.
            sample_weight: factor of each sample.
            initial_epoch: the number of the first epoch, counted from 0.
            steps_per_epoch: end an epoch after so many batches; a warning says that the data had
                fewer.
            validation_steps: end a validation after so many batches.
            validation_batch_size: samples to a batch of validation; `batch_size` by default.
            validation_freq: validate after each so many epochs, or after those in a list.
            seed: of the shuffles and dropouts of this run, to repeat it exactly.
            prefetch: batches to prepare ahead; see `nn.data.loading.prefetch`.
            resume: continue the model's last run, or that of its checkpoint, exactly where it
                stopped; `initial_epoch` and `seed` are ignored. Give everything else again; a
                generator starts from its first batch.
            hooks: `on_batch_end=function` and the like, in place of a LambdaCallback.

        Returns:
            The logs of every epoch. `nn.training.loop` says what logs hold.

        Raises:
            BusyError: the model is being trained.
            NotCompiledError: `compile` was not called.
            ShapeError: data do not fit the model or each other.
            ConfigError: there is no run to resume.
        """
        history: History = await load("nn.training.loop").fit(
            self,
            x,
            y,
            batch_size,
            epochs,
            verbose,
            callbacks,
            validation_split,
            validation_data,
            shuffle,
            class_weight,
            sample_weight,
            initial_epoch,
            steps_per_epoch,
            validation_steps,
            validation_batch_size,
            validation_freq,
            seed=seed,
            prefetch=prefetch,
            resume=resume,
            hooks=hooks,
        )
        return history

    async def evaluate(
        self,
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
        """Return loss and metrics over the data; no weight changes.

        It runs on the device of `compile`; with "auto", where the last `fit` ran.

        Args:
            x: as for `fit`.
            y: targets, as for `fit`.
            batch_size: samples to a batch, 128 by default.
            verbose: accepted, and without effect.
            sample_weight: factor of each sample.
            steps: end after so many batches.
            callbacks: Callback objects.
            return_dict: return a dict by name.
            hooks: `on_test_batch_end=function` and the like.

        Returns:
            [loss, *metrics], a float where there are no metrics, or a dict.

        Raises:
            EmptyError: the data gave no batch.
            NotCompiledError: `compile` was not called.
        """
        return await load("nn.training.evaluation").evaluate(
            self,
            x,
            y,
            BATCH if batch_size is None else batch_size,
            sample_weight,
            steps,
            callbacks,
            return_dict,
            hooks,
        )

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one training step; return [loss, *metrics] of this batch, or a dict."""
        loop = load("nn.training.loop")
        return loop.train_on_batch(self, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Return [loss, *metrics] of one batch, or a dict; no weight changes."""
        return load("nn.training.loop").test_on_batch(self, x, y, sample_weight, return_dict)

    @property
    def trainer(self) -> CompiledStep:
        """The compiled training step.

        Raises:
            NotCompiledError: `compile` was not called.
        """
        if self._trainer is None:
            raise NotCompiledError(f"{self.name}: call compile(optimizer, loss) first")
        return self._trainer

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._trainer is not None

    @property
    def device(self) -> str:
        """Where the steps of the last `fit` ran: "cpu", "cpu: " and why, or the GPU's name; while a
        GPU prepares, its name, ": " and what it does."""
        return self.trainer.runs_on

    @property
    def distribution(self) -> str:
        """Who trains the model, and which way they exchange: "1 worker", "2 workers, ports"."""
        return repr(self.trainer.distribution or "1 worker").strip("'")

    @property
    def optimizer(self) -> Optimizer:
        return self.trainer.optimizer

    @property
    def loss(self) -> Loss | None:
        return self.trainer.losses[0]

    def prepare_weights(self, prepare: PrepareWeights) -> None:
        super().prepare_weights(prepare)
        self._trainer = None

    def reset_metrics(self) -> None:
        """Reset the running means of training."""
        self.trainer.reset_train()

    @property
    def metrics_names(self) -> list[str]:
        return list(self.trainer.train_logs())

    # Prediction.

    async def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = 0,
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the outputs for `x`; other work on the event loop gets its turn after every batch.

        Args:
            x: as for `fit`, without targets.
            batch_size: samples to a batch, 128 by default.
            verbose: accepted, and without effect.
            steps: end after so many batches.
            callbacks: Callback objects.

        Returns:
            An array (n, ...), or one output where `x` is one sample without batch axis; a list of
            these for several outputs, a dict for a dict of outputs.

        Raises:
            EmptyError: the data gave no batch.
        """
        size = BATCH if batch_size is None else whole(batch_size, "batch_size")
        steps = optional(steps, "steps")
        results: list[list[Array]] = []
        if not is_stream(x):
            self.build_from(x)
            signature = self.signature
            data, single = signature.sources(x)
            source: Any = ArraySource(data, signature.dtypes, [], [], size, steps)
        else:
            single = False
            kind = IndexedSource if is_indexed(x) else StreamSource
            source = kind(x, self._batch_without_targets, steps)
        calls = self._callback_list(as_list(callbacks), source.steps)
        await calls.call("on_predict_begin", {})
        self.progress.begin_predictions()
        async for batch in each(source.batches(None)):
            index = len(results)
            await calls.call_batch("on_predict_batch_begin", index, {})
            results.append([y.copy() for y in self.run(batch.inputs)])
            await calls.call_batch("on_predict_batch_end", index, {"outputs": results[-1]})
            await self.progress.give_way()
        await calls.land()
        await calls.call("on_predict_end", {})
        if not results:
            raise EmptyError(f"{self.name}: the data gave no batch to predict")
        warn_of_few(self.name, len(results), steps)
        outputs = [
            np.concatenate(parts) if len(parts) > 1 else parts[0]
            for parts in zip(*results, strict=True)
        ]
        return self.arranged([y[0] for y in outputs] if single else outputs)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch, as one array (a list or dict for several outputs)."""
        self.build_from(x)
        arrays, _ = self.signature.arrays(x)
        return self.arranged([y.copy() for y in self.run(arrays)])

    def _batch_without_targets(self, item: Any) -> Batch:
        inputs = item[0] if isinstance(item, tuple) and len(item) in (2, 3) else item
        self.build_from(inputs)
        return Batch(self.signature.arrays(inputs)[0], [], [], 0)

    def _callback_list(self, callbacks: list[Any], steps: int | None) -> Any:
        if not callbacks:
            return NoCallbacks()
        return load("nn.callbacks").CallbackList(callbacks, self, {"steps": steps})

    # Control of a running fit.

    def stop(self) -> None:
        """End the running `fit` after the current batch; it returns its history so far."""
        self._progress.stop()

    def pause(self) -> None:
        """Hold the running `fit` after the current batch."""
        self._progress.pause()

    def resume(self) -> None:
        """Continue a paused `fit`."""
        self._progress.resume()

    @property
    def state(self) -> str:
        """One of "idle", "training", "paused" and "stopping"."""
        return self._progress.state

    @property
    def epoch_finished(self) -> bool:
        """Whether the latest epoch of `fit` ran all its batches: False while an epoch is running,
        and where `stop` ended it early."""
        return self._progress.epoch_finished

    @property
    def progress(self) -> Progress:
        return self._progress

    @property
    def stop_training(self) -> bool:
        """Set by callbacks, as in Keras: True ends the run after the current batch."""
        return self._progress.stopping

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self._progress.stopping = bool(value)


class NoCallbacks:
    """An empty list of callbacks, for predicting where the part that trains is not loaded."""

    async def call(self, name: str, *arguments: Any) -> None:
        """Do nothing."""

    async def call_batch(self, name: str, batch: int, logs: dict[str, Any]) -> None:
        """Do nothing."""

    async def land(self) -> None:
        """Return immediately: no call is in flight."""
