"""Symbolic graphs of layers: tensors, nodes and their order. `nn.models.program` runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn.errors import ConfigError
from nn.lazy import load
from nn.types import Shape


class SymbolicTensor:
    """A value of a graph, without data: `shape` has the batch axis first (None)."""

    __slots__ = ("dtype", "index", "node", "shape")

    def __init__(self, shape: Shape, dtype: str, node: Node, index: int) -> None:
        self.shape = shape
        self.dtype = dtype
        self.node = node
        self.index = index

    def __repr__(self) -> str:
        return f"<SymbolicTensor {self.shape} of {self.node.layer.name}>"

    # Operators add layers to the graph; `nn.layers.arithmetic` says which.

    __array_ufunc__ = None
    __iter__ = None

    def __add__(self, other: Any) -> Any:
        return _arithmetic().binary("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _arithmetic().binary("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _arithmetic().binary("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _arithmetic().binary("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _arithmetic().binary("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _arithmetic().binary("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _arithmetic().binary("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _arithmetic().binary("/", other, self)

    def __pow__(self, other: Any) -> Any:
        return _arithmetic().binary("**", self, other)

    def __neg__(self) -> Any:
        return _arithmetic().binary("*", self, -1)

    def __abs__(self) -> Any:
        return _arithmetic().magnitude(self)

    def __matmul__(self, other: Any) -> Any:
        return _arithmetic().product(self, other)

    def __getitem__(self, index: Any) -> Any:
        return _arithmetic().part(self, index)


def _arithmetic() -> Any:
    return load("nn.layers.arithmetic")


class Node:
    """One call of a layer in a graph. A graph asks its layers for their names only.

    Attributes:
        training: the mode that the call names; it counts where a run has none, as `model(x)`.
    """

    __slots__ = ("inputs", "layer", "outputs", "training")

    def __init__(
        self,
        layer: Any,
        inputs: Sequence[SymbolicTensor],
        shapes: Sequence[Shape],
        dtype: str,
        training: Any = None,
    ) -> None:
        self.layer = layer
        self.training = training
        self.inputs = list(inputs)
        self.outputs = [SymbolicTensor(s, dtype, self, i) for i, s in enumerate(shapes)]


class Graph:
    """The nodes between `inputs` and `outputs`, in an order that they can be computed in.

    Raises:
        ConfigError: an output depends on an input that is not listed.
    """

    def __init__(self, inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.nodes: list[Node] = []
        self._order()
        self.slots: dict[SymbolicTensor, int] = {}
        for tensor in [*self.inputs, *(t for node in self.nodes for t in node.outputs)]:
            self.slots.setdefault(tensor, len(self.slots))

    def _order(self) -> None:
        given = set(self.inputs)
        done: set[Node] = set()
        stack = [(t, False) for t in reversed(self.outputs)]
        while stack:
            tensor, expanded = stack.pop()
            node = tensor.node
            if tensor in given or node in done:
                continue
            if expanded:
                done.add(node)
                self.nodes.append(node)
                continue
            if not node.inputs:
                raise ConfigError(
                    f"the outputs depend on {tensor!r}, which is not among the inputs"
                )
            stack.append((tensor, True))
            stack.extend((t, False) for t in reversed(node.inputs))

    @property
    def layers(self) -> list[Any]:
        """The layers, each once, in the order of computation, inputs first."""
        nodes = [*(t.node for t in self.inputs), *self.nodes]
        return list({node.layer: None for node in nodes})

    def fits_unknown(self) -> bool:
        """Whether all layers with weights fit whatever size the unknown axes have."""
        return not any(node.layer.assumes(t.shape for t in node.inputs) for node in self.nodes)

    def expect_fitting(self, shapes: Sequence[Shape]) -> None:
        """Raise ShapeError if a layer's weights do not fit its input for such inputs of the graph.

        The sizes are those that the graph does not know.
        """
        found = dict(zip(self.inputs, shapes, strict=True))
        for node in self.nodes:
            given = [found[t] for t in node.inputs]
            node.layer.expect_fitting(*given)
            made = node.layer.compute_output_shape(*given)
            found.update(zip(node.outputs, made if isinstance(made, list) else [made], strict=True))

    def consumers(self, tensor: SymbolicTensor) -> int:
        """Count the places that read `tensor`."""
        return sum(node.inputs.count(tensor) for node in self.nodes)
