"""Convolutions as implicit matrix products, depthwise convolutions, and pooling.

A dense layer is a convolution of 1 x 1 images by a 1 x 1 kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nn.gpu.wgsl.functions import LINEAR, Function
from nn.gpu.wgsl.products import Load, division_for, product, tile_for
from nn.gpu.wgsl.text import Groups, Kernel, grid, index, kernel

Made = tuple[Kernel, Groups]


@dataclass(frozen=True)
class Window:
    """A window that moves over images: (n, h, w, c) -> (n, oh, ow, f).

    Attributes:
        sy, sx: strides.
        dy, dx: dilation.
        groups: of channels; each is convolved by itself.
        alone: whether each thread is to compute its products alone (`products.Tile`).
    """

    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    f: int
    top: int = 0
    left: int = 0
    oh: int = 1
    ow: int = 1
    sy: int = 1
    sx: int = 1
    dy: int = 1
    dx: int = 1
    groups: int = 1
    alone: bool = False

    @property
    def cg(self) -> int:
        return self.c // self.groups

    @property
    def fg(self) -> int:
        return self.f // self.groups

    @property
    def taps(self) -> int:
        """Elements of the kernel for each filter."""
        return self.kh * self.kw * self.cg

    @property
    def places(self) -> int:
        return self.n * self.oh * self.ow

    @property
    def pixels(self) -> int:
        return self.n * self.h * self.w

    @property
    def padded(self) -> bool:
        """Whether a window may lie over an edge of its image."""
        last = (self.oh - 1) * self.sy + (self.kh - 1) * self.dy - self.top
        right = (self.ow - 1) * self.sx + (self.kw - 1) * self.dx - self.left
        return self.top > 0 or self.left > 0 or last >= self.h or right >= self.w

    @property
    def plain(self) -> bool:
        """Whether the images are a matrix, and the kernel another: a place reads one pixel."""
        same = (self.h, self.w) == (self.oh, self.ow)
        return self.kh == self.kw == 1 and same and not self.padded

    @property
    def inputs_four(self) -> bool:
        return self.cg % 4 == 0

    @property
    def outputs_four(self) -> bool:
        return self.fg % 4 == 0


def kind(four: bool) -> str:
    """Return the type of a buffer's elements."""
    return "vec4<f32>" if four else "f32"


def _at(name: str, place: str, four: bool) -> str:
    return f"{name}[({place}) / 4u]" if four else f"{name}[{place}]"


def _patches(s: Window, by_place: bool) -> Load:
    """Return how elements of the matrix of patches are found: row "place" (n, oh, ow), column "tap"
    (kh, kw, c). Lines are places, or taps where k is the place."""
    place, tap = ("m", "k") if by_place else ("k", "m")
    # Neighbours in memory are channels and columns of a patch, but with one channel places too.
    fast = place if by_place and s.c == s.sx == 1 else tap
    if s.plain:
        parts = f"{place} * {s.c}u + z * {s.cg}u", tap
        return Load.matrix("x", *(parts if by_place else parts[::-1]), fast, s.inputs_four)
    row = f"i32({place} / {s.ow}u % {s.oh}u * {s.sy}u) - {s.top}"
    column = f"i32({place} % {s.ow}u * {s.sx}u) - {s.left}"
    first = f"i32({place} / {s.oh * s.ow}u) * {s.h * s.w * s.c} + i32(z) * {s.cg}"
    down, across = (
        f"i32({tap} / {s.cg * s.kw}u) * {s.dy}",
        f"i32({tap} / {s.cg}u % {s.kw}u) * {s.dx}",
    )
    parts = (
        f"vec3<i32>({first} + (({row}) * {s.w} + {column}) * {s.c}, {row}, {column})",
        f"vec3<i32>(({down} * {s.w} + {across}) * {s.c} + i32({tap} % {s.cg}u), {down}, {across})",
    )
    zero = "vec4<f32>(0.0)" if s.inputs_four else "0.0"
    found = _at("x", "u32(l.x + d.x)", s.inputs_four)
    if s.padded:
        inside = f"(u32(l.y + d.y) < {s.h}u) & (u32(l.z + d.z) < {s.w}u)"
        found = f"select({zero}, {found}, {inside})"
    line, deep = parts if by_place else parts[::-1]
    return Load(line, deep, f"return {found};", fast, s.inputs_four)


