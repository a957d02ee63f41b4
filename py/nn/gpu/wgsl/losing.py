"""Losses: the gradient of an output, the loss of each row or element, and their sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nn import config, losses
from nn.gpu.wgsl import traced
from nn.gpu.wgsl.functions import number
from nn.gpu.wgsl.text import Made, grid, index, kernel
from nn.gpu.wgsl.traced import Text
from nn.types import prod


@dataclass(frozen=True)
class Rows:
    """The rows of an output, each with a loss of its own.

    Attributes:
        shape: of the output.
        batch: samples.
        per: rows of a sample.
        width: elements of a row.
        scale: the text of 1 / samples, or None for a sum.
        factor: of the output's loss.
        ordered: whether targets lie in the data's order, to be found by `order`.
        weighted: whether rows have weights.
    """

    shape: tuple[int, ...]
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

    def target(self) -> str:
        """Return the function of the target of an element."""
        place = f"({self.place()}) * {self.width}u + e % {self.width}u"
        return (
            f"fn target_(e: u32) -> f32 {{ let row = e / {self.width}u; return targets[{place}]; }}"
        )

    def share(self) -> str:
        """Return the text of a row's factor in the mean."""
        scale = "1.0" if self.scale is None else f"{self.scale} / {self.per}.0"
        return f"{scale} * weights[at]" if self.weighted else scale


def loss(s: Rows, given: Any) -> tuple[Made, int]:
    """The gradient of an output, before its activation if `given` takes logits, and the terms
    (loss, right answers); returns how many terms.

    Buffers y, targets, [order], [weights], terms, dy.
    """
    return LOSSES[type(given)](s, given)


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


def _row_loss(s: Rows, name: str, targets: str, body: str, functions: str = "") -> tuple[Made, int]:
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
        functions=functions,
    )
    return (made, grid(rows)), rows


def _categorical(s: Rows, given: Any) -> tuple[Made, int]:
    """Cross-entropy: targets are shares of the classes, or the number of one."""
    sparse = type(given) is losses.SparseCategoricalCrossentropy
    focal = type(given) is losses.CategoricalFocalCrossentropy
    factor, e = number(s.factor), number(config.epsilon())
    own = f"targets[at * {s.width}u + j]"
    top = f"if ({own} > most) {{ most = {own}; label = j; }}"
    label, target = "var label = 0u; var most = -1.0;", own
    if sparse:
        label, top, target = "let label = targets[at];", "", "select(0.0, 1.0, j == label)"
    each = f"for (var j = 0u; j < {s.width}u; j++)"
    logits = given.from_logits
    if logits and not focal:
        sums = "total += exp(y[base + j] - highest); inner += t;"
        gradient = """
            let z = y[base + j] - highest;
            value -= t * (z - log(total));
            let g = exp(z) / total * inner - t;"""
        between = ""
    else:
        y = "exp(y[base + j] - highest)" if logits else "y[base + j]"
        by = "-t / kept"
        value = "value -= t * log(kept)"
        if focal:
            made = given.entropy(Text("t"), traced.variable("kept"))
            by, value = made.slope.text, f"value += {made.text}"
        share = f"""
            let p = {y} / total;
            let kept = clamp(p, {e}, 1.0 - {e});
            let by = select(0.0, {by}, p == kept);"""
        sums = f"total += {y};"
        between = f"{each} {{ let t = {target};{share} inner += by * p; }}"
        gradient = f"""{share}
            {value};
            let g = (by - inner) / total{f" * {y}" if logits else ""};"""
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


Maker = Callable[[Rows, Any], tuple[Made, int]]


