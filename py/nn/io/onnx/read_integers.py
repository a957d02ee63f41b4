"""Integers among a model's values, such as the indices that enter a table.

The engine computes them as floats, which hold every integer below 2**24. Operators that give
floats another result, such as Div, are refused, and so is the arithmetic of 8 and 16 bits, which
wraps around.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import DTYPES, Node
from nn.io.onnx.reader import Reader, where

_MOVES = (
    "Cast", "Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split",
    "Squeeze", "Transpose", "Unsqueeze",
)  # fmt: skip
_EXACT = (
    "Abs", "Add", "Clip", "Max", "Min", "Mul", "Neg", "ReduceMax", "ReduceMin", "ReduceSum", "Relu",
    "Sub", "Sum",
)  # fmt: skip


def check(reader: Reader, node: Node) -> None:
    """Note the outputs that are integers because the inputs are.

    Raises:
        UnsupportedError: the engine, which computes with floats, would give another result.
    """
    given = next((reader.integers[n] for n in node.inputs if n in reader.integers), None)
    # The outputs of the last are floats, those of the others have other types too.
    if given is None or node.operator in ("Equal", "OneHot") or node.domain == "ai.onnx.ml":
        return
    wide = given.itemsize >= 4
    if node.operator not in (*_MOVES, *(_EXACT if wide else ())):
        raise UnsupportedError(
            f"{where(node)}: expected floats, received {given}: no {node.operator} of these here, "
            "cast them first"
        )
    made = _made(reader, node, given)
    if made.kind != "f":
        reader.integers.update(dict.fromkeys(node.outputs, made))


def _made(reader: Reader, node: Node, given: np.dtype[Any]) -> np.dtype[Any]:
    if node.operator == "Cast":
        code: Any = node.attributes.get("to")
        return np.dtype(DTYPES.get(code, "<f4"))
    if node.operator == "Gather" and node.inputs[0] in reader.constants:
        return reader.constants[node.inputs[0]].dtype
    return given
