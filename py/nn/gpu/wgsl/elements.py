"""Kernels of single elements: samples gathered, activations, sums, noise."""

from __future__ import annotations

from nn.gpu.wgsl.functions import LINEAR, Function, number
from nn.gpu.wgsl.text import Made, grid, index, kernel
from nn.gpu.wgsl.windows import kind, slope_function
from nn.types import prod

Shape = tuple[int, ...]


def gather(batch: int, size: int, scaled: tuple[float, float] | None) -> Made:
    """Bring the step's samples, in the epoch's order; 0 past them.

    Args:
        batch: samples of a step.
        size: elements of a sample.
        scaled: (scale, offset) of samples that lie there as bytes, or None for floats.
    """
    four = size % 4 == 0
    wide = size // 4 if four else size
    value = "data[at]"
    if scaled is not None:
        shift = "vec4<u32>(0u, 8u, 16u, 24u)" if four else "at % 4u * 8u"
        word = "vec4<u32>(data[at])" if four else "data[at / 4u]"
        mask = "vec4<u32>(255u)" if four else "255u"
        scale, offset = map(number, scaled)
        value = f"{kind(four)}(({word} >> ({shift})) & {mask}) * {scale} + {offset}"
    made = kernel(
        "gather",
        [("data", kind(four) if scaled is None else "u32"), ("order", "u32"), ("x*", kind(four))],
        f"""
        {index(batch * wide)}
        let row = i / {wide}u;
        if (row >= step.rows) {{ x[i] = {kind(four)}(0.0); return; }}
        let at = order[step.first + row] * {wide}u + i % {wide}u;
        x[i] = {value};""",
    )
    return made, grid(batch * wide)


def mapped(name: str, size: int, text: str, then: Function = LINEAR, *, helpers: str = "") -> Made:
    """y = `text` of v = x[i], times the slope of `then`, whose result `at` is; buffers x, [at,]
    y."""
    bindings, more = [("x", "f32"), ("y*", "f32")], ""
    if then is not LINEAR:
        bindings.insert(1, ("at", "f32"))
        more = " * slope(at[i])"
    made = kernel(
        name,
        bindings,
        f"{index(size)}\nlet v = x[i];\ny[i] = ({text}){more};",
        functions=helpers + slope_function(then),
    )
    return made, grid(size)


def apply(size: int, function: Function) -> Made:
    """y = function(x)."""
    return mapped("activate", size, function.forward, helpers=function.helpers)


def copy(size: int, then: Function = LINEAR, factor: float = 1.0) -> Made:
    """y = x times a factor, times the slope of `then` at `at`."""
    return mapped("copy", size, "v" if factor == 1.0 else f"v * {number(factor)}", then)


def rescaled(size: int, scale: float, offset: float) -> Made:
    """y = x * scale + offset."""
    return mapped("rescaled", size, f"v * {number(scale)} + {number(offset)}")


def slope(size: int, function: Function) -> Made:
    """Multiply a gradient, in place, by the slope at `x`, the function's result."""
    return _map("slope", size, "y[i] = y[i] * slope(x[i]);", slope_function(function))


def slope_of(size: int, function: Function, then: Function = LINEAR) -> Made:
    """dx = dy times the slope of `function` at x, its argument, and of `then`, whose result x
    is."""
    more = " * slope(v)" if then is not LINEAR else ""
    made = kernel(
        "slope_of",
        [("x", "f32"), ("dy", "f32"), ("dx*", "f32")],
        f"{index(size)}\nlet v = x[i];\ndx[i] = dy[i] * {function.slope}{more};",
        functions=function.helpers + slope_function(then),
    )
    return made, grid(size)


def sum_into(size: int) -> Made:
    """y += x."""
    return _map("sum_into", size, "y[i] = y[i] + x[i];")


def _map(name: str, size: int, body: str, functions: str = "") -> Made:
    bindings = [("x", "f32"), ("y*", "f32")]
    return kernel(name, bindings, f"{index(size)}\n{body}", functions=functions), grid(size)


# Noise: a counter-based generator, so that backward draws the same again instead of keeping it.

