"""Program: a graph with memory, which runs its layers forward and backward.

`program_for` is the one place that knows what executes a graph. On the CPU it gives a `Program`, or
a `nn.training.program.TrainingProgram` that also steps. A class for another device would have the
same methods:

    forward(inputs, training)   the outputs for a batch
    step(batches)               train on a block of batches; the losses, or an awaitable of them
    sync()                      bring weights and state to where the CPU reads them

On a GPU (`nn.gpu`) the steps of `fit` and of evaluation run; all else is the CPU's, on weights that
came home.

Layers know no device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nn.context import Context
from nn.errors import ConfigError
from nn.graph import Graph, Node, SymbolicTensor
from nn.kernels import library
from nn.layers.base import Layer
from nn.layers.fusion import fuse, penalized
from nn.lazy import load
from nn.models.predictor import KEPT, KIND, Predictor
from nn.models.replay import Replay
from nn.models.steps import Step
from nn.types import Array, Shape

if TYPE_CHECKING:
    from nn.parameters import Parameters

Batch = tuple[Sequence[Array], Sequence[Any], Sequence[Any], int]
"""Inputs, targets, weights (one for each input or output of the model), number of samples."""
PrepareWeights = Callable[[Layer], AbstractContextManager[None]]


class Compiled(Protocol):
    """What `Model.compile` settles, as a program that trains needs it."""

    optimizer: Any

    def apply_losses(
        self,
        ys: Sequence[Array],
        targets: Sequence[Any],
        weights: Sequence[Any],
        size: int,
        training: bool,
    ) -> tuple[float, list[Array | None]]:
        """Return the loss and the gradients of the outputs; update the running means."""

    distribution: Any

    def regularize(self) -> None:
        """Add the gradients of the penalties on weights."""


def program_for(
    device: str,
    graph: Graph,
    parameters: Parameters | None = None,
    batch: int | None = None,
    training: Compiled | None = None,
    *,
    context: Context,
    predicting: Program | None = None,
    prepare_weights: PrepareWeights | None = None,
    source: Any = None,
    every: int | None = None,
) -> Any:
    """Return what executes `graph` on `device`.

    Args:
        device: "cpu", or "gpu" to train.
        graph: the model's layers.
        parameters: the packed variables that are trained; None to predict.
        batch: the expected samples in a batch, or None; the CPU adapts to each batch.
        training: the compiled losses, metrics and optimizer. Without it the program only predicts,
            and may fold and pack weights: it need not leave them as layers know them.
        context: the memory to run in.
        predicting: with `training`, the program that predicts for the same model. Both run in the
            same memory, in turn.
        prepare_weights: returns a context manager for a layer, which surrounds each forward pass of
            it while predicting: for weights that are only there when they are needed.
        source: on a GPU, the data of `fit`.
        every: on a GPU, batches after which callbacks need the weights, or None.

    Raises:
        ConfigError: there is no such device, or a part of the model has no kernels for it.
    """
    if device == "gpu":
        return load("nn.gpu.training").GpuTraining(training, source, every)
    if device != "cpu":
        raise ConfigError(f"expected the device 'cpu' or 'gpu', received {device!r}")
    if training is not None and training.distribution is not None:
        made = load("nn.distribution.program").DistributedProgram
        return made(graph, context, parameters, training)
    program = predicting or Program(graph, context, prepare_weights)
    if training is None:
        return program
    return load("nn.training.program").TrainingProgram(program, parameters, training)


class Program:
    """A graph on the CPU, with memory: runs forward, then backward.

    With compiled kernels a `Replay` for each shape of batch repeats recorded calls. Without, with
    masks, and for a shape that comes for the first time, layers run one after the other.
    Predicting has a program of its own with compiled kernels, a `Predictor`.
    """

    def __init__(
        self, graph: Graph, ctx: Context, prepare_weights: PrepareWeights | None = None
    ) -> None:
        self.graph = graph
        self._prepare_weights = prepare_weights
        self.ctx = ctx
        self._logit_contexts: list[Context] = []
        slots = graph.slots
        self.inputs = [slots[t] for t in graph.inputs]
        self.outputs = [slots[t] for t in graph.outputs]
        self.steps = self._compile()
        count = 1 + max(slot for step in self.steps for slot in step.outputs) if self.steps else 0
        count = max(count, len(slots))
        self._values: list[Any] = [None] * count
        self._any_size = graph.fits_unknown()
        self._sizes: set[tuple[Shape, ...]] = set()
        self._forward = [(s.forward, s.ctx, s.inputs, s.outputs) for s in self.steps]
        self.backward_steps: list[Step] = []
        """The steps that a gradient must pass through, the last first."""
        self._replays: dict[Any, Replay] = {}
        self._replay: Replay | None = None
        self._logits = False
        self._prepared: tuple[Any, bool] | None = None
        self._predictor: Predictor | None = None
        self._predicted: Sequence[Array] | None = None
        self.masked = any(_begins_mask(s.layer) for s in self.steps)
        """Whether values have masks."""
        self.masks: list[Any] = [None] * count

    def _compile(self) -> list[Step]:
        slots, nodes = self.graph.slots, self.graph.nodes
        readers: dict[SymbolicTensor, list[Node]] = {}
        for node in nodes:
            for tensor in node.inputs:
                readers.setdefault(tensor, []).append(node)
        steps: list[Step] = []
        outputs, merged = self.graph.outputs, set[Node]()
        self._contexts: dict[Node, Context] = {}
        for number, node in enumerate(nodes):
            if node in merged:
                continue
            ctx = self._contexts[node] = self.ctx.child(number)
            layer, last = penalized(node.layer), node
            while len(after := readers.get(last.outputs[0], [])) == 1 == len(last.outputs):
                apart = last.outputs[0] in outputs or after[0].training is not node.training
                fused = None if apart else fuse(layer, after[0].layer)
                if fused is None:
                    break
                layer, last = fused, after[0]
                merged.add(last)
                self._contexts[last] = ctx
            ins, outs = ([slots[t] for t in ts] for ts in (node.inputs, last.outputs))
            steps.append(Step(layer, ctx, ins, outs, node.training))
        return steps

    def part(self, graph: Graph, ctx: Context) -> Program:
        """Return a program of the same kind for a part of the graph."""
        return Program(graph, ctx)

    def fuse_losses(self, contexts: list[Context]) -> None:
        """Choose the layers that `expose_logits` is for."""
        self.expose_logits(False)
        self._logit_contexts = contexts
        self._replays.clear()

    def expose_logits(self, value: bool) -> None:
        """Let the layers before fused losses return logits, or their activation again."""
        if value is not self._logits:
            self._logits = value
            for ctx in self._logit_contexts:
                ctx.logits = value

    def context_of(self, tensor: SymbolicTensor) -> Context:
        """Return the context of the node that computes `tensor`."""
        return self._contexts[tensor.node]

    def mask_of(self, tensor: SymbolicTensor) -> Any:
        """Return the mask of a value of the last forward pass: (n, steps) of bool, or None."""
        return self.masks[self.graph.slots[tensor]]

    def forward(
        self,
        inputs: Sequence[Array],
        training: bool,
        timed: Any = None,
        masks: Sequence[Any] = (),
    ) -> list[Array]:
        """Return the outputs; they are valid until the next call.

        `timed(name, function, ...)` calls a layer's function in place of this loop, to measure it.
        `masks` are those of the inputs, where this graph stands in another.
        """
        self._replay = self._predicted = None
        if not self._any_size:
            self.expect_fitting(inputs)
        if masks:
            self.masked = self.masked or any(m is not None for m in masks)
        if timed is not None or self.masked or self._prepare_weights is not None:
            return self._forward_masked(inputs, training, timed or plainly, masks)
        if training is False and self._folds:
            self._predicted = inputs
            return self.predictor.forward(inputs)
        if library.active is not None:
            replay, current = self._find_replay(inputs, training)
            self._replay = replay
            if replay is not None:
                return replay.forward(inputs) if current else replay.record_forward(inputs)
        return self._forwardplainly(inputs, training)

    def expect_fitting(self, inputs: Sequence[Array]) -> None:
        """Raise ShapeError if a layer's weights do not fit what it would get for such inputs."""
        shapes: tuple[Shape, ...] = tuple((None, *a.shape[1:]) for a in inputs)
        if shapes not in self._sizes:
            self.graph.expect_fitting(shapes)
            self._sizes.add(shapes)

    def _find_replay(self, inputs: Sequence[Array], training: bool) -> tuple[Replay | None, bool]:
        """Return the recorded calls for these inputs and True; that which is to record them and
        False; or None and False."""
        key = (training, self._logits, library.active, *map(KIND, inputs))
        replay = self._replays.get(key) or self._new_replay(key, training)
        if replay.current():
            return replay, True
        if replay.seen and not replay.hopeless:
            return replay, False
        replay.seen += 1
        return None, False

    @property
    def _folds(self) -> bool:
        """Whether a predictor can run the forward pass."""
        ready = library.active is not None and not self._logits
        return ready and self.ctx.run.dtype == library.F4

    @property
    def predictor(self) -> Predictor:
        """What predicts; its memory counts as part of the program's."""
        if self._predictor is None:
            self._predictor = Predictor(self.graph, self.ctx)
            self.ctx.adopt("predictor", self._predictor.ctx)
        return self._predictor

    def _new_replay(self, key: Any, training: bool) -> Replay:
        assert library.active is not None
        if len(self._replays) == KEPT:
            del self._replays[next(iter(self._replays))]
        replay = self._replays[key] = Replay(self, library.active, training)
        return replay

    def _forwardplainly(self, inputs: Sequence[Array], training: bool) -> list[Array]:
        values = self._values
        for slot, value in zip(self.inputs, inputs, strict=True):
            values[slot] = value
        for forward, ctx, ins, outs in self._forward:
            if len(ins) == 1:
                y = forward(ctx, values[ins[0]], training=training)
            else:
                y = forward(ctx, *[values[i] for i in ins], training=training)
            if len(outs) == 1:
                values[outs[0]] = y
            else:
                for slot, part in zip(outs, y, strict=True):
                    values[slot] = part
        return [values[i] for i in self.outputs]

    def _forward_masked(
        self, inputs: Sequence[Array], training: bool, timed: Any, masks: Sequence[Any]
    ) -> list[Array]:
        """Do as `forward`, with masks, a timer and the preparation of weights."""
        for _ in self._steps_masked(inputs, training, timed, masks):
            pass
        return [self._values[i] for i in self.outputs]

    def _steps_masked(
        self, inputs: Sequence[Array], training: bool, timed: Any, masks: Sequence[Any]
    ) -> Iterator[Step]:
        """Run the layers forward and yield the step of each."""
        values, found = self._values, [None] * len(self._values)
        prepared = self._prepare_weights or nullcontext
        self.masks = found
        for slot, value, mask in zip_longest(self.inputs, inputs, masks):
            values[slot], found[slot] = value, mask
        for step in self.steps:
            given, ctx, masking = [values[i] for i in step.inputs], step.ctx, step.layer.masking
            ctx.masks = [None if masking is False else found[i] for i in step.inputs]
            # Keras gives a layer with several inputs the mask of none, unless it asks for them all.
            ctx.mask = ctx.masks[0] if masking or len(given) == 1 else None
            with prepared(step.layer):
                y = timed(step.layer.name, step.forward, ctx, *given, training=training)
            mask = step.layer.mask_after(given, ctx.masks)
            several = len(step.outputs) > 1
            made = mask if isinstance(mask, list) else [mask]
            for slot, part, m in zip_longest(step.outputs, y if several else (y,), made):
                values[slot], found[slot] = part, m
            yield step

    def backward(self, gradients: Sequence[Array | None], timed: Any = None) -> list[Array | None]:
        """Return the gradients of the inputs, after adding those of the variables."""
        self.prepare()
        if self._predicted is not None:  # let the layers save what their `backward` needs
            self._forwardplainly(self._predicted, False)
            self._predicted = None
        replay = self._replay
        if replay is not None and timed is None:
            if replay.matches(self._prepared, gradients):
                return replay.backward(gradients)
            if replay.records_backward:
                return replay.record_backward(self._prepared, gradients)
            replay.restore()
            replay.reset()
            self._replay = None
        grads: list[Any] = [None] * len(self._values)
        for slot, gradient in zip(self.outputs, gradients, strict=True):
            self.add(grads, slot, gradient)
        for step in self.backward_steps:
            self.run_back(grads, step, timed)
        return [grads[i] for i in self.inputs]

    def run_back(self, grads: list[Any], step: Step, timed: Any = None) -> None:
        """Run a layer backward on the gradients found so far."""
        dy = self.gradient_of(grads, step)
        if dy is None and not step.layer.penalized:
            return
        if timed is None:
            dx = step.backward(step.ctx, dy)
        else:
            dx = timed(step.layer.name, step.backward, step.ctx, dy)
        run = self.ctx.run
        if run.pending:
            run.settle()
        if len(step.inputs) == 1:
            dx = (dx,)
        parts = dx if dx is not None else ()
        for slot, want, part in zip(step.inputs, step.wanted, parts, strict=False):
            if want:
                self.add(grads, slot, part)

    def gradient_of(self, grads: list[Any], step: Step) -> Any:
        """Return the gradient of a layer's output (a tuple of several), or None."""
        outs = step.outputs
        if len(outs) == 1:
            return grads[outs[0]]
        dy = tuple(grads[o] for o in outs)
        return None if all(d is None for d in dy) and not step.layer.penalized else dy

    def add(self, grads: list[Any], slot: int, part: Array | None) -> None:
        """Add a part to a value's gradient."""
        total = grads[slot]
        if total is None or part is None:
            grads[slot] = part if total is None else total
            return
        # Not in place: a layer may have passed the same array to several inputs.
        out = self.ctx.buffer(f"sum {slot}", total.shape, total.dtype.name)
        grads[slot] = np.add(total, part, out=out)

    def prepare(self) -> None:
        """Find out which nodes a gradient must pass through; again whenever the answer may
        differ."""
        state = (self.ctx.run.parameters, self.ctx.needs_input_gradient)
        if self._prepared is not None and self._prepared == state:
            return
        self._prepared = state
        needs = [False] * len(self._values)
        for slot in self.inputs:
            needs[slot] = state[1]
        steps = []
        for step in self.steps:
            step.wanted = [needs[i] for i in step.inputs]
            ctx = step.ctx
            ctx.needs_input_gradient = any(step.wanted)
            if any(step.wanted) or any(ctx.trains(v) for v in step.layer.variables):
                for slot in step.outputs:
                    needs[slot] = True
                steps.append(step)
        self.backward_steps = steps[::-1]

    def sync(self) -> None:
        """Bring weights and state to where the CPU reads them: they are there."""


def plainly(name: str, function: Any, *arguments: Any, **options: Any) -> Any:
    return function(*arguments, **options)


def _begins_mask(layer: Layer) -> bool:
    return layer.begins_mask or any(_begins_mask(inner) for inner in layer.sublayers)
