"""Products of matrices for each sample and head: what attention is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn.gpu.wgsl.functions import number
from nn.gpu.wgsl.products import Load, product, tile_for
from nn.gpu.wgsl.text import Groups, Kernel
from nn.gpu.wgsl.windows import kind


@dataclass(frozen=True)
class Matrix:
    """A matrix for each sample and head, in one buffer.

    Attributes:
        heads: of each sample.
        rows, columns: its size.
        sample, head, row, column: elements from one of them to the next.
    """

    heads: int
    rows: int
    columns: int
    sample: int
    head: int
    row: int
    column: int = 1

    @property
    def turned(self) -> Matrix:
        """The same elements with rows and columns exchanged."""
        return replace(self, rows=self.columns, columns=self.rows, row=self.column, column=self.row)

    @property
    def four(self) -> bool:
        """Whether neighbours come four at a time."""
        along = self.columns if self.column == 1 else self.rows
        return all(size % 4 == 0 for size in (along, self.sample, self.head, self._across))

    @property
    def _across(self) -> int:
        return self.row if self.column == 1 else self.column

    def first(self) -> str:
        """Return the text of where product `z` begins."""
        return f"z / {self.heads}u * {self.sample}u + z % {self.heads}u * {self.head}u"

    def load(self, name: str, rows: str, columns: str) -> Load:
        """Return how a product finds elements; one of `rows` and `columns` is "k"."""
        row, column = f"{rows} * {self.row}u", f"{columns} * {self.column}u"
        line, deep = (row, column) if columns == "k" else (column, row)
        fast = columns if self.column == 1 else rows
        return Load.matrix(f"{name}_", f"{self.first()} + {line}", deep, fast, self.four)


def paired(
    n: int, a: Matrix, b: Matrix, y: Matrix, factor: float = 1.0, causal: bool = False
) -> tuple[Kernel, Groups]:
    """y = a b times a factor, for each of n samples and each head; buffers a, b, y.

    Args:
        causal: column j of row i is as low as can be where j > i.
    """
    value = "sum" if factor == 1.0 else f"sum * {number(factor)}"
    if causal:
        value = f"select({value}, -1e30, n > m)"
    return product(
        "attention",
        [("a_", kind(a.four)), ("b_", kind(b.four)), ("y*", "f32")],
        (y.rows, y.columns, a.columns),
        a.load("a", "m", "k"),
        b.load("b", "k", "n"),
        f"y[{y.first()} + m * {y.row}u + n * {y.column}u] = {value};",
        tile_for(y.rows, y.columns, a.columns, n * y.heads),
        batches=n * y.heads,
    )
