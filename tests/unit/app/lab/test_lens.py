"""The lens multiplies and adds what the engine did, and comes to the engine's numbers."""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.images import normalize_digit
from app.lab.images.mnist import Mnist
from app.lab.inside.explanations import KINDS
from app.lab.inside.numbers import exact
from app.lab.lens import PATCH, STEP, Lens
from app.lab.picture import Picture
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.data import Dataset

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: max(x, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
}


class Buckets:
    """What the picture needs of the labelled drawings: a place for the last one."""

    last: Any = None


def looking_at(model: Any, seed: int = 0) -> tuple[Picture, Lens]:
    """Return the picture and the lens of a network that was shown an image."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    mnist = Mnist()
    mnist.use("MNIST", *[Dataset(images, np.array([3, 4], np.uint8))] * 2)
    picture = Picture(mnist, Buckets())  # type: ignore[arg-type]
    picture.show(model)
    return picture, Lens(picture)


def cells(html: str, tag: str) -> list[str]:
    """Return the texts of all elements of a kind."""
    return re.findall(rf"<{tag}(?: [^>]*)?>([^<]*)</{tag}>", html)


def drawn_layers(draw: Any, x: Any) -> Any:
    """Return what one or two drawn layers make of maps."""
    kind = draw(st.sampled_from(["conv", "conv", "max", "mean", "norm", "add", "activation"]))
    padding = draw(st.sampled_from(["same", "valid"]))
    if kind == "conv":
        strides = draw(st.sampled_from([1, 2]))
        groups = draw(st.sampled_from([1, x.shape[-1]]))
        return nn.Conv2D(
            groups * draw(st.integers(1, 5)),
            draw(st.sampled_from([1, 2, 3])),
            strides=strides,
            padding=padding,
            dilation_rate=1 if strides > 1 else draw(st.integers(1, 2)),
            groups=groups,
            use_bias=draw(st.booleans()),
            activation=draw(st.sampled_from(list(ACTIVATIONS))),
        )(x)
    if kind in ("max", "mean"):
        pool = nn.MaxPooling2D if kind == "max" else nn.AveragePooling2D
        return pool(draw(st.integers(2, 3)), draw(st.integers(1, 3)), padding)(x)
    if kind == "norm":
        return nn.BatchNormalization(scale=draw(st.booleans()), center=draw(st.booleans()))(x)
    if kind == "add":
        return nn.Add()([x, nn.Dropout(0.5)(x)])
    return nn.Activation(draw(st.sampled_from(list(ACTIVATIONS))))(x)


@st.composite
def networks(draw: Any) -> nn.Model:
    """Networks for MNIST of the layers that the lens explains, with weights of all sizes."""
    start = x = nn.Input((28, 28, 1))
    for _ in range(draw(st.integers(1, 4))):
        if x.shape[1] > 4:
            x = drawn_layers(draw, x)
    flat = draw(st.sampled_from([nn.Flatten, nn.GlobalAveragePooling2D, nn.GlobalMaxPooling2D]))
    x = nn.Dense(draw(st.integers(2, 40)), activation=draw(st.sampled_from(list(ACTIVATIONS))))(
        flat()(x)
    )
    model = nn.Model(start, nn.Dense(10, activation="softmax")(x))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    for variable in model.variables:
        low = 0.3 if len(variable.shape) == 1 else -0.5
        variable.assign(random.uniform(low, low + 1, variable.shape).astype(np.float32))
    return model


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def near(found: float, wanted: float, terms: int = 2) -> bool:
    """Whether two numbers agree as far as rounding each term to its last digit allows."""
    unit = 0.001 if abs(wanted) < 100 else 0.01 if abs(wanted) < 1000 else 1.0
    return abs(found - wanted) <= 0.5 * unit * (terms + 2) + 1e-5 * abs(wanted)


class Shown:
    """What the lens answered, as numbers."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.sums = [number(text) for _, text in made["sums"]]
        self.labels = [label for label, _ in made["sums"]]
        self.by = dict(zip(self.labels, self.sums, strict=True))
        self.lines = [number(p["value"]) for p in made["parts"] if p["kind"] == "line"]
        self.tables = [p for p in made["parts"] if p["kind"] == "table"]

    def cells(self, table: int) -> list[float]:
        return [number(text) for row in self.tables[table]["rows"] for text in row]

    @property
    def mean(self) -> float:
        """The sum by the count that is written before the result."""
        return self.sums[0] / int(self.labels[1].split()[1])


