"""Every layer's output for one image, from one run of the engine."""

from __future__ import annotations

from typing import Any
from weakref import ref

import nn
import numpy as np
from nn import variables
from nn.graph import Node

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


class Activations:
    """The outputs of all layers of a network for the image that was read last.

    They come from the engine's own program, in which no layers are joined, since all outputs are
    asked for. `model()` is None once the network is gone.

    Args:
        model: a built network with one input.
    """

    def __init__(self, model: Any) -> None:
        self.model = ref(model)
        graph = model.graph
        self.nodes: list[Node] = list(graph.nodes)
        self.input: Node = graph.inputs[0].node
        self.end: Node = graph.outputs[0].node
        self._part = nn.Model(model.inputs, [node.outputs[0] for node in self.nodes])
        self._values: dict[Node, Array] = {}
        self._image: Array | None = None
        self._written = -1

    @property
    def image(self) -> Array | None:
        """The image (1, ...) that was read last, None before."""
        return self._image

    def read(self, image: Array) -> None:
        """Run the network on an image (1, ...) as it takes them."""
        self._image = image
        self._run()

    def refresh(self) -> bool:
        """Read the same image again if a weight was written since; return whether one was."""
        if self._image is None or self._written == variables.writes():
            return False
        self._run()
        return True

    def _run(self) -> None:
        assert self._image is not None
        self._written = variables.writes()
        outputs = self._part.run([self._image])
        self._values = dict(zip(self.nodes, outputs, strict=True))
        self._values[self.input] = self._image

    def of(self, node: Node) -> Array:
        """Return a layer's output for the image, without the batch axis."""
        value: Array = self._values[node][0]
        return value

    def named(self, name: str) -> Node:
        """Return the call of the layer with a name.

        Raises:
            ValueError: the network has no such layer.
        """
        for node in (self.input, *self.nodes):
            if node.layer.name == name:
                return node
        raise ValueError(f"expected the name of a layer, received {name!r}")

    @property
    def probabilities(self) -> Array:
        """The network's answer to the image."""
        return self.of(self.end).reshape(-1)
