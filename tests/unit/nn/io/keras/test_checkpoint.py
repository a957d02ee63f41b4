"""Compile settings and optimizer state in Keras' files, and Keras' older `.h5` files."""

from __future__ import annotations

import functools
import io
import json
import os
import warnings
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import h5py
import jax
import keras
import nn
import numpy as np
import pytest
from nn.io import errors

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

L, O = keras.layers, keras.optimizers  # noqa: E741
RNG = np.random.default_rng(0)
SCHEDULE = {
    "initial_learning_rate": 0.1, "decay_steps": 10, "warmup_target": 0.2, "warmup_steps": 3
}  # fmt: skip
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "plain": ("SGD", {}),
    "rmsprop": ("RMSprop", {"momentum": 0.5, "centered": True}),
    "adagrad": ("Adagrad", {}),
    "adam": ("Adam", {"amsgrad": True, "clipnorm": 1.0}),
    "adamw": ("AdamW", {"use_ema": True, "gradient_accumulation_steps": 2}),
    "adamax": ("Adamax", {"weight_decay": 0.1}),
    "lion": ("Lion", {"ema_overwrite_frequency": 2, "use_ema": True}),
    "adadelta": ("Adadelta", {}),
    "nadam": ("Nadam", {}),
    "schedule free": ("ScheduleFreeAdamW", {"warmup_steps": 3}),
    "lamb": ("Lamb", {"beta_1": 0.8}),
    "adafactor": ("Adafactor", {}),
    "muon": ("Muon", {"exclude_layers": ["dense_1"]}),
    "ftrl": ("Ftrl", {"l1_regularization_strength": 0.01, "beta": 0.1}),
    "schedule": ("Adam", {"learning_rate": SCHEDULE}),
}


def options(name: str, schedules: Any) -> tuple[str, dict[str, Any]]:
    kind, given = OPTIMIZERS[name]
    rate = given.get("learning_rate", 0.01)
    rate = schedules.CosineDecay(**rate) if isinstance(rate, dict) else rate
    return kind, {**given, "learning_rate": rate}


def in_keras(name: str) -> keras.Model:
    layers = [keras.Input((4,)), L.Dense(3, activation="relu"), L.BatchNormalization(), L.Dense(2)]
    model = keras.Sequential(layers)
    kind, given = options(name, O.schedules)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    top = keras.metrics.SparseTopKCategoricalAccuracy(k=1)
    model.compile(getattr(O, kind)(**given), loss, metrics=["accuracy", top])
    model.optimizer.build(model.trainable_variables)
    return model


def in_nn(name: str) -> nn.Model:
    stack = [nn.Input((4,)), nn.Dense(3, activation="relu"), nn.BatchNormalization(), nn.Dense(2)]
    model = nn.Sequential(stack)
    kind, given = options(name, nn.schedules)
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    top = nn.metrics.SparseTopKCategoricalAccuracy(k=1)
    model.compile(getattr(nn, kind)(**given), loss, metrics=["accuracy", top])
    model.trainer.prepare()
    return model


@functools.cache
def compiled(optimizer: Any) -> Any:
    """Return the optimizer's step as one function, where Keras' `apply` compiles many."""
    return jax.jit(optimizer.stateless_apply)


def step(model: Any, gradients: list[Any]) -> None:
    if isinstance(model, keras.Model):
        weights = model.trainable_variables
        variables = [*weights, *model.optimizer.variables]
        values = [v.value for v in variables]
        apply = compiled(model.optimizer)
        updated, state = apply(values[len(weights) :], gradients, values[: len(weights)])
        for variable, value in zip(variables, [*updated, *state], strict=True):
            variable.assign(value)
        return
    for variable, gradient in zip(model.parameters.variables, gradients, strict=True):
        model.parameters.views[variable][...] = gradient
    model.optimizer.step()


def walk_on_together(a: Any, b: Any, steps: int = 4) -> None:
    """Check that both models take the same steps to the same weights."""
    for _ in range(steps):
        gradients = [
            RNG.normal(size=v.shape).astype(np.float32) for v in in_nn("plain").trainable_variables
        ]
        step(a, gradients)
        step(b, gradients)
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


