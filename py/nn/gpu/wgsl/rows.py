"""Kernels with a thread or a workgroup for each row: softmax, layer normalization, embedding."""

from __future__ import annotations

from nn.gpu.wgsl.text import THREADS, Made, grid, index, kernel


def softmax(count: int, width: int, *, log: bool) -> Made:
    """y = softmax(x) of each row, or its logarithm; buffers x, y."""
    result = "x[base + j] - highest - log(total)" if log else "exp(x[base + j] - highest) / total"
    made = kernel(
        "softmax",
        [("x", "f32"), ("y*", "f32")],
        f"""
        {index(count)}
        let base = i * {width}u;
        var highest = x[base];
        for (var j = 1u; j < {width}u; j++) {{ highest = max(highest, x[base + j]); }}
        var total = 0.0;
        for (var j = 0u; j < {width}u; j++) {{ total += exp(x[base + j] - highest); }}
        for (var j = 0u; j < {width}u; j++) {{ y[base + j] = {result}; }}""",
    )
    return made, grid(count)


def softmax_gradient(count: int, width: int, *, log: bool) -> Made:
    """dx of each row; buffers dy, y, dx."""
    inner = "dy[base + j]" if log else "dy[base + j] * y[base + j]"
    result = (
        "dy[base + j] - exp(y[base + j]) * sum" if log else "(dy[base + j] - sum) * y[base + j]"
    )
    made = kernel(
        "softmax_gradient",
        [("dy", "f32"), ("y", "f32"), ("dx*", "f32")],
        f"""
        {index(count)}
        let base = i * {width}u;
        var sum = 0.0;
        for (var j = 0u; j < {width}u; j++) {{ sum += {inner}; }}
        for (var j = 0u; j < {width}u; j++) {{ dx[base + j] = {result}; }}""",
    )
    return made, grid(count)


def sparsemax(count: int, width: int) -> Made:
    """y = max(x - a, 0) of each row, with the a for which the sum is 1; buffers x, y."""
    each = f"for (var j = 0u; j < {width}u; j++)"
    made = kernel(
        "sparsemax",
        [("x", "f32"), ("y*", "f32")],
        f"""
        {index(count)}
        let base = i * {width}u;
        var kept = 0.0;
        var total = -1.0;
        {each} {{
            let v = x[base + j];
            var many = 0.0;
            var sum = 0.0;
            for (var k = 0u; k < {width}u; k++) {{
                let above = select(0.0, 1.0, x[base + k] >= v);
                many += above;
                sum += above * x[base + k];
            }}
            if (1.0 + many * v > sum) {{ kept += 1.0; total += v; }}
        }}
        {each} {{ y[base + j] = max(x[base + j] - total / kept, 0.0); }}""",
    )
    return made, grid(count)


def sparsemax_gradient(count: int, width: int) -> Made:
    """dx of each row; buffers dy, y, dx."""
    each = f"for (var j = 0u; j < {width}u; j++)"
    made = kernel(
        "sparsemax_gradient",
        [("dy", "f32"), ("y", "f32"), ("dx*", "f32")],
        f"""
        {index(count)}
        let base = i * {width}u;
        var kept = 0.0;
        var sum = 0.0;
        {each} {{ if (y[base + j] > 0.0) {{ kept += 1.0; sum += dy[base + j]; }} }}
        {each} {{ dx[base + j] = select(0.0, dy[base + j] - sum / kept, y[base + j] > 0.0); }}""",
    )
    return made, grid(count)


def look_up(count: int, width: int, rows: int, at: int) -> Made:
    """y = the rows of a table of `p` that x names; buffers x, p, y.

    Args:
        count: indices.
        width: elements of a row.
        rows: those of the table.
        at: where the table begins.
    """
    made = kernel(
        "look_up",
        [("x", "f32"), ("p", "f32"), ("y*", "f32")],
        f"""
        {index(count * width)}
        let row = min(u32(x[i / {width}u]), {rows - 1}u);
        y[i] = p[{at}u + row * {width}u + i % {width}u];""",
    )
    return made, grid(count * width)


def summed(count: int, width: int, rows: int, at: int) -> Made:
    """For each row of a table the sum of dy where x names it; buffers x, dy, partials.

    A workgroup looks through x for one row, a stretch at a time, and adds in the order of x. Most
    stretches do not name it: the flag that says so is its one use of an atomic.
    """
    across = grid(rows, 1)[0]
    turns = -(-width // THREADS)
    own = range(turns)
    puts = [
        f"if (t + {k * THREADS}u < {width}u) {{ partials[to + {k * THREADS}u] = s{k}; }}"
        for k in own
    ]
    made = kernel(
        "look_up_gradient",
        [("x", "f32"), ("dy", "f32"), ("partials*", "f32")],
        f"""
        let row = group.x + group.y * {across}u;
        {" ".join(f"var s{k} = 0.0;" for k in own)}
        for (var n0 = 0u; n0 < {count}u; n0 += {THREADS}u) {{
            let n = n0 + t;
            let named = min(u32(x[min(n, {count - 1}u)]), {rows - 1}u);
            let here = select(0u, 1u, (n < {count}u) & (named == row));
            flags[t] = here;
            if (here == 1u) {{ atomicOr(&any_, 1u); }}
            workgroupBarrier();
            if (atomicLoad(&any_) != 0u) {{
                for (var j = 0u; j < {THREADS}u; j++) {{
                    if (flags[j] == 1u) {{
                        let from_ = (n0 + j) * {width}u + t;
                        {" ".join(f"s{k} += dy[from_ + {k * THREADS}u];" for k in own)}
                    }}
                }}
            }}
            workgroupBarrier();
            if (t == 0u) {{ atomicStore(&any_, 0u); }}
            workgroupBarrier();
        }}
        if (row >= {rows}u) {{ return; }}
        let to = {at}u + row * {width}u + t;
        {" ".join(puts)}
        """,
        builtins="group",
        memory=f"var<workgroup> flags: array<u32, {THREADS}>;\nvar<workgroup> any_: atomic<u32>;",
    )
    return made, grid(rows, 1)
