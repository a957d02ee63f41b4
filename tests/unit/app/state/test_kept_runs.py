"""Pages in several tabs keep their runs in one browser: none loses another's."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from app.lab.history import RECORD, STORE, History
from app.state import run_history
from app.state.kept_runs import KeptRuns
from hypothesis import given
from hypothesis import strategies as st

from tests.support.rows import Store

NUMBERS = itertools.count()
ACCURACIES = st.sampled_from([None, 0.5, 0.9])


class Tab:
    """A page that trains, and keeps its runs in a browser's rows."""

    def __init__(self, rows: Store) -> None:
        self.history = History(rows)
        self.kept = KeptRuns(lambda: str(next(NUMBERS)))
        self.kept.take(asyncio.run(self.history.saved()))

    @property
    def runs(self) -> list[dict[str, Any]]:
        return self.kept.runs

    def train(self, accuracy: float | None = None) -> int:
        """Do a run; returns what tells it from all others."""
        mark = next(NUMBERS)
        number = 1 + max([run["number"] for run in self.runs] or [0])
        self.kept.add({"number": number, "mark": mark, "epochs": [{"val_accuracy": accuracy}]})
        asyncio.run(self.kept.save(self.history))
        return mark


def marks(runs: list[dict[str, Any]]) -> set[int]:
    return {run["mark"] for run in runs}


@given(st.lists(st.tuples(st.integers(0, 2), ACCURACIES, st.booleans()), max_size=16))
def test_a_page_opened_later_has_what_each_tab_kept(
    turns: list[tuple[int, float | None, bool]],
) -> None:
    rows = Store()
    tabs, made = [Tab(rows) for _ in range(3)], set()
    for which, accuracy, again in turns:
        if again:
            tabs[which] = Tab(rows)
        mark = tabs[which].train(accuracy)
        made.add(mark)
        assert mark in marks(tabs[which].runs)
        assert mark in {json.loads(text)[0]["mark"] for text, _ in rows.rows.values()}
    everything = [json.loads(text)[0] for text, _ in rows.rows.values()]
    later = Tab(rows).runs
    numbers = [run["number"] for run in later]
    assert numbers == sorted(set(numbers))
    assert len(later) == min(len(everything), run_history.KEPT)
    if first := run_history.best(everything):
        assert run_history.error(run_history.best(later) or first) == run_history.error(first)
    if len(made) <= run_history.KEPT:
        assert marks(everything) == made


def test_rows_of_runs_that_are_dropped_are_deleted() -> None:
    rows = Store()
    tab = Tab(rows)
    for _ in range(3 * run_history.KEPT):
        tab.train()
    assert len(rows.rows) == run_history.KEPT


def test_a_run_that_could_not_be_saved_is_saved_with_the_next() -> None:
    rows = Store(room=1)
    tab = Tab(rows)
    saved = tab.train()
    with pytest.raises(RuntimeError, match="full"):
        tab.train()
    assert {json.loads(text)[0]["mark"] for text, _ in rows.rows.values()} == {saved}
    rows.room = 100
    tab.train()
    assert marks(Tab(rows).runs) == marks(tab.runs)
    assert len(rows.rows) == 3


@pytest.mark.parametrize("tabs", [1, 2])
def test_the_one_row_of_an_older_page_becomes_a_row_a_run(tabs: int) -> None:
    rows, runs = Store(), [{"number": n, "mark": n, "epochs": []} for n in (1, 2, 4)]
    before = json.dumps(runs).encode()
    for _ in range(tabs):  # as where both read before one of them wrote
        rows.rows[RECORD] = before, {}
        assert Tab(rows).runs == runs
    assert RECORD not in rows.rows
    assert len(rows.rows) == 3


@pytest.mark.parametrize("text", [b"", b"{", b"3", b'{"a": 1}'])
@pytest.mark.parametrize("name", [RECORD, "a row"])
def test_a_damaged_row_is_deleted_and_the_others_are_read(name: str, text: bytes) -> None:
    rows = Store()
    mark = Tab(rows).train()
    rows.rows[name] = text, {}
    tab = Tab(rows)
    assert marks(tab.runs) == {mark}
    tab.train()
    assert len(rows.rows) == 2


def test_what_is_forgotten_is_forgotten_for_all_tabs() -> None:
    rows = Store()
    tabs = [Tab(rows), Tab(rows)]
    for tab in tabs:
        tab.train()
    asyncio.run(tabs[0].history.forget())
    assert asyncio.run(Store.contents(rows, STORE)) == []
