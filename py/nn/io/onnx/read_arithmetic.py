"""Conversion of ONNX' arithmetic: between values of the model, and with constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Node
from nn.io.onnx.reader import Array, Handle, Reader, Symbol, where

_MOST = 1 << 20  # elements of a constant that a Rescaling holds


def merge(kind: str, settings: Callable[[Any, bool], dict[str, Any] | None]) -> Handle:
    """Return the conversion of an operator of two inputs.

    Args:
        kind: the layer for two values of the model.
        settings: the options of the Rescaling for a constant, which may be the second operand;
            None if there are none.
    """

    def handle(reader: Reader, node: Node) -> None:
        if node.outputs[0] in reader.same:  # the bias of a product before, and already added
            reader.set(node, reader.symbols[reader.same[node.outputs[0]]])
            return
        constants = [name in reader.constants for name in node.inputs]
        if not any(constants):
            reader.set(node, merged(reader, node, kind))
            return
        if len(constants) != 2:
            raise UnsupportedError(f"{where(node)}: expected two inputs, received {len(constants)}")
        at = constants.index(True)
        x = reader.symbol(node, 1 - at)
        with np.errstate(all="ignore"):
            options = settings(reader.constants[node.inputs[at]], at == 1)
        if options is None:
            raise UnsupportedError(f"{where(node)}: no {node.operator} of this constant here")
        reader.set(node, rescaled(reader, node, x, **options))

    return handle


def _add(constant: Any, second: bool) -> dict[str, Any]:
    return {"offset": constant}


def _subtract(constant: Any, second: bool) -> dict[str, Any]:
    return {"offset": np.negative(constant)} if second else {"scale": -1.0, "offset": constant}


def _multiply(constant: Any, second: bool) -> dict[str, Any]:
    return {"scale": constant}


def _divide(constant: Any, second: bool) -> dict[str, Any] | None:
    wide = constant.astype(np.float64)
    return {"scale": 1 / wide} if np.all(wide) else None


def rescaled(
    reader: Reader, node: Node, x: Symbol, *, scale: Any = 1.0, offset: Any = 0.0
) -> Symbol:
    """Return x * scale + offset, by constants that ONNX broadcasts."""
    x = grown(reader, node, grown(reader, node, x, scale), offset)
    if x.image and max(np.size(scale), np.size(offset)) > 1:
        x = reader.in_order(x)
    settings = {
        "scale": _aligned(reader, node, x, scale),
        "offset": _aligned(reader, node, x, offset),
    }
    return reader.apply("Rescaling", x, **settings)


def grown(reader: Reader, node: Node, x: Symbol, constant: Any) -> Symbol:
    """Return a value with its axes of size 1 repeated as a constant wants it."""
    given = np.shape(constant)
    wanted = [1] * (x.rank - len(given)) + list(given)
    ones = [n if size == 1 else 1 for n, size in zip(wanted, [None, *x.sizes], strict=False)]
    return repeated(reader, node, x, ones) if len(wanted) == x.rank and max(ones) > 1 else x


def repeated(reader: Reader, node: Node, x: Symbol, times: Sequence[int]) -> Symbol:
    """Return a value with axes of size 1 repeated, by a product with ones.

    Args:
        reader: the state of the import.
        node: the node that wants it.
        x: the value.
        times: for each axis of the graph how often; 1 for the batch's.
    """
    x = reader.in_order(x)
    reader.claim(math.prod(times) * 4, where(node))
    ones = reader.apply("ConstantArray", x, value=np.ones(times, np.float32))
    return replace(reader.apply("Multiply", x, ones), positive=x.positive)


def _aligned(reader: Reader, node: Node, x: Symbol, constant: Any) -> Any:
    """Return a constant as JSON, in the order of the value's axes and without the batch's.

    Raises:
        LimitError: many nodes use it, and each would have its own.
        UnsupportedError: it is large, or see `fitted`.
    """
    number = single(x, np.asarray(constant, np.float32))
    if number is not None:
        return number
    inner = fitted(node, x.sizes, constant)
    if inner.size > _MOST:
        raise UnsupportedError(
            f"{where(node)}: expected a constant of at most {_MOST} elements, received {inner.size}"
        )
    reader.claim(inner.nbytes, where(node))
    inner = np.moveaxis(inner, 0, -1) if x.first else inner
    while inner.ndim > 1 and inner.shape[0] == 1:
        inner = inner[0]
    return inner.tolist()


def single(x: Symbol, constant: Array) -> float | None:
    """Return the number that a constant is, None if it has more or would add axes to a value."""
    fits = constant.size == 1 and constant.ndim <= x.rank
    return float(constant.reshape(())) if fits else None


def fitted(node: Node, sizes: Sequence[int | None], constant: Any) -> NDArray[np.float32]:
    """Return a constant with as many axes as a value has after the batch's.

    Args:
        node: the node that uses it.
        sizes: the value's sizes after the batch axis, in the graph's order.
        constant: of any shape that ONNX broadcasts to the value's.

    Raises:
        UnsupportedError: it would give the value another shape.
    """
    array = np.asarray(constant, np.float32)
    full = array.reshape((1,) * (1 + len(sizes) - array.ndim) + array.shape)
    if full.ndim != 1 + len(sizes) or any(
        n not in (1, size) for n, size in zip(full.shape, [1, *sizes], strict=True)
    ):
        raise UnsupportedError(
            f"{where(node)}: expected a constant that fits {['n', *sizes]}, "
            f"received shape {list(array.shape)}"
        )
    return full[0]  # type: ignore[no-any-return]


def merged(reader: Reader, node: Node, kind: str) -> Symbol:
    """Return a merging layer's output for values of the model.

    Raises:
        UnsupportedError: the values have different ranks, or shapes that do not broadcast.
    """
    symbols = in_one_order(reader, node)
    shapes = [["n", *symbol.sizes] for symbol in symbols]
    for sizes in zip(*shapes, strict=False):
        if len({n for n in sizes if n not in (1, None)}) > 1:
            raise UnsupportedError(f"{where(node)}: expected shapes that fit, received {shapes}")
    if len({len(shape) for shape in shapes}) > 1:
        raise UnsupportedError(f"{where(node)}: expected one number of axes, received {shapes}")
    if len(symbols) == 1:
        return symbols[0]
    return reader.apply(kind, *symbols)


def in_one_order(reader: Reader, node: Node) -> list[Symbol]:
    """Return the inputs, in the graph's order if the orders of their elements differ."""
    symbols = [reader.symbol(node, index) for index in range(len(node.inputs))]
    if len({(symbol.first, symbol.image) for symbol in symbols}) > 1:
        return [reader.in_order(symbol) for symbol in symbols]
    return symbols


