"""What the address of a frame may ask for, and what a program may set."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from app.state import settings
from hypothesis import given
from hypothesis import strategies as st

DEFAULTS = {
    "embed": False, "theme": "auto", "hide": (), "show": (), "compact": False, "host": ""
}  # fmt: skip


def query(text: str) -> Callable[[str], str | None]:
    pairs = parse_qs(text, keep_blank_values=True)
    return lambda name: pairs.get(name, [None])[0]


def test_a_page_of_its_own_is_not_framed() -> None:
    assert settings.framed(query("")) == DEFAULTS


def test_reads_what_the_element_writes() -> None:
    text = "embed=1&host=https%3A%2F%2Fdocs.example.org%3A8443&theme=dark&hide=data%2Ccode-panel"
    text += "&show=draw%2Chistory&compact=1"
    assert settings.framed(query(text)) == {
        "embed": True,
        "theme": "dark",
        "hide": ("data", "code-panel"),
        "show": ("draw", "history"),
        "compact": True,
        "host": "https://docs.example.org:8443",
    }


@pytest.mark.parametrize(
    "host",
    ["", "*", "null", "docs.example.org", "https://", "https://a.org/path", "javascript://a",
     "https://a.org https://b.org", "file:///", "https://user@a.org"],
)  # fmt: skip
def test_a_host_that_is_no_origin_is_none(host: str) -> None:
    assert settings.framed({"host": host}.get)["host"] == ""


@given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), st.text(max_size=30)))
def test_any_query_gives_valid_options(pairs: dict[str, str]) -> None:
    values = settings.framed(pairs.get)
    assert set(values) == set(DEFAULTS)
    assert values["theme"] in ("auto", "light", "dark")
    assert set(values["hide"]) <= set(settings.PANELS)
    assert values["embed"] in (True, False)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("epochs", 3, 3),
        ("epochs", 3.0, 3),
        ("epochs", "3", 3),
        ("lr", 0.01, 0.01),
        ("log", True, True),
        ("shift", 2, 2),
        ("optimizer", "SGD", "SGD"),
        ("hide", ["data", "models"], ("data", "models")),
        ("layers", [("Flatten", {}), ("Dense", {"units": 10, "activation": "softmax"})],
         [("Flatten", {}), ("Dense", {"units": 10, "activation": "softmax"})]),
    ],
)  # fmt: skip
def test_a_program_sets_options_as_python_or_as_the_url_writes_them(
    name: str, given: Any, value: Any
) -> None:
    assert settings.value(name, given) == value


@pytest.mark.parametrize(
    ("name", "given"),
    [("epochs", 0), ("epochs", 2.5), ("epochs", float("inf")), ("lr", "fast"), ("lr", None),
     ("log", "maybe"), ("optimizer", "Magic"), ("layers", [("Magic", {})])],
)  # fmt: skip
def test_a_wrong_value_is_an_error_that_names_the_option(name: str, given: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        settings.value(name, given)


def test_an_unknown_option_is_an_error_that_lists_them() -> None:
    with pytest.raises(ValueError, match=r"epochs.*received 'speed'"):
        settings.value("speed", 1)


PANEL = st.sampled_from(settings.PANELS)


@given(st.sets(PANEL), st.sets(PANEL), st.sets(PANEL, min_size=1))
def test_show_leaves_what_it_names_with_the_panels_around_it(
    link: set[str], hide: set[str], show: set[str]
) -> None:
    frame = dict(DEFAULTS, hide=tuple(hide), show=tuple(show))
    hidden = set(settings.hidden(tuple(link), frame))
    wanted = show | {settings.PARTS[name] for name in show if name in settings.PARTS}
    whole = {name for name in settings.PANELS if name not in settings.PARTS}
    assert hidden == link | hide | (whole - wanted)


def test_nothing_is_hidden_unless_it_is_asked_for() -> None:
    assert settings.hidden((), dict(DEFAULTS)) == []


def test_compact_is_the_drawing_and_the_curves() -> None:
    hidden = set(settings.hidden((), dict(DEFAULTS, compact=True)))
    assert set(settings.PANELS) - set(settings.PARTS) - hidden == set(settings.COMPACT)
    assert "history" in hidden
