"""Products of matrices for each sample and head: what attention is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

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
        at: where the first one begins.
    """

    heads: int
    rows: int
    columns: int
    sample: int
    head: int
    row: int
    column: int = 1
    at: int = 0

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
        return f"{self.at}u + z / {self.heads}u * {self.sample}u + z % {self.heads}u * {self.head}u"

    def load(self, name: str, rows: str, columns: str) -> Load:
        """Return how a product finds elements; one of `rows` and `columns` is "k"."""
        row, column = f"{rows} * {self.row}u", f"{columns} * {self.column}u"
        line, deep = (row, column) if columns == "k" else (column, row)
        fast = columns if self.column == 1 else rows
        return Load.matrix(f"{name}_", f"{self.first()} + {line}", deep, fast, self.four)


def paired(
    n: int,
    a: Matrix,
    b: Matrix,
    y: Matrix,
    factor: float = 1.0,
    causal: bool = False,
    further: str = "",
) -> tuple[Kernel, Groups]:
    """y = a b times a factor, for each of n samples and each head; buffers a, b, y.

    Args:
        causal: column j of row i is as low as can be where j > i.
        further: what is added to element (m, n).
    """
    value = "sum" if factor == 1.0 else f"sum * {number(factor)}"
    if causal:
        value = f"select({value}, -1e30, n > m)"
    value += further
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


def orthogonal(shape: tuple[int, ...], at: int, o: Any) -> list[tuple[Kernel, Groups]]:
    """The three products of a step that makes a matrix x more orthogonal, of a x + (b s + c s s) x
    with s = x x': s from x and x, b s + c s s + a from s and s, and the new x from that and x.

    Args:
        shape: of the matrix.
        at: where it lies.
        o: Muon, for a, b and c.
    """
    rows, columns = shape
    x = Matrix(1, rows, columns, 0, 0, columns, 1, at)
    if rows > columns:
        x = x.turned
    s = Matrix(1, x.rows, x.rows, 0, 0, x.rows)
    place = f"(m * {x.rows}u + n)"
    own = f"a_[{place} / 4u][{place} % 4u]" if s.four else f"a_[{place}]"
    further = f" + {number(o.muon_b)} * {own} + select(0.0, {number(o.muon_a)}, m == n)"
    return [
        paired(1, x, x.turned, s),
        paired(1, s, s, s, o.muon_c, further=further),
        paired(1, s, x, x),
    ]
