"""Kernels of single elements: samples gathered, activations, sums, noise."""

from __future__ import annotations

from nn.gpu.wgsl.functions import LINEAR, Function, number
from nn.gpu.wgsl.text import Groups, Kernel, grid, index, kernel

Made = tuple[Kernel, Groups]


def gather(batch: int, size: int, scaled: tuple[float, float] | None) -> Made:
    """Bring the step's samples, in the epoch's order; 0 past them.

    Args:
        batch: samples of a step.
        size: elements of a sample.
        scaled: (scale, offset) of samples that lie there as bytes, or None for floats.
    """
    head = f"""
        {index(batch * size)}
        let row = i / {size}u;
        if (row >= step.rows) {{ x[i] = 0.0; return; }}
        let at = order[step.first + row] * {size}u + i % {size}u;"""
    if scaled is None:
        body = f"{head}\n        x[i] = data[at];"
        kind = "f32"
    else:
        scale, offset = scaled
        body = f"""{head}
        let byte = (data[at / 4u] >> (at % 4u * 8u)) & 255u;
        x[i] = f32(byte) * {number(scale)} + {number(offset)};"""
        kind = "u32"
    if size % 4 == 0:
        wide = size // 4
        value = (
            "data[at]"
            if scaled is None
            else "vec4<f32>((vec4<u32>(data[at]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u))"
            f" * {number(scaled[0])} + {number(scaled[1])}"
        )
        body = f"""
        {index(batch * wide)}
        let row = i / {wide}u;
        if (row >= step.rows) {{ x[i] = vec4<f32>(0.0); return; }}
        let at = order[step.first + row] * {wide}u + i % {wide}u;
        x[i] = {value};"""
        kinds = "vec4<f32>" if scaled is None else "u32"
        made = kernel("gather", [("data", kinds), ("order", "u32"), ("x*", "vec4<f32>")], body)
        return made, grid(batch * wide)
    return (
        kernel("gather", [("data", kind), ("order", "u32"), ("x*", "f32")], body),
        grid(batch * size),
    )


def apply(size: int, function: Function) -> Made:
    """y = function(x)."""
    return _map(
        "activate", [("x", "f32")], size, f"let v = x[i]; y[i] = {function.forward};", function
    )


def slope(size: int, function: Function, *, of_output: bool) -> Made:
    """Multiply a gradient, in place, by the slope at `x`: the function's result or argument."""
    name = "y" if of_output else "v"
    body = f"let {name} = x[i]; d[i] = d[i] * {function.slope};"
    return _map("slope", [("x", "f32")], size, body, function, out="d*")


def slope_of(size: int, function: Function, then: Function = LINEAR) -> Made:
    """dx = dy times the slope of `function` at x, its argument, and of `then`, whose result x
    is."""
    more = " * slope_then(v)" if then is not LINEAR else ""
    made = kernel(
        "slope_of",
        [("x", "f32"), ("dy", "f32"), ("dx*", "f32")],
        f"""
        {index(size)}
        let v = x[i];
        dx[i] = dy[i] * {function.slope}{more};""",
        functions=_helpers(function, then) + _slope_function(then),
    )
    return made, grid(size)


def _slope_function(then: Function) -> str:
    return f"fn slope_then(y: f32) -> f32 {{ return {then.slope}; }}" if then is not LINEAR else ""


def _helpers(*functions: Function) -> str:
    return "\n".join({f.helpers: None for f in functions})


def sum_into(size: int) -> Made:
    """total += part."""
    return _map("sum_into", [("x", "f32")], size, "y[i] = y[i] + x[i];", LINEAR)


def copy(size: int, then: Function, factor: float = 1.0) -> Made:
    """y = x times a factor, times the slope of `then` at `at`."""
    times = "" if factor == 1.0 else f" * {number(factor)}"
    if then is LINEAR:
        return _map("copy", [("x", "f32")], size, f"y[i] = x[i]{times};", LINEAR)
    made = kernel(
        "copy",
        [("x", "f32"), ("at", "f32"), ("out*", "f32")],
        f"{index(size)}\nlet y = at[i];\nout[i] = x[i]{times} * {then.slope};",
        functions=then.helpers,
    )
    return made, grid(size)


def _map(
    name: str,
    given: list[tuple[str, str]],
    size: int,
    body: str,
    function: Function,
    out: str = "y*",
) -> Made:
    made = kernel(
        name, [*given, (out, "f32")], f"{index(size)}\n{body}", functions=function.helpers
    )
    return made, grid(size)


# Noise: a counter-based generator, so that backward draws the same again instead of keeping it.

