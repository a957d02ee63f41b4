"""Matrix products by tiles: dense layers and convolutions, in all three directions.

C[m, n] = sum over k of A[m, k] * B[k, n]. A and B need not lie in memory: a *load* is the text of a
function that finds an element, so that a convolution is a product of patches that never lie there
(implicit GEMM). A workgroup computes a tile of C; its threads bring slices of A and B, `k` deep,
to workgroup memory, and each adds up `tm` x `tn` elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from nn.gpu.wgsl.text import Groups, Kernel, kernel


@dataclass(frozen=True)
class Tile:
    """Sizes of a workgroup's tile of C, its depth, and of one thread's part of it."""

    m: int
    n: int
    k: int
    tm: int
    tn: int

    @property
    def threads(self) -> int:
        return (self.m // self.tm) * (self.n // self.tn)


@dataclass(frozen=True)
class Load:
    """How elements of A or B are found.

    Attributes:
        text: the body of a function of (m, k) for A, (k, n) for B, inside the matrix. It returns
            a vec4 of four neighbours along `fast` if `four`, else one element.
        fast: the index that runs over neighbours in memory: "k", or "m" for A and "n" for B.
        four: whether neighbours come four at a time.
    """

    text: str
    fast: str
    four: bool = False


def product(
    name: str,
    bindings: list[tuple[str, str]],
    shape: tuple[int, int, int],
    a: Load,
    b: Load,
    put: str,
    tile: Tile,
    *,
    splits: int = 1,
    batches: int = 1,
    functions: str = "",
    four: bool = False,
) -> tuple[Kernel, Groups]:
    """Return the kernel and its workgroups.

    Args:
        name: what profiles call it.
        bindings: as for `kernel`.
        shape: (rows, columns, depth) of the product.
        a: finds elements of A.
        b: finds elements of B.
        put: stores `sum` as C[m, n] of product `z` and part `part`; with `four`, a vec4 of columns
            n to n + 3.
        tile: the sizes.
        splits: parts into which the sum over k is divided; each is a C of its own.
        batches: products beside each other, counted by `z`.
        functions: what the loads and `put` call.
        four: whether `put` takes four columns at once (their number must be a multiple of 4).
    """
    rows, columns, depth = shape
    part = -(-depth // (splits * tile.k)) * tile.k
    splits = -(-depth // part)
    sides = [_Side("a", "m", rows, tile.m, a, tile), _Side("b", "n", columns, tile.n, b, tile)]
    ranges = f"""
        let part = {f"group.z % {splits}u" if splits > 1 else "0u"};
        let z = {f"group.z / {splits}u" if batches > 1 else "0u"};
        let from_ = {f"part * {part}u" if splits > 1 else "0u"};
        let to = {f"min({depth}u, from_ + {part}u)" if splits > 1 else f"{depth}u"};"""
    fetch = "\n".join(s.fetch(depth) for s in sides)
    store = "\n".join(s.store() for s in sides)
    declared = "\n".join(s.declare() for s in sides)
    # The next slice comes to registers before the sums over the one in workgroup memory.
    loop = f"""
        var k0 = from_;
        loop {{
            if (k0 < to) {{
                {fetch}
            }}
            if (k0 > from_) {{
                {_sums(tile, *sides)}
            }}
            if (k0 >= to) {{ break; }}
            workgroupBarrier();
            {store}
            workgroupBarrier();
            k0 += {tile.k}u;
        }}"""
    made = kernel(
        name,
        bindings,
        f"""
        let m0 = group.y * {tile.m}u;
        let n0 = group.x * {tile.n}u;
        {ranges}
        {declared}
        {_zeros(tile)}
        {loop}
        {_puts(tile, rows, columns, four)}
        """,
        size=f"{tile.n // tile.tn}, {tile.m // tile.tm}",
        builtins="group local",
        memory="\n".join(s.memory() for s in sides),
        functions="\n".join(
            [
                dedent(functions),
                *(s.function() for s in sides),
                f"fn put(z: u32, part: u32, m: u32, n: u32, sum: {'vec4<f32>' if four else 'f32'})"
                f" {{ {put} }}",
            ]
        ),
    )
    return made, (-(-columns // tile.n), -(-rows // tile.m), splits * batches)


class _Side:
    """A or B: how a slice comes to workgroup memory, where it lies by k and then by line."""

    def __init__(self, name: str, line: str, size: int, wide: int, load: Load, tile: Tile) -> None:
        self.name, self.line, self.size, self.wide = name, line, size, wide
        self.load, self.tile = load, tile
        self.quads = wide // 4
        # A vec4 more in each row, so that the stores of neighbours fall into different banks.
        self.stride = self.quads + 1
        self.square = load.four and load.fast == "k"
        count = self.quads * tile.k // (4 if self.square else 1)
        self.turns = -(-count // tile.threads)
        self.count = count

    def memory(self) -> str:
        return f"var<workgroup> t{self.name}: array<vec4<f32>, {self.tile.k * self.stride}>;"

    def function(self) -> str:
        given = "m: u32, k: u32" if self.name == "a" else "k: u32, n: u32"
        kind = "vec4<f32>" if self.load.four else "f32"
        return f"fn {self.name}({given}, z: u32) -> {kind} {{ {self.load.text} }}"

    def declare(self) -> str:
        each = 4 if self.square else 1
        return "\n".join(
            f"var r{self.name}{turn}_{j} = vec4<f32>(0.0);"
            for turn in range(self.turns)
            for j in range(each)
        )

    def _place(self, turn: int) -> str:
        """Return the lines that find what a thread brings: quad q of the line, k."""
        e = f"(t + {turn * self.tile.threads}u)" if turn else "t"
        deep = self.tile.k // 4 if self.square else self.tile.k
        if self.load.fast == "k":
            at = f"let k = {e} % {deep}u; let q = {e} / {deep}u;"
        else:
            at = f"let q = {e} % {self.quads}u; let k = {e} / {self.quads}u;"
        return at

    def _guarded(self, turn: int, body: str) -> str:
        last = (turn + 1) * self.tile.threads
        guard = f"if (t < {self.count - turn * self.tile.threads}u) " if last > self.count else ""
        return f"{guard}{{ {self._place(turn)} {body} }}"

    def _call(self, line: str, k: str) -> str:
        return (
            f"{self.name}({line}, {k}, z)" if self.name == "a" else f"{self.name}({k}, {line}, z)"
        )

    def fetch(self, depth: int) -> str:
        made = []
        for turn in range(self.turns):
            r = f"r{self.name}{turn}_"
            if self.square:
                body = f"let kk = k0 + k * 4u; let l = {self.line}0 + q * 4u;" + "".join(
                    self._checked(f"{r}{j}", f"l + {j}u", "kk", depth) for j in range(4)
                )
            elif self.load.four:
                body = f"let kk = k0 + k; let l = {self.line}0 + q * 4u;" + self._checked(
                    f"{r}0", "l", "kk", depth
                )
            else:
                body = f"let kk = k0 + k; let l = {self.line}0 + q * 4u;" + "".join(
                    self._checked(f"{r}0[{j}]", f"l + {j}u", "kk", depth) for j in range(4)
                )
            made.append(self._guarded(turn, body))
        return "\n".join(made)

    def _checked(self, target: str, line: str, k: str, depth: int) -> str:
        checks = []
        if self.size % self.wide:
            checks.append(f"({line} < {self.size}u)")
        if depth % self.tile.k:
            checks.append(f"({k} < to)")
        found = self._call(line, k)
        if not checks:
            return f" {target} = {found};"
        # What lies outside is read all the same, inside the buffer, as WebGPU says, and dropped: a
        # branch for each load would cost more.
        zero = "vec4<f32>(0.0)" if self.load.four else "0.0"
        return f" {target} = select({zero}, {found}, {' & '.join(checks)});"

    def store(self) -> str:
        made = []
        for turn in range(self.turns):
            r = f"r{self.name}{turn}_"
            if self.square:
                body = "".join(
                    f" t{self.name}[(k * 4u + {j}u) * {self.stride}u + q] = "
                    f"vec4<f32>({', '.join(f'{r}{i}[{j}]' for i in range(4))});"
                    for j in range(4)
                )
            else:
                body = f" t{self.name}[k * {self.stride}u + q] = {r}0;"
            made.append(self._guarded(turn, body))
        return "\n".join(made)


def _zeros(tile: Tile) -> str:
    return " ".join(
        f"var s{i}_{j} = vec4<f32>(0.0);" for i in range(tile.tm) for j in range(tile.tn // 4)
    )


def _sums(tile: Tile, a: _Side, b: _Side) -> str:
    """Return the loop over k: rows of a thread lie in quads, a tile's width apart."""
    across = tile.n // tile.tn
    down = tile.m // tile.tm
    lines = [
        f"let a{i} = ta[k * {a.stride}u + local.y + {i * down}u];" for i in range(tile.tm // 4)
    ]
    lines += [
        f"let b{j} = tb[k * {b.stride}u + local.x + {j * across}u];" for j in range(tile.tn // 4)
    ]
    lines += [
        f"s{i}_{j} = fma(vec4<f32>(a{i // 4}[{i % 4}]), b{j}, s{i}_{j});"
        for i in range(tile.tm)
        for j in range(tile.tn // 4)
    ]
    return f"for (var k = 0u; k < {tile.k}u; k++) {{ {' '.join(lines)} }}"


def _puts(tile: Tile, rows: int, columns: int, four: bool) -> str:
    across, down = tile.n // tile.tn, tile.m // tile.tm
    made = []
    for i in range(tile.tm):
        m = f"m0 + (local.y + {i // 4 * down}u) * 4u + {i % 4}u"
        inner = []
        for j in range(tile.tn // 4):
            n = f"n0 + (local.x + {j * across}u) * 4u"
            if four:
                guard = f"if (n < {columns}u) " if columns % tile.n else ""
                inner.append(f"{{ let n = {n}; {guard}{{ put(z, part, m, n, s{i}_{j}); }} }}")
            else:
                each = " ".join(
                    f"if (n + {c}u < {columns}u) {{ put(z, part, m, n + {c}u, s{i}_{j}[{c}]); }}"
                    if columns % tile.n
                    else f"put(z, part, m, n + {c}u, s{i}_{j}[{c}]);"
                    for c in range(4)
                )
                inner.append(f"{{ let n = {n}; {each} }}")
        guard = f"if (m < {rows}u) " if rows % tile.m else ""
        made.append(f"{{ let m = {m}; {guard}{{ {' '.join(inner)} }} }}")
    return "\n".join(made)


def tile_for(rows: int, columns: int, batches: int = 1) -> Tile:
    """Return the tile for a C of this size.

    Measured on an NVIDIA H200 (docs/speed.md): 128 x 64 with 8 x 4 sums a thread is the fastest
    wherever it gives every processor work; smaller tiles win where it does not.
    """

    def groups(m: int, n: int) -> int:
        return -(-rows // m) * -(-columns // n) * batches

    if columns <= 16:
        return Tile(64, 16, 16, 4, 4)
    if columns <= 32:
        return Tile(128, 32, 16, 8, 4) if groups(128, 32) >= BUSY else Tile(32, 32, 16, 4, 4)
    if groups(128, 64) >= BUSY:
        return Tile(128, 64, 16, 8, 4)
    return Tile(64, 64, 16, 4, 4) if groups(64, 64) >= BUSY else Tile(32, 32, 16, 4, 4)


BUSY = 192
"""Workgroups from which on a GPU is taken to be full."""


def division_for(rows: int, columns: int, depth: int, batches: int = 1) -> tuple[Tile, int]:
    """Return the tile, and into how many parts to divide the sum over k, for a small C and a long
    sum: the gradient of a kernel.

    Measured on an NVIDIA H200: six times as many workgroups as fill it are the fastest, so that
    the last of them leave no processor waiting for long.
    """
    tile = Tile(64, 16, 16, 4, 4) if columns <= 16 else Tile(64, 64, 16, 4, 4)
    if 16 < columns <= 32 or rows <= 32:
        tile = Tile(32, 32, 16, 4, 4)
    if columns > 64 and rows > 64 and rows * columns * batches >= 8 * 128 * 128:
        tile = Tile(128, 64, 16, 8, 4)
    groups = -(-rows // tile.m) * -(-columns // tile.n) * batches
    most = max(1, HEAVIEST // (rows * columns * batches))
    splits = max(1, min(-(-6 * BUSY // groups), depth // 128, most))
    part = -(-depth // (splits * tile.k)) * tile.k
    return tile, -(-depth // part)


HEAVIEST = 1 << 23
"""Elements of all parts of a gradient at most."""
