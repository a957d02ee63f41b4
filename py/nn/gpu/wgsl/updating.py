"""Optimizers: gradients from their parts, norms, and the update of every weight.

A workgroup takes a span of 256 elements of one variable. All state arrays lie in `slots`, one
after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nn import optimizers
from nn.gpu.wgsl import traced
from nn.gpu.wgsl.functions import number
from nn.gpu.wgsl.text import Kernel, kernel
from nn.optimizers.base import ACCUMULATOR, AVERAGE, ElementOptimizer

SPAN = """
struct Span {
    at: u32, count: u32, source: u32, parts: u32,
    stride: u32, decays: u32, variable: u32, first: u32,
    size: u32, rows: u32, columns: u32, more: u32,
}
"""

Slots = dict[str, int]


@dataclass(frozen=True)
class Update:
    """How an optimizer changes a weight.

    Attributes:
        rule: from `g` and `weight`, the new `weight`; `i` is its place.
        slots: where each state array begins.
        clip: the largest size of a gradient's element, or None.
        steps: steps whose gradients are added up, or None.
        averages: whether a moving average of the weights is kept.
        decays: whether weights decay.
    """

    rule: str
    slots: Any
    clip: float | None
    steps: int | None
    averages: bool
    decays: bool

    def collected(self) -> str:
        """Return the text that makes `g`."""
        lines = [
            # Four sums at a time, so that loads don't wait for each other.
            "var g = 0.0;",
            "{",
            "var four = vec4<f32>(0.0);",
            "var from_ = s.source + t;",
            "let whole = s.parts / 4u;",
            "for (var n = 0u; n < whole; n++) {",
            "four += vec4<f32>(partials[from_], partials[from_ + s.stride],"
            " partials[from_ + 2u * s.stride], partials[from_ + 3u * s.stride]);",
            "from_ += 4u * s.stride;",
            "}",
            "for (var n = whole * 4u; n < s.parts; n++)"
            " { g += partials[from_]; from_ += s.stride; }",
            "g += (four.x + four.y) + (four.z + four.w);",
            "}",
        ]
        if self.steps:
            at = self.slots[ACCUMULATOR]
            lines += [
                f"g += slots[{at}u + i];",
                f"slots[{at}u + i] = select(g, 0.0, ready);",
                f"g /= {number(self.steps)};",
            ]
        return "\n".join(lines)

    def applied(self) -> str:
        """Return the text that changes `p[i]`."""
        lines = ["var weight = p[i];"]
        if self.clip:
            lines.append(f"g = clamp(g, {number(-self.clip)}, {number(self.clip)});")
        lines.append("if (ready) {")
        if self.decays:
            lines.append("weight = select(weight, weight * step.keep, s.decays == 1u);")
        lines += [self.rule, "}"]
        if self.averages:
            at = self.slots[AVERAGE]
            lines += [
                f"let mean = slots[{at}u + i] * step.more.x + weight * step.more.y;",
                f"slots[{at}u + i] = mean;",
                "weight = select(weight, mean, step.more.z > 0.0);",
            ]
        lines.append("p[i] = weight;")
        return "\n".join(lines)


def _spanned(name: str, buffers: list[str], body: str, functions: str = "") -> Kernel:
    """Return a kernel of buffers spans and `buffers`, with a thread for each element of a span `s`:
    `i` is its place, and `ready` whether this step updates."""
    return kernel(
        name,
        [("spans", "Span"), *((buffer, "f32") for buffer in buffers)],
        f"""
        let s = spans[group.x];
        if (t >= s.count) {{ return; }}
        let i = s.at + t;
        let ready = step.extra.x > 0.0;
        {body}""",
        size="256",
        builtins="group",
        memory=SPAN,
        functions=functions,
    )


def update(text: Update, limit: float | None = None, *, each: bool = False) -> Kernel:
    """Update the weights; buffers spans, partials (with `limit`: norms), p, gradients, slots.

    Args:
        text: the optimizer's.
        limit: the largest norm of the gradient, which was then collected before.
        each: whether each variable has a norm of its own.
    """
    body, source = f"{text.collected()}\ngradients[i] = g;", "partials"
    if limit is not None:
        place = "s.variable" if each else "0u"
        body, source = (
            f"let norm = norms[{place}];\nvar g = gradients[i];\n"
            f"g = select(g, g * ({number(limit)} / norm), norm > {number(limit)});",
            "norms",
        )
    return _spanned("update", [source, "p*", "gradients*", "slots*"], f"{body}\n{text.applied()}")


def collect(text: Update) -> Kernel:
    """Add up the parts of each gradient; buffers spans, partials, gradients, slots."""
    body = f"{text.collected()}\ngradients[i] = g;"
    return _spanned("collect", ["partials", "gradients*", "slots*"], body)


SCALED = "weights", "change"
"""What a step has left of weights whose change depends on their length."""


def scale(o: Any, slots: Slots, variables: int) -> Kernel:
    """Change the weights of each variable by as much as they are long; buffers spans, norms (of
    SCALED, of each variable; for Muon the change itself), p, slots."""
    change = "let ratio = select(1.0, size / length, size > 0.0 && length > 0.0) * step.rate;"
    if type(o) is optimizers.Adafactor:
        change = f"""
        let root = sqrt(f32(s.size));
        let ratio = max({number(o.epsilon_2)}, size / root) * step.step_size
            / max(1.0, length / root / {number(o.clip_threshold)});"""
    rule = f"""
        let size = norms[s.variable];
        let length = norms[{variables}u + s.variable];
        {change}
        weight -= ratio * slots[{slots["change"]}u + i];"""
    if type(o) is optimizers.Muon:
        rule = "weight -= bitcast<f32>(s.more) * step.rate * norms[i];"
    text = Update(rule, slots, None, None, AVERAGE in slots, False)
    return _spanned("scale", ["norms", "p*", "slots*"], text.applied())


def factor(o: Any, slots: Slots) -> Kernel:
    """Move the means of the squares of rows and columns, and keep the roots of the former; buffers
    spans, slots."""
    row, column, change, roots = (slots[x] for x in ("row", "column", "change", "roots"))
    return _spanned(
        "factor",
        ["slots*"],
        f"""
        let j = i - s.first;
        if (ready && s.rows > 0u) {{
            if (j < s.size / s.columns) {{
                let mean = moved({row}u + i, s.first + j * s.columns, 1u, s.columns);
                slots[{roots}u + i] = sqrt(mean);
            }}
            if (j < s.size / s.rows) {{
                let k = j % s.columns;
                _ = moved({column}u + i, s.first + (j - k) * s.rows + k, s.columns, s.rows);
            }}
        }}""",
        f"""
        fn moved(at: u32, first: u32, by: u32, count: u32) -> f32 {{
            var sum = 0.0;
            for (var k = 0u; k < count; k++) {{
                let g = slots[{change}u + first + k * by];
                sum += g * g + {number(o.epsilon_1)};
            }}
            slots[at] += (sum / f32(count) - slots[at]) * step.extra.y;
            return slots[at];
        }}""",
    )


def divide(o: Any, slots: Slots) -> Kernel:
    """Divide gradients by the roots of their mean squares; buffers spans, norms (of the roots of
    rows), slots."""
    row, column, change, velocity = (slots[x] for x in ("row", "column", "change", "velocity"))
    return _spanned(
        "divide",
        ["norms", "slots*"],
        f"""
        if (ready) {{
            let g = slots[{change}u + i];
            var v = slots[{velocity}u + i];
            v += (g * g + {number(o.epsilon_1)} - v) * step.extra.y;
            if (s.rows > 0u) {{
                let j = i - s.first;
                let n = j / s.columns / s.rows;
                let size = norms[s.more + n];
                v = slots[{row}u + s.first + j / s.columns] / (size * size) * f32(s.rows)
                    * slots[{column}u + s.first + n * s.columns + j % s.columns];
            }}
            slots[{velocity}u + i] = v;
            slots[{change}u + i] = g / sqrt(v);
        }}""",
    )


def unit(slots: Slots) -> Kernel:
    """The change of each variable by its norm; buffers spans, norms, slots, x."""
    body = f"x[i] = slots[{slots['change']}u + i] / (norms[s.variable] + 1e-7);"
    return _spanned("unit", ["norms", "slots", "x*"], body)


def norms() -> Kernel:
    """The Euclidean norm of each range of the gradients; buffers ranges, gradients, norms."""
    return kernel(
        "norms",
        [("ranges", "vec2<u32>"), ("gradients", "f32"), ("norms*", "f32")],
        """
        let range = ranges[group.x];
        var sum = 0.0;
        for (var i = t; i < range.y; i += 256u) {
            let g = gradients[range.x + i];
            sum += g * g;
        }
        sums[t] = sum;
        for (var half = 128u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if (t < half) { sums[t] += sums[t + half]; }
        }
        if (t == 0u) { norms[group.x] = sqrt(sums[0]); }
        """,
        size="256",
        builtins="group",
        memory="var<workgroup> sums: array<f32, 256>;",
    )


def _mean(at: int, name: str, rate: float, value: str) -> str:
    """Return the text of a running mean: slot += (value - slot) * (1 - rate)."""
    place = f"slots[{at}u + i]"
    return f"let {name} = {place} + ({value} - {place}) * {number(1 - rate)}; {place} = {name};\n"


def _adam(o: Any, slots: Slots) -> str:
    text = _mean(slots["momentum"], "m", o.beta_1, "g")
    text += _mean(slots["velocity"], "v", o.beta_2, "g * g")
    spread = "v"
    if o.amsgrad:
        at = f"slots[{slots['velocity_hat']}u + i]"
        text += f"let largest = max({at}, v); {at} = largest;\n"
        spread = "largest"
    return f"{text}weight -= step.step_size * m / (sqrt({spread}) + {number(o.epsilon)});"


def _lamb(o: Any, slots: Slots) -> str:
    text = _mean(slots["momentum"], "m", o.beta_1, "g")
    text += _mean(slots["velocity"], "v", o.beta_2, "g * g")
    return f"""{text}
        slots[{slots["weights"]}u + i] = weight;
        slots[{slots["change"]}u + i] =
            m * step.step_size / (sqrt(v * step.extra.y) + {number(o.epsilon)});"""


def _muon(o: Any, slots: Slots) -> str:
    momentum, at = number(o.momentum), f"slots[{slots['momentum']}u + i]"
    others, own = (number(x or 0) for x in (o.adam_weight_decay, o.weight_decay))
    return f"""
        let matrix = s.more > 0u;
        let decay = select({others}, {own}, matrix);
        weight = select(weight, weight - weight * decay * step.rate, s.decays > 0u);
        if (matrix) {{
            let m = {at} * {momentum} + g;
            {at} = m;
            slots[{slots["change"]}u + i] = {f"g + {momentum} * m" if o.nesterov else "m"};
        }} else {{
            {_mean(slots["momentum"], "m", o.adam_beta_1, "g")}
            {_mean(slots["velocity"], "v", o.adam_beta_2, "g * g")}
            weight -= step.step_size * m / (sqrt(v) + {number(o.epsilon)});
        }}"""


def _adafactor(o: Any, slots: Slots) -> str:
    return f"slots[{slots['weights']}u + i] = weight; slots[{slots['change']}u + i] = g;"


def _sgd(o: Any, slots: Slots) -> str:
    if not o.momentum:
        return "weight -= step.rate * g;"
    at = f"slots[{slots['momentum']}u + i]"
    m = number(o.momentum)
    text = f"let v = {m} * {at} - step.rate * g; {at} = v;\n"
    return text + (f"weight += {m} * v - step.rate * g;" if o.nesterov else "weight += v;")


RULES: dict[type, Callable[[Any, Slots], str]] = {
    optimizers.Adafactor: _adafactor,
    optimizers.Muon: _muon,
    optimizers.Adam: _adam,
    optimizers.AdamW: _adam,
    optimizers.Lamb: _lamb,
    optimizers.SGD: _sgd,
    **{
        kind: traced.moved
        for kind in optimizers.CLASSES.values()
        if issubclass(kind, ElementOptimizer)
    },
}