def weighted(shown: Shown, layer: Any, value: float) -> None:
    """A convolution's or a dense layer's sum, its bias and its activation."""
    if shown.lines:
        assert near(sum(shown.lines), shown.by["sum"], len(shown.lines))
    total = shown.by["sum"] + shown.by.get("+ bias", 0.0)
    z, name = shown.by.get("=", total), layer.activation.name
    assert near(total, z)
    if name == "softmax":
        assert near(shown.sums[-3] / shown.sums[-2], value, 4)
    else:
        assert near(ACTIVATIONS[name](z), value)
    for k in range(0, len(shown.tables), 3):
        for a, b, c in zip(*(shown.cells(k + i) for i in range(3)), strict=True):
            assert abs(a * b - c) <= 0.006 * (1 + abs(a) + abs(b))


def largest(shown: Shown, layer: Any, value: float) -> None:
    [window] = shown.tables
    row, column = window["mark"]
    assert near(number(window["rows"][row][column]), value, 12)


def meant(shown: Shown, layer: Any, value: float) -> None:
    assert near(shown.mean, value)


def normalized(shown: Shown, layer: Any, value: float) -> None:
    x, mean, deviation = shown.sums[:3]
    gamma, beta = shown.by.get("\u00d7 gamma", 1.0), shown.by.get("+ beta", 0.0)
    assert abs((x - mean) / deviation * gamma + beta - value) < 0.01 * (1 + abs(value))


def added(shown: Shown, layer: Any, value: float) -> None:
    assert near(sum(shown.lines), value)


def activated(shown: Shown, layer: Any, value: float) -> None:
    assert near(ACTIVATIONS[layer.activation.name](shown.sums[0]), value)


def unchanged(shown: Shown, layer: Any, value: float) -> None:
    assert near(shown.sums[-1], value)


CHECKS = {
    "Activation": activated,
    "Add": added,
    "AveragePooling2D": meant,
    "BatchNormalization": normalized,
    "Conv2D": weighted,
    "Dense": weighted,
    "Dropout": unchanged,
    "Flatten": added,
    "GlobalAveragePooling2D": meant,
    "GlobalMaxPooling2D": unchanged,
    "MaxPooling2D": largest,
}


@settings(max_examples=40)
@given(networks(), st.integers(0, 99))
def test_the_sum_shown_comes_to_the_engines_number(model: nn.Model, seed: int) -> None:
    picture, lens = looking_at(model)
    assert picture.activations is not None
    random = np.random.default_rng(seed)
    for node in picture.activations.nodes:
        output = picture.activations.of(node)
        sides = output.shape if output.ndim == 3 else (1, output.shape[0], 1)
        for _ in range(3):
            row, column, channel = random.integers(0, sides).tolist()
            value = float(output.reshape(sides)[row, column, channel])
            made = lens.at(node.layer.name, channel, row, column)
            assert made is not None
            assert [made["rows"], made["columns"], made["maps"]] == list(sides)
            assert made["sums"][-1][1] == made["value"] == exact(value)
            CHECKS[type(node.layer).__name__](Shown(made), node.layer, value)
            seen = lens.look(node.layer.name, channel, row, column)
            assert seen is not None
            tables = [part["rows"] for part in made["parts"] if part["kind"] == "table"]
            assert cells(seen["parts"], "td") == [text for t in tables for row in t for text in row]
            assert cells(seen["sums"], "b") == [value for _, value in made["sums"]]
            before = [t.node.layer.name for t in node.inputs]
            assert {part["layer"] for part in made["reads"]} <= set(before)


@pytest.mark.parametrize("kind", ["Conv1D", "MaxPooling1D", "AveragePooling1D", "Conv2D"])
def test_sequences_and_channels_first_are_explained_too(kind: str) -> None:
    start = nn.Input((28, 28, 1))
    if kind == "Conv2D":
        turned = nn.layers.Permute((3, 1, 2))(start)
        x = nn.Conv2D(3, 3, data_format="channels_first", activation="relu", name="asked")(turned)
    else:
        x = nn.layers.Reshape((28, 28))(start)
        x = (
            nn.Conv1D(3, 3, name="asked")(x)
            if kind == "Conv1D"
            else getattr(nn, kind)(2, name="asked")(x)
        )
    model = nn.Model(start, nn.Dense(10, activation="softmax")(nn.Flatten()(x)))
    picture, lens = looking_at(model)
    assert picture.activations is not None
    output = picture.activations.of(picture.activations.named("asked"))
    made = lens.at("asked", 2, 4, 5) if kind == "Conv2D" else lens.at("asked", 0, 4, 2)
    assert made is not None
    value = float(output[2, 4, 5] if kind == "Conv2D" else output[4, 2])
    assert made["value"] == exact(value)
    by = {label: number(text) for label, text in made["sums"]}
    if kind.startswith("Conv"):
        total = by["sum"] + by["+ bias"]
        assert near(max(total, 0.0) if kind == "Conv2D" else total, value)
    assert type(model.get_layer("asked")).__name__ in KINDS


