"""Layer: the base class of all layers.

Gradients are computed layer by layer: a layer is a pair of functions,
`forward(ctx, *inputs, training) -> y` and `backward(ctx, dy) -> dx`, and `ctx` carries the values
that backward needs from forward. A tape over array operations would make `backward` unnecessary,
but costs a Python object and a dispatch for each operation of each step (in Pyodide a few
microseconds each, hundreds a step), keeps every intermediate result alive, and hides from the layer
which operations its kernels can fuse. A custom layer needs two short methods, and
`nn.check_gradients(layer, x)` tests them:

    class Scale(nn.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight("factor", (input_shape[-1],), "ones")

        def forward(self, ctx, x, training=False):
            ctx.saved = x
            return x * self.factor.value

        def backward(self, ctx, dy):
            ctx.gradient(self.factor)[...] += (dy * ctx.saved).reshape(-1, dy.shape[-1]).sum(0)
            return dy * self.factor.value
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial, wraps
from typing import Any, ClassVar

import numpy as np

from nn import activations, config, constraints, initializers, regularizers
from nn.activations import Activation
from nn.constraints import Constraint
from nn.context import Context, Run
from nn.data.numeric import cast, floats, numeric
from nn.errors import ConfigError, NNError, NotBuiltError, ShapeError
from nn.graph import Node, SymbolicTensor
from nn.identifiers import expect_settings, snake_case
from nn.initializers import Initializer
from nn.keras_arguments import WRONG, Checked, LeftOut, expect_kinds, ours, refuse
from nn.lazy import load
from nn.registry import deserialize
from nn.regularizers import Regularizer
from nn.types import Array, Config, Shape, prod
from nn.variables import Later, Variable

PASSES = {"forward", "backward"}
# What classes written for Keras define.
_OTHERS = {
    "call": "define forward and backward, or build a Model of layers",
    "train_step": "compile a loss, or train with callbacks",
    "test_step": "compile a loss and metrics",
    "predict_step": "call predict, and go on with what it returns",
    "compute_loss": "compile a loss, which may be a function",
    "compute_metrics": "compile metrics",
    "make_train_function": "train with callbacks",
}


def _checked(method: Any) -> Any:
    """Let every error that shapes cause in a layer's method be a ConfigError."""

    @wraps(method)
    def checked(self: Any, *shapes: Any) -> Any:
        with of_shapes(self, shapes):
            return method(self, *shapes)

    return checked


def _built(build: Any) -> Any:
    """Let a layer know that it is built, whoever calls `build`."""

    @wraps(build)
    def built(self: Any, *shapes: Any, input_shape: Any = None) -> Any:
        shapes = shapes or (input_shape,)
        build(self, *shapes)
        self.built, self._built_for = True, shapes

    return built


@contextmanager
def of_shapes(layer: Any, shapes: Sequence[Shape]) -> Iterator[None]:
    """Let every error that shapes cause be a ConfigError, which states them."""
    try:
        yield
    except WRONG as error:
        if isinstance(error, NNError):
            raise
        raise ConfigError(f"{layer.name}: received {_listed(shapes)}: {error}") from error


