"""How one number of a layer's output is made: what is multiplied, added and applied.

Each function explains one kind of layer. The inputs are the engine's activations, the weights its
variables; products and sums are made here, in float64, and end in the engine's own number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from nn.graph import Node

from app.lab.inside.numbers import exact, short
from app.language import plural, tr

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Part = dict[str, Any]

LARGEST = 10
"""Products of a dense layer that are shown one by one."""
MAPS = 3
"""Input maps of a convolution that are shown one by one."""
CELLS = 144
"""Numbers of a window that are shown as a table."""


@dataclass
class Question:
    """Which number is to be explained.

    Attributes:
        node: the call of the layer.
        inputs: what it read, without the batch axis.
        output: what it made, likewise.
        index: of the number in `output`.
        first: whether the maps come before the rows.
    """

    node: Node
    inputs: Sequence[Array]
    output: Array
    index: tuple[int, ...]
    first: bool

    @property
    def layer(self) -> Any:
        """The layer."""
        return self.node.layer

    @property
    def value(self) -> float:
        """The engine's number."""
        return float(self.output[self.index])

    @property
    def channel(self) -> int:
        """The map or unit of the number."""
        return self.index[0] if self.first and self.output.ndim > 2 else self.index[-1]


@dataclass
class Explanation:
    """What is shown: sentences, tables and lines, sums, and where the numbers come from."""

    words: str = ""
    parts: list[Part] = field(default_factory=list)
    sums: list[list[str]] = field(default_factory=list)
    reads: list[dict[str, Any]] = field(default_factory=list)

    def table(self, title: str, values: Array, largest: float = 0.0, mark: Any = None) -> None:
        """Add a table of numbers, coloured by their size against the largest."""
        whole = largest or float(np.abs(values).max(initial=0.0)) or 1.0
        self.parts.append(
            {
                "kind": "table",
                "title": title,
                "rows": [[short(v) for v in row] for row in values.tolist()],
                "tones": np.clip(values / whole, -1, 1).round(3).tolist(),
                "mark": mark,
            }
        )

    def sign(self, text: str) -> None:
        """Add a sign between two tables."""
        self.parts.append({"kind": "sign", "text": text})

    def line(self, text: str, value: float) -> None:
        """Add a line with a number at its end."""
        self.parts.append({"kind": "line", "text": text, "value": exact(value)})

    def sum(self, text: str, value: float) -> None:
        """Add a line of the sum below."""
        self.sums.append([text, exact(value)])

    def read(self, node: Node, maps: Sequence[int], top: int, left: int, *size: int) -> None:
        """Note that a window of these maps of a layer was read: rows and columns."""
        rows, columns = size or (1, 1)
        place = {"top": top, "left": left, "rows": rows, "columns": columns}
        self.reads.append({"layer": node.layer.name, "maps": list(maps), **place})


def explain(question: Question) -> Explanation:
    """Return how a number is made, as far as its layer can be explained."""
    kind = type(question.layer).__name__
    function = KINDS.get(kind)
    if function is None:
        found = Explanation(tr("{kind}: the engine's own number.", kind=kind))
        found.sum(tr("value"), question.value)
        return found
    return function(question)