def _sources(s: Window) -> Load:
    """Return how the element of dz is found that pixel m gave to by tap k (kh, kw, f)."""
    if s.plain:
        return Load.matrix("dz", f"m * {s.f}u + z * {s.fg}u", "k", "k", s.outputs_four)
    y, x = f"i32(m / {s.w}u % {s.h}u) + {s.top}", f"i32(m % {s.w}u) + {s.left}"
    first = f"i32(m / {s.h * s.w}u * {s.oh * s.ow * s.f}u + z * {s.fg}u)"
    down, across = f"i32(k / {s.fg * s.kw}u) * {s.dy}", f"i32(k / {s.fg}u % {s.kw}u) * {s.dx}"
    zero = "vec4<f32>(0.0)" if s.outputs_four else "0.0"
    place = f"u32(l.x + d.x + (oy * {s.ow} + ox) * {s.f})"
    strided = f" & (at.y % {s.sy} == 0) & (at.z % {s.sx} == 0)" if s.sy > 1 or s.sx > 1 else ""
    found = f"""
    let at = l - d;
    let oy = at.y / {s.sy};
    let ox = at.z / {s.sx};
    let inside = (at.y >= 0) & (at.z >= 0) & (oy < {s.oh}) & (ox < {s.ow}){strided};
    return select({zero}, {_at("dz", place, s.outputs_four)}, inside);"""
    line = f"vec3<i32>({first}, {y}, {x})"
    return Load(line, f"vec3<i32>(i32(k % {s.fg}u), {down}, {across})", found, "k", s.outputs_four)


def each(four: bool, given: str, text: Callable[[str], str]) -> str:
    """Return an expression for the vec4 or the number `given`, made by `text` of each number."""
    if not four:
        return text(given)
    return f"vec4<f32>({', '.join(text(f'{given}[{j}]') for j in range(4))})"


def convolution(s: Window, w: int, bias: int | None, function: Function) -> Made:
    """y = function(x * w + bias); buffers x, p, y."""
    four = s.outputs_four
    plus = f" + {_at('p', f'{bias}u + z * {s.fg}u + n', four)}" if bias is not None else ""
    value = each(four, "s", lambda v: f"function({v})") if function is not LINEAR else "s"
    tile = tile_for(s.places, s.fg, s.taps, s.groups, plain=s.plain, alone=s.alone)
    return product(
        "dense" if s.h == s.w == s.kh == s.kw == 1 else "convolution",
        [("x", kind(s.inputs_four)), ("p", kind(four)), ("y*", kind(four))],
        (s.places, s.fg, s.taps),
        _patches(s, True),
        Load.matrix("p", f"{w}u + z * {s.fg}u + n", f"k * {s.f}u", "n", four),
        f"let s = sum{plus}; {_at('y', f'm * {s.f}u + z * {s.fg}u + n', four)} = {value};",
        tile,
        batches=s.groups,
        four=four,
        functions=function_text(function),
    )


def function_text(function: Function) -> str:
    """Return WGSL's `function(v)` of an activation."""
    if function is LINEAR:
        return ""
    return f"{function.helpers}\nfn function(v: f32) -> f32 {{ return {function.forward}; }}"


