"""A program that trains on the CPU: forward, loss, backward, optimizer."""

from __future__ import annotations

from collections.abc import Sequence

from nn.context import Context
from nn.graph import SymbolicTensor
from nn.models.program import Batch, Compiled, Program
from nn.parameters import Parameters
from nn.training.frozen import split
from nn.types import Array


class TrainingProgram:
    """A program that also trains.

    What comes before everything that training changes runs as in predicting, if there are
    convolutions in it: `program` is then that of the rest.

    Args:
        program: runs the layers.
        parameters: the variables to train.
        training: the compiled losses, metrics and optimizer.
    """

    def __init__(self, program: Program, parameters: Parameters | None, training: Compiled) -> None:
        self.program = program
        self.parameters = parameters
        self.training = training
        self._frozen: Program | None = None
        parts = None if parameters is None else split(program.graph, parameters)
        if parts is not None and not program.masked:
            frozen, live = parts
            self._frozen = Program(frozen, program.ctx.child("frozen"))
            self.program = program.part(live, program.ctx.child("live"))
            self.program.ctx.needs_input_gradient = False

    def fuse_losses(self, tensors: Sequence[SymbolicTensor | None]) -> list[Context | None]:
        """Leave the activations of these outputs to their losses; None for an output that keeps
        it. Return the contexts of the layers that end in them."""
        contexts = [None if t is None else self.program.context_of(t) for t in tensors]
        self.program.fuse_losses([c for c in contexts if c is not None])
        return contexts

    def forward(self, inputs: Sequence[Array], training: bool = False) -> list[Array]:
        """Return the outputs, logits before a fused loss; they are valid until the next call."""
        return self.program.forward(self.begin(inputs), training)

    def begin(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Prepare a forward pass, and return the inputs of what training changes."""
        program = self.program
        program.expose_logits(True)
        program.ctx.run.penalty = 0.0
        return inputs if self._frozen is None else self._frozen.forward(inputs, False)

    def step(self, batches: Sequence[Batch]) -> list[float]:
        """Train on the batches, one after the other; returns their losses.

        A program for another device may return an awaitable of them.
        """
        losses = []
        for batch in batches:
            losses.append(self.gradients(batch))
            self.training.optimizer.step()
        return losses

    def gradients(self, batch: Batch) -> float:
        """Compute the gradients of a batch; returns its loss."""
        inputs, targets, weights, size = batch
        program = self.program
        run = program.ctx.run
        program.expose_logits(True)
        run.penalty = 0.0
        seen = inputs if self._frozen is None else self._frozen.forward(inputs, False)
        ys = program.forward(seen, True)
        loss, gradients = self.training.apply_losses(ys, targets, weights, size, True)
        run.start_backward(self.parameters)
        program.backward(gradients)
        run.finish_backward()
        self.training.regularize()
        return loss

    def sync(self) -> None:
        """Bring weights and state to where the CPU reads them: they are there."""
