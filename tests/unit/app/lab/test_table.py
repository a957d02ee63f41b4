"""A CSV table: its columns come back as they were written, and one is learned from the others."""

import asyncio
import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app.lab.images.import_data import OwnDataError
from app.lab.table import Table
from app.lab.tabular.columns import CATEGORIES, MISSING, Encoding, read
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[4]
TEXTS = st.sampled_from(["Adelie", "Gentoo", "a, b", 'say "x"', "Ö"])
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: float(f"{value:.6g}"))
GAPS = st.sampled_from(sorted(MISSING))


@st.composite
def tables(draw: Any) -> list[list[Any]]:
    """Rows of numbers, texts and None."""
    kinds = draw(st.lists(st.sampled_from([NUMBERS, TEXTS]), min_size=2, max_size=5))
    cell = [st.one_of(kind, st.none()) for kind in kinds]
    rows = draw(st.lists(st.tuples(*cell), min_size=10, max_size=20))
    for place, kind in enumerate(kinds):  # two values at least, and no count of the rows
        first, second = (3.5, 1.25) if kind is NUMBERS else ("Adelie", "Gentoo")
        rows[0] = (*rows[0][:place], first, *rows[0][place + 1 :])
        rows[1] = (*rows[1][:place], second, *rows[1][place + 1 :])
    return [list(row) for row in rows]


@st.composite
def headings(draw: Any, rows: list[list[Any]]) -> list[str]:
    """Names of columns, of which those may be numbers that others' names leave no doubt of."""
    width = len(rows[0])
    names = [f"name {n}" for n in range(width)]
    sure = [n for n in range(width) if isinstance(rows[0][n], float)]
    if sure and not draw(st.booleans()):
        kept = draw(st.sampled_from(sure))
        years = st.lists(st.integers(1, 3000), min_size=width, max_size=width, unique=True)
        names = [names[n] if n == kept else str(year) for n, year in enumerate(draw(years))]
    return names


@given(
    tables(),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.data(),
)
@settings(max_examples=200)
def test_a_table_is_read_as_it_was_written(
    rows: list[list[Any]], mark: str, end: str, headed: bool, data: Any
) -> None:
    target = io.StringIO()
    writer = csv.writer(target, delimiter=mark, lineterminator=end)
    names = [f"column {n + 1}" for n in range(len(rows[0]))]
    if headed:
        names = data.draw(headings(rows))
        writer.writerow(names)
    else:  # no text of the first row is the only one of its kind, and a cell may be missing
        rows[2] = rows[0]
        gap = data.draw(st.none() | st.integers(0, len(rows[0]) - 1))
        rows[0] = [None if n == gap else cell for n, cell in enumerate(rows[0])]
    gaps = data.draw(GAPS)
    writer.writerows([[gaps if cell is None else cell for cell in row] for row in rows])
    columns, left = read("drawn.csv", target.getvalue().encode())
    assert left == []
    assert [column.name for column in columns] == names
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


def numbered(line: str, count: int = 40) -> list[str]:
    """Lines with numbers that differ in place of #, a, b or c of ?, and names that differ of @."""
    made = []
    for n in range(count):
        parts = [f"{n * 1.7 % 9:.2f}" if c == "#" else "abc"[n * 2 % 3] if c == "?" else
                 f"name {n}" if c == "@" else c for c in line]  # fmt: skip
        made.append("".join(parts))
    return made


@pytest.mark.parametrize(
    ("first", "below", "heading"),
    [
        ("country,1990,2000,kind", "?,#,#,?", True),
        ("country,1990,kind", "?,?,?", True),
        ("1990,2000,kind", "#,#,?", True),
        ("kind,1990,2000", "?,#,#", True),
        ("name,1990,kind", "@,#,?", True),
        ("label,0,1,2,3", "#,#,#,#,#", True),
        ("0,1,2,price", "#,#,#,#", True),
        (",1990,2000,kind", "#,#,#,?", True),
        ("a,b,kind", "#,#,?", True),
        ("a,a,kind", "#,#,?", True),
        ("size,kind,other", "?,?,?", True),
        ("name,1,none", "#,#,?", True),
        ("x,y,z", "@,?,?", True),
        ("1,2,3", "#,#,#", False),
        ("1.5,?,a", "#,#,?", False),
        ("1.5,2.5,a", "#,#,?", False),
        ("NA,2.5,a", "#,#,?", False),
        ("1.5,n.a.,a", "#,#,?", False),
        ("1.5,2.5,NA", "#,#,?", False),
        ("NA,,?", "#,#,#", False),
        ("a,b,c", "?,?,?", False),
        ("a,a,d", "?,?,?", False),
        ("name 40,1.5,2.5", "@,#,#", False),
        ("1.5,1.5,d", "#,#,?", False),
    ],
)
def test_a_heading_is_told_from_a_row_by_what_is_below(
    first: str, below: str, heading: bool
) -> None:
    rows = numbered(below)
    columns, left = read("own.csv", "\n".join([first, *rows]).encode())
    assert len(columns[0].cells) == len(rows) + (not heading)
    if heading:
        names = [cell or f"column {n + 1}" for n, cell in enumerate(first.split(","))]
        assert {c.name for c in columns} | {one.split(" (")[0] for one in left} == set(names)


@pytest.mark.parametrize(("name", "count"), [("iris", 150), ("penguins", 344)])
@pytest.mark.parametrize("headed", [True, False])
def test_published_tables_are_read_with_and_without_their_heading(
    name: str, count: int, headed: bool
) -> None:
    lines = (ROOT / f"static/vendor/data/{name}.csv").read_text().splitlines()
    columns, left = read(f"{name}.csv", "\n".join(lines[not headed :]).encode())
    assert left == []
    names = [f"column {n + 1}" for n in range(len(columns))]
    assert [c.name for c in columns] == (lines[0].split(",") if headed else names)
    assert {len(column.cells) for column in columns} == {count}


def test_the_file_of_scikit_learn_begins_with_counts_and_names_its_classes() -> None:
    lines = (ROOT / "static/vendor/data/iris.csv").read_text().splitlines()[1:]
    kinds = ["setosa", "versicolor", "virginica"]
    rows = [",".join([*c[:-1], str(kinds.index(c[-1]))]) for c in (s.split(",") for s in lines)]
    columns, _ = read("iris.csv", "\n".join(["150,4," + ",".join(kinds), *rows]).encode())
    assert columns[-1].values == kinds
    assert len(columns[0].cells) == 150


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "at least two columns"),
        (b"one\n1\n2\n", "at least two columns"),
        (lines("a,b", "1,2", "2,4"), "expected 10 to 200,000 rows"),
        (lines("a,b", "1,2", "2,4", "3", times=5), "line 4 has 1 cells, the first 2"),
        (lines("a,b", "1,x", "1,x", "1,x"), "left out"),
        (b"a,b\n" + b"1," + b"x" * 200_000, "field larger than"),
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
