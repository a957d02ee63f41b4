"""Recurrent cells, which compute one step, and RNN, which runs them over a sequence."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from nn.context import Context
from nn.data.numeric import whole
from nn.errors import ConfigError
from nn.keras_arguments import LeftOut
from nn.layers.base import Layer
from nn.layers.gru import GRU
from nn.layers.lstm import LSTM
from nn.layers.recurrent import Recurrent, with_states
from nn.layers.simple_rnn import SimpleRNN
from nn.types import Array, Config, Shape

OF_SEQUENCES = {
    "activity_regularizer", "return_sequences", "return_state", "go_backwards", "stateful",
    "zero_output_for_mask",
}  # fmt: skip
"""Arguments of the layers that their cells lack."""


class Cell(Layer):
    """Base of the cells: one step of a layer, x without its steps, states -> [output, states].

    The layer's weights are the cell's.
    """

    several_inputs = True

    of: ClassVar[type[Recurrent]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        given = dict(zip(list(_of_cells(self.of).parameters)[1:], arguments, strict=False))
        own = {key: options[key] for key in ("trainable", "dtype") if key in options}
        super().__init__(name=options.pop("name", None), **own)
        self.layer = self.of(**given, **options, return_state=True)
        self.layer.name = self.name
        self.units = self.layer.units

    def __getattr__(self, name: str) -> Any:
        if name in self.of.fields:
            return getattr(self.layer, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    @property
    def state_size(self) -> Any:
        """The size of a row of the state, or of each of several."""
        sizes = [self.units] * self.of.state_count
        return sizes if len(sizes) > 1 else self.units

    @property
    def output_size(self) -> int:
        """The size of a row of the output."""
        return self.units

    def get_initial_state(self, batch_size: int | None = None) -> list[Array]:
        """Return the states before the first step: zeros (batch_size, units), as in Keras.

        Raises:
            ConfigError: the batch size is no count.
        """
        n = whole(batch_size, f"{self.name}: batch_size")
        return [np.zeros((n, self.units), self.dtype) for _ in range(self.of.state_count)]

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.layer,)

    def build(self, *input_shapes: Shape) -> None:
        n, *features = input_shapes[0]
        self.layer.ensure_built((n, None, *features), *input_shapes[1:])

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        n, *features = input_shapes[0]
        return self.layer.compute_output_shape((n, 1, *features))

    def __call__(self, *inputs: Any, states: Any = None, **options: Any) -> Any:
        """Call the cell on an input and the states, `cell(x, [h, c])`."""
        flat = [i for given in inputs for i in (given if isinstance(given, list) else [given])]
        return super().__call__(*with_states(flat, states), **options)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        x, *states = inputs
        return self.layer.forward(ctx.child("layer"), x[:, None], *states, training=training)

    def backward(self, ctx: Context, dy: Any) -> Any:
        inner = ctx.child("layer")
        inner.needs_input_gradient = ctx.needs_input_gradient
        made = self.layer.backward(inner, dy)
        if isinstance(made, tuple):
            dx, *states = made
            return (None if dx is None else dx[:, 0], *states)
        return None if made is None else made[:, 0]


LAST = ("reset_after", "seed", "options")
"""The last arguments of Keras' cells, in their order."""


def _of_cells(layer: type[Recurrent]) -> inspect.Signature:
    """Return the signature of a layer without the arguments of sequences."""
    whole = inspect.signature(layer.__init__)
    kept = [p for p in whole.parameters.values() if p.name not in OF_SEQUENCES]
    kept.sort(key=lambda p: LAST.index(p.name) + 1 if p.name in LAST else 0)
    named, given = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return whole.replace(parameters=[p.replace(kind=given) if p.kind is named else p for p in kept])


def cell_of(of: type[Recurrent]) -> Callable[[type[Cell]], type[Cell]]:
    """Give a cell the arguments of its layer, but for those of sequences."""

    def decorate(cls: type[Cell]) -> type[Cell]:
        def initialize(self: Any, *arguments: Any, **options: Any) -> None:
            Cell.__init__(self, *arguments, **options)

        initialize.__signature__ = _of_cells(of)  # type: ignore[attr-defined]
        cls.fields = tuple(field for field in of.fields if field not in OF_SEQUENCES)
        cls.of, cls.__init__ = of, initialize  # type: ignore[method-assign,assignment]
        return cls

    return decorate


@cell_of(SimpleRNN)
class SimpleRNNCell(Cell):
    """One step of SimpleRNN, with its arguments and weights."""


@cell_of(LSTM)
class LSTMCell(Cell):
    """One step of LSTM, with its arguments and weights."""


@cell_of(GRU)
class GRUCell(Cell):
    """One step of GRU, with its arguments and weights."""


