"""A model's training on a device: its plan there, weights there and back, blocks of steps."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import config
from nn.gpu import numbers
from nn.gpu.compiler import Compiler, Source
from nn.gpu.plan import SLOTS, Plan
from nn.types import Array

if TYPE_CHECKING:
    from typing import Protocol

    class Recorded(Protocol):
        """A plan made on a device. Browsers and tests have one each."""

        def write(self, name: str, array: Array) -> None:
            """Copy an array into a buffer, from its beginning on."""

        def run(self, numbers: Array) -> Awaitable[Array]:
            """Start a step for each row of numbers; returns their results when they are there."""

        async def read(self, name: str) -> Array:
            """Return a buffer's bytes as float32."""

        def destroy(self) -> None:
            """Release the buffers."""


class Session:
    """A plan on a device, bound to the model that it was made from.

    Args:
        model: a compiled model.
        batch: samples of a step.
        source: where they come from.
        training: whether the steps train, or evaluate.
        emulated: whether the device is one that a CPU emulates: it has kernels of its own.

    Attributes:
        plan: what the device runs.
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
        self.optimizer = model.trainer.optimizer
        self._compiler = Compiler(model, batch, source, training, emulated)
        self.plan: Plan = self._compiler.run()
        config.claim(self.plan.bytes, f"{model.name} on the GPU")
        self.run_seed = 0
        self._home = self.optimizer.iterations  # when the model's weights were last the device's
        self._recorded: Recorded | None = None

    @property
    def recorded(self) -> Recorded:
        """The plan on its device."""
        assert self._recorded is not None
        return self._recorded

    def attach(self, recorded: Recorded) -> None:
        """Bind to a device's copy of the plan, and send what never changes."""
        self._recorded = recorded
        self.model.trainer.gpu_bytes += self.plan.bytes
        for name, array in self.plan.initial.items():
            recorded.write(name, array)

    # Weights.

    def _packed(self, values: Sequence[tuple[Any, Array]], places: Any, size: int) -> Array:
        made = np.zeros(size, np.float32)
        for variable, value in values:
            at = places[variable]
            made[at : at + variable.size] = value.reshape(-1)
        return made

    def send(self) -> None:
        """Bring weights, the optimizer's slots and running statistics to the device."""
        c, optimizer = self._compiler, self.optimizer
        held = self.recorded
        held.write("p", self._packed([(v, v.value) for v in c.offsets], c.offsets, c.held))
        if c.states:
            states = [(v, v.value) for v in c.states]
            held.write("state", self._packed(states, c.states, c.moved))
        if not self.training:
            return
        slots = [self._slot(optimizer.state[name]) for name in optimizer.all_slots()]
        if slots:
            held.write("slots", np.concatenate(slots))
        self._home = optimizer.iterations

    def _slot(self, array: Array) -> Array:
        c = self._compiler
        parts = [
            (v, array[span])
            for v, span in zip(c.parameters.variables, c.parameters.spans, strict=True)
        ]
        return self._packed(parts, c.offsets, c.held)

    async def fetch(self) -> bool:
        """Bring them home: the model is then as after the steps that were run.

        Returns:
            Whether all weights are finite: a shader may take NaN for a number.
        """
        c, optimizer = self._compiler, self.optimizer
        p = await self.recorded.read("p")
        slots = await self.recorded.read("slots")
        state = await self.recorded.read("state") if c.states else None
        for variable in c.parameters.variables:
            at = c.offsets[variable]
            variable.assign(p[at : at + variable.size].reshape(variable.shape))
        for number, name in enumerate(optimizer.all_slots()):
            own = slots[number * c.held :]
            for variable, span in zip(c.parameters.variables, c.parameters.spans, strict=True):
                at = c.offsets[variable]
                optimizer.state[name][span] = own[at : at + variable.size]
        for variable, at in c.states.items():
            assert state is not None
            variable.assign(state[at : at + variable.size].reshape(variable.shape))
        self._home = optimizer.iterations
        return bool(np.isfinite(p).all())

    def close(self) -> None:
        """Release the buffers; steps whose weights never came home do not count."""
        if self.training:
            self.optimizer.iterations = self._home
        if self._recorded is not None:
            self.model.trainer.gpu_bytes -= self.plan.bytes
            self._recorded.destroy()

    async def gradients(self) -> dict[Any, Array]:
        """Return the gradient of each trained variable in the last step."""
        c = self._compiler
        found = await self.recorded.read("gradients")
        return {
            v: found[c.offsets[v] : c.offsets[v] + v.size].reshape(v.shape)
            for v in c.parameters.variables
        }

    # Steps.

    def write(self, name: str, array: Array) -> None:
        """Send a batch's inputs ("x0", ...), targets or weights, or the data's."""
        self.recorded.write(name, array)

    def steps(self, places: Sequence[tuple[int, int]], quiet: bool = False) -> Awaitable[Array]:
        """Start a block of steps, at most `SLOTS`.

        Args:
            places: for each step its first sample in the epoch's order (0 where the batch was
                sent by itself) and how many samples it has.
            quiet: layers that are random draw nothing.

        Returns:
            An awaitable of the results: a row for each step.
        """
        if not 0 < len(places) <= SLOTS:
            raise ValueError(f"steps: expected 1 to {SLOTS}, received {len(places)}")
        made, records = numbers.block(len(places))
        for slot, (first, rows) in enumerate(places):
            numbers.place(records[slot], first, rows, slot)
            if self.training:
                seed = numbers.seed_of(self.run_seed, self.optimizer.iterations)
                numbers.fill(records[slot], self.optimizer, 0 if quiet else seed)
        return self.recorded.run(made)
