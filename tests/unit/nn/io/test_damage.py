"""Damaged and costly files: what `nn.io.load` may raise, and how much memory and time it may take.

`make soak ONLY=io` runs 20,000 damaged files of each format; here are the first hundred.
"""

import gc
import io
import json
import time
import tracemalloc
import zipfile
from random import Random

import nn
import numpy as np
import pytest
from nn.io import errors, tfjs

from tests.support import damage

PIECE = 1 << 20
# A size that the kernels cannot count would end the process.
pytestmark = pytest.mark.usefixtures("native")


@pytest.mark.parametrize("format", damage.FORMATS)
def test_a_damaged_file_gives_a_model_or_a_format_error(format):
    found = {damage.examine(damage.damaged(format, Random(seed))) for seed in range(100)}
    assert "refused" in found


@pytest.mark.parametrize("format", damage.FORMATS)
def test_the_files_that_are_damaged_are_whole_before(format):
    for which in range(damage.NUMBER.get(format, 2)):
        assert damage.examine(damage.whole(format, which)) == "loaded"


@pytest.mark.parametrize("layers", [[], [nn.Input((5,))], [nn.Dense(3)]], ids=len)
def test_a_stack_whose_input_is_not_known_opens_and_is_not_asked_for_it(layers):
    data = nn.io.save(nn.Sequential(layers), "npz")
    assert damage.examine(data) == "unusable"


# Each setting of a layer, of every kind that JSON has.


def layers():
    return [
        nn.Conv2D(2, 3, padding="same", activation="relu", kernel_regularizer="l2"),
        nn.BatchNormalization(gamma_constraint="nonneg"),
        nn.Dropout(0.5),
        nn.LeakyReLU(0.1),
        nn.MaxPooling2D(),
        nn.Reshape((4, 2)),
        nn.LSTM(2, return_sequences=True),
        nn.LayerNormalization(),
        nn.Flatten(),
        nn.Dense(2),
    ]


def written():
    return nn.Sequential([nn.Input((4, 4, 1)), *layers()])


@pytest.mark.parametrize("value", damage.VALUES, ids=lambda value: repr(value)[:20])
def test_a_setting_of_any_kind_is_used_or_refused(value):
    files = tfjs.save_files(written())
    document = json.loads(files["model.json"])
    for item in document["modelTopology"]["config"]["layers"][1:]:
        for key in item["config"]:
            before = item["config"][key]
            item["config"][key] = value
            # Text that is no UTF-8 is damage that json.dumps writes as escapes.
            changed = {**files, "model.json": json.dumps(document).encode()}
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w") as archive:
                for name, data in changed.items():
                    archive.writestr(name, data)
            damage.examine(stream.getvalue())
            item["config"][key] = before


def objects(document):
    """Yield each object that names a class (layers, initializers, …) or calls a layer."""
    if isinstance(document, list):
        for value in document:
            yield from objects(value)
    if isinstance(document, dict):
        if {"class_name", "config"} <= document.keys() or "kwargs" in document:
            yield document
        for value in document.values():
            yield from objects(value)


@pytest.mark.parametrize("value", [None, 7, "x", True, [], [["units", 2]]], ids=repr)
@pytest.mark.parametrize(
    ("format", "name"), [("npz", "nn.json"), ("tfjs", "model.json"), ("keras", "config.json")]
)
def test_an_object_whose_settings_are_none_is_refused_or_has_the_usual_ones(format, name, value):
    image = nn.Input((4, 4, 1))
    flat = nn.Flatten()(nn.Conv2D(2, 3, kernel_regularizer="l2")(image))
    data = nn.io.save(nn.Model(image, nn.Dense(2)(flat)), format)
    document = json.loads(member(data, name))
    found = list(objects(document))
    assert len(found) > 5
    outcomes = set()
    for each in found:
        for key in [key for key in each if key not in ("class_name", "name")]:
            before = each[key]
            each[key] = value
            outcomes.add(damage.examine(with_member(data, name, document)))
            each[key] = before
    assert "refused" in outcomes


