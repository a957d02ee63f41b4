"""Classes that `python -m farcall.stubs` did not write down, or wrote wrong."""

from __future__ import annotations

import enum
import functools
from typing import TYPE_CHECKING, Any, Literal, Self

import farcall
import pytest
from farcall import stubs

if TYPE_CHECKING:
    from decimal import Decimal


class Color(enum.Enum):
    RED = 1


class Shop:
    owner: Decimal
    size: int

    def price(self, tax: Decimal, count: int = 1) -> Decimal: ...

    def paint(self, color: Literal[Color.RED] = Color.RED) -> None: ...

    @functools.lru_cache  # noqa: B019 - for its type
    def known(self, name: str) -> int: ...

    @functools.cached_property
    def rooms(self) -> int: ...

    @classmethod
    def make(cls) -> Self: ...

    def itself(self) -> Self | None: ...

    @property
    def again(self) -> Self: ...


class Annex(Shop): ...


@farcall.exposed("add")
class Counter:
    count: int

    def add(self, n: int) -> int: ...

    def reset(self) -> None: ...


def compiled(text: str) -> str:
    compile(text, "stubs", "exec")
    return text


@pytest.mark.parametrize(
    "line",
    [
        "def owner(self) -> Awaitable[Any]: ...",
        "def size(self) -> Awaitable[int]: ...",
        "def price(self, tax: Any, count: int = ...) -> Call[Any]: ...",
        "def paint(self, color: Any = ...) -> Call[None]: ...",
        "def known(self, name: str) -> Call[int]: ...",
        "def rooms(self) -> Awaitable[int]: ...",
        "def make(self) -> RemoteShop: ...",
        "def itself(self) -> Call[RemoteShop | None]: ...",
        "    again: RemoteShop",
    ],
)
def test_a_member_of_any_kind_is_in_the_stubs_of_its_class(line: str) -> None:
    assert line in compiled(stubs.protocols([Shop]))


def test_self_is_the_class_whose_stubs_are_written() -> None:
    shop, annex = compiled(stubs.protocols([Shop, Annex])).split("class RemoteAnnex")
    assert "def make(self) -> RemoteShop: ..." in shop
    assert "def make(self) -> RemoteAnnex: ..." in annex


def test_two_classes_of_one_name_have_two_protocols() -> None:
    other: Any = type("Shop", (), {"close": lambda self: None})
    text = compiled(stubs.served({"shop": Shop(), "other": other(), "Shop": Shop}))
    assert "    shop: RemoteShop\n" in text
    assert "    other: RemoteShop2\n" in text
    assert text.count("class RemoteShop(Protocol)") == 1
    assert text.count("class RemoteShop2(Protocol)") == 1


def test_only_the_names_that_a_class_exposes_are_in_its_stubs() -> None:
    text = compiled(stubs.protocols([Counter]))
    assert "def add(" in text
    assert "reset" not in text
    assert "count" not in text
