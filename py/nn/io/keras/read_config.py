"""Conversion of Keras' JSON model configuration to the engine's.

There are three dialects: Keras 3 (`.keras`), Keras 2 and TensorFlow.js (`model.json`). `read`
converts each to the form that `get_config` of the engine's models returns. An option that the
engine lacks raises an error unless its value has no effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nn import constraints, initializers
from nn.identifiers import CUSTOM
from nn.io.errors import CorruptError, MissingEntryError, UnsupportedError
from nn.io.snapshot import expect
from nn.keras_arguments import OLDER, left_out, without_missing
from nn.layers import CLASSES
from nn.layers.base import Layer
from nn.lazy import load
from nn.registry import models as MODELS

Json = dict[str, Any]

STATES_AFTER = ("Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "GRU", "LSTM", "RNN", "SimpleRNN")
"""Layers whose inputs after the first are initial states."""

OF_CALLS = ("use_causal_mask", "attention_mask", "return_attention_scores")
"""What Keras keeps with an attention's calls; a layer here has it in its settings."""

LAST = ("attention_mask", "count_weights")
"""Options of Keras' calls that are inputs here, after the others."""

COMPARING = ("NotEqual",)
"""With what a mask begins."""

OPERATIONS = ("keras.src.ops.", "keras.src.activations.")
"""With what the modules of Keras' operations begin."""

DATA = ("string", "bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
"""Types of what an input is given that layers do not compute in."""


def handles(item: Any) -> bool:
    """Return whether a layer's settings are those of an operation, not of a layer."""
    module = item.get("module")
    operation = isinstance(module, str) and module.startswith(OPERATIONS)
    return operation or item.get("class_name") == "TFOpLambda"


def may_be_of_a_mask(item: Any) -> bool:
    """Return whether a layer is an operation of Keras 3 that is no arithmetic with numbers."""
    return isinstance(item, dict) and handles(item) and item.get("class_name") in COMPARING


# Options without effect on predictions.
_INERT = {
    "backend",
    "batch_input_shape",
    "build_config",
    "implementation",
    "input_dim",
    "input_length",
    "input_shape",
    "ragged",
    "renorm_momentum",
    "seed",
    "sparse",
    "synchronized",
    "unroll",
    "vocabulary_size",  # that of an asset
}


# Options that some of the engine's layers lack, with the values that change nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "groups": (1,),
    "dilation_rate": (1, [1], [1, 1], [1, 1, 1]),
    "activation": ("linear",),
    "fused": (True,),
    "attention_axes": ([1],),
    "autocast": (True,),
}


@dataclass(frozen=True)
class Dialect:
    """What the layers of a file mean.

    Attributes:
        custom: class name -> class of the custom layers in the file.
        keras2: whether names have the meaning of Keras 2 and TensorFlow.js.
        tfjs: whether TensorFlow.js itself wrote the file.
    """

    custom: Mapping[str, Any]
    keras2: bool
    tfjs: bool


def read(
    document: Any, custom_objects: Mapping[str, Any] | None = None, version: Any = "3"
) -> Json:
    """Return ``{"class_name", "config"}`` in the engine's form.

    Args:
        document: a model configuration in any of the three dialects.
        custom_objects: class name -> class of the custom layers in the file.
        version: the version of Keras that the file names, such as "2.15.0" or "tfjs-layers 4.22".

    Raises:
        UnsupportedError: the engine lacks a class or an option.
        MissingEntryError: a required part is missing.
        CorruptError: the configuration contradicts itself.
    """
    version = str(version)
    custom = {**CUSTOM, **(custom_objects or {})}
    dialect = Dialect(custom, version[:1] != "3", version[:4] == "tfjs")
    model = _model(document, dialect)
    first: Json = next(iter(model["config"]["layers"]), {})
    if model["class_name"] == "Sequential" and first.get("class_name") != "InputLayer":
        raise MissingEntryError("topology: expected the input's shape and layers")
    return model


def _model(document: Any, dialect: Dialect) -> Json:
    class_name = _class_name(document)
    if class_name not in MODELS:
        raise UnsupportedError(f"topology: expected {', '.join(MODELS)}, received {class_name!r}")
    kind = MODELS[class_name].kind
    config = document.get("config")
    stack = kind == "Sequential"
    made = _sequential(config, document, dialect) if stack else _functional(config, dialect)
    return {"class_name": kind, "config": made}


def _sequential(config: Any, document: Json, dialect: Dialect) -> Json:
    # Keras 1 and early TensorFlow.js wrote a plain list of layers.
    settings = {"layers": config} if isinstance(config, list) else config
    layers = expect(settings, "layers", list, "topology")
    # Without an input, a Sequential inside another model takes the shape of what is before it.
    first = _input_layer(layers, settings, document)
    stack = [_layer(item, dialect) for item in layers if _class_name(item) != "InputLayer"]
    return {
        "name": settings.get("name"),
        "trainable": settings.get("trainable", True),
        "layers": [first, *stack] if first and stack else stack,
    }


