"""Conversion of gelu as exporters write it with Erf: x / 2 * (1 + erf(x / sqrt(2)))."""

from __future__ import annotations

import math
from dataclasses import replace

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.reader import Handle, Reader, Symbol, where


def exact_gelu(read_constant: Handle) -> Handle:
    """Return the conversion of Erf, which needs the constants of nodes behind it."""

    def handle(reader: Reader, node: Node) -> None:
        pattern = _Pattern(reader, read_constant)
        x = pattern.argument(node)
        ends = x and pattern.ends(node, x)
        if not x or not ends:
            raise UnsupportedError(
                f"{where(node)}: expected a part of x / 2 * (1 + erf(x / sqrt(2))), "
                "there is no erf by itself here"
            )
        value = reader.turned.get(x)
        symbol = reader.symbols[x] if value is None else Symbol(value.tensor)
        made = reader.apply("Activation", symbol, activation="gelu")
        if value is None:
            reader.set(node, made)
        else:
            reader.turned[node.outputs[0]] = replace(value, tensor=made.tensor)
        # What follows has the value of the whole.
        reader.same.update(dict.fromkeys(ends, node.outputs[0]))

    return handle


class _Pattern:
    """The nodes around an Erf."""

    def __init__(self, reader: Reader, read_constant: Handle) -> None:
        self._reader = reader
        self._read_constant = read_constant

    def argument(self, erf: Node) -> str | None:
        """Return x where Erf's input is x / sqrt(2)."""
        maker = self._reader.makers.get(erf.inputs[0])
        if maker is None or len(maker.inputs) != 2:
            return None
        if maker.operator == "Div" and self._is(maker.inputs[1], math.sqrt(2)):
            return maker.inputs[0]
        return self._factor(maker, math.sqrt(0.5))

    def ends(self, erf: Node, x: str) -> list[str] | None:
        """Return the outputs of the nodes after Erf up to the whole gelu, None if others follow."""
        add = self._reader.follower(erf.outputs[0])
        if add is None or add.operator != "Add" or not any(self._is(n, 1.0) for n in add.inputs):
            return None
        product = self._reader.follower(add.outputs[0])
        if product is None or product.operator != "Mul":
            return None
        rest = [name for name in product.inputs if name != add.outputs[0]]
        outputs = [add.outputs[0], product.outputs[0]]
        if len(rest) != 1:
            return None
        half = self._reader.makers.get(rest[0])
        if rest[0] != x and half is not None and self._factor(half, 0.5) == x:
            return outputs
        last = self._reader.follower(product.outputs[0])
        # x * (1 + erf) / 2, or (1 + erf) / 2 * x
        if last is None or last.operator != "Mul":
            return None
        if rest[0] == x and any(self._is(name, 0.5) for name in last.inputs):
            return [*outputs, last.outputs[0]]
        if self._is(rest[0], 0.5) and x in last.inputs:
            return [*outputs, last.outputs[0]]
        return None

    def _factor(self, node: Node, value: float) -> str | None:
        """Return the other input of a product with this number."""
        if node.operator != "Mul" or len(node.inputs) != 2:
            return None
        first, second = node.inputs
        if self._is(second, value):
            return first
        return second if self._is(first, value) else None

    def _is(self, name: str, value: float) -> bool:
        maker = self._reader.makers.get(name)
        if name not in self._reader.constants and maker is not None:
            if maker.operator != "Constant":
                return False
            self._read_constant(self._reader, maker)
        array = self._reader.constants.get(name)
        return (
            array is not None
            and array.size == 1
            and math.isclose(float(array.reshape(())), value, rel_tol=1e-4)
        )
