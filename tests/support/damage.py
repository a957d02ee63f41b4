"""Damaged model files of every format, and what `nn.io.load` may do with them.

`damaged(format, random)` changes bytes, or what they mean: JSON values become values of every other
JSON kind, lists get shorter, names change, numbers become huge or negative, fields of ONNX are
cleared or overwritten, members of archives and datasets of HDF5 vanish or change places. `examine`
loads the result and predicts with it.
"""

from __future__ import annotations

import copy
import functools
import io
import json
import math
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py  # type: ignore[import-untyped]
import nn
import numpy as np
import onnx
from nn.errors import NNError
from nn.io.errors import FormatError
from nn.io.limits import Limits

FORMATS = ("npz", "safetensors", "tfjs", "keras", "h5", "onnx")
LIMITS = Limits(total=256 << 20)
ALLOWED = 32 << 20  # bytes that any load may take, whatever the file's size
SECONDS = 2.0  # of the processor, for a file of a few kilobytes; most take 0.02
ELEMENTS = 1_000_000  # of the outputs of layers that are tried

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 300, 2**31, 10**9, 10**400, -(10**30), 0.5, -2.5, 1e308,
    math.nan, math.inf, "", "x", "same", "\ud800", "Dense", [], [0], [[[]]], [1, 2, 3], {},
    {"class_name": "Dense", "config": {}}, {"class_name": "Zeros", "config": None},
)  # fmt: skip


@functools.cache
def model() -> nn.Model:
    """A small network with layers of many kinds."""
    image = nn.Input((6, 6, 2), name="image")
    x = nn.Conv2D(3, 3, padding="same", kernel_regularizer="l2")(image)
    x = nn.BatchNormalization()(x)
    x = nn.Add()([nn.ReLU(6.0)(x), nn.DepthwiseConv2D(3, padding="same")(x)])
    inner = nn.Sequential(
        [nn.Input((3, 3, 3)), nn.Flatten(), nn.Dense(4, activation="tanh", name="inner")]
    )
    x = inner(nn.MaxPooling2D()(x))
    x = nn.LayerNormalization()(nn.Reshape((2, 2))(x))
    x = nn.Concatenate()([nn.Flatten()(x), nn.Dropout(0.1)(nn.Flatten()(nn.Rescaling(0.5)(x)))])
    made = nn.Model(image, nn.Dense(2, activation="softmax")(x))
    made.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return made


@functools.cache
def recurrent() -> nn.Model:
    """A small network of words."""
    layers = [
        nn.Input((5,)),
        nn.Embedding(9, 3, mask_zero=True),
        nn.LSTM(3, return_sequences=True),
        nn.SimpleRNN(2, return_sequences=True),
        nn.Conv1D(2, 2),
        nn.Flatten(),
        nn.Dense(1),
    ]
    made = nn.Sequential(layers)
    made.compile("sgd", "mse")
    return made


@functools.cache
def directions() -> nn.Model:
    """A small network of recurrent layers that ONNX has, as it knows no masks."""
    layers = [
        nn.Input((5,)),
        nn.Embedding(9, 3),
        nn.Bidirectional(nn.LSTM(3, return_sequences=True)),
        nn.SimpleRNN(2, return_sequences=True, go_backwards=True),
        nn.GRU(2),
        nn.Dense(1),
    ]
    return nn.Sequential(layers)


@functools.cache
def steps() -> nn.Model:
    """A small network that does the same with each of several images."""
    one = [nn.Input((4, 4, 2)), nn.Resizing(6, 3), nn.Conv2D(2, 2), nn.Flatten(), nn.Dense(3)]
    return nn.Sequential([nn.Input((3, 4, 4, 2)), nn.TimeDistributed(nn.Sequential(one))])


NUMBER = {"onnx": 4}
"""How many undamaged files a format has, others 2."""
PYTORCH = Path(__file__).parents[1] / "unit/nn/io/onnx/files/torch/gru_last_dynamo.onnx"


@functools.cache
def whole(format: str, which: int) -> bytes:
    """The bytes of an undamaged file."""
    if format == "onnx":
        ours = (model, directions, steps)
        return nn.io.save(ours[which](), "onnx") if which < 3 else PYTORCH.read_bytes()
    made = (model, recurrent)[which]()
    return keras2(made) if format == "h5" else nn.io.save(made, format)