def weight_gradient(s: Window, target: int, bias: bool) -> tuple[Made, int]:
    """Gradients of kernel and bias, the latter the sums of dz; buffers x, dz, partials. Returns
    also how many parts there are: `target` may be 0 to ask."""
    rows, columns, depth = s.taps, s.fg, s.places
    patches = _patches(s, False)
    if not rows:  # nothing but a bias: the kernel's gradient of an input that is always 1
        rows, bias = 1, False
        patches = Load("vec3<i32>()", "vec3<i32>()", "return 1.0;", "m")
    tile, splits = division_for(rows, columns, depth, s.groups, alone=s.alone)
    four = s.outputs_four
    part = f"{target}u + part * {(rows + bias) * s.f}u + z * {s.fg}u + n"
    made = product(
        "weight_gradient",
        [("x", kind(s.inputs_four)), ("dz", kind(four)), ("partials*", kind(four))],
        (rows, columns, depth),
        patches,
        Load.matrix("dz", f"z * {s.fg}u + n", f"k * {s.f}u", "n", four),
        f"{_at('partials', f'{part} + m * {s.f}u', four)} = sum;",
        tile,
        splits=splits,
        batches=s.groups,
        four=four,
        total=f"{_at('partials', f'{part} + {rows * s.f}u', four)} = sum;" if bias else "",
    )
    return made, splits


def input_gradient(
    s: Window,
    w: int,
    then: Function = LINEAR,
    bias: int | None = None,
    function: Function = LINEAR,
) -> Made:
    """dx: each pixel gathers from the places it went into, times the slope of `then` at x; buffers
    dz, p, [x,] dx. With `bias` or `function`, this is a transposed convolution."""
    four = s.inputs_four
    bindings = [("dz", kind(s.outputs_four)), ("p", kind(s.outputs_four)), ("dx*", kind(four))]
    place = f"m * {s.c}u + z * {s.cg}u + n"
    value, before = "s", "let s = sum;"
    if bias is not None:
        read = "p[({0}) / 4u][({0}) % 4u]" if s.outputs_four else "p[{0}]"
        added = [read.format(f"{bias}u + z * {s.cg}u + n + {j}u") for j in range(4)]
        before = f"let s = sum + {f'vec4<f32>({chr(44).join(added)})' if four else added[0]};"
    if function is not LINEAR:
        value = each(four, "s", lambda v: f"function({v})")
    if then is not LINEAR:
        bindings.insert(2, ("x", kind(four)))
        before += f" let at = {_at('x', place, four)};"
        value = f"s * {each(four, 'at', lambda v: f'slope({v})')}"
    return product(
        "input_gradient" if function is LINEAR and bias is None else "transposed_convolution",
        bindings,
        (s.pixels, s.cg, s.kh * s.kw * s.fg),
        _sources(s),
        Load.matrix(
            "p",
            f"{w}u + n * {s.f}u + z * {s.fg}u",
            f"k / {s.fg}u * {s.cg * s.f}u + k % {s.fg}u",
            "k",
            s.outputs_four,
        ),
        f"{before} {_at('dx', place, four)} = {value};",
        tile_for(s.pixels, s.cg, s.kh * s.kw * s.fg, s.groups, alone=s.alone),
        batches=s.groups,
        four=four,
        functions=slope_function(then) + function_text(function),
    )


def slope_function(then: Function) -> str:
    """Return WGSL's `slope(y)` of an activation, from its result."""
    if then is LINEAR:
        return ""
    return f"{then.helpers}\nfn slope(y: f32) -> f32 {{ return {then.slope}; }}"


# Depthwise: filter f reads channel f / multiplier only.


def depthwise(s: Window, w: int, bias: int | None, function: Function) -> Made:
    """y = function(x * w + bias), a thread for each output; buffers x, p, y."""
    multiplier = s.f // s.c
    size = s.places * s.f
    plus = f"p[{bias}u + f]" if bias is not None else "0.0"
    made = kernel(
        "depthwise",
        [("x", "f32"), ("p", "f32"), ("y*", "f32")],
        f"""
        {index(size)}
        let f = i % {s.f}u;
        let place = i / {s.f}u;
        let r = i32((place / {s.ow}u) % {s.oh}u * {s.sy}u) - {s.top};
        let q = i32(place % {s.ow}u * {s.sx}u) - {s.left};
        var v = {plus};
        for (var ky = 0; ky < {s.kh}; ky++) {{
            let iy = r + ky * {s.dy};
            if (iy < 0 || iy >= {s.h}) {{ continue; }}
            for (var kx = 0; kx < {s.kw}; kx++) {{
                let ix = q + kx * {s.dx};
                if (ix < 0 || ix >= {s.w}) {{ continue; }}
                v += p[{w}u + u32(ky * {s.kw} + kx) * {s.f}u + f]
                    * x[((place / {s.oh * s.ow}u * {s.h}u + u32(iy)) * {s.w}u + u32(ix)) * {s.c}u
                        + f / {multiplier}u];
            }}
        }}
        y[i] = {function.forward};""",
        functions=function.helpers,
    )
    return made, grid(size)