class StackedRNNCells(Layer):
    """Cells one above the other: the output of one is the input of the next. `RNN` runs them."""

    several_inputs = True

    fields: tuple[str, ...] = ("cells",)
    inner_fields: tuple[str, ...] = ("cells",)

    def __init__(self, cells: Sequence[Cell], **options: Any) -> None:
        super().__init__(**options)
        known = (SimpleRNNCell, LSTMCell, GRUCell)
        if not cells or not all(isinstance(cell, known) for cell in cells):
            raise ConfigError(
                f"{self.name}: expected SimpleRNNCell, LSTMCell or GRUCell, received {cells!r}"
            )
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the states of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The size of a row of the last cell's output."""
        return self.cells[-1].output_size

    def get_initial_state(self, batch_size: int | None = None) -> list[list[Array]]:
        """Return the states of each cell before the first step; as a cell's."""
        return [cell.get_initial_state(batch_size) for cell in self.cells]

    @property
    def sublayers(self) -> Sequence[Layer]:
        return self.cells


class RNN(Layer):
    """Run a cell, or several stacked ones, over (n, steps, features).

    Args:
        cell: SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells or a list of cells. A cell of
            your own is not possible, since nothing derives its gradient: write a layer.
        return_sequences: return the output of every step, not only of the last.
        return_state: return [output, *states], the states of the lowest cell first.
        go_backwards: read the sequence from its end; outputs come in that order.
        stateful: start each batch with the final states of the batch before.
        zero_output_for_mask: masked steps return zeros instead of the last output.
    """

    several_inputs = True
    supports_masking = True
    fields: tuple[str, ...] = (
        "return_sequences", "return_state", "go_backwards", "stateful", "zero_output_for_mask",
        "cell",
    )  # fmt: skip
    inner_fields: tuple[str, ...] = ("cell",)
    left_out: ClassVar[LeftOut] = Recurrent.left_out

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        *,
        zero_output_for_mask: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        stacked = isinstance(cell, list | tuple)
        self.cell = StackedRNNCells(cell) if stacked else cell
        self.cells = self.cell.cells if isinstance(self.cell, StackedRNNCells) else [self.cell]
        StackedRNNCells(self.cells)  # checks them
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.zero_output_for_mask = zero_output_for_mask
        self.runs: list[Any] = []

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.cell,)

    def build(self, *input_shapes: Shape) -> None:
        n, _, features = input_shapes[0]
        for number, cell in enumerate(self.cells):
            cell.ensure_built((n, features))
            last = number == len(self.cells) - 1
            run = copy.copy(cell.layer)  # with the cell's variables
            run.return_sequences = self.return_sequences or not last
            run.go_backwards = self.go_backwards and number == 0
            run.stateful = self.stateful
            run.zero_output_for_mask = self.zero_output_for_mask and last
            self.runs.append(run)
            features = cell.units

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        n, steps, _ = input_shapes[0]
        units = self.cells[-1].units
        shape = (n, steps, units) if self.return_sequences else (n, units)
        states = [(n, c.units) for c in self.cells for _ in range(c.of.state_count)]
        return [shape, *states] if self.return_state else shape

    def __call__(self, *inputs: Any, initial_state: Any = None, **options: Any) -> Any:
        """Call the layer; see `Layer.__call__`. `initial_state` holds the states of all cells."""
        return super().__call__(*with_states(inputs, initial_state), **options)

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        mask = masks[0] if self.return_sequences else None
        count = sum(cell.of.state_count for cell in self.cells)
        return [mask, *[None] * count] if self.return_state else mask

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        y, *given = inputs
        mask, states = ctx.mask, []
        ctx.saved = bool(given)
        for number, run in enumerate(self.runs):
            inner = ctx.child(number)
            inner.mask = mask
            own = [given.pop(0) for _ in range(run.state_count)] if given else []
            y, *made = run.forward(inner, y, *own, training=training)
            states += made
            if mask is not None and run.go_backwards:
                mask = np.asarray(mask)[:, ::-1]
        return [y, *states] if self.return_state else y

    def backward(self, ctx: Context, dy: Any) -> Any:
        d, *states = dy if self.return_state else (dy,)
        given: list[Any] = []
        for number in range(len(self.runs) - 1, -1, -1):
            run, inner = self.runs[number], ctx.child(number)
            inner.needs_input_gradient = ctx.needs_input_gradient or number > 0
            count = run.state_count
            own = states[-count:] if states else [None] * count
            states = states[:-count]
            made = run.backward(inner, (d, *own))
            d, first = (made[0], made[1:]) if ctx.saved else (made, ())
            given = [*first, *given]
        return (d, *given) if ctx.saved else d

    def reset_state(self) -> None:
        """Start the next batch with zero states."""
        for run in self.runs:
            run.reset_state()

    reset_states = reset_state

    def get_state(self) -> Config:
        return {"cells": [run.get_state() for run in self.runs]}

    def set_state(self, state: Config) -> None:
        for run, kept in zip(self.runs, state["cells"], strict=True):
            run.set_state(kept)