def convolution(question: Question) -> Explanation:
    """Explain a Conv2D or Conv1D: patch times filter, for each map that it reads."""
    layer = question.layer
    x = layer.seen(question.inputs[0][None])
    _, options = layer.plan(x.shape)
    kernel = layer.kernel.value.reshape(layer.kernel_shape)
    row, column, filter_ = _place(question, layer)
    group = kernel.shape[2] * (filter_ // (layer.filters // layer.groups))
    patch, top, left = _patch(x[0], (row, column), kernel.shape[:2], options)
    patch = patch[..., group : group + kernel.shape[2]].astype(np.float64)
    products = patch * kernel[..., filter_]
    shares = products.sum((0, 1))
    shown = sorted(np.argsort(-np.abs(shares), kind="stable")[:MAPS].tolist())
    found = Explanation(
        tr(
            "The same {size} weights make every pixel of this map: each is "
            "multiplied by the number under it, and all products are added. Training "
            "changes the weights.",
            size=kernel[..., 0].size,
        )
    )
    for i in shown:
        name = tr("map {number}", number=group + i + 1) if x.shape[-1] > 1 else tr("patch")
        if products[..., i].size <= CELLS:
            found.table(name, patch[..., i])
            found.sign("\u00d7")
            found.table(tr("filter"), kernel[..., i, filter_])
            found.sign("=")
            found.table(tr("products"), products[..., i])
        if len(shares) > 1:
            found.line(name, float(shares[i]))
    rest = len(shares) - len(shown)
    if rest:
        found.line(
            plural(rest, "{count} other", "{count} others", count=rest),
            float(shares.sum() - shares[shown].sum()),
        )
    steps = [d * (k - 1) + 1 for d, k in zip(options["dilation"], kernel.shape[:2], strict=True)]
    found.read(question.node.inputs[0].node, [group + i for i in shown], top, left, *steps)
    _finish(found, question, float(shares.sum()), layer.bias, filter_)
    return found


def _place(question: Question, layer: Any) -> tuple[int, int, int]:
    """Return row, column and channel of a number, as `layer.seen` has them."""
    index = question.index
    if layer.channels_first:
        index = (*index[1:], index[0])
    *places, channel = index
    return (places[0], places[1], channel) if len(places) > 1 else (0, places[0], channel)


def _patch(
    x: Array, place: tuple[int, int], window: Sequence[int], options: Any
) -> tuple[Array, int, int]:
    """Return a window (rows, columns, maps) with zeros outside of the maps, and its corner."""
    patch = np.zeros((*window, x.shape[-1]), x.dtype)
    corner = [
        at * stride - before
        for at, stride, (before, _) in zip(
            place, options["strides"], options["padding"], strict=True
        )
    ]
    for r in range(window[0]):
        for c in range(window[1]):
            row = corner[0] + r * options["dilation"][0]
            column = corner[1] + c * options["dilation"][1]
            if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
                patch[r, c] = x[row, column]
    return patch, corner[0], corner[1]


def _finish(found: Explanation, question: Question, total: float, bias: Any, unit: int) -> None:
    """Add the bias, and apply the activation, which makes the engine's number."""
    found.sum(tr("sum"), total)
    z = total
    if bias is not None:
        add = float(bias.value[unit])
        z = total + add
        found.sum(tr("+ bias"), add)
    name = question.layer.activation.name
    settled = name == "linear" or (name == "relu" and question.value > 0)
    if bias is not None or name == "linear":
        found.sum("=", question.value if settled else z)
    if name == "softmax":
        _softmax(found, question, _logits(question))
    elif name != "linear":
        found.sum(name, question.value)


def _logits(question: Question) -> Array:
    """Return what softmax is applied to, in float64."""
    layer = question.layer
    x = question.inputs[0][question.index[:-1]].astype(np.float64)
    z = x @ layer.kernel.value
    return z if layer.bias is None else z + layer.bias.value


def _softmax(found: Explanation, question: Question, logits: Array) -> None:
    """Add e to the power of each number, and the number's share of them all."""
    unit = question.index[-1]
    shift = float(logits.max()) if float(np.abs(logits).max()) > 12 else 0.0
    powers = np.exp(logits - shift)
    found.sum("e^x" if not shift else f"e^(x \u2212 {exact(shift)})", float(powers[unit]))
    found.sum(tr("÷ all {count}", count=len(powers)), float(powers.sum()))
    found.sum(tr("= share"), question.value)
    found.words += " " + tr("Softmax takes e to the power of each, and divides by the sum of all.")


def dense(question: Question) -> Explanation:
    """Explain a Dense: the largest products, and the rest as one."""
    layer, unit = question.layer, question.index[-1]
    x = question.inputs[0][question.index[:-1]].astype(np.float64)
    weights = layer.kernel.value[:, unit]
    products = x * weights
    shown = np.argsort(-np.abs(products), kind="stable")[:LARGEST]
    found = Explanation(
        tr("Each of the {count} numbers before has a weight of its own here.", count=len(x))
    )
    for i in shown.tolist():
        found.line(
            tr(
                "unit {number}: {x} × {weight}",
                number=i + 1,
                x=short(x[i]),
                weight=short(float(weights[i])),
            ),
            products[i],
        )
    rest = len(products) - len(shown)
    if rest:
        others = plural(rest, "{count} other", "{count} others", count=rest)
        found.line(others, float(products.sum() - products[shown].sum()))
    before = question.node.inputs[0].node
    for i in shown.tolist() if question.inputs[0].ndim == 1 else ():
        found.read(before, [0], 0, i)
    _finish(found, question, float(products.sum()), layer.bias, unit)
    return found


def pooling(question: Question) -> Explanation:
    """Explain a pooling with windows: the largest number of a window, or the mean."""
    layer = question.layer
    x = layer.seen(question.inputs[0][None])
    _, padding = layer.plan(x.shape)
    row, column, channel = _place(question, layer)
    options = {"strides": layer.hops, "padding": padding, "dilation": (1, 1)}
    maps = x[0, ..., channel, None]
    patch, top, left = _patch(maps, (row, column), layer.window, options)
    within = _patch(np.ones_like(maps), (row, column), layer.window, options)[0][..., 0] > 0
    numbers = patch[..., 0]
    count, found = int(within.sum()), Explanation()
    if "Max" in type(layer).__name__:
        best = np.unravel_index(np.where(within, numbers, -np.inf).argmax(), numbers.shape)
        found.words = tr("Of each window only the largest number goes on.")
        if numbers.size <= CELLS:
            found.table(tr("window"), numbers, mark=[int(i) for i in best])
        found.sum(tr("largest of {count}", count=count), question.value)
    else:
        found.words = tr("Of each window the mean goes on.")
        if numbers.size <= CELLS:
            found.table(tr("window"), numbers)
        found.sum(tr("sum"), float(numbers[within].sum(dtype=np.float64)))
        found.sum(f"\u00f7 {count}", question.value)
    found.read(question.node.inputs[0].node, [channel], top, left, *layer.window)
    return found


def pooling_of_all(question: Question) -> Explanation:
    """Explain a pooling of whole maps."""
    channel, first = question.channel, question.layer.channels_first
    x = question.inputs[0]
    numbers = (x[channel] if first else x[..., channel]).astype(np.float64)
    found = Explanation(tr("A whole map becomes one number."))
    if "Max" in type(question.layer).__name__:
        found.sum(tr("largest of {size}", size=numbers.size), question.value)
    else:
        found.sum(tr("sum of {size}", size=numbers.size), float(numbers.sum()))
        found.sum(f"\u00f7 {numbers.size}", question.value)
    size = numbers.shape if numbers.ndim == 2 else (1, numbers.size)
    found.read(question.node.inputs[0].node, [channel], 0, 0, *size)
    return found


def flatten(question: Question) -> Explanation:
    """Explain a Flatten: where the number lay before."""
    x, before = question.inputs[0], question.node.inputs[0].node
    first = question.first or bool(getattr(question.layer, "channels_first", False))
    shape = (*x.shape[1:], x.shape[0]) if first and x.ndim > 2 else x.shape
    place = [int(i) for i in np.unravel_index(question.index[-1], shape)]
    found = Explanation(tr("Flatten changes no number: it puts all pixels of all maps in one row."))
    if len(place) > 2:
        row, column, map_ = place[-3:]
        found.line(
            tr(
                "map {number}, row {row}, column {column}",
                number=map_ + 1,
                row=row + 1,
                column=column + 1,
            ),
            question.value,
        )
        found.read(before, [map_], row, column)
    elif len(place) == 2:
        found.line(
            tr("row {row}, column {column}", row=place[0] + 1, column=place[1] + 1), question.value
        )
        found.read(before, [0], *place)
    found.sum(tr("number"), question.value)
    return found


def normalization(question: Question) -> Explanation:
    """Explain a BatchNormalization, which predicts with the statistics that training kept."""
    layer = question.layer
    feature = tuple(question.index[axis - 1] for axis in layer.axes)
    x = float(question.inputs[0][question.index])
    mean, variance = (float(v.value[feature]) for v in (layer.moving_mean, layer.moving_variance))
    found = Explanation(
        tr(
            "Training kept each map's mean and variance: with them the numbers are "
            "brought to one scale, which gamma and beta then set."
        )
    )
    found.sum(tr("number"), x)
    found.sum(tr("\u2212 mean"), mean)
    found.sum(tr("\u00f7 \u221a(variance + \u03b5)"), float(np.sqrt(variance + layer.epsilon)))
    if layer.gamma is not None:
        found.sum("\u00d7 gamma", float(layer.gamma.value[feature]))
    if layer.beta is not None:
        found.sum("+ beta", float(layer.beta.value[feature]))
    found.sum("=", question.value)
    found.read(question.node.inputs[0].node, [question.channel], *_spot(question))
    return found


def elementwise(question: Question) -> Explanation:
    """Explain an activation as a layer of its own."""
    found = Explanation(tr("Each number is changed by itself."))
    x = question.inputs[0]
    found.sum(tr("number"), float(x[question.index]))
    name = question.layer.last_activation or type(question.layer).__name__
    if name == "softmax":
        found.words = tr("The numbers become shares of one.")
        _softmax(found, question, x[question.index[:-1]].astype(np.float64))
    else:
        found.sum(name, question.value)
    found.read(question.node.inputs[0].node, [question.channel], *_spot(question))
    return found


def passing(question: Question) -> Explanation:
    """Explain a layer that acts in training only."""
    kind = type(question.layer).__name__
    found = Explanation(
        tr("{kind} acts while training only: every number goes on as it is.", kind=kind)
    )
    found.sum(tr("number"), question.value)
    return found


def adding(question: Question) -> Explanation:
    """Explain a sum of branches."""
    found = Explanation(tr("The numbers at this place of all branches are added."))
    for tensor, x in zip(question.node.inputs, question.inputs, strict=True):
        if x.shape == question.output.shape:
            found.line(tensor.node.layer.name, float(x[question.index]))
            found.read(tensor.node, [question.channel], *_spot(question))
    found.sum(tr("sum"), question.value)
    return found


def _spot(question: Question) -> tuple[int, int]:
    """Return row and column of the number."""
    index = question.index
    if len(index) == 1:
        return 0, index[0]
    places = index[1:] if question.first and len(index) > 2 else index[:2]
    return places[-2], places[-1]


KINDS: dict[str, Callable[[Question], Explanation]] = {
    "Activation": elementwise,
    "Add": adding,
    "AveragePooling1D": pooling,
    "AveragePooling2D": pooling,
    "BatchNormalization": normalization,
    "Conv1D": convolution,
    "Conv2D": convolution,
    "Dense": dense,
    "Dropout": passing,
    "ELU": elementwise,
    "Flatten": flatten,
    "GaussianDropout": passing,
    "GaussianNoise": passing,
    "GlobalAveragePooling1D": pooling_of_all,
    "GlobalAveragePooling2D": pooling_of_all,
    "GlobalMaxPooling1D": pooling_of_all,
    "GlobalMaxPooling2D": pooling_of_all,
    "LeakyReLU": elementwise,
    "MaxPooling1D": pooling,
    "MaxPooling2D": pooling,
    "ReLU": elementwise,
    "Softmax": elementwise,
    "SpatialDropout2D": passing,
}
