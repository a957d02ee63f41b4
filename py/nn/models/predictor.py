"""Predictor: a graph that only predicts, with combined weights and shared workspaces.

It holds, beside the variables: the packed weights of the convolutions (as large as their kernels),
written again where a variable was written since; and, for all sizes of batches together, as much
workspace as the largest of them needs at its widest place.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from nn import variables
from nn.context import Context, Run
from nn.graph import Graph
from nn.kernels import library
from nn.layers.base import Layer
from nn.layers.convolution import Conv2D
from nn.layers.core import Dense
from nn.layers.elementwise import Activation, ReLU
from nn.layers.folding import Folded, Part, fold
from nn.layers.fusion import PooledConvolution
from nn.layers.merging import Add, Average, Concatenate, Multiply, Subtract
from nn.layers.padding_layers import ZeroPadding2D
from nn.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, MaxPooling2D
from nn.layers.separable import DepthwiseConv2D, SeparableConv2D
from nn.models.replay import Replay
from nn.models.steps import Step
from nn.models.workspaces import Pool, SharingContext
from nn.types import Array

KEPT = 8
"""Shapes of batches that a predictor keeps a list of calls for."""
KIND = attrgetter("shape", "dtype")
SHARING: tuple[type[Layer], ...] = (
    Activation, Add, Average, AveragePooling2D, Concatenate, Conv2D, Dense, DepthwiseConv2D,
    GlobalAveragePooling2D, MaxPooling2D, Multiply, PooledConvolution, ReLU, SeparableConv2D,
    Subtract, ZeroPadding2D,
)  # fmt: skip
"""Layers that write their whole workspaces at each call, beside the folded ones."""


class Predictor:
    """Predicts with a graph; `forward` needs compiled kernels and float32.

    Args:
        graph: the layers.
        context: of the graph's program; the predictor's memory counts as part of it.
    """

    def __init__(self, graph: Graph, context: Context) -> None:
        self.graph = graph
        self.parts = fold(graph)
        self.pool = Pool()
        self.ctx = PredictingContext(context.run, self)
        self._folded = [part.layer for part in self.parts if isinstance(part.layer, Folded)]
        self._known: Any = None
        self._plans: dict[Any, Plan] = {}

    def forward(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs for a batch; they are valid until the next call."""
        backend = library.active
        assert backend is not None
        known = backend, variables.writes()
        if known != self._known:
            for layer in self._folded:
                layer.renew(backend)
            self._known = known
        key = (backend, *map(KIND, inputs))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) == KEPT:
                del self._plans[next(iter(self._plans))]
            plan = self._plans[key] = Plan(self, backend)
        return plan.forward(inputs)

    @property
    def packed_bytes(self) -> int:
        """The bytes of the combined weights."""
        return sum(layer.nbytes for layer in self._folded)


class PredictingContext(Context):
    """The memory of a predictor, for `Model.memory`."""

    __slots__ = ("_predictor",)

    def __init__(self, run: Run, predictor: Predictor) -> None:
        super().__init__(run)
        self._predictor = predictor

    def memory(self) -> tuple[int, int]:
        count, size = super().memory()
        pool, packed = self._predictor.pool, self._predictor.packed_bytes
        return count + len(pool.blocks) + bool(packed), size + pool.nbytes + packed


class Plan:
    """The steps of a predictor for one shape of batch.

    The first batch runs layer by layer and settles which workspace is in which memory; the second
    is recorded (`Replay`), and the calls are repeated from the third on.
    """

    def __init__(self, predictor: Predictor, backend: library.Library) -> None:
        slots = predictor.graph.slots
        self.ctx: Context = predictor.ctx
        self.pool = predictor.pool
        self.inputs = [slots[t] for t in predictor.graph.inputs]
        self.outputs = [slots[t] for t in predictor.graph.outputs]
        self.masks: list[Any] = [None] * len(slots)
        self.steps = [
            Step(
                part.layer,
                self._context(number, part),
                [slots[t] for t in part.inputs],
                [slots[t] for t in part.outputs],
            )
            for number, part in enumerate(predictor.parts)
        ]
        self._replay = Replay(self, backend, False)

    def _context(self, number: int, part: Part) -> Context:
        """Return a context in the pool, or the one that all shapes of batches have in common."""
        if isinstance(part.layer, Folded) or type(part.layer) in SHARING:
            return SharingContext(self.ctx.run, self.pool)
        return self.ctx.child(number)

    def forward(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs for a batch."""
        replay = self._replay
        if replay.current():
            return replay.forward(inputs)
        if not replay.seen:
            replay.seen = 1
            return self._settle(inputs)
        if not replay.hopeless:
            return replay.record_forward(inputs)
        values = self._started(inputs)
        for step in self.steps:
            _run(step, values)
        return [values[i] for i in self.outputs]

    def _started(self, inputs: Sequence[Array]) -> list[Any]:
        values: list[Any] = [None] * len(self.masks)
        for slot, value in zip(self.inputs, inputs, strict=True):
            values[slot] = value
        return values

    def _settle(self, inputs: Sequence[Array]) -> list[Array]:
        """Run layer by layer, and free memory after the last layer that reads what is in it."""
        last = {i: number for number, step in enumerate(self.steps) for i in step.inputs}
        ends: dict[int, list[int]] = {}
        for i, number in last.items():
            if i not in self.outputs:
                ends.setdefault(number, []).append(i)
        values = self._started(inputs)
        self.pool.keep_only(())
        for number, step in enumerate(self.steps):
            _run(step, values)
            for i in ends.get(number, ()):
                values[i] = None
            self.pool.keep_only(values)
        self.pool.close()
        return [values[i] for i in self.outputs]


def _run(step: Step, values: list[Any]) -> None:
    y = step.forward(step.ctx, *[values[i] for i in step.inputs], training=False)
    if len(step.outputs) == 1:
        values[step.outputs[0]] = y
        return
    for slot, part in zip(step.outputs, y, strict=True):
        values[slot] = part