def depthwise_input_gradient(s: Window, w: int, then: Function) -> Made:
    """dx; buffers dz, p, [x,] dx."""
    multiplier = s.f // s.c
    size = s.pixels * s.c
    bindings = [("dz", "f32"), ("p", "f32"), ("dx*", "f32")]
    more = ""
    if then is not LINEAR:
        bindings.insert(2, ("x", "f32"))
        more = " * slope(x[i])"
    made = kernel(
        "depthwise_input_gradient",
        bindings,
        f"""
        {index(size)}
        let c = i % {s.c}u;
        let pixel = i / {s.c}u;
        let r = i32((pixel / {s.w}u) % {s.h}u) + {s.top};
        let q = i32(pixel % {s.w}u) + {s.left};
        var v = 0.0;
        for (var ky = 0; ky < {s.kh}; ky++) {{
            let ty = r - ky * {s.dy};
            if (ty < 0 || ty % {s.sy} != 0 || ty / {s.sy} >= {s.oh}) {{ continue; }}
            for (var kx = 0; kx < {s.kw}; kx++) {{
                let tx = q - kx * {s.dx};
                if (tx < 0 || tx % {s.sx} != 0 || tx / {s.sx} >= {s.ow}) {{ continue; }}
                let at = ((pixel / {s.h * s.w}u * {s.oh}u + u32(ty / {s.sy})) * {s.ow}u
                    + u32(tx / {s.sx})) * {s.f}u + c * {multiplier}u;
                let tap = {w}u + u32(ky * {s.kw} + kx) * {s.f}u + c * {multiplier}u;
                for (var j = 0u; j < {multiplier}u; j++) {{ v += p[tap + j] * dz[at + j]; }}
            }}
        }}
        dx[i] = v{more};""",
        functions=slope_function(then),
    )
    return made, grid(size)


