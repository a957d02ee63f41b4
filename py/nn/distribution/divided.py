"""A program whose batch normalizations are divided, and that stops where members exchange sums."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from nn.context import Context
from nn.distribution.batch_norm import Moments, Normalize
from nn.graph import Graph
from nn.kernels import library
from nn.layers.base import Layer
from nn.models.program import Program, plainly
from nn.models.replay import Replay
from nn.models.steps import Step
from nn.types import Array

Divide = Callable[[Layer], Sequence[Layer]]
"""Returns the layers that do a layer's work, one after the other, in one context."""


class DividedProgram(Program):
    """A program that members of a team run together.

    Args:
        graph: the layers.
        ctx: the memory to run in.
        divide: divides the layers that need sums of all members.
    """

    def __init__(self, graph: Graph, ctx: Context, divide: Divide) -> None:
        self._divide = divide
        super().__init__(graph, ctx)
        self.divided = any(isinstance(step.layer, Moments) for step in self.steps)
        """Whether members exchange sums within a pass: then its segments are to be run."""

    def part(self, graph: Graph, ctx: Context) -> Program:
        return DividedProgram(graph, ctx, self._divide)

    def _compile(self) -> list[Step]:
        steps: list[Step] = []
        slot = len(self.graph.slots)
        for step in super()._compile():
            *first, last = self._divide(step.layer)
            inputs = step.inputs
            for layer in first:
                steps.append(Step(layer, step.ctx, inputs, [slot]))
                inputs = [slot]
                slot += 1
            steps.append(Step(last, step.ctx, inputs, step.outputs))
        return steps

    def forward_segments(
        self, inputs: Sequence[Array], training: bool
    ) -> Generator[Step, None, list[Array]]:
        """Do as `forward`, and yield the steps of divided layers after they ran."""
        self._replay = self._predicted = None
        if not self._any_size:
            self.expect_fitting(inputs)
        current, values = False, self._values
        if library.active is not None and not self.masked:
            self._replay, current = self._find_replay(inputs, training)
        replay = self._replay
        if replay is None:
            steps = self._steps_masked(inputs, training, plainly, ())
        else:
            values = replay.values if current else []
            again = _forward_steps if values else Replay.record_steps
            steps = again(replay, inputs)
        for step in steps:
            if isinstance(step.layer, Moments):
                yield step
        values = values or self._replay.values  # type: ignore[union-attr]
        return [values[i] for i in self.outputs]

    def backward_segments(self, gradients: Sequence[Array | None]) -> Iterator[Step]:
        """Do as `backward`, and yield the steps of divided layers after they ran."""
        for step in self._steps_back(gradients):
            if isinstance(step.layer, Normalize):
                yield step

    def _steps_back(self, gradients: Sequence[Array | None]) -> Iterator[Step]:
        """Run the layers backward and yield the step of each."""
        self.prepare()
        replay = self._replay
        if replay is not None:
            if replay.matches(self._prepared, gradients):
                return _backward_steps(replay, gradients)
            if replay.records_backward:
                return replay.record_steps_back(self._prepared, gradients)
            replay.restore()
            replay.reset()
            self._replay = None
        return self._plain_steps_back(gradients)

    def _plain_steps_back(self, gradients: Sequence[Array | None]) -> Iterator[Step]:
        grads: list[Any] = [None] * len(self._values)
        for slot, gradient in zip(self.outputs, gradients, strict=True):
            self.add(grads, slot, gradient)
        for step in self.backward_steps:
            self.run_back(grads, step)
            yield step


def _forward_steps(replay: Replay, inputs: Sequence[Array]) -> Iterator[Step]:
    """Run the forward pass for a batch, and yield the step of each layer after it."""
    values, replay._fresh = replay.values, False
    for slot, value in zip(replay.program.inputs, inputs, strict=True):
        values[slot] = value
    first, *parts = replay.forward_parts or [[]]
    for call in first:
        call()
    for step, part in zip(replay.program.steps, parts, strict=True):
        for call in part:
            call()
        yield step


def _backward_steps(replay: Replay, gradients: Sequence[Array | None]) -> Iterator[Step]:
    """Run the backward pass, and yield the step of each layer after it; `matches` must hold."""
    replay.start_backward(gradients)
    for step, part in zip(replay.program.backward_steps, replay.backward_parts or (), strict=True):
        for call in part:
            call()
        yield step
    replay._attempts = 0