def keras2(made: nn.Model) -> bytes:
    """The model as Keras 2 stores it, from its `.keras` file."""
    with zipfile.ZipFile(io.BytesIO(nn.io.save(made, "keras"))) as archive:
        document = json.loads(archive.read("config.json"))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["model_config"] = json.dumps(document).encode()
        file.attrs["keras_version"] = b"3.0.0"
        if "compile_config" in document:
            file.attrs["training_config"] = json.dumps(document["compile_config"]).encode()
        group = file.create_group("model_weights")
        for layer in made.layers:
            inner = group.create_group(layer.name)
            variables = [*layer.trainable_variables, *layer.non_trainable_variables]
            names = [f"{layer.name}/{index}" for index in range(len(variables))]
            inner.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, variables, strict=True):
                inner.create_dataset(name, data=variable.value)
    return stream.getvalue()


# Damage.


def damaged(format: str, random: Random) -> bytes:
    """Return a damaged file; the same for the same state of `random`."""
    data = whole(format, random.randrange(NUMBER.get(format, 2)))
    ways = [random.choice(_WAYS[format]) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    # Bytes last: HDF5's library, which changes the datasets, ends the process on some damage.
    for way in sorted(ways, key=lambda way: way is _bytes):
        data = way(data, random)
    return data


def _bytes(data: bytes, random: Random) -> bytes:
    """Change some bytes anywhere."""
    at = random.randrange(len(data) + 1)
    length = random.choice((1, 1, 2, 4, 8, 64))
    way = random.randrange(5)
    if way == 0:
        return data[:at]
    if way == 1:
        return data[:at] + data[at + length :]
    if way == 2:
        return data[:at] + random.randbytes(length) + data[at:]
    filling = random.choice((random.randbytes(length), b"\xff" * length, bytes(length)))
    return data[:at] + filling + data[at + length :]


def _json(data: bytes, random: Random) -> bytes:
    """Change a JSON document in one place; data that is none comes back as it is."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(random.choice((1, 1, 2))):
        document = _changed(document, random)
    return json.dumps(document).encode(errors="replace")


def _changed(document: Any, random: Random) -> Any:
    places = list(_places(document))
    if not places:
        return random.choice(VALUES)
    holder, key = random.choice(places)
    way = random.randrange(6)
    if way == 0 and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif way == 1:
        del holder[key]
    elif way == 2 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif way == 3:
        other, name = random.choice(places)
        if name in other if isinstance(other, dict) else name < len(other):
            holder[key] = copy.deepcopy(other[name])
    else:
        holder[key] = copy.deepcopy(random.choice(VALUES))
    return document


def _places(document: Any) -> Any:
    """Yield each (list or dict, index or key)."""
    stack = [document] if isinstance(document, dict | list) else []
    while stack:
        holder = stack.pop()
        items = list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))
        for key, value in items:
            yield holder, key
            if isinstance(value, dict | list):
                stack.append(value)


def _member(data: bytes, random: Random) -> bytes:
    """Change the members of a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # the damage of an earlier change
        return data
    if not members:
        return data
    name, other = random.choice(list(members)), random.choice(list(members))
    way = random.randrange(8)
    if way == 0:
        del members[name]
    elif way == 1:
        members[f"a/{name}"] = members.pop(name)
    elif way == 2:
        members[name], members[other] = members[other], members[name]
    elif way == 3:
        inside = _hdf5 if name.endswith(".h5") else _bytes
        members[name] = inside(members[name], random)
    else:
        documents = [n for n in members if n.endswith(".json")]
        chosen = random.choice(documents or [name])
        members[chosen] = _json(members[chosen], random)
    stream = io.BytesIO()
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for key, value in members.items():
            archive.writestr(key, value)
    return stream.getvalue()


def _hdf5(data: bytes, random: Random) -> bytes:
    """Change a dataset, a group or an attribute of an HDF5 file."""
    stream = io.BytesIO(data)
    try:
        with h5py.File(stream, "r+") as file:
            _change_hdf5(file, random)
    except Exception:  # the damage of an earlier change
        return data
    return stream.getvalue()


def _change_hdf5(file: Any, random: Random) -> None:
    names: list[str] = []
    file.visit(names.append)
    documents = [name for name in ("model_config", "training_config") if name in file.attrs]
    if documents and random.random() < 0.6:
        name = random.choice(documents)
        file.attrs[name] = _json(bytes(file.attrs[name]), random)
        return
    path = random.choice(names)
    item = file[path]
    if random.random() < 0.3 and len(item.attrs):
        name = random.choice(list(item.attrs))
        item.attrs[name] = random.choice(("", b"\xff\xfe", 3, ["a", "b"], np.zeros(3)))
        return
    way = random.randrange(4)
    if way == 0:
        del file[path]
    elif way == 1:
        file.move(path, f"{path}_")
    else:
        del file[path]
        made = random.choice((np.zeros((2, 3)), np.zeros((), "i1"), b"text", np.zeros(0, "?")))
        file.create_dataset(path, data=made)


def _onnx(data: bytes, random: Random) -> bytes:
    """Change one field of one message."""
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception:  # the damage of an earlier change
        return data
    messages = [proto, *_inside(proto)]
    message = random.choice(messages)
    field = random.choice(message.DESCRIPTOR.fields)
    try:
        _change_field(message, field, random)
    except (TypeError, ValueError):  # a value that the field can't have
        message.ClearField(field.name)
    return bytes(proto.SerializeToString())


def _inside(message: Any) -> Any:
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for item in value if _repeated(field) else [value]:
                yield item
                yield from _inside(item)


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _change_field(message: Any, field: Any, random: Random) -> None:
    texts = ("", "x", "Add", "Conv", "Reshape", "image", "output", b"\xff\xfe", b"raw.")
    numbers = (0, 1, -1, 2, 7, 10**6, 2**31 - 1, 2**62, 0.5, -1e30, math.nan)
    if random.random() < 0.2 or field.type == field.TYPE_MESSAGE:
        if _repeated(field) and len(getattr(message, field.name)) > 1:
            del getattr(message, field.name)[random.randrange(len(getattr(message, field.name)))]
        else:
            message.ClearField(field.name)
        return
    textual = field.type in (field.TYPE_STRING, field.TYPE_BYTES)
    value = random.choice(texts if textual else numbers)
    if field.type == field.TYPE_BYTES and isinstance(value, str):
        value = value.encode()
    if not _repeated(field):
        setattr(message, field.name, value)
        return
    items = getattr(message, field.name)
    if len(items) and random.random() < 0.7:
        items[random.randrange(len(items))] = value
    else:
        items.append(value)


def _header(data: bytes, random: Random) -> bytes:
    """Change the JSON header of safetensors."""
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length]
    try:
        inside = json.loads(header)["__metadata__"]["nn"]
    except (ValueError, KeyError, TypeError):
        inside = None
    if isinstance(inside, str) and random.random() < 0.6:
        document = json.loads(header)
        text = inside.encode(errors="surrogatepass")  # damage before this may have left half a pair
        changed = _json(text, random).decode(errors="surrogatepass")
        document["__metadata__"]["nn"] = changed
        header = json.dumps(document).encode()
    else:
        header = _json(header, random)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