def _several(kind: str) -> Handle:
    """Return the conversion of an operator of any number of values."""

    def handle(reader: Reader, node: Node) -> None:
        reader.set(node, merged(reader, node, kind))

    return handle


def _extreme(kind: str) -> Handle:
    """Return the conversion of Max or Min, of values of the model and constants."""

    def handle(reader: Reader, node: Node) -> None:
        constants = [reader.constants[name] for name in node.inputs if name in reader.constants]
        if not constants:
            reader.set(node, merged(reader, node, kind))
            return
        x = reader.symbol(node, min(i for i, n in enumerate(node.inputs) if n in reader.symbols))
        if len(node.inputs) != 2:
            raise UnsupportedError(f"{where(node)}: expected two inputs, received {node.inputs}")
        reader.set(node, bounded(reader, node, x, kind, constants[0]))

    return handle


def bounded(reader: Reader, node: Node, x: Symbol, kind: str, constant: Any) -> Symbol:
    """Return the larger or smaller of a value and a constant that ONNX broadcasts.

    Args:
        reader: the state of the import.
        node: the node that uses the constant.
        x: the value.
        kind: "Maximum" or "Minimum".
        constant: as in `fitted`.
    """
    least = kind == "Maximum" and bool(np.all(np.asarray(constant) >= 0))
    if least and single(x, np.asarray(constant)) == 0:
        return replace(reader.apply("ReLU", x), positive=True)
    x = grown(reader, node, x, constant)
    x = reader.in_order(x) if x.image and np.size(constant) > 1 else x
    inner = fitted(node, x.sizes, constant)
    reader.claim(inner.nbytes, where(node))
    inner = np.moveaxis(inner, 0, -1) if x.first else inner
    other = reader.apply("ConstantArray", x, value=inner[None])
    return replace(reader.apply(kind, x, other), positive=least)


