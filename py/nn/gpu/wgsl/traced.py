"""The text of a function made of NumPy's: it runs once on texts in place of arrays.

NumPy passes its functions on to a `Text` (NEP 13 and 18), which writes what they compute of one
element, and the derivative by a variable, by the rules of `nn.differentiate`.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from nn import activations
from nn.differentiate import SLOPES
from nn.gpu.wgsl.functions import NAMED, Function, number
from nn.losses import ElementLoss

SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
TRUTHS = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "bitwise_and": "&&",
    "bitwise_or": "||",
}
FORMS = {
    **{name: f"({{}} {sign} {{}})" for name, sign in (SIGNS | TRUTHS).items()},
    **{name: name + "({})" for name in ("sign", "sqrt", "exp", "log", "sin", "cos")},
    "absolute": "abs({})",
    "negative": "(-{})",
    "square": "({0} * {0})",
    "maximum": "max({}, {})",
    "minimum": "min({}, {})",
    "power": "pow({}, {})",
    # Near 0 by a series: 1 + x has lost the digits of x there, and a logarithm may follow.
    "log1p": "select(log(1.0 + {0}), {0} * (1.0 - {0} * (0.5 - {0} * (0.3333333 - {0} * (0.25 - "
    "{0} * 0.2)))), abs({0}) < 0.03)",
    "expm1": "select(exp({0}) - 1.0, {0} * (1.0 + {0} * (0.5 + {0} * (0.1666667 + {0} / 24.0))), "
    "abs({0}) < 0.03)",
    "tanh": "tanh(clamp({}, -20.0, 20.0))",
}


class Text(np.lib.mixins.NDArrayOperatorsMixin):
    """An element of an array, as text.

    Attributes:
        text: its value.
        slope: the text of its derivative, or None for 0.
        says: whether it is true or false.
        asked: what is asked of all elements of the labels, if its value depends on that.
        reduced: "mean" or "sum" of a row's elements, once they were added.
        lines: what was computed so far, each with a name, or None: without names.
    """

    dtype = np.dtype(np.float32)
    reduced = ""
    lines: list[str] | None = None

    def __init__(self, text: str, slope: Text | None = None, says: bool = False) -> None:
        self.text, self.slope, self.says, self.asked = text, slope, says, ""

    def __setitem__(self, place: Any, value: Any) -> None:
        self.text = _number(value)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("an array is made of an element")

    def __array_ufunc__(self, ufunc: Any, method: str, *given: Any, out: Any = None) -> Any:
        name = ufunc.__name__
        if name == "power" and given[1] in (1, 2, 3):  # of a negative number too
            form = "({})".format(" * ".join(["{0}"] * int(given[1])))
        else:
            form = FORMS[name]
        write = _text if name.startswith("bitwise") else _number
        made = _made(form.format(*map(write, given)), *given)
        made.says = name in TRUTHS
        slopes = [getattr(x, "slope", None) for x in given]
        plain: list[Any] = [*given, made]
        if any(slopes):
            plain = [_made(_number(x), x) if isinstance(x, Text) else x for x in plain]
        for place, slope in enumerate(slopes):
            if slope is not None and name in SLOPES:
                part = slope * SLOPES[name][place](*plain)
                made.slope = part if made.slope is None else made.slope + part
        if out is None:
            return made
        out[0].text = made.text
        return out[0]

    def __array_function__(self, function: Any, types: Any, given: Any, options: Any) -> Any:
        return OTHERS[function.__name__](*given, **options)

    def sum(self, axis: Any = None, how: str = "sum") -> Text:
        if axis != -1:
            raise TypeError(f"a {how} over axis {axis}")
        made = _made(_number(self), self)
        made.slope, made.reduced = self.slope, how
        return made

    def mean(self, axis: Any = None) -> Text:
        return self.sum(axis, "mean")


def _made(text: str, *given: Any) -> Text:
    made = Text(text)
    for x in given:
        if getattr(x, "reduced", ""):
            raise TypeError("a function of a sum")
        made.asked = getattr(x, "asked", "") or made.asked
        made.lines = getattr(x, "lines", None) or made.lines
    if made.lines:
        made.text = f"e{len(made.lines)}"
        made.lines.append(f"let {made.text} = {text};")
    return made


def _text(x: Any) -> str:
    return x.text if isinstance(x, Text) else number(x)


def _number(x: Any) -> str:
    return f"f32({x.text})" if getattr(x, "says", False) else _text(x)


def _where(condition: Text, a: Any, b: Any) -> Text:
    made = _made(f"select({_number(b)}, {_number(a)}, {condition.text})", condition, a, b)
    slopes = [getattr(x, "slope", None) for x in (a, b)]
    if any(slopes):
        made.slope = _where(condition, *(slope or 0.0 for slope in slopes))
    return made


def _clip(x: Text, low: float, high: float) -> Text:
    made = _made(f"clamp({x.text}, {number(low)}, {number(high)})", x)
    if x.slope:
        made.slope = x.slope * ((x >= low) & (x <= high))
    return made


def _all(condition: Text) -> Text:
    made = Text("every", None, True)
    made.asked = condition.text
    return made


OTHERS: dict[str, Any] = {
    "where": _where,
    "clip": _clip,
    "all": _all,
    "sum": Text.sum,
    "mean": Text.mean,
}


def variable(name: str) -> Text:
    """Return the text of what derivatives are taken by."""
    return Text(name, Text("1.0"))


def loss(given: Any) -> tuple[Text, Any, str]:
    """Return a loss of an element and its derivative by the output, from target `t` and output `p`,
    and whether a row's loss is their "sum" or "mean".

    Raises:
        KeyError, TypeError: it is made of something that has no text.
    """
    if isinstance(given, ElementLoss):
        terms: Any = given.terms
        return *terms(Text("t"), variable("p")), "mean"
    value = getattr(given, "function", given.call)(Text("t"), variable("p"))
    if getattr(given, "given_gradient", None) or not value.reduced:
        raise TypeError("no mean of elements, or a gradient of its own")
    return value, value.slope, value.reduced


def moved(optimizer: Any, slots: dict[str, int]) -> str:
    """Return what changes `weight` by its gradient `g`, and the slots that begin at these places.

    Raises:
        KeyError, TypeError: it is made of something that has no text.
    """
    lines = ["let rate = step.step_size;"]
    names = {name: f"slots[{slots[name]}u + i]" for name in optimizer.slots}
    weight, g, *scalars = (
        Text(name) for name in ("weight", "g", "rate", *(f"step.extra.{x}" for x in "yzw"))
    )
    own = copy(optimizer)
    own.state, own.local_step = {name: Text(text) for name, text in names.items()}, 1
    for text in (weight, g, *scalars, *own.state.values()):
        text.lines = lines
    own.move(weight, g, *scalars[: len(own.scalars(1.0))])
    ends = [f"{text} = {own.state[name].text};" for name, text in names.items()]
    return "\n".join([*lines, f"weight = {weight.text};", *ends])


def activation(given: Any) -> Function | None:
    """Return the text of an activation, or None if it is none of single elements."""
    known = NAMED.get(given.name)
    if known is not None and activations.get(given.name) is given:
        return known
    value, slope = Text(""), Text("")
    forward, gradient = given.formulas
    try:
        forward(Text("v"), value)
        gradient(Text("1.0"), Text("y" if given.from_output else "v"), slope)
    except (AttributeError, KeyError, TypeError):
        return None
    return Function(value.text, slope.text, given.from_output)
