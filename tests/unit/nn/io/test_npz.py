"""The native format: exact round trips, and the error of each kind of damage."""

import io
import json
import zipfile

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io import archive, errors, npz
from nn.io.limits import Limits
from nn.layers import CLASSES, Dense, Input, Layer
from nn.models.model import Model
from nn.models.sequential import Sequential

LABELS = np.array([0, 1, 2, 1])


def images(count=4):
    return np.random.default_rng(0).random((count, 8, 8, 1), dtype=np.float32)


def classifier(compiled=True):
    conv, pool, drop = CLASSES["Conv2D"], CLASSES["MaxPooling2D"], CLASSES["Dropout"]
    layers = [Input((8, 8, 1)), conv(4, 3, activation="relu"), pool(2), CLASSES["Flatten"]()]
    model = Sequential([*layers, drop(0.25), Dense(6, activation="tanh"), Dense(3)])
    model.add(CLASSES["Softmax"]())
    if compiled:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def trained():
    model = classifier()
    model.train_on_batch(images(), LABELS)
    return model


@pytest.fixture(scope="module")
def saved(trained):
    return nn.io.save(trained)


def edited(data, change):
    """Return the archive with its members (name -> bytes) changed in place by ``change``."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    return archive.pack(members)


def with_document(data, change):
    def edit(members):
        document = json.loads(members["nn.json"])
        change(document)
        members["nn.json"] = json.dumps(document).encode()

    return edited(data, edit)


def test_a_loaded_model_predicts_the_same_to_the_bit(trained, saved):
    loaded = nn.io.load(saved)
    assert type(loaded) is Sequential
    np.testing.assert_array_equal(
        loaded.predict_on_batch(images()), trained.predict_on_batch(images())
    )


def test_a_loaded_model_goes_on_learning_bit_for_bit():
    model = classifier()
    for _ in range(3):
        model.train_on_batch(images(), LABELS)
    loaded = nn.io.load(nn.io.save(model))
    for _ in range(3):
        # Dropout draws from the generator, Adam uses its slots and its step.
        model.train_on_batch(images(), LABELS)
        loaded.train_on_batch(images(), LABELS)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


OPTIMIZERS = {
    "AdamW": lambda: nn.optimizers.AdamW(nn.schedules.CosineDecay(1e-2, 20), clipnorm=0.5),
    "SGD": lambda: nn.optimizers.SGD(1e-2, momentum=0.9, nesterov=True),
    "SGD in parts": lambda: nn.optimizers.SGD(1e-2, gradient_accumulation_steps=2),
    "Lion": lambda: nn.optimizers.Lion(1e-3, use_ema=True),
    "RMSprop": lambda: nn.optimizers.RMSprop(),
    "Adagrad": lambda: nn.optimizers.Adagrad(),
    "Adamax": lambda: nn.optimizers.Adamax(),
    "Adadelta": lambda: nn.optimizers.Adadelta(),
    "Nadam": lambda: nn.optimizers.Nadam(),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", OPTIMIZERS)
async def test_a_run_goes_on_after_loading_as_if_it_had_never_stopped(name):
    x = np.random.default_rng(0).random((48, 4), dtype=np.float32)
    y = np.arange(48) % 3
    layers = [nn.Dense(8), nn.BatchNormalization(), nn.Dropout(0.3), nn.Dense(3), nn.Softmax()]
    model = nn.Sequential([nn.Input((4,)), *layers])
    model.compile(OPTIMIZERS[name](), "sparse_categorical_crossentropy", metrics=["accuracy"])
    first = await model.fit(x, y, epochs=1, batch_size=16)
    loaded = nn.io.load(nn.io.save(model))
    assert loaded.history.history == first.history
    assert loaded.history.epoch == [0]
    ours = await loaded.fit(x, y, epochs=3, initial_epoch=1, batch_size=16)
    theirs = await model.fit(x, y, epochs=3, initial_epoch=1, batch_size=16)
    assert ours.history["loss"] == theirs.history["loss"]
    for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_graph_with_two_inputs_and_a_shared_layer_comes_back():
    left, right = Input((4,), name="left"), Input((4,), name="right")
    shared = Dense(3, activation="tanh", name="shared")
    model = Model([left, right], [shared(left), Dense(2)(shared(right))])
    loaded = nn.io.load(nn.io.save(model))
    data = [np.ones((2, 4), "f4"), np.full((2, 4), 2, "f4")]
    for ours, theirs in zip(
        model.predict_on_batch(data), loaded.predict_on_batch(data), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert len(loaded.variables) == 4


def test_numpy_opens_the_arrays(trained, saved):
    with np.load(io.BytesIO(saved), allow_pickle=False) as arrays:
        for variable in trained.variables:
            np.testing.assert_array_equal(arrays[f"weights/{variable.path}"], variable.value)


def test_the_same_model_gives_the_same_bytes(trained, saved):
    assert nn.io.save(trained) == saved
    assert nn.io.save(nn.io.load(saved)) == saved


def test_training_state_can_be_left_out(trained, saved):
    light = nn.io.save(trained, include_optimizer=False)
    assert len(light) <= len(saved) - 2 * 4 * trained.count_params()
    with pytest.raises(nn.errors.NotCompiledError):
        _ = nn.io.load(light).trainer


def test_an_uncompiled_model_comes_back_uncompiled():
    with pytest.raises(nn.errors.NotCompiledError):
        _ = nn.io.load(nn.io.save(classifier(compiled=False))).trainer


def test_layers_of_ones_own_are_named_when_loading():
    class Scale(Layer):
        def build(self, shape):
            self.factor = self.add_weight("factor", (shape[-1],), "ones")

        def forward(self, ctx, x, training=False):
            return x * self.factor.value

    model = Sequential([Input((3,)), Scale()])
    data = nn.io.save(model)
    with pytest.raises(errors.CorruptError, match="received 'Scale'"):
        nn.io.load(data)
    loaded = nn.io.load(data, custom_objects={"Scale": Scale})
    np.testing.assert_array_equal(loaded.predict_on_batch(np.ones((1, 3))), np.ones((1, 3)))


def test_a_loss_that_is_code_is_refused_by_name():
    model = classifier(compiled=False)
    loss = nn.losses.FunctionLoss(lambda y, p: (p - y) ** 2, lambda y, p: 2 * (p - y))
    model.compile("sgd", loss)
    with pytest.raises(errors.UnsupportedError, match=r"loss.*cannot be saved"):
        nn.io.save(model)
    assert nn.io.load(nn.io.save(model, include_optimizer=False)).count_params() > 0


# Quantization.


def test_a_quantized_file_is_small_and_predicts_nearly_the_same(trained):
    full = nn.io.save(trained, include_optimizer=False)
    small = nn.io.save(trained, include_optimizer=False, quantization={"uint8": "*"})
    assert len(small) < len(full)
    difference = nn.io.load(small).predict_on_batch(images()) - trained.predict_on_batch(images())
    assert 0 < np.abs(difference).max() < 0.02


def test_globs_choose_weights_by_path_and_spare_the_optimizer(trained):
    data = nn.io.save(trained, quantization={"uint16": "dense/kernel", "float16": "*/bias"})
    with np.load(io.BytesIO(data)) as arrays:
        kinds = {name: arrays[name].dtype.name for name in arrays.files if name != "nn.json"}
    assert kinds["weights/dense/kernel"] == "uint16"
    assert kinds["weights/conv2d/bias"] == "float16"
    assert kinds["weights/conv2d/kernel"] == "float32"
    assert kinds["training/optimizer/momentum"] == "float32"


@pytest.mark.promise(
    "Earlier work: models in production",
    "A damaged quantized file falls back with a warning; both damaged: the first error",
)
def test_a_damaged_quantized_file_falls_back_with_a_warning(trained, saved):
    small = nn.io.save(trained, quantization={"uint8": "*"})
    for damaged in (flipped(small), small[: len(small) // 2], b"<!DOCTYPE html><title>404"):
        with pytest.warns(RuntimeWarning, match="full-precision file instead"):
            model = nn.io.load_with_fallback(damaged, saved)
        np.testing.assert_array_equal(
            model.predict_on_batch(images()), trained.predict_on_batch(images())
        )


def test_an_intact_quantized_file_is_preferred_without_a_warning(trained):
    small = nn.io.save(trained, quantization={"uint8": "*"})
    assert nn.io.load_with_fallback(small, b"never read").count_params() > 0


@pytest.mark.promise(
    "Earlier work: models in production",
    "A damaged quantized file falls back with a warning; both damaged: the first error",
)
def test_when_both_files_are_damaged_the_first_error_is_raised(trained, saved):
    small = nn.io.save(trained, quantization={"uint8": "*"})
    with pytest.raises(errors.CorruptError) as caught:
        nn.io.load_with_fallback(flipped(small), saved[:100])
    assert isinstance(caught.value.__cause__, errors.TruncatedError)
    assert "full-precision file cannot be loaded either" in caught.value.__notes__[0]


def flipped(data):
    """Flip a bit inside the largest weight."""
    damaged = bytearray(data)
    damaged[data.index(b"weights/dense/kernel.npy") + 300] ^= 1
    return bytes(damaged)


# Damage.


def test_names_every_truncation(saved):
    for length in (0, 1, 3, 4, 100, len(saved) // 2, len(saved) - 23, len(saved) - 1):
        with pytest.raises(errors.FormatError):
            nn.io.load(saved[:length])
    for length in (4, 100, len(saved) // 2):
        with pytest.raises(errors.TruncatedError):
            nn.io.load(saved[:length])


@settings(deadline=None)
@given(st.integers(0), st.integers(0, 7))
def test_a_flipped_bit_gives_the_same_model_or_a_named_error(position, bit):
    model = Sequential([Input((2,)), Dense(2)])
    damaged = bytearray(nn.io.save(model))
    damaged[position % len(damaged)] ^= 1 << bit
    try:
        loaded = nn.io.load(bytes(damaged))
    except errors.FormatError:
        return
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def remove_kernel(members):
    del members["weights/dense/kernel.npy"]


def remove_document(members):
    del members["nn.json"]


def shorten(members):
    members["weights/dense/kernel.npy"] = members["weights/dense/kernel.npy"][:-4]


def lengthen(members):
    members["weights/dense/kernel.npy"] += bytes(100_000)


def swap(members):
    members["weights/dense/kernel.npy"] = members["weights/dense_1/kernel.npy"]


def other_values(members):
    name = "weights/dense/kernel.npy"
    members[name] = members[name][:-4] + b"\0\0\x80\x3f"


def pickled(members):
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], object), allow_pickle=True)
    members["weights/dense/kernel.npy"] = stream.getvalue()


def not_json(members):
    members["nn.json"] = b"{'a': 1}"


def deep_json(members):
    members["nn.json"] = b'{"a":' * 100_000


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (remove_kernel, errors.MissingEntryError, r"weights/dense/kernel\.npy"),
        (remove_document, errors.UnknownFormatError, r"nn\.json"),
        (shorten, errors.TruncatedError, r"dense/kernel.*expected 864 bytes.*received 860"),
        (lengthen, errors.CorruptError, r"dense/kernel.*received 100"),
        (swap, errors.MismatchError, r"expected float32 \(36, 6\), received float32 \(6, 3\)"),
        (other_values, errors.CorruptError, "SHA-256"),
        (pickled, errors.UnsupportedError, r"dense/kernel.*'\|O'"),
        (not_json, errors.CorruptError, r"nn\.json: expected JSON"),
        (deep_json, errors.CorruptError, r"nn\.json: expected JSON"),
    ],
)
def test_names_each_damaged_member(saved, change, error, message):
    with pytest.raises(error, match=message):
        nn.io.load(edited(saved, change))


def set_path(*path, value):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


KERNEL = "weights/dense/kernel"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (set_path("version", value=2), errors.UnsupportedError, "version 1, received 'nn', 2"),
        (set_path("format", value="x"), errors.UnsupportedError, "received 'x'"),
        (set_path("arrays", value=[]), errors.MissingEntryError, "'arrays'"),
        (set_path("content", value=None), errors.MissingEntryError, "'content'"),
        (set_path("arrays", KERNEL, value={}), errors.CorruptError, "dtype, shape and sha256"),
        (set_path("arrays", KERNEL, "dtype", value="O"), errors.CorruptError, "'O'"),
        (set_path("arrays", KERNEL, "shape", value=[-1]), errors.CorruptError, "-1"),
        (set_path("arrays", KERNEL, "shape", value=[36]), errors.MismatchError, r"\(36,\)"),
        (set_path("arrays", KERNEL, "shape", value=[6, 36]), errors.MismatchError, r"\(6, 36\)"),
        (set_path("arrays", KERNEL, "sha256", value="0"), errors.CorruptError, "SHA-256 0"),
        (set_path("content", "class_name", value="os"), errors.CorruptError, "received 'os'"),
        (set_path("content", "config", value=3), errors.MissingEntryError, "'config'"),
        (set_path("content", "config", "layers", value=3), errors.CorruptError, "topology"),
        (set_path("content", "weights", value={}), errors.MissingEntryError, "conv2d/kernel"),
        (
            set_path("content", "weights", "extra", value={"$array": KERNEL}),
            errors.MismatchError,
            "extra belong to no layer",
        ),
        (
            set_path("content", "weights", "dense/kernel", value={"$array": "no"}),
            errors.MissingEntryError,
            "'no' that is not in the file",
        ),
        (
            set_path("content", "weights", "dense/kernel", value=[1]),
            errors.MismatchError,
            "expected an array",
        ),
        (
            set_path("content", "weights", "dense/kernel", value={"$array": "weights/dense/bias"}),
            errors.MismatchError,
            r"expected shape \(36, 6\), received \(6,\)",
        ),
        (
            set_path("content", "training", "compile", "loss", value="theft"),
            errors.CorruptError,
            "theft",
        ),
        (
            set_path("content", "training", "optimizer", "momentum", value=[1.0]),
            errors.CorruptError,
            "momentum",
        ),
        (
            set_path("content", "training", "generator", value={"bit_generator": "X"}),
            errors.CorruptError,
            "generator",
        ),
        (set_path("content", "training", value={}), errors.MissingEntryError, "'compile'"),
    ],
)
def test_names_each_contradiction_in_the_document(saved, change, error, message):
    with pytest.raises(error, match=message):
        nn.io.load(with_document(saved, change))


def test_a_topology_that_asks_for_more_weights_than_the_limit_allocates_nothing(saved):
    huge = with_document(
        saved, lambda d: d["content"]["config"]["layers"][5]["config"].update(units=10**9)
    )
    with pytest.raises(errors.LimitError, match=r"dense/kernel: expected at most \d+ bytes"):
        nn.io.load(huge)


@pytest.mark.parametrize("places", [[[1], {}], [99, -1, "a"], []])
def test_places_of_trained_weights_that_do_not_fit_are_refused(saved, places):
    model = nn.io.load(saved)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(np.zeros((2, *model.input_shape[1:])), np.zeros(2))
    wrong = with_document(
        nn.io.save(model, "npz"), lambda d: d["content"]["training"].update(trained=places)
    )
    with pytest.raises(errors.FormatError):
        nn.io.load(wrong)


def test_a_bomb_is_refused_before_it_unpacks():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("nn.json", b"{}")
        with target.open("weights/a.npy", "w") as member:
            for _ in range(100):
                member.write(bytes(1 << 20))
    assert stream.tell() < 200_000
    with pytest.raises(errors.LimitError, match="more than 100 times as many"):
        nn.io.load(stream.getvalue())


def test_limits_can_be_lowered(saved):
    for limits in (Limits(total=1000), Limits(document=100), Limits(entries=2)):
        with pytest.raises(errors.LimitError):
            nn.io.load(saved, limits=limits)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (b"hello", "beginning with b'hello'"),
        (b"\n <html><title>404</title>", "received a page"),
        (archive.pack({}), "22 bytes"),
        (archive.pack({"cat.png": b""}), r"cat\.png"),
    ],
)
def test_bytes_of_no_format_are_unknown(data, message):
    with pytest.raises(errors.UnknownFormatError, match=message):
        nn.io.load(data)
    with pytest.raises((errors.UnknownFormatError, errors.MissingEntryError)):
        npz.load(data)


def test_a_format_of_no_name_is_unknown(trained):
    with pytest.raises(errors.UnknownFormatError, match="received 'pickle'"):
        nn.io.save(trained, "pickle")


def test_compressed_archives_are_read_too(trained, saved):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(saved)) as source,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    loaded = nn.io.load(stream.getvalue())
    np.testing.assert_array_equal(loaded.get_weights()[0], trained.get_weights()[0])
