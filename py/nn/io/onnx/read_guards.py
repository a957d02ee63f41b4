"""Conversion of Where: by a constant mask, by a number (see `read_choices`), or what PyTorch 2.13
guards by comparisons, and which is the same without them.

- softplus: x itself where beta x is above 20, where softplus is x to 2e-9.
- lp_pool: the sign of x times the larger of |x| and 0 is x.
- softmax: 0 where it is NaN, as it is where a mask leaves nothing.
"""

from __future__ import annotations

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import read_choices
from nn.io.onnx.messages import Node
from nn.io.onnx.read_arithmetic import filled
from nn.io.onnx.reader import Reader, where

_BOOL = 9  # the type's number
_ENOUGH = 15.0  # from where on softplus in float32 is its argument


def compare(reader: Reader, node: Node) -> None:
    """Pass over a comparison, an Or or a Cast of some, which only a Where may use.

    Raises:
        UnsupportedError: another node does, or the output is one of the graph.
    """
    users = reader.consumers(node.outputs[0])
    chosen = all(
        user.operator in ("Or", "Where")
        or (user.operator == "Cast" and user.attributes.get("to") == _BOOL)
        for user in users
    )
    if node.outputs[0] in reader.outputs or not chosen:
        raise UnsupportedError(f"{where(node)}: no comparison here, but for the choice of a Where")


def sign(reader: Reader, node: Node) -> None:
    """Pass over a Sign of x that is multiplied by |x| alone, and give that product as x.

    Raises:
        UnsupportedError: it is used in another way.
    """
    product = reader.follower(node.outputs[0])
    others = [name for name in product.inputs if name != node.outputs[0]] if product else []
    maker = reader.makers.get(others[0]) if len(others) == 1 else None
    if maker is not None and maker.operator == "Relu":
        maker = reader.makers.get(maker.inputs[0])
    size = maker is not None and maker.operator == "Abs" and maker.inputs == node.inputs
    if product is None or product.operator != "Mul" or not size:
        raise UnsupportedError(f"{where(node)}: no sign here, but of x that is multiplied by |x|")
    reader.same[product.outputs[0]] = node.inputs[0]


def select(reader: Reader, node: Node) -> None:
    """Set the output of a Where that is such a guard, or whose mask and one choice are constant.

    Raises:
        UnsupportedError: it is neither.
    """
    mask = reader.constants.get(node.inputs[0])
    for at, chosen in ((1, mask), (2, None if mask is None else ~mask.astype(bool))):
        constant = reader.constants.get(node.inputs[at])
        if chosen is not None and constant is not None:
            x = reader.symbol(node, 3 - at)
            reader.set(node, filled(reader, node, x, chosen, constant))
            return
    if mask is not None and mask.size == 1:  # it chooses all of a value
        a, b = (reader.symbol(node, at) for at in (1, 2))
        if a.sizes == b.sizes and mask.ndim <= a.rank:
            reader.set(node, a if mask.all() else b)
            return
    if read_choices.read(reader, node):
        return
    if not _guarded(reader, node):
        raise UnsupportedError(
            f"{where(node)}: no choice here, but by a constant mask, of multiples of x by x > c, "
            "or as a part of softplus or softmax"
        )
    if node.inputs[2] in reader.turned:
        reader.turned[node.outputs[0]] = reader.turned[node.inputs[2]]
    else:
        reader.set(node, reader.symbol(node, 2))


def _guarded(reader: Reader, node: Node) -> bool:
    return _softplus(reader, node) or _softmax(reader, node)


def _softmax(reader: Reader, node: Node) -> bool:
    """Return whether a Where gives 0 for NaN of a softmax that has none: no constant that is added
    to its input leaves nothing."""
    if node.operator != "Where" or len(node.inputs) != 3:
        return False
    condition, softmax = (reader.makers.get(node.inputs[at]) for at in (0, 2))
    if condition is None or softmax is None or softmax.operator != "Softmax":
        return False
    zero = reader.constants.get(node.inputs[1])
    if zero is None or np.any(zero) or condition.inputs != [node.inputs[2]]:
        return False
    added = reader.makers.get(softmax.inputs[0])
    masks = [reader.constants.get(name) for name in (added.inputs if added else [])]
    last = softmax.attributes.get("axis", -1) == -1
    return (
        condition.operator == "IsNaN"
        and last
        and all(mask is None or bool(np.all(np.max(mask, axis=-1) > -np.inf)) for mask in masks)
    )


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
