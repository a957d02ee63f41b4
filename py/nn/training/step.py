"""One training step: forward, loss, backward, optimizer, metrics."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import chain, count
from typing import Any

from nn import losses as losses_
from nn import optimizers
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import LeftOut, refuse_all
from nn.layers.fusion import fuses_loss
from nn.lazy import load
from nn.losses import Loss, masked_weight
from nn.metrics import Mean, MeanMetric
from nn.models.model import Model
from nn.models.program import program_for
from nn.optimizers import Optimizer
from nn.training.compiled_outputs import Output, nested, numbers, per_output
from nn.training.program import TrainingProgram
from nn.types import Array

COMPILE_LEFT_OUT: LeftOut = {
    "run_eagerly": (False, "nothing is traced, every step is eager"),
    "steps_per_execution": (1, "the event loop has its turn after 8 ms of batches"),
    "jit_compile": ("auto", "kernels are compiled beforehand"),
    "auto_scale_loss": (True, "float32 gradients do not underflow as float16's do"),
}

HINTS = ("run_eagerly", "jit_compile")
"""Those that may be True or False: they say how Keras runs a step, which changes no number."""

Names = tuple[list[tuple[str, Output]], list[tuple[str, Output, int]]]
"""Outputs by the names of their losses, where there are several, and metrics by their names: the
output of each, and its place there."""

DEVICES = ("cpu", "gpu", "auto")
_distribution: Any = None


def distribution() -> Any:
    """Return what `set_distribution` set, or None."""
    return _distribution


def set_distribution(value: Any) -> None:
    """Share the batches of models that are compiled from now on, as `nn.distribution` says.

    Args:
        value: a `nn.distribution.DataParallel`, or None for models of one worker.

    Raises:
        ConfigError: it is something else.
    """
    global _distribution
    if value is not None and not hasattr(value, "group"):
        raise ConfigError(f"distribution: expected a DataParallel or None, received {value!r:.80}")
    _distribution = value


def compiled(
    model: Model,
    optimizer: Any,
    loss: Any,
    loss_weights: Any,
    metrics: Any,
    weighted_metrics: Any,
    device: str,
    others: dict[str, Any],
) -> TrainingStep:
    """Return the training step of a model; `Model.compile` says what the arguments are."""
    others = {n: v for n, v in others.items() if n not in HINTS or not isinstance(v, bool)}
    refuse_all(type(model), COMPILE_LEFT_OUT, others)
    if not isinstance(device, str) or device not in DEVICES:
        raise ConfigError(f"device: expected one of {DEVICES}, received {device!r:.80}")
    return TrainingStep(
        model, optimizers.get(optimizer), loss, metrics, loss_weights, weighted_metrics, device
    )


class TrainingStep:
    """Runs one training step: forward, loss, backward, optimizer. `compile` makes it."""

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        loss: Any,
        metrics: Any,
        loss_weights: Any,
        weighted_metrics: Any,
        device: str = "cpu",
    ) -> None:
        self.model = model
        self.device = device
        self.distribution = distribution()
        if self.distribution is not None and device == "gpu":
            raise ConfigError("device: expected 'cpu' where several workers train, received 'gpu'")
        self.runs_on = "cpu"
        self.gpu_bytes = 0
        self.optimizer = optimizer
        self.settings = {
            "loss": loss,
            "metrics": metrics,
            "loss_weights": loss_weights,
            "weighted_metrics": weighted_metrics,
        }
        self._made: list[Output] | None = None
        self._names: Names | None = None
        self._tracker = Mean("loss")
        self.test_tracker = Mean("loss")
        self._step_for: Any = None
        self._program: TrainingProgram | None = None
        self._regularized: list[Any] = []
        for item in loss if isinstance(loss, list | tuple) else [loss]:
            if not isinstance(item, dict) or "class_name" in item:
                self._loss(item)

    @staticmethod
    def _loss(identifier: Any) -> Loss | None:
        return None if identifier is None else losses_.get(identifier)

    @property
    def outputs(self) -> list[Output]:
        """One for each output of the model, made when the model's shapes are known."""
        if self._made is None:
            self._made = self._make()
        return self._made

    @property
    def losses(self) -> list[Loss | None]:
        return [o.loss for o in self.outputs]

    def _make(self) -> list[Output]:
        names = self.model.output_names
        s = self.settings
        count = len(names)
        chosen = per_output(s["loss"], names, "loss")
        weights = numbers(per_output(s["loss_weights"], names, "loss_weights"))
        metrics = nested(s["metrics"], names, "metrics")
        weighted = nested(s["weighted_metrics"], names, "weighted_metrics")
        made = [
            Output(
                self._loss(chosen[i]),
                weights[i],
                metrics[i],
                weighted[i],
            )
            for i in range(count)
        ]
        if s["loss"] is not None and all(o.loss is None for o in made):
            raise ConfigError(f"{self.model.name}: no loss for any output of {names}")
        return made

    # Steps.

    def begin(self, resume: bool) -> None:
        """Start a run; `resume` continues an interrupted one."""
        if resume:
            self.prepare()
        self.optimizer.begin(resume)

    def prepare(self) -> None:
        """Bind to the model's memory; cheap when nothing changed."""
        model = self.model
        parameters = model.parameters
        program = model.program
        key = (parameters, program)
        if self._step_for == key:
            return
        if self.optimizer.parameters is not parameters:
            self.optimizer.build(parameters)
        self._program = program_for(
            "cpu",
            model.graph,
            parameters,
            training=self,
            context=program.ctx,
            predicting=program,
        )
        fused = [
            tensor
            if output.loss is not None and fuses_loss(model.graph, tensor, output.loss)
            else None
            for output, tensor in zip(self.outputs, model.outputs, strict=True)
        ]
        for output, context in zip(self.outputs, self._program.fuse_losses(fused), strict=True):
            output.fused = context
        self._regularized = [v for v in model.variables if v.regularizer is not None]
        self._step_for = key

    def prepare_again(self) -> None:
        """Bind again: the distribution has changed."""
        self._step_for = None
        self.prepare()

    @property
    def program(self) -> TrainingProgram:
        """The program that runs the steps, in the model's memory."""
        self.prepare()
        assert self._program is not None
        return self._program

    def check_device(self) -> None:
        """Refuse what the device "gpu" can't train, if it was chosen.

        Raises:
            ConfigError: a part of the model has no kernels for it; the message names it.
        """
        if self.device == "gpu":
            self.prepare()
            load("nn.gpu.training").check(self)

    def executor(self, source: Any, every: int | None) -> Any:
        """Return what takes the steps of a `fit` with these data, or None: `train_step` does.

        That is a member of a team where a distribution was set, or what trains on the GPU.

        Raises:
            ConfigError: the device is "gpu", and there is none, or it can't train this model.
        """
        self.runs_on = "cpu"
        if self.distribution is not None:
            self.prepare()
            if hasattr(self.distribution.group, "send"):
                return load("nn.distribution.leading").LedTraining(self, source)
            return load("nn.distribution.training").TeamTraining(self, source)
        if self.device == "cpu":
            return None
        self.prepare()
        try:
            made = program_for(
                "gpu",
                self.model.graph,
                self.model.parameters,
                training=self,
                context=self.model.program.ctx,
                source=source,
                every=every,
            )
        except ConfigError as error:
            if self.device == "gpu":
                raise
            self.runs_on = f"cpu: {error}"
            return None
        self.runs_on = made.name
        return made

    def evaluator(self, source: Any) -> Any:
        """Return what evaluates these data elsewhere than on the CPU, or None.

        Raises:
            ConfigError: the device is "gpu", and there is none.
        """
        if self.device == "cpu" or self.runs_on.startswith("cpu:") or self.distribution is not None:
            return None
        if self.device == "auto" and self.runs_on == "cpu":  # it was not measured
            return None
        self.prepare()
        return load("nn.gpu.evaluation").GpuEvaluation(self, source)

    def train_step(
        self, inputs: Sequence[Array], targets: Sequence[Any], weights: Sequence[Any], size: int
    ) -> float:
        """Forward, backward and an optimizer step; returns the loss of this batch."""
        return self.program.step(((inputs, targets, weights, size),))[0]

    def gradient_step(
        self, inputs: Sequence[Array], targets: Sequence[Any], weights: Sequence[Any], size: int
    ) -> float:
        """Forward and backward: leave the gradients in the model's buffer; returns the loss."""
        return self.program.gradients((inputs, targets, weights, size))

    def test_step(
        self, inputs: Sequence[Array], targets: Sequence[Any], weights: Sequence[Any], size: int
    ) -> float:
        """Forward and loss; changes no weight; returns the loss of this batch."""
        ys = self.program.forward(inputs, False)
        return self.apply_losses(ys, targets, weights, size, False)[0]

    def regularize(self) -> None:
        """Add the gradients of the penalties on weights."""
        if not self._regularized:
            return
        views = self.model.parameters.views
        for variable in self._regularized:
            gradient = views.get(variable)
            if gradient is not None:
                variable.regularizer.add_gradient(variable.value, gradient)

    def apply_losses(
        self,
        ys: Sequence[Array],
        targets: Sequence[Any],
        weights: Sequence[Any],
        size: int,
        training: bool,
    ) -> tuple[float, list[Array | None]]:
        """Return the loss and the gradients of the outputs; update the running means."""
        assert self._program is not None
        program = self._program.program
        masks = list(map(program.masks.__getitem__, program.outputs))
        total, gradients = self.output_losses(ys, targets, weights, size, training, masks)
        if self._regularized:
            total += self.weights_penalty()
        total += program.ctx.run.penalty
        (self._tracker if training else self.test_tracker).add(total * size, size)
        return total, gradients

    def output_losses(
        self,
        ys: Sequence[Array],
        targets: Sequence[Any],
        weights: Sequence[Any],
        size: int,
        training: bool,
        masks: Sequence[Any],
    ) -> tuple[float, list[Array | None]]:
        """Return the outputs' loss, without penalties, and the gradients of the outputs; update
        the outputs' running means."""
        total = 0.0
        gradients: list[Array | None] = []
        outputs = self.outputs
        if len(targets) != len(outputs):
            raise ShapeError(
                f"{self.model.name}: expected targets for {len(outputs)} outputs, "
                f"received {len(targets)}"
            )
        for output, y, target, weight, mask in zip(
            outputs, ys, targets, weights, masks, strict=True
        ):
            if target is None and (output.loss is not None or output.wanted):
                raise self._without_target(output)
            if not output.resolved:
                output.resolve(target, y)
            value, gradient, predictions = self._loss_of(output, y, target, weight, mask)
            total += output.weight * output.share * value
            gradients.append(gradient)
            (output.tracker if training else output.test_tracker).add(value * size, size)
            seen: list[tuple[Any, Array, Any]] = []
            for metric, weighted in output.train if training else output.test:
                factor = weight if weighted else None
                if mask is not None and isinstance(metric, MeanMetric):
                    factor = masked_weight(factor, mask, "sum", y.dtype)
                metric.update_state(target, predictions, factor)
                seen.append((target, predictions, factor))
            if training:
                output.seen = seen
        return total, gradients

    def weights_penalty(self) -> float:
        """Return the penalties on weights."""
        if not self._regularized:
            return 0.0
        return sum(variable.regularizer.loss(variable.value) for variable in self._regularized)

    def _without_target(self, output: Output) -> ShapeError:
        name = self.model.output_names[self.outputs.index(output)]
        return ShapeError(
            f"{self.model.name}: expected targets (y) for output {name!r}, received none"
        )

    def _loss_of(
        self, output: Output, y: Array, target: Any, weight: Any, mask: Any
    ) -> tuple[float, Array | None, Array]:
        """Return (loss, gradient, what metrics see)."""
        if output.loss is None:
            return 0.0, None, y
        if mask is not None:
            weight = masked_weight(weight, mask, output.loss.reduction, y.dtype)
        if output.fused is None:
            value, gradient = output.loss.step(target, y, weight)
        else:
            ctx = output.fused
            gradient = ctx.buffer("dlogits", y.shape)
            activated = output.needs_predictions and not output.loss.from_logits
            seen = ctx.buffer("predictions", y.shape) if activated else None
            value = output.loss.from_logits_step(target, y, weight, gradient, seen, output.binding)
            y = y if seen is None else seen
        factor = output.weight * output.share
        if factor != 1.0:
            gradient *= gradient.dtype.type(factor)
        return value, gradient, y

    def shared_evaluation(self) -> Any:
        """Return what shares an evaluation with the other members of a team, or None."""
        group = None if self.distribution is None else self.distribution.group
        if group is None or group.size == 1 or hasattr(group, "send"):
            return None
        return load("nn.distribution.training").SharedEvaluation(self)

    def track(self, loss: float, size: int) -> None:
        """Add the loss of a batch to the running mean of training."""
        self._tracker.add(loss * size, size)

    # Logs.

    def train_logs(self) -> dict[str, float]:
        """Return the means since the last reset: loss, the outputs' losses where several,
        metrics."""
        return self._logs(self._tracker, True)

    def test_logs(self) -> dict[str, float]:
        """Return the same of evaluation."""
        return self._logs(self.test_tracker, False)

    def _logs(self, tracker: Mean, training: bool) -> dict[str, float]:
        logs = {"loss": tracker.result()}
        losses, metrics = self._names or self._named()
        for name, output in losses:
            logs[name] = (output.tracker if training else output.test_tracker).result()
        for name, output, place in metrics:
            logs[name] = (output.train if training else output.test)[place][0].snapshot()
        return logs

    def _named(self) -> Names:
        """Name what the logs show beside the loss; metrics in the order of Keras, those with
        weights last.

        Where two metrics have the same name, the later one is called weighted_mse if it is one with
        weights, or else mse_1; likewise the losses of outputs of one model inside.
        """
        outputs = self.outputs
        losses: list[tuple[str, Output]] = []
        names = self.model.output_names if len(outputs) > 1 else [""]
        prefixes = [f"{name}_" if name else "" for name in names]
        named = list(zip(prefixes, outputs, strict=True))
        taken = {"loss"}
        if sum(output.loss is not None for output in outputs) > 1:
            for before, output in named:
                if output.loss is not None:
                    losses.append((_free(before, "loss", False, taken), output))
                    taken.add(losses[-1][0])
        metrics = []
        for wanted in (False, True):
            for before, output in named:
                for place, (metric, weighted) in enumerate(output.train):
                    if weighted is wanted:
                        name = _free(before, metric.name, weighted, taken)
                        taken.add(name)
                        metrics.append((name, output, place))
        if all(output.resolved for output in outputs):
            self._names = losses, metrics
        return losses, metrics

    def batch_logs(self) -> dict[str, Any]:
        """Return `batch_<metric>` of the latest batch of training; valid until the next batch."""
        logs: dict[str, Any] = {}
        losses, metrics = self._names or self._named()
        for name, output in losses:
            total, count = output.tracker.latest
            logs[f"batch_{name}"] = total / count
        values = {output: output.batch_values() for output in self.outputs}
        for name, output, place in metrics:
            logs[f"batch_{name}"] = values[output][place]
        return logs

    def reset_train(self) -> None:
        """Reset the running means of training."""
        self._tracker.reset_state()
        for output in self._made or ():  # none before the first batch gives the shapes
            output.tracker.reset_state()
            for metric, _ in output.train:
                metric.reset_state()

    def get_state(self) -> dict[str, Any]:
        """Return the running means of training as plain data and arrays."""
        outputs = [output.get_state() for output in self.outputs]
        return {"loss": self._tracker.get_state(), "outputs": outputs}

    def set_state(self, means: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        self._tracker.set_state(means["loss"])
        for output, kept in zip(self.outputs, means["outputs"], strict=True):
            output.set_state(kept)

    def reset_test(self) -> None:
        """Reset the running means of evaluation."""
        self.test_tracker.reset_state()
        for output in self._made or ():
            output.test_tracker.reset_state()
            for metric, _ in output.test:
                metric.reset_state()


def _free(before: str, name: str, weighted: bool, taken: Container[str]) -> str:
    """Return the name of a metric in logs: the first of Keras' that is not taken."""
    wanted = f"{before}{name}"
    if weighted and wanted in taken:
        wanted = f"{before}weighted_{name}"
    more = (f"{wanted}_{number}" for number in count(1))
    return next(found for found in chain([wanted], more) if found not in taken)
