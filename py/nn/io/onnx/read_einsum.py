"""Conversion of Einsum: sums of products, as products of matrices for each index that all have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import read_turned
from nn.io.onnx.messages import Node
from nn.io.onnx.read_groups import Turned
from nn.io.onnx.read_shapes import Size, factors
from nn.io.onnx.reader import Array, Handle, Reader, Symbol, where


def einsum(product: Handle) -> Handle:
    """Return the conversion of Einsum.

    Args:
        product: that of MatMul.
    """

    def handle(reader: Reader, node: Node) -> None:
        (left, right), made = _equation(node)
        a, b = (read_turned.find(reader, name) for name in node.inputs)
        if a is None:  # the order of the operands changes no number
            a, b, left, right = b, a, right, left
            node = replace(node, inputs=node.inputs[::-1])
        if a is None:
            raise UnsupportedError(f"{where(node)}: expected a value of the model")
        shape = b.sizes if b else reader.needed(node, 1).shape
        pairs = [*zip(left + right, [*a.sizes, *shape], strict=True)]
        sizes: dict[str, Size] = dict(pairs)
        if len({*pairs}) > len(sizes):
            raise UnsupportedError(f"{where(node)}: expected one size of each index, got {pairs}")
        if b is None and {*left} & {*right} & {*made}:
            batch = next(index for index in left if factors(sizes[index])[1])
            b, right = _for_each_sample(reader, node, a, left.index(batch)), batch + right
        both = [index for index in left if index in right and index in made]
        summed = [index for index in left if index in right and index not in made]
        rows = [index for index in left if index not in right]
        columns = [index for index in right if index not in left]
        names = [f"{node.outputs[0]} of {side}" for side in ("rows", "columns", "product")]
        read_turned.keep(reader, names[0], _matrices(a, left, both, rows, summed))
        if b:
            read_turned.keep(reader, names[1], _matrices(b, right, both, summed, columns))
        else:
            order = [right.index(index) for index in (*summed, *columns)]
            array = np.transpose(reader.constants[node.inputs[1]], order)
            rest = math.prod(array.shape[len(summed) :])
            reader.constants[names[1]] = array.reshape(-1, rest)
        read_turned.compute(reader, Node("MatMul", names[:2], names[2:], {}, node.name), product)
        every = [*both, *rows, *columns]
        whole = read_turned.find(reader, names[2])
        apart = whole and whole.reshaped_to([sizes[index] for index in every], alone=False)
        if not apart or sorted(every) != sorted(made):
            raise UnsupportedError(f"{where(node)}: no {node.attributes.get('equation')!r} here")
        axes = tuple(apart.axes[every.index(index)] for index in made)
        read_turned.keep(reader, node.outputs[0], replace(apart, axes=axes))

    return handle


def _equation(node: Node) -> tuple[tuple[str, str], str]:
    """Return the indices of two operands and of the result."""
    given = node.attributes.get("equation", "")
    text = given.decode() if isinstance(given, bytes) else str(given)
    before, arrow, made = text.replace(" ", "").partition("->")
    terms = before.split(",")
    letters = all(len({*term}) == len(term) and (not term or term.isalpha()) for term in terms)
    if not arrow or len(terms) != 2 or len(node.inputs) != 2 or not letters or not made.isalpha():
        raise UnsupportedError(f"{where(node)}: no equation {text!r} here")
    return (terms[0], terms[1]), made


def _matrices(value: Turned, term: str, *groups: Sequence[str]) -> Turned:
    """Return a value with the axes of the first indices, then one for each further group."""
    first, *others = ([value.axes[term.index(index)] for index in some] for some in groups)
    return replace(value, axes=(*first, *(tuple(chain(*places)) for places in others)))


def _for_each_sample(reader: Reader, node: Node, beside: Turned, axis: int) -> Turned:
    """Return the constant, once for each place of an axis that is the batch's, or has it too."""
    array: Array = reader.needed(node, 1)
    value = beside.settled(reader)
    inner = [place for place in value.axes[axis] if place]
    sizes = [size for place in inner if (size := value.view[place - 1]) is not None]
    if len(sizes) < len(inner):
        raise UnsupportedError(f"{where(node)}: expected known sizes, received {beside.sizes}")
    shape = (1, *sizes, *array.shape)
    reader.claim(math.prod(shape) * 4, where(node))
    wide = np.broadcast_to(array, shape).astype(np.float32)
    made = reader.apply("ConstantArray", Symbol(beside.tensor), value=wide).tensor
    batch = tuple(inner.index(place) + 1 if place else 0 for place in value.axes[axis])
    rest = range(len(inner) + 1, len(shape))
    return Turned(made, tuple(made.shape[1:]), (batch, *((place,) for place in rest)))
