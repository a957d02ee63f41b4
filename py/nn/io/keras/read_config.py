"""Conversion of Keras' JSON model configuration to the engine's.

There are three dialects: Keras 3 (`.keras`), Keras 2 and TensorFlow.js (`model.json`). `read`
converts each to the form that `get_config` of the engine's models returns. An option that the
engine lacks raises an error unless its value has no effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nn import constraints, initializers
from nn.io.errors import CorruptError, MissingEntryError, UnsupportedError
from nn.io.snapshot import expect
from nn.layers import CLASSES
from nn.layers.base import Layer
from nn.registry import models as MODELS

Json = dict[str, Any]

# Keras 2's spelling -> Keras 3's.
_RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}

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
}


def read(document: Any, custom_objects: Mapping[str, Any] | None = None) -> Json:
    """Return ``{"class_name", "config"}`` in the engine's form.

    Args:
        document: a model configuration in any of the three dialects.
        custom_objects: class name -> class of the custom layers in the file.

    Raises:
        UnsupportedError: the engine lacks a class or an option.
        MissingEntryError: a required part is missing.
        CorruptError: the configuration contradicts itself.
    """
    class_name = expect(document, "class_name", str, "topology")
    config = document.get("config")
    custom = custom_objects or {}
    if class_name not in MODELS:
        raise UnsupportedError(f"topology: expected {', '.join(MODELS)}, received {class_name!r}")
    kind = MODELS[class_name].kind
    if kind == "Sequential":
        return {"class_name": kind, "config": _sequential(config, document, custom)}
    return {"class_name": kind, "config": _functional(config, custom)}


def _sequential(config: Any, document: Json, custom: Mapping[str, Any]) -> Json:
    # Keras 1 and early TensorFlow.js wrote a plain list of layers.
    settings = {"layers": config} if isinstance(config, list) else config
    layers = expect(settings, "layers", list, "topology")
    stack = [_layer(item, custom) for item in layers if _class_name(item) != "InputLayer"]
    shape = next(_input_shapes(layers, settings, document), None)
    if shape is None:
        raise MissingEntryError("topology: expected the input's shape, found none")
    return {
        "name": settings.get("name"),
        "trainable": settings.get("trainable", True),
        "layers": stack,
        "build_input_shape": shape,
    }


def _input_shapes(layers: list[Any], settings: Json, document: Json) -> Iterator[Any]:
    """Yield the input shapes from the places the dialects use, batch axis first."""
    first = layers[0].get("config", {}) if layers and isinstance(layers[0], dict) else {}
    build = document.get("build_config") or {}
    candidates = [
        *(first.get(key) for key in ("batch_shape", "batch_input_shape")),
        settings.get("build_input_shape"),
        build.get("input_shape"),
    ]
    yield from (shape for shape in candidates if isinstance(shape, list))


def _class_name(item: Any) -> str:
    name: str = expect(item, "class_name", str, "topology, layer")
    return name


def _layer(item: Any, custom: Mapping[str, Any]) -> Json:
    class_name = _class_name(item)
    if class_name in MODELS:
        return read(item, custom)
    config = expect(item, "config", dict, f"topology, {class_name}")
    if class_name == "InputLayer":
        return {"class_name": class_name, "config": _input(config)}
    found = custom.get(class_name) or CLASSES.get(class_name)
    if found is None:
        raise UnsupportedError(f"topology: no layer is called {class_name!r} here")
    return {"class_name": class_name, "config": _options(class_name, found, config, custom)}


def _input(config: Json) -> Json:
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or not shape:
        raise MissingEntryError(f"topology, InputLayer: expected batch_shape, received {config!r}")
    return {"name": config.get("name"), "shape": shape[1:], "dtype": _dtype(config.get("dtype"))}


def _inner(value: Any, custom: Mapping[str, Any]) -> Any:
    """Return the settings of a layer, or of a list of layers, inside another."""
    if isinstance(value, list):
        return [_layer(item, custom) for item in value]
    return None if value is None else _layer(value, custom)


def _options(class_name: str, found: type[Layer], config: Json, custom: Mapping[str, Any]) -> Json:
    known = {"name", "trainable", *found.fields}
    options: Json = {"dtype": _dtype(config.get("dtype"))}
    for key, value in config.items():
        name = _RENAMED.get((class_name, key), key)
        if name in found.inner_fields:
            options[name] = _inner(value, custom)
        elif name in known:
            options[name] = _value(class_name, name, value)
        elif not _inert(name, value):
            raise UnsupportedError(
                f"topology, {class_name} {config.get('name')!r}: no option {key!r} here, "
                f"received {value!r}"
            )
    if class_name == "GRU":
        # TensorFlow.js omits it to mean False.
        options.setdefault("reset_after", False)
    return options


def _inert(name: str, value: Any) -> bool:
    neutral = value is None or value is False or value in ("channels_last", 0)
    neutral = neutral or (name, value) == ("attention_axes", [1])
    return neutral or name == "dtype" or name in _INERT or name.endswith("_initializer")


def _value(class_name: str, name: str, value: Any) -> Any:
    if name.endswith("_initializer"):
        return _initializer(value)
    if name.endswith("activation"):
        return _activation(class_name, value)
    if name.endswith("_regularizer") and isinstance(value, dict):
        return {"class_name": value.get("class_name"), "config": _numbers(value.get("config"))}
    if name.endswith("_constraint") and isinstance(value, dict):
        return _constraint(class_name, value)
    if name == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    return value


def _constraint(class_name: str, value: Json) -> Json:
    found = constraints.CLASSES.get(str(value.get("class_name")))
    if found is None:
        raise UnsupportedError(f"topology, {class_name}: no constraint {value!r} here")
    config = value.get("config") or {}
    known = {key: config[key] for key in found.fields if key in config}
    return {"class_name": found.__name__, "config": known}


def _initializer(value: Any) -> Any:
    """Return an initializer's settings, or zeros if the engine lacks it, as weights are loaded."""
    if not isinstance(value, dict):
        return "zeros"
    found = initializers.CLASSES.get(str(value.get("class_name")))
    if found is None:
        return "zeros"
    config = value.get("config") or {}
    known = {key: config[key] for key in found.fields if key in config}
    if known.get("distribution") == "normal":
        known["distribution"] = "truncated_normal"  # its name in Keras 2
    return {"class_name": found.__name__, "config": known}


