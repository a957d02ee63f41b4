"""Kernels with a thread or a workgroup for each row: softmax, layer normalization, embedding."""

from __future__ import annotations

from nn.gpu.wgsl.text import Groups, Kernel, grid, index, kernel

Made = tuple[Kernel, Groups]


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
