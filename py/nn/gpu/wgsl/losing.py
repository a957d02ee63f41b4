"""Losses: the gradient of an output, the loss of each row or element, and their sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nn import config, losses
from nn.gpu.wgsl.functions import number
from nn.gpu.wgsl.text import Made, grid, index, kernel


@dataclass(frozen=True)
class Rows:
    """The rows of an output, each with a loss of its own.

    Attributes:
        batch: samples.
        per: rows of a sample.
        width: elements of a row.
        scale: the text of 1 / samples, or None for a sum.
        factor: of the output's loss.
        ordered: whether targets lie in the data's order, to be found by `order`.
        weighted: whether rows have weights.
    """

    batch: int
    per: int
    width: int
    scale: str | None
    factor: float
    ordered: bool
    weighted: bool

    def bindings(self, targets: str) -> list[tuple[str, str]]:
        made = [("y", "f32"), ("targets", targets)]
        if self.ordered:
            made.append(("order", "u32"))
        if self.weighted:
            made.append(("weights", "f32"))
        return [*made, ("terms*", "vec2<f32>"), ("dy*", "f32")]

    def place(self) -> str:
        """Return the text of the row of targets and weights."""
        sample = f"order[step.first + row / {self.per}u]" if self.ordered else f"row / {self.per}u"
        return f"{sample} * {self.per}u + row % {self.per}u"

    def share(self) -> str:
        """Return the text of a row's factor in the mean."""
        scale = "1.0" if self.scale is None else f"{self.scale} / {self.per}.0"
        return f"{scale} * weights[at]" if self.weighted else scale


def loss(s: Rows, given: Any, logits: bool) -> tuple[Made, int]:
    """The gradient of an output and the terms (loss, right answers); returns how many terms.

    Buffers y, targets, [order], [weights], terms, dy.
    """
    return LOSSES[type(given)](s, given, logits)


def settle(terms: int, stride: int, at: int) -> Made:
    """Add up the terms into the step's results; buffers terms, results."""
    made = kernel(
        "settle_loss",
        [("terms", "vec2<f32>"), ("results*", "f32")],
        f"""
        var mine = vec2<f32>(0.0);
        for (var i = t; i < {terms}u; i += 256u) {{ mine += terms[i]; }}
        sums[t] = mine;
        for (var half = 128u; half > 0u; half /= 2u) {{
            workgroupBarrier();
            if (t < half) {{ sums[t] += sums[t + half]; }}
        }}
        if (t == 0u) {{
            results[step.slot * {stride}u + {at}u] = sums[0].x;
            results[step.slot * {stride}u + {at + 1}u] = sums[0].y;
        }}""",
        size="256",
        builtins="group",
        memory="var<workgroup> sums: array<vec2<f32>, 256>;",
    )
    return made, (1, 1, 1)


def report(size: int, stride: int, at: int) -> Made:
    """Keep an output in the step's results; buffers y, results."""
    made = kernel(
        "report",
        [("y", "f32"), ("results*", "f32")],
        f"{index(size)}\nresults[step.slot * {stride}u + {at}u + i] = y[i];",
    )
    return made, grid(size)


def _row_loss(s: Rows, name: str, targets: str, body: str) -> tuple[Made, int]:
    """A thread for each row; `body` sets `value`, `hit` and, by `gradient(j, g)`, dy."""
    rows = s.batch * s.per
    made = kernel(
        name,
        s.bindings(targets),
        f"""
        {index(rows)}
        let row = i;
        let base = row * {s.width}u;
        if (row >= step.rows * {s.per}u) {{
            for (var j = 0u; j < {s.width}u; j++) {{ dy[base + j] = 0.0; }}
            terms[row] = vec2<f32>(0.0);
            return;
        }}
        let at = {s.place()};
        let share = {s.share()};
        {body}
        terms[row] = vec2<f32>(value * share, hit);""",
    )
    return (made, grid(rows)), rows


