"""Files of Keras 2.2 to 3.15 whose dialect today's Keras does not write any more.

The patterns are those of keras/engine/saving.py (2.2), keras/saving/legacy/hdf5_format.py and
keras/saving/saving_lib.py (2.12 to 2.15). Keras 3 computes what the models must predict.
"""

import io
import json
import os
import zipfile

os.environ["KERAS_BACKEND"] = "jax"

import h5py
import keras
import nn
import numpy as np
import pytest
from nn.io import errors

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

L = keras.layers
RNG = np.random.default_rng(0)
UNIFORM = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
}

# Options that Keras 2 writes and today's Keras does not know, all without effect.
OLD = {
    "Conv2D": {"groups": 1},
    "Conv2DTranspose": {"groups": 1, "output_padding": None},
    "DepthwiseConv2D": {"groups": 1, "kernel_initializer": UNIFORM},
    "Dropout": {"noise_shape": None},
    "Embedding": {"input_length": 5, "batch_input_shape": [None, 5]},
    "GRU": {"time_major": False, "unroll": False, "implementation": 2},
    "GlobalAveragePooling2D": {"keepdims": False},
    "LSTM": {"time_major": False, "unroll": False, "implementation": 1},
    "SeparableConv2D": {"groups": 1, "kernel_initializer": UNIFORM, "kernel_regularizer": None,
                        "kernel_constraint": None},
}  # fmt: skip


def images():
    layers = [
        keras.Input((9, 9, 3)),
        L.Conv2D(4, 3, strides=2, padding="same", use_bias=False),
        L.BatchNormalization(),
        L.ReLU(6.0),
        L.DepthwiseConv2D(3, depth_multiplier=2),
        L.SeparableConv2D(3, 2, activation="relu"),
        L.Conv2DTranspose(2, 2),
        L.Dropout(0.1),
        L.GlobalAveragePooling2D(),
        L.Dense(3, activation="softmax"),
    ]
    return keras.Sequential(layers), RNG.random((2, 9, 9, 3), dtype=np.float32)


def words():
    layers = [
        keras.Input((5,)),
        L.Embedding(7, 4),
        L.LSTM(3, return_sequences=True),
        L.GRU(2),
        L.Dense(2),
        L.Dense(1),
    ]
    return keras.Sequential(layers), np.array([[0, 1, 6, 2, 3]], np.float32)


def keras2_config(layer):
    config = layer.get_config() | OLD.get(type(layer).__name__, {})
    if isinstance(layer, L.BatchNormalization):
        config["axis"] = [3]
    return config | {"dtype": "float32"}


def keras2_layers(model):
    layers = [
        {"class_name": type(layer).__name__, "config": keras2_config(layer)}
        for layer in model.layers
    ]
    layers[0]["config"]["batch_input_shape"] = list(model.input_shape)
    return layers


def h5(model, version, layers=None, training=None):
    """The file of Keras 2's `model.save("model.h5")`."""
    config = keras2_layers(model) if layers is None else layers
    if version != "2.2.2":  # up to then, the config of a Sequential was a list
        config = {"name": "sequential_1", "layers": config}
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        text = json.dumps({"class_name": "Sequential", "config": config}, default=lambda o: o.get())
        file.attrs["model_config"] = text.encode()
        file.attrs["keras_version"] = version.encode()
        file.attrs["backend"] = b"tensorflow"
        if training:
            file.attrs["training_config"] = json.dumps(training).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            inner = group.create_group(layer.name)
            names = [f"{layer.name}/{variable.name}:0" for variable in layer.weights]
            inner.attrs["weight_names"] = [name.encode() for name in names]
            for name, variable in zip(names, layer.weights, strict=True):
                inner.create_dataset(name, data=np.asarray(variable))
    return stream.getvalue()


def windows_keras(model, separator):
    """The file of Keras 2.13's `model.save("model.keras")`, on Windows or elsewhere."""
    numbers: dict[str, int] = {}
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for layer in model.layers:
            name = keras.src.utils.naming.to_snake_case(type(layer).__name__)
            number = numbers.get(name, 0)
            # Layers with weights are counted twice, as layer_with_weights-0 and as layer-0.
            numbers[name] = number + (2 if layer.weights else 1)
            place = f"{name}_{number}" if number else name
            path = f"_layer_checkpoint_dependencies{separator}{place}"
            cells = f"{path}{separator}cell" if "cell" in dir(layer) else path
            file.create_group(f"{path}/vars")
            inner = file.require_group(f"{cells}/vars")
            for index, variable in enumerate(layer.weights):
                inner.create_dataset(str(index), data=np.asarray(variable))
    shape = {"build_config": {"input_shape": list(model.input_shape)}}
    layers = [{"module": "keras.layers", **item} for item in keras2_layers(model)]
    document = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}, **shape}
    return zipped({
        "metadata.json": json.dumps({"keras_version": "2.13.1"}),
        "config.json": json.dumps(document),
        "model.weights.h5": stream.getvalue(),
    })  # fmt: skip


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.fixture(scope="module", params=[images, words], ids=lambda make: make.__name__)
def made(request):
    model, x = request.param()
    for variable in model.weights:
        if "variance" not in variable.name:
            variable.assign(RNG.uniform(-0.5, 0.5, variable.shape))
    return model, x, np.asarray(model(x, training=False))


