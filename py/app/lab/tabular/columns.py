"""A CSV file as columns of numbers or of categories, and rows of them as a network takes them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from app.lab.images.import_data import OwnDataError, text_of
from app.language import tr

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
CATEGORIES = 20  # texts of more kinds than these are names, which say nothing about other rows
FEW = 10  # whole numbers of at most so many kinds count as classes where they are the target
FEWEST, MOST = 10, 200_000  # rows
COLUMNS = 200
LARGEST = 1e100
"""Numbers at most: their squares and sums are numbers too."""
FARTHEST = 1e6  # deviations from the mean, of which a float32 has the square
SIGNS = ".,"  # of decimals; the other one may stand between thousands
_GROUPED = {sign: re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:[{other}]\d{{3}})+")
            for sign, other in zip(SIGNS, SIGNS[::-1], strict=True)}  # fmt: skip


@dataclass
class Column:
    """A column: its cells, None where one is missing.

    Attributes:
        name: in the first line, or "column 3".
        cells: floats, or texts.
        values: the categories in order of the alphabet; None for numbers.
    """

    name: str
    cells: list[Any]
    values: list[str] | None

    @property
    def missing(self) -> int:
        """The number of cells without a value."""
        return sum(cell is None for cell in self.cells)

    def described(self) -> dict[str, Any]:
        """Return {name, missing, values, middle}: categories, or None and the mean."""
        known = [cell for cell in self.cells if cell is not None]
        if self.values is not None:
            return {"name": self.name, "missing": self.missing, "values": self.values,
                    "middle": Counter(known).most_common(1)[0][0]}  # fmt: skip
        return {"name": self.name, "missing": self.missing, "values": None,
                "middle": float(np.mean(known))}  # fmt: skip

    def as_classes(self) -> Column:
        """Return the column as a target: whole numbers of few kinds become classes."""
        known = {cell for cell in self.cells if cell is not None}
        if self.values is not None or len(known) > FEW or any(v % 1 for v in known):
            return self
        texts = [None if cell is None else f"{cell:g}" for cell in self.cells]
        return Column(self.name, texts, [f"{value:g}" for value in sorted(known)])


def read(name: str, content: bytes) -> tuple[list[Column], list[str]]:
    """Return the columns of a CSV file, and in words which were left out and why.

    Args:
        name: of the file.
        content: its bytes; commas, semicolons or tabs divide the cells. Decimals have a point or a
            comma, as other columns say where one may be read in two ways.

    Raises:
        OwnDataError: it is no table, or too large.
    """
    rows = _rows(name, content)
    if not rows or len(rows[0]) < 2:
        raise OwnDataError(f"{name}: expected a table of at least two columns")
    width = len(rows[0])
    names = [tr("column {number}", number=place + 1) for place in range(width)]
    if rows[0][:2] == [str(len(rows) - 1), str(width - 1)]:  # as scikit-learn's files begin
        classes = rows.pop(0)[2:]
        rows = [[*row[:-1], classes[int(row[-1])]] for row in rows]
    elif _is_heading(rows[0], rows[1:]):
        titles = zip(rows.pop(0), names, strict=True)
        names = [cell or name for cell, name in titles]
    if not FEWEST <= len(rows) <= MOST or width > COLUMNS:
        raise OwnDataError(
            f"{name}: expected {FEWEST} to {MOST:,} rows of at most {COLUMNS} columns, got "
            f"{len(rows)} of {width}"
        )
    columns, left = [], []
    cells = [list(column) for column in zip(*rows, strict=True)]
    readings = [_readings(column) for column in cells]
    proven = {sign for found in readings if len(found) == 1 for sign in found}
    for title, texts, found in zip(names, cells, readings, strict=True):
        try:
            column, reason = _column(title, texts, _reading(texts, found, proven))
        except OwnDataError as error:
            raise OwnDataError(f"{name}: column {title}: {error}") from error
        if reason:
            left.append(f"{title} ({reason})")
        else:
            columns.append(column)
    if len(columns) < 2:
        raise OwnDataError(f"{name}: expected two columns to learn from; left out: {left}")
    return columns, left


def _rows(name: str, content: bytes) -> list[list[str]]:
    """Return the cells of each line that is not empty; all have as many as the first."""
    text = text_of(name, content)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_mark(text))
    rows: list[list[str]] = []
    try:
        for row in lines:
            if len(row) < 2 and not "".join(row).strip():
                continue
            if rows and len(row) != len(rows[0]):
                raise OwnDataError(
                    f"{name}: line {lines.line_num}: expected as many cells as in the first, "
                    f"{len(rows[0])}, got {len(row)}"
                )
            rows.append([cell.strip() for cell in row])
    except csv.Error as error:
        raise OwnDataError(f"{name}: {error}") from error
    return rows


def _mark(text: str) -> str:
    """Return what divides the cells: it gives all lines as many. A comma may be a decimal sign."""
    for mark in "\t;,":
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        try:
            widths = {len(row) for row in islice(filter(any, lines), 20)}
        except csv.Error:
            continue
        if len(widths) == 1 and widths.pop() > 1:
            return mark
    first = next(filter(str.strip, text.splitlines()), "")
    return max("\t;,", key=first.count)


def _is_heading(first: list[str], rows: list[list[str]]) -> bool:
    """Return whether the first line of a table names its columns. Names may be numbers, as years.

    A text above numbers says so, and a text above categories that it is none of; a text that occurs
    below says that the line is a row like the others. Where none says either, the line is a heading
    if it holds texts alone.
    """
    texts = [place for place, cell in enumerate(first) if _is_text(cell)]
    signs = Counter(_sign(first[place], [row[place] for row in rows]) for place in texts)
    named = [cell for cell in first if cell]
    if len(set(named)) < len(named) and not signs["numbers"]:
        signs["new"] = 0  # what occurs twice in a line is a value
    names, values = signs["numbers"] + signs["new"], signs["known"]
    if names or values:
        return names > values
    return len(texts) == len(named) > 0


def _sign(text: str, below: list[str]) -> str:
    """Return what a column says of the text above it: it has "numbers", categories of which the
    text is one ("known") or none ("new"), or '': nothing."""
    counts = Counter(cell for cell in below if cell.lower() not in MISSING)
    if counts and not any(map(_is_text, counts)):
        return "numbers"
    if text in counts:
        return "known"
    # As likely as it is that a row has a text of its own, a first row has one.
    once = sum(count == 1 for count in counts.values())
    return "new" if counts and once <= counts.total() / 20 else ""


def _is_text(cell: str) -> bool:
    return cell.lower() not in MISSING and all(_number(cell, sign) is None for sign in SIGNS)


Cells = list[float | None]


def _readings(texts: list[str]) -> dict[str, Cells]:
    """Return a column's numbers by the decimal sign with which all its texts are numbers."""
    found = {}
    for sign in SIGNS:
        numbers: Cells = []
        for text in texts:
            missing = text.lower() in MISSING
            number = None if missing else _number(text, sign)
            if not missing and number is None:
                break
            numbers.append(number)
        else:
            found[sign] = numbers
    return found


