"""Conversion of the engine's model configuration to Keras' JSON, the inverse of `read_config`.

`keras3` returns the configuration that Keras 3 reads from a `.keras` file, `keras2` the one that
TensorFlow.js reads from `model.json`. TensorFlow.js lacks some layers and options, and defines some
differently from Keras 3; these raise an error, because the exported model would predict wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Any

import numpy as np

from nn.io.errors import UnsupportedError
from nn.io.keras.read_config import OF_CALLS, STATES_AFTER
from nn.layers import CLASSES
from nn.lazy import load
from nn.registry import models as MODELS

Json = dict[str, Any]
Write = Callable[[Json], Json]

INNER = ("backward_layer", "cell", "cells", "layer")
"""Settings that are layers."""


def keras3(topology: Json) -> Json:
    """Return Keras 3's configuration for ``{"class_name", "config"}``.

    Raises:
        UnsupportedError: a custom layer, or a name that Keras refuses.
    """
    _expect_name(topology["config"]["name"])
    topology = _with_arrays_in_calls(topology)
    document = _model(topology, _keras3_item, _keras3_call)
    config = document["config"]
    if document["class_name"] == "Functional":
        # There the model itself, as it was made, is call 0, but only where it is an output.
        config["output_layers"] = _counted(
            config["output_layers"], _inside(config, ("Functional",))
        )
    for key in ("input_layers", "output_layers"):
        ends = config.get(key, [])
        if isinstance(ends, list) and len(ends) == 1:
            config[key] = ends[0]
    return document


def _with_arrays_in_calls(topology: Json) -> Json:
    """Return a model's configuration without its `ConstantArray`s: each is in the sources of the
    calls that read it.

    Raises:
        UnsupportedError: an array is an output, or all that a layer is called on.
    """
    config = topology["config"]
    arrays = {
        layer["config"]["name"]: _array3(layer["config"])
        for layer in config["layers"]
        if layer["class_name"] == "ConstantArray"
    }
    if not arrays or "output_layers" not in config:
        return topology
    layers = []
    for layer in config["layers"]:
        if layer["config"]["name"] not in arrays:
            calls = [
                [[*source[:3], arrays.get(source[0], source[3])] for source in call]
                for call in layer["inbound_nodes"]
            ]
            layers.append({**layer, "inbound_nodes": calls})
    outputs = config["output_layers"]
    named = isinstance(outputs, dict)
    ends = outputs.values() if named else [outputs] if isinstance(outputs[0], str) else outputs
    read = [call for layer in layers for call in layer["inbound_nodes"] if call]
    read += [[end] for end in ends]
    if any(all(source[0] in arrays for source in call) for call in read):
        raise UnsupportedError(
            f"{config['name']}: Keras has arrays in calls beside a tensor only, no layer "
            f"{min(arrays)!r}"
        )
    return {**topology, "config": {**config, "layers": layers}}


def _array3(config: Json) -> Json:
    """Return an array as Keras 3 writes it."""
    array = np.asarray(config["value"])
    small = array.dtype.kind == "i" and bool((array == array.astype(np.int32)).all())
    dtype = config["dtype"] if array.dtype.kind == "f" else "int32" if small else array.dtype.name
    return {
        "class_name": "__numpy__",
        "config": {"value": config["value"], "dtype": dtype},
    }


def keras2(topology: Json) -> Json:
    """Return TensorFlow.js' configuration for ``{"class_name", "config"}``.

    Raises:
        UnsupportedError: TensorFlow.js lacks a layer, option or activation.
    """
    document = _model(topology, _keras2_item, _keras2_call)
    for key in ("input_layers", "output_layers"):
        ends = document["config"].get(key)
        if isinstance(ends, dict):  # Keras 2 has no names of inputs and outputs
            document["config"][key] = list(ends.values())
    if document["class_name"] == "Functional":
        _count_models_themselves(document["config"])
    return document


def _count_models_themselves(config: Json) -> None:
    """Number the calls of models inside from 1: TensorFlow.js takes the model itself for call 0."""
    inside = _inside(config, MODELS)
    for item in config["layers"]:
        item["inbound_nodes"] = [_counted(call, inside) for call in item["inbound_nodes"]]
    config["output_layers"] = _counted(config["output_layers"], inside)


def _inside(config: Json, kinds: Container[str]) -> set[str]:
    """Return the names of the models of these kinds inside a model."""
    return {item["name"] for item in config["layers"] if item["class_name"] in kinds}


def _counted(sources: Any, inside: set[str]) -> Any:
    """Return sources, a list or a dict, with the calls of these models numbered from 1."""
    if isinstance(sources, dict):
        return dict(zip(sources, _counted(list(sources.values()), inside), strict=True))
    return [[name, call + (name in inside), *rest] for name, call, *rest in sources]


def _model(topology: Json, item: Write, call: Callable[[Json, Any], Any]) -> Json:
    config = topology["config"]
    if topology["class_name"] == "Sequential":
        return _sequential(config, item)
    layers = [
        {
            **item(layer),
            "name": layer["config"]["name"],
            "inbound_nodes": [call(layer, node) for node in layer["inbound_nodes"]],
        }
        for layer in config["layers"]
    ]
    outputs = config["output_layers"]
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": config["name"],
            "trainable": config["trainable"],
            "layers": layers,
            "input_layers": config["input_layers"],
            "output_layers": (
                outputs
                if isinstance(outputs, dict) or not isinstance(outputs[0], str)
                else [outputs]
            ),
        },
        "registered_name": "Functional",
    }


def _sequential(config: Json, item: Write) -> Json:
    first: Json = next(iter(config["layers"]), {})
    if first.get("class_name") != "InputLayer":
        raise UnsupportedError(f"{config['name']}: expected a built model, its input has no shape")
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {
            "name": config["name"],
            "trainable": config["trainable"],
            "layers": [item(layer) for layer in config["layers"]],
            "build_input_shape": [None, *first["config"]["shape"]],
        },
        "registered_name": None,
    }


# Keras 3.


def _keras3_item(layer: Json) -> Json:
    class_name, config = layer["class_name"], layer["config"]
    if class_name in MODELS:
        return keras3(layer)
    if _is_operation(layer):
        module, operation, settings, _ = _operation(class_name, config)
        return {
            "module": module,
            "class_name": operation,
            "config": {"name": config["name"], **settings},
            "registered_name": operation,
        }
    _known(class_name, config)
    if class_name == "InputLayer":
        shape = [None, *config["shape"]]
        config = {"name": config["name"], "batch_shape": shape, "dtype": config["dtype"]}
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {key: _object3(config, key, value) for key, value in _options3(config)},
        "registered_name": None,
    }


def _options3(config: Json) -> Iterator[tuple[str, Any]]:
    """Omit `trainable` if it is True, as Keras' SpatialDropout2D does not accept it, and what
    belongs to the call."""
    left = ("trainable", *OF_CALLS)
    return ((k, v) for k, v in config.items() if k not in left or v is not True)


def _object3(config: Json, key: str, value: Any) -> Any:
    """Add the module name to initializers and regularizers.

    Raises:
        UnsupportedError: Keras 3 lacks an activation.
    """
    if key.endswith("activation") and value == "keras2_hard_sigmoid":
        raise UnsupportedError(
            f"layer {config['name']!r}: expected {key} to be one of Keras 3's, received the "
            "hard_sigmoid of Keras 2 and TensorFlow.js, which is steeper"
        )
    for kind in ("initializer", "regularizer"):
        if key.endswith(kind) and isinstance(value, dict):
            return {"module": f"keras.{kind}s", **value, "registered_name": None}
    if key in INNER and isinstance(value, list):
        return [_keras3_item(layer) for layer in value]
    return _keras3_item(value) if key in INNER and value else value


def _is_operation(layer: Json) -> bool:
    operation = layer["class_name"] in ("GetItem", "Log", "Matmul")
    return operation or layer["config"].get("masking") is False


def _slice(start: int | None, stop: int | None, step: int | None) -> Json:
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}}


Arguments = Callable[[list[Json]], list[Any]]


def _operation(class_name: str, config: Json) -> tuple[str, str, Json, Arguments]:
    """Return the operation of Keras that a layer means: its module, class and settings, and its
    arguments for tensors.

    Raises:
        UnsupportedError: there is none.
    """
    _expect_name(config["name"])
    found = _arithmetic(class_name, config)
    if found is not None:
        return "keras.src.ops.numpy", found[0], {}, found[1]
    made = load("nn.io.keras.operations").written(class_name, config)
    if made is None:
        raise UnsupportedError(
            f"layer {config['name']!r}: Keras has no operation like {class_name}"
        )
    return *made, (lambda tensors: [tensors]) if class_name == "Concatenate" else list


def _arithmetic(class_name: str, config: Json) -> tuple[str, Arguments] | None:
    if class_name in ("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum"):
        return class_name, list
    if class_name == "GetItem":
        inner = [_slice(*i) if isinstance(i, list) else i for i in config["index"]]
        return class_name, lambda tensors: [*tensors, [_slice(None, None, None), *inner]]
    if class_name == "Power":
        return class_name, lambda tensors: [*tensors, config["exponent"]]
    if class_name == "Rescaling":
        scale, offset = config["scale"], config["offset"]
        if offset == 0:
            return "Multiply", lambda tensors: [*tensors, scale]
        if scale == 1:
            return "Add", lambda tensors: [*tensors, offset]
        if scale == -1:
            return "Subtract", lambda tensors: [offset, *tensors]
    return None


def _keras3_call(layer: Json, node: Any) -> Json:
    # Keras finds the tensor by its history; it requires a shape but ignores it.
    known = {"shape": [None], "dtype": "float32"}
    tensors = [
        source[3]
        if "class_name" in source[3]
        else {"class_name": "__keras_tensor__", "config": {**known, "keras_history": source[:3]}}
        for source in node
    ]
    mode = next(({"training": s[3]["training"]} for s in node if "training" in s[3]), {})
    if _is_operation(layer):
        return {"args": _operation(layer["class_name"], layer["config"])[3](tensors), "kwargs": {}}
    options: Json = {**mode, **{key: True for key in OF_CALLS if layer["config"].get(key)}}
    if layer["class_name"] == "MultiHeadAttention":
        if "attention_mask" in options:
            options["attention_mask"] = tensors.pop()
        return {"args": tensors, "kwargs": options}
    if layer["class_name"] == "CategoryEncoding" and len(tensors) > 1:
        return {"args": tensors[:1], "kwargs": {"count_weights": tensors[1], **mode}}
    if layer["class_name"] in STATES_AFTER and len(tensors) > 1:
        return {"args": tensors[:1], "kwargs": {"initial_state": tensors[1:], **mode}}
    return {"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": options}


# Operations in Keras, not layers; and what only TensorFlow.js has.
_OURS = (
    "ConstantArray", "ConvLSTM2DCell", "Divide", "Power", "RandomHeight", "RandomWidth",
    "ThresholdedReLU",
)  # fmt: skip


def _known(class_name: str, config: Json) -> None:
    _expect_name(config["name"])
    if config.get("masking"):
        raise UnsupportedError(
            f"layer {config['name']!r}: Keras 3 leaves no steps out where there are initial states"
        )
    if class_name not in CLASSES or class_name in _OURS:
        raise UnsupportedError(f"layer {config.get('name')!r}: Keras has no class {class_name!r}")


def _expect_name(name: str) -> None:
    if "/" in name:  # as layers of Keras 2 have
        raise UnsupportedError(f"layer {name!r}: expected a name without '/' for Keras 3")


# TensorFlow.js. Differences: tfjs-layers/src/layers and src/activations.ts, version 4.22.

_KERAS2_CLASSES = {
    "Activation", "Add", "AlphaDropout", "Average", "AveragePooling1D", "AveragePooling2D",
    "AveragePooling3D", "BatchNormalization", "Concatenate", "Conv1D", "Conv2D", "Conv2DTranspose",
    "Conv3D", "Conv3DTranspose", "ConvLSTM2D", "Cropping2D", "Dense", "DepthwiseConv2D", "Dot",
    "Dropout", "ELU", "Embedding", "Flatten", "GRU", "GaussianDropout", "GaussianNoise",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "InputLayer", "LSTM", "LayerNormalization", "LeakyReLU", "Masking", "MaxPooling1D",
    "MaxPooling2D", "MaxPooling3D", "Maximum", "Minimum", "Multiply", "PReLU", "Permute", "ReLU",
    "RepeatVector", "Rescaling", "Reshape", "SeparableConv2D", "SimpleRNN", "Softmax",
    "SpatialDropout1D", "SpatialDropout2D", "ThresholdedReLU", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip

# Layers around others, and what stands inside them alone.
_KERAS2_AROUND = ("Bidirectional", "RNN", "TimeDistributed")
_KERAS2_INSIDE = ("GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells")

_KERAS2_ACTIVATIONS = {
    "linear": "linear", "relu": "relu", "relu6": "relu6", "elu": "elu", "selu": "selu",
    "gelu": "gelu", "silu": "swish", "sigmoid": "sigmoid", "softmax": "softmax",
    "log_softmax": "log_softmax", "softplus": "softplus", "softsign": "softsign", "tanh": "tanh",
    "mish": "mish", "keras2_hard_sigmoid": "hard_sigmoid",
}  # fmt: skip

# Options that TensorFlow.js ignores, with the only value for which that is correct.
_KERAS2_FIXED: dict[str, Any] = {
    "groups": 1,
    "keepdims": False,
    "reset_after": False,
    "stateful": False,
    "negative_slope": 0.0,
    "threshold": 0.0,
    "output_padding": None,
    "interpolation": "nearest",
}


_UNDILATED = ("Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv2D")


def _keras2_item(layer: Json, inside: str = "") -> Json:
    """Return a layer's configuration.

    Args:
        layer: the engine's.
        inside: the layer that it is inside of, in words.
    """
    class_name, config = layer["class_name"], dict(layer["config"])
    if class_name in MODELS and not inside:
        return keras2(layer)
    where = inside or f"layer {config.get('name')!r} ({class_name})"
    if class_name not in {*_KERAS2_CLASSES, *_KERAS2_AROUND, *(_KERAS2_INSIDE if inside else ())}:
        what = f"no {class_name} inside" if inside else "no such layer"
        raise UnsupportedError(f"{where}: TensorFlow.js has {what}")
    if class_name == "InputLayer":
        return {"class_name": class_name, "config": _keras2_input(config)}
    class_name, config = _keras2_special(class_name, config)
    return {"class_name": class_name, "config": _keras2_options(config, where)}


def _keras2_input(config: Json) -> Json:
    return {
        "name": config["name"],
        "batch_input_shape": [None, *config["shape"]],
        "dtype": "float32",
        "sparse": False,
    }


def _keras2_special(class_name: str, config: Json) -> tuple[str, Json]:
    """Convert settings that have other names in TensorFlow.js."""
    if class_name == "ELU" and config["alpha"] != 1:
        raise UnsupportedError(f"layer {config['name']!r}: TensorFlow.js supports alpha=1 only")
    if "3D" in class_name and config["padding"] == "same":
        window = config.get("pool_size") or config["kernel_size"]
        if np.greater(config["strides"] or 1, window).any():
            raise UnsupportedError(
                f"layer {config['name']!r}: TensorFlow.js pads volumes otherwise where strides are "
                "above the window's size"
            )
    if class_name in _UNDILATED and np.max(config["dilation_rate"]) > 1:
        raise UnsupportedError(
            f"layer {config['name']!r} ({class_name}): TensorFlow.js computes another "
            f"dilation_rate={config['dilation_rate']!r}"
        )
    if class_name == "Bidirectional":
        return class_name, _bidirectional(config)
    if class_name == "RNN" and config["return_state"] and "cells" in config["cell"]["config"]:
        raise UnsupportedError(
            f"layer {config['name']!r} (RNN): TensorFlow.js returns other states of several cells"
        )
    if class_name == "LeakyReLU":
        config["alpha"] = config.pop("negative_slope")
    if class_name == "SpatialDropout2D":
        # tfjs' Dropout accepts a noise shape: one random decision per sample and channel.
        return "Dropout", {**config, "noise_shape": [None, 1, 1, None]}
    return class_name, config


def _bidirectional(config: Json) -> Json:
    """Leave out the layer that runs backwards: TensorFlow.js makes it from the other.

    Raises:
        UnsupportedError: its settings are others.
    """
    where = f"layer {config['name']!r} (Bidirectional)"
    layer, backward = config["layer"], config.pop("backward_layer")
    if layer["class_name"] == "RNN":
        raise UnsupportedError(f"{where}: TensorFlow.js cannot load an RNN inside")
    free = {"name": None, "go_backwards": None}  # TensorFlow.js sets these itself
    sides = [(side["class_name"], {**side["config"], **free}) for side in (layer, backward)]
    if sides[0] != sides[1]:
        raise UnsupportedError(f"{where}: TensorFlow.js has equal layers in both directions only")
    name = layer["config"]["name"].removeprefix("forward_")
    return {**config, "layer": {**layer, "config": {**layer["config"], "name": name}}}


def _keras2_options(config: Json, where: str) -> Json:
    options: Json = {}
    for key, value in config.items():
        if key == "masking":
            continue
        if key in INNER and value is not None:
            inside = value if isinstance(value, list) else [value]
            made = [_keras2_item(item, where) for item in inside]
            options[key] = made if isinstance(value, list) else made[0]
            continue
        if value == "channels_first":
            raise UnsupportedError(f"{where}: expected channels_last, {value} is not exported")
        if value == "causal" or value != _KERAS2_FIXED.get(key, value):
            raise UnsupportedError(f"{where}: TensorFlow.js has no {key}={value!r}")
        if key.endswith("_initializer"):
            continue
        if key.endswith("activation"):
            value = _keras2_activation(value, where)
        if key.endswith("_regularizer") and value is not None:
            value = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0, **value["config"]}}
        options[key] = value
    return options


def _keras2_activation(name: Any, where: str) -> str:
    if name not in _KERAS2_ACTIVATIONS:
        raise UnsupportedError(f"{where}: TensorFlow.js has no activation {name!r} like Keras 3's")
    return _KERAS2_ACTIVATIONS[name]


def _keras2_call(layer: Json, node: Any) -> Any:
    return node
