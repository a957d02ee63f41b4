"""The playground's options: any text of an address is read, and a link gives back its options."""

from typing import Any

import pytest
from app.state import toys
from hypothesis import given
from hypothesis import strategies as st


def words(choices: Any, least: int, most: int) -> Any:
    return st.lists(st.sampled_from(choices), min_size=least, max_size=most).map(tuple)


def values() -> Any:
    kinds: dict[str, Any] = {}
    for name, (kind, _, low, high) in toys.TABLE.items():
        if kind == "int":
            kinds[name] = st.integers(low, high)
        elif kind == "float":
            kinds[name] = st.floats(low, high).map(lambda number: float(f"{number:.6g}"))
        elif kind == "bool":
            kinds[name] = st.booleans()
        elif kind == "choice":
            kinds[name] = st.sampled_from(high)
    place = st.integers(0, toys.PLACES - 1)
    kinds["own"] = st.lists(st.tuples(place, place, st.integers(0, 1)), max_size=20).map(tuple)
    kinds["hidden"] = words(toys.TABLE["hidden"][3], 0, toys.LAYERS)
    kinds["features"] = st.sets(st.sampled_from(toys.FEATURES), min_size=1).map(
        lambda chosen: tuple(name for name in toys.FEATURES if name in chosen)
    )
    assert set(kinds) == set(toys.TABLE)
    return st.fixed_dictionaries(kinds)


@given(values())
def test_a_link_gives_back_every_option(chosen: dict[str, Any]) -> None:
    assert toys.from_hash("#" + toys.to_hash(chosen)) == chosen


def test_the_defaults_need_no_text() -> None:
    assert toys.to_hash(toys.defaults()) == ""
    assert toys.from_hash("") == toys.defaults()


@given(st.text(max_size=40), st.sampled_from([*toys.TABLE, "other"]))
def test_what_makes_no_sense_is_ignored(text: str, name: str) -> None:
    found = toys.from_hash(f"#{name}={text}")
    assert set(found) == set(toys.TABLE)
    assert toys.from_hash("#" + toys.to_hash(found)) == found
    toys.for_worker(found)


@pytest.mark.parametrize("text", ["x", "b12", "b123", "bxxxx", "g1234", "b1234r", "b1234" * 301])
def test_points_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        toys.read("own", text)


def test_the_first_place_is_the_top_left() -> None:
    [[x, y, blue], [right, bottom, _]] = toys.for_worker(
        toys.defaults() | {"own": ((0, 0, 1), (99, 99, 0))}
    )["own"]
    assert (x, y, blue) == pytest.approx((-5.94, 5.94, 1))
    assert (right, bottom) == pytest.approx((5.94, -5.94))


def test_no_more_layers_than_there_is_room_for() -> None:
    assert toys.from_hash("#hidden=" + ",".join("8" * 9))["hidden"] == ("8",) * toys.LAYERS