class Layer(metaclass=Checked):
    """Base class of layers: functions with variables.

    Subclasses define `build` (create variables), `forward`, `backward` and, if the output's shape
    differs from the input's, `compute_output_shape`. `fields` lists the constructor arguments that
    `get_config` returns.

    Args:
        name: unique within a model; derived from the class name by default.
        trainable: False freezes the variables, from the next `compile` on.
        dtype: "float32" or "float64"; `nn.config.floatx()` by default.
        activity_regularizer: penalty on the outputs, divided by the batch size.
        input_shape: shape without the batch axis, for Sequential models without `Input`.
        masking: False for one of Keras' operations (`x * 2`), which neither sees masks nor hands
            them on; True if the mask counts beside initial states too, as in Keras 2.
    """

    fields: tuple[str, ...] = ()
    inner_fields: tuple[str, ...] = ()
    """Those of `fields` whose value is a layer, or a list of layers."""
    left_out: ClassVar[LeftOut] = {"autocast": (True, "all layers of a model share one float type")}
    supports_masking = False
    """Whether the mask of the first input is also the mask of the output."""
    begins_mask = False
    """Whether `mask_after` may create a mask if the inputs have none."""
    several_inputs = False
    """Whether a layer of the engine takes more than one input; others may take any number."""
    reads_indices = False
    """Whether the inputs are whole numbers to look up, which stay such in a model."""
    penalized = False
    """Whether `backward` must run even if no gradient arrives."""
    changes = 0
    """How often a built layer of any class got another activation."""

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        activity_regularizer: Any = None,
        input_shape: Iterable[int | None] | None = None,
        input_dim: int | None = None,
        masking: bool | None = None,
        **others: Any,
    ) -> None:
        refuse(type(self), others)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        if not isinstance(name, str | None):
            raise ConfigError(f"{type(self).__name__}: expected name as text, received {name!r}")
        self.auto_named = name is None
        self.name = name or snake_case(type(self).__name__)
        self.scope = ""
        self.dtype = config.dtype_name(dtype or config.floatx())
        self.built = False
        self.own_variables: list[Variable] = []
        given = (input_dim,) if input_dim is not None else input_shape
        self.given_input_shape = None if given is None else axes_of(given, self.name)
        self.masking = masking
        if masking is False:
            self.supports_masking = False
        self._trainable = trainable
        self._nodes: list[Node] = []
        self._built_for: tuple[Shape, ...] = ()
        self._fitting: set[tuple[Shape, ...]] = set()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; another activation of a built layer counts from the next run on.

        Raises:
            ConfigError: the layer computes more from its activation than its output.
        """
        if name == "activation" and getattr(self, "built", False):
            if self.last_activation is None:
                raise ConfigError(f"{self.name}: expected its activation where it is made")
            value = activations.get(value)
            Layer.changes += 1
        object.__setattr__(self, name, value)

    @property
    def last_activation(self) -> str | None:
        """The name of the activation that is applied last, where a loss may apply it instead."""
        return None

    # Variables.

    def add_weight(
        self,
        *given: Any,
        name: str | None = None,
        shape: Any = (),
        initializer: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        dtype: Any = None,
    ) -> Variable:
        """Create a variable that this layer owns.

        Args:
            given: the name, the shape and the initializer, or as in Keras the last two.
            name: shown in files; by default numbered within the layer.
            shape: the size of each axis.
            initializer: a name or an Initializer; "glorot_uniform" by default.
            trainable: False for what `fit` does not change.
            regularizer: a penalty.
            constraint: what each step ends in.
            dtype: the layer's.

        Raises:
            ConfigError: another dtype.
        """
        if given:
            order = ("name", "shape", "initializer")[not isinstance(given[0], str) :]
            return self.add_weight(
                **{"name": name, "shape": shape, "initializer": initializer}
                | dict(zip(order[: len(given)], given, strict=True)),
                trainable=trainable,
                regularizer=regularizer,
                constraint=constraint,
                dtype=dtype,
            )
        if name is None:
            name = f"variable_{len(self.own_variables)}"
        if dtype not in (None, self.dtype):
            raise ConfigError(f"{self.path}/{name}: expected {self.dtype}, received {dtype!r:.80}")
        sizes: Any = axes_of(shape, f"{self.path}/{name}")
        if None in sizes:
            raise ShapeError(f"{self.path}/{name}: expected known sizes, received {shape!r:.80}")
        config.claim(prod(sizes) * np.dtype(self.dtype).itemsize, f"{self.path}/{name}")
        make = partial(initializers.get(initializer or "glorot_uniform"), sizes, self.dtype)
        variable = Variable(
            Later(sizes, self.dtype, make) if config.weights_follow() else make(),
            name,
            trainable=trainable,
            owner=self,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
        )
        self.own_variables.append(variable)
        return variable

    def set_options(
        self, name: str, initializer: Any, regularizer: Any = None, constraint: Any = None
    ) -> None:
        """Set the options for `add_named`, as attributes like `kernel_initializer`."""
        setattr(self, f"{name}_initializer", initializers.get(initializer))
        setattr(self, f"{name}_regularizer", regularizers.get(regularizer))
        setattr(self, f"{name}_constraint", constraints.get(constraint))

    def add_named(self, name: str, shape: Sequence[int], options: str | None = None) -> Variable:
        """Create a variable with the options that `set_options` set for `options` or `name`."""
        key = options or name
        return self.add_weight(
            name,
            shape,
            getattr(self, f"{key}_initializer"),
            regularizer=getattr(self, f"{key}_regularizer"),
            constraint=getattr(self, f"{key}_constraint"),
        )

    @property
    def sublayers(self) -> Sequence[Layer]:
        """The layers inside this one."""
        return ()

    @property
    def trainable(self) -> bool:
        """Whether the layer is trained. A change takes effect at the next `compile`."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self.sublayers:
            layer.trainable = value

    @property
    def variables(self) -> list[Variable]:
        """All variables: own trainable, own non-trainable, those of sublayers."""
        return self._gathered("variables", self.sublayers)

    @property
    def weights(self) -> list[Variable]:
        """All variables in Keras' order, which differs in models with branches."""
        return self._gathered("weights", self.sublayers)

    def _gathered(self, name: str, layers: Sequence[Layer]) -> list[Variable]:
        own = sorted(self.own_variables, key=lambda v: not v.trainable)
        inner = (v for layer in layers for v in getattr(layer, name))
        return [*dict.fromkeys((*own, *inner))]  # a model inside may share a layer with this one

    @property
    def trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if _trained(v)]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if not _trained(v)]

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if _trained(v)]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not _trained(v)]

    def count_params(self) -> int:
        """Return the number of elements of all variables."""
        return sum(v.size for v in self.variables)

    def get_weights(self) -> list[Array]:
        """Return copies of all variables, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copy arrays into the variables, in the order of `weights`.

        Raises:
            ShapeError: the number of arrays or a shape differs; nothing is changed.
        """
        variables = self.weights
        several = isinstance(weights, Sequence) or np.ndim(weights)
        if not several or len(weights) != len(variables):
            received = len(weights) if isinstance(weights, Sequence) else f"{weights!r:.80}"
            raise ShapeError(f"{self.name}: expected {len(variables)} arrays, received {received}")
        arrays = [numeric(w, f"{self.name}: weights") for w in weights]
        for variable, array in zip(variables, arrays, strict=True):
            if variable.shape != array.shape:
                raise ShapeError(
                    f"{variable.path}: expected shape {variable.shape}, received {array.shape}"
                )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    @property
    def path(self) -> str:
        return f"{self.scope}/{self.name}" if self.scope else self.name

    # What subclasses define.

    def build(self, *input_shapes: Shape) -> None:
        """Create the variables. Called once; the batch axis of the shapes is None."""

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        """Return the output's shape, or a list of shapes for several outputs."""
        return input_shapes[0]

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        """Return the output and save in `ctx` what `backward` needs. Must not change the inputs."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def backward(self, ctx: Context, dy: Any) -> Any:
        """Return the gradient of the input (a tuple for several); add those of the variables.

        Must not change `dy`. May return None unless `ctx.needs_input_gradient`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define backward")

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        """Return the mask of the output, or a list of masks for several outputs: by default what
        `compute_mask` says."""
        if type(self).compute_mask is Layer.compute_mask:
            return masks[0] if self.supports_masking else None
        one = len(inputs) == 1
        return self.compute_mask(inputs[0] if one else inputs, masks[0] if one else masks)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask of the output, as Keras' layers do.

        Args:
            inputs: an array, or a list of them for a layer of several.
            previous_mask: their masks, likewise; None for none.

        Raises:
            ConfigError: the inputs are tensors of a graph.
        """
        several = self.several_inputs and isinstance(inputs, list | tuple)
        given = inputs if several else [inputs]
        masks = previous_mask if several and previous_mask else [previous_mask] * len(given)
        if type(self).mask_after is Layer.mask_after:
            return masks[0] if self.supports_masking else None
        return self.mask_after([numeric(x, f"{self.name}: inputs") for x in given], masks)

    def get_state(self) -> Config:
        """Return the state carried from batch to batch besides variables.

        This is the state of the layer's random generator (`rng`), if it has one.
        """
        rng = getattr(self, "rng", None)
        return {"generator": rng.bit_generator.state} if rng is not None else {}

    def set_state(self, state: Config) -> None:
        """Restore what `get_state` returned."""
        rng = getattr(self, "rng", None)
        if rng is not None:
            rng.bit_generator.state = state["generator"]

    def only_kernels(self, ctx: Context) -> bool:
        """Return whether `forward` and `backward` do all their arithmetic by kernels.

        Where they do (on workspaces, weights, gradients and whole inputs, which may be reshaped),
        a program may record the kernel calls of one batch and repeat them for the next ones. The
        answer of a class does not hold for subclasses with another `forward` or `backward`.
        """
        return False

    def recordable(self, ctx: Context) -> bool:
        """Return whether the kernel calls of one batch may be recorded and repeated."""
        for base in type(self).__mro__:
            if "only_kernels" in vars(base):
                return not vars(self).keys() & PASSES and self.only_kernels(ctx)
            if vars(base).keys() & PASSES:
                break
        return False

    # Calling.

    def ensure_built(self, *input_shapes: Shape) -> None:
        """Build the layer if it is not built.

        Raises:
            ConfigError: the first input lacks an axis that the layer's `axis` names.
        """
        if ours(type(self)):
            expect_axes(getattr(self, "axis", None), len(input_shapes[0]), self.name)
        if self.built:
            return
        self.build(*input_shapes)
        self.built, self._built_for = True, input_shapes  # where `build` is the base's

    def expect_fitting(self, *input_shapes: Shape) -> None:
        """Raise ShapeError if weights for these inputs would have other sizes than the layer's.

        Axes of unknown size (None) may have the size that the layer was built for. Another layer
        of the same settings says which sizes the weights would have; it holds none.
        """
        known = self._built_for
        if input_shapes == known or not known:
            return
        if not self.variables:
            if self.several_inputs and ours(type(self)):
                self.build(*input_shapes)  # which only checks
            return
        if input_shapes in self._fitting:
            return
        filled = tuple(map(_filled, input_shapes, known))
        given = filled + input_shapes[len(filled) :]  # states may follow
        made = self._sizes_for(known)
        if made and self._sizes_for(given) != made:
            raise ShapeError(
                f"{self.name}: expected {_listed(known)}, for which it was built, "
                f"received {_listed(input_shapes)}"
            )
        self._fitting.add(input_shapes)

    def assumes(self, input_shapes: Iterable[Shape]) -> bool:
        """Whether the layer has weights and one of its inputs an axis of unknown size, of which
        the layer was built for one size."""
        return bool(self.variables) and any(
            known is not None and size is None
            for built, shape in zip(self._built_for, input_shapes, strict=False)
            for known, size in zip(built[1:], shape[1:], strict=False)
        )

    def built_sizes(self) -> list[Shape]:
        """Return the sizes that `build` settled: those of the weights."""
        inner = [size for layer in self.sublayers for size in layer.built_sizes()]
        return [v.shape for v in self.own_variables] + inner

    def _sizes_for(self, input_shapes: tuple[Shape, ...]) -> list[Shape] | None:
        """Return the sizes that `build` would settle for such inputs.

        None where `build` refuses them, or where `from_config` cannot make the layer again.
        """
        try:
            with config.weight_sizes():
                twin = type(self).from_config(self.get_config())
                twin.ensure_built(*input_shapes)
                return twin.built_sizes()
        except (NNError, TypeError):
            return None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if ours(cls):
            for method in vars(cls).keys() & {"build", "compute_output_shape"}:
                setattr(cls, method, _checked(vars(cls)[method]))
        if "build" in vars(cls):
            cls.build = _built(cls.build)  # type: ignore[method-assign]
        for name, instead in _OTHERS.items():
            if name in vars(cls) and "forward" not in vars(cls):
                raise ConfigError(f"{cls.__name__}: {name} is not called here, {instead}")

    def __call__(self, *inputs: Any, training: Any = None, mask: Any = None, **others: Any) -> Any:
        """Call the layer on symbolic tensors, which adds it to a graph, or on arrays.

        Args:
            inputs: one or several inputs, or a list of them, also by name. An array among symbolic
                tensors becomes a constant of the graph, its first axis the batch's, of size 1.
            training: whether to run in training mode. None is Keras' default: False, but for layers
                that change images at random. In a graph it counts, as in Keras 3, where the model
                is called without one (`model(x)`); `fit`, `evaluate` and `predict` have their own.
            mask: mask of the steps, of several inputs a list (arrays only; in a graph it comes with
                the input).

        Raises:
            ConfigError: a mask in a graph, an argument that the layer does not have, or arrays
                that it cannot compute with.
            ShapeError: arrays of the wrong number of axes or sizes.
        """
        if not inputs and "inputs" in others:
            inputs = (others.pop("inputs"),)
        self.expect_none_of(others)
        given = inputs[0] if len(inputs) == 1 else inputs
        # A list of arrays is several inputs; one of numbers, or of lists of them, is one.
        several = isinstance(given, list | tuple) and (
            len(inputs) != 1 or not given or any(getattr(item, "shape", ()) for item in given)
        )
        items: list[Any] = list(given) if several else [given]
        symbolic = [isinstance(i, SymbolicTensor) for i in items]
        if any(symbolic):
            if not all(symbolic):
                items = load("nn.layers.constant").placed(items, self.name)
            if mask is not None:
                raise ConfigError(
                    f"{self.name}: expected no mask in a graph, where it comes with the input: "
                    "Masking or Embedding(mask_zero=True) makes it"
                )
            return self._place(items, training)
        if any(hasattr(i, "through") for i in items):  # of a function that is being differentiated
            return load("nn.differentiate").through_layer(self, items, training, mask)
        return self.run_on(items, training, mask)[1]

    def run_on(self, items: list[Any], training: Any, mask: Any) -> tuple[Context, Any]:
        """Return a context of its own with what `forward` made of arrays in it."""
        if not items or (len(items) > 1 and ours(type(self)) and not self.several_inputs):
            raise ShapeError(f"{self.name}: expected an input, received {len(items)}")
        fed = floats if self.reads_indices else cast
        arrays = [fed(numeric(i, self.name), self.dtype) for i in items]
        shapes: list[Shape] = [(None, *a.shape[1:]) if a.ndim else () for a in arrays]
        self.ensure_built(*shapes)
        self.expect_fitting(*shapes)
        ctx = Context(Run(config.generator(), self.dtype))
        apart = len(items) > 1 and isinstance(mask, list | tuple)
        masks = list(mask) if apart else [mask] + [None] * (len(items) - 1)
        ctx.masks = [None if one is None else np.asarray(one, bool) for one in masks]
        ctx.mask = ctx.masks[0] if masks else None
        own = all(ours(type(layer)) for layer in walk([self]))
        with of_shapes(self, shapes) if own else nullcontext():
            self.expect_shapes(*shapes)
            return ctx, self.forward(ctx, *arrays, training=training)

    def expect_shapes(self, *shapes: Shape) -> None:
        """Raise an error for arrays that a graph would refuse."""
        if ours(type(self)):
            self.compute_output_shape(*shapes)

    def expect_none_of(self, others: Config) -> None:
        """Raise ConfigError for arguments of a call that the layer does not have."""
        if others:
            raise ConfigError(
                f"{self.name}: expected training and mask, received {', '.join(others)}, which "
                f"{type(self).__name__} is not called with here"
            )

    def _place(self, inputs: list[Any], training: Any) -> Any:
        if len(inputs) != 1 and ours(type(self)) and not self.several_inputs:
            raise ShapeError(f"{self.name}: expected one input, received {len(inputs)}")
        shapes = [t.shape for t in inputs]
        self.ensure_built(*shapes)
        self.expect_fitting(*shapes)
        result = self.compute_output_shape(*shapes)
        several = isinstance(result, list)
        node = Node(self, inputs, result if several else [result], self.dtype, training)
        self._nodes.append(node)
        return node.outputs if several else node.outputs[0]

    @property
    def input(self) -> Any:
        """What the layer was first called on in a graph: a symbolic tensor, or a list of them."""
        tensors = self._first_node().inputs
        return tensors[0] if len(tensors) == 1 else list(tensors)

    @property
    def output(self) -> Any:
        """What the layer's first call in a graph returned: a symbolic tensor, or a list of them."""
        tensors = self._first_node().outputs
        return tensors[0] if len(tensors) == 1 else list(tensors)

    def _first_node(self) -> Node:
        if not self._nodes:
            raise NotBuiltError(
                f"{self.name}: expected a layer that was called in a graph, received one that has "
                "neither input nor output yet"
            )
        return self._nodes[0]

    # Configuration.

    def get_config(self) -> Config:
        """Return the constructor's arguments, JSON-ready."""
        settings: Config = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        for field in self.fields:
            settings[field] = serialize(getattr(self, field))
        if self.activity_regularizer is not None:
            settings["activity_regularizer"] = serialize(self.activity_regularizer)
        if self.masking is not None:
            settings["masking"] = self.masking
        return settings

    @classmethod
    def from_config(cls, settings: Config) -> Layer:
        """Create a layer from the settings that `get_config` returned.

        Raises:
            ConfigError: a setting is of another kind than the constructor takes.
        """
        expect_settings(cls, settings)
        expect_kinds(cls, settings, ())
        made = {field: _made(settings[field]) for field in cls.inner_fields if field in settings}
        return cls(**{**settings, **made})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def _trained(v: Variable) -> bool:
    return bool(v.trainable and v.owner and v.owner.trainable)


