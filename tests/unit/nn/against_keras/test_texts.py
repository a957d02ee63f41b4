"""What published texts for Keras write beside layers and training, here and in Keras."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import keras
import nn
import numpy as np
import pytest

RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 3)).astype("float32")


def kind(value: Any) -> Any:
    """Return how outputs are held: by name, in a list, or one alone."""
    if isinstance(value, dict):
        return {name: kind(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(kind(one) for one in value)
    return tuple(value.shape)


ENDS: dict[str, Any] = {
    "one": lambda a, b: a,
    "a list of one": lambda a, b: [a],
    "a dict of one": lambda a, b: {"a": a},
    "a list of two": lambda a, b: [a, b],
    "a dict of two": lambda a, b: {"a": a, "b": b},
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_outputs_are_held_as_in_keras(ends: Any) -> None:
    held = []
    for library in (keras, nn):
        entry = library.Input((3,))
        model = library.Model(
            entry, ends(library.layers.Dense(2)(entry), library.layers.Dense(1)(entry))
        )
        again = type(model).from_config(model.get_config())
        predicted = model.predict(X) if library is nn else model.predict(X, verbose=0)
        held.append(
            [
                kind(asyncio.run(predicted) if library is nn else predicted),
                kind(model(X)),
                kind(model.predict_on_batch(X)),
                kind(again.predict_on_batch(X)),
                kind(model.output),
                kind(model(library.Input((3,)))),
                model.output_shape,
            ]
        )
    assert held[1] == held[0]


def halves(shape: Any, dtype: Any = None) -> Any:
    return np.full(shape, 0.5, dtype)


def counted(shape: Any, dtype: Any = "float32") -> Any:
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def not_negative(w: Any) -> Any:
    return w * (w >= 0)


@pytest.mark.parametrize("initializer", [halves, counted])
@pytest.mark.parametrize("constraint", [None, not_negative])
def test_functions_begin_and_bound_weights_as_in_keras(initializer: Any, constraint: Any) -> None:
    ends = []
    for library in (keras, nn):
        options = {"bias_initializer": initializer, "kernel_constraint": constraint}
        model = library.Sequential(
            [library.layers.Dense(2, kernel_initializer=initializer, **options)]
        )
        model.build((None, 3))
        model.compile(library.optimizers.SGD(0.5), "mse")
        for _ in range(2):
            model.train_on_batch(X, np.ones((4, 2)))
        ends.append([np.asarray(w) for w in model.get_weights()])
    for ours, theirs in zip(ends[1], ends[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_function_whose_values_are_of_another_shape_is_refused_by_its_name() -> None:
    def three(shape: Any, dtype: Any = None) -> Any:
        return np.zeros(3, dtype)

    with pytest.raises(nn.errors.ShapeError, match=r"initializer three: expected .*\(3, 2\)"):
        nn.Dense(2, kernel_initializer=three).build((None, 3))
    with pytest.raises(nn.errors.ConfigError, match="initializer len"):
        nn.Dense(2, kernel_initializer=len).build((None, 3))
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2, kernel_constraint=lambda w: w[:1])])
    model.compile("sgd", "mse")
    with pytest.raises(nn.errors.ShapeError, match="constraint <lambda>: expected"):
        model.train_on_batch(X, np.ones((4, 2)))
    with pytest.raises(nn.errors.ConfigError, match=r"constraint: .*function <lambda>"):
        model.get_config()


STEPPERS = {
    "sgd": lambda o: o.SGD(0.1, momentum=0.9),
    "adam": lambda o: o.Adam(0.01, clipnorm=0.5),
    "rmsprop": lambda o: o.RMSprop(0.01, weight_decay=0.1),
    "schedule-free": lambda o: o.ScheduleFreeAdamW(0.01),
    "adam of a mean": lambda o: o.Adam(0.01, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize("built", [False, True], ids=["", "built"])
@pytest.mark.parametrize("optimizer", STEPPERS.values(), ids=STEPPERS)
def test_gradients_of_a_program_are_applied_as_in_keras(optimizer: Any, built: bool) -> None:
    gradients = [[np.sin(np.arange(6).reshape(3, 2) + i), np.cos([i, 1.0])] for i in range(4)]
    ends = []
    for library in (keras, nn):
        layer = library.layers.Dense(2, kernel_initializer="ones")
        layer.build((None, 3))
        steps = optimizer(library.optimizers)
        if built:
            steps.build(layer.trainable_variables)
        arrays = [
            [library.ops.convert_to_tensor(g.astype("float32")) for g in step] for step in gradients
        ]
        steps.apply_gradients(zip(arrays[0], layer.trainable_variables, strict=True))
        steps.apply(arrays[1], layer.trainable_variables)
        steps.apply(arrays[2])
        steps.apply(arrays[3])
        ends.append([np.asarray(w) for w in layer.get_weights()])
    for ours, theirs in zip(ends[1], ends[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_gradients_of_a_program_and_steps_of_fit_are_those_of_one_optimizer() -> None:
    model = nn.Sequential([nn.Input((3,)), nn.Dense(2)])
    model.compile(nn.optimizers.Adam(0.1), "mse")
    model.train_on_batch(X, np.ones((4, 2)))
    before = model.get_weights()
    model.optimizer.apply([np.ones((3, 2)), np.ones(2)], model.trainable_variables)
    assert model.optimizer.iterations == 2
    assert all((a != b).any() for a, b in zip(model.get_weights(), before, strict=True))
    model.train_on_batch(X, np.ones((4, 2)))
    assert model.optimizer.iterations == 3


WRONG_STEPS: dict[str, tuple[Any, str]] = {
    "no pairs": (lambda o, v: o.apply_gradients(5), "expected pairs of a gradient"),
    "no variable": (lambda o, v: o.apply([1.0], [2.0]), "expected variables, each once"),
    "twice": (lambda o, v: o.apply([np.ones(2)] * 2, [v[1], v[1]]), "each once"),
    "none": (lambda o, v: o.apply([None, np.ones(2)], v), "received None"),
    "shape": (lambda o, v: o.apply([np.ones(3), np.ones(2)], v), "expected a gradient of shape"),
    "too few": (lambda o, v: o.apply([np.ones(2)], v), "expected 2 gradients, received 1"),
    "first": (lambda o, v: o.apply([np.ones(2)]), "in the first step"),
    "others": (
        lambda o, v: (o.build(v), o.apply([np.ones(2)], v[1:])),
        r"each of \['dense/kernel', 'dense/bias'\]",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG_STEPS.values(), ids=WRONG_STEPS)
def test_a_step_with_wrong_gradients_says_what_was_expected(call: Any, message: str) -> None:
    layer = nn.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(nn.errors.NNError, match=message):
        call(nn.optimizers.SGD(), layer.trainable_variables)
    for ours, theirs in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("base", [nn.optimizers.Optimizer, nn.optimizers.SGD])
@pytest.mark.parametrize("name", ["update_step", "apply", "apply_gradients"])
def test_what_keras_calls_of_an_optimizer_is_refused_in_a_class_of_your_own(
    base: Any, name: str
) -> None:
    with pytest.raises(nn.errors.ConfigError, match=f"Mine: {name} is not called here"):
        type("Mine", (base,), {name: lambda self, *given: None})


@pytest.mark.parametrize("value", [3.0, 2, True, [1.0, 2.0], np.ones(2, "float32")], ids=str)
def test_a_variable_of_a_number_or_list_is_that_of_keras(value: Any) -> None:
    ours, theirs = nn.Variable(value), keras.Variable(value)
    assert (ours.shape, ours.dtype.name) == (theirs.shape, theirs.dtype)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize("name", ["clear_session", "epsilon", "floatx", "image_data_format"])
def test_the_backend_answers_as_that_of_keras(name: str) -> None:
    assert getattr(nn.backend, name)() == getattr(keras.backend, name)()


def test_another_order_of_axes_for_all_layers_is_refused() -> None:
    nn.backend.set_image_data_format("channels_last")
    with pytest.raises(nn.errors.ConfigError, match="expected 'channels_last'"):
        nn.backend.set_image_data_format("channels_first")


PICTURES = {
    "color": RNG.random((5, 7, 3)) * 300 - 20,
    "gray": RNG.random((5, 7, 1)),
    "with alpha": RNG.integers(0, 255, (5, 7, 4)),
    "all zero": np.zeros((4, 4, 3)),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
@pytest.mark.parametrize("scale", [True, False])
def test_images_are_made_of_arrays_as_in_keras(
    picture: Any, first: bool, scale: bool, tmp_path: Path
) -> None:
    order = "channels_first" if first else "channels_last"
    x = picture.transpose(2, 0, 1) if first else picture
    options = {"data_format": order, "scale": scale}
    with np.errstate(invalid="ignore"):
        ours, theirs = (u.array_to_img(x, **options) for u in (nn.utils, keras.utils))
        assert ours.mode == theirs.mode
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
        nn.utils.save_img(tmp_path / "a.png", x, **options)
    back, again = (
        u.img_to_array(u.load_img(tmp_path / "a.png"), data_format=order)
        for u in (nn.utils, keras.utils)
    )
    assert back.dtype == again.dtype
    np.testing.assert_array_equal(back, again)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "lanczos"])
@pytest.mark.parametrize("mode", ["rgb", "rgba", "grayscale"])
@pytest.mark.parametrize("whole", [True, False])
def test_images_are_read_from_files_as_in_keras(
    interpolation: str, mode: str, whole: bool, tmp_path: Path
) -> None:
    nn.utils.save_img(tmp_path / "a.png", PICTURES["color"])
    options = {"color_mode": mode, "target_size": (4, 3), "interpolation": interpolation}
    ours, theirs = (
        u.load_img(tmp_path / "a.png", keep_aspect_ratio=not whole, **options)
        for u in (nn.utils, keras.utils)
    )
    assert ours.mode == theirs.mode
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_an_array_that_is_no_image_is_refused() -> None:
    with pytest.raises(nn.errors.ShapeError, match="expected 1, 3 or 4 channels"):
        nn.utils.array_to_img(np.zeros((2, 2, 2)))
    with pytest.raises(nn.errors.ShapeError, match="expected three axes"):
        nn.utils.array_to_img(np.zeros((2, 2)))
    with pytest.raises(nn.errors.ConfigError, match="color_mode: expected one of"):
        nn.utils.load_img("a.png", color_mode="cmyk")


ABSENT = [
    ("backend", "get_uid", "nn.ops"),
    ("callbacks", "TensorBoard", "CSVLogger"),
    ("callbacks", "BackupAndRestore", "resume=True"),
    ("layers", "Lambda", "nn.ops"),
    ("utils", "get_file", "pyfetch"),
    ("utils", "image_dataset_from_directory", "parse_image_zip"),
    ("datasets", "cifar10", "mnist alone"),
    ("applications", "VGG16", "EfficientNetLite0"),
    ("", "random", "numpy.random"),
    ("", "mixed_precision", "float32"),
]


@pytest.mark.parametrize(("package", "name", "instead"), ABSENT)
def test_a_name_of_keras_that_is_not_here_says_what_is(
    package: str, name: str, instead: str
) -> None:
    assert hasattr(getattr(keras, package) if package else keras, name)
    place = getattr(nn, package) if package else nn
    assert not hasattr(place, name)
    with pytest.raises(AttributeError, match=rf"no attribute '{name}': .*{instead}"):
        getattr(place, name)


def test_names_of_keras_lie_where_earlier_programs_look_for_them() -> None:
    assert nn.preprocessing.sequence.pad_sequences is nn.utils.pad_sequences
    assert nn.preprocessing.image.load_img is nn.utils.load_img
    assert nn.utils.Sequence is nn.utils.PyDataset
    assert nn.utils.clear_session is nn.backend.clear_session
