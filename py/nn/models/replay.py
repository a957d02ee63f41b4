"""Replay: a program's forward and backward pass as a flat list of calls, for one shape of batch.

The first batch of a shape runs layer by layer. The second does too, while the kernel calls of each
layer that is made of nothing else (`Layer.only_kernels`) are recorded. From the third on the list
of those calls is run: C functions with their arguments, bound once. Shapes, strides, workspaces and
the addresses of weights and gradients are settled in it. A layer of any other kind is one entry of
the list that calls its `forward` or `backward`.

The arrays between layers are of two kinds. The output of a recorded layer is a workspace, at one
address for all batches. A model's input, and the output of a layer that was not recorded, may be
another array for each batch: it "moves", and recorded calls read its address from a `Pointer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter, is_
from typing import Any, Protocol, cast

import numpy as np

from nn.context import Context
from nn.kernels.library import Library
from nn.kernels.recording import Call, Pointer, Recorder
from nn.models.steps import Step
from nn.types import Array
from nn.variables import Variable

VALUE = attrgetter("value")
MISSING = partial(is_, None)
ATTEMPTS = 8
"""Recordings in a row that are never repeated, after which none is made."""


class Recorded(Protocol):
    """What a replay knows of its program, if it only repeats forward passes."""

    ctx: Context
    inputs: list[int]
    outputs: list[int]
    masks: list[Any]
    steps: list[Step]


class Differentiated(Recorded, Protocol):
    """What a replay knows of its program, if it repeats backward passes too."""

    backward_steps: list[Step]

    def gradient_of(self, grads: list[Any], step: Step) -> Any: ...

    def run_back(self, grads: list[Any], step: Step) -> None: ...

    def add(self, grads: list[Any], slot: int, part: Array | None) -> None: ...


class Replay:
    """The recorded calls of `program` for batches of one shape.

    Attributes:
        forward_parts: for each layer, the calls of its forward pass; the first part is the inputs'.
        backward_parts: for each layer from the last, the calls of its backward pass, or None.
        seen: batches of this shape that came before it was recorded.
    """

    def __init__(self, program: Recorded, library: Library, training: bool) -> None:
        self.program = cast("Differentiated", program)  # only where training asks for backward
        self.library = library
        self.training = training
        self.seen = 0
        self.ordinary: set[Step] = set()
        """Steps that turned out not to be repeatable."""
        self._attempts = 0
        self.reset()

    def reset(self) -> None:
        """Forget what was recorded: the next batch is recorded again."""
        self.values: list[Any] = [None] * len(self.program.masks)
        self.gradients: list[Any] = [None] * len(self.values)
        self._pointers: dict[int, Pointer] = {}
        self._gradient_pointers: dict[int, Pointer] = {}
        self._recorded: list[Step] = []
        self._recorders: list[Recorder] = []
        self._variables: list[Variable] = []
        self._arrays: list[Array] = []
        self._state: Any = None
        self._version = -1
        self._fresh = False
        self.forward_parts: list[list[Call]] | None = None
        self.backward_parts: list[list[Call]] | None = None
        self._forward: list[Call] = []
        self._backward: list[Call] = []

    @property
    def hopeless(self) -> bool:
        """Whether recording is of no use for this program."""
        return self._attempts >= ATTEMPTS

    def current(self) -> bool:
        """Return whether the recorded addresses are still those of the workspaces and weights."""
        return (
            self.forward_parts is not None
            and self._version == self.program.ctx.run.moved
            and all(map(is_, map(VALUE, self._variables), self._arrays))
        )

    # Forward.

    def forward(self, inputs: Sequence[Array]) -> list[Array]:
        """Run the forward pass for a batch; `current` must hold."""
        values, self._fresh = self.values, False
        for slot, value in zip(self.program.inputs, inputs, strict=True):
            values[slot] = value
        for call in self._forward:
            call()
        if not self.training:
            self._attempts = 0
        return list(map(values.__getitem__, self.program.outputs))

    def record_forward(self, inputs: Sequence[Array]) -> list[Array]:
        """Run the forward pass layer by layer, and keep the calls."""
        for _ in self.record_steps(inputs):
            pass
        return [self.values[i] for i in self.program.outputs]

    def record_steps(self, inputs: Sequence[Array]) -> Iterator[Step]:
        """Do as `record_forward`, and yield the step of each layer after it."""
        self.reset()
        self._attempts, self._fresh = self._attempts + 1, True
        values, moving = self.values, set(self.program.inputs)
        for slot, value in zip(self.program.inputs, inputs, strict=True):
            values[slot] = value
        parts = []
        for step in self.program.steps:
            calls = self._record_step(step, moving)
            if calls is None:
                moving.update(step.outputs)
            parts.append(calls)
            yield step
        self.forward_parts = [self._moves(self.program.inputs)]
        for step, calls in zip(self.program.steps, parts, strict=True):
            entry: list[Call] = [partial(self._run_forward, step), *self._moves(step.outputs)]
            self.forward_parts.append(entry if calls is None else calls)
        self._forward = list(chain(*self.forward_parts))
        self._variables = [v for step in self._recorded for v in step.layer.variables]
        self._arrays = [v.value for v in self._variables]
        self._version = self.program.ctx.run.moved
        if not self._recorded:
            self._attempts = ATTEMPTS
        elif not self.training:
            self._release()

    def _record_step(self, step: Step, moving: set[int]) -> list[Call] | None:
        """Run a layer forward; return its calls, or None where it cannot be recorded."""
        values = self.values
        given = [values[i] for i in step.inputs]
        recorder = None
        if step.repeatable and step not in self.ordinary and all(map(Pointer.fits, given)):
            pointers = [self._pointer(i) for i in dict.fromkeys(step.inputs) if i in moving]
            recorder = Recorder(self.library, pointers)
            with recorder.active():
                self._run_forward(step)
        else:
            self._run_forward(step)
        outputs = [values[i] for i in step.outputs]
        shared = any(_share(y, values[i]) for y in outputs for i in step.inputs if i in moving)
        if recorder is None or recorder.failed or shared or not _in_order(step.layer.variables):
            self.ordinary.add(step)
            return None
        self._recorded.append(step)
        self._recorders.append(recorder)
        return recorder.calls

    def _run_forward(self, step: Step) -> None:
        values = self.values
        given = map(values.__getitem__, step.inputs)
        y = step.forward(step.ctx, *given, training=self.training)
        if len(step.outputs) == 1:
            values[step.outputs[0]] = y
        else:
            for slot, part in zip(step.outputs, y, strict=True):
                values[slot] = part

    def _pointer(self, slot: int) -> Pointer:
        pointer = self._pointers.get(slot)
        if pointer is None:
            pointer = self._pointers[slot] = Pointer(self.values[slot])
        return pointer

    def _moves(self, slots: Sequence[int]) -> list[Call]:
        return [partial(self._move, slot) for slot in slots if slot in self._pointers]

    def _move(self, slot: int) -> None:
        self._pointers[slot].move(self.values[slot])

    def _release(self) -> None:
        """Drop what recorded layers saved: they may be the only reference to a batch."""
        for step in self._recorded:
            step.ctx.saved = None

    def restore(self) -> None:
        """Let every layer save what its `backward` needs, as if no call had been repeated."""
        for step in self._recorded:
            self._run_forward(step)

    # Backward.

    @property
    def records_backward(self) -> bool:
        """Whether the forward pass was recorded for this very batch, so that backward may be."""
        return self.training and self._fresh

    def matches(self, state: Any, gradients: Sequence[Array | None]) -> bool:
        """Return whether a recorded backward pass is the one for this state of the program."""
        return self.backward_parts is not None and self._state == (state, *map(MISSING, gradients))

    def backward(self, gradients: Sequence[Array | None]) -> list[Array | None]:
        """Run the backward pass; `matches` must hold."""
        self.start_backward(gradients)
        for call in self._backward:
            call()
        self._attempts = 0
        return list(map(self.gradients.__getitem__, self.program.inputs))

    def start_backward(self, gradients: Sequence[Array | None]) -> None:
        """Set the gradients of the outputs."""
        found = self.gradients
        found[:] = [None] * len(found)
        for slot, gradient in zip(self.program.outputs, gradients, strict=True):
            if found[slot] is None:
                found[slot] = gradient
            else:
                self.program.add(found, slot, gradient)

    def record_backward(self, state: Any, gradients: Sequence[Array | None]) -> list[Array | None]:
        """Run the backward pass layer by layer, and keep the calls."""
        found = self.gradients
        for _ in self.record_steps_back(state, gradients):
            pass
        return [found[i] for i in self.program.inputs]

    def record_steps_back(self, state: Any, gradients: Sequence[Array | None]) -> Iterator[Step]:
        """Do as `record_backward`, and yield the step of each layer after it."""
        self.start_backward(gradients)
        known, moving = len(self.ordinary), set(self.program.outputs)
        parts = []
        for step in self.program.backward_steps:
            parts.append(self._record_back(step, moving))
            yield step
        if len(self.ordinary) > known or self._version != self.program.ctx.run.moved:
            self.reset()
            return
        self.backward_parts = parts
        self._backward = list(chain(*parts))
        self._state = (state, *map(MISSING, gradients))
        self._release()

    def _record_back(self, step: Step, moving: set[int]) -> list[Call]:
        """Run a layer backward and return its calls, or one that runs it."""
        program, found, run = self.program, self.gradients, self.program.ctx.run
        dy = program.gradient_of(found, step)
        if dy is None and step not in self.ordinary:
            return []
        if step in self.ordinary or not Pointer.fits(dy):
            self.ordinary.add(step)
            program.run_back(found, step)
            moving.update(step.inputs)
            return [partial(program.run_back, found, step)]
        slot, read = step.outputs[0], dict.fromkeys(step.inputs)
        pointers = [self._pointers[i] for i in read if i in self._pointers]
        calls: list[Call] = []
        if slot in moving:
            pointer = self._gradient_pointers[slot] = Pointer(dy)
            pointers.append(pointer)
            calls.append(partial(self._move_gradient, slot))
        before = set(run.touched)
        recorder = Recorder(self.library, pointers)
        with recorder.active():
            dx = step.backward(step.ctx, dy)
        parts = dx if len(step.inputs) > 1 else (dx,)
        if recorder.failed or run.pending or (slot in moving and _shares(parts or (), dy)):
            self.ordinary.add(step)
        if run.pending:
            run.settle()
        self._recorders.append(recorder)
        calls += recorder.calls
        calls.append(partial(run.touched.update, run.touched - before))
        for i, want, part in zip(step.inputs, step.wanted, parts or (), strict=False):
            if not want or part is None:
                continue
            if found[i] is None:
                found[i] = part
                calls.append(partial(found.__setitem__, i, part))
            else:
                program.add(found, i, part)
                calls.append(partial(program.add, found, i, part))
                moving.add(i)
        return calls

    def _move_gradient(self, slot: int) -> None:
        self._gradient_pointers[slot].move(self.gradients[slot])


def _share(a: Any, b: Any) -> bool:
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.may_share_memory(a, b)


def _shares(parts: Sequence[Any], array: Any) -> bool:
    return any(_share(part, array) for part in parts)


def _in_order(variables: Sequence[Variable]) -> bool:
    return all(v.value.flags.c_contiguous for v in variables)
