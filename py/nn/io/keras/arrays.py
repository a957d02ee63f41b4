"""Arrays in the calls of Keras' graphs: `x + positions`, `Add()([x, a])`, `attention_mask=`.

Keras 3 writes them where a tensor would be; here each is a layer, `ConstantArray`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import CorruptError, UnsupportedError
from nn.io.keras.read_config import DATA, handles
from nn.io.keras.steps import spread

Json = dict[str, Any]
ARRAYS = ("__numpy__", "__tensor__")
TENSOR = "__keras_tensor__"
FLOATS = {"float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64"}
TYPES = {name: name for name in DATA if name != "string"} | FLOATS
"""Types of arrays in a file -> those that hold their numbers here."""


def placed(document: Any) -> Any:
    """Return a model's configuration with a layer for each array in a call of a layer, and several
    for an operation that needs them.

    Raises:
        CorruptError: an array is none of numbers.
        UnsupportedError: a call has an array as `mask`, or no tensor; or the layers here do not
            compute an operation.
    """
    config = document.get("config") if isinstance(document, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    if isinstance(config, dict):
        placed(config.get("layer"))  # a model inside a TimeDistributed
    if not isinstance(layers, list):
        return document
    layers[:] = spread(layers)
    for item in list(layers):
        placed(item)
        calls = item.get("inbound_nodes") if isinstance(item, dict) else None
        found: list[Json] = []
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, dict):
                _Call(item, call, found).place()
        layers.extend(found)
    return document


class _Call:
    """A call of a layer.

    Attributes:
        made: the layers for the arrays of all calls of the layer.
    """

    def __init__(self, item: Json, call: Json, made: list[Json]) -> None:
        self.name = item.get("name")
        self.where = f"topology, layer {self.name!r}"
        self.call, self.made = call, made
        config = item.get("config")
        # In a .h5 file only a layer's settings tell it from an operation.
        self.operation = handles(item) or (isinstance(config, dict) and "dtype" not in config)
        self.tensor: Any = next(_tensors(list(call.values())), None)

    def place(self) -> None:
        args, kwargs = self.call.get("args"), self.call.get("kwargs")
        if isinstance(kwargs, dict):
            if _is(kwargs.get("mask"), ARRAYS):
                raise UnsupportedError(
                    f"{self.where}: expected the mask of an Embedding or a Masking before it, "
                    "received an array"
                )
            for key, value in kwargs.items():
                kwargs[key] = self._placed(value, 3 if key == "attention_mask" else 0)
        if isinstance(args, list):
            self.call["args"] = self._placed(args, self._rank() if self.operation else 0)

    def _rank(self) -> int:
        """Return the axes of the tensor that an operation combines with an array."""
        config = self.tensor.get("config") if self.tensor else None
        shape = config.get("shape") if isinstance(config, dict) else None
        return len(shape) if isinstance(shape, list) else 0

    def _placed(self, value: Any, rank: int) -> Any:
        if isinstance(value, list):
            return [self._placed(item, rank) for item in value]
        if not _is(value, ARRAYS):
            return value
        array = _array(value.get("config"), self.where)
        if self.operation and not array.ndim:
            return array.item()
        if self.tensor is None:
            raise UnsupportedError(f"{self.where}: expected a tensor in its call, received arrays")
        name = f"{self.name}/array_{len(self.made)}"  # Keras' own names have no "/"
        shaped = array.reshape((1,) * (rank - array.ndim) + array.shape)
        self.made.append(
            {
                "class_name": "ConstantArray",
                "name": name,
                "config": {"name": name, "value": shaped.tolist()},
                "inbound_nodes": [{"args": [self.tensor], "kwargs": {}}],
            }
        )
        return {"class_name": TENSOR, "config": {"keras_history": [name, 0, 0]}}


def _is(value: Any, kinds: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and value.get("class_name") in kinds


def _tensors(value: Any) -> Iterator[Any]:
    """Yield the tensors among a call's arguments."""
    if _is(value, (TENSOR,)):
        yield value
    elif isinstance(value, dict | list) and not _is(value, ARRAYS):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _tensors(inner)


def _array(config: Any, where: str) -> NDArray[Any]:
    """Return the numbers of an array of a file."""
    given = config if isinstance(config, dict) else {}
    dtype = given.get("dtype")
    try:
        array = np.asarray(given.get("value"))
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf" or not isinstance(dtype, str) or dtype not in TYPES:
        raise CorruptError(
            f"{where}: expected an array of numbers, received {given!r:.80} of {dtype!r:.20}"
        )
    return array.astype(TYPES[dtype])