def _categorical(s: Rows, given: Any, logits: bool) -> tuple[Made, int]:
    """Cross-entropy: targets are shares of the classes, or the number of one."""
    sparse = type(given) is losses.SparseCategoricalCrossentropy
    factor, e = number(s.factor), number(config.epsilon())
    own = f"targets[at * {s.width}u + j]"
    top = f"if ({own} > most) {{ most = {own}; label = j; }}"
    label, target = "var label = 0u; var most = -1.0;", own
    if sparse:
        label, top, target = "let label = targets[at];", "", "select(0.0, 1.0, j == label)"
    elif given.label_smoothing:
        smooth = given.label_smoothing
        target = f"{own} * {number(1 - smooth)} + {number(smooth / s.width)}"
    each = f"for (var j = 0u; j < {s.width}u; j++)"
    if logits:
        sums = "total += exp(y[base + j] - highest); inner += t;"
        gradient = """
            let z = y[base + j] - highest;
            value -= t * (z - log(total));
            let g = exp(z) / total * inner - t;"""
        between = ""
    else:
        share = f"""
            let p = y[base + j] / total;
            let kept = clamp(p, {e}, 1.0 - {e});
            let by = select(0.0, -t / kept, p == kept);"""
        sums = "total += y[base + j];"
        between = f"{each} {{ let t = {target};{share} inner += by * p; }}"
        gradient = f"""{share}
            value -= t * log(kept);
            let g = (by - inner) / total;"""
    body = f"""
        var highest = y[base];
        var best = 0u;
        {label}
        {each} {{
            if (y[base + j] > highest) {{ highest = y[base + j]; best = j; }}
            {top}
        }}
        var total = 0.0;
        var inner = 0.0;
        var value = 0.0;
        {each} {{ let t = {target}; {sums} }}
        {between}
        {each} {{
            let t = {target};{gradient}
            dy[base + j] = g * share * {factor};
        }}
        let hit = select(0.0, 1.0, best == label);"""
    return _row_loss(s, "cross_entropy", "u32" if sparse else "f32", body)


def _cosine(s: Rows, given: Any, logits: bool) -> tuple[Made, int]:
    body = f"""
        var tt = 0.0;
        var pp = 0.0;
        var tp = 0.0;
        let hit = 0.0;
        for (var j = 0u; j < {s.width}u; j++) {{
            let t = targets[at * {s.width}u + j];
            let p = y[base + j];
            tt += t * t; pp += p * p; tp += t * p;
        }}
        let a = sqrt(max(tt, 1e-12));
        let b = sqrt(max(pp, 1e-12));
        let cosine = tp / (a * b);
        let value = -cosine;
        for (var j = 0u; j < {s.width}u; j++) {{
            let t = targets[at * {s.width}u + j] / a;
            dy[base + j] = -(t - y[base + j] / b * cosine) / b * share * {number(s.factor)};
        }}"""
    return _row_loss(s, "cosine_similarity", "f32", body)


Terms = Callable[[Any, bool], tuple[str, str]]


def _of_elements(
    terms: Terms, summed: bool = False
) -> Callable[[Rows, Any, bool], tuple[Made, int]]:
    """Return a loss that is the mean of a row's terms, or their sum: `terms` gives the text of
    value and slope from target `t` and output `p`."""

    def made(s: Rows, given: Any, logits: bool) -> tuple[Made, int]:
        value, slope = terms(given, logits)
        size = s.batch * s.per * s.width
        smooth = getattr(given, "label_smoothing", 0.0)
        target = f"targets[at * {s.width}u + i % {s.width}u]"
        if smooth:
            target = f"({target} * {number(1 - smooth)} + {number(0.5 * smooth)})"
        shader = kernel(
            "element_loss",
            s.bindings("f32"),
            f"""
            {index(size)}
            let row = i / {s.width}u;
            if (row >= step.rows * {s.per}u) {{
                dy[i] = 0.0;
                terms[i] = vec2<f32>(0.0);
                return;
            }}
            let at = {s.place()};
            let share = {s.share()} / {1 if summed else s.width}.0;
            {{
                let t = {target};
                let p = y[i];
                dy[i] = {slope} * share * {number(s.factor)};
                terms[i] = vec2<f32>({value} * share, 0.0);
            }}""",
        )
        return (shader, grid(size)), size

    return made


