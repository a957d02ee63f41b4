"""Classes made on the page: what is deleted comes back, and each picture becomes an image."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.browser import downloads
from app.lab.classes import FEWEST
from app.lab.data import Data
from app.lab.glance import Glance
from app.lab.images.features import Features
from app.lab.images.import_data import OwnDataError, framed
from app.lab.images.mnist import Mnist
from app.lab.images.project import ProjectError
from app.lab.kept_classes import LIST, MOST, SIDE, Taken
from app.lab.network import Network
from app.lab.own import Own, sets
from app.lab.picture import Picture
from app.lab.projects import Projects
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rows import Store
from tests.unit.app.lab.test_picture import Buckets
from tools import photographs


async def decode(url: str) -> Any:
    if url != "picture":
        raise ValueError("not a picture")
    return np.full((40, 30, 3), 200, np.uint8)


def made(*counts: int, store: Store | None = None) -> Own:
    """Classes with so many pictures each, of a grey of its own each."""
    data = Data(Mnist(), lambda: None)
    own = Own(data, None, decode, store or Store())  # type: ignore[arg-type]
    for count in counts:
        number = own.add_class()["classes"][-1]["number"]
        for _ in range(count):
            own.add(number, grey(40 * number % 256))
    return own


def grey(value: int) -> Any:
    """A picture of the camera, as the page sends it."""
    return np.full(SIDE * SIDE * 4, value, np.uint8)


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


UNREAD = ["svg", "SVG", "tif", "heic", "txt"]


def add(own: Own, number: int, files: dict[str, str]) -> str:
    """Add files, given by name as what is at their addresses; what is said of those left out."""
    found = asyncio.run(own.add_files(number, list(files), list(files.values())))
    assert found.keys() == own.listing().keys() | {"refused"}
    return str(found["refused"])


def test_files_that_are_pictures_are_taken_and_others_are_named() -> None:
    own = made(MOST - 1, 0)
    first, second = (one.number for one in own.classes)
    for name, words in (
        ("b.png", "cannot be read: not a picture"),
        *((f"b.{kind}", "is no picture that can be read: expected .png") for kind in UNREAD),
    ):
        assert add(own, second, {name: "text"}).startswith(f"{name} {words}")
    assert not own.classes[1].pictures
    assert add(own, second, {"a.png": "picture", "c.png": "picture"}) == ""
    files = {f"{n}.png": "text" if n % 2 else "picture" for n in range(9)}
    assert add(own, second, files) == (
        "Left out, 4 of 9 files: 1.png, 3.png, 5.png, …. 1.png cannot be read: not a picture"
    )
    assert len(own.classes[1].pictures) == 7
    full = "Left out, 2 of 3 files: b.png, c.png. 500 pictures of a class are enough."
    assert add(own, first, {f"{name}.png": "picture" for name in "abc"}) == full
    assert len(own.classes[0].pictures) == MOST
    own.remove_class(first)
    assert "expected one of 1 classes" in add(own, first, {"a.png": "picture"})


def test_no_more_pictures_and_classes_are_taken_than_a_page_shows() -> None:
    own = made(0, 0)
    second = own.classes[1].number
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


def held(own: Own) -> list[Any]:
    return [
        [one.name, [(taken.image.tobytes(), taken.drawn) for taken in one.pictures]]
        for one in own.classes
    ]


@pytest.mark.promise("The page: data", "Classes are kept over a reload until they are deleted")
@settings(max_examples=30)
@given(st.lists(st.integers(0, 4), max_size=4), st.data())
def test_another_page_finds_what_was_there_at_the_last_change(counts: list[int], data: Any) -> None:
    store = Store()
    own = made(*counts, store=store)
    for _ in range(data.draw(st.integers(0, 5))):
        one = data.draw(st.sampled_from(own.classes)) if own.classes else None
        change = data.draw(st.sampled_from(["save", "undo", "class", "picture", "draw", "rename"]))
        if change == "save":
            assert asyncio.run(own.save(features=False)) == ""
        elif change == "undo":
            own.undo()
        elif one is not None and change == "class":
            own.remove_class(one.number)
        elif one is not None and change == "picture" and one.pictures:
            own.remove(one.number, one.pictures[0].number)
        elif one is not None and change == "draw":
            ink = np.full((140, 140, 4), 255, np.uint8)
            own.draw(one.number, ink.reshape(-1), 140)
        elif one is not None and change == "rename":
            own.rename(one.number, data.draw(st.text(st.characters(codec="utf-8"), min_size=1))
                       .strip() or "x") if len(own.classes) == 1 else None  # fmt: skip
    changes = store.changes
    assert asyncio.run(own.save(features=True)) == ""
    assert store.changes == changes + 1, "pictures and list change together, or a closed page lost"
    pictures = sum(len(one.pictures) for one in own.classes)
    assert len(store.rows) == pictures + bool(own.classes), "what is deleted is not kept"
    other = made(store=store)
    listing = asyncio.run(other.restore())
    assert listing["features"] == bool(own.classes)
    assert held(other) == held(own)
    numbers = [taken.number for one in other.classes for taken in one.pictures]
    assert len(set(numbers)) == len(numbers) == pictures
    assert asyncio.run(other.save(features=False)) == ""
    assert len(store.rows) == pictures + bool(own.classes), "no picture is kept twice"
    other.remove_all()
    assert asyncio.run(other.save(features=False)) == ""
    assert not store.rows
    other.undo()
    assert held(other) == held(own)


@pytest.mark.promise("The page: data", "Classes are kept over a reload until they are deleted")
@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.booleans()), max_size=16))
def test_tabs_keep_each_other_s_pictures_and_delete_their_own(
    turns: list[tuple[int, str, bool]],
) -> None:
    store = Store()
    tabs = [made(store=store) for _ in range(3)]
    kept: set[tuple[str, int]] = set()  # class and grey of each picture that was not deleted
    for value, (tab, name, deletes) in enumerate(turns):
        own = tabs[tab]
        one = next((c for c in own.classes if c.name == name), None)
        if deletes and one is not None and one.pictures:
            kept.discard((name, int(one.pictures[0].image.flat[0])))
            own.remove(one.number, one.pictures[0].number)
        else:
            if one is None:
                own.rename(own.add_class()["classes"][-1]["number"], name)
                one = own.classes[-1]
            own.add(one.number, grey(value))
            kept.add((name, value))
        assert asyncio.run(own.save(features=False)) == ""
        assert len(store.rows) == len(kept) + (LIST in store.rows), "what is deleted is not kept"
    later = made(store=store)
    asyncio.run(later.restore())
    found = [(c.name, int(t.image.flat[0])) for c in later.classes for t in c.pictures]
    assert sorted(found) == sorted(kept)


def test_damaged_rows_are_left_out_and_the_rest_comes_back() -> None:
    store = Store()
    assert asyncio.run(made(2, 1, store=store).save(features=False)) == ""
    first, second, third = (name for name in store.rows if name != LIST)
    store.rows[second] = (b"short", {"drawn": False})
    store.rows["left behind"] = (bytes(SIDE * SIDE * 3), {})
    own = made(store=store)
    asyncio.run(own.restore())
    assert [len(one.pictures) for one in own.classes] == [1, 1]
    assert set(store.rows) == {first, third, LIST}
    asyncio.run(own.restore())
    assert [len(one.pictures) for one in own.classes] == [1, 1], "they come back once"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"classes": 3}', '{"classes": [["a"]]}', '{"classes": [["", []]]}',
     '{"classes": [[" ", []]], "features": 1}'],
)  # fmt: skip
def test_a_damaged_list_is_no_list(text: str) -> None:
    store = Store()
    store.rows[LIST] = (b"", {"text": text})
    own = made(store=store)
    assert asyncio.run(own.restore()) == {"classes": [], "undo": False, "features": False}


def test_a_full_storage_is_said_and_the_classes_stay() -> None:
    store = Store(room=3)
    own = made(1, 1, store=store)
    assert asyncio.run(own.save(features=False)) == ""
    kept = store.rows
    own.add(own.classes[0].number, grey(7))
    before = held(own)
    assert asyncio.run(own.save(features=False)) == "the browser's storage is full"
    assert held(own) == before
    assert store.rows == kept, "nothing of the new is kept, and all of the old"
    store.room = 10
    assert asyncio.run(own.save(features=False)) == ""
    other = made(store=store)
    asyncio.run(other.restore())
    assert held(other) == before


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Files by their addresses, in place of a browser's."""
    kept: dict[str, bytes] = {}

    def object_url(content: bytes) -> str:
        kept[address := f"blob:{len(kept)}"] = content
        return address

    async def download(url: str) -> bytes:
        return kept[url]

    monkeypatch.setattr(downloads, "object_url", object_url)
    monkeypatch.setattr(downloads, "download", download)
    return kept


