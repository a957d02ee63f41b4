"""The figures of tools/house.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import house


def test_modules_that_import_each_other_are_a_circle_however_far_apart() -> None:
    graph = {
        "a": frozenset({"b"}), "b": frozenset({"c", "d"}), "c": frozenset({"a"}),
        "d": frozenset({"e"}), "e": frozenset({"d"}), "f": frozenset({"a"}), "g": frozenset[str](),
    }  # fmt: skip
    assert house.circles(graph) == [["a", "b", "c"], ["d", "e"]]
    assert [*house.inside(["a", "b", "c"], graph)] == ["a -> b", "b -> c", "c -> a"]


def test_an_import_counts_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "rooms"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "top.py").write_text("from rooms import lazy\n")
    (package / "lazy.py").write_text("def f():\n    from rooms import typed\n")
    (package / "typed.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from rooms import top\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    graph = house.imports("rooms")
    assert house.circles(graph) == [["rooms.lazy", "rooms.top", "rooms.typed"]]


def test_large_classes_and_uses_of_any_are_counted(tmp_path: Path) -> None:
    large = "class Large:\n" + "    x: Any\n" * 200
    (tmp_path / "py").mkdir()
    (tmp_path / "py/one.py").write_text(f"{large}\nclass Small:\n    y: 'Any | Many'\n")
    assert house.large_classes("py", root=tmp_path) == [(201, "py/one.py: Large")]
    assert house.uses_of_any("py", root=tmp_path) == 201


def test_modules_import_each_other_in_no_circle() -> None:
    assert house.circles(house.imports(*house.PACKAGES)) == []


def test_the_contracts_of_the_layers_have_few_exceptions() -> None:
    assert len(house.ignored_imports()) <= 2


def test_no_class_of_the_page_the_rpc_or_the_federation_is_large() -> None:
    assert house.large_classes("py/app", "py/farcall", "py/federation") == []


def test_javascript_stands_in_files_that_are_linted_and_not_in_texts_of_python() -> None:
    made = re.compile(r"\bFunction\.new\(|\b(eval|run_js)\(\s*[rf]*[\"']")
    modules = {path: path.read_text() for path in (house.ROOT / "py").rglob("*.py")}
    assert [str(path) for path, text in modules.items() if made.search(text)] == []
    assert len(modules) > 400
