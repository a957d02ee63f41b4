"""Models in files, as JSON, and copied: named as in Keras 3 (`keras.models`, `keras.saving`).

The formats are in `nn.io`; here they are chosen by the end of a file's name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nn.errors import ConfigError
from nn.keras_arguments import expects
from nn.layers.base import Layer
from nn.lazy import load

if TYPE_CHECKING:
    from nn.models.network import Network as Model


@expects
def save_model(
    model: Model, filepath: Any, overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write a model to a file, in the format of its name: .keras, .npz, .safetensors or .onnx.

    Args:
        model: a built model.
        filepath: where.
        overwrite: False refuses a file that is there.
        include_optimizer: False leaves out how the model was compiled.

    Raises:
        UnknownFormatError: the name has another end.
        FileExistsError: the file is there, and `overwrite` is False.
    """
    io = load("nn.io")
    format = io.format_of(filepath)
    trained = format in ("npz", "keras") and not include_optimizer
    options: dict[str, Any] = {"include_optimizer": False} if trained else {}
    _write(filepath, io.save(model, format, **options), overwrite)


@expects
def load_model(
    filepath: Any,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """Return the model of a file of any format that `nn.io.load` reads.

    Args:
        filepath: a path, or the file's bytes.
        custom_objects: class name -> class of the custom layers in the file.
        compile: False skips how the model was compiled.
        safe_mode: accepted; no file is ever run as code.
    """
    data = _read(filepath)
    options: dict[str, Any] = {"custom_objects": custom_objects} if custom_objects else {}
    model: Model = load("nn.io").load(data, compile=compile, **options)
    return model


@expects
def save_weights(model: Model, filepath: Any, overwrite: bool = True) -> None:
    """Write the weights of a model to a file: .weights.h5, .npz or .safetensors."""
    io = load("nn.io")
    format = io.format_of(filepath, weights_only=True)
    _write(filepath, io.save_weights(model, format), overwrite)


@expects
def load_weights(model: Model, filepath: Any) -> None:
    """Copy the weights of a file into a model that has the same layers.

    Args:
        model: a built model.
        filepath: a path, or the file's bytes.
    """
    data = _read(filepath)
    load("nn.io").load_weights(model, data)


def _path(filepath: Any, expected: str = "a path") -> Path:
    try:
        os.fsencode(filepath)
        return Path(filepath)
    except (TypeError, UnicodeError) as error:
        raise ConfigError(
            f"filepath: expected {expected}, received {filepath!r:.80}: {error}"
        ) from error


def _read(filepath: Any) -> bytes:
    if isinstance(filepath, bytes | bytearray):
        return bytes(filepath)
    return _path(filepath, "a path or the bytes of a file").read_bytes()


def _write(filepath: Any, data: bytes, overwrite: bool) -> None:
    path = _path(filepath)
    if not overwrite and path.exists():
        raise FileExistsError(f"{path}: expected no file there, as overwrite=False")
    path.parent.mkdir(parents=True, exist_ok=True)
    load("nn.io.file").write(path, data)


@expects
def to_json(model: Model, **options: Any) -> str:
    """Return the layers of a model as Keras 3's JSON; `options` are those of `json.dumps`."""
    topology = {"class_name": model.kind, "config": model.get_config()}
    return json.dumps(load("nn.io.keras.write_config").keras3(topology), **options)


@expects
def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """Return the model that `to_json` (or Keras') described, with new weights.

    Raises:
        ConfigError: it is no JSON.
        FormatError: it describes no model.
    """
    try:
        document = json.loads(json_string)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"model: expected JSON, received {json_string!r:.80}: {error}") from error
    placed = load("nn.io.keras.arrays").placed(document)
    topology = load("nn.io.keras.read_config").read(placed, custom_objects)
    model: Model = load("nn.io.snapshot").build(topology, custom_objects=custom_objects)
    return model


@expects
def clone_model(
    model: Model, input_tensors: Any = None, clone_function: Callable[[Layer], Layer] | None = None
) -> Model:
    """Return a model with the same layers and new weights.

    Args:
        model: a model.
        input_tensors: must be None; call the copy on other tensors instead.
        clone_function: returns the new layer for each layer; by default one of the same settings.

    Raises:
        ConfigError: `input_tensors` is given, or two of the new layers have the same name.
    """
    if input_tensors is not None:
        raise ConfigError(
            "clone_model: expected input_tensors=None, received tensors; call the copy on them"
        )
    kind: Any = type(model)
    classes = {type(layer).__name__: type(layer) for layer in model.layers}
    if clone_function is None:
        return kind.from_config(model.get_config(), classes)  # type: ignore[no-any-return]
    settings = model.get_config()
    places = {
        layer.name: _Made(clone_function(layer))
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    }
    # The graph is made by the names of the model, which what has no name of its own keeps.
    given = {m.layer: m.layer.name for m in places.values() if not m.layer.auto_named}
    for item in settings["layers"]:
        if item["config"]["name"] in places:
            item["class_name"] = item["config"]["name"]
    copy: Model = kind.from_config(settings, places)
    for layer, name in given.items():
        layer.name = name
    load("nn.models.topology").name_uniquely(copy.layers)
    return copy


class _Made:
    """What `from_config` finds in place of a class: the layer that was made already."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def from_config(self, settings: Any) -> Layer:
        self.layer.name = settings["name"]
        return self.layer
