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
from hypothesis import event, given, settings
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
        (
            lines("a,b", "1,2", "2,4", "3", times=5),
            "line 4: expected as many cells as in the first, 2, got 1",
        ),
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


# -- how programs of other languages write tables -----------------------------------------------

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16"]


def written(value: float, digits: int, sign: str, grouped: bool) -> str:
    """A number with so many decimals, as a language with this decimal sign writes it."""
    text = f"{value:,.{digits}f}" if grouped else f"{value:.{digits}f}"
    return text.replace(",", "?").replace(".", sign).replace("?", ",.".replace(sign, ""))


@given(
    st.lists(st.lists(st.floats(-1e7, 1e7), min_size=12, max_size=12), min_size=2, max_size=3),
    st.lists(st.integers(0, 4), min_size=3, max_size=3),
    st.sampled_from(",;\t"), st.sampled_from(".,"), st.booleans(), st.sampled_from(ENCODINGS),
)  # fmt: skip
@settings(max_examples=300)
def test_numbers_are_read_as_they_were_meant_or_refused(
    table: list[list[float]], digits: list[int], mark: str, sign: str, grouped: bool, coding: str
) -> None:
    cells = [
        [written(value, count, sign, grouped) for value in column]
        for column, count in zip(table, digits, strict=False)
    ]
    target = io.StringIO()
    writer = csv.writer(target, delimiter=mark)
    writer.writerow(["Länge", "Breite", "Höhe"][: len(table)])
    writer.writerows(zip(*cells, strict=True))
    expected = [
        [round(value, count) for value in column]
        for column, count in zip(table, digits, strict=False)
    ]
    # A point before three digits is a decimal sign in a file that says nothing else.
    alone = sign == "," and {"."} == {c for part in cells for cell in part for c in cell} & {*".,"}
    try:
        columns, _ = read("drawn.csv", target.getvalue().encode(coding))
    except OwnDataError as error:
        event(str(error).rpartition(":")[0])
        columns = []
    for column in columns:
        place = ["Länge", "Breite", "Höhe"].index(column.name)
        if not alone:
            assert column.cells == expected[place], cells[place]


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ("5,1;a", 5.1), ("1.234,5;a", 1234.5), ("1.234.567;a", 1234567.0), ("-0,5;a", -0.5),
        ('"1,234.5",a', 1234.5), ('"5,1",a', 5.1), ("5.1,a", 5.1), ("1.234,a", 1.234),
        ("1,5e3;a", 1500.0), ("0,125;a", 0.125), (",5;a", 0.5), ("1_000;a", "1_000"),
        ("12.03.2024;a", "12.03.2024"), ("1,2,3;a", "1,2,3"), ("inf;a", "inf"),
    ],
)  # fmt: skip
def test_a_number_has_the_meaning_that_its_signs_leave(cells: str, found: Any) -> None:
    mark = ";" if ";" in cells else ","
    content = "size,kind".replace(",", mark) + "\n" + f"{cells}\n7{mark}b\n" * 6
    [column, _], _ = read("some.csv", content.encode())
    assert column.cells == [found, 7.0 if isinstance(found, float) else "7"] * 6


@pytest.mark.parametrize("text", ["1,000;a", "123,456;a", '"1,000",a'])
def test_a_number_of_two_meanings_is_refused_unless_another_column_says_which(text: str) -> None:
    mark = ";" if ";" in text else ","
    lines = [f"{text}\n", f"7{mark}b\n"] * 6
    with pytest.raises(OwnDataError, match="column number: expected numbers that mean one thing"):
        read("some.csv", ("number,kind\n".replace(",", mark) + "".join(lines)).encode())
    for other, sign in (("2.25", "."), ('"2,25"', ",")):
        more = [line.replace("\n", f"{mark}{other}\n") for line in lines]
        more[0] = more[0].replace("2", "3")
        head = f"number{mark}kind{mark}width\n"
        [column, *_], _ = read("some.csv", (head + "".join(more)).encode())
        digits = text.split(mark if mark == ";" else '"')[0 if mark == ";" else 1]
        meant = digits.replace(",", "" if sign == "." else ".")
        assert column.cells[0] in (float(meant), float(meant.replace("2", "3")))


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("Größe,Art\n" * 12, "byte 0xf6 in line 1"),
        ("a,b\n" * 3 + "München,1\n", "byte 0xfc in line 4"),
    ],
)
def test_letters_in_an_encoding_that_cannot_be_told_are_refused(content: str, got: str) -> None:
    for name in ("some.csv", "some.tsv"):
        with pytest.raises(OwnDataError, match=f"UTF-8 or UTF-16, got {got}"):
            read(name, content.encode("cp1252"))
    for coding in ("utf-16-le", "utf-16-be"):  # without the mark in front
        with pytest.raises(OwnDataError, match="UTF-8 or UTF-16, got"):
            read("some.csv", content.encode(coding))


# -- numbers of any size ------------------------------------------------------------------------

SIZES = [1e-320, 1e-200, 1e-30, 1.0, 1e20, 1e98]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("odd", SIZES)
@pytest.mark.parametrize("target", [0, 1])
def test_every_figure_of_a_table_is_a_number_however_large_its_numbers_are(
    size: float, odd: float, target: int
) -> None:
    rows = [f"{size * n},{size * (n * 7 % 11)}" for n in range(1, 21)]
    rows[3] = f"{odd},{odd}"

    async def whole() -> tuple[dict[str, Any], list[dict[str, float]], dict[str, Any]]:
        async def download(url: str) -> bytes:
            return ("a,b\n" + "\n".join(rows)).encode()

        figures: list[dict[str, float]] = []
        table = Table(download)
        await table.open("large.csv", "")
        result = await table.train(target, 2, 1, lambda number, logs: figures.append(logs))
        return result, figures, await table.answer([-1e100])

    result, figures, answer = asyncio.run(whole())
    numbers = [result["right"], result["guess"], *[v for logs in figures for v in logs.values()]]
    if answer["classes"] is None:
        numbers.append(answer["value"])
    assert np.isfinite([*numbers, *answer["shares"]]).all()


@pytest.mark.parametrize("text", ["1e101", "-1e308", "1e400", "9" * 400])
def test_a_number_of_which_no_square_is_a_number_is_refused(text: str) -> None:
    content = "a,b\n" + "\n".join(f"{n * 1.5},{n % 3}" for n in range(12)) + f"\n{text},1\n"
    with pytest.raises(OwnDataError, match=r"column a: expected numbers of at most 1e\+100, got"):
        read("large.csv", content.encode())
