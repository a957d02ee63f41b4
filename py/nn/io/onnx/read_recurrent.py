"""Conversion of ONNX' RNN, LSTM and GRU to layers: the reverse of `write_recurrent`.

The layers take and give values with the batch first; `read_turned` follows the graph's axes, which
have the steps first (https://onnx.ai/onnx/operators/onnx__LSTM.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.graph import SymbolicTensor
from nn.io.errors import CorruptError, UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.read_groups import Turned
from nn.io.onnx.read_turned import find, keep
from nn.io.onnx.reader import Array, Handle, Reader, Symbol, where
from nn.io.onnx.write_recurrent import FUNCTIONS, in_order
from nn.io.onnx.write_recurrent import OPERATORS as WRITTEN
from nn.layers import CLASSES

_LAYERS = {operator: (kind, order) for kind, (operator, order) in WRITTEN.items()}
_DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
# Activations that take alpha, and beta, with ONNX' defaults.
_ALPHA = {"Affine": 1.0, "Elu": 1.0, "HardSigmoid": 0.2, "LeakyRelu": 0.01}
_BETA = {"Affine": 0.0, "HardSigmoid": 0.5}
_NAMES = {
    (name.lower(), *(round(value, 4) for value in (*alpha, *beta))): ours
    for ours, (name, alpha, beta) in FUNCTIONS.items()
}
_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def handle(reader: Reader, node: Node) -> None:
    """Add the layer of a recurrent operator, with what of its outputs the graph uses.

    Raises:
        UnsupportedError: the engine's layers lack an option, or can't take an input.
    """
    operator = _Operator(reader, node)
    operator.refuse_options()
    x, states = operator.sequence(), operator.states()
    used = [reader.used(name) for name in node.outputs] + [False] * 3
    # The last output is what the layer gives anyway.
    every, several = used[0], used[2] or (used[0] and used[1])
    made = operator.apply([x, *states], return_sequences=every, return_state=several)
    operator.set_outputs(made, used, x)


@dataclass(frozen=True)
class _Operator:
    """A node and its settings."""

    reader: Reader
    node: Node

    @property
    def kind(self) -> str:
        return self.node.operator

    @property
    def direction(self) -> str:
        name = self.node.attributes.get("direction", "forward")
        if name not in _DIRECTIONS:
            raise UnsupportedError(f"{where(self.node)}: no direction {name!r} here")
        return str(name)

    @property
    def count(self) -> int:
        """The number of directions."""
        return _DIRECTIONS[self.direction]

    @property
    def batch(self) -> int:
        """The axis of the batch, but for the output of all steps."""
        return 0 if self.node.attributes.get("layout", 0) else 1

    def refuse_options(self) -> None:
        """Refuse what the layers lack: clipped gates, coupled ones, sequences of other lengths."""
        named = self.node.attributes
        for option in ("clip", "input_forget"):
            if named.get(option):
                raise UnsupportedError(f"{where(self.node)}: no {option}={named[option]} here")
        names = [*self.node.inputs, *[""] * 8]
        if names[7] and not self._only(names[7], 0):
            raise UnsupportedError(f"{where(self.node)}: no peephole weights here")
        if names[4] and not self._only(names[4], self.steps()):
            raise UnsupportedError(f"{where(self.node)}: no lengths of sequences here")

    def steps(self) -> int | None:
        return self.sequence().tensor.shape[1]

    def _only(self, name: str, number: int | None) -> bool:
        """Return whether an input holds nothing but one number."""
        if name in self.reader.fills:
            return self.reader.fills[name] == number
        constant = self.reader.constants.get(name)
        return constant is not None and number is not None and bool(np.all(constant == number))

    # Inputs.

    def sequence(self) -> Symbol:
        """Return the input, (n, steps, features)."""
        value = find(self.reader, self.node.inputs[0])
        if value is None or not self._fits(value):
            received = "a constant" if value is None else value.sizes
            raise UnsupportedError(
                f"{where(self.node)}: expected a computed input of 3 axes with the batch as axis "
                f"{self.batch}, received {received}"
            )
        return value.in_order(self.reader)

    def _fits(self, value: Turned) -> bool:
        return len(value.axes) == 3 and value.axes[self.batch] == (0,)

    def states(self) -> list[Symbol]:
        """Return the initial states (n, units) of each direction in turn, none if they are 0."""
        names = [name for name in self.node.inputs[5:7] if name]
        if not names or all(self._only(name, 0) for name in names):
            return []
        found = [find(self.reader, name) for name in names]
        wanted = 2 if self.kind == "LSTM" else 1
        if len(found) < wanted or any(v is None or not self._fits(v) for v in found):
            raise UnsupportedError(
                f"{where(self.node)}: expected initial states of 0, or all as inputs of the model"
            )
        return [
            self._of_direction(value, side)
            for side in range(self.count)
            for value in found
            if value is not None
        ]

    def _of_direction(self, value: Turned, side: int) -> Symbol:
        if self.count == 1:
            return value.without([1 - self.batch]).in_order(self.reader)
        return self.reader.apply("GetItem", value.in_order(self.reader), index=[side])

    # The layer.

    def apply(self, inputs: Sequence[Symbol], **returned: bool) -> list[SymbolicTensor]:
        """Return the layer's outputs."""
        kind, _ = _LAYERS[self.kind]
        sides = [self._settings(side) | returned for side in range(self.count)]
        weights = [array for side in range(self.count) for array in self._weights(side)]
        if self.count == 1:
            back = {"go_backwards": self.direction == "reverse"}
            made = self.reader.apply(kind, *inputs, weights=weights, **sides[0], **back)
        else:
            forward, backward = (
                CLASSES[kind](**side, go_backwards=at == 1) for at, side in enumerate(sides)
            )
            made = self.reader.apply(
                "Bidirectional", *inputs, weights=weights, layer=forward, backward_layer=backward
            )
        tensors: Any = made.tensor
        return tensors if isinstance(tensors, list) else [tensors]

    def _settings(self, side: int) -> dict[str, Any]:
        """Return the arguments of the layer of one direction."""
        names = self._activations(side)
        settings = {
            "units": self._units,
            "activation": names[-1],
            "use_bias": self.reader.constant(self.node, 3) is not None,
        }
        if self.kind != "RNN":
            settings["recurrent_activation"] = names[0]
        if self.kind == "GRU":
            settings["reset_after"] = bool(self.node.attributes.get("linear_before_reset", 0))
        if self.kind == "LSTM" and names[1] != names[2]:
            raise UnsupportedError(f"{where(self.node)}: expected one activation, not {names[1:]}")
        return settings

    def _activations(self, side: int) -> list[str]:
        count = len(_DEFAULTS[self.kind])
        named: Any = self.node.attributes
        names = named.get("activations") or _DEFAULTS[self.kind] * self.count
        alphas, betas = (iter(named.get(f"activation_{k}", ())) for k in ("alpha", "beta"))
        known = [self._activation(str(name), alphas, betas) for name in names]
        return known[side * count : (side + 1) * count]

    def _activation(self, name: str, alphas: Iterator[float], betas: Iterator[float]) -> str:
        kind = next((k for k in _ALPHA if k.lower() == name.lower()), name)
        given = [next(alphas, _ALPHA[kind])] if kind in _ALPHA else []
        given += [next(betas, _BETA[kind])] if kind in _BETA else []
        found = _NAMES.get((name.lower(), *(round(float(value), 4) for value in given)))
        if found is None:
            raise UnsupportedError(f"{where(self.node)}: no activation {name} {given} here")
        return found

    @property
    def _units(self) -> int:
        return int(self.reader.needed(self.node, 2).shape[-1])

    def _weights(self, side: int) -> list[Array]:
        """Return the weights of one direction in Keras' layout."""
        _, order = _LAYERS[self.kind]
        width = len(order) * self._units
        arrays = [self.reader.needed(self.node, 1), self.reader.needed(self.node, 2)]
        shapes: list[tuple[int, ...]] = [
            (self.count, width, arrays[0].shape[-1]),
            (self.count, width, self._units),
        ]
        bias = self.reader.constant(self.node, 3)
        if bias is not None:
            arrays.append(bias)
            shapes.append((self.count, 2 * width))
        if [a.shape for a in arrays] != shapes:
            raise CorruptError(
                f"{where(self.node)}: expected weights of shapes {shapes}, received "
                f"{[a.shape for a in arrays]}"
            )
        back = np.argsort(order).tolist()
        made = [in_order(array[side], back).T for array in arrays[:2]]
        if bias is not None:
            rows = np.stack([in_order(row, back) for row in np.split(bias[side], 2)])
            after = self.kind == "GRU" and self.node.attributes.get("linear_before_reset", 0)
            made.append(rows if after else rows.sum(axis=0))
        return made

    # Outputs.

    def set_outputs(self, made: list[SymbolicTensor], used: list[bool], x: Symbol) -> None:
        """Set the values that the graph uses: every step, and the last states."""
        main, *states = made
        names = self.node.outputs
        if used[0]:
            steps = Symbol(main)
            if self.direction == "reverse":
                steps = self.reader.apply("GetItem", steps, index=[[None, None, -1]])
            all_steps = (x.tensor.shape[1], self.count, self._units)
            places = (1, 2, 0, 3) if self.batch else (0, 1, 2, 3)
            keep(self.reader, names[0], Turned.ordered(steps.tensor, all_steps, places))
        each = len(states) // self.count
        for at in (1, 2):
            if used[at]:
                last = [main] if not states or (at == 1 and not used[0]) else states[at - 1 :: each]
                whole = Symbol(last[0])
                if len(last) > 1:
                    whole = self.reader.apply("Concatenate", *map(Symbol, last), axis=-1)
                order = (1, 0, 2) if self.batch else (0, 1, 2)
                view = (self.count, self._units)
                keep(self.reader, names[at], Turned.ordered(whole.tensor, view, order))


OPERATORS: dict[str, Handle] = {"GRU": handle, "LSTM": handle, "RNN": handle}
