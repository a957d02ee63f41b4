"""Layers that a graph exported here applies to each step: TimeDistributed.

One Reshape joins the steps with the batch, (n, steps, ...) to (n * steps, ...), another takes them
apart again. What is between them becomes a model of one step.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn.graph import SymbolicTensor
from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.reader import Reader, Symbol, where
from nn.layers import Input
from nn.models.model import Model


def handles(reader: Reader, node: Node) -> bool:
    """Return whether a Reshape joins steps with the batch, or takes joined ones apart."""
    if node.operator != "Reshape" or node.inputs[0] not in reader.symbols:
        return False
    return _joins(reader, node) or _parts(reader, node)


def compute(reader: Reader, node: Node) -> None:
    """Begin a model of one step, or put it into a TimeDistributed.

    Raises:
        UnsupportedError: what is computed of a step needs other values than that step.
    """
    x = reader.symbol(node)
    if _joins(reader, node):
        outer = reader.in_order(x)
        entry = Input(outer.tensor.shape[2:])
        reader.steps[entry] = outer
        reader.set(node, Symbol(entry))
        return
    entries = _begins(x.tensor)
    if len(entries) > 1:
        raise UnsupportedError(f"{where(node)}: expected steps that are computed by themselves")
    outer = reader.steps[entries.pop()]
    step = reader.in_order(x).tensor
    if step in reader.steps:  # nothing is between
        reader.set(node, outer)
        return
    [entry] = _begins(step)
    made = reader.apply("TimeDistributed", outer, layer=Model(entry, step))
    reader.set(node, replace(made, turned=False))


def _joins(reader: Reader, node: Node) -> bool:
    """Only our own graphs: what others join are values of `read_turned`."""
    x, target = reader.symbols[node.inputs[0]], _target(reader, node)
    plain = x.image is None and len(target) == x.rank - 1 and None not in x.sizes
    return reader.ours and plain and target == [-1, *x.sizes[1:]]


def _parts(reader: Reader, node: Node) -> bool:
    if not reader.steps:
        return False
    x, target = reader.symbols[node.inputs[0]], _target(reader, node)
    counts = [reader.steps[e].sizes[0] for e in _begins(x.tensor) if e in reader.steps]
    return target[:1] == [-1] and target[1:] in [[count, *x.sizes] for count in counts]


def _target(reader: Reader, node: Node) -> list[int]:
    shape = reader.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
    return [] if shape is None else [int(size) for size in np.ravel(shape)]


def _begins(tensor: SymbolicTensor) -> set[SymbolicTensor]:
    """Return the inputs from which a value is computed."""
    found: set[SymbolicTensor] = set()
    waiting, seen = [tensor], {tensor}
    while waiting:
        value = waiting.pop()
        if not value.node.inputs:
            found.add(value)
        fresh = [given for given in value.node.inputs if given not in seen]
        waiting += fresh
        seen.update(fresh)
    return found


def expect_parted(reader: Reader, name: str, tensor: SymbolicTensor) -> None:
    """Check that no output of the graph is one of single steps.

    Raises:
        UnsupportedError: it is.
    """
    if reader.steps and not reader.steps.keys().isdisjoint(_begins(tensor)):
        raise UnsupportedError(f"onnx output {name!r}: expected steps apart from the batch")
