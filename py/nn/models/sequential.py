"""Sequential: a stack of layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nn.data.dataset import Dataset
from nn.data.numeric import numeric
from nn.errors import ConfigError, ShapeError
from nn.graph import Graph, SymbolicTensor
from nn.identifiers import describe, expect_settings
from nn.layers.base import Layer
from nn.layers.core import Input, InputLayer
from nn.models.model import Model
from nn.models.signature import data_items
from nn.models.topology import name_uniquely
from nn.registry import deserialize
from nn.types import Config, Shape


class Sequential(Model):
    """Layers one after the other.

    The input shape comes from `Input` at the front, from the first layer's `input_shape`, from
    `build`, or from the first data.
    """

    kind = "Sequential"

    def __init__(self, layers: Sequence[Any] = (), **options: Any) -> None:
        super().__init__(**options)
        self._stack: list[Layer] = []
        self._input: SymbolicTensor | None = None
        self._ends: list[SymbolicTensor] = []
        if not isinstance(layers, Iterable | None):
            raise ConfigError(f"{self.name}: expected a list of layers, received {layers!r}")
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Put a layer on top.

        Raises:
            ConfigError: it is not a layer, or an Input that is not at the front.
        """
        if isinstance(layer, SymbolicTensor) and isinstance(layer.node.layer, InputLayer):
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            raise ConfigError(f"{self.name}: expected a layer, received {layer!r}")
        if isinstance(layer, InputLayer):
            if self._stack or self._input is not None:
                raise ConfigError(f"{self.name}: Input must come first")
            self._input = layer.output
            return
        self._stack.append(layer)
        if self._input is None and len(self._stack) == 1:
            if layer.given_input_shape is not None:
                self._input = Input(layer.given_input_shape)
            elif isinstance(layer, Model) and layer._graph is not None:
                self._input = Input(layer.inputs[0].shape[1:], dtype=layer.inputs[0].dtype)
        if self._input is not None:
            self._connect([layer])

    def pop(self) -> Layer:
        """Take the top layer off and return it."""
        if not self._stack:
            raise ConfigError(f"{self.name}: expected a layer to take off, received none")
        layer = self._stack.pop()
        del self._ends[len(self._stack) :]  # none, where the input's shape is not known
        self._graph = None
        if self._ends:
            self._connect([])
        return layer

    def build(self, *input_shapes: Shape) -> None:
        """Create the variables for an input of that shape (batch axis first, None)."""
        if self._graph is None:
            self._input = Input(tuple(input_shapes[0])[1:])
            self._connect(self._stack)

    def connect(self, x: SymbolicTensor) -> Any:
        """Call the model of a file, in which Keras 2 and TensorFlow.js let one be called first on
        another shape than it was made for: it is made for that one."""
        try:
            return self(x)
        except ShapeError:
            if self._nodes:
                raise
            self._stack = [type(la).from_config(la.get_config()) for la in self._stack]
            self._graph, self._ends = None, []
            self.build(x.shape)
            return self(x)

    def _connect(self, layers: Sequence[Layer]) -> None:
        """Call further layers on the top, and make the graph of all."""
        assert self._input is not None
        for layer in layers:
            self._ends.append(layer(self._ends[-1] if self._ends else self._input))
        self._set_graph(Graph([self._input], self._ends[-1:]))

    def build_from(self, x: Any) -> None:
        if self._graph is None and self._stack:
            if isinstance(x, dict) and len(x) == 1:
                (x,) = x.values()
            items = data_items(x, 1)
            if items:
                data = items[0]
                whole = isinstance(data, Dataset)
                shape = data.shape if whole else numeric(data, self.name).shape[1:]
                self.build((None, *shape))

    @property
    def layers(self) -> list[Layer]:
        return list(self._stack)

    @property
    def sublayers(self) -> Sequence[Layer]:
        return self._stack

    def layer_shapes(self) -> list[tuple[Layer, Shape]]:
        """Return each layer with the shape of its output, () where it is not known yet; the input
        is left out, as Keras does."""
        if self._graph is None:
            return [(layer, ()) for layer in self._stack]
        return [(la, s) for la, s in super().layer_shapes() if not isinstance(la, InputLayer)]

    def get_config(self) -> Config:
        """Return the layers with their settings, the input first where it is known."""
        known = [] if self._input is None else [self._input.node.layer]
        name_uniquely(self._stack)  # not yet done where the input is not known
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [describe(layer) for layer in [*known, *self._stack]],
        }

    @classmethod
    def from_config(cls, settings: Config, custom_objects: Any = None) -> Sequential:
        """Return the model that `get_config` described, with new weights."""
        expect_settings(cls, settings, "layers")
        model = cls(name=settings.get("name"))
        model._trainable = settings.get("trainable", True)
        if settings.get("build_input_shape") is not None:  # files of earlier versions of nn
            model.add(Input(tuple(settings["build_input_shape"])[1:]))
        for item in settings["layers"]:
            model.add(deserialize(item, custom_objects))
        return model