def filled(reader: Reader, node: Node, x: Symbol, mask: Array, constant: Array) -> Symbol:
    """Return a value with a constant's elements where a constant mask is true.

    Such an element is bounded by that constant from both sides, so that no number is left of what
    the value has there, be it infinite.
    """
    reader.claim(math.prod(np.broadcast_shapes(mask.shape, constant.shape)) * 4, where(node))
    for kind, end in (("Maximum", -np.inf), ("Minimum", np.inf)):
        bounds = np.where(mask, constant.astype(np.float32), np.float32(end))
        if np.any(bounds != end):
            x = bounded(reader, node, x, kind, bounds)
    return x


def clipped(reader: Reader, node: Node, x: Symbol, low: float, high: float) -> Symbol:
    """Return a value within bounds, which may be infinite."""
    most = float(np.finfo(np.float32).max)
    if low == 0:
        made = reader.apply("ReLU", x, max_value=high if high < most else None)
        return replace(made, positive=True)
    for kind, end in (("Maximum", low), ("Minimum", high)):
        if abs(end) < most:
            x = bounded(reader, node, x, kind, end)
    return x


def _quotient(reader: Reader, node: Node) -> None:
    if node.inputs[0] not in reader.constants:
        merge("Divide", _divide)(reader, node)
        return
    x = powered(reader, reader.symbol(node, 1), -1.0)
    reader.set(node, rescaled(reader, node, x, scale=reader.constants[node.inputs[0]]))


def _power(reader: Reader, node: Node) -> None:
    base: Any = reader.constants.get(node.inputs[0])
    if base is not None:  # exp(x log(base))
        if not np.all(base > 0):
            raise UnsupportedError(f"{where(node)}: expected a base above 0")
        scale = np.log(base.astype(np.float64))
        wide = rescaled(reader, node, reader.symbol(node, 1), scale=scale)
        made = reader.apply("Activation", wide, activation="exponential")
        reader.set(node, replace(made, positive=True))
        return
    x = reader.symbol(node)
    exponent = single(x, reader.needed(node, 1))
    if exponent is None:
        raise UnsupportedError(f"{where(node)}: expected a number as exponent")
    reader.set(node, powered(reader, x, exponent))


def powered(reader: Reader, x: Symbol, exponent: float) -> Symbol:
    """Return a value to the power of a number."""
    if exponent == 1:
        return x
    squared = exponent == 2
    made = (
        reader.apply("Multiply", x, x) if squared else reader.apply("Power", x, exponent=exponent)
    )
    return replace(made, positive=squared or x.positive)


def _to_power(exponent: float) -> Handle:
    return lambda reader, node: reader.set(node, powered(reader, reader.symbol(node), exponent))


def absolute(reader: Reader, x: Symbol) -> Symbol:
    """Return the absolute values: the larger of a value and its negative."""
    made = reader.apply("Maximum", x, reader.apply("Rescaling", x, scale=-1.0))
    return replace(made, positive=True)


def _absolute(reader: Reader, node: Node) -> None:
    reader.set(node, absolute(reader, reader.symbol(node)))


def _negative(reader: Reader, node: Node) -> None:
    reader.set(node, reader.apply("Rescaling", reader.symbol(node), scale=-1.0))


OPERATORS: dict[str, Handle] = {
    "Abs": _absolute,
    "Add": merge("Add", _add),
    "Div": _quotient,
    "Max": _extreme("Maximum"),
    "Mean": _several("Average"),
    "Min": _extreme("Minimum"),
    "Mul": merge("Multiply", _multiply),
    "Neg": _negative,
    "Pow": _power,
    "Reciprocal": _to_power(-1.0),
    "Sqrt": _to_power(0.5),
    "Sub": merge("Subtract", _subtract),
    "Sum": _several("Add"),
}