def _input_layer(layers: list[Any], settings: Json, document: Json) -> Json | None:
    """Return the input, from one of the places where the dialects have it or its shape."""
    item: Any = layers[0] if layers else {}
    first = item.get("config")
    if item.get("class_name") == "InputLayer" and (
        _get(first, "batch_shape") or _get(first, "batch_input_shape")
    ):
        return {"class_name": "InputLayer", "config": _input(first)}
    if item.get("class_name") in MODELS:  # it stands in the first layer's first layer
        inner = {"layers": first} if isinstance(first, list) else first
        inside = inner.get("layers") if isinstance(inner, dict) else None
        found = _input_layer(inside, inner, item) if isinstance(inside, list) and inside else None
        if found is not None:
            return {"class_name": "InputLayer", "config": found["config"] | {"name": None}}
    places = [
        _get(first, "batch_input_shape"),
        settings.get("build_input_shape"),
        _get(document.get("build_config"), "input_shape"),
    ]
    shapes = [shape for shape in places if isinstance(shape, list) and shape]
    if not shapes:
        return None
    return {"class_name": "InputLayer", "config": _input({"batch_shape": shapes[0]})}


def _get(config: Any, key: str) -> Any:
    return config.get(key) if isinstance(config, dict) else None


def _class_name(item: Any) -> str:
    """Return the name of a class, without the package that Keras puts in front: "Custom>Adam"."""
    name: str = expect(item, "class_name", str, "topology, layer")
    return name.rpartition(">")[2]


def _layer(item: Any, dialect: Dialect) -> Json:
    class_name = _class_name(item)
    if class_name in MODELS:
        return _model(item, dialect)
    config = expect(item, "config", dict, f"topology, {class_name}")
    if class_name == "InputLayer":
        return {"class_name": class_name, "config": _input(config)}
    if handles(item):
        return load("nn.io.keras.operations").layer(item)  # type: ignore[no-any-return]
    found = dialect.custom.get(class_name) or CLASSES.get(class_name)
    if found is None:
        raise UnsupportedError(
            f"topology, layer {config.get('name')!r}: no layer is called {class_name!r} here"
        )
    return {"class_name": class_name, "config": _options(class_name, found, config, dialect)}


def _input(config: Json) -> Json:
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or not shape:
        raise MissingEntryError(f"topology, InputLayer: expected batch_shape, received {config!r}")
    given = config.get("dtype")
    if given not in DATA:
        given = _dtype(given)
    return {"name": config.get("name"), "shape": shape[1:], "dtype": given}


def _inner(value: Any, dialect: Dialect) -> Any:
    """Return the settings of a layer, or of a list of layers, inside another."""
    if isinstance(value, list):
        return [_layer(item, dialect) for item in value]
    return None if value is None else _layer(value, dialect)


def _options(class_name: str, found: type[Layer], config: Json, dialect: Dialect) -> Json:
    known = {"name", "trainable", *found.fields}
    missing = left_out(found)
    options: Json = {"dtype": _dtype(config.get("dtype"))}
    for key, value in config.items():
        if isinstance(value, dict) and value.get("type") == "ndarray":  # a number of older Keras
            value = value.get("value")
        name = OLDER.get((class_name, key)) or key
        if class_name == "RNN" and dialect.keras2 and name not in known:
            continue  # TensorFlow.js repeats the cell's settings beside it
        if name in found.inner_fields:
            options[name] = _inner(value, dialect)
        elif name in known:
            options[name] = _value(class_name, name, value, dialect)
        elif not (_inert(name, value) or (name in missing and value == missing[name][0])):
            raise UnsupportedError(
                f"topology, {class_name} {config.get('name')!r}: no option {key!r} here, "
                f"received {value!r}"
            )
    if class_name in ("GRU", "GRUCell"):
        # TensorFlow.js omits it to mean False.
        options.setdefault("reset_after", False)
    return without_missing(found, options)


def _inert(name: str, value: Any) -> bool:
    neutral = value in (None, 0, "channels_last", *_NEUTRAL.get(name, ()))
    return neutral or name == "dtype" or name in _INERT or name.endswith("_initializer")