def projects(own: Own) -> Projects:
    return Projects(own._data._mnist, own._data, own)


def network(own: Own) -> Any:
    counts = own._data.counts()
    layers = [("Flatten", {}), ("Dense", {"units": len(counts["names"]), "activation": "softmax"})]
    return Network().build(layers, 1, 0.0, tuple(counts["shape"]))


def rename(own: Own) -> None:
    own.rename(own.classes[0].number, "a mug")


def more(own: Own) -> None:
    own.add(own.classes[1].number, grey(99))


def train(own: Own) -> None:
    asyncio.run(own.use())


def draw(own: Own) -> None:
    ink = np.full((140, 140, 4), 255, np.uint8)
    own.draw(own.classes[0].number, ink.reshape(-1), 140)


def back(own: Own) -> None:
    own._data.restore()


def keep(own: Own) -> None:
    assert asyncio.run(own.save(features=True)) == ""


STEPS: dict[str, tuple[list[Callable[[Own], None]], bool]] = {
    "not trained on yet": ([], True),
    "drawn, with features": ([draw, keep], True),
    "trained on": ([train], False),
    "trained on, and more": ([train, more], True),
    "trained on, and renamed": ([train, rename], True),
    "trained on, and a class added": ([train, lambda own: own.add_class() and None], True),
    "trained on, and a picture deleted": ([train, lambda own: own.remove(1, 2) and None], True),
    "trained on twice": ([train, more, train], False),
    "trained on, and back to digits": ([train, more, back], True),
}