def member(data, name):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name)


def with_member(data, name, document):
    """The file, whose member of this name has this JSON."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for each in source.namelist():
            text = json.dumps(document).encode() if each == name else source.read(each)
            target.writestr(each, text)
    return stream.getvalue()


def fields(document):
    """Yield each object that describes an array, with its keys."""
    if isinstance(document, list):
        for value in document:
            yield from fields(value)
    if isinstance(document, dict):
        if "dtype" in document and ("shape" in document or "sha256" in document):
            yield document
        for value in document.values():
            yield from fields(value)


@pytest.mark.parametrize(("format", "name"), [("npz", "nn.json"), ("tfjs", "model.json")])
def test_a_field_of_an_array_of_any_kind_is_used_or_refused(format, name):
    model = nn.Sequential([nn.Input((2,)), nn.Dense(2)])
    data = nn.io.save(model, format, quantization={"uint8": "*/kernel"})
    document = json.loads(member(data, name))
    places = [place for found in fields(document) for place in inner(found)]
    assert len(places) > 8
    for place, key in places:
        before = place[key]
        for value in damage.VALUES:
            place[key] = value
            damage.examine(with_member(data, name, document))
        place[key] = before


def inner(found):
    """Yield an object and its keys, then those of the objects in it."""
    for key, value in found.items():
        yield found, key
        if isinstance(value, dict):
            yield from inner(value)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(KeyError("x"), errors.CorruptError), (MemoryError(), errors.LimitError),
     (RecursionError(), errors.CorruptError), (errors.MismatchError("x"), errors.MismatchError)],
)  # fmt: skip
def test_an_error_that_no_check_foresaw_is_a_format_error(raised, expected):
    def inside(data):
        raise raised

    @errors.reads("file")
    def read(data):
        return inside(data)

    with pytest.raises(errors.FormatError) as caught:
        read(b"")
    assert type(caught.value) is expected


# Cost.


def big(format):
    """A network with 6 MB of weights."""
    layers = [nn.Input((8, 256)), nn.LSTM(512, recurrent_initializer="zeros"), nn.Dense(64)]
    model = nn.Sequential(layers)
    if format in ("npz sgd", "keras sgd"):
        model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    "format", ["npz", "npz sgd", "npz uint8", "safetensors", "tfjs", "tfjs uint8", "keras",
               "keras sgd", "h5", "onnx"],
)  # fmt: skip
def test_a_load_takes_at_most_three_times_the_file_and_its_weights(format):
    kind, _, how = format.partition(" ")
    model = big(format)
    options = {"quantization": {"uint8": "*"}} if how == "uint8" else {}
    data = damage.keras2(model) if kind == "h5" else nn.io.save(model, kind, **options)
    weights = sum(variable.size * 4 for variable in model.variables)
    del model
    # Twice, because what a thread of an earlier test takes meanwhile is counted too.
    loads = [measured_load(data) for _ in range(2)]
    loaded, taken, seconds = min(loads, key=lambda found: found[1])
    assert sum(variable.size * 4 for variable in loaded.variables) == weights
    assert taken < 3 * max(len(data), weights) + PIECE
    assert seconds < damage.SECONDS


def measured_load(data):
    """Return the model of a file, the most bytes that the load held, and its processor seconds."""
    gc.collect()
    tracemalloc.start()
    start = time.process_time()
    try:
        loaded = nn.io.load(data)
        return loaded, tracemalloc.get_traced_memory()[1], time.process_time() - start
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("change", "format"),
    [
        ({"units": 4002}, "npz"),
        ({"units": 2999}, "tfjs"),
        ({"units": 2999}, "keras"),
        ({"recurrent_initializer": "orthogonal", "units": 4002}, "safetensors"),
    ],
)
def test_no_initial_value_is_computed_before_the_sizes_are_compared(change, format):
    model = nn.Sequential([nn.Input((3, 2)), nn.LSTM(2, name="edited")])
    data = edited(nn.io.save(model, format), change)
    assert damage.examine(data, memory=True) == "refused"
    with pytest.raises(errors.MismatchError, match=r"edited/.*expected shape"):
        nn.io.load(data)


@pytest.mark.parametrize("format", ["npz", "tfjs", "keras", "safetensors"])
@pytest.mark.parametrize("change", [{"filters": 3_000_000}, {"kernel_size": [4096, 4096]}], ids=str)
def test_no_kernel_is_made_before_the_sizes_are_compared(format, change):
    convolution = nn.Conv2D(2, 3, padding="same", name="edited")
    model = nn.Sequential([nn.Input((8, 8, 2)), convolution, nn.GlobalAveragePooling2D()])
    data = edited(nn.io.save(model, format), change)
    assert damage.examine(data, memory=True) == "refused"
    with pytest.raises(errors.MismatchError, match=r"edited/.*expected shape.*received"):
        nn.io.load(data)


def edited(data, change):
    """The file with settings of its layer "edited" changed."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        header["__metadata__"]["nn"] = changed(header["__metadata__"]["nn"], change)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + data[8 + length :]
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            inside = source.read(name)
            is_topology = name in ("nn.json", "model.json", "config.json")
            target.writestr(name, changed(inside, change) if is_topology else inside)
    return stream.getvalue()