def _value(class_name: str, name: str, value: Any, dialect: Dialect) -> Any:
    dilated = class_name == "DepthwiseConv2D" and name == "dilation_rate" and value != [1, 1]
    if dialect.tfjs and (dilated or (name, value) == ("interpolation", "bilinear")):
        raise UnsupportedError(f"topology, {class_name}: TensorFlow.js has another {name}={value}")
    if name.endswith("_initializer"):
        return _initializer(value)
    if name.endswith("activation"):
        return _activation(class_name, value, dialect)
    if name.endswith("_regularizer") and isinstance(value, dict):
        known = _known(value, ("l1", "l2"), "regularizer")
        return {"class_name": value.get("class_name"), "config": known}
    if name.endswith("_constraint") and isinstance(value, dict):
        return _constraint(class_name, value)
    if name == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if name == "target_shape" and isinstance(value, list):  # TensorFlow.js has null in place of -1
        return [-1 if size is None else size for size in value]
    return value


def _constraint(class_name: str, value: Json) -> Json:
    found = constraints.CLASSES.get(str(value.get("class_name")))
    if found is None:
        raise UnsupportedError(f"topology, {class_name}: no constraint {value!r} here")
    known = _known(value, found.fields, "constraint")
    return {"class_name": found.__name__, "config": known}


def _known(value: Json, names: Sequence[str], what: str) -> Json:
    """Return those of an object's settings that have these names."""
    config = value.get("config") or {}
    if not isinstance(config, dict):
        raise CorruptError(f"topology: expected the settings of a {what}, received {config!r:.200}")
    return {name: config[name] for name in names if name in config}


def _initializer(value: Any) -> Any:
    """Return an initializer's settings, or zeros if the engine lacks it, as weights are loaded."""
    if not isinstance(value, dict):
        return "zeros"
    found = initializers.CLASSES.get(str(value.get("class_name")))
    if found is None:
        return "zeros"
    known = _known(value, found.fields, "initializer")
    if known.get("distribution") == "normal":
        known["distribution"] = "truncated_normal"  # its name in Keras 2
    return {"class_name": found.__name__, "config": known}


def _activation(class_name: str, value: Any, dialect: Dialect) -> Any:
    name = value.get("config") if isinstance(value, dict) else value
    if isinstance(name, dict):
        raise UnsupportedError(f"topology, {class_name}: no activation {value!r} here")
    # Keras 2 and TensorFlow.js: 0.2 x + 0.5 between 0 and 1. Keras 3: x / 6 + 0.5.
    return "keras2_hard_sigmoid" if dialect.keras2 and name == "hard_sigmoid" else name


def _dtype(value: Any) -> str:
    name = _known(value, ("name",), "dtype").get("name") if isinstance(value, dict) else value
    # Layers that compute in 16 bits in Keras have weights that float32 holds.
    if name in (
        None, "float32", "int32", "int64", "uint8", "bool", "float16", "bfloat16",
        "mixed_float16", "mixed_bfloat16",
    ):  # fmt: skip
        return "float32"
    if name == "float64":
        return "float64"
    raise UnsupportedError(f"topology: expected float32 or float64 layers, received {name!r}")


def _functional(config: Any, dialect: Dialect) -> Json:
    items = expect(config, "layers", list, "topology")
    if any(map(may_be_of_a_mask, items)):
        items = load("nn.io.keras.masks").left_out(items, config.get("output_layers"))
    layers = [_node(item, dialect) for item in items]
    if dialect.keras2:
        _mask_beside_states(layers)
    outputs = _addresses(config, "output_layers")
    _count_calls(layers, outputs, dialect)
    single = isinstance(outputs, list) and len(outputs) == 1
    return {
        "name": config.get("name"),
        "trainable": config.get("trainable", True),
        "layers": layers,
        "input_layers": _addresses(config, "input_layers"),
        "output_layers": outputs[0] if single else outputs,
    }


def _mask_beside_states(layers: list[Json]) -> None:
    """Let masks count where there are initial states, as in Keras 2 and TensorFlow.js."""
    if any(map(_begins_mask, layers)):
        for item in layers:
            if item["class_name"] in STATES_AFTER and any(c[1:] for c in item["inbound_nodes"]):
                item["config"]["masking"] = True


def _begins_mask(item: Json) -> bool:
    return item["class_name"] == "Masking" or bool(item["config"].get("mask_zero"))


def _count_calls(layers: list[Json], outputs: Any, dialect: Dialect) -> None:
    """Number the calls of models inside a model from 0.

    Keras 2 and TensorFlow.js take the model itself, as it was made, for call 0. So does Keras 3 for
    a Functional, but only where it is an output of the model around it.
    """
    sources = [source for item in layers for call in item["inbound_nodes"] for source in call]
    ends = [*(outputs.values() if isinstance(outputs, dict) else outputs)]
    for item in layers:
        kind = item["class_name"]
        if kind in MODELS and (dialect.keras2 or kind == "Sequential"):
            _count_from_0(item, sources + ends, dialect.keras2)
        elif kind in MODELS:
            _count_from_0(item, sources, False)
            _count_from_0(item, ends, True)


