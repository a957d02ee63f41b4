"""Graphs of ONNX Runtime's quantization, static (QDQ) and dynamic, computed with floats.

Weights become floats once, by `read_constants`. A value that a graph rounds to 8 bits is kept as it
is here, within the bounds of these bits: the model gives what the graph gives, up to that rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.onnx import read_arithmetic
from nn.io.onnx.messages import Node
from nn.io.onnx.read_constants import integer_of
from nn.io.onnx.reader import Handle, Reader, where


def _quantize(reader: Reader, node: Node) -> None:
    x, scale, zero = reader.symbol(node), reader.needed(node, 1), reader.constant(node, 2)
    if scale.size != 1:
        raise UnsupportedError(f"{where(node)}: expected one scale, received {scale.shape}")
    _expect_users(reader, node, node.outputs[0], "DequantizeLinear")
    bits, offset = np.iinfo(integer_of(node, zero)), 0 if zero is None else int(zero.reshape(()))
    low, high = (float(scale.reshape(())) * (end - offset) for end in (bits.min, bits.max))
    reader.set(node, read_arithmetic.clipped(reader, node, x, low, high))


def _dequantize(reader: Reader, node: Node) -> None:
    maker = reader.makers.get(node.inputs[0])
    x = reader.symbol(node)
    if maker is None or maker.operator != "QuantizeLinear":
        raise UnsupportedError(f"{where(node)}: expected a value of a QuantizeLinear")
    scales = [[reader.constant(each, index) for index in (1, 2)] for each in (node, maker)]
    ours, theirs = ([None if a is None else a.tolist() for a in each] for each in scales)
    if ours != theirs:
        raise UnsupportedError(f"{where(node)}: expected scale and zero point of {maker.name!r}")
    reader.set(node, x)


def _quantize_dynamically(reader: Reader, node: Node) -> None:
    """Pass a value on as its own quantized one, whose scale is 1 and whose zero point is 0."""
    x, (made, scale, zero) = reader.symbol(node), node.outputs
    _expect_users(reader, node, made, "MatMulInteger", "ConvInteger")
    _expect_users(reader, node, zero, "MatMulInteger", "ConvInteger")
    _expect_users(reader, node, scale, "Mul")
    for user in reader.consumers(scale):
        _expect_users(reader, node, user.outputs[0], "Mul")
    reader.symbols[made] = x
    reader.constants |= {scale: np.ones((), np.float32), zero: np.zeros((), np.uint8)}


def _expect_users(reader: Reader, node: Node, name: str, *operators: str) -> None:
    """Check that only some operators read a value.

    Raises:
        UnsupportedError: others do, or it is an output of the graph.
    """
    used = {user.operator for user in reader.consumers(name)}
    if name in reader.outputs or not used <= {*operators}:
        raise UnsupportedError(
            f"{where(node)}: expected {name!r} to be read by {' or '.join(operators)} alone, "
            f"received {sorted(used) or 'an output of the graph'}"
        )


def of_floats(operator: str, handle: Handle) -> Handle:
    """Return the conversion of a product of integers, by that of the same product of floats."""

    def convert(reader: Reader, node: Node) -> None:
        maker = reader.makers.get(node.inputs[0])
        kernel, zero = reader.needed(node, 1), reader.constant(node, 3)
        if maker is None or maker.operator != "DynamicQuantizeLinear":
            raise UnsupportedError(f"{where(node)}: expected a value of a DynamicQuantizeLinear")
        reader.claim(kernel.size * 4, where(node))
        name = f"{node.outputs[0]}: weights"
        offset = np.zeros((), np.float32) if zero is None else zero.astype(np.float32)
        if operator == "Conv" and offset.size > 1:  # of each filter
            offset = offset.reshape(-1, *[1] * (kernel.ndim - 1))
        reader.constants[name] = np.subtract(kernel, offset, dtype=np.float32)
        handle(reader, replace(node, operator=operator, inputs=[node.inputs[0], name]))

    return convert


OPERATORS: dict[str, Handle] = {
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _quantize_dynamically,
    "QuantizeLinear": _quantize,
}
