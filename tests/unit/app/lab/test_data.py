"""Costs, precisions and hints, as the page's worker finds them."""

from types import SimpleNamespace

import nn
import numpy as np
import pytest
from app.lab import precisions
from app.lab.analysis import Analysis
from app.lab.images.hints import hints
from nn.data import Dataset


def data(labels, repeated=0):
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (len(labels), 28, 28, 1), dtype=np.uint8)
    x[:repeated] = x[0]
    train = Dataset(x, np.array(labels, np.uint8), scale=1 / 255)
    test = Dataset(x[-4:] // 2, np.zeros(4, np.uint8), scale=1 / 255)
    return SimpleNamespace(train=train, test=test)


def model():
    nn.set_random_seed(1)
    layers = [nn.Conv2D(4, 3, activation="relu"), nn.Flatten(), nn.Dense(10, activation="softmax")]
    return nn.Sequential([nn.Input((28, 28, 1)), *layers])


def found_in(sets):
    return hints(sets.train, sets.test)


def test_a_profile_has_a_row_for_each_layer_and_its_shares_are_one():
    rows = Analysis(data([0] * 20), None).profile(model(), 8)
    assert len(rows) == 3
    assert sum(row["share"] for row in rows) == pytest.approx(1)


@pytest.mark.asyncio
async def test_fewer_bits_are_fewer_bytes():
    rows = await precisions.compare(model(), data([0] * 20).test)
    octets = {row["kind"]: row["octets"] for row in rows}
    assert octets["uint8"] < 0.3 * octets["float32"] < octets["float16"] < octets["float32"]
    assert all(0 <= row["accuracy"] <= 1 for row in rows)


def test_an_unknown_precision_is_refused_by_name():
    with pytest.raises(ValueError, match=r"expected one of float32, .* received 'uint4'"):
        precisions.rounded(model(), "uint4")


def test_even_data_without_copies_give_no_hint():
    assert found_in(data([0, 1] * 10)) == []


def test_uneven_data_are_called_so():
    [hint] = found_in(data([0] * 18 + [1, 1]))
    assert hint.startswith("Class 0 has 9 times the images of class 1")


def test_a_class_without_images_is_named():
    [hint] = found_in(data([0] * 10 + [2] * 10))
    assert hint == "Class 1 has no training image."


def test_copies_and_test_images_among_the_training_images_are_counted():
    found = data([0, 1] * 10, repeated=3)
    found.test = Dataset(found.train.x[-4:], np.zeros(4, np.uint8))
    copies, shared = found_in(found)
    assert copies == "Training images that are copies of others: 2."
    assert shared.startswith("Test images that are among the training images: 4.")