def _count_from_0(item: Json, sources: list[Any], from_1: bool) -> None:
    """Number a model's calls from 0 where they are numbered from 1: as `from_1` says, unless there
    is a 0 among them, or where there would be a call too many."""
    mine = [source for source in sources if source[0] == item["name"]]
    numbers = {source[1] for source in mine}
    if len(item["inbound_nodes"]) in numbers or (from_1 and 0 not in numbers):
        for source in mine:
            source[1] -= 1


def _node(item: Any, dialect: Dialect) -> Json:
    layer = _layer(item, dialect)
    name = item.get("name") or layer["config"].get("name")
    layer["config"]["name"] = name
    calls = expect(item, "inbound_nodes", list, f"topology, layer {name!r}")
    for key in OF_CALLS:
        given = [isinstance(c, dict) and bool(_get(c.get("kwargs"), key)) for c in calls]
        if any(given):
            if not all(given) and key != "use_causal_mask":
                raise UnsupportedError(f"topology, layer {name!r}: expected {key} in all calls")
            layer["config"][key] = True
    free, order = handles(item), layer["config"].get("input_layers")
    names = list(order) if isinstance(order, dict) else []
    made = [_call(call, name, free, names) for call in calls]
    return {**layer, "name": name, "inbound_nodes": made}


def _call(call: Any, name: str, free: bool, names: list[str]) -> list[Any]:
    """Return the sources of one call, from Keras 2's lists or Keras 3's args and kwargs.

    Args:
        call: one of the layer's `inbound_nodes`.
        name: the layer's name.
        free: whether numbers among the arguments are settings of the layer, already read.
        names: those of a model's inputs, which a call may name.
    """
    where = f"topology, layer {name!r}"
    if isinstance(call, list):
        sources = [call] if call and isinstance(call[0], str) else call
        given = [o for source in sources if isinstance(source, list) for o in source[3:4]]
        mode = _mode([o for o in given if isinstance(o, dict)], where)
        others = (v for o in given if isinstance(o, dict) for k, v in o.items() if k != "training")
        if not free and any(others):
            raise UnsupportedError(f"{where}: expected a call without options, received {given!r}")
        return [[*_address(source), mode] for source in sources]
    args = expect(call, "args", list, where)
    if names and args and isinstance(args[0], dict) and args[0].keys() == set(names):
        args = [args[0][key] for key in names]
    given_options = expect(call, "kwargs", dict, where) if "kwargs" in call else {}
    options = {key: value for key, value in given_options.items() if not _empty(value)}
    options.pop("training", None)
    states = options.pop("initial_state", [])
    more = [options.pop(key, []) for key in LAST]
    for key in OF_CALLS:
        options.pop(key, None)
    named = [options.pop(key) for key in ("query", "value", "key") if key in options]
    if options:
        raise UnsupportedError(f"{where}: expected a call without options, received {options!r}")
    mode = _mode([given_options], where)
    return [[*_address(source), mode] for source in _tensors([*args, *named, *more, states], free)]


def _mode(options: list[Json], where: str) -> Json:
    """Return the mode that a call names."""
    modes = [o["training"] for o in options if o.get("training") is not None]
    if not all(isinstance(mode, bool) for mode in modes):
        raise CorruptError(
            f"{where}: expected training to be true or false, received {modes!r:.80}"
        )
    return {"training": modes[0]} if modes else {}


def _empty(value: Any) -> bool:
    """Return whether an option says nothing, as the masks of several inputs that have none."""
    if isinstance(value, dict | list):
        return all(map(_empty, value.values() if isinstance(value, dict) else value))
    return not value


def _tensors(args: Any, free: bool) -> Iterator[Any]:
    for arg in args:
        if isinstance(arg, list):
            yield from _tensors(arg, free)
        elif not (free and isinstance(arg, int | float)):
            config = expect(arg, "config", dict, "topology, call")
            yield expect(config, "keras_history", list, "topology, call")


def _address(source: Any) -> list[Any]:
    if (
        isinstance(source, list)
        and len(source) >= 3
        and isinstance(source[0], str)
        and all(type(number) is int for number in source[1:3])
    ):
        return source[:3]
    raise CorruptError(f"topology: expected [layer, call, output], received {source!r:.200}")


def _addresses(config: Json, key: str) -> Any:
    value = config.get(key)
    if isinstance(value, dict):
        return {name: _address(source) for name, source in value.items()}
    value = expect(config, key, list, "topology")
    return [_address(value)] if value and isinstance(value[0], str) else [*map(_address, value)]