# `mixed` is the finalizer of murmur3, both ways a bijection; `normal` is Box and Muller's.
DRAWN = """
fn mixed(v: u32) -> u32 {
    var h = v;
    h = (h ^ (h >> 16u)) * 0x85ebca6bu;
    h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
    return h ^ (h >> 16u);
}
fn drawn(i: u32, layer: u32) -> u32 {
    return mixed(mixed(mixed(i) ^ step.seed) ^ (layer * 0x9e3779b9u));
}
fn share(i: u32, layer: u32) -> f32 { return f32(drawn(i, layer) >> 8u) * (1.0 / 16777216.0); }
fn normal(i: u32, layer: u32) -> f32 {
    let a = (f32(drawn(i, layer) >> 8u) + 1.0) * (1.0 / 16777217.0);
    let b = share(i, layer ^ 0x80000000u);
    return sqrt(-2.0 * log(a)) * cos(6.2831853 * b);
}
"""


def noise(size: int, text: str, place: str, layer: int, then: Function = LINEAR) -> Made:
    """y = `text` of v = x[i] and a draw; with `step.seed` 0, y = x; buffers x, [at,] y.

    Args:
        size: elements.
        text: uses `v`, and `share(k)` or `normal(k)`.
        place: the text of k, from i.
        layer: a number that no other draw has.
        then: multiply by its slope at `at`.
    """
    body = f"select({text}, v, step.seed == 0u)".replace("(k)", f"({place}, {layer}u)")
    return mapped("noise", size, body, then, helpers=DRAWN)


# Several values.


def weighted_sum(size: int, factors: list[float]) -> Made:
    """y = the sum of the inputs, each times its factor; buffers x0, x1, ..., y."""
    terms = " + ".join(f"x{j}[i] * {number(f)}" for j, f in enumerate(factors))
    return several("weighted_sum", size, len(factors), terms)


def multiplied(size: int, count: int) -> Made:
    """y = the product of the inputs; buffers x0, x1, ..., y."""
    return several("multiplied", size, count, " * ".join(f"x{j}[i]" for j in range(count)))


def _place(shape: Shape, own: Shape, i: str) -> str:
    """Return where element `i` of its own shape lies in one, of which it has some axes only."""
    terms, wide, size = "0u", 1, 1
    for n, m in zip(reversed(shape), reversed(own), strict=True):
        if n > 1 and m > 1:
            terms += f" + {i} / {size}u % {m}u * {wide}u"
        wide, size = wide * n, size * m
    return terms


def repeated(own: Shape, shape: Shape) -> Made:
    """y = x, repeated along axes of size 1."""
    return _map("repeated", prod(shape), f"y[i] = x[{_place(own, shape, 'i')}];")


def repeated_gradient(own: Shape, shape: Shape) -> Made:
    """Elements summed along the axes of size 1; buffers x, y."""
    over = tuple(m if n == 1 else 1 for n, m in zip(own, shape, strict=True))
    at = f"{_place(shape, own, 'i')} + {_place(shape, over, 'r')}"
    body = f"for (var r = 0u; r < {prod(over)}u; r++) {{ sum += x[{at}]; }}"
    return _map("repeated_gradient", prod(own), f"var sum = 0.0; {body} y[i] = sum;")


def several(name: str, size: int, count: int, text: str) -> Made:
    bindings = [(f"x{j}", "f32") for j in range(count)]
    made = kernel(name, [*bindings, ("y*", "f32")], f"{index(size)}\ny[i] = {text};")
    return made, grid(size)


def columns(size: int, width: int, total: int, start: int, *, put: bool) -> Made:
    """Columns `start` on of y = x, (rows, width) -> (rows, total), or y = those of x."""
    place = f"i / {width}u * {total}u + {start}u + i % {width}u"
    return _map("columns", size, f"y[{place}] = x[i];" if put else f"y[i] = x[{place}];")


def framed(
    n: int, inner: tuple[int, int], outer: tuple[int, int], c: int, top: int, left: int
) -> Made:
    """Images of size `outer`, in which those of size `inner` begin at (top, left); 0 around."""
    (h, w), (oh, ow) = inner, outer
    size = n * oh * ow * c
    body = f"""
        let at = i / {c}u;
        let r = i32((at / {ow}u) % {oh}u) - ({top});
        let q = i32(at % {ow}u) - ({left});
        if (r < 0 || r >= {h} || q < 0 || q >= {w}) {{ y[i] = 0.0; return; }}
        y[i] = x[((at / {oh * ow}u * {h}u + u32(r)) * {w}u + u32(q)) * {c}u + i % {c}u];"""
    return _map("framed", size, body)
