"""From a compiled model to a plan: forward through the graph, the losses, backward, the optimizer;
to evaluate, forward and the losses.

Each layer's entry in `nn.gpu.layers` records its forward dispatches and leaves a function that
records its backward ones. Layers stay ignorant of the GPU, as they are of the C kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.gpu import layers as table
from nn.gpu import losses, updates
from nn.gpu.plan import Plan, Refused
from nn.gpu.wgsl import elements
from nn.gpu.wgsl.functions import LINEAR, Function
from nn.gpu.wgsl.text import Made
from nn.layers.elementwise import Elementwise
from nn.types import prod
from nn.variables import Variable


@dataclass(eq=False)
class Value:
    """A tensor of the plan.

    Attributes:
        buffer: where it lies.
        shape: with the batch axis, which is as long as the plan's batch.
        needs: whether a gradient must come to it.
        readers: how many layers read it.
        function: the activation at the end of the layer that made it, if the slope can be taken
            from the value itself wherever its gradient is made.
        gradient: the buffer of its gradient, once a part of it is recorded.
        sloped: whether that gradient already has the slope of `function` in it.
        base: the value whose buffer this is under another shape.
    """

    buffer: str
    shape: tuple[int, ...]
    needs: bool = True
    readers: int = 1
    function: Function = LINEAR
    gradient: str | None = None
    sloped: bool = False
    base: Value | None = None

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def root(self) -> Value:
        return self if self.base is None else self.base.root


@dataclass(frozen=True)
class Source:
    """Where samples lie on the device.

    Attributes:
        count: samples in the device's memory, or 0: each step's batch is sent by itself.
        bytes: for each input, (scale, offset) of what lies there as uint8, or None for floats.
        weighted: for each output, whether its samples have weights.
        reported: for each output, whether the CPU needs its values, for metrics.
    """

    count: int = 0
    bytes: tuple[tuple[float, float] | None, ...] = ()
    weighted: tuple[bool, ...] = (False,)
    reported: tuple[bool, ...] = (False,)


class Compiler:
    """Makes the plan of a step.

    Args:
        model: a compiled model.
        batch: the samples of a step; a step may have fewer.
        source: where they come from.
        training: whether the step trains, or evaluates.
        emulated: whether a CPU runs the plan in place of a GPU.
    """

    def __init__(
        self,
        model: Any,
        batch: int,
        source: Source,
        training: bool = True,
        emulated: bool = False,
    ) -> None:
        self.model, self.batch, self.source, self.training = model, batch, source, training
        self.emulated = emulated
        self.plan = Plan(batch)
        self.parameters = model.parameters
        self.trained = set(self.parameters.variables if training else ())
        self.offsets: dict[Variable, int] = {}
        self.states: dict[Variable, int] = {}
        self.backward: list[Callable[[], None]] = []
        self.spans: list[tuple[int, ...]] = []
        self.partials = self.held = self.moved = self.numbers = 0
        self.exposed = False
        for variable in self.parameters.variables:
            self.place(variable)

    def run(self) -> Plan:
        """Return the plan."""
        self._check()
        values = self._inputs()
        self._forward(values)
        losses.record(self, [values[t] for t in self.model.graph.outputs])
        if self.training:
            for step in reversed(self.backward):
                step()
            updates.record(self)
        self.plan.buffer("p", self.held)
        self.plan.buffer("state", self.moved)
        return self.plan

    def _check(self) -> None:
        model = self.model
        for variable in model.variables:
            if variable.dtype != np.float32:
                raise Refused(f"{variable.path}: the GPU computes in float32, not {variable.dtype}")
            if variable in self.trained and variable.constraint is not None:
                raise Refused(f"{variable.path}: no kernels for constraints")
            if variable.regularizer is not None:
                raise Refused(f"{variable.path}: no kernels for regularizers")
        for layer in model.layers:
            if layer.activity_regularizer is not None:
                raise Refused(f"{layer.name}: no kernels for activity_regularizer")

    def _inputs(self) -> dict[Any, Value]:
        values = {}
        for number, tensor in enumerate(self.model.graph.inputs):
            shape = tuple(tensor.shape[1:])
            if None in shape:
                raise Refused(f"{tensor.node.layer.name}: expected a known shape, received {shape}")
            value = Value(f"x{number}", (self.batch, *shape), needs=False)
            self.plan.buffer(value.buffer, value.size)
            values[tensor] = value
            if self.source.count:
                scaled = self.source.bytes[number]
                kernel, groups = elements.gather(self.batch, prod(shape), scaled)
                self.plan.buffer("order", self.source.count)
                size = self.source.count * prod(shape)
                name = self.plan.buffer(f"data{number}", -(-size // 4) if scaled else size)
                self.plan.add(kernel, [name, "order", value.buffer], groups)
        return values

    def _forward(self, values: dict[Any, Value]) -> None:
        graph = self.model.graph
        done: set[Any] = set()
        exposed = {
            tensor
            for tensor, output in zip(graph.outputs, self.model.trainer.outputs, strict=True)
            if losses.is_fused(self.model, tensor, output.loss)
        }
        for node in graph.nodes:
            if node in done:
                continue
            layer = node.layer
            given = [values[t] for t in node.inputs]
            end, function = node, None
            after = self._fused(graph, node)
            if after is not None and table.ends_with_activation(layer):
                function = table.function_of(after.layer)
                if function is not None:
                    end = after
                    done.add(after)
            recorder = table.RECORDERS.get(type(layer))
            if recorder is None:
                raise Refused(f"{layer.name}: no kernels for {type(layer).__name__}")
            self.exposed = node.outputs[0] in exposed
            made = recorder(self, layer, given, function or LINEAR)
            made.readers = graph.consumers(end.outputs[0]) + graph.outputs.count(end.outputs[0])
            values[end.outputs[0]] = made

    def _fused(self, graph: Any, node: Any) -> Any:
        """Return the node of the activation that alone reads what `node` makes, or None."""
        if len(node.outputs) != 1 or node.outputs[0] in graph.outputs:
            return None
        readers = [n for n in graph.nodes if node.outputs[0] in n.inputs]
        if len(readers) != 1 or not isinstance(readers[0].layer, Elementwise):
            return None
        return readers[0]

    # What recorders use.

    def reported(self, number: int) -> bool:
        """Return whether the CPU needs the values of an output."""
        return self.source.reported[number]

    def name(self, what: str) -> str:
        """Return a name that no other buffer has."""
        self.numbers += 1
        return f"{what} {self.numbers}"

    def value(
        self, shape: Iterable[int], given: Iterable[Value], *variables: Variable | None
    ) -> Value:
        """Return a new value, with a gradient if one of the values or variables that it is made of
        needs one."""
        needs = self.trains(*variables) or any(v.root.needs for v in given)
        shape = tuple(shape)
        return Value(self.plan.buffer(self.name("y"), prod(shape)), shape, needs)

    def alias(self, value: Value, shape: Iterable[int]) -> Value:
        """Return the same value under another shape."""
        return Value(value.buffer, tuple(shape), value.needs, base=value)

    def scratch(self, what: str, count: int) -> str:
        """Return a buffer that every use of this name shares."""
        return self.plan.buffer(what, count)

    def add(self, made: Made, *buffers: str) -> None:
        """Record a dispatch."""
        self.plan.add(made[0], list(buffers), made[1])

    def place(self, variable: Variable) -> int:
        """Return where a variable lies in `p`: at a multiple of 4 elements."""
        at = self.offsets.get(variable)
        if at is None:
            at = self.offsets[variable] = self.held
            self.held += 4 * -(-variable.size // 4)
        return at

    def state(self, variable: Variable) -> int:
        """Return where a variable lies that training moves without a gradient."""
        at = self.states.get(variable)
        if at is None:
            at = self.states[variable] = self.moved
            self.moved += 4 * -(-variable.size // 4)
        return at

    def trains(self, *variables: Variable | None) -> bool:
        """Return whether one of the variables has a gradient."""
        return any(v in self.trained for v in variables)

    def gradient(self, variables: list[Variable | None], parts: int) -> int:
        """Reserve room for so many parts of the gradients of variables, which lie one after the
        other in each part; returns where."""
        start = self.partials
        present = [v for v in variables if v is not None]
        stride = sum(v.size for v in present)
        source = start
        for variable in present:
            if variable in self.trained:
                if any(span[5] == self.offsets[variable] for span in self.spans):
                    raise Refused(f"{variable.path}: no kernels for a layer that is used twice")
                first = self.offsets[variable]
                for at in range(0, variable.size, 256):
                    count = min(256, variable.size - at)
                    self.spans.append((first + at, count, source + at, parts, stride, first))
            source += variable.size
        self.partials += 4 * -(-stride * parts // 4)
        return start

    def back(self, value: Value, record: Callable[[str], None]) -> None:
        """Let the backward pass of what made a value be recorded, by the gradient's buffer."""

        def step() -> None:
            gradient = self.taken(value)
            if gradient is not None:
                record(gradient)

        self.backward.append(step)

    def contribute(
        self, value: Value, made: Made | Callable[[Function], Made], *buffers: str
    ) -> None:
        """Record a part of a value's gradient.

        Args:
            value: what a layer read.
            made: the kernel, or what makes it so that it multiplies by the slope of a function at
                the value: where it needs one more buffer then, that is the value's.
            buffers: what it reads.
        """
        root = value.root
        if not root.needs:
            return
        total = root.gradient
        target = self.plan.buffer("part" if total else "d" + root.buffer, root.size)
        if not total:
            root.gradient = target
            root.sloped = callable(made) and root.readers == 1 and root.function is not LINEAR
        if callable(made):
            made = made(LINEAR if total or not root.sloped else root.function)
        slope = [root.buffer] * (len(made[0].writes) - len(buffers) - 1)
        self.add(made, *buffers, *slope, target)
        if total:
            self.add(elements.sum_into(root.size), target, total)

    def taken(self, value: Value) -> str | None:
        """Return the gradient of what a layer made, before its activation; None if there is
        none."""
        root = value.root
        if root.gradient is None:
            return None
        if root.function is not LINEAR and not root.sloped:
            root.sloped = True
            self.add(
                elements.slope(root.size, root.function),
                root.buffer,
                root.gradient,
            )
        return root.gradient
