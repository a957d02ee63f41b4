"""The picture shows the engine's own numbers, and says only what has changed."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.images.mnist import Mnist
from app.lab.inside import reporting
from app.lab.inside.colours import LIGHT
from app.lab.network import Network
from app.lab.picture import Picture
from app.state.architectures import PRESETS, layers_of
from nn.data import Dataset

ENDS = [20.0 + 36 * k for k in range(10)]
INKS = {name: [float(v) for v in LIGHT[name]] for name in LIGHT}


class Buckets:
    """What the picture needs of the labelled drawings: a place for the last one."""

    last: Any = None


@pytest.fixture
def picture() -> Picture:
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (40, 28, 28, 1), dtype=np.uint8)
    data = Dataset(images, random.integers(0, 10, 40).astype(np.uint8))
    mnist = Mnist()
    mnist.use("MNIST", data, data)
    return Picture(mnist, Buckets())  # type: ignore[arg-type]


def place(**more: Any) -> dict[str, Any]:
    return {"width": 840, "height": 400, "ends": ENDS, "middle": 150, **more}


def mixed(value: float, largest: float, up: str) -> list[int]:
    """The colour of a value, as `colours` describes it."""
    share = min(1.0, round(255 * abs(value) / largest) / 255) ** 0.75
    tile, ink = INKS["tile"], INKS["rust" if value < 0 else up]
    return [round(a + (b - a) * share) for a, b in zip(tile, ink, strict=True)]


def canvas(report: dict[str, Any], layer: dict[str, Any]) -> Any:
    width, height = layer["canvas"]
    part = report["rgba"][layer["offset"] : layer["offset"] + 4 * width * height]
    return part.reshape(height, width, 4)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("down", [False, True])
def test_each_pixel_has_the_colour_of_the_engines_number(
    picture: Picture, preset: str, down: bool
) -> None:
    model = Network().build(layers_of(preset), seed=4)
    drawing = picture.drawing(model, place(down=down, width=358 if down else 840))
    report = picture.show(model)
    assert report is not None
    image = picture._mnist.test.x[:1].astype(np.float32) / 255
    checked = 0
    for layer in drawing["layers"]:
        if layer["canvas"][0] == 0 or layer["kind"] == "InputLayer":
            continue
        part = nn.Model(model.inputs, model.get_layer(layer["name"]).output)
        output = part.run([image])[0][0]
        pixels = canvas(report, layer)
        if layer["units"]:
            if layer["cells"] == layer["units"]:
                shown = pixels.reshape(-1, 4)
                wanted = [mixed(v, np.abs(output).max(), "blue") for v in output]
                assert np.abs(shown[:, :3].astype(int) - wanted).max() <= 1
                checked += 1
            continue
        maps, largest = output[..., layer["maps"]], 0.0
        side = output.shape[0]
        unit = layer["tile"][0] / side
        if unit < 1:
            continue  # several values a pixel: the next test
        largest = np.abs(maps).max()
        for tile in (0, len(layer["maps"]) - 1):
            x, y = (round(v / unit) for v in layer["tiles"][2 * tile : 2 * tile + 2])
            shown = pixels[y : y + side, x : x + side]
            assert (shown[..., 3] == 255).all()
            for row, column in ((0, 0), (side // 2, side // 3), (side - 1, side - 1)):
                wanted = mixed(maps[row, column, tile], largest, "blue")
                assert np.abs(shown[row, column, :3].astype(int) - wanted).max() <= 1
                checked += 1
    assert checked or preset in ("mlp", "ort")


def test_the_answer_is_the_networks(picture: Picture) -> None:
    model = Network().build(layers_of("small"), seed=1)
    report = picture.show(model)
    assert report is not None
    assert report["number"] == 0  # nothing was drawn yet
    wanted = asyncio.run(model.predict(picture._mnist.test.x[:1].astype(np.float32) / 255))[0]
    np.testing.assert_allclose(report["answer"]["probabilities"], wanted, rtol=1e-5)
    assert report["answer"]["digit"] == int(wanted.argmax())
    assert picture.show(model, np.zeros(4 * 28 * 28, np.uint8), 28) is None  # no ink


def test_a_report_holds_the_strength_of_every_wire(picture: Picture) -> None:
    model = Network().build(layers_of("small"), seed=1)
    drawing = picture.drawing(model, place())
    groups = drawing["svg"].count('<g class="source"')
    paths = drawing["svg"].count("<path") - drawing["svg"].count('class="neck"')
    into = [f'data-to="{len(drawing["layers"]) - 1}/{digit}"' for digit in range(10)]
    assert len(drawing["ends"]) == sum(drawing["svg"].count(words) for words in into)
    report = picture.show(model)
    assert report is not None
    assert report["number"] == drawing["number"]
    strengths = report["strengths"]
    assert strengths.dtype == np.float32
    lit, widths = np.split(strengths, [groups + len(drawing["ends"])])
    assert ((lit >= 0) & (lit <= 1)).all()
    assert lit.any()
    assert len(widths) == paths
    drawn = re.findall(
        r'<path(?: class="(neg)?[ a-z]*")?[^>]*style="--w:([\d.]+)px"', drawing["svg"]
    )
    wanted = [-float(width) if sign else float(width) for sign, width in drawn]
    np.testing.assert_allclose(widths, wanted, atol=0.006)
    kernel = model.layers[-1].kernel
    kernel.assign(-kernel.value)
    turned = picture.show(model)
    assert turned is not None
    after = np.split(turned["strengths"], [groups + len(drawing["ends"])])[1]
    np.testing.assert_array_equal(np.abs(after), np.abs(widths))
    ends = np.zeros(paths, bool)
    ends[drawing["ends"]] = True
    np.testing.assert_array_equal(after < 0, (widths < 0) ^ ends)


def test_a_run_is_reported_as_it_goes_and_no_longer_after_rest(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting.time, "perf_counter", lambda: 1000.0)  # one moment for all
    model = Network().build(layers_of("small"), seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    data = picture._mnist.train
    reports: list[Any] = []

    async def on_report(report: dict[str, Any]) -> None:
        assert not busy
        busy.append(True)
        await asyncio.sleep(0)
        busy.clear()
        reports.append(report)

    busy: list[bool] = []

    async def run() -> None:
        await model.fit(data, epochs=1, batch_size=8, callbacks=[picture.reporter], verbose=0)
        if picture.reporter._sending is not None:
            await picture.reporter._sending

    picture.drawing(model, place())
    picture.show(model)
    picture.follow(model, on_report)
    asyncio.run(run())
    assert len(reports) == 2  # of the first batch, and of the last weights
    shown = picture.show(model)
    assert shown is not None
    assert np.array_equal(shown["rgba"], reports[-1]["rgba"])  # the last weights were shown
    picture.rest()
    asyncio.run(run())
    assert len(reports) == 2
    assert reporting.INTERVAL >= 1 / 12


def test_a_network_of_the_data_before_is_shown_nothing_of_the_new_ones(picture: Picture) -> None:
    layers = [nn.Conv2D(8, 3), nn.Flatten(), nn.Dense(10, activation="softmax")]
    model = nn.Sequential([nn.Input((28, 28, 1)), *layers])
    assert picture.show(model) is not None
    data = Dataset(np.zeros((4, 64, 64, 3), np.uint8), np.zeros(4, np.uint8))
    picture._mnist.use("colours", data, data)
    assert picture.show(model) is None
