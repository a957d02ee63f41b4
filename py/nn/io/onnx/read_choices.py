"""Conversion of choices by a number: Where(x > c, a x + b, d x + e), as PyTorch writes hardshrink,
softshrink and rectifiers by hand.

Each side is a multiple of x, which a ReLU with a threshold cuts, or of x - c, which one without
does. Others would need a layer for comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nn.io.onnx.messages import Node
from nn.io.onnx.reader import Reader, Symbol

_COMPARISONS = {
    "Greater": (False, False),
    "GreaterOrEqual": (True, True),
    "Less": (True, False),
    "LessOrEqual": (False, True),
}
"""Operator -> whether it is -x > -c instead of x > c, and whether it is the contrary of that."""
_SWAPPED = {
    "Greater": "Less", "GreaterOrEqual": "LessOrEqual",
    "Less": "Greater", "LessOrEqual": "GreaterOrEqual",
}  # fmt: skip


@dataclass(frozen=True)
class _Limit:
    """A comparison of a value with a number: x > number, or -x > number."""

    name: str
    sign: int
    number: float


@dataclass(frozen=True)
class _Side:
    """slope * x + offset where x is beyond a limit, or where it is not, and 0 elsewhere."""

    limit: _Limit
    beyond: bool
    slope: float
    offset: float

    @property
    def steep(self) -> float:
        """The slope by what the limit compares."""
        return self.slope * self.limit.sign

    @property
    def known(self) -> bool:
        return not self.offset or (
            self.slope != 0 and self.steep * self.limit.number == -self.offset
        )

    def made(self, reader: Reader, x: Symbol) -> Symbol | None:
        """Return the side of a value, None if it is 0."""
        if not self.slope:
            return None
        y = x if self.limit.sign > 0 else reader.apply("Rescaling", x, scale=-1.0)
        c, factor = self.limit.number, self.steep
        if self.offset or not c:  # (y - c) beyond c, or -(c - y) before it
            turn = 1.0 if self.beyond else -1.0
            z = y if turn > 0 and not c else reader.apply("Rescaling", y, scale=turn,
                                                          offset=-turn * c)  # fmt: skip
            part, factor = reader.apply("ReLU", z), factor * turn
        else:
            part = reader.apply("ReLU", y, threshold=c)
            part = part if self.beyond else reader.apply("Subtract", y, part)
        return part if factor == 1 else reader.apply("Rescaling", part, scale=factor)


def read(reader: Reader, node: Node) -> bool:
    """Set the output of a Where that is such a choice; return whether it is."""
    sides = _sides(reader, node)
    if not sides:
        return False
    name = sides[0].limit.name
    value: Any = reader.turned.get(name)
    x = reader.symbols[name] if value is None else Symbol(value.tensor)
    parts = [part for side in sides if (part := side.made(reader, x))]
    made = reader.apply("Add", *parts) if len(parts) > 1 else parts[0]
    if value is None:
        reader.set(node, made)
    else:
        reader.turned[node.outputs[0]] = replace(value, tensor=made.tensor)
    return True


def _sides(reader: Reader, node: Node) -> list[_Side]:
    """Return the sides of a Where, none if it is no such choice."""
    if node.operator != "Where" or len(node.inputs) != 3:
        return []
    condition, yes, no = node.inputs
    maker = _beyond_cast(reader, condition)
    if maker is None:
        return []
    if maker.operator == "Or":  # of two that are never both true, and nothing elsewhere
        found = [_limit(reader, _beyond_cast(reader, name)) for name in maker.inputs]
        limits = [limit for limit, contrary in found if limit and not contrary]
        names, signs = {one.name for one in limits}, sorted(one.sign for one in limits)
        apart = sum(one.number for one in limits) >= 0
        if len(names) != 1 or signs != [-1, 1] or not apart:
            return []
        line, rest = _line(reader, yes, limits[0].name), _line(reader, no, limits[0].name)
        sides = [_Side(limit, True, *line) for limit in limits] if line and rest == (0, 0) else []
    else:
        limit, contrary = _limit(reader, maker)
        if limit is None:
            return []
        lines = [_line(reader, name, limit.name) for name in (yes, no)]
        if None in lines:
            return []
        sides = [_Side(limit, at == contrary, *line) for at, line in enumerate(lines) if line]
    return sides if all(one.known for one in sides) and any(one.slope for one in sides) else []


def _beyond_cast(reader: Reader, name: str) -> Node | None:
    maker = reader.makers.get(name)
    return reader.makers.get(maker.inputs[0]) if maker and maker.operator == "Cast" else maker


def _limit(reader: Reader, node: Node | None) -> tuple[_Limit | None, bool]:
    """Return the limit of a comparison with a number, and whether it is of what is not beyond."""
    if node is None or node.operator not in _COMPARISONS or len(node.inputs) != 2:
        return None, False
    (name, second), operator = node.inputs, node.operator
    if _number(reader, second) is None:
        name, second, operator = second, name, _SWAPPED[operator]
    number = _number(reader, second)
    if number is None or not (name in reader.symbols or name in reader.turned):
        return None, False
    mirrored, contrary = _COMPARISONS[operator]
    sign = -1 if mirrored else 1
    return _Limit(name, sign, sign * number), contrary


def _number(reader: Reader, name: str) -> float | None:
    array = reader.constants.get(name)
    if array is not None:
        return float(array.reshape(())) if array.size == 1 and array.ndim < 2 else None
    return reader.fills.get(name)


def _line(reader: Reader, name: str, x: str) -> tuple[float, float] | None:
    """Return slope and offset of what is computed from x by one node and a number, or is one."""
    number, maker = _number(reader, name), reader.makers.get(name)
    if name == x or number is not None:
        return (1.0, 0.0) if number is None else (0.0, number)
    if maker is None or x not in maker.inputs:
        return None
    if maker.operator == "Neg":
        return -1.0, 0.0
    first, second = (_number(reader, given) for given in (*maker.inputs, "")[:2])
    for number, other, lines in (
        (second, first, {"Add": (1, 1), "Sub": (1, -1)}),
        (first, second, {"Add": (1, 1), "Sub": (-1, 1)}),
    ):
        if number is not None and other is None:
            if maker.operator == "Mul":
                return number, 0.0
            if maker.operator in lines:
                slope, times = lines[maker.operator]
                return float(slope), times * number
    return None