def _numbers(config: Any) -> Json:
    if not isinstance(config, dict):
        raise CorruptError(f"topology: expected a regularizer's settings, received {config!r}")
    return {key: config[key] for key in ("l1", "l2") if key in config}


def _activation(class_name: str, value: Any) -> Any:
    name = value.get("config") if isinstance(value, dict) else value
    if isinstance(name, dict):
        raise UnsupportedError(f"topology, {class_name}: no activation {value!r} here")
    return name


def _dtype(value: Any) -> str:
    name = value.get("config", {}).get("name") if isinstance(value, dict) else value
    if name in (None, "float32", "int32", "int64", "uint8", "bool"):
        return "float32"
    if name == "float64":
        return "float64"
    raise UnsupportedError(f"topology: expected float32 or float64 layers, received {name!r}")


def _functional(config: Any, custom: Mapping[str, Any]) -> Json:
    layers = [_node(item, custom) for item in expect(config, "layers", list, "topology")]
    outputs = _addresses(config, "output_layers")
    single = isinstance(outputs, list) and len(outputs) == 1
    return {
        "name": config.get("name"),
        "trainable": config.get("trainable", True),
        "layers": layers,
        "input_layers": _addresses(config, "input_layers"),
        "output_layers": outputs[0] if single else outputs,
    }


def _node(item: Any, custom: Mapping[str, Any]) -> Json:
    layer = _layer(item, custom)
    name = item.get("name") or layer["config"].get("name")
    layer["config"]["name"] = name
    calls = expect(item, "inbound_nodes", list, f"topology, layer {name!r}")
    if any(isinstance(c, dict) and c.get("kwargs", {}).get("use_causal_mask") for c in calls):
        layer["config"]["use_causal_mask"] = True
    return {**layer, "name": name, "inbound_nodes": [_call(call, name) for call in calls]}


def _call(call: Any, name: str) -> list[Any]:
    """Return the sources of one call, from Keras 2's lists or Keras 3's args and kwargs."""
    where = f"topology, layer {name!r}"
    if isinstance(call, list):
        given = [o for source in call if isinstance(source, list) for o in source[3:4]]
        if any(isinstance(o, dict) and any(o.values()) for o in given):
            raise UnsupportedError(f"{where}: expected a call without options, received {given!r}")
        return [[*_address(source), {}] for source in call]
    args = expect(call, "args", list, where)
    options = {key: value for key, value in call.get("kwargs", {}).items() if value}
    states = options.pop("initial_state", [])
    options.pop("use_causal_mask", None)
    named = [options.pop(key) for key in ("query", "value", "key") if key in options]
    if options:
        raise UnsupportedError(f"{where}: expected a call without options, received {options!r}")
    return [[*_address(source), {}] for source in _tensors([*args, *named, states])]


def _tensors(args: Any) -> Iterator[Any]:
    for arg in args:
        if isinstance(arg, list):
            yield from _tensors(arg)
        else:
            config = expect(arg, "config", dict, "topology, call")
            yield expect(config, "keras_history", list, "topology, call")


def _address(source: Any) -> list[Any]:
    if isinstance(source, list) and len(source) >= 3 and isinstance(source[0], str):
        return source[:3]
    raise CorruptError(f"topology: expected [layer, call, output], received {source!r}")


def _addresses(config: Json, key: str) -> Any:
    value = config.get(key)
    if isinstance(value, dict):
        return {name: _address(source) for name, source in value.items()}
    value = expect(config, key, list, "topology")
    return [_address(value)] if value and isinstance(value[0], str) else [*map(_address, value)]