def _filled(shape: Shape, known: Shape) -> Shape:
    """Return a shape whose unknown axes have the known sizes."""
    if len(shape) != len(known):
        return shape
    return tuple(b if a is None else a for a, b in zip(shape, known, strict=True))


def _listed(shapes: Sequence[Shape]) -> str:
    return f"an input of shape {shapes[0]}" if len(shapes) == 1 else f"inputs of shapes {[*shapes]}"


def _made(settings: Any) -> Any:
    """Return the layer, or the list of layers, of serialized settings."""
    if isinstance(settings, list):
        return [deserialize(item) for item in settings]
    return None if settings is None else deserialize(settings)


def serialize(value: Any) -> Any:
    """Return `value` as JSON-ready data."""
    if isinstance(value, Layer):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, Activation):
        return activations.serialize(value)
    if isinstance(value, Initializer):
        return initializers.serialize(value)
    if isinstance(value, Regularizer):
        return regularizers.serialize(value)
    if isinstance(value, Constraint):
        return constraints.serialize(value)
    if isinstance(value, tuple | list):
        return [serialize(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def walk(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Yield the layers and, recursively, their sublayers."""
    for layer in layers:
        yield layer
        yield from walk(layer.sublayers)


def sizes(value: Any, rank: int, name: str, layer: str) -> tuple[int, ...]:
    """Return one int for each of `rank` axes; a single int is that of every axis.

    Raises:
        ConfigError: the value is something else, or a number is below 1.
    """
    numbers = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(numbers) != rank or any(int(n) != n or not 1 <= n < 2**31 for n in numbers):
        raise ConfigError(
            f"{layer}: {name} must be a positive int or {rank} of them, received {value!r}"
        )
    return tuple(int(n) for n in numbers)


def axes_of(shape: Any, layer: str) -> Shape:
    """Return the sizes of an input's axes, each a whole number or None, as a tuple.

    Raises:
        ShapeError: they are something else.
    """
    found = tuple(shape) if isinstance(shape, Sequence | np.ndarray) else (shape, "")
    if not all(n is None or (isinstance(n, int | np.integer) and 0 <= n < 2**31) for n in found):
        raise ShapeError(f"{layer}: expected a shape of whole numbers or None, received {shape!r}")
    return tuple(None if n is None else int(n) for n in found)


def expect_axes(axis: Any, rank: int, layer: str) -> None:
    """Raise ConfigError unless an axis, or each of several, is one of `rank` and named once."""
    given = axis if isinstance(axis, list) else [] if axis is None else [axis]
    if axis == [] or len({a % rank for a in given if -rank <= a < rank}) < len(given):
        raise ConfigError(
            f"{layer}: expected axis from {-rank} to {rank - 1}, received {axis!r:.80} (each once)"
        )


def pair(value: Any, name: str, layer: str) -> tuple[int, int]:
    """Return an int or a pair of ints as a pair; as `sizes`."""
    first, second = sizes(value, 2, name, layer)
    return first, second


def positive(value: Any, name: str, layer: str) -> int:
    """Return a positive int.

    Raises:
        ConfigError: the value is something else.
    """
    if int(value) != value or value < 1:
        raise ConfigError(f"{layer}: {name} must be a positive int, received {value!r}")
    return int(value)


def one_of(value: Any, known: Sequence[Any], what: str, layer: str) -> Any:
    """Return a value that is one of those known.

    Raises:
        ConfigError: it is another.
    """
    if value not in known:
        raise ConfigError(f"{layer}: expected {what} to be one of {known}, received {value!r:.80}")
    return value


def expect_rank(shape: Shape, rank: int, layer: Layer) -> None:
    """Raise ShapeError unless `shape` has `rank` axes, batch included."""
    if len(shape) != rank:
        raise ShapeError(f"{layer.name}: expected an input of {rank} axes, received shape {shape}")
