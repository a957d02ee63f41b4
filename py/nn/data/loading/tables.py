"""CSV tables of numbers."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.numeric import contents
from nn.errors import DataError, EmptyError
from nn.keras_arguments import checked


@checked
def parse_csv(data: Any, *, label: str | int = -1, header: bool | None = None) -> Dataset:
    """Read a CSV table of numbers, one column of which holds labels (numbers or names).

    Args:
        data: text or bytes (UTF-8).
        label: name or index of the label column.
        header: whether the first line holds names; None means: unless it is all numbers.

    Returns:
        A Dataset of float32 samples (n, columns - 1). Names become 0, 1, ... in sorted order.

    Raises:
        EmptyError: the table has no rows.
        DataError: a row has another length, or a cell is not a number; the message says which.
    """
    text = contents(data, "CSV").decode("utf-8-sig") if not isinstance(data, str) else data
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if not rows:
        raise EmptyError("CSV: expected rows, received none")
    names = None
    if header or (header is None and not any(_number(cell) for cell in rows[0])):
        names, rows = rows[0], rows[1:]
    if not rows:
        raise EmptyError("CSV: expected rows below the header, received none")
    width = len(rows[0])
    column = _column(label, names, width)
    labels, samples = [], np.empty((len(rows), width - 1), np.float32)
    for i, row in enumerate(rows):
        if len(row) != width:
            raise DataError(f"CSV row {i + 1}: expected {width} cells, received {len(row)}")
        labels.append(row.pop(column))
        samples[i] = _numbers(row, i)
    return Dataset(samples, *_labels(labels))


def _labels(labels: list[str]) -> Any:
    if all(_number(v) for v in labels):
        values = np.array([float(v) for v in labels])
        whole = np.all(values == np.round(values))
        return (values.astype(np.int32 if whole else np.float32),)
    names = sorted(set(labels))
    return (np.array([names.index(v) for v in labels], np.int32),)


def _column(label: str | int, names: list[str] | None, width: int) -> int:
    if isinstance(label, str):
        if names is None or label not in names:
            raise DataError(f"CSV: expected a column named {label!r}, received {names}")
        return names.index(label)
    if not -width <= label < width:
        raise DataError(f"CSV: expected a column from {-width} to {width - 1}, received {label}")
    return label % width


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(row: list[str], i: int) -> list[float]:
    for j, cell in enumerate(row):
        if not _number(cell):
            raise DataError(
                f"CSV row {i + 1}: expected a number, received {cell!r} in cell {j + 1}"
            )
    return [float(cell) for cell in row]
