"""Program: a graph with memory, which runs its layers forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from nn.context import Context
from nn.graph import Graph, Node, SymbolicTensor
from nn.layers.base import Layer
from nn.layers.fusion import Penalized, fuse
from nn.types import Array


class Step:
    """One node of a program, or two that are run as one."""

    __slots__ = ("backward", "ctx", "forward", "inputs", "layer", "outputs")

    def __init__(self, layer: Layer, ctx: Context, inputs: list[int], outputs: list[int]) -> None:
        self.layer = layer
        self.ctx = ctx
        self.inputs = inputs
        self.outputs = outputs
        self.forward = layer.forward
        self.backward = layer.backward


class Program:
    """A graph with memory: runs forward, then backward.

    Everything that can be decided once is: the loop over nodes does no look-ups but of list items,
    since in Pyodide Python costs three to five times what it does natively.
    """

    def __init__(self, graph: Graph, ctx: Context) -> None:
        self.graph = graph
        self.ctx = ctx
        self.logit_contexts: list[Context] = []
        slots = graph.slots
        self._inputs = [slots[t] for t in graph.inputs]
        self._outputs = [slots[t] for t in graph.outputs]
        self._values: list[Any] = [None] * len(slots)
        self.steps = self._compile()
        self._forward = [(s.forward, s.ctx, s.inputs, s.outputs) for s in self.steps]
        self._backward: list[Any] = []
        self._prepared: tuple[Any, bool] | None = None
        self._masked = any(_begins_mask(s.layer) for s in self.steps)
        self.masks: list[Any] = [None] * len(slots)

    def _compile(self) -> list[Step]:
        slots, nodes = self.graph.slots, self.graph.nodes
        readers: dict[SymbolicTensor, list[Node]] = {}
        for node in nodes:
            for tensor in node.inputs:
                readers.setdefault(tensor, []).append(node)
        steps: list[Step] = []
        merged: set[Node] = set()
        self._contexts: dict[Node, Context] = {}
        for number, node in enumerate(nodes):
            if node in merged:
                continue
            ctx = self._contexts[node] = self.ctx.child(number)
            layer, last = node.layer, node
            after = readers.get(node.outputs[0], [])
            alone = len(after) == 1 and len(node.outputs) == 1
            if layer.activity_regularizer is not None:
                layer = Penalized(layer)
            elif alone and node.outputs[0] not in self.graph.outputs:
                fused = fuse(layer, after[0].layer)
                if fused is not None:
                    layer, last = fused, after[0]
                    merged.add(last)
            steps.append(
                Step(layer, ctx, [slots[t] for t in node.inputs], [slots[t] for t in last.outputs])
            )
        return steps

    def expose_logits(self, value: bool) -> None:
        """Let the layers before fused losses return logits, or their activation again."""
        for ctx in self.logit_contexts:
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
        self._masked = self._masked or any(m is not None for m in masks)
        if timed is not None or self._masked:
            return self._forward_masked(inputs, training, timed or _plainly, masks)
        values = self._values
        for slot, value in zip(self._inputs, inputs, strict=True):
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
        return [values[i] for i in self._outputs]

    def _forward_masked(
        self, inputs: Sequence[Array], training: bool, timed: Any, masks: Sequence[Any]
    ) -> list[Array]:
        """Do as `forward`, the masks passed on from layer to layer."""
        values, found = self._values, [None] * len(self._values)
        self.masks = found
        for slot, value, mask in zip_longest(self._inputs, inputs, masks):
            values[slot], found[slot] = value, mask
        for step in self.steps:
            given, ctx = [values[i] for i in step.inputs], step.ctx
            ctx.masks = [found[i] for i in step.inputs]
            ctx.mask = ctx.masks[0] if ctx.masks else None
            y = timed(step.layer.name, step.forward, ctx, *given, training=training)
            mask = step.layer.compute_mask(given, ctx.masks)
            several = len(step.outputs) > 1
            made = mask if isinstance(mask, list) else [mask]
            for slot, part, m in zip_longest(step.outputs, y if several else (y,), made):
                values[slot], found[slot] = part, m
        return [values[i] for i in self._outputs]

    def backward(self, gradients: Sequence[Array | None], timed: Any = None) -> list[Array | None]:
        """Return the gradients of the inputs, after adding those of the variables."""
        run = self.ctx.run
        self.prepare()
        grads: list[Any] = [None] * len(self._values)
        for slot, gradient in zip(self._outputs, gradients, strict=True):
            self._add(grads, slot, gradient)
        for backward, ctx, ins, outs, wanted, penalized in self._backward:
            dy = grads[outs[0]] if len(outs) == 1 else tuple(grads[o] for o in outs)
            nothing = dy is None or (len(outs) > 1 and all(d is None for d in dy))
            if nothing and not penalized:
                continue
            if timed is None:
                dx = backward(ctx, dy)
            else:
                dx = timed(backward.__self__.name, backward, ctx, dy)
            if run.pending:
                run.settle()
            if len(ins) == 1:
                dx = (dx,)
            for slot, want, part in zip(ins, wanted, dx if dx is not None else (), strict=False):
                if want:
                    self._add(grads, slot, part)
        return [grads[i] for i in self._inputs]

    def _add(self, grads: list[Any], slot: int, part: Array | None) -> None:
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
        for slot in self._inputs:
            needs[slot] = state[1]
        steps = []
        for step in self.steps:
            wanted = [needs[i] for i in step.inputs]
            ctx = step.ctx
            ctx.needs_input_gradient = any(wanted)
            if any(wanted) or any(ctx.trains(v) for v in step.layer.variables):
                for slot in step.outputs:
                    needs[slot] = True
                entry = (step.backward, ctx, step.inputs, step.outputs, wanted)
                steps.append((*entry, step.layer.penalized))
        self._backward = steps[::-1]


def _plainly(name: str, function: Any, *arguments: Any, **options: Any) -> Any:
    return function(*arguments, **options)


def _begins_mask(layer: Layer) -> bool:
    return layer.begins_mask or any(_begins_mask(inner) for inner in layer.sublayers)
