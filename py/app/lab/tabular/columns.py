"""A CSV file as columns of numbers or of categories, and rows of them as a network takes them."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.lab.images.import_data import OwnDataError
from app.language import tr

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
CATEGORIES = 20  # texts of more kinds than these are names, which say nothing about other rows
FEW = 10  # whole numbers of at most so many kinds count as classes where they are the target
FEWEST, MOST = 10, 200_000  # rows
COLUMNS = 200


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
        content: its bytes; commas, semicolons or tabs divide the cells.

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
    for title, cells in zip(names, zip(*rows, strict=True), strict=True):
        column, reason = _column(title, list(cells))
        if reason:
            left.append(f"{title} ({reason})")
        else:
            columns.append(column)
    if len(columns) < 2:
        raise OwnDataError(f"{name}: expected two columns to learn from; left out: {left}")
    return columns, left


def _rows(name: str, content: bytes) -> list[list[str]]:
    """Return the cells of each line that is not empty; all have as many as the first."""
    text = content.decode("utf-8-sig", "replace")
    first = next(filter(str.strip, text.splitlines()), "")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    rows: list[list[str]] = []
    try:
        for row in lines:
            if len(row) < 2 and not "".join(row).strip():
                continue
            if rows and len(row) != len(rows[0]):
                raise OwnDataError(
                    f"{name}: line {lines.line_num} has {len(row)} cells, the first {len(rows[0])}"
                )
            rows.append([cell.strip() for cell in row])
    except csv.Error as error:
        raise OwnDataError(f"{name}: {error}") from error
    return rows


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
    return cell.lower() not in MISSING and _number(cell) is None


def _column(title: str, texts: list[str]) -> tuple[Column, str]:
    """Return a column, and why it is left out, '' where it is not."""
    known = [None if text.lower() in MISSING else text for text in texts]
    numbers = [None if text is None else _number(text) for text in known]
    if all(n is not None or t is None for n, t in zip(numbers, known, strict=True)):
        given = [number for number in numbers if number is not None]
        reason = "" if len(set(given)) > 1 else tr("always the same")
        if given and given == [given[0] + place for place in range(len(texts))]:
            reason = tr("it counts the rows")
        return Column(title, numbers, None), reason
    values = sorted({text for text in known if text is not None})
    reason = tr("{count} different texts", count=len(values)) if len(values) > CATEGORIES else ""
    return Column(title, known, values), reason or (
        "" if len(values) > 1 else tr("always the same")
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


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
            mean = float(np.mean(given)) if number else 0.0
            self._means.append((mean, (float(np.std(given)) if number else 0.0) or 1.0))

    @property
    def width(self) -> int:
        """The numbers that a row becomes."""
        return sum(1 if c.values is None else len(c.values) for c in self.columns)

    def row(self, cells: list[Any]) -> list[float]:
        """Return a row of cells as numbers."""
        numbers: list[float] = []
        for column, cell, (mean, deviation) in zip(self.columns, cells, self._means, strict=True):
            if column.values is None:
                numbers.append(0.0 if cell is None else (cell - mean) / deviation)
            else:
                numbers += [float(cell == value) for value in column.values]
        return numbers

    def rows(self, indices: Any) -> Any:
        """Return rows of the table as float32 (n, width)."""
        rows = [self.row([column.cells[i] for column in self.columns]) for i in indices]
        return np.array(rows, np.float32).reshape(len(rows), self.width)