def _reading(texts: list[str], found: dict[str, Cells], proven: set[str]) -> Cells | None:
    """Return the numbers of a column, None where it has texts.

    Raises:
        OwnDataError: they may be read in two ways, or are too large.
    """
    readings = [*found.values()]
    if not readings:
        return None
    if len(readings) == 2 and readings[0] != readings[1]:
        [text, *_] = [text for text in texts if set(text) & set(SIGNS)]
        # A point is a decimal sign unless another column says something else.
        signs = proven or ({"."} if "." in text else set())
        if len(signs) != 1:
            raise OwnDataError(
                f"expected numbers that mean one thing, got {text!r}: a decimal sign, or one "
                "between thousands?"
            )
        readings = [found[sign] for sign in signs]
    for text, number in zip(texts, readings[0], strict=True):
        if number is not None and abs(number) > LARGEST:
            raise OwnDataError(f"expected numbers of at most {LARGEST:g}, got {text}")
    return readings[0]


def _column(title: str, texts: list[str], numbers: Cells | None) -> tuple[Column, str]:
    """Return a column, and why it is left out, '' where it is not."""
    if numbers is not None:
        given = [number for number in numbers if number is not None]
        reason = "" if len(set(given)) > 1 else tr("always the same")
        if given and given == [given[0] + place for place in range(len(texts))]:
            reason = tr("it counts the rows")
        return Column(title, numbers, None), reason
    known = [None if text.lower() in MISSING else text for text in texts]
    values = sorted({text for text in known if text is not None})
    reason = tr("{count} different texts", count=len(values)) if len(values) > CATEGORIES else ""
    return Column(title, known, values), reason or (
        "" if len(values) > 1 else tr("always the same")
    )


def _number(text: str, sign: str) -> float | None:
    """Return the number that a text is with a decimal sign, None where it is none."""
    other = SIGNS.replace(sign, "")
    whole, _, rest = text.partition(sign)
    if other in text:
        if other in rest or not _GROUPED[sign].fullmatch(whole):
            return None
        whole = whole.replace(other, "")
    if not any(letter.isdigit() for letter in whole + rest) or "_" in text:
        return None  # inf and nan, and what Python alone reads
    try:
        return float(f"{whole}.{rest}" if sign in text else whole)
    except ValueError:
        return None


def spread(values: Any) -> tuple[float, float]:
    """Return mean and deviation of numbers of any size; 1 where they do not differ."""
    mean = float(np.mean(values))
    off = np.abs(np.asarray(values) - mean)
    most = float(off.max()) or 1.0
    return mean, most * float(np.sqrt(np.mean((off / most) ** 2))) or 1.0


def standard(value: float, mean: float, deviation: float) -> float:
    """Return how many deviations a value is from the mean, as far as a network can take."""
    return min(max((value - mean) / deviation, -FARTHEST), FARTHEST)


class Encoding:
    """Rows of some columns as numbers: deviations from the mean, and a 1 for each category.

    A missing number is the mean, and a missing text no category.

    Args:
        columns: what a network is given.
        known: indices of the rows that means and deviations are of.
    """

    def __init__(self, columns: list[Column], known: Any) -> None:
        self.columns = columns
        self._means: list[tuple[float, float]] = []
        for column in columns:
            given = [column.cells[i] for i in known if column.cells[i] is not None]
            number = column.values is None and bool(given)
            self._means.append(spread(given) if number else (0.0, 1.0))

    @property
    def width(self) -> int:
        """The numbers that a row becomes."""
        return sum(1 if c.values is None else len(c.values) for c in self.columns)

    def row(self, cells: list[Any]) -> list[float]:
        """Return a row of cells as numbers."""
        numbers: list[float] = []
        for column, cell, (mean, deviation) in zip(self.columns, cells, self._means, strict=True):
            if column.values is None:
                numbers.append(0.0 if cell is None else standard(cell, mean, deviation))
            else:
                numbers += [float(cell == value) for value in column.values]
        return numbers

    def rows(self, indices: Any) -> Any:
        """Return rows of the table as float32 (n, width)."""
        rows = [self.row([column.cells[i] for column in self.columns]) for i in indices]
        return np.array(rows, np.float32).reshape(len(rows), self.width)
