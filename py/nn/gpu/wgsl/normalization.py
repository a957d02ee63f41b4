"""Batch normalization and layer normalization, forward and backward.

Sums run over rows in a fixed order: each workgroup adds up its rows, and one more kernel the
workgroups' sums.
"""

from __future__ import annotations

from dataclasses import dataclass

from nn.gpu.wgsl.functions import LINEAR, Function, number
from nn.gpu.wgsl.text import Made, grid, index, kernel
from nn.gpu.wgsl.windows import each, function_text, slope_function


@dataclass(frozen=True)
class Norm:
    """What is normalized: (rows of the batch, pixels, c).

    Attributes:
        gamma, beta: where they lie in `p`, or None.
        moving: where the moving mean lies in `state`, the moving variance after it.
    """

    batch: int
    pixels: int
    c: int
    epsilon: float
    gamma: int | None
    beta: int | None
    moving: tuple[int, int] = (0, 0)

    @property
    def rows(self) -> int:
        return self.batch * self.pixels

    @property
    def width(self) -> int:
        """Channels of a workgroup."""
        return min(self.c, 256)

    @property
    def lanes(self) -> int:
        """Rows that a workgroup reads at once."""
        return 256 // self.width

    @property
    def parts(self) -> int:
        """Workgroups beside each other, each with rows of its own."""
        return max(1, min(256, self.rows // (self.lanes * 16)))

    @property
    def blocks(self) -> int:
        return -(-self.c // self.width)


def _column_sums(
    s: Norm, name: str, bindings: list[tuple[str, str]], before: str, add: str
) -> Made:
    """Two sums of each channel over the step's rows, in parts: `add` makes `d`, a vec2, from row
    `row`."""
    made = kernel(
        name,
        [*bindings, ("parts*", "f32")],
        f"""
        let c = group.y * {s.width}u + t % {s.width}u;
        let lane = t / {s.width}u;
        let inside = c < {s.c}u && lane < {s.lanes}u;
        var s = vec2<f32>(0.0);
        if (inside) {{
            {before}
            let last = min({s.batch}u, step.rows) * {s.pixels}u;
            for (var row = group.x * {s.lanes}u + lane; row < last; row += {s.parts * s.lanes}u) {{
                let i = row * {s.c}u + c;
                {add}
                s += d;
            }}
        }}
        sums[t] = s;
        workgroupBarrier();
        if (inside && lane == 0u) {{
            for (var j = 1u; j < {s.lanes}u; j++) {{ s += sums[t + j * {s.width}u]; }}
            parts[group.x * {2 * s.c}u + c] = s.x;
            parts[group.x * {2 * s.c}u + {s.c}u + c] = s.y;
        }}""",
        size="256",
        builtins="group",
        memory="var<workgroup> sums: array<vec2<f32>, 256>;",
    )
    return made, (s.parts, s.blocks, 1)


def _total(s: Norm) -> str:
    return f"""
        {index(s.c)}
        var s = vec2<f32>(0.0);
        for (var j = 0u; j < {s.parts}u; j++) {{
            s += vec2<f32>(parts[j * {2 * s.c}u + i], parts[j * {2 * s.c}u + {s.c}u + i]);
        }}"""


def moments(s: Norm) -> Made:
    """Sums of each channel and of its squares, both less the first row's value; buffers x,
    parts."""
    return _column_sums(
        s,
        "moments",
        [("x", "f32")],
        "let shift = x[c];",
        "let v = x[i] - shift; let d = vec2<f32>(v, v * v);",
    )


def settle_moments(s: Norm, momentum: float) -> Made:
    """Each channel's mean and 1 / deviation; move the running ones; buffers x, parts, stats,
    state."""
    mean, variance = s.moving
    made = kernel(
        "settle_moments",
        [("x", "f32"), ("parts", "f32"), ("stats*", "f32"), ("state*", "f32")],
        f"""{_total(s)}
        s /= f32(step.rows * {s.pixels}u);
        let mean = x[i] + s.x;
        let variance = max(s.y - s.x * s.x, 0.0);
        stats[i] = mean;
        stats[{s.c}u + i] = 1.0 / sqrt(variance + {number(s.epsilon)});
        let m = {mean}u + i;
        let v = {variance}u + i;
        state[m] = state[m] * {number(momentum)} + mean * {number(1 - momentum)};
        state[v] = state[v] * {number(momentum)} + variance * {number(1 - momentum)};""",
    )
    return made, grid(s.c)


def moving_moments(s: Norm) -> Made:
    """Each channel's running mean and 1 / deviation; buffers state, stats."""
    mean, variance = s.moving
    made = kernel(
        "moving_moments",
        [("state", "f32"), ("stats*", "f32")],
        f"""
        {index(s.c)}
        stats[i] = state[{mean}u + i];
        stats[{s.c}u + i] = 1.0 / sqrt(state[{variance}u + i] + {number(s.epsilon)});""",
    )
    return made, grid(s.c)


def _factor(at: int | None, otherwise: str) -> str:
    return otherwise if at is None else f"p[{at}u + c]"


def _wide(s: Norm) -> bool:
    """Return whether four channels lie beside each other; `p` holds variables at multiples of
    4."""
    return s.c % 4 == 0


def _element(s: Norm) -> tuple[str, int, str, str]:
    """Return the type of an element, how many there are in a row, and gamma and beta at `c`."""
    wide = 4 if _wide(s) else 1
    one, zero = ("vec4<f32>(1.0)", "vec4<f32>(0.0)") if wide == 4 else ("1.0", "0.0")
    gamma = one if s.gamma is None else f"p[{s.gamma // wide}u + c]"
    beta = zero if s.beta is None else f"p[{s.beta // wide}u + c]"
    return ("vec4<f32>" if wide == 4 else "f32"), s.c // wide, gamma, beta


def normalize(s: Norm, function: Function) -> Made:
    """y = function((x - mean) / deviation * gamma + beta); buffers x, stats, p, y."""
    floats, c, gamma, beta = _element(s)
    value = each(_wide(s), "v", lambda v: f"function({v})") if function is not LINEAR else "v"
    made = kernel(
        "normalize",
        [("x", floats), ("stats", floats), ("p", floats), ("y*", floats)],
        f"""
        {index(s.rows * c)}
        let c = i % {c}u;
        let v = (x[i] - stats[c]) * (stats[{c}u + c] * {gamma}) + {beta};
        y[i] = {value};""",
        functions=function_text(function),
    )
    return made, grid(s.rows * c)


def norm_sums(s: Norm) -> Made:
    """Sums of the gradient and of gradient times normalized value; buffers dy, x, stats, parts."""
    return _column_sums(
        s,
        "norm_sums",
        [("dy", "f32"), ("x", "f32"), ("stats", "f32")],
        f"let mean = stats[c]; let inverse = stats[{s.c}u + c];",
        "let g = dy[i]; let d = vec2<f32>(g, g * (x[i] - mean) * inverse);",
    )


def settle_norm(s: Norm, gamma: int | None, beta: int | None) -> Made:
    """Gradients of gamma and beta, to `sums` and to their places in `partials`; buffers parts,
    sums, partials."""
    keep = ""
    if gamma is not None:
        keep += f"partials[{gamma}u + i] = s.y; "
    if beta is not None:
        keep += f"partials[{beta}u + i] = s.x;"
    bindings = [("parts", "f32"), ("sums*", "f32")]
    if keep:
        bindings.append(("partials*", "f32"))
    made = kernel(
        "settle_norm",
        bindings,
        f"""{_total(s)}
        sums[i] = s.x;
        sums[{s.c}u + i] = s.y;
        {keep}""",
    )
    return made, grid(s.c)


def norm_gradient(s: Norm, frozen: bool, then: Function) -> Made:
    """dx; buffers dy, x, stats, p, sums, dx."""
    floats, c, gamma, _ = _element(s)
    less = (
        ""
        if frozen
        else f" - (sums[c] + (x[i] - stats[c]) * inverse * sums[{c}u + c])"
        f" / f32(step.rows * {s.pixels}u)"
    )
    more = ""
    if then is not LINEAR:
        more = f" * {each(_wide(s), 'x[i]', lambda v: f'slope({v})')}"
    made = kernel(
        "norm_gradient",
        [
            ("dy", floats),
            ("x", floats),
            ("stats", floats),
            ("p", floats),
            ("sums", floats),
            ("dx*", floats),
        ],
        f"""
        {index(s.rows * c)}
        if (i / {s.pixels * c}u >= step.rows) {{ dx[i] = {floats}(0.0); return; }}
        let c = i % {c}u;
        let inverse = stats[{c}u + c];
        dx[i] = {gamma} * inverse * (dy[i]{less}){more};""",
        functions=slope_function(then),
    )
    return made, grid(s.rows * c)


# Layer normalization: a workgroup of 64 for each row.

ROW = """
fn over_row(t: u32, v: f32) -> f32 {
    row_sums[t] = v;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (t < half) { row_sums[t] += row_sums[t + half]; }
    }
    let total = workgroupUniformLoad(&row_sums[0]);
    return total;
}
"""
ROW_MEMORY = "var<workgroup> row_sums: array<f32, 64>;"


def layer_norm(s: Norm) -> Made:
    """y = (x - mean) / deviation * gamma + beta of each row, and (mean, 1 / deviation) of it;
    buffers x, p, y, stats."""
    made = kernel(
        "layer_norm",
        [("x", "f32"), ("p", "f32"), ("y*", "f32"), ("stats*", "vec2<f32>")],
        f"""
        let row = group.x + group.y * {grid(s.rows, 1)[0]}u;
        let base = min(row, {s.rows - 1}u) * {s.c}u;
        var v = 0.0;
        for (var c = t; c < {s.c}u; c += 64u) {{ v += x[base + c]; }}
        let mean = over_row(t, v) / {s.c}.0;
        v = 0.0;
        for (var c = t; c < {s.c}u; c += 64u) {{ let e = x[base + c] - mean; v += e * e; }}
        let inverse = 1.0 / sqrt(over_row(t, v) / {s.c}.0 + {number(s.epsilon)});
        for (var c = t; c < {s.c}u; c += 64u) {{
            y[base + c] = (x[base + c] - mean) * inverse * {_factor(s.gamma, "1.0")}
                + {_factor(s.beta, "0.0")};
        }}
        if (t == 0u) {{ stats[base / {s.c}u] = vec2<f32>(mean, inverse); }}""",
        builtins="group",
        functions=ROW,
        memory=ROW_MEMORY,
    )
    return made, grid(s.rows, 1)


def layer_norm_gradient(s: Norm, then: Function) -> Made:
    """dx; buffers dy, x, p, stats, dx."""
    more = " * slope(x[base + c])" if then is not LINEAR else ""
    made = kernel(
        "layer_norm_gradient",
        [("dy", "f32"), ("x", "f32"), ("p", "f32"), ("stats", "vec2<f32>"), ("dx*", "f32")],
        f"""
        let row = group.x + group.y * {grid(s.rows, 1)[0]}u;
        let at = min(row, {s.rows - 1}u);
        let base = at * {s.c}u;
        let mean = stats[at].x;
        let inverse = stats[at].y;
        var first = 0.0;
        var second = 0.0;
        for (var c = t; c < {s.c}u; c += 64u) {{
            let d = dy[base + c] * {_factor(s.gamma, "1.0")};
            first += d;
            second += d * (x[base + c] - mean) * inverse;
        }}
        let of_d = over_row(t, first) / {s.c}.0;
        let of_normal = over_row(t, second) / {s.c}.0;
        for (var c = t; c < {s.c}u; c += 64u) {{
            let normal = (x[base + c] - mean) * inverse;
            let d = dy[base + c] * {_factor(s.gamma, "1.0")};
            dx[base + c] = inverse * (d - of_d - normal * of_normal){more};
        }}""",
        builtins="group",
        functions=ROW + slope_function(then),
        memory=ROW_MEMORY,
    )
    return made, grid(s.rows, 1)


def layer_norm_sums(s: Norm) -> Made:
    """Sums of the gradient and of gradient times normalized value over rows; buffers dy, x, stats,
    parts."""
    return _column_sums(
        s,
        "layer_norm_sums",
        [("dy", "f32"), ("x", "f32"), ("stats", "vec2<f32>")],
        "",
        "let g = dy[i]; let m = stats[row]; let d = vec2<f32>(g, g * (x[i] - m.x) * m.y);",
    )
