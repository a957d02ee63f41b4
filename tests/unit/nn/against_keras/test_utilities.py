"""`nn.utils`, `nn.backend` and models as JSON against Keras' own, and names that are not here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SEQUENCES = st.lists(st.lists(st.integers(-5, 5), max_size=5), min_size=1, max_size=4)
SIDES = st.sampled_from(["pre", "post"])


@settings(settings.get_profile("oracles"), max_examples=50)
@given(
    sequences=SEQUENCES,
    maxlen=st.none() | st.integers(1, 6),
    padding=SIDES,
    truncating=SIDES,
    value=st.integers(-1, 1),
)
def test_pads_sequences_as_keras(sequences: Any, **options: Any) -> None:
    ours = nn.utils.pad_sequences(sequences, **options)
    theirs = keras.utils.pad_sequences(sequences, **options)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (2, 3), (2, 3, 1)], ids=str)
@pytest.mark.parametrize("classes", [None, 7])
def test_encodes_classes_as_keras(shape: Any, classes: Any) -> None:
    labels = np.random.default_rng(0).integers(0, 4, shape)
    ours = nn.utils.to_categorical(labels, classes)
    theirs = keras.utils.to_categorical(labels, classes)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(nn.errors.ShapeError, match="expected labels from 0 to 1"):
        nn.utils.to_categorical([0, 2], 2)


@pytest.mark.parametrize(("axis", "order"), [(-1, 2), (1, 1)])
def test_scales_rows_as_keras(axis: int, order: int) -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)) * [[0], [1], [2]]
    np.testing.assert_allclose(
        nn.utils.normalize(x, axis, order), keras.utils.normalize(x, axis, order), rtol=1e-6
    )


def test_models_go_to_keras_and_back_as_json() -> None:
    def build(library: Any, layers: Any) -> Any:
        x = library.Input((4,), name="x")
        return library.Model(x, layers.Dense(2, activation="tanh", name="end")(x), name="m")

    theirs = keras.models.model_from_json(build(nn, nn.layers).to_json())
    assert theirs.get_layer("end").activation is keras.activations.tanh
    text = build(keras, keras.layers).to_json()
    ours = nn.models.model_from_json(text)
    assert [layer.name for layer in ours.layers] == ["x", "end"]
    assert json.loads(ours.to_json(indent=1))["config"]["name"] == "m"


@pytest.mark.parametrize("name", ["clear_session", "epsilon", "floatx", "image_data_format"])
def test_the_backend_answers_as_that_of_keras(name: str) -> None:
    assert getattr(nn.backend, name)() == getattr(keras.backend, name)()


def test_another_order_of_axes_for_all_layers_is_refused() -> None:
    nn.backend.set_image_data_format("channels_last")
    with pytest.raises(nn.errors.ConfigError, match="expected 'channels_last'"):
        nn.backend.set_image_data_format("channels_first")


DRAWN = np.random.default_rng(5)
PICTURES = {
    "color": DRAWN.random((5, 7, 3)) * 300 - 20,
    "gray": DRAWN.random((5, 7, 1)),
    "with alpha": DRAWN.integers(0, 255, (5, 7, 4)),
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
