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
    stride: u32, decays: u32, variable: u32, none: u32,
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
        """Return the text that makes `g`, and `ready`: whether this step updates."""
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
            "let ready = step.extra.x > 0.0;",
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


HEAD = """
let s = spans[group.x];
if (t >= s.count) { return; }
let i = s.at + t;
"""


def update(text: Update, limit: float | None = None, *, each: bool = False) -> Kernel:
    """Update the weights; buffers spans, partials (with `limit`: norms), p, gradients, slots.

    Args:
        text: the optimizer's.
        limit: the largest norm of the gradient, which was then collected before.
        each: whether each variable has a norm of its own.
    """
    if limit is None:
        body = f"{HEAD}\n{text.collected()}\ngradients[i] = g;\n{text.applied()}"
        source = "partials"
    else:
        place = "s.variable" if each else "0u"
        body = (
            f"{HEAD}\nlet norm = norms[{place}];\nvar g = gradients[i];\n"
            f"g = select(g, g * ({number(limit)} / norm), norm > {number(limit)});\n"
            f"let ready = step.extra.x > 0.0;\n{text.applied()}"
        )
        source = "norms"
    return kernel(
        "update",
        [
            ("spans", "Span"),
            (source, "f32"),
            ("p*", "f32"),
            ("gradients*", "f32"),
            ("slots*", "f32"),
        ],
        body,
        size="256",
        builtins="group",
        memory=SPAN,
    )


def collect(text: Update) -> Kernel:
    """Add up the parts of each gradient; buffers spans, partials, gradients, slots."""
    return kernel(
        "collect",
        [("spans", "Span"), ("partials", "f32"), ("gradients*", "f32"), ("slots*", "f32")],
        f"{HEAD}\n{text.collected()}\ngradients[i] = g;",
        size="256",
        builtins="group",
        memory=SPAN,
    )


SCALED = "weights", "change"
"""What a step has left of weights whose change is as long as they are."""


def scale(slots: Slots, variables: int) -> Kernel:
    """Change the weights of each variable by as much as they are long; buffers spans, norms (of
    SCALED, of each variable), p, slots."""
    rule = f"""
        let size = norms[s.variable];
        let length = norms[{variables}u + s.variable];
        let ratio = select(1.0, size / length, size > 0.0 && length > 0.0);
        weight -= ratio * step.rate * slots[{slots["change"]}u + i];"""
    text = Update(rule, slots, None, None, AVERAGE in slots, False)
    return kernel(
        "scale",
        [("spans", "Span"), ("norms", "f32"), ("p*", "f32"), ("slots*", "f32")],
        f"{HEAD}\nlet ready = step.extra.x > 0.0;\n{text.applied()}",
        size="256",
        builtins="group",
        memory=SPAN,
    )


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


def _sgd(o: Any, slots: Slots) -> str:
    if not o.momentum:
        return "weight -= step.rate * g;"
    at = f"slots[{slots['momentum']}u + i]"
    m = number(o.momentum)
    text = f"let v = {m} * {at} - step.rate * g; {at} = v;\n"
    return text + (f"weight += {m} * v - step.rate * g;" if o.nesterov else "weight += v;")


RULES: dict[type, Callable[[Any, Slots], str]] = {
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
