"""A project's file gives back what it was made of, and a damaged one is refused in words."""

import json
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.images import project
from app.lab.network import Network
from hypothesis import given
from hypothesis import strategies as st
from nn.data import Dataset
from nn.io.archive import Archive, pack

LAYERS: list[Any] = [("Flatten", {}), ("Dense", {"units": 2, "activation": "softmax"})]


def made(names: list[str], side: int = 4, channels: int = 1, seed: int = 1) -> project.Project:
    rng = np.random.default_rng(seed)
    layers = [LAYERS[0], ("Dense", {"units": len(names), "activation": "softmax"})]
    sets = []
    for count in (7, 3):
        images = rng.integers(0, 256, (count, side, side, channels), np.uint8)
        sets.append(Dataset(images, rng.integers(0, len(names), count), class_names=names))
    model = Network().build(layers, 1, 0.0, (side, side, channels))
    pictures = rng.integers(0, 256, (4, 96, 96, 3), np.uint8)
    drawn = np.array([True, False, False, True])
    own = project.Made(["mug", "cup", "new"], pictures, np.array([0, 0, 1, 1]), drawn, True, False)
    return project.Project("lr=0.01", 3, model, "pets.zip", (sets[0], sets[1]), own)


@pytest.mark.promise(
    "The page: drawing and models",
    "A project in one file, to hand to a class: classes, pictures, options, network",
)
@given(
    st.lists(st.text(max_size=8), min_size=2, max_size=5),
    st.sampled_from([1, 5]), st.sampled_from([1, 3]), st.integers(0, 99),
)  # fmt: skip
def test_comes_back_as_it_was(names: list[str], side: int, channels: int, seed: int) -> None:
    first = made(names, side, channels, seed)
    found = project.read(project.write(first))
    assert (found.options, found.trained, found.name) == ("lr=0.01", 3, "pets.zip")
    assert first.sets is not None
    assert found.sets is not None
    for one, other in zip(first.sets, found.sets, strict=True):
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.y, other.y)
        assert list(other.class_names or []) == names
    assert first.made is not None
    assert found.made is not None
    for part, value in vars(first.made).items():
        np.testing.assert_array_equal(getattr(found.made, part), value, strict=part == "images")
    for one, other in zip(first.model.get_weights(), found.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def featured(names: list[str], side: int = 96, channels: int = 3) -> project.Project:
    """A project whose network reads features of the pictures."""
    found = made(names, side, channels)
    layers = [("Dense", {"units": len(names), "activation": "softmax"})]
    found.model, found.featured = Network().build(layers, 1, 0.0, (1280,)), True
    return found


def test_a_network_of_features_comes_back_with_the_pictures_that_they_are_of() -> None:
    first = featured(["mug", "cup"])
    found = project.read(project.write(first))
    assert found.featured
    assert found.model.input_shape == (None, 1280)
    assert first.sets is not None
    assert found.sets is not None
    np.testing.assert_array_equal(found.sets[0].x, first.sets[0].x)
    for wrong in (featured(["mug", "cup"], 64), featured(["mug", "cup"], channels=1)):
        with pytest.raises(project.ProjectError, match="expected 96 x 96 in colour"):
            project.write(wrong)
    first.featured = False
    with pytest.raises(project.ProjectError, match="expected a network from"):
        project.write(first)


def test_data_of_the_site_are_named_only() -> None:
    model = Network().build(LAYERS, 1)
    content = project.write(project.Project("", 0, model, "MNIST", None))
    assert Archive(content).names == ["project.json", "model.npz"]
    found = project.read(content)
    assert found.sets is None
    assert found.made is None
    assert found.name == "MNIST"


def test_a_file_of_an_earlier_page_has_no_classes_that_were_made() -> None:
    head = json.loads(HEAD)
    del head["made"]
    parts = {name: body for name, body in MEMBERS.items() if not name.startswith("made")}
    found = project.read(pack({**parts, "project.json": json.dumps(head).encode()}))
    assert found.made is None
    assert found.sets is not None


def test_a_network_of_other_data_is_not_written() -> None:
    whole = made(["a", "b"])
    whole.model = made(["a", "b", "c"]).model
    with pytest.raises(project.ProjectError, match="expected a network from"):
        project.write(whole)


GOOD = project.write(made(["a", "b"]))
MEMBERS = {name: Archive(GOOD).read(name) for name in Archive(GOOD).names}
HEAD = MEMBERS["project.json"].decode()


@pytest.mark.parametrize("name", MEMBERS)
def test_a_file_without_a_part_is_no_project(name: str) -> None:
    with pytest.raises(project.ProjectError, match="no project"):
        project.read(pack({n: body for n, body in MEMBERS.items() if n != name}))


@pytest.mark.parametrize(
    "head",
    [
        "[]", "{", "null", HEAD.replace('"version": 1', '"version": 2'),
        HEAD.replace('["a", "b"]', '["a"]'), HEAD.replace('["a", "b"]', "7"),
        HEAD.replace('["a", "b"]', '["a", "b", "c"]'), HEAD.replace('"lr=0.01"', "1"),
        HEAD.replace('"trained": 3', '"trained": "x"'), HEAD.replace('"trained": 3', '"t": 3'),
    ],
)  # fmt: skip
def test_a_head_that_says_something_else_is_refused(head: str) -> None:
    with pytest.raises(project.ProjectError):
        project.read(pack({**MEMBERS, "project.json": head.encode()}))


NAMES = '["mug", "cup", "new"]'
WRONG = {
    NAMES: ["[]", "7", "null", '["mug"]', '["mug", "cup", 1]', '["mug", "cup", "cup"]',
            '["mug", " ", "new"]', f'["mug", "cup", "{"x" * 41}"]', str([*map(str, range(11))])],
    "[0, 3]": ["0", "null", "[0, 4]", "[3, 0]", "[0, 0]", "[-1]", '["a"]', "[[0]]"],
    '"names"': ['"n"'], '"drawn"': ['"d"'], '"features"': ['"f"'], '"changed"': ['"c"'],
}  # fmt: skip


@pytest.mark.parametrize(("part", "wrong"), [(p, w) for p, texts in WRONG.items() for w in texts])
def test_classes_that_no_page_makes_are_refused(part: str, wrong: str) -> None:
    assert HEAD.count(part) == 1
    head = HEAD.replace(part, wrong.replace("'", '"'))
    with pytest.raises(project.ProjectError):
        project.read(pack({**MEMBERS, "project.json": head.encode()}))


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_damaged_file_is_refused_or_read_as_it_was(place: int, change: int) -> None:
    damaged = bytearray(GOOD)
    damaged[place] ^= change
    for content in (bytes(damaged), GOOD[:place]):
        try:
            found = project.read(content)
        except project.ProjectError:  # any other error fails the test
            continue
        assert found.options == "lr=0.01"


def test_labels_and_images_that_do_not_belong_together_are_refused() -> None:
    labels = nn.data.write_idx(np.full(7, 9, np.int32))
    small = nn.data.write_idx(np.zeros((4, 95, 96, 3), np.uint8))
    grey = nn.data.write_idx(np.zeros((4, 96, 96, 1), np.uint8))
    for part, body in (
        ("train-labels", labels), ("test-images", MEMBERS["train-images"]), ("made-labels", labels),
        ("made-images", small), ("made-images", grey), ("made-images", MEMBERS["train-images"]),
    ):  # fmt: skip
        with pytest.raises(project.ProjectError):
            project.read(pack({**MEMBERS, part: body}))
