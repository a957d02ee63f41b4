"""A CSV table: its columns come back as they were written, and one is learned from the others."""

import asyncio
import csv
import io
from typing import Any

import numpy as np
import pytest
from app.lab.images.import_data import OwnDataError
from app.lab.table import Table
from app.lab.tabular.columns import CATEGORIES, MISSING, Encoding, read
from hypothesis import given, settings
from hypothesis import strategies as st

TEXTS = st.sampled_from(["Adelie", "Gentoo", "a, b", 'say "x"', "Ö"])
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: float(f"{value:.6g}"))
GAPS = st.sampled_from(sorted(MISSING))


@st.composite
def tables(draw: Any) -> tuple[list[str], list[list[Any]]]:
    """Names of columns, and rows of numbers, texts and None."""
    kinds = draw(st.lists(st.sampled_from([NUMBERS, TEXTS]), min_size=2, max_size=5))
    cell = [st.one_of(kind, st.none()) for kind in kinds]
    rows = draw(st.lists(st.tuples(*cell), min_size=10, max_size=20))
    for place, kind in enumerate(kinds):  # two values at least, and no count of the rows
        first, second = (3.5, 1.25) if kind is NUMBERS else ("Adelie", "Gentoo")
        rows[0] = (*rows[0][:place], first, *rows[0][place + 1 :])
        rows[1] = (*rows[1][:place], second, *rows[1][place + 1 :])
    return [f"name {n}" for n in range(len(kinds))], [list(row) for row in rows]


@given(tables(), st.sampled_from(",;\t"), st.booleans(), st.data())
@settings(max_examples=60)
def test_a_table_is_read_as_it_was_written(
    written: tuple[list[str], list[list[Any]]], mark: str, headed: bool, data: Any
) -> None:
    names, rows = written
    target = io.StringIO()
    writer = csv.writer(target, delimiter=mark)
    named = headed or all(isinstance(cell, str) for cell in rows[0])  # else texts are its names
    if named:
        writer.writerow(names)
    gaps = data.draw(GAPS)
    writer.writerows([[gaps if cell is None else cell for cell in row] for row in rows])
    columns, left = read("drawn.csv", target.getvalue().encode())
    assert left == []
    shown = names if named else [f"column {n + 1}" for n in range(len(names))]
    assert [column.name for column in columns] == shown
    for place, column in enumerate(columns):
        assert column.cells == [row[place] for row in rows]
        texts = {cell for cell in column.cells if isinstance(cell, str)}
        assert column.values == (sorted(texts) or None)
        assert column.missing == column.cells.count(None)
    rows_of = Encoding(columns, range(len(rows))).rows(range(len(rows)))
    assert rows_of.shape == (len(rows), sum(len(c.values or [0]) for c in columns))
    assert np.isfinite(rows_of).all()


def lines(*rows: str, times: int = 4) -> bytes:
    return "\n".join([rows[0], *rows[1:] * times]).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "at least two columns"),
        (b"one\n1\n2\n", "at least two columns"),
        (lines("a,b", "1,2", "2,4"), "expected 10 to 200,000 rows"),
        (lines("a,b", "1,2", "2,4", "3", times=5), "row 3 has 1 cells, the first 2"),
        (lines("a,b", "1,x", "1,x", "1,x"), "left out"),
    ],
)
def test_what_is_no_table_is_said(content: bytes, words: str) -> None:
    with pytest.raises(OwnDataError, match=words):
        read("bad.csv", content)


def test_what_says_nothing_about_other_rows_is_left_out_with_the_reason() -> None:
    rows = [f"{n},person {n},{n % 2},same,{'ab'[n % 2]}" for n in range(CATEGORIES + 4)]
    columns, left = read("people.csv", "\n".join(["id,name,sex,all,kind", *rows]).encode())
    assert [column.name for column in columns] == ["sex", "kind"]
    assert left == [
        "id (it counts the rows)",
        f"name ({CATEGORIES + 4} different texts)",
        "all (always the same)",
    ]


def flowers() -> bytes:
    """Lengths and widths of three kinds of flowers, some missing; the area is their product."""
    rng = np.random.default_rng(1)
    rows = []
    for n in range(150):
        kind = n % 3
        length, width = rng.normal(2 + kind, 0.25), rng.normal(1 + kind / 2, 0.15)
        area = f"{length * width:.3f}"
        cells = [f"{length:.2f}", "NA" if n % 17 == 5 else f"{width:.2f}", area]
        rows.append(",".join([*cells, "" if n % 29 == 7 else ["lily", "rose", "tulip"][kind]]))
    return "\n".join(["length,width,area,kind", *rows]).encode()


async def opened() -> tuple[Table, dict[str, Any]]:
    async def download(url: str) -> bytes:
        return flowers()

    table = Table(download)
    return table, await table.open("flowers.csv", "address")


def test_a_column_of_texts_is_learned_as_classes_and_one_of_numbers_as_a_number() -> None:
    async def learn() -> None:
        table, found = await opened()
        assert (found["rows"], found["target"], found["left"]) == (150, 3, [])
        assert [column["missing"] for column in found["columns"]] == [0, 9, 0, 5]
        told: list[tuple[int, dict[str, float]]] = []
        result = await table.train(3, 40, 1, lambda number, logs: told.append((number, logs)))
        assert [number for number, _ in told] == list(range(1, 41))
        assert all(
            set(logs) == {"loss", "val_loss", "accuracy", "val_accuracy"} for _, logs in told
        )
        assert told[-1][1]["val_accuracy"] == pytest.approx(result["right"])
        assert told[-1][1]["loss"] < told[0][1]["loss"]
        assert result["classes"] == ["lily", "rose", "tulip"]
        assert (result["tested"], result["without"]) == (29, 5)
        assert result["right"] > 0.9 > 0.6 > result["guess"]
        answer = await table.answer([4.0, None, 8.0])
        assert answer["value"] == "tulip"
        assert sum(answer["shares"]) == pytest.approx(1, abs=1e-5)
        with pytest.raises(OwnDataError, match="expected 3 cells, got 2"):
            await table.answer([4.0, 2.0])
        told.clear()
        result = await table.train(2, 60, 1, lambda number, logs: told.append((number, logs)))
        assert all(set(logs) == {"loss", "val_loss", "error", "val_error"} for _, logs in told)
        assert told[-1][1]["val_error"] == pytest.approx(result["right"], rel=1e-4)
        assert result["classes"] is None
        assert result["right"] < 0.3 * result["guess"]
        answer = await table.answer([3.0, 1.5, "rose"])
        assert answer["value"] == pytest.approx(4.5, abs=1)

    asyncio.run(learn())