def _of_sums(start: str, sums: str, value: str, slope: str) -> Maker:
    """Return a loss whose `value` and `slope` come from sums over a row, which `sums` adds target
    `t` and output `p` to."""

    def made(s: Rows, given: Any) -> tuple[Made, int]:
        function, past = s.target(), "false"
        q, alpha, beta = (number(getattr(given, x, 0.5)) for x in ("q", "alpha", "beta"))
        if type(given) in OVERLAPS:
            q = number(config.epsilon() / (2 if type(given) is losses.Dice else 1))
            s, past = _regions(s, given)
        each = f"""for (var j = 0u; j < {s.width}u; j++) {{
            if ({past}) {{ dy[base + j] = 0.0; continue; }}
            let t = target_(base + j);
            let p = y[base + j];"""
        body = f"""
        let q = {q};
        let alpha = {alpha};
        let beta = {beta};
        {start}
        {each} {sums} }}
        let hit = 0.0;
        {value}
        {each} dy[base + j] = {slope} * share * {number(s.factor)}; }}"""
        return _row_loss(s, "row_loss", "f32", body, function)

    return made


def _regions(s: Rows, given: Any) -> tuple[Rows, str]:
    """Return the rows that a loss of sums over several axes has, and the text of what elements `j`
    belong to no sample."""
    rank = len(s.shape)
    axis = range(rank) if given.axis is None else given.axis
    axes = sorted(a % rank for a in ([axis] if isinstance(axis, int) else axis))
    if axes != list(range(axes[0], rank)) or s.weighted:
        raise TypeError(f"axis={given.axis}, or weights of samples")
    if axes[0]:
        per, width = prod(s.shape[1 : axes[0]]), prod(s.shape[axes[0] :])
        return replace(s, per=per, width=width), "false"
    each = prod(s.shape[1:])
    whole = replace(s, batch=1, per=1, width=s.batch * each, scale=None)
    return whole, f"j >= step.rows * {each}u"


