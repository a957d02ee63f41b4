"""Models: a graph of layers with its weights, its training and its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import config
from nn.context import Context, Run
from nn.errors import ConfigError, NotBuiltError, NotCompiledError, ShapeError
from nn.graph import Graph, SymbolicTensor
from nn.layers.base import Layer
from nn.lazy import Deferred
from nn.models import prediction, signature, topology
from nn.models import summary as tables
from nn.models.inputs import as_list
from nn.models.program import Program
from nn.models.run_control import Progress
from nn.serving import classifier
from nn.types import Array, Config, Shape
from nn.variables import Parameters

if TYPE_CHECKING:
    from nn import losses, optimizers
    from nn.training import batches, evaluation, loop, step


class Model(Layer):
    """A graph of layers from `inputs` to `outputs` (symbolic tensors, one or a list of them).

    Args:
        inputs: what `Input` returned.
        outputs: what came of calling layers on them.
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._graph: Graph | None = None
        self._program: Program | None = None
        self._parameters: Parameters | None = None
        self._trainer: step.TrainingStep | None = None
        self._around: Any = None  # calls each layer's function while predicting: Program.forward
        self._progress = Progress()
        self.history: Any = None
        self.course: Any = None
        self.rng = config.generator()
        self._single_output = True
        if inputs is not None:
            several = isinstance(outputs, list | tuple)
            self._single_output = not several
            self._set_graph(Graph(_tensors(inputs), _tensors(outputs)))

    def _set_graph(self, graph: Graph) -> None:
        self._graph = graph
        self._program = None
        self._parameters = None
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
        if self._program is None:
            self._program = Program(self.graph, Context(Run(self.rng, self.dtype)))
            self._program.ctx.needs_input_gradient = False
        return self._program

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order of computation."""
        return self.graph.layers

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
    def input_shape(self) -> Any:
        """The shape of the input (a list of shapes where there are several), batch axis None."""
        shapes = [t.shape for t in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """The shape of the output (a list of shapes where there are several), batch axis None."""
        shapes = [t.shape for t in self.outputs]
        return shapes[0] if self._single_output else shapes

    @property
    def output_names(self) -> list[str]:
        return [t.node.layer.name for t in self.outputs]

    @property
    def itemsize(self) -> int:
        return np.dtype(self.dtype).itemsize

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or place.

        Raises:
            ConfigError: there is none.
        """
        if index is not None:
            return self.layers[index]
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

    def summary(self) -> str:
        """Return a table of the layers with their output shapes and parameter counts."""
        return tables.text(self)

    def summary_rows(self) -> list[tables.Row]:
        """Return (name, type, output shape, number of parameters) of each layer."""
        return tables.rows(self)

    # As a layer in another model.

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        shapes = [(input_shapes[0][0], *t.shape[1:]) for t in self.outputs]
        return shapes[0] if self._single_output else shapes

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        if not isinstance(ctx.saved, Program):
            ctx.saved = Program(self.graph, ctx)
        outputs = ctx.saved.forward(inputs, training, masks=ctx.masks)
        return outputs[0] if self._single_output else tuple(outputs)

    def compute_mask(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        return None

    def backward(self, ctx: Context, dy: Any) -> Any:
        gradients = ctx.saved.backward([dy] if self._single_output else list(dy))
        return gradients[0] if len(gradients) == 1 else tuple(gradients)

    # Parameters.

    @property
    def parameters(self) -> Parameters:
        """The trainable variables, packed into one buffer; packed anew where another model did
        since."""
        if self._parameters is None or self._parameters.stale():
            self.pack()
        assert self._parameters is not None
        return self._parameters

    def pack(self) -> None:
        """Gather the variables that are trainable now; `compile` does so."""
        wanted = self.trainable_variables
        held = self._parameters
        if held is None or held.stale() or list(held.variables) != wanted:
            self._parameters = Parameters(wanted)

    # Training.

    if TYPE_CHECKING:
        compile = step.compile
        fit = loop.fit
        evaluate = evaluation.evaluate
        train_on_batch = batches.train_on_batch
        test_on_batch = batches.test_on_batch
    else:
        compile = Deferred("nn.training.step")
        fit = Deferred("nn.training.loop")
        evaluate = Deferred("nn.training.evaluation")
        train_on_batch = Deferred("nn.training.batches")
        test_on_batch = Deferred("nn.training.batches")

    @property
    def trainer(self) -> step.TrainingStep:
        """The compiled training step.

        Raises:
            NotCompiledError: `compile` was not called.
        """
        if self._trainer is None:
            raise NotCompiledError(f"{self.name}: call compile(optimizer, loss) first")
        return self._trainer

    @property
    def optimizer(self) -> optimizers.Optimizer:
        return self.trainer.optimizer

    @property
    def loss(self) -> losses.Loss | None:
        return self.trainer.losses[0]

    def _build_for(self, inputs: Sequence[Any]) -> None:
        """Build from the shape of the data, where that is how the shape becomes known."""

    def reset_metrics(self) -> None:
        """Forget the batches that `train_on_batch` has averaged so far."""
        self.trainer.reset_train()

    @property
    def metrics_names(self) -> list[str]:
        return list(self.trainer.train_logs())

    # Prediction.

    predict = prediction.predict
    predict_on_batch = prediction.predict_on_batch

    def run(self, inputs: Sequence[Array], training: bool = False) -> list[Array]:
        """Return the outputs, valid until the next run."""
        program = self.program
        program.expose_logits(False)
        return program.forward(inputs, training, self._around)

    # Serving.

    def warm_up(self) -> None:
        """Predict one sample of zeros, so that the first real one finds its memory made."""
        classifier.warm_up(self)

    def memory(self) -> dict[str, int]:
        """Return arrays and bytes held: workspaces, weights, gradients, optimizer slots."""
        return classifier.memory(self)

    def profile(self, x: Any, *, repeats: int = 5) -> list[dict[str, Any]]:
        """Time each layer forward and backward on `x`; see `nn.serving.classifier.profile`."""
        return classifier.profile(self, x, repeats=repeats)

    # Control of a running fit.

    def stop(self) -> None:
        """End the running `fit` after the current batch; it returns its history so far."""
        self._progress.stop()

    def pause(self) -> None:
        """Hold the running `fit` after the current batch."""
        self._progress.pause()

    def resume(self) -> None:
        """Let a paused `fit` go on."""
        self._progress.resume()

    @property
    def state(self) -> str:
        """ "idle", "training", "paused" or "stopping"."""
        return self._progress.state

    @property
    def epoch_finished(self) -> bool:
        """Whether the latest epoch of `fit` ran all its batches: False while an epoch is running,
        and where `stop` ended it early."""
        return self._progress.epoch_finished

    @property
    def progress(self) -> Progress:
        return self._progress

    @property
    def stop_training(self) -> bool:
        """Set by callbacks, as in Keras: True ends the run after the current batch."""
        return self._progress.stopping

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self._progress.stopping = bool(value)

    # Data.

    def adapt(self, inputs: Sequence[Any]) -> tuple[list[Array], bool]:
        """Return the inputs as arrays of the right type and shape, and whether a batch axis was
        added.

        Raises:
            ShapeError: their number, or the shape of one, is not what the model takes.
        """
        if len(inputs) != len(self.inputs):
            raise ShapeError(
                f"{self.name}: expected {len(self.inputs)} inputs, received {len(inputs)}"
            )
        wanted = zip(inputs, self.inputs, strict=True)
        pairs = [signature.fit_as(value, tensor, self.name) for value, tensor in wanted]
        return [p[0] for p in pairs], any(p[1] for p in pairs)

    def adapt_one(self, value: Any, tensor: SymbolicTensor) -> tuple[Array, bool]:
        """Return one input with its axes checked, its type as it is."""
        return signature.fit(np.asarray(value), tensor, self.name)

    # Configuration.

    def get_config(self) -> Config:
        """Return the graph: layers with their settings and, for each place, where its inputs come
        from."""
        return topology.describe(self, self._single_output)

    @classmethod
    def from_config(cls, settings: Config, custom_objects: Any = None) -> Model:
        """Return the model that `get_config` described, with new weights."""
        inputs, outputs = topology.connect(settings, custom_objects)
        model = cls(inputs, outputs, name=settings.get("name"))
        model._trainable = settings.get("trainable", True)
        return model


def _tensors(value: Any) -> list[SymbolicTensor]:
    items = as_list(list(value.values()) if isinstance(value, dict) else value)
    for item in items:
        if not isinstance(item, SymbolicTensor):
            raise ConfigError(
                f"Model: expected symbolic tensors, as from nn.Input, received {item!r}"
            )
    return items