def begun(model: Any) -> Any:
    for _ in range(3):
        shapes = [v.shape for v in model.trainable_variables]
        step(model, [RNG.normal(size=s).astype(np.float32) for s in shapes])
    return model


@functools.cache
def in_work(name: str) -> keras.Model:
    """Return a model of Keras that has taken steps; both kinds of file take one compiled step."""
    return begun(in_keras(name))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_model_of_keras_goes_on_here(name: str, suffix: str, tmp_path: Path) -> None:
    if (name, suffix) == ("adafactor", "h5"):
        pytest.skip("Keras 3.15 itself can't write it: two arrays have one name")
    theirs = in_work(name)
    path = tmp_path / f"model.{suffix}"
    theirs.save(path)
    data = path.read_bytes()
    assert nn.io.sniff(data) == suffix
    ours = nn.io.load(data)
    assert type(ours.optimizer).__name__ == type(theirs.optimizer).__name__
    assert ours.loss.from_logits
    walk_on_together(ours, theirs)
    x = RNG.normal(size=(6, 4)).astype(np.float32)
    y = np.array([0, 1, 1, 0, 1, 0])
    result = ours.test_on_batch(x, y, return_dict=True)
    assert list(result) == ["loss", "accuracy", "sparse_top_k_categorical_accuracy"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_model_from_here_goes_on_in_keras(name: str, tmp_path: Path) -> None:
    ours = begun(in_nn(name))
    path = tmp_path / "model.keras"
    path.write_bytes(nn.io.save(ours, "keras"))
    theirs = keras.models.load_model(path)
    assert theirs.optimizer.get_config()["name"] == ours.optimizer.name
    assert theirs.loss.get_config()["from_logits"] is True
    walk_on_together(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_model_of_keras_that_was_never_trained_begins_here(
    name: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"model.{suffix}"
    for weights in (1, 2, 3):  # as few as one: then there may be as many slots as learning rates
        units = [L.Dense(2, use_bias=i > 0) for i in range(1 + weights // 2)][weights == 2 :]
        theirs = keras.Sequential([keras.Input((4,)), *units])
        kind, given = options(name, O.schedules)
        theirs.compile(getattr(O, kind)(**given), "mse")
        theirs.save(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            ours = nn.io.load(path.read_bytes())
        assert len(ours.parameters.variables) == weights
        assert ours.optimizer.iterations == 0
        assert type(ours.optimizer).__name__ == kind


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> Any:
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    "policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"], indirect=True
)
def test_what_keras_computed_in_16_bits_goes_on_here_in_32(policy: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    draw = np.random.default_rng(1)
    layers = [L.Dense(8, activation="relu"), L.BatchNormalization(), L.Dense(3)]
    theirs = keras.Sequential([keras.Input((6,)), *layers])
    theirs.compile(O.Adam(0.01), "mse")
    x, y = draw.random((32, 6), np.float32), draw.random((32, 3), np.float32)
    for _ in range(3):
        theirs.train_on_batch(x, y)
    theirs.save(tmp_path / "model.keras")
    theirs.save_weights(tmp_path / "model.weights.h5")
    ours: Any = nn.io.load((tmp_path / "model.keras").read_bytes())
    for variable, theirs_too in zip(ours.variables, theirs.variables, strict=True):
        assert np.array_equal(variable.value, np.asarray(theirs_too.value, np.float32))
    inner = getattr(theirs.optimizer, "inner_optimizer", theirs.optimizer)
    assert ours.optimizer.iterations == int(inner.iterations)  # a step that overflowed is none
    *_, momentum, velocity = inner.variables
    for name, slot in (("momentum", momentum), ("velocity", velocity)):
        assert np.array_equal(ours.optimizer.state[name][-3:], np.asarray(slot.value, np.float32))
    given = theirs.predict(x, verbose=0).astype(np.float32)
    np.testing.assert_allclose(ours.predict_on_batch(x), given, atol=0.03)
    assert ours.train_on_batch(x, y) == pytest.approx(theirs.train_on_batch(x, y), rel=0.03)
    ours.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(ours.predict_on_batch(x), given, atol=0.03)


def test_names_functions_and_settings_by_output_pass_both_ways(tmp_path: Path) -> None:
    x = keras.Input((4,))
    theirs = keras.Model(x, [L.Dense(2, name="a")(x), L.Dense(1, name="b")(x)])
    theirs.compile(
        "adam",
        {"a": keras.losses.mean_absolute_error, "b": "mse"},
        loss_weights={"a": 0.5, "b": 2.0},
        metrics={"b": ["mae", keras.metrics.MeanSquaredError(name="squares")]},
    )
    path = tmp_path / "model.keras"
    theirs.save(path)
    ours = nn.io.load(path.read_bytes())
    values = RNG.normal(size=(5, 4)), [RNG.normal(size=(5, 2)), RNG.normal(size=(5, 1))]
    expected = ours.test_on_batch(*values, return_dict=True)
    assert set(expected) == {"loss", "a_loss", "b_loss", "b_mae", "b_squares"}
    parts = 0.5 * expected["a_loss"] + 2 * expected["b_loss"]
    assert expected["loss"] == pytest.approx(parts, rel=1e-6)
    path.write_bytes(nn.io.save(ours, "keras"))
    again = keras.models.load_model(path).get_compile_config()
    assert again["loss_weights"] == {"a": 0.5, "b": 2.0}
    assert again["loss"]["b"] == "mse"
    assert not hasattr(nn.io.load(path.read_bytes(), compile=False)._trainer, "optimizer")


@keras.saving.register_keras_serializable()
class OwnLoss(keras.losses.Loss):
    """A loss that Keras' files name and no other library knows."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


def test_what_the_engine_has_not_leaves_the_model_uncompiled_and_is_named(tmp_path: Path) -> None:
    theirs = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    path = tmp_path / "model.keras"
    for optimizer, loss, message in (
        (O.LossScaleOptimizer(O.SGD()), "mse", "optimizer.*LossScaleOptimizer"),
        ("sgd", OwnLoss(), "compile settings: .*OwnLoss"),
    ):
        theirs.compile(optimizer, loss)
        theirs.save(path)
        with pytest.warns(RuntimeWarning, match=f"loaded without compiling: {message}"):
            model = nn.io.load(path.read_bytes())
        assert model.predict_on_batch(np.ones((1, 4), np.float32)).shape == (1, 2)
        with pytest.raises(nn.errors.NotCompiledError):
            model.train_on_batch(np.ones((1, 4)), np.ones((1, 2)))


@pytest.mark.parametrize("before", [True, False])
def test_a_model_that_was_frozen_after_its_training_has_an_optimizer_that_starts_over(
    before: bool, tmp_path: Path
) -> None:
    """As in Keras, which warns too: its file has slots for what was trained before."""
    theirs = keras.Sequential([keras.Input((4,)), L.Dense(3, trainable=before), L.Dense(2)])
    theirs.compile(O.Adam(0.01), "mse")
    x, y = RNG.random((8, 4), np.float32), RNG.random((8, 2), np.float32)
    theirs.train_on_batch(x, y)
    theirs.layers[0].trainable = not before
    path = tmp_path / "model.keras"
    theirs.save(path)
    with pytest.warns(UserWarning, match="optimizer"):
        again = keras.models.load_model(path)
    with pytest.warns(RuntimeWarning, match="the optimizer starts over: .*expected"):
        ours: Any = nn.io.load(path.read_bytes())
    for _ in range(3):
        assert ours.train_on_batch(x, y) == pytest.approx(again.train_on_batch(x, y), rel=1e-5)


def test_what_keras_has_not_is_refused_by_name() -> None:
    model = nn.Sequential([nn.Input((4,)), nn.Dense(2)])
    model.compile("sgd", "mse", metrics=[nn.metrics.ConfusionMatrix(2)])
    with pytest.raises(errors.UnsupportedError, match="metrics: Keras has no ConfusionMatrix"):
        nn.io.save(model, "keras")
    assert nn.io.load(nn.io.save(model, "keras", include_optimizer=False))._trainer is None
    with pytest.raises(errors.UnknownFormatError, match="received 'h5'"):
        nn.io.save(model, "h5")


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_states_to_begin_with_and_channels_first_pass_both_ways(kind: str, tmp_path: Path) -> None:
    x, h = keras.Input((5, 3)), keras.Input((4,))
    given = [h, L.Dense(4)(h)] if kind == "LSTM" else h
    images = keras.Input((2, 6, 5))
    pooled = L.Conv2D(3, 2, data_format="channels_first")(images)
    flat = L.Flatten("channels_first")(L.ZeroPadding2D(1, data_format="channels_first")(pooled))
    sequence, *ends = getattr(L, kind)(4, return_state=True)(x, initial_state=given)
    theirs = keras.Model([x, h, images], [sequence, *ends, flat])
    values = [RNG.random(s, np.float32) for s in ((2, 5, 3), (2, 4), (2, 2, 6, 5))]
    # JAX' CPU build convolves with channels last alone, so the pictures are compared after a turn.
    path = tmp_path / "model.keras"
    theirs.save(path)
    ours = nn.io.load(path.read_bytes())
    path.write_bytes(nn.io.save(ours, "keras"))
    again = keras.models.load_model(path)
    received = ours.predict_on_batch(values)
    for model in (theirs, again):
        for a, b in zip(received, model(values, training=False), strict=True):
            np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=1e-5)


# `.h5`.


def graph() -> keras.Model:
    entry = keras.Input((8, 8, 1), name="entry")
    inner = keras.Sequential([keras.Input((6,)), L.Dense(4, activation="elu"), L.Dense(2)])
    x = L.BatchNormalization(name="frozen", trainable=False)(L.Conv2D(3, 3)(entry))
    x = L.Dense(6, activation="tanh", name="hidden")(L.Flatten()(x))
    sequence = L.GRU(3, return_sequences=True)(L.Reshape((3, 2))(x))
    last = L.LSTM(2)(L.SimpleRNN(4, return_sequences=True)(sequence))
    return keras.Model(entry, [inner(x), last])


def test_an_older_file_predicts_the_same(tmp_path: Path) -> None:
    theirs = graph()
    for number, weight in enumerate(theirs.weights):
        weight.assign(np.random.default_rng(number).uniform(0.1, 0.6, weight.shape))
    path = tmp_path / "model.h5"
    theirs.save(path)
    ours = nn.io.load(path.read_bytes())
    x = RNG.random((2, 8, 8, 1), np.float32)
    for a, b in zip(ours.predict_on_batch(x), theirs(x, training=False), strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-4, atol=1e-5)


def older(**attributes: Any) -> bytes:
    """Return a file as Keras 2 wrote it: names with `:0`, texts as bytes."""
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 2], "dtype": "float32",
                                                "sparse": False, "ragged": False, "name": "in"}},
        {"class_name": "Dense", "config": {"name": "dense", "trainable": True, "dtype": "float32",
                                           "units": 3, "activation": "relu", "use_bias": True}},
    ]  # fmt: skip
    document = {"class_name": "Sequential", "config": {"name": "old", "layers": layers}}
    adam = {"name": "Adam", "learning_rate": 0.003, "decay": 0.0, "beta_1": 0.8, "beta_2": 0.999,
            "epsilon": 1e-7, "amsgrad": False, "jit_compile": True}  # fmt: skip
    wrapped = {"name": "acc", "dtype": "float32", "fn": "categorical_accuracy"}
    training = {
        "loss": "categorical_crossentropy",
        "metrics": [[{"class_name": "MeanMetricWrapper", "config": wrapped}]],
        "weighted_metrics": None,
        "loss_weights": None,
        "optimizer_config": {"class_name": "Adam", "config": adam},
    }
    texts = {"model_config": json.dumps(document), "training_config": json.dumps(training)}
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for key, text in (texts | attributes).items():
            if text is not None:
                file.attrs[key] = np.bytes_(text)
        group = file.create_group("model_weights/dense")
        group.attrs["weight_names0"] = [b"dense/kernel:0"]
        group.attrs["weight_names1"] = [b"dense/bias:0"]
        group["dense/kernel:0"] = np.arange(6, dtype=np.float32).reshape(2, 3)
        group["dense/bias:0"] = np.ones(3, np.float32)
        slots = file.create_group("optimizer_weights")
        slots.attrs["weight_names"] = [b"Adam/iter:0"]
        slots["Adam/iter:0"] = 5
    return stream.getvalue()


def test_a_file_of_keras_2_is_read() -> None:
    data = older()
    model = nn.io.load(data)
    assert model.predict_on_batch(np.ones((1, 2), np.float32)).tolist() == [[4, 6, 8]]
    assert model.optimizer.beta_1 == 0.8
    assert model.optimizer.learning_rate == 0.003
    logs = model.test_on_batch(np.ones((1, 2)), np.eye(3)[:1], return_dict=True)
    assert list(logs) == ["loss", "categorical_accuracy"]


@pytest.mark.parametrize(
    ("version", "metrics", "names"),
    [
        ("2.15.0", ["mae", "mse"], ["dense_mae", "dense_mse", "relu_mae", "relu_mse"]),
        ("2.15.0", ["mae"], ["dense_mae", "relu_mae"]),
        ("2.15.0", [["mae"], ["mse"]], ["dense_mae", "relu_mse"]),
        ("3.10.0", ["mae", "mse"], ["dense_mae", "relu_mse"]),
    ],
)
def test_a_list_of_metrics_is_for_each_output_in_files_of_keras_2(
    version: str, metrics: list[Any], names: list[str]
) -> None:
    settings: dict[str, dict[str, Any]] = {
        "in": {"batch_input_shape": [None, 2], "dtype": "float32"},
        "dense": {"units": 3}, "relu": {"activation": "relu"},
    }  # fmt: skip
    kinds = zip(
        ("InputLayer", "Dense", "Activation"), settings, [[], ["in"], ["dense"]], strict=True
    )
    layers = [
        {"class_name": kind, "name": name, "config": {"name": name, **settings[name]},
         "inbound_nodes": [[[source, 0, 0, {}]] for source in sources]}
        for kind, name, sources in kinds
    ]  # fmt: skip
    config = {"name": "old", "layers": layers, "input_layers": [["in", 0, 0]],
              "output_layers": [["dense", 0, 0], ["relu", 0, 0]]}  # fmt: skip
    training = {"loss": "mse", "metrics": metrics,
                "optimizer_config": {"class_name": "SGD", "config": {}}}  # fmt: skip
    data = older(
        model_config=json.dumps({"class_name": "Functional", "config": config}),
        training_config=json.dumps(training),
        keras_version=version,
    )
    x, y = np.ones((1, 2), np.float32), np.ones((1, 3), np.float32)
    logs = nn.io.load(data).test_on_batch(x, [y, y], return_dict=True)
    assert [name for name in logs if not name.endswith("loss")] == names


@pytest.mark.parametrize(
    ("attributes", "error", "message"),
    [
        ({"model_config": None}, errors.MissingEntryError, "a file of weights alone"),
        ({"model_config": "{"}, errors.CorruptError, "h5, model_config: expected JSON"),
        ({"model_config": '{"class_name": "Subclassed"}'}, errors.UnsupportedError, "Subclassed"),
    ],
)
def test_what_is_wrong_with_an_older_file_is_named(
    attributes: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        nn.io.load(older(**attributes))


def test_a_weight_that_is_missing_or_of_another_shape_is_named() -> None:
    for name, error, message in (
        ("dense/kernel:0", errors.MissingEntryError, "expected an array 'model_weights/dense/d"),
        ("dense/bias:0", errors.MismatchError, r"expected shape \(3,\), received \(4,\)"),
    ):
        stream = io.BytesIO(older())
        with h5py.File(stream, "r+") as file:
            del file[f"model_weights/dense/{name}"]
            if error is errors.MismatchError:
                file[f"model_weights/dense/{name}"] = np.ones(4, np.float32)
        with pytest.raises(error, match=message), warnings.catch_warnings():
            nn.io.load(stream.getvalue())