def changed(text, change):
    def visit(document):
        if isinstance(document, dict):
            if document.get("name") == "edited" and set(change) & set(document):
                document.update(change)
            for value in document.values():
                visit(value)
        elif isinstance(document, list):
            for value in document:
                visit(value)
        return document

    return json.dumps(visit(json.loads(text)))


def test_a_weight_that_no_file_gives_has_its_initial_value():
    with nn.config.later_weights():
        layer = nn.Dense(3, kernel_initializer="ones")
        layer.build((None, 2))
    assert layer.kernel.shape == (2, 3)
    assert layer.kernel.dtype == np.float32
    np.testing.assert_array_equal(layer.kernel.value, np.ones((2, 3)))


def test_wrong_arguments_are_no_damage():
    with pytest.raises(TypeError, match="speed"):
        nn.io.load(damage.whole("npz", 0), speed=3)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: nn.Dropout(0.5)(x, x),
        lambda x: nn.Flatten()(x, x),
        lambda x: nn.Rescaling([1.0, 2.0])(x),
        lambda x: nn.Sequential([nn.Input((3,)), nn.Dense(2)])(x),
    ],
)
def test_what_would_fail_in_the_first_prediction_fails_when_the_graph_is_made(build):
    with pytest.raises(nn.errors.ShapeError, match="expected"):
        build(nn.Input((4,)))


@pytest.mark.parametrize("first", [[], [nn.Input((3, 2))]])
def test_a_model_in_a_model_refuses_data_whose_size_was_not_known_before(first):
    inner = nn.Sequential([*first, nn.Flatten(), nn.Dense(4)])
    inner(nn.Input((3, 2)))
    entry = nn.Input((None, 2))
    model = nn.Model(entry, inner(entry))
    assert model.predict_on_batch(np.ones((5, 3, 2))).shape == (5, 4)
    with pytest.raises(nn.errors.ShapeError, match=r"expected inputs \[\(None, 3, 2\)\]"):
        model.predict_on_batch(np.ones((5, 4, 2)))


def test_numbers_of_a_rescaling_that_are_none_are_refused():
    with pytest.raises(nn.errors.ConfigError, match="numbers"):
        nn.Rescaling("x")


@pytest.mark.parametrize("byte", [0x00, 0x22, 0xFF], ids=hex)
def test_a_wrong_byte_in_the_settings_of_an_h5_file_is_used_or_refused(byte):
    data = damage.keras2(nn.Sequential([nn.Input((3,)), nn.Dense(2)]))
    start = data.index(b'"class_name"')
    places = range(start - 200, start + 1000, 7)
    outcomes = {damage.examine(data[:at] + bytes([byte]) + data[at + 1 :]) for at in places}
    assert outcomes == {"loaded", "refused"}