def _squared(given: Any, logits: bool) -> tuple[str, str]:
    return "(p - t) * (p - t)", "2.0 * (p - t)"


def _absolute(given: Any, logits: bool) -> tuple[str, str]:
    return "abs(p - t)", "sign(p - t)"


def _percentage(given: Any, logits: bool) -> tuple[str, str]:
    scale = f"(100.0 / max(abs(t), {number(config.epsilon())}))"
    return f"abs(p - t) * {scale}", f"sign(p - t) * {scale}"


def _logarithmic(given: Any, logits: bool) -> tuple[str, str]:
    e = number(config.epsilon())
    error = f"(log(1.0 + max(p, {e})) - log(1.0 + max(t, {e})))"
    slope = f"2.0 * {error} / (max(p, {e}) + 1.0) * select(0.0, 1.0, p >= {e})"
    return f"{error} * {error}", slope


def _huber(given: Any, logits: bool) -> tuple[str, str]:
    d, half = number(given.delta), number(0.5 * given.delta**2)
    value = f"select({d} * abs(p - t) - {half}, 0.5 * (p - t) * (p - t), abs(p - t) <= {d})"
    return value, f"clamp(p - t, -{d}, {d})"


def _log_cosh(given: Any, logits: bool) -> tuple[str, str]:
    value = "(abs(p - t) + log(1.0 + exp(-2.0 * abs(p - t))) - 0.6931471805599453)"
    return value, "tanh(clamp(p - t, -20.0, 20.0))"


def _poisson(given: Any, logits: bool) -> tuple[str, str]:
    e = number(config.epsilon())
    return f"(p - t * log(p + {e}))", f"(1.0 - t / (p + {e}))"


def _binary(given: Any, logits: bool) -> tuple[str, str]:
    if logits:
        value = "(max(p, 0.0) - p * t + log(1.0 + exp(-abs(p))))"
        return value, "(1.0 / (1.0 + exp(-p)) - t)"
    e = number(config.epsilon())
    kept = f"clamp(p, {e}, 1.0 - {e})"
    value = f"-(t * log({kept}) + (1.0 - t) * log(1.0 - {kept}))"
    inside = f"select(0.0, 1.0, p >= {e} && p <= 1.0 - {e})"
    return value, f"{inside} * ({kept} - t) / ({kept} * (1.0 - {kept}))"


def _divergence(given: Any, logits: bool) -> tuple[str, str]:
    e = number(config.epsilon())
    true, kept = (f"clamp({x}, {e}, 1.0)" for x in "tp")
    return f"({true} * log({true} / {kept}))", f"select(0.0, -{true} / {kept}, p == {kept})"


LOSSES: dict[type, Callable[[Rows, Any, bool], tuple[Made, int]]] = {
    losses.SparseCategoricalCrossentropy: _categorical,
    losses.CategoricalCrossentropy: _categorical,
    losses.KLDivergence: _of_elements(_divergence, summed=True),
    losses.CosineSimilarity: _cosine,
    losses.MeanSquaredError: _of_elements(_squared),
    losses.MeanAbsoluteError: _of_elements(_absolute),
    losses.MeanAbsolutePercentageError: _of_elements(_percentage),
    losses.MeanSquaredLogarithmicError: _of_elements(_logarithmic),
    losses.Huber: _of_elements(_huber),
    losses.LogCosh: _of_elements(_log_cosh),
    losses.Poisson: _of_elements(_poisson),
    losses.BinaryCrossentropy: _of_elements(_binary),
}