def _of_elements(s: Rows, given: Any) -> tuple[Made, int]:
    """A loss that is the mean of a row's terms, or their sum."""
    value, slope, how = traced.loss(given)
    row = s.per * s.width
    size = s.batch * row
    asked = f"""
            var every = true;
            for (var k = 0u; k < step.rows * {row}u; k++) {{
                let t = target_(k);
                every = every && {value.asked};
            }}"""
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
            }}{asked if value.asked else ""}
            let at = {s.place()};
            let share = {s.share()} / {1 if how == "sum" else s.width}.0;
            {{
                let t = target_(i);
                let p = y[i];
                dy[i] = {slope.text} * share * {number(s.factor)};
                terms[i] = vec2<f32>({value.text} * share, 0.0);
            }}""",
        functions=s.target(),
    )
    return (shader, grid(size)), size


def _circle(s: Rows, given: Any) -> tuple[Made, int]:
    """Circle, of all pairs of rows: one workgroup, since a row's terms hold log(sum(exp)) over the
    rows of its label and over the others until all gradients are made."""
    if len(s.shape) != 2:
        raise TypeError(f"outputs of shape {s.shape}")
    m, own = given.margin, " && i != j" if given.remove_diagonal else ""
    at, pairs = s.place(), "for (var j = 0u; j < step.rows; j++) {"
    each = f"for (var i = t; i < {s.batch}u; i += 256u) {{"
    along = f"for (var k = 0u; k < {s.width}u; k++) {{"
    shader = kernel(
        "circle",
        s.bindings("u32"),
        f"""
        {each}
            var top = vec2<f32>(-1e30);
            var sum = vec2<f32>();
            {pairs}
                let v = select(vec2<f32>(-1e30), grown(max(distance_(i, j), 0.0)), pair(i, j));
                let next = max(top, v);
                sum = sum * exp(top - next) + exp(v - next);
                top = next;
            }}
            terms[i] = top + log(sum);
        }}
        storageBarrier();
        var count = 0.0;
        {pairs} count += f32(risen(j) > -103.0); }}
        let share = {number(s.factor)} / {"max(count, 1.0)" if s.scale else "1.0"};
        {each}
            {along} dy[i * {s.width}u + k] = 0.0; }}
            if (i >= step.rows) {{ continue; }}
            {pairs}
                let d = distance_(i, j);
                let g = share * (pull(i, j, d) + pull(j, i, d));
                {along} dy[i * {s.width}u + k] -= g * y[j * {s.width}u + k]; }}
            }}
        }}
        storageBarrier();
        {each}
            let z = risen(i);
            let value = (max(z, 0.0) + log(1.0 + exp(-abs(z)))) * share / {number(s.factor)};
            terms[i] = vec2<f32>(select(0.0, value * weight(i), i < step.rows), 0.0);
        }}""",
        functions=f"""
        fn label(row: u32) -> u32 {{ return targets[{at}]; }}
        fn weight(row: u32) -> f32 {{ return {f"weights[{at}]" if s.weighted else "1.0"}; }}
        fn risen(i: u32) -> f32 {{ return terms[i].x + terms[i].y; }}
        fn distance_(i: u32, j: u32) -> f32 {{
            var d = 1.0;
            {along} d -= y[i * {s.width}u + k] * y[j * {s.width}u + k]; }}
            return d;
        }}
        fn pair(i: u32, j: u32) -> vec2<bool> {{
            let same = label(i) == label(j);
            return vec2<bool>(same{own}, !same);
        }}
        fn grown(d: f32) -> vec2<f32> {{
            let m = {number(m)};
            return {number(given.gamma)}
                * vec2<f32>((d + m) * (d - m), max(1.0 + m - d, 0.0) * (1.0 - m - d));
        }}
        fn pull(i: u32, j: u32, d: f32) -> f32 {{
            let slope = vec2<f32>(d, select(0.0, d - 1.0, d < {number(1 + m)}));
            let pulls = select(vec2<f32>(), exp(grown(d) - terms[i]) * slope, pair(i, j));
            let rising = weight(i) / (1.0 + exp(-max(risen(i), -80.0)));
            return select(0.0, rising * dot(pulls, vec2<f32>({number(2 * given.gamma)})), d > 0.0);
        }}""",
        size="256",
        builtins="local",
    )
    return (shader, (1, 1, 1)), s.batch


def _aligned(s: Rows, given: Any) -> tuple[Made, int]:
    """CTC, a workgroup for each sample: for each step a row of terms has for each state the
    logarithm of the paths to it, and the gradient by that; the last one has that of the classes."""
    across, w, share = 2 * s.per + 2, s.width, s.scale or "1.0"
    if s.weighted:
        share += " * weights[at]"
    each = "for (var i = t; i <= ends; i += 64u) {"
    shader = kernel(
        "aligned",
        s.bindings("u32"),
        f"""
        let row = group.x * {s.per}u;
        let first = group.x * {across * (s.per + 1)}u;
        at = {s.place()};
        var ends = 0u;
        for (var k = 0u; k < {s.per}u; k++) {{ ends += 2u * u32(targets[at + k] > 0u); }}
        let real = group.x < step.rows;
        let share = select(0.0, {share}, real);
        for (var k = t; k < {s.per}u; k += 64u) {{
            var sum = -1e30;
            for (var j = 0u; j < {w}u; j++) {{ sum = added(sum, y[(row + k) * {w}u + j]); }}
            terms[first + k * {across}u + {across - 1}u].x = sum;
        }}
        {each} terms[first + i].x = select(-1e5, 0.0, i == 0u); }}
        for (var k = 0u; k < {s.per}u; k++) {{
            storageBarrier();
            let here = first + k * {across}u;
            {each}
                terms[here + {across}u + i].x = reached(here, i)
                    + y[(row + k) * {w}u + state(i)] - terms[here + {across - 1}u].x;
            }}
        }}
        storageBarrier();
        let last = first + {across * s.per}u;
        let blank = terms[last + ends].x;
        let label = select(-1e30, terms[last + ends - 1u].x, ends > 0u);
        let total = added(blank, label);
        {each}
            let end = select(select(-1e30, label, i + 1u == ends), blank, i == ends);
            terms[last + i].y = exp(end - total);
        }}
        for (var k = {s.per}u; k > 0u; k--) {{
            storageBarrier();
            let next = first + k * {across}u;
            let here = next - {across}u;
            for (var c = t; c < {w}u; c += 64u) {{
                let e = (row + k) * {w}u + c - {w}u;
                var sum = 0.0;
                for (var i = 0u; i <= ends; i++) {{
                    let p = exp(y[e] - terms[next - 1u].x) - f32(state(i) == c);
                    sum += terms[next + i].y * p;
                }}
                dy[e] = sum * share * {number(s.factor)};
            }}
            {each}
                var sum = 0.0;
                for (var j = i; j <= min(i + 2u, ends); j++) {{
                    let way = terms[here + i].x + select(0.0, skipped(j), j == i + 2u);
                    sum += terms[next + j].y * exp(way - reached(here, j));
                }}
                terms[here + i].y = sum;
            }}
        }}
        storageBarrier();
        for (var i = t; i < {across * (s.per + 1)}u; i += 64u) {{
            terms[first + i] = vec2<f32>(select(0.0, -total * share, i == 0u && real), 0.0);
        }}""",
        functions="""
        fn state(i: u32) -> u32 { return select(0u, targets[at + i / 2u], i % 2u == 1u); }
        fn skipped(i: u32) -> f32 {
            let same = select(0.0, -1e5, state(i) == state(i - 2u));
            return select(-1e30, same, i > 2u && i % 2u == 1u);
        }
        fn added(a: f32, b: f32) -> f32 {
            let top = max(a, b);
            return top + log(exp(a - top) + exp(b - top));
        }
        fn reached(here: u32, i: u32) -> f32 {
            var sum = terms[here + i].x;
            if (i > 0u) { sum = added(sum, terms[here + i - 1u].x); }
            if (i > 1u) { sum = added(sum, terms[here + i - 2u].x + skipped(i)); }
            return sum;
        }""",
        memory="var<private> at: u32;",
        builtins="group",
    )
    return (shader, (s.batch, 1, 1)), s.batch * across * (s.per + 1)


OVERLAPS = (losses.Dice, losses.Tversky)

LOSSES: dict[type, Maker] = {
    losses.SparseCategoricalCrossentropy: _categorical,
    losses.CategoricalCrossentropy: _categorical,
    losses.CategoricalFocalCrossentropy: _categorical,
    losses.Circle: _circle,
    losses.CTC: _aligned,
    losses.CosineSimilarity: _of_sums(
        "var tt = 0.0; var pp = 0.0; var tp = 0.0;",
        "tt += t * t; pp += p * p; tp += t * p;",
        """
        let a = sqrt(max(tt, 1e-12));
        let b = sqrt(max(pp, 1e-12));
        let value = -tp / (a * b);""",
        "-(t / a + p / b * value) / b",
    ),
    losses.CategoricalHinge: _of_sums(
        "var own = 0.0; var most = -3e38; var many = 0.0;",
        """
            let other = (1.0 - t) * p;
            own += t * p;
            many = select(select(many, many + 1.0, other == most), 1.0, other > most);
            most = max(most, other);""",
        "let value = max(1.0 + most - own, 0.0);",
        "select(0.0, select(0.0, (1.0 - t) / many, (1.0 - t) * p == most) - t, value > 0.0)",
    ),
    losses.CategoricalGeneralizedCrossEntropy: _of_sums(
        "var own = 0.0;",
        "own += t * p;",
        "let value = (1.0 - pow(own, q)) / q;",
        "-pow(own, q - 1.0) * t",
    ),
    **dict.fromkeys(
        OVERLAPS,
        _of_sums(
            "var both = 0.0; var missed = 0.0; var wrong = 0.0;",
            "both += t * p; missed += t - t * p; wrong += p - t * p;",
            """
        let below = both + alpha * missed + beta * wrong + q;
        let value = 1.0 - both / below;""",
            "(both / below * (t - alpha * t + beta * (1.0 - t)) - t) / below",
        ),
    ),
    **dict.fromkeys(
        (
            losses.KLDivergence,
            losses.MeanSquaredError,
            losses.MeanAbsoluteError,
            losses.MeanAbsolutePercentageError,
            losses.MeanSquaredLogarithmicError,
            losses.Huber,
            losses.LogCosh,
            losses.Poisson,
            losses.BinaryCrossentropy,
            losses.BinaryFocalCrossentropy,
            losses.Hinge,
            losses.SquaredHinge,
            losses.FunctionLoss,
        ),
        _of_elements,
    ),
}
COUNTING = tuple(kind for kind, maker in LOSSES.items() if maker is _categorical)
"""Losses whose kernels count right answers."""