def expect_same(data, made):
    _, x, y = made
    loaded = nn.io.load(data)
    np.testing.assert_allclose(loaded.predict_on_batch(x), y, atol=2e-6)
    return loaded


@pytest.mark.parametrize("version", ["2.2.2", "2.2.4", "2.15.0"])
def test_h5_of_keras_2_opens(made, version):
    expect_same(h5(made[0], version), made)


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_keras_2_13_on_windows_and_elsewhere_opens(made, separator):
    expect_same(windows_keras(made[0], separator), made)


def test_teachable_machine_s_zip_opens_with_its_labels(made):
    files = {"keras_model.h5": h5(made[0], "2.4.0"), "labels.txt": "0 hand up\n1 nothing\n"}
    assert expect_same(zipped(files), made).labels == ["hand up", "nothing"]
    inside = {f"converted_keras/{name}": data for name, data in files.items()}
    assert expect_same(zipped(inside), made).labels == ["hand up", "nothing"]
    assert expect_same(zipped({**files, "labels.txt": "a\nb"}), made).labels == ["a", "b"]


def test_an_archive_of_several_models_is_refused(made):
    data = h5(made[0], "2.4.0")
    with pytest.raises(errors.UnknownFormatError, match="one file"):
        nn.io.load(zipped({"a.h5": data, "b.h5": data}))


def test_the_package_in_front_of_a_class_is_left_out(made):
    training = {
        "loss": "mse",
        "metrics": None,
        "loss_weights": None,
        "optimizer_config": {"class_name": "Custom>Adam", "config": {"learning_rate": 0.01}},
    }
    loaded = expect_same(h5(made[0], "2.11.0", training=training), made)
    assert type(loaded.optimizer) is nn.optimizers.Adam


def test_a_class_of_the_page_is_found_with_its_package_in_front(made):
    class Twice(nn.Layer):
        def forward(self, ctx, x, training=False):
            return x * 2

    model, x, y = made
    added = {"class_name": "mine>Twice", "config": {"name": "twice"}}
    data = h5(model, "2.15.0", layers=[*keras2_layers(model), added])
    loaded = nn.io.load(data, custom_objects={"Twice": Twice})
    np.testing.assert_allclose(loaded.predict_on_batch(x), 2 * y, atol=4e-6)


def test_hard_sigmoid_in_a_file_of_keras_2_is_the_one_of_keras_2():
    model = keras.Sequential([keras.Input((3,)), L.Dense(4, activation="hard_sigmoid")])
    x = np.array([[-3, 1, 3]], np.float32)
    z = x @ np.asarray(model.weights[0])
    for version, slope in (("2.2.4", 0.2), ("3.15.1", 1 / 6)):
        y = nn.io.load(h5(model, version)).predict_on_batch(x)
        np.testing.assert_allclose(y, np.clip(slope * z + 0.5, 0, 1), atol=1e-6)


# Arithmetic of tensors and numbers.


def squeeze_and_excite():
    entry = keras.Input((4, 4, 3))
    x = L.Conv2D(3, 1, padding="same")(entry)
    s = L.GlobalAveragePooling2D(keepdims=True)(x)
    s = L.ReLU(6.0)(L.Conv2D(3, 1)(s) + 3.0) * (1.0 / 6.0)
    x = L.Activation("hard_silu")(L.Multiply()([x, s]))
    x = (2.0 - x) / 4.0 - 1.0
    return keras.Model(entry, L.Flatten()(x + entry) * L.Flatten()(x))


def test_numbers_and_tensors_are_added_and_multiplied(tmp_path):
    model = squeeze_and_excite()
    x = RNG.random((2, 4, 4, 3), dtype=np.float32)
    y = np.asarray(model(x, training=False))
    model.save(tmp_path / "m.keras")
    expect_same((tmp_path / "m.keras").read_bytes(), (model, x, y))


@pytest.mark.parametrize(
    ("function", "options", "expected"),
    [
        ("__operators__.add", {"y": 3.0, "name": None}, 4.0),
        ("math.multiply", {"y": 0.5}, 0.5),
        ("math.truediv", {"y": 4.0}, 0.25),
        ("math.subtract", {"y": 4}, -3.0),
    ],
)
def test_tf_operations_with_numbers_are_read(function, options, expected):
    entry = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 2], "name": "i"}}
    layers = [
        {**entry, "name": "i", "inbound_nodes": []},
        {"class_name": "TFOpLambda", "config": {"name": "tf.o", "function": function},
         "name": "tf.o", "inbound_nodes": [["i", 0, 0, options]]},
    ]  # fmt: skip
    config = {"layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [["tf.o", 0, 0]]}
    document = {"class_name": "Functional", "config": config, "keras_version": "2.9.0"}
    files = {"modelTopology": document, "weightsManifest": []}
    loaded = nn.io.load(json.dumps(files).encode())
    np.testing.assert_allclose(loaded.predict_on_batch(np.ones((1, 2), "f4")), [[expected] * 2])


@pytest.mark.parametrize("function", ["math.sin", "matmul", 3, None])
def test_another_tf_operation_is_refused_by_name(function):
    item = {"class_name": "TFOpLambda", "config": {"name": "op", "function": function}}
    document = {"class_name": "Sequential", "config": [item]}
    files = {"modelTopology": document, "weightsManifest": []}
    with pytest.raises(errors.UnsupportedError, match="'op'"):
        nn.io.load(json.dumps(files).encode())
