"""Base class of the recurrent layers: (n, steps, features) -> (n, units) or (n, steps, units).

One kernel runs all steps of an LSTM or a GRU with tanh and gates that are logistic or hard. Else,
and with recurrent dropout, the steps run one by one: time is the first axis inside, and the part
that does not depend on the previous step (x W + b) is computed for all steps at once. A layer
defines one step and its reverse; this base handles masks, states, dropout and the gradients of the
weights. Weights, gates and their order are Keras' (LSTM i, f, c, o; GRU z, r, h).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import activations, kernels
from nn.context import Context
from nn.errors import ShapeError
from nn.keras_arguments import LeftOut
from nn.layers.base import expect_rank, positive
from nn.layers.recurrent_products import Gated, fraction
from nn.types import Array, Config, Shape

States = list[Array]
SLOPES = {"sigmoid": 0.0, "hard_sigmoid": 1 / 6, "keras2_hard_sigmoid": 0.2}
"""The gates that the kernel has, and the slope by which it knows them."""


class Recurrent(Gated):
    """Base of SimpleRNN, LSTM and GRU.

    Args:
        units: size of the state and of the output.
        dropout: fraction of the inputs to drop in training, the same ones at every step.
        recurrent_dropout: fraction of the state to drop on its way into the gates, likewise (Gal
            and Ghahramani 2016).
        seed: seed of a generator for the dropouts; by default they use the model's.
        return_sequences: return the output of every step, not only of the last.
        return_state: return [output, *states].
        go_backwards: read the sequence from its end; outputs come in that order.
        stateful: start each batch with the final states of the batch before, until
            `reset_state()`.
        zero_output_for_mask: masked steps return zeros instead of the last output.

    A step that the mask leaves out changes no state. `initial_state=` of a call gives the states to
    begin with: (n, units) each, arrays or symbolic tensors.
    """

    several_inputs = True

    kernel_cell = ""  # the name of its kernel; empty for none
    recurrent_activation = activations.SIGMOID
    state_count = 1
    supports_masking = True
    fields: tuple[str, ...] = (
        "units", "activation", "use_bias", "kernel_initializer", "recurrent_initializer",
        "bias_initializer", "kernel_regularizer", "recurrent_regularizer", "bias_regularizer",
        "kernel_constraint", "recurrent_constraint", "bias_constraint", "dropout",
        "recurrent_dropout", "seed", "return_sequences", "return_state", "go_backwards", "stateful",
        "zero_output_for_mask",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = {
        "unroll": (False, "there is no graph to unroll: steps are a plain loop")
    }

    def __init__(
        self,
        *,
        units: int,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        stateful: bool,
        zero_output_for_mask: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units = positive(units, "units", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.set_options(
            "recurrent", recurrent_initializer, recurrent_regularizer, recurrent_constraint
        )
        self.set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.dropout = fraction(dropout, "dropout", self.name)
        self.recurrent_dropout = fraction(recurrent_dropout, "recurrent_dropout", self.name)
        self.seed = seed
        self.rng = np.random.default_rng(seed) if seed is not None else None
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.zero_output_for_mask = zero_output_for_mask
        self.states: States | None = None

    # Weights and shapes.

    def build(self, *input_shapes: Shape) -> None:
        expect_rank(input_shapes[0], 3, self)
        self._expect_states(input_shapes[1:])
        features = input_shapes[0][-1]
        if features is None:
            raise ShapeError(f"{self.name}: features must be known, received {input_shapes[0]}")
        width = self.gates * self.units
        self.kernel = self.add_named("kernel", (features, width))
        shape = (self.units, width)
        self.recurrent_kernel = self.add_named("recurrent_kernel", shape, "recurrent")
        self.bias = self.add_named("bias", self.bias_shape()) if self.use_bias else None

    def _expect_states(self, shapes: Sequence[Shape]) -> None:
        wanted = [(self.units,)] * self.state_count
        if shapes and [s[1:] for s in shapes] != wanted:
            raise ShapeError(
                f"{self.name}: expected {self.state_count} states of shape (n, {self.units}), "
                f"received {list(shapes)}"
            )

    def bias_shape(self) -> tuple[int, ...]:
        """Return the shape of the bias: one element per unit and gate."""
        return (self.gates * self.units,)

    @property
    def state_size(self) -> int:
        """The size of a row of a state."""
        return self.units

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        n, steps, _ = input_shapes[0]
        output = (n, steps, self.units) if self.return_sequences else (n, self.units)
        return [output, *[(n, self.units)] * self.state_count] if self.return_state else output

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        mask = masks[0] if self.return_sequences else None
        return [mask, *[None] * self.state_count] if self.return_state else mask

    # States from batch to batch.

    def reset_state(self) -> None:
        """Start the next batch with zero states."""
        self.states = None

    reset_states = reset_state

    def get_state(self) -> Config:
        kept = [] if self.states is None else [state.copy() for state in self.states]
        return super().get_state() | ({"states": kept} if self.stateful else {})

    def set_state(self, state: Config) -> None:
        super().set_state(state)
        if self.stateful:
            self.states = [np.array(s, self.dtype) for s in state["states"]] or None

    def __call__(self, *inputs: Any, initial_state: Any = None, **options: Any) -> Any:
        """Call the layer; see `Layer.__call__` and, for `initial_state`, the class."""
        return super().__call__(*with_states(inputs, initial_state), **options)

    def _begin(self, given: Sequence[Array], n: int) -> Sequence[Any]:
        """Return the initial states; None for zeros."""
        if given:
            self._expect_states([a.shape for a in given])
            return given
        if not self.stateful or self.states is None:
            return [None] * self.state_count
        if len(self.states[0]) != n:
            raise ShapeError(
                f"{self.name}: expected batches of {len(self.states[0])}, as the states that are "
                f"kept from the last one, received {n}; reset_state() discards them"
            )
        return self.states

    # Forward.

    @property
    def standard_cell(self) -> str:
        """The name of the kernel that runs all steps at once; empty for none."""
        standard = self.activation.name == "tanh" and self.recurrent_activation.name in SLOPES
        return self.kernel_cell if standard else ""

    @property
    def _slope(self) -> float:
        return SLOPES[self.recurrent_activation.name]

    def only_kernels(self, ctx: Context) -> bool:
        return bool(self.standard_cell) and not (
            self.dropout or self.recurrent_dropout or self.stateful or ctx.mask is not None
        )

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        x, *given = inputs
        drops = self.drop(ctx, len(x), x.shape[-1]) if training else (None, None)
        first = self._begin(given, len(x))
        if self.standard_cell and drops[1] is None:
            return self._run(ctx, x, first, drops, bool(given))
        rows = self.in_time(ctx, x)
        steps, n = rows.shape[:2]
        z = self.project(ctx, rows, drops[0])
        states = [
            ctx.buffer(f"state {i}", (steps + 1, n, self.state_size)) for i in self._counted()
        ]
        for state, given_state in zip(states, first, strict=True):
            state[0] = 0 if given_state is None else given_state
        mask = None if ctx.mask is None else self._in_order(ctx.mask.astype(bool)).T[..., None]
        self._walk(ctx, z, states, mask, drops[1])
        ctx.saved = rows, z, states, mask, drops, len(given)
        return self._outputs(ctx, states, mask)

    def _run(self, ctx: Context, x: Array, first: Sequence[Any], drops: Any, given: bool) -> Any:
        """Run all steps at once."""
        n, steps, features = x.shape
        shapes = kernels.trace_shapes(self.standard_cell, n, steps, features, self.units)
        trace = kernels.Trace(*(ctx.buffer(f"trace {i}", s) for i, s in enumerate(shapes)))
        lead = (n, steps) if self.return_sequences else (n,)
        y = ctx.buffer("y", (*lead, self.units))
        kept = x if drops[0] is None else x * drops[0][0][:, None]
        mask = None if ctx.mask is None else ctx.mask.astype(bool)
        shown = self._outputs_kept(mask)
        kernels.recurrent_steps(
            self.standard_cell, kept, self._weights, first, trace, y, slope=self._slope,
            turned=self.go_backwards, mask=mask,
        )  # fmt: skip
        if shown is not None:
            y *= shown
        ctx.saved = trace, mask, shown, drops, given
        return self._with_states(y, [trace.joined[..., : self.units], trace.c])

    def _outputs_kept(self, mask: Array | None) -> Array | None:
        """Return a factor of the outputs: 0 where the mask leaves one out that is to be zero."""
        if mask is None or not self.zero_output_for_mask:
            return None
        shown = self._in_order(mask)[..., None]
        return shown if self.return_sequences else shown[:, -1]

    @property
    def _weights(self) -> Any:
        bias = self.bias
        return self.kernel.value, self.recurrent_kernel.value, None if bias is None else bias.value

    def in_time(self, ctx: Context, x: Array) -> Array:
        """Return the input with the steps first, in the order in which they are taken."""
        n, steps, features = x.shape
        rows = ctx.buffer("rows", (steps, n, features))
        kernels.swap_axes(x, rows, 1 if self.go_backwards else None)
        return rows

    def _in_order(self, x: Array) -> Array:
        return x[:, ::-1] if self.go_backwards else x

    def _counted(self) -> range:
        return range(self.state_count)

    def _walk(
        self, ctx: Context, z: Array, states: States, mask: Array | None, drop: Array | None
    ) -> None:
        """Run the steps one by one."""
        for t, now in enumerate(z):
            old, new = [s[t] for s in states], [s[t + 1] for s in states]
            self.step(ctx, t, now, old, new, drop)
            if mask is not None:
                for before, after in zip(old, new, strict=True):
                    np.copyto(after, before, where=~mask[t])

    def _outputs(self, ctx: Context, states: States, mask: Array | None) -> Any:
        h = states[0][1:]
        if mask is not None and self.zero_output_for_mask:
            h = h * mask
        y = h[-1]
        if self.return_sequences:
            y = ctx.buffer("y", (h.shape[1], h.shape[0], h.shape[2]))
            kernels.swap_axes(h, y)
        return self._with_states(y, states)

    def _with_states(self, y: Array, states: Sequence[Array]) -> Any:
        """Return the output, with the last states if they are wanted; keep them if stateful."""
        if not (self.return_state or self.stateful):
            return y
        last = [states[i][-1].copy() for i in self._counted()]
        if self.stateful:
            self.states = last
        return [y, *last] if self.return_state else y

    # Backward.

    def backward(self, ctx: Context, dy: Any) -> Any:
        if isinstance(ctx.saved[0], kernels.Trace):
            return self._run_back(ctx, dy)
        rows, z, states, mask, drops, given = ctx.saved
        ds = self._given_gradients(ctx, dy, states, mask)
        self._walk_back(ctx, z, states, ds, mask, drops[1])
        self.keep(ctx, states[0][:-1], z, drops[1])
        dx = self.input_gradient(ctx, rows, z, drops[0])
        return (dx, *(d[0] for d in ds)) if given else dx

    def _run_back(self, ctx: Context, dy: Any) -> Any:
        """Run all steps at once, backwards."""
        trace, mask, shown, drops, given = ctx.saved
        steps, n = len(trace.joined) - 1, trace.joined.shape[1]
        output, *last = dy if self.return_state else (dy,)
        if shown is not None and output is not None:
            output = output * shown
        ds = [ctx.buffer(f"d state {i}", (n, self.units)) for i in self._counted()]
        at_end = None if self.return_sequences else output
        for d, part in zip(ds, (at_end, None), strict=False):
            if part is None:
                kernels.clear(d)
            else:
                kernels.copy(part, d)
        for d, part in zip(ds, last, strict=False):
            if part is not None:
                d += part
        wanted = ctx.needs_input_gradient
        dx = ctx.buffer("dx", (n, steps, self.kernel.shape[0])) if wanted else None
        variables = (self.kernel, self.recurrent_kernel, self.bias)
        gradients: Any = tuple(v and ctx.gradient(v, overwrite=True) for v in variables)
        kernels.recurrent_gradient(
            self.standard_cell, self._weights, trace, output if self.return_sequences else None, ds,
            gradients, dx, slope=self._slope, turned=self.go_backwards, first_too=given, mask=mask,
        )  # fmt: skip
        if dx is not None and drops[0] is not None:
            dx *= drops[0][0][:, None]
        return (dx, *ds) if given else dx

    def _given_gradients(self, ctx: Context, dy: Any, states: States, mask: Any) -> States:
        """Return the gradients of all states, including the contribution of the outputs."""
        ds = [ctx.buffer(f"d states {i}", s.shape) for i, s in enumerate(states)]
        for d in ds:
            d.fill(0)
        output, *last = dy if self.return_state else (dy,)
        if output is not None:
            to = ds[0][1:] if self.return_sequences else ds[0][-1:]
            if self.return_sequences:
                kernels.swap_axes(output, to)
            else:
                to[0] = output
            if mask is not None and self.zero_output_for_mask:
                to *= mask if self.return_sequences else mask[-1:]
        for d, part in zip(ds, last, strict=False):
            if part is not None:
                d[-1] += part
        return ds

    def _walk_back(
        self, ctx: Context, z: Array, states: States, ds: States, mask: Any, drop: Any
    ) -> None:
        for t in range(len(z) - 1, -1, -1):
            later = [d[t + 1] for d in ds]
            if mask is not None:
                for d in ds:
                    d[t] += d[t + 1] * ~mask[t]
                later = [d * mask[t] for d in later]
            old, new = [s[t] for s in states], [s[t + 1] for s in states]
            self.step_back(ctx, t, z[t], old, new, later, [d[t] for d in ds], drop)

    # Methods that a layer defines or may override.

    def step(
        self, ctx: Context, t: int, z: Array, old: States, new: States, drop: Array | None
    ) -> None:
        """Write the states `new` from x W + b (n, gates * units) and the states `old`.

        The layer may overwrite `z` with values for `step_back`. `drop` holds the dropout factors
        (gates, n, units) of the state for each gate, or None.
        """
        raise NotImplementedError

    def step_back(
        self, ctx: Context, t: int, z: Array, old: States, new: States, later: States, ds: States,
        drop: Array | None,
    ) -> None:  # fmt: skip
        """Replace `z` by the gradient of x W + b, and add the gradients of the states `old`,
        computed from those of `new`, to `ds`."""
        raise NotImplementedError


def with_states(inputs: Sequence[Any], initial_state: Any) -> Sequence[Any]:
    """Return the inputs of a call with the states that it gives after them."""
    given = initial_state if initial_state is not None else ()
    states = given if isinstance(given, list | tuple) else (given,)
    if states and len(inputs) == 1 and isinstance(inputs[0], list | tuple):
        inputs = inputs[0]
    return (*inputs, *states)
