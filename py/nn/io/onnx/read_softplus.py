"""Conversion of softplus as PyTorch 2.13 writes it: x itself where beta x is above 20.

There softplus is x to 2e-9, so that the whole is softplus everywhere.
"""

from __future__ import annotations

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.reader import Reader, where

_ENOUGH = 15.0  # from where on softplus in float32 is its argument


def compare(reader: Reader, node: Node) -> None:
    """Pass over a Greater whose users are all such softplus.

    Raises:
        UnsupportedError: one is not.
    """
    users = reader.consumers(node.outputs[0])
    if node.outputs[0] in reader.outputs or not all(_softplus(reader, user) for user in users):
        raise UnsupportedError(f"{where(node)}: no comparison here, but as a part of softplus")


def select(reader: Reader, node: Node) -> None:
    """Set the output of a Where that is softplus.

    Raises:
        UnsupportedError: it is not.
    """
    if not _softplus(reader, node):
        raise UnsupportedError(f"{where(node)}: no choice here, but as a part of softplus")
    reader.set(node, reader.symbol(node, 2))


def _softplus(reader: Reader, node: Node) -> bool:
    """Return whether a Where gives x where beta x is large, and else softplus(beta x) / beta."""
    if node.operator != "Where" or len(node.inputs) != 3:
        return False
    condition, other = (reader.makers.get(node.inputs[at]) for at in (0, 2))
    beta = None
    if other is not None and other.operator == "Div":
        beta, other = other.inputs[1], reader.makers.get(other.inputs[0])
    if condition is None or condition.operator != "Greater" or other is None:
        return False
    scaled, limit = condition.inputs[0], reader.constants.get(condition.inputs[1])
    large = limit is not None and limit.size == 1 and float(limit.reshape(())) >= _ENOUGH
    if other.operator != "Softplus" or other.inputs != [scaled] or not large:
        return False
    if beta is None:
        return scaled == node.inputs[1]
    product = reader.makers.get(scaled)
    wanted = ["Mul", node.inputs[1], beta]
    return product is not None and [product.operator, *product.inputs] == wanted