@pytest.mark.promise(
    "The page: drawing and models",
    "A project in one file, to hand to a class: classes, pictures, options, network",
)
@pytest.mark.parametrize("what", STEPS)
def test_a_project_holds_the_classes_of_now_and_brings_them_to_another_page(
    what: str, files: dict[str, bytes]
) -> None:
    steps, changed = STEPS[what]
    own, other = made(4, 5), made(1, 0, 2)
    for step in steps:
        step(own)
    before = held(other)
    saved = projects(own).save(network(own), "lr=0.01", 0)
    for _ in range(2):  # saved again by the other page, it is the same
        found = asyncio.run(projects(other).open(saved["url"]))
        assert held(other) == held(own)
        assert other.features == own.features
        assert found["changed"] == changed
        assert found["pictures"] == sum(len(one.pictures) for one in own.classes)
        assert other._data.counts() == own._data.counts() | {"pictures": False}
        saved = projects(other).save(network(other), "lr=0.01", 0)
    assert asyncio.run(other.restore())["features"] == own.features
    other.undo()
    other.undo()
    assert held(other) == before


def test_a_project_without_pictures_of_classes_leaves_those_of_the_page(
    files: dict[str, bytes],
) -> None:
    own, other = made(0, 0), made(1, 2)
    before = held(other)
    saved = projects(own).save(network(own), "", 0)
    found = asyncio.run(projects(other).open(saved["url"]))
    assert (found["pictures"], found["changed"]) == (0, False)
    assert held(other) == before
    assert not other.listing()["undo"]


def test_the_most_classes_and_pictures_that_a_page_takes_fit_into_a_project(
    files: dict[str, bytes],
) -> None:
    own, other = made(*[MOST] * 10), made()
    saved = projects(own).save(network(own), "", 0)
    asyncio.run(projects(other).open(saved["url"]))
    assert [len(one.pictures) for one in other.classes] == [MOST] * 10


def test_a_damaged_project_leaves_the_classes_as_they_are(files: dict[str, bytes]) -> None:
    own, other = made(4, 5), made(1, 2)
    before = held(other)
    saved = projects(own).save(network(own), "", 0)
    files[saved["url"]] = files[saved["url"]].replace(b'"names": [', b'"name_": [')
    with pytest.raises(ProjectError):
        asyncio.run(projects(other).open(saved["url"]))
    assert held(other) == before
    assert not other.listing()["undo"]
