"""Networks: a graph of layers with its memory and its parameters, itself a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import config
from nn.context import Context, Run
from nn.errors import ConfigError, NotBuiltError, ShapeError
from nn.graph import Graph, SymbolicTensor
from nn.keras_arguments import expects, ours
from nn.layers.base import Layer, walk
from nn.lazy import load
from nn.models import topology
from nn.models.program import PrepareWeights, Program, program_for
from nn.models.signature import Signature, as_list
from nn.types import Array, Config, Shape
from nn.variables import Variable

if TYPE_CHECKING:
    from nn.parameters import Parameters

# What the types begin with in which no layer computes.
CONVERTED = ("int", "uint", "bool", "float16")


class Network(Layer):
    """The base of `Trainer` and `Model`: what runs a graph of layers, but not how it is trained."""

    several_inputs = True
    kind = "Model"
    """The name of its class in files; subclasses of a user's own are written as this."""
    labels: Sequence[str] | None = None
    """The names of the classes, where the model's file has them; not used for computing."""

    def __init__(self, inputs: Any = None, outputs: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._graph: Graph | None = None
        self._listed: list[Layer] | None = None
        self._program: Program | None = None
        self._made_after = 0
        self._parameters: Parameters | None = None
        self._prepare_weights: PrepareWeights | None = None
        self._trained: list[Variable] | None = None
        self.fitting: Any = None
        """The kind of arrays that made a batch as they were; see `nn.training.data_adapter`."""
        self.rng = config.generator()
        self._single_output = True
        self._input_keys: list[str] | None = None
        self._output_keys: list[str] | None = None
        if inputs is not None:
            self._single_output = not isinstance(outputs, list | tuple | dict)
            self._input_keys, given = _named(inputs)
            self._output_keys, made = _named(outputs)
            self._set_graph(Graph(given, made))

    def _set_graph(self, graph: Graph) -> None:
        self._graph = graph
        self._program = self._listed = None
        self._parameters = self._trained = None
        self.built = True
        topology.name_uniquely(graph.layers)

    # The graph.

    @property
    def graph(self) -> Graph:
        """The graph.

        Raises:
            NotBuiltError: the input shape is not known yet.
        """
        if self._graph is None:
            raise NotBuiltError(
                f"{self.name}: the input shape is not known yet: start with nn.Input(shape), "
                "or call build(input_shape), or fit"
            )
        return self._graph

    @property
    def program(self) -> Program:
        """The graph with the memory that it runs in."""
        if self._program is None or self._made_after != Layer.changes:
            self._made_after = Layer.changes
            context = Context(Run(self.rng, self.dtype))
            self._program = program_for(
                "cpu", self.graph, context=context, prepare_weights=self._prepare_weights
            )
            self._program.ctx.needs_input_gradient = False
        return self._program

    @property
    def layers(self) -> list[Layer]:
        """The layers as Keras lists them: the most distant from the outputs first.

        Raises:
            NotBuiltError: the input shape is not known yet.
        """
        if self._listed is None:
            self._listed = topology.listed(self.graph)
        return list(self._listed)

    @property
    def weights(self) -> list[Variable]:
        return self._gathered("weights", self.layers if self._graph else self.sublayers)

    @property
    def sublayers(self) -> Sequence[Layer]:
        return self._graph.layers if self._graph else ()

    @property
    def inputs(self) -> list[SymbolicTensor]:
        return self.graph.inputs

    @property
    def outputs(self) -> list[SymbolicTensor]:
        return self.graph.outputs

    @property
    def input(self) -> Any:
        """The symbolic input of the model: one, a list, or a dict by name."""
        if self._input_keys is not None:
            return dict(zip(self._input_keys, self.inputs, strict=True))
        return self.inputs[0] if len(self.inputs) == 1 else list(self.inputs)

    @property
    def output(self) -> Any:
        """The symbolic output of the model: one, a list, or a dict by name."""
        if self._single_output or self._output_keys:
            return self.arranged(self.outputs)
        return [*self.outputs]

    @property
    def input_shape(self) -> Any:
        """The shape of the input (a list of shapes for several), batch axis None."""
        shapes = [t.shape for t in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """The shape of the output (a list of shapes for several), batch axis None."""
        shapes = [t.shape for t in self.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_names(self) -> list[str]:
        """The key of each output of a dict, or the name of the layer that computes it."""
        return self._output_keys or [t.node.layer.name for t in self.outputs]

    def arranged(self, outputs: Sequence[Any]) -> Any:
        """Return the outputs as Keras does: by name, a list of several, or the only one."""
        if self._output_keys is not None:
            return dict(zip(self._output_keys, outputs, strict=True))
        return outputs[0] if len(outputs) == 1 else list(outputs)

    @property
    def signature(self) -> Signature:
        """The names, shapes and dtypes of the inputs."""
        inputs = self.inputs
        return Signature(
            self.name,
            self._input_keys or [t.node.layer.name for t in inputs],
            [(None, *t.shape[1:]) for t in inputs],  # one for `Input(batch_size=)` too, as in Keras
            [self._fed(t) for t in inputs],
        )

    def _fed(self, tensor: SymbolicTensor) -> str:
        """Return the type of an input's data: the model's floats, in which layers compute, unless a
        layer behind looks numbers up or is a user's own."""
        reached, behind = {tensor}, list[Layer]()
        for node in self.graph.nodes:
            if not reached.isdisjoint(node.inputs):
                reached.update(node.outputs)
                behind.append(node.layer)
        floats = behind and all(ours(type(n)) and not n.reads_indices for n in walk(behind))
        return self.dtype if floats and tensor.dtype.startswith(CONVERTED) else tensor.dtype

    @property
    def itemsize(self) -> int:
        return np.dtype(self.dtype).itemsize

    @expects
    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its index.

        Raises:
            ConfigError: no layer has that name.
        """
        if index is not None:
            layers = self.layers
            if not isinstance(index, int) or not -len(layers) <= index < len(layers):
                raise ConfigError(
                    f"{self.name}: expected an index below {len(layers)}, received {index!r:.80}"
                )
            return layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ConfigError(
            f"{self.name}: expected one of {[la.name for la in self.layers]}, received {name!r}"
        )

    def layer_shapes(self) -> list[tuple[Layer, Shape]]:
        """Return each layer with the shape of its (first) output."""
        shapes: dict[Layer, Shape] = {}
        for node in [*(t.node for t in self.inputs), *self.graph.nodes]:
            shapes.setdefault(node.layer, node.outputs[0].shape)
        return list(shapes.items())

    def run(self, inputs: Sequence[Array], training: bool = False) -> list[Array]:
        """Return the outputs, valid until the next run."""
        program = self.program
        program.expose_logits(False)
        return program.forward(inputs, training)

    def prepare_weights(self, prepare: PrepareWeights) -> None:
        """Predict with weights that a context manager, `prepare(layer)`, provides for each layer.

        The model cannot be trained afterwards: its packed parameters are dropped.
        """
        self._parameters = self._program = None
        self._prepare_weights = prepare

    def build_from(self, x: Any) -> None:
        """Build from the shape of the data, for a network whose input shape is not known yet."""

    # As a layer in another model.

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if len(inputs) == 1 and isinstance(inputs[0], dict):
            inputs = tuple(self.signature.by_name(inputs[0]))
        found = super().__call__(*inputs, **options)
        # Of a graph's tensors there is a list also for one, as in Keras.
        return self.arranged(found) if self._output_keys or type(found) is tuple else found

    def expect_fitting(self, *input_shapes: Shape) -> None:
        """Do nothing: `compute_output_shape` and the program compare the sizes."""

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        wanted = [t.shape for t in self.inputs]
        fits = len(wanted) == len(input_shapes) and all(
            len(own) == len(given)
            and all(a == b or None in (a, b) for a, b in zip(own[1:], given[1:], strict=True))
            for own, given in zip(wanted, input_shapes, strict=True)
        )
        if not fits:
            raise ShapeError(f"{self.name}: expected inputs {wanted}, received {input_shapes}")
        shapes = [(input_shapes[0][0], *t.shape[1:]) for t in self.outputs]
        return shapes[0] if self._single_output else shapes

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        self.compute_output_shape(*[a.shape for a in inputs])  # sizes that the graph did not know
        if not isinstance(ctx.saved, Program):
            ctx.saved = Program(self.graph, ctx)
        outputs = ctx.saved.forward(inputs, training, masks=ctx.masks)
        return outputs[0] if self._single_output else tuple(outputs)

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        return None

    def backward(self, ctx: Context, dy: Any) -> Any:
        gradients = ctx.saved.backward([dy] if self._single_output else list(dy))
        return gradients[0] if len(gradients) == 1 else tuple(gradients)

    # Parameters.

    @property
    def parameters(self) -> Parameters:
        """The trained variables, packed into one buffer: those that were trainable when `compile`
        was called.

        They are packed again if a model that shares these layers has packed them in the meantime.
        """
        if self._parameters is None or self._parameters.stale():
            self.pack(self._trained)
        packed: Any = self._parameters
        return packed  # type: ignore[no-any-return]

    def pack(self, trained: list[Variable] | None = None) -> None:
        """Gather the variables to train, by default those that are trainable now; `compile` does
        so."""
        self._trained = self.trainable_variables if trained is None else trained
        held = self._parameters
        if held is None or held.stale() or list(held.variables) != self._trained:
            self._parameters = load("nn.parameters").Parameters(self._trained)

    # Configuration.

    def get_config(self) -> Config:
        """Return the graph: layers with their settings and, for each call, where its inputs come
        from."""
        settings = topology.config(
            self.graph, self._single_output, self._input_keys, self._output_keys
        )
        return {"name": self.name, "trainable": self.trainable, **settings}


def _named(value: Any) -> tuple[list[str] | None, list[SymbolicTensor]]:
    """Return the keys of a dict in their order, or None, and the tensors of dict, list or one."""
    keys = sorted(value) if isinstance(value, dict) else None
    items = as_list(value) if keys is None else [value[key] for key in keys]
    for item in items:
        if not isinstance(item, SymbolicTensor):
            raise ConfigError(
                f"Model: expected symbolic tensors, as from nn.Input, received {item!r}"
            )
    return keys, items