def small() -> nn.Model:
    nn.set_random_seed(3)
    return nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(4, 5, strides=2, activation="relu"),
            nn.Flatten(),
            nn.Dense(10, activation="softmax"),
        ]
    )


def test_other_weights_are_looked_at_without_another_image() -> None:
    model = small()
    picture, lens = looking_at(model)
    assert picture.activations is not None
    output = picture.activations.of(picture.activations.named("conv2d"))
    row, column, channel = map(int, np.unravel_index(output.argmax(), output.shape))
    first = lens.at("conv2d", channel, row, column)
    for variable in model.variables:
        variable.assign(variable.value * np.float32(2))
    second = lens.at("conv2d", channel, row, column)
    assert first is not None
    assert second is not None
    assert near(2 * number(first["value"]), number(second["value"]))
    assert first["value"] != second["value"]


def test_what_does_not_exist_is_refused_with_the_range() -> None:
    model = small()
    picture, lens = looking_at(model)
    with pytest.raises(ValueError, match="expected the name of a layer, received 'none'"):
        lens.at("none", 0, 0, 0)
    with pytest.raises(ValueError, match="map: expected 0 to 3, received 4"):
        lens.at("conv2d", 4, 0, 0)
    with pytest.raises(ValueError, match="column: expected 0 to 11, received -1"):
        lens.at("conv2d", 0, 0, -1)
    picture.activations = None
    assert lens.at("conv2d", 0, 0, 0) is None


def test_a_map_comes_whole() -> None:
    model = small()
    _, lens = looking_at(model)
    found, flat = lens.at("conv2d", 3, 0, 0), lens.at("flatten", 0, 0, 575)
    assert found is not None
    assert flat is not None
    assert found["rgba"].shape == (12, 12, 4)
    assert found["title"] == "conv2d, map 4 of 4, row 1, column 1"
    assert flat["rgba"].shape == (1, 576, 4)


def test_covering_a_part_says_what_speaks_for_the_answer() -> None:
    model = small()
    picture, lens = looking_at(model)
    found = asyncio.run(lens.why(model))
    assert found is not None
    assert found["rgba"].shape == (28, 28, 4)
    assert found["rgba"][..., 3].max() == 255
    image = picture.image.astype(np.float32)[None, ..., None] / 255

    def sure(image: Any) -> float:
        return float(asyncio.run(model.predict(image))[0][found["digit"]])

    falls = {}
    for r in range(0, 28 - PATCH + 2, STEP):
        for c in range(0, 28 - PATCH + 2, STEP):
            covered = image.copy()
            covered[:, r : r + PATCH, c : c + PATCH] = 0
            falls[r, c] = sure(image) - sure(covered)
    r, c = max(falls, key=lambda place: abs(falls[place]))
    middle = found["rgba"][r + PATCH // 2, c + PATCH // 2]
    inks = picture.inks["blue" if falls[r, c] > 0 else "rust"]
    assert middle[:3].tolist() == list(inks)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(12, 60), st.integers(12, 60))
@settings(max_examples=30)
def test_the_image_lies_on_the_pad_where_it_was_drawn(
    top: int, left: int, height: int, width: int
) -> None:
    ink = np.zeros((128, 128), np.uint8)
    ink[top : top + height, left : left + width] = 255
    frame, image = normalize_digit.frame(ink), normalize_digit.from_drawing(ink)
    assert frame is not None
    assert image is not None
    x, y, wide, high = (128 * share for share in frame)
    rows, columns = np.nonzero(image)
    pixel = wide / 28
    assert abs(y + rows.min() * high / 28 - top) <= 1.5 * pixel
    assert abs(x + columns.min() * pixel - left) <= 1.5 * pixel
    assert abs(x + (columns.max() + 1) * pixel - left - width) <= 1.5 * pixel
