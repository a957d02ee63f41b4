"""Classes made on the page: what is deleted comes back, and each picture becomes an image."""

import asyncio
import json
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.glance import Glance
from app.lab.images.features import Features
from app.lab.images.import_data import OwnDataError, framed
from app.lab.images.mnist import Mnist
from app.lab.own import FEWEST, MOST, SIDE, Own, Taken, sets
from app.lab.picture import Picture
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.app.lab.test_picture import Buckets
from tools import photographs


class Data:
    """What takes the classes: it makes them, as `lab.data` does, and keeps what came."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()

    async def use(self, name: str, source: Any, *, convertible: bool) -> None:
        train, self.test = await source(None)
        self.shape = train.shape


async def decode(url: str) -> Any:
    if url != "picture":
        raise ValueError("not a picture")
    return np.full((40, 30, 3), 200, np.uint8)


def made(*counts: int) -> Own:
    """Classes with so many pictures each, of a grey of its own each."""
    own = Own(Data(), None, decode)  # type: ignore[arg-type]
    for count in counts:
        number = own.add_class()["classes"][-1]["number"]
        for _ in range(count):
            own.add(number, np.full(SIDE * SIDE * 4, 40 * number % 256, np.uint8))
    return own


def seen(own: Own) -> str:
    rows = own.listing()["classes"]
    return json.dumps(
        [[c["number"], c["name"], [p["number"] for p in c["pictures"]]] for c in rows]
    )


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.data())
def test_undo_brings_back_what_was_deleted_last_first(counts: list[int], data: Any) -> None:
    own = made(*counts)
    before = []
    for _ in range(data.draw(st.integers(1, 6))):
        pictures = [(c.number, t.number) for c in own.classes for t in c.pictures]
        choices = [*pictures, *((c.number, None) for c in own.classes)]
        if not choices:
            break
        before.append(seen(own))
        number, picture = data.draw(st.sampled_from(choices))
        if picture is None:
            own.remove_class(number)
        else:
            own.remove(number, picture)
    for listing in reversed(before):
        assert own.listing()["undo"]
        own.undo()
        assert seen(own) == listing
    assert not own.listing()["undo"]
    assert seen(own) == before[0]
    own.undo()
    assert seen(own) == before[0]


@pytest.mark.parametrize("counts", [(3, 10, 4)])
@pytest.mark.parametrize("form", [None, (28, 1), (32, 3), (64, 1), (96, 3)])
def test_every_class_has_images_to_learn_from_and_to_test_with(counts: Any, form: Any) -> None:
    own = made(*counts)
    train, test = sets([(c.name, c.pictures) for c in own.classes], form)
    assert len(train) + len(test) == sum(counts)
    assert all(train.class_counts()[k] > test.class_counts()[k] for k in range(len(counts)))
    assert train.class_names == test.class_names == [c.name for c in own.classes]
    side, channels = form or (96, 1)  # grey pictures
    assert train.shape == test.shape == (side, side, channels)


def test_a_drawing_is_an_image_as_the_pad_reads_it() -> None:
    own = made(0, 0)
    ink = np.zeros((140, 140, 4), np.uint8)
    ink[20:120, 60:80, 3] = 255
    for one in own.classes:
        for _ in range(FEWEST):
            own.draw(one.number, ink.reshape(-1), 140)
    train, _ = sets([(c.name, c.pictures) for c in own.classes])
    assert train.shape == (28, 28, 1)
    rows = np.flatnonzero(train.x[0].max(axis=(1, 2)) > 127)
    assert (rows[0], rows[-1]) == (4, 23), "20 pixels high, in the middle, as MNIST's digits"
    with pytest.raises(OwnDataError, match="Nothing is drawn"):
        own.draw(own.classes[0].number, np.zeros(140 * 140 * 4, np.uint8), 140)


@pytest.mark.parametrize(
    ("counts", "words"),
    [((), "Two classes"), ((9,), "Two classes"), ((9, 2), "class 2 has 2"), ((0, 9), "1 has 0")],
)
def test_too_few_classes_or_pictures_are_said(counts: Any, words: str) -> None:
    own = made(*counts)
    with pytest.raises(OwnDataError, match=words):
        asyncio.run(own.use())


@pytest.mark.parametrize(
    ("name", "words"), [("", "needs a name"), (" \t", "needs a name"), ("class 2", "already")]
)
def test_a_wrong_name_is_refused_and_the_last_one_stays(name: str, words: str) -> None:
    own = made(1, 1)
    with pytest.raises(OwnDataError, match=words):
        own.rename(own.classes[0].number, name)
    assert [one.name for one in own.classes] == ["class 1", "class 2"]
    assert own.rename(own.classes[0].number, "  a   mug ") == "a mug"


def test_files_are_taken_all_or_none_and_a_class_is_full_at_some_time() -> None:
    own = made(MOST - 1, 0)
    first, second = (one.number for one in own.classes)
    with pytest.raises(OwnDataError, match=r"b\.txt is no picture: not a picture"):
        asyncio.run(own.add_files(second, ["a.png", "b.txt"], ["picture", "text"]))
    assert not own.classes[1].pictures
    asyncio.run(own.add_files(second, ["a.png", "c.png"], ["picture", "picture"]))
    assert len(own.classes[1].pictures) == 2
    with pytest.raises(OwnDataError, match="are enough"):
        asyncio.run(own.add_files(first, ["a.png", "b.png"], ["picture", "picture"]))
    assert len(own.classes[0].pictures) == MOST - 1
    with pytest.raises(OwnDataError, match="expected 96 x 96 RGBA"):
        own.add(second, np.zeros(12, np.uint8))
    for _ in range(8):
        own.add_class()
    with pytest.raises(OwnDataError, match="are the most"):
        own.add_class()


def test_ten_pictures_a_class_are_enough_for_features(native: Any) -> None:
    """Crops of three photographs: one layer on features reads all that were kept aside."""
    names = ["chelsea.png", "coffee.png", "rocket.jpg"]
    crops = [(name, np.asarray(crop)) for name, crop in photographs.crops() if name in names]
    pictures = [
        (name, [Taken(0, framed(crop, SIDE, 3), False) for other, crop in crops if other == name])
        for name in names
    ]
    assert [len(held) for _, held in pictures] == [10, 10, 10]
    features, mnist = Features(), Mnist()

    async def learn() -> Any:
        await features.load(str(photographs.ROOT / "static/vendor/applications"))
        train, test = (features.featured(data) for data in sets(pictures, (SIDE, 3)))
        mnist.use("own", train, test, features.of)
        nn.set_random_seed(1)
        head = nn.Sequential([nn.Input(train.shape), nn.Dense(3, activation="softmax")])
        head.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        await head.fit(train, epochs=20, batch_size=32)
        return head, await Glance(mnist).answers(head)

    head, answers = asyncio.run(learn())
    assert len(answers) == 6
    assert all(one["truth"] == one["answer"] for one in answers)
    images, labels = mnist.training_images(np.arange(5))
    mnist.add(images, labels)
    assert len(mnist.train) == 29
    assert np.allclose(mnist.train.x[:5], mnist.train.x[5:10], atol=1e-5)
    assert mnist.train.take(7).x.shape == (7, 1280)
    assert Picture(mnist, Buckets()).show(head)["truth"] in names  # type: ignore[arg-type, index]


def test_no_module_but_that_of_the_data_decides_how_a_network_takes_pictures() -> None:
    found = {
        path.name
        for path in (photographs.ROOT / "py/app/lab").rglob("*.py")
        if "scaled(" in path.read_text()
    }
    assert found == {"mnist.py"}
