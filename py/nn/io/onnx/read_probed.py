"""Values that depend on the number of samples alone: masks, positions, tokens of all samples.

A graph computes them from the shapes of its inputs. They are computed for some numbers of samples;
what is the same for all, and for each sample, is a constant.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.read_constants import VIEWS, computed
from nn.io.onnx.read_groups import Turned
from nn.io.onnx.read_shapes import BATCH
from nn.io.onnx.read_turned import ELEMENTWISE, keep
from nn.io.onnx.reader import Array, Reader, where

SAMPLES = (1, 2)  # one, which repeats itself, and more


def note(reader: Reader, node: Node) -> bool:
    """Compute the node's output for each number of samples, if it depends on nothing else.

    An output that is the same for all becomes a constant.

    Returns:
        Whether it is known.
    """
    if node.operator == "Shape" and node.inputs[0] not in reader.probes:
        known = _shapes(reader, node)
    elif any(name in reader.probes for name in node.inputs) and len(node.outputs) == 1:
        known = _folded(reader, node)
    else:
        return False
    if len(known) < len(SAMPLES):
        return False
    first, more = known
    claimed = 0 if node.operator in VIEWS or node.operator == "Shape" else more.nbytes
    if np.array_equal(first, more):
        reader.constants[node.outputs[0]] = first
        reader.room += claimed
        return True
    if first.shape[:1] == (1,) and first.shape[1:] == more.shape[1:] and np.all(more == first):
        reader.room += claimed  # one sample is enough to keep
        known = [first, np.broadcast_to(first, more.shape)]
    reader.probes[node.outputs[0]] = known
    return True


def _shapes(reader: Reader, node: Node) -> list[Array]:
    """Return the shapes of a value of the model, none if another size is unknown."""
    name = node.inputs[0]
    if name not in reader.symbols and name not in reader.turned:
        return []
    symbol = reader.symbols.get(name)
    found = [BATCH, *symbol.sizes] if symbol else reader.turned[name].sizes
    if not all(size == BATCH or isinstance(size, int) for size in found):
        return []
    named: Any = node.attributes
    ends = slice(named.get("start", 0), named.get("end"))
    whole = [[n if size == BATCH else int(size or 0) for size in found] for n in SAMPLES]
    return [np.array(sizes[ends], np.int64) for sizes in whole]


def _folded(reader: Reader, node: Node) -> list[Array]:
    made = []
    for at in range(len(SAMPLES)):
        given = [
            reader.probes[name][at] if name in reader.probes else reader.constants.get(name)
            for name in node.inputs
        ]
        if any(array is None for array, name in zip(given, node.inputs, strict=True) if name):
            return []
        try:
            made += computed(reader, node, given)
        except ValueError as error:  # a shape in the graph is that of another number of samples
            raise UnsupportedError(f"{where(node)}: of {SAMPLES[at]} samples: {error}") from error
    return made


def with_elements(reader: Reader, node: Node) -> Node:
    """Return a Concat without its constants that have no elements, any other node as it is."""
    if node.operator != "Concat":
        return node
    known: dict[str, Any] = {n: array[0] for n, array in reader.probes.items()} | reader.constants
    kept = [name for name in node.inputs if name not in known or known[name].size]
    return replace(node, inputs=kept or node.inputs)


def resolve(reader: Reader, node: Node) -> None:
    """Make a constant, or a value of the model, of each input that is the same for each sample.

    Raises:
        UnsupportedError: samples differ.
    """
    if node.operator in ("GRU", "LSTM", "RNN"):  # whose states of one number are `fills`
        return
    places = (reader.constants, reader.symbols, reader.turned, reader.sizes, reader.strided)
    for name in node.inputs:
        if name in reader.probes and not any(name in place for place in places):
            value, at = _of_one_sample(reader, node, name)
            if (
                node.operator in ELEMENTWISE
                and value.shape[at] == 1
                and _meets(reader, node, at, value.ndim)
            ):
                reader.constants[name] = value
                continue
            rows = np.moveaxis(value, at, 0)[None]
            made = reader.apply("ConstantArray", reader.any_value(), value=rows).tensor
            axes: list[tuple[int, ...]] = [(place,) for place in range(2, rows.ndim)]
            axes.insert(at, (0, 1))
            keep(reader, name, Turned(made, tuple(made.shape[1:]), tuple(axes)).settled(reader))


def _meets(reader: Reader, node: Node, at: int, rank: int) -> bool:
    """Return whether an array, with its samples in an axis, broadcasts to the other inputs: they
    have as many axes, and their batch there."""
    found = [tuple((place,) for place in range(reader.symbols[name].rank))
             for name in node.inputs if name in reader.symbols]  # fmt: skip
    found += [reader.turned[name].axes for name in node.inputs if name in reader.turned]
    most = max(map(len, found), default=0)
    return most >= rank and all(
        0 in places if place == at - rank else 0 not in places
        for axes in found
        for place, places in enumerate(axes, -len(axes))
    )


def _of_one_sample(reader: Reader, node: Node, name: str) -> tuple[NDArray[np.float32], int]:
    """Return what each sample has, and in which axis the samples are: one may have several rows."""
    first, more = reader.probes[name]
    grows = [at for at, sizes in enumerate(zip(first.shape, more.shape, strict=False))
             if len(set(sizes)) > 1]  # fmt: skip
    at = grows[0] if grows else 0
    wanted = [size * (SAMPLES[1] if axis == at else 1) for axis, size in enumerate(first.shape)]
    if first.ndim and list(more.shape) == wanted:
        parts = np.split(more, SAMPLES[1], axis=at)
        if all(np.array_equal(part, first) for part in parts):
            return np.asarray(first, np.float32), at
    raise UnsupportedError(f"{where(node)}: expected {name!r} to be the same for each sample")
