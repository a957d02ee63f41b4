"""Matrix products by tiles: dense layers and convolutions, in all three directions.

C[m, n] = sum over k of A[m, k] * B[k, n]. A and B need not lie in memory: a *load* is the text of
functions that find an element, so that a convolution is a product of patches that never lie there
(implicit GEMM). A workgroup computes a tile of C; its threads bring slices of A and B, `k` deep,
to workgroup memory, and each adds up `tm` x `tn` elements. What a load divides to find a row of A
or a column of B it divides once, before the sum.

A GPU that is emulated by a CPU has no fast memory for a workgroup, and takes long for a barrier and
for each load. There a thread computes a tile by itself (`alone`), out of its registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from nn.gpu.wgsl.text import Groups, Kernel, grid, index, kernel
from nn.types import prod


@dataclass(frozen=True)
class Tile:
    """Sizes of a workgroup's tile of C, its depth, and of one thread's part of it.

    Attributes:
        deep: threads that share the sums of one part of C, each with every `deep`-th k.
        alone: whether a thread has the whole tile, and brings A and B for itself.
    """

    m: int
    n: int
    k: int
    tm: int
    tn: int
    deep: int = 1
    alone: bool = False

    @property
    def threads(self) -> int:
        return (self.m // self.tm) * (self.n // self.tn) * self.deep

    @property
    def memory(self) -> int:
        """Bytes of workgroup memory."""
        if self.alone:
            return 0
        slices = 16 * self.k * (self.m // 4 + self.n // 4 + 2)
        return slices + (4 * self.m * self.n * self.deep if self.deep > 1 else 0)


@dataclass(frozen=True)
class Load:
    """How elements of A or B are found: by what is known of a row (or column), and of k.

    Attributes:
        line: the vec3<i32> that is known of row `m` of A, or column `n` of B, of product `z`.
        deep: the vec3<i32> that is known of `k`.
        found: the body of a function of `l`, a line, and `d`, a k. It returns a vec4 of four
            neighbours along `fast` if `four`, else one element.
        fast: the index that runs over neighbours in memory: "k", or "m" for A and "n" for B.
        four: whether neighbours come four at a time.
    """

    line: str
    deep: str
    found: str
    fast: str
    four: bool = False

    @classmethod
    def matrix(cls, buffer: str, line: str, deep: str, fast: str, four: bool) -> Load:
        """Return how elements of a matrix in memory are found.

        Args:
            buffer: its name.
            line, deep: the parts of an element's place, which are added.
            fast, four: as above.
        """
        place = "u32(l.x + d.x)"
        found = f"return {buffer}[{place} / 4u];" if four else f"return {buffer}[{place}];"
        return cls(
            f"vec3<i32>(i32({line}), 0, 0)", f"vec3<i32>(i32({deep}), 0, 0)", found, fast, four
        )


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
    total: str = "",
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
        total: stores `sum`, of all elements of column n of B (with `four`, of four columns).
    """
    rows, columns, depth = shape
    part = -(-depth // (splits * tile.k)) * tile.k
    splits = -(-depth // part)
    sides = [_Side("a", "m", rows, tile.m, a, tile), _Side("b", "n", columns, tile.n, b, tile)]
    groups = across, down, _ = -(-columns // tile.n), -(-rows // tile.m), splits * batches
    ranges = f"""
        let part = {f"group.z % {splits}u" if splits > 1 else "0u"};
        let z = {f"group.z / {splits}u" if batches > 1 else "0u"};
        let from_ = {f"part * {part}u" if splits > 1 else "0u"};
        let to = {f"min({depth}u, from_ + {part}u)" if splits > 1 else f"{depth}u"};"""
    kind = "vec4<f32>" if four else "f32"
    totals = (_Own if tile.alone else _Totals)(sides[1], tile, columns, four) if total else None
    added = totals.add() if totals else ""
    head, memory = "", [*(s.memory() for s in sides), *([_shared(tile)] if tile.deep > 1 else [])]
    builtins, size = "group local", f"{tile.n // tile.tn}, {tile.m // tile.tm}, {tile.deep}"
    if tile.alone:
        threads, builtins, size, memory = prod(groups), "id", str(LANES), []
        head = f"""
        {index(threads, LANES)}
        let group = vec3<u32>(i % {across}u, i / {across}u % {down}u, i / {across * down}u);
        let local = vec3<u32>();"""
        groups = grid(threads, LANES)
        loop = _alone(tile, sides, added)
    else:
        loop = _together(tile, sides, depth, added)
    made = kernel(
        name,
        bindings,
        f"""
        {head}
        let m0 = group.y * {tile.m}u;
        let n0 = group.x * {tile.n}u;
        {ranges}
        {"".join(s.lines() if tile.alone else s.declare() for s in sides)}
        {_zeros(tile)}
        {totals.declare() if totals else ""}
        {loop}
        {_joined(tile) if tile.deep > 1 else ""}
        {_puts(tile, rows, columns, four)}
        {totals.put() if totals else ""}
        """,
        size=size,
        builtins=builtins,
        memory="\n".join(memory),
        functions="\n".join(
            [
                dedent(functions),
                *(s.function() for s in sides),
                f"fn put(z: u32, part: u32, m: u32, n: u32, sum: {kind}) {{ {put} }}",
                f"fn put_total(z: u32, part: u32, n: u32, sum: {kind}) {{ {total} }}"
                if total
                else "",
            ]
        ),
    )
    return made, groups


LANES = 4
"""Threads of a workgroup whose threads are alone: what a CPU computes at once."""


def _together(tile: Tile, sides: list[_Side], depth: int, added: str) -> str:
    """Return the sums of a workgroup: the next slice comes to registers before the sums over the
    one in workgroup memory."""
    fetch = "\n".join(s.fetch(depth) for s in sides)
    store = "\n".join(s.store() for s in sides)
    return f"""
        var k0 = from_;
        loop {{
            if (k0 < to) {{
                {fetch}
            }}
            if (k0 > from_) {{
                {_sums(tile, *sides)}
                {added}
            }}
            if (k0 >= to) {{ break; }}
            workgroupBarrier();
            {store}
            workgroupBarrier();
            k0 += {tile.k}u;
        }}"""


def _alone(tile: Tile, sides: list[_Side], added: str) -> str:
    """Return the sums of a thread that brings A and B for itself."""
    step = 4 if any(s.square for s in sides) else 1
    each = [
        f"{{ {' '.join(s.quad(e) for s in sides)} {' '.join(_adds(tile))} {added} }}"
        for e in range(step)
    ]
    first = " ".join(s.four() for s in sides if s.square)
    return f"for (var k = from_; k < to; k += {step}u) {{ {first} {' '.join(each)} }}"


class _Side:
    """A or B: how a slice comes to workgroup memory, where it lies by k and then by line."""

    def __init__(self, name: str, line: str, size: int, wide: int, load: Load, tile: Tile) -> None:
        self.name, self.line, self.size, self.wide = name, line, size, wide
        self.load, self.tile = load, tile
        self.quads = wide // 4
        # A vec4 more in each row, so that the stores of neighbours fall into different banks.
        self.stride = self.quads + 1
        self.square = load.four and load.fast == "k"
        rows = tile.k // 4 if self.square else tile.k
        count = self.quads * rows
        self.across = rows if load.fast == "k" else self.quads
        self.turns = -(-count // tile.threads)
        self.count = count

    def memory(self) -> str:
        return f"var<workgroup> t{self.name}: array<vec4<f32>, {self.tile.k * self.stride}>;"

    def function(self) -> str:
        kind = "vec4<f32>" if self.load.four else "f32"
        line, deep = (f"fn {self.name}_{of}" for of in ("line", "deep"))
        return (
            f"{line}({self.line}: u32, z: u32) -> vec3<i32> {{ return {self.load.line}; }}\n"
            f"{deep}(k: u32, z: u32) -> vec3<i32> {{ return {self.load.deep}; }}\n"
            f"fn {self.name}(l: vec3<i32>, d: vec3<i32>) -> {kind} {{ {self.load.found} }}"
        )

    def declare(self) -> str:
        """Return the text that finds what a thread brings, and what is known of each line of it:
        it is the same for all slices."""
        each = 4 if self.square else 1
        made = []
        for turn in range(self.turns):
            at = self._place(turn)
            made.append(f"let k{self.name}{turn} = {at[0]}; let q{self.name}{turn} = {at[1]};")
            made += [f"var r{self.name}{turn}_{j} = vec4<f32>(0.0);" for j in range(each)]
            if not self.square and turn == self._turn_of_line(turn):
                made += self._lines(turn, 1 if self.load.four else 4)
        return "\n".join(made)

    def lines(self) -> str:
        """Return the text that finds what is known of each line of a thread that is alone."""
        each = 4 if self.load.four and not self.square else 1
        return " ".join(
            f"let l{self.name}{i} = {self.name}_line({self.line}0 + {i}u, z);"
            for i in range(0, self.wide, each)
        )

    def four(self) -> str:
        """Return the text that brings the next four k of each line."""
        n = self.name
        return f"let d{n} = {n}_deep(k, z);" + " ".join(
            f"let r{n}{i} = {n}(l{n}{i}, d{n});" for i in range(self.wide)
        )

    def quad(self, e: int) -> str:
        """Return the text that brings k + e of all lines, four in a vector."""
        n = self.name
        made = "" if self.square else f"let d{n} = {n}_deep(k + {e}u, z);"
        for i in range(0, self.wide, 4):
            if self.square:
                value = ", ".join(f"r{n}{i + j}[{e}]" for j in range(4))
            elif self.load.four:
                value = f"{n}(l{n}{i}, d{n})"
            else:
                value = ", ".join(f"{n}(l{n}{i + j}, d{n})" for j in range(4))
            made += f"let {n}{i // 4} = vec4<f32>({value});"
        return made

    def _lines(self, turn: int, count: int) -> list[str]:
        return [
            f"let l{self.name}{turn}_{j} = {self.name}_line({self._line(turn, j)}, z);"
            for j in range(count)
        ]

    def _place(self, turn: int) -> tuple[str, str]:
        """Return k and the quad of the line that a thread brings."""
        e = f"(t + {turn * self.tile.threads}u)" if turn else "t"
        if self.load.fast == "k":
            return f"{e} % {self.across}u", f"{e} / {self.across}u"
        return f"{e} / {self.across}u", f"{e} % {self.across}u"

    def _turn_of_line(self, turn: int) -> int:
        """Return the turn whose lines this turn has too."""
        same = self.load.fast != "k" and self.tile.threads % self.across == 0
        return 0 if same else turn

    def _turn_of_k(self, turn: int) -> int:
        """Return the turn whose k this turn has too."""
        same = self.load.fast == "k" and self.tile.threads % self.across == 0
        return 0 if same else turn

    def _line(self, turn: int, j: int) -> str:
        return f"{self.line}0 + q{self.name}{turn} * 4u + {j}u"

    def _guarded(self, turn: int, body: str) -> str:
        last = (turn + 1) * self.tile.threads
        guard = f"if (t < {self.count - turn * self.tile.threads}u) " if last > self.count else ""
        return f"{guard}{{ {body} }}"

    def fetch(self, depth: int) -> str:
        made = []
        for turn in range(self.turns):
            r = f"r{self.name}{turn}_"
            k = f"k0 + k{self.name}{turn}" + (" * 4u" if self.square else "")
            if turn == self._turn_of_k(turn):
                made.append(f"let d{self.name}{turn} = {self.name}_deep({k}, z);")
            if self.square:
                targets = [f"{r}{j}" for j in range(4)]
            elif self.load.four:
                targets = [f"{r}0"]
            else:
                targets = [f"{r}0[{j}]" for j in range(4)]
            # Kept for all slices, these took so many registers that fewer workgroups ran at once.
            body = self._lines(turn, 4) if self.square else []
            body += [self._checked(target, turn, j, k, depth) for j, target in enumerate(targets)]
            made.append(self._guarded(turn, " ".join(body)))
        return "\n".join(made)

    def _checked(self, target: str, turn: int, j: int, k: str, depth: int) -> str:
        checks = []
        if self.size % self.wide:
            checks.append(f"({self._line(turn, j)} < {self.size}u)")
        if depth % self.tile.k:
            checks.append(f"({k} < to)")
        line = f"l{self.name}{self._turn_of_line(turn)}_{j}"
        found = f"{self.name}({line}, d{self.name}{self._turn_of_k(turn)})"
        if not checks:
            return f"{target} = {found};"
        # What lies outside is read all the same, inside the buffer, as WebGPU says, and dropped: a
        # branch for each load would cost more.
        zero = "vec4<f32>(0.0)" if self.load.four else "0.0"
        return f"{target} = select({zero}, {found}, {' & '.join(checks)});"

    def store(self) -> str:
        made = []
        for turn in range(self.turns):
            r, k, q = (f"{letter}{self.name}{turn}" for letter in "rkq")
            if self.square:
                body = "".join(
                    f" t{self.name}[({k} * 4u + {j}u) * {self.stride}u + {q}] = "
                    f"vec4<f32>({', '.join(f'{r}_{i}[{j}]' for i in range(4))});"
                    for j in range(4)
                )
            else:
                body = f" t{self.name}[{k} * {self.stride}u + {q}] = {r}_0;"
            made.append(self._guarded(turn, body))
        return "\n".join(made)


class _Totals:
    """The sums of B's columns: of each slice, by all threads of the first workgroup of a column."""

    def __init__(self, b: _Side, tile: Tile, columns: int, four: bool) -> None:
        self.b, self.tile, self.columns, self.four = b, tile, columns, four
        # So many threads share a quad of columns; each of them leaves a row of B's memory.
        self.rows = min(tile.threads // b.quads, tile.k)

    def declare(self) -> str:
        return "var total = vec4<f32>(0.0);"

    def add(self) -> str:
        b = self.b
        return f"""
            if (group.y == 0u) {{
                for (var k = t / {b.quads}u; k < {self.tile.k}u; k += {self.rows}u) {{
                    total += tb[k * {b.stride}u + t % {b.quads}u];
                }}
            }}"""

    def stored(self, n: str, total: str) -> str:
        """Return the text that stores the sums of columns n to n + 3."""
        if self.four:
            bound = f"if (n < {self.columns}u) " if self.columns % self.tile.n else ""
            puts = f"{bound}{{ put_total(z, part, n, {total}); }}"
        else:
            puts = " ".join(
                f"if (n + {c}u < {self.columns}u) {{ put_total(z, part, n + {c}u, {total}[{c}]); }}"
                for c in range(4)
            )
        return f"{{ let n = {n}; {puts} }}"

    def put(self) -> str:
        b = self.b
        return f"""
            if (group.y == 0u) {{
                workgroupBarrier();
                if (t < {self.rows * b.quads}u) {{
                    tb[t / {b.quads}u * {b.stride}u + t % {b.quads}u] = total;
                }}
                workgroupBarrier();
                if (t < {b.quads}u) {{
                    for (var k = 1u; k < {self.rows}u; k++) {{ total += tb[k * {b.stride}u + t]; }}
                    {self.stored("n0 + t * 4u", "total")}
                }}
            }}"""


class _Own(_Totals):
    """The same, by each thread of a column's first tile."""

    def _each(self, text: str) -> str:
        return " ".join(text.format(j) for j in range(self.b.quads))

    def declare(self) -> str:
        return self._each("var total{0} = vec4<f32>();")

    def add(self) -> str:
        return self._each("total{0} += b{0};")

    def put(self) -> str:
        each = [self.stored(f"n0 + {4 * j}u", f"total{j}") for j in range(self.b.quads)]
        return f"if (m0 == 0u) {{ {' '.join(each)} }}"


def _zeros(tile: Tile) -> str:
    return " ".join(f"var {s} = vec4<f32>(0.0);" for s in _names(tile))


def _names(tile: Tile) -> list[str]:
    return [f"s{i}_{j}" for i in range(tile.tm) for j in range(tile.tn // 4)]


def _shared(tile: Tile) -> str:
    size = tile.threads * tile.tm * tile.tn // 4
    return f"var<workgroup> shared_: array<vec4<f32>, {size}>;"


def _joined(tile: Tile) -> str:
    """Return the lines that add up what threads with the same part of C have."""
    names = _names(tile)
    beside = tile.threads // tile.deep
    stores = " ".join(f"shared_[{i * tile.threads}u + t] = {s};" for i, s in enumerate(names))
    adds = " ".join(
        f"{s} += shared_[{i * tile.threads}u + t + d * {beside}u];" for i, s in enumerate(names)
    )
    return f"""
        {stores}
        workgroupBarrier();
        if (local.z == 0u) {{ for (var d = 1u; d < {tile.deep}u; d++) {{ {adds} }} }}"""


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
    lines += _adds(tile)
    first, step = ("local.z", f"k += {tile.deep}u") if tile.deep > 1 else ("0u", "k++")
    return f"for (var k = {first}; k < {tile.k}u; {step}) {{ {' '.join(lines)} }}"


def _adds(tile: Tile) -> list[str]:
    return [
        f"s{i}_{j} = fma(vec4<f32>(a{i // 4}[{i % 4}]), b{j}, s{i}_{j});"
        for i in range(tile.tm)
        for j in range(tile.tn // 4)
    ]


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
    if tile.deep > 1:
        made = ["if (local.z == 0u) {", *made, "}"]
    return "\n".join(made)


def tile_for(
    rows: int,
    columns: int,
    depth: int,
    batches: int = 1,
    *,
    plain: bool = False,
    alone: bool = False,
) -> Tile:
    """Return the tile for a C of this size and a sum so long.

    Measured on an NVIDIA H200 (docs/speed.md): 128 x 64 with 8 x 4 sums a thread is the fastest
    wherever it gives every processor work, and with 16 x 8 of two matrices in memory, A by rows and
    B by rows (`plain`); smaller tiles win where it does not.
    """

    def groups(m: int, n: int) -> int:
        return -(-rows // m) * -(-columns // n) * batches

    if alone:
        n = 4 if columns <= 4 else 8
        return Tile(8, n, 4, 8, n, alone=True)
    if columns <= 8:
        return Tile(128, 8, min(16, 4 * -(-depth // 4)), 4, 4)
    if columns <= 16:
        return Tile(128, 16, 16, 8, 4) if groups(128, 16) >= BUSY else Tile(64, 16, 16, 4, 4)
    if columns <= 32:
        return Tile(128, 32, 16, 8, 4) if groups(128, 32) >= BUSY else Tile(32, 32, 16, 4, 4)
    if plain and groups(128, 64) >= 2 * BUSY:
        return Tile(128, 64, 8, 16, 8)
    if groups(128, 64) >= BUSY:
        return Tile(128, 64, 16, 8, 4)
    return Tile(64, 64, 16, 4, 4) if groups(64, 64) >= BUSY else Tile(32, 32, 16, 4, 4)


BUSY = 192
"""Workgroups from which on a GPU is taken to be full."""


def division_for(
    rows: int, columns: int, depth: int, batches: int = 1, *, alone: bool = False
) -> tuple[Tile, int]:
    """Return the tile, and into how many parts to divide the sum over k, for a small C and a long
    sum: the gradient of a kernel.

    Measured on an NVIDIA H200: six times as many workgroups as fill it are the fastest, so that
    the last of them leave no processor waiting for long.
    """
    tile = _fitted(rows, columns) if min(rows, columns) <= 32 else Tile(64, 64, 16, 4, 4)
    if alone:
        tile = tile_for(rows, columns, depth, alone=True)
    elif columns > 64 and rows > 64 and rows * columns * batches >= 8 * 128 * 128:
        tile = Tile(128, 64, 16, 8, 4)
    groups = -(-rows // tile.m) * -(-columns // tile.n) * batches
    most = max(1, HEAVIEST // (rows * columns * batches))
    wanted = FEW if alone else 6 * BUSY
    splits = max(1, min(-(-wanted // groups), depth // 128, most, PARTS))
    part = -(-depth // (splits * tile.k)) * tile.k
    return tile, -(-depth // part)


FEW = 64
"""Tiles from which on a CPU is taken to be full."""
HEAVIEST = 1 << 23
"""Elements of all parts of a gradient at most."""
PARTS = 576
"""Parts of a gradient at most: the optimizer adds them up."""


def _fitted(rows: int, columns: int) -> Tile:
    """Return a tile that a small C fills, with several threads to a sum where it has few."""

    def part(size: int, most: int) -> int:
        return 4 * -(-size // (-(-size // most) * 4))

    n = part(columns, 64)
    m = part(rows, min(128, 2048 // n // 4 * 4))
    made = (
        Tile(m, n, k, 4, 4, deep) for deep in (8, 4, 2, 1) for k in (32, 16) if m * n * deep <= 2048
    )
    return next(tile for tile in made if tile.memory <= MEMORY)


MEMORY = 16384
"""Bytes of workgroup memory that WebGPU grants by default."""