DRAWN = """
fn mixed(v: u32) -> u32 {  // the finalizer of murmur3, both ways a bijection
    var h = v;
    h = (h ^ (h >> 16u)) * 0x85ebca6bu;
    h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
    return h ^ (h >> 16u);
}
fn drawn(i: u32, layer: u32) -> u32 {
    return mixed(mixed(mixed(i) ^ step.seed) ^ (layer * 0x9e3779b9u));
}
fn share(i: u32, layer: u32) -> f32 { return f32(drawn(i, layer) >> 8u) * (1.0 / 16777216.0); }
fn normal(i: u32, layer: u32) -> f32 {  // Box and Muller
    let a = (f32(drawn(i, layer) >> 8u) + 1.0) * (1.0 / 16777217.0);
    let b = share(i, layer ^ 0x80000000u);
    return sqrt(-2.0 * log(a)) * cos(6.2831853 * b);
}
"""


def noise(size: int, text: str, place: str, layer: int, then: Function = LINEAR) -> Made:
    """y = `text` of v = x[i] and k, the element's place in the draw; with `step.seed` 0, y = x.

    Args:
        size: elements.
        text: uses `v` and `k`, and `share(k, layer)` or `normal(k, layer)`.
        place: k from i.
        layer: a number that no other draw has.
        then: multiply by its slope at `at`.
    """
    bindings = [("x", "f32"), ("out*", "f32")]
    more = ""
    if then is not LINEAR:
        bindings.insert(1, ("at", "f32"))
        more = " * slope_then(at[i])"
    made = kernel(
        "noise",
        bindings,
        f"""
        {index(size)}
        let v = x[i];
        let k = {place};
        let layer = {layer}u;
        out[i] = select({text}, v, step.seed == 0u){more};""",
        functions=DRAWN + then.helpers + _slope_function(then),
    )
    return made, grid(size)


# Several values.


def weighted_sum(size: int, factors: list[float]) -> Made:
    """y = the sum of the inputs, each times its factor; buffers x0, x1, ..., y."""
    terms = " + ".join(f"x{j}[i] * {number(f)}" for j, f in enumerate(factors))
    return _several("weighted_sum", size, len(factors), terms)


def multiplied(size: int, count: int) -> Made:
    """y = the product of the inputs; buffers x0, x1, ..., y."""
    return _several("multiplied", size, count, " * ".join(f"x{j}[i]" for j in range(count)))


def _several(name: str, size: int, count: int, text: str) -> Made:
    bindings = [(f"x{j}", "f32") for j in range(count)]
    made = kernel(name, [*bindings, ("y*", "f32")], f"{index(size)}\ny[i] = {text};")
    return made, grid(size)


def put_columns(size: int, width: int, total: int, start: int) -> Made:
    """Columns `start` on of y = x: (rows, width) -> (rows, total)."""
    body = f"y[i / {width}u * {total}u + {start}u + i % {width}u] = x[i];"
    return _map("put_columns", [("x", "f32")], size, body, LINEAR)


def take_columns(size: int, width: int, total: int, start: int) -> Made:
    """y = columns `start` on of x: (rows, total) -> (rows, width)."""
    body = f"y[i] = x[i / {width}u * {total}u + {start}u + i % {width}u];"
    return _map("take_columns", [("x", "f32")], size, body, LINEAR)


def rescaled(size: int, scale: float, offset: float) -> Made:
    """y = x * scale + offset."""
    body = f"y[i] = x[i] * {number(scale)} + {number(offset)};"
    return _map("rescaled", [("x", "f32")], size, body, LINEAR)


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
    return _map("framed", [("x", "f32")], size, body, LINEAR)


def repeated(n: int, h: int, w: int, c: int, factors: tuple[int, ...]) -> Made:
    """Each pixel `factors` times along both axes."""
    fy, fx = factors
    oh, ow = h * fy, w * fx
    body = f"""
        let at = i / {c}u;
        let r = (at / {ow}u) % {oh}u / {fy}u;
        let q = at % {ow}u / {fx}u;
        y[i] = x[((at / {oh * ow}u * {h}u + r) * {w}u + q) * {c}u + i % {c}u];"""
    return _map("repeated", [("x", "f32")], n * oh * ow * c, body, LINEAR)


def repeated_gradient(n: int, h: int, w: int, c: int, factors: tuple[int, ...]) -> Made:
    """The sum over the places that a pixel was repeated to."""
    fy, fx = factors
    ow = w * fx
    body = f"""
        let at = i / {c}u;
        let base = (at / {w}u * {fy * ow}u + at % {w}u * {fx}u) * {c}u + i % {c}u;
        var sum = 0.0;
        for (var r = 0u; r < {fy}u; r++) {{
            for (var q = 0u; q < {fx}u; q++) {{ sum += x[base + (r * {ow}u + q) * {c}u]; }}
        }}
        y[i] = sum;"""
    return _map("repeated_gradient", [("x", "f32")], n * h * w * c, body, LINEAR)