def depthwise_weight_gradient(s: Window, target: int, bias: bool) -> tuple[Made, int]:
    """Gradients of kernel and bias, in parts over the places; buffers x, dz, partials. A thread
    adds up one element of one part."""
    multiplier = s.f // s.c
    outputs = (s.kh * s.kw + bias) * s.f
    parts = max(1, min(256, s.places // 64, -(-65536 // outputs)))
    chunk = -(-s.places // parts)
    parts = -(-s.places // chunk)
    made = kernel(
        "depthwise_weight_gradient",
        [("x", "f32"), ("dz", "f32"), ("partials*", "f32")],
        f"""
        let o = id.x;
        if (o >= {outputs}u) {{ return; }}
        let f = o % {s.f}u;
        let tap = o / {s.f}u;
        let dy = i32(tap / {s.kw}u * {s.dy}u) - {s.top};
        let dx = i32(tap % {s.kw}u * {s.dx}u) - {s.left};
        var sum = 0.0;
        let last = min({s.places}u, (group.y + 1u) * {chunk}u);
        for (var place = group.y * {chunk}u; place < last; place++) {{
            let d = dz[place * {s.f}u + f];
            if (tap == {s.kh * s.kw}u) {{ sum += d; continue; }}
            let iy = i32((place / {s.ow}u) % {s.oh}u * {s.sy}u) + dy;
            let ix = i32(place % {s.ow}u * {s.sx}u) + dx;
            if (iy < 0 || iy >= {s.h} || ix < 0 || ix >= {s.w}) {{ continue; }}
            sum += d * x[((place / {s.oh * s.ow}u * {s.h}u + u32(iy)) * {s.w}u + u32(ix)) * {s.c}u
                + f / {multiplier}u];
        }}
        partials[{target}u + group.y * {outputs}u + o] = sum;""",
        builtins="id group",
    )
    return (made, (-(-outputs // 64), parts, 1)), parts


# Pooling: f is c; four channels a thread where their number allows.


def _lanes(s: Window) -> tuple[bool, int, str, str, str]:
    """Return (four, groups of channels, float type, type of places, zero)."""
    if s.c % 4 == 0:
        return True, s.c // 4, "vec4<f32>", "vec4<u32>", "vec4<f32>(0.0)"
    return False, s.c, "f32", "u32", "0.0"


def max_pool(s: Window) -> Made:
    """The maximum of each window and which of its elements that is (a byte each of four channels);
    buffers x, y, place."""
    four, c, floats, whole, _ = _lanes(s)
    size = s.places * c
    store = (
        "place[i] = which.x | (which.y << 8u) | (which.z << 16u) | (which.w << 24u);"
        if four
        else "place[i] = which;"
    )
    made = kernel(
        "max_pool",
        [("x", floats), ("y*", floats), ("place*", "u32")],
        f"""
        {index(size)}
        let c = i % {c}u;
        let at = i / {c}u;
        let r = i32((at / {s.ow}u) % {s.oh}u * {s.sy}u) - {s.top};
        let q = i32(at % {s.ow}u * {s.sx}u) - {s.left};
        var best = {floats}(-3.4e38);
        var which = {whole}(0u);
        for (var ky = 0; ky < {s.kh}; ky++) {{
            if (r + ky < 0 || r + ky >= {s.h}) {{ continue; }}
            for (var kx = 0; kx < {s.kw}; kx++) {{
                if (q + kx < 0 || q + kx >= {s.w}) {{ continue; }}
                let row = at / {s.oh * s.ow}u * {s.h}u + u32(r + ky);
                let v = x[(row * {s.w}u + u32(q + kx)) * {c}u + c];
                which = select(which, {whole}(u32(ky * {s.kw} + kx)), v > best);
                best = max(best, v);
            }}
        }}
        y[i] = best;
        {store}""",
    )
    return made, grid(size)


def _pool_gradient(
    s: Window, name: str, bindings: list[tuple[str, str]], hit: str, then: Function
) -> Made:
    """dx, a thread for each input: `hit` is the part that place `o` gives by element `tap`."""
    four, c, floats, _, zero = _lanes(s)
    size = s.pixels * c
    more = ""
    if then is not LINEAR:
        bindings = [*bindings, ("x", floats)]
        more = f" * {each(four, 'x[i]', lambda v: f'slope({v})')}"
    made = kernel(
        name,
        [*bindings, ("dx*", floats)],
        f"""
        {index(size)}
        let c = i % {c}u;
        let pixel = i / {c}u;
        let r = i32((pixel / {s.w}u) % {s.h}u) + {s.top};
        let q = i32(pixel % {s.w}u) + {s.left};
        var sum = {zero};
        for (var ky = 0; ky < {s.kh}; ky++) {{
            let ty = r - ky;
            if (ty < 0 || ty % {s.sy} != 0 || ty / {s.sy} >= {s.oh}) {{ continue; }}
            for (var kx = 0; kx < {s.kw}; kx++) {{
                let tx = q - kx;
                if (tx < 0 || tx % {s.sx} != 0 || tx / {s.sx} >= {s.ow}) {{ continue; }}
                let oy = ty / {s.sy};
                let ox = tx / {s.sx};
                let tap = u32(ky * {s.kw} + kx);
                let o = ((pixel / {s.h * s.w}u * {s.oh}u + u32(oy)) * {s.ow}u + u32(ox)) * {c}u + c;
                sum += {hit};
            }}
        }}
        dx[i] = sum{more};""",
        functions=slope_function(then) + BYTES,
    )
    return made, grid(size)


BYTES = """
fn bytes(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u);
}
"""


def max_pool_gradient(s: Window, then: Function) -> Made:
    """dx; buffers dy, place, [x,] dx."""
    four, _, floats, _, zero = _lanes(s)
    here = "bytes(place[o]) == vec4<u32>(tap)" if four else "place[o] == tap"
    hit = f"select({zero}, dy[o], {here})"
    return _pool_gradient(s, "max_pool_gradient", [("dy", floats), ("place", "u32")], hit, then)


def _count(s: Window) -> str:
    """Return the text of how many elements of the window at (oy, ox) are not padding."""
    if not (s.top or s.left or s.oh * s.sy > s.h or s.ow * s.sx > s.w):
        return f"{s.kh * s.kw}.0"
    rows = f"min({s.h}, oy * {s.sy} - {s.top} + {s.kh}) - max(0, oy * {s.sy} - {s.top})"
    columns = f"min({s.w}, ox * {s.sx} - {s.left} + {s.kw}) - max(0, ox * {s.sx} - {s.left})"
    return f"f32(({rows}) * ({columns}))"


def average_pool(s: Window, summed: bool = False) -> Made:
    """The mean of each window without padding, or its sum; buffers x, y."""
    _, c, floats, _, zero = _lanes(s)
    size = s.places * c
    made = kernel(
        "average_pool",
        [("x", floats), ("y*", floats)],
        f"""
        {index(size)}
        let c = i % {c}u;
        let at = i / {c}u;
        let oy = i32((at / {s.ow}u) % {s.oh}u);
        let ox = i32(at % {s.ow}u);
        let r = oy * {s.sy} - {s.top};
        let q = ox * {s.sx} - {s.left};
        var sum = {zero};
        for (var ky = 0; ky < {s.kh}; ky++) {{
            if (r + ky < 0 || r + ky >= {s.h}) {{ continue; }}
            for (var kx = 0; kx < {s.kw}; kx++) {{
                if (q + kx < 0 || q + kx >= {s.w}) {{ continue; }}
                let row = at / {s.oh * s.ow}u * {s.h}u + u32(r + ky);
                sum += x[(row * {s.w}u + u32(q + kx)) * {c}u + c];
            }}
        }}
        y[i] = sum / {"1.0" if summed else _count(s)};""",
    )
    return made, grid(size)


def average_pool_gradient(s: Window, then: Function, summed: bool = False) -> Made:
    """dx; buffers dy, [x,] dx."""
    floats = _lanes(s)[2]
    hit = "dy[o]" if summed else f"dy[o] / {_count(s)}"
    return _pool_gradient(s, "average_pool_gradient", [("dy", floats)], hit, then)


def global_max(s: Window) -> Made:
    """The maximum of each channel, and 1 / how many places have it; buffers x, y, share."""
    size, places = s.n * s.c, s.h * s.w
    made = kernel(
        "global_max",
        [("x", "f32"), ("y*", "f32"), ("share*", "f32")],
        f"""
        {index(size)}
        let base = i / {s.c}u * {places * s.c}u + i % {s.c}u;
        var best = x[base];
        var count = 1.0;
        for (var j = 1u; j < {places}u; j++) {{
            let v = x[base + j * {s.c}u];
            count = select(count + select(0.0, 1.0, v == best), 1.0, v > best);
            best = max(best, v);
        }}
        y[i] = best;
        share[i] = 1.0 / count;""",
    )
    return made, grid(size)


def global_max_gradient(s: Window, then: Function) -> Made:
    """dx; buffers dy, x, y, share, dx."""
    size, places = s.pixels * s.c, s.h * s.w
    more = " * slope(x[i])" if then is not LINEAR else ""
    made = kernel(
        "global_max_gradient",
        [("dy", "f32"), ("x", "f32"), ("y", "f32"), ("share", "f32"), ("dx*", "f32")],
        f"""
        {index(size)}
        let o = i / {places * s.c}u * {s.c}u + i % {s.c}u;
        dx[i] = select(0.0, dy[o] * share[o], x[i] == y[o]){more};""",
        functions=slope_function(then),
    )
    return made, grid(size)
