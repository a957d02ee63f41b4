"""Writer: the ONNX graph under construction, and its values.

The tables of layers (`write_layers`, `write_recurrent`) use it; `write` drives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError
from nn.io.onnx.messages import Attribute, Node

Array = NDArray[np.generic]
Shape = Sequence[int | None]


class Image:
    """A tensor of the graph: its channels-last and channels-first names, created on demand.

    Attributes:
        array: of a constant the name of its array, which operators that broadcast read.
        batch_of: for each sample of which other operators get the array again.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        last: str = "",
        first: str = "",
        array: str = "",
        batch_of: Image | None = None,
    ) -> None:
        self.shape = shape
        self.last = last
        self.first = first
        self.array = array
        self.batch_of = batch_of


class Writer:
    """The graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.initializers: dict[str, Array] = {}

    def add(self, operator: str, inputs: Sequence[str], **attributes: Attribute) -> str:
        """Append a node and return the name of its output."""
        return self.add_several(operator, inputs, 1, **attributes)[0]

    def add_several(
        self, operator: str, inputs: Sequence[str], count: int, **attributes: Attribute
    ) -> list[str]:
        """Append a node with `count` outputs and return their names."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        names = [name, *(f"{name}_{index}" for index in range(1, count))]
        self.nodes.append(Node(operator, list(inputs), names, attributes))
        return names

    def axes(self, axis: int) -> str:
        """Add a constant with the number of an axis, for an operator's input."""
        return self.constant("axes", [axis], np.int64)

    def constant(self, name: str, array: Any, dtype: Any = np.float32) -> str:
        """Add a constant to the graph and return its name."""
        unique = name
        while unique in self.initializers:
            unique += "_"
        self.initializers[unique] = np.ascontiguousarray(array, dtype)
        return unique

    def last(self, image: Image) -> str:
        """Return the name of the channels-last tensor."""
        if not image.last and image.batch_of:
            image.last = self._repeated(image, image.batch_of)
        elif not image.last:
            rank = len(image.shape)
            image.last = self.add("Transpose", [image.first], perm=[0, *range(2, rank), 1])
        return image.last

    def _repeated(self, image: Image, of: Image) -> str:
        """Return the name of an array that is repeated for each sample of a batch."""
        batch = self.add("Shape", [of.last or of.first or self.last(of)], start=0, end=1)
        ones = self.constant(f"{image.array}/ones", [1] * (len(image.shape) - 1), np.int64)
        sizes = self.add("Concat", [batch, ones], axis=0)
        return self.add("Expand", [image.array, sizes])

    def first(self, image: Image) -> str:
        """Return the name of the channels-first tensor."""
        if len(image.shape) < 3:
            return self.last(image)
        if not image.first:
            rank = len(image.shape)
            order = [0, rank - 1, *range(1, rank - 1)]
            image.first = self.add("Transpose", [self.last(image)], perm=order)
        return image.first

    def activate(self, name: str, function: str, where: str) -> str:
        """Append an activation by its Keras name."""
        if function == "linear":
            return name
        if function not in _ACTIVATIONS:
            raise UnsupportedError(f"{where}: ONNX has no activation {function!r}")
        return _ACTIVATIONS[function](self, name)

    def like(self, image: Image, apply: Callable[[str], str]) -> Image:
        """Apply an element-wise function in the existing order of axes."""
        if image.first and not image.last:
            return Image(image.shape, first=apply(image.first))
        return Image(image.shape, last=apply(self.last(image)))


def _node(operator: str, **attributes: Attribute) -> Callable[[Writer, str], str]:
    return lambda writer, name: writer.add(operator, [name], **attributes)


def _gated(operator: str) -> Callable[[Writer, str], str]:
    return lambda writer, name: writer.add("Mul", [name, writer.add(operator, [name])])


def _relu6(writer: Writer, name: str) -> str:
    return writer.add("Clip", [name, writer.constant("zero", 0.0), writer.constant("six", 6.0)])


_ACTIVATIONS: dict[str, Callable[[Writer, str], str]] = {
    "relu": _node("Relu"),
    "relu6": _relu6,
    "leaky_relu": _node("LeakyRelu", alpha=0.2),
    "elu": _node("Elu", alpha=1.0),
    "selu": _node("Selu"),
    "gelu": _node("Gelu"),
    "silu": _gated("Sigmoid"),
    "sigmoid": _node("Sigmoid"),
    "hard_sigmoid": _node("HardSigmoid", alpha=1 / 6, beta=0.5),
    "keras2_hard_sigmoid": _node("HardSigmoid", alpha=0.2, beta=0.5),
    "hard_silu": _node("HardSwish"),
    "tanh": _node("Tanh"),
    "softplus": _node("Softplus"),
    "softsign": _node("Softsign"),
    "exponential": _node("Exp"),
    "softmax": _node("Softmax", axis=-1),
    "log_softmax": _node("LogSoftmax", axis=-1),
}