_WAYS: dict[str, tuple[Callable[[bytes, Random], bytes], ...]] = {
    "npz": (_bytes, _member, _member),
    "tfjs": (_bytes, _member, _member),
    "keras": (_bytes, _member, _member),
    "h5": (_bytes, _hdf5, _hdf5),
    "safetensors": (_bytes, _header, _header),
    "onnx": (_bytes, _onnx, _onnx, _onnx),
}


# What may happen.


def examine(data: bytes, *, memory: bool = False) -> str:
    """Load a damaged file, and predict with the model: "refused", "loaded" or "unusable".

    Raises:
        AssertionError: an error is no `FormatError`, or the load took too much time or memory.
    """
    if memory:
        tracemalloc.start()
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = nn.io.load(data, limits=LIMITS)
    except FormatError:
        return "refused"
    except Exception as error:
        raise AssertionError(f"load: {type(error).__name__}: {error}") from error
    finally:
        seconds = time.process_time() - start
        peak = tracemalloc.get_traced_memory()[1] if memory else 0
        tracemalloc.stop()
        assert seconds < SECONDS, f"load took {seconds:.1f} s"
        assert peak < ALLOWED, f"load took {peak} bytes for {len(data)}"
    return _predict(loaded)


def _predict(loaded: nn.Model) -> str:
    if not loaded.built:  # files of nn may hold a stack whose input is not known yet
        return "unusable"
    shapes = [[n or 4 for n in t.shape[1:]] for t in loaded.inputs]
    outputs = [shape for _, shape in loaded.layer_shapes()]
    if any(
        math.prod(n or 4 for n in s[1:]) > ELEMENTS for s in [*outputs, *([0, *s] for s in shapes)]
    ):
        return "unusable"
    inputs = [np.ones((2, *shape), np.float32) for shape in shapes]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            loaded.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
    except (NNError, MemoryError):
        return "unusable"
    except Exception as error:
        if "array is too big" in str(error):  # what NumPy says before it asks for the memory
            return "unusable"
        raise AssertionError(f"predict: {type(error).__name__}: {error}") from error
    return "loaded"
