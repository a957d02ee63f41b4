"""Graphs of a few nodes drawn at random, which ONNX Runtime computes too."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import nn
import numpy as np
from nn.errors import ShapeError
from nn.io import errors
from numpy.typing import NDArray

from tests.support.graphs import REFUSALS, graph, last, node, runtime

Array = NDArray[Any]
OPSETS = [7, 9, 10, 11, 13, 15, 17, 18, 20, 21, 23]
BATCH = 3
WHOLE = [1, 1, 2, 3]


@dataclass
class Drawing:
    """What is drawn so far.

    Attributes:
        rng: draws.
        opset: the version of the operators.
        values: the values by name, as ONNX Runtime computes them.
        constants: the constants by name.
        nodes: the nodes.
    """

    rng: np.random.Generator
    opset: int
    values: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)

    def one(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def chance(self, part: float) -> bool:
        return bool(self.rng.random() < part)

    def sizes(self, count: int, *choices: int) -> list[int]:
        return [int(self.one(*choices)) for _ in range(count)]

    def constant(self, array: Any, kind: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array, kind)
        return name

    def numbers(self, *shape: int) -> str:
        return self.constant(self.rng.normal(size=shape))

    def whole(self, *numbers: int) -> str:
        return self.constant(numbers, np.int64)

    def any_value(self) -> str:
        return str(self.one(*self.values))

    def axis(self, rank: int) -> int:
        """An axis, seldom the batch's, counted from either end."""
        axis = int(self.rng.integers(0 if self.chance(0.1) or rank == 1 else 1, rank))
        return axis - rank if self.opset >= 11 and self.chance(0.4) else axis

    def listed(
        self, operator: str, name: str, axes: list[int], inputs_from: int, **attributes: Any
    ) -> Any:
        """A node whose axes are an input from one version on, an attribute before."""
        if self.opset >= inputs_from:
            return node(operator, [name, self.whole(*axes)], "out", **attributes)
        return node(operator, [name], "out", axes=axes, **attributes)

    def places(self, count: int) -> dict[str, Any]:
        """Padding as a convolution or pool has it."""
        how = self.rng.random()
        if how < 0.4:
            return {"pads": self.sizes(2 * count, 0, 0, 1)}
        auto = self.one("SAME_UPPER", "SAME_LOWER", "VALID")
        return {"auto_pad": auto} if how < 0.6 else {}


def activation(d: Drawing, name: str, x: Array) -> Any:
    kind = d.one("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Exp", "Selu", "Elu",
                 "LeakyRelu", "Identity", "Neg", "Dropout", "Abs", "Sqrt", "Reciprocal",
                 "Log", *["Celu"] * (d.opset >= 12), *["Mish"] * (d.opset >= 18),
                 *["Gelu"] * (d.opset >= 20))  # fmt: skip
    alpha = {"alpha": 0.3} if kind in ("Elu", "LeakyRelu", "Celu") and d.chance(0.7) else {}
    more = {"approximate": d.one("none", "tanh")} if kind == "Gelu" else alpha
    return node(kind, [name], "out", **more)


def convolution(d: Drawing, name: str, x: Array) -> Any:
    window, channels = d.sizes(x.ndim - 2, *WHOLE), x.shape[1]
    options = d.places(len(window))
    if d.chance(0.5):
        options[d.one("strides", "dilations")] = d.sizes(len(window), 1, 2)
    if d.chance(0.5):
        filters = d.one(1, 2, 3)
        inputs = [name, d.numbers(channels, filters, *window), d.numbers(filters)]
        return node("ConvTranspose", inputs, "out", **options)
    groups = d.one(1, 1, channels)
    filters = groups * d.one(1, 2)
    inputs = [name, d.numbers(filters, channels // groups, *window)]
    return node(
        "Conv", [*inputs, d.numbers(filters)][: d.one(2, 3)], "out", group=groups, **options
    )


def pool(d: Drawing, name: str, x: Array) -> Any:
    count = x.ndim - 2
    if d.chance(0.3):
        return node(d.one("GlobalAveragePool", "GlobalMaxPool"), [name], "out")
    window = d.sizes(count, *WHOLE)
    options = d.places(count) | {"kernel_shape": window, "strides": d.sizes(count, 1, 2, 3)}
    if d.chance(0.3) and d.opset >= 10:
        options["ceil_mode"] = 1
    if d.chance(0.5):
        return node("AveragePool", [name], "out", count_include_pad=d.one(0, 1), **options)
    return node("MaxPool", [name], "out", **options)


def normalization(d: Drawing, name: str, x: Array) -> Any:
    if d.opset >= 17 and d.chance(0.5):
        axis = d.one(-1, -1, 1)
        inputs = [name, d.numbers(*x.shape[axis:]), d.numbers(*x.shape[axis:])]
        return node("LayerNormalization", inputs, "out", axis=axis)
    weights = [d.numbers(x.shape[1]) for _ in range(3)]
    variance = d.constant(0.1 + d.rng.random(x.shape[1]))
    return node("BatchNormalization", [name, *weights, variance], "out")


def reshape(d: Drawing, name: str, x: Array) -> Any:
    total = math.prod(x.shape[1:])
    one = d.one(*[n for n in range(1, total + 1) if total % n == 0])
    first = d.one(0, -1, -1, BATCH)
    rest = d.one([-1], [total], [one, total // one], [one, -1], [total, 1, 1], [one], [0, -1])
    return node("Reshape", [name, d.whole(first, *rest)], "out")


def axes(d: Drawing, name: str, x: Array) -> Any:
    if d.chance(0.3):
        return node("Flatten", [name], "out", axis=d.one(1, 1, 1, 0, 2, -1))
    if d.chance(0.4):
        order = [0, *(1 + d.rng.permutation(x.ndim - 1)).tolist()]
        return node("Transpose", [name], "out", perm=order)
    ones = [axis for axis, size in enumerate(x.shape) if size == 1]
    if ones and d.chance(0.6):
        return d.listed("Squeeze", name, [d.one(*ones)], 13)
    return d.listed("Unsqueeze", name, [d.axis(x.ndim + 1)], 13)


def part(d: Drawing, name: str, x: Array) -> Any:
    axis = d.axis(x.ndim)
    size = x.shape[axis]
    if d.chance(0.2):
        return split(d, name, axis, size)
    first = int(d.rng.integers(-size, size))
    if d.chance(0.4) and (d.opset >= 11 or first >= 0):
        several = [int(d.rng.integers(0, size)) for _ in range(d.one(2, 3))]
        index = d.one(first, [first], several)
        return node("Gather", [name, d.constant(index, np.int64)], "out", axis=axis)
    end = d.one(int(d.rng.integers(-size, size + 2)), 2**31 - 1)
    if d.opset < 10:
        return node("Slice", [name], "out", starts=[first], ends=[end], axes=[axis])
    numbers = (first, end, axis, d.one(1, 1, 2)) if d.chance(0.7) else (first, -(2**62), axis, -1)
    return node("Slice", [name, *map(d.whole, numbers)], "out")


def split(d: Drawing, name: str, axis: int, size: int) -> Any:
    """A node of two or three parts, of which another node may read any."""
    count = d.one(2, 3)
    outputs = [f"part{len(d.nodes)}_{i}" for i in range(count)]
    outputs[d.one(*range(count))] = "out"
    if d.opset >= 18 and d.chance(0.3):
        return node("Split", [name], outputs, axis=axis, num_outputs=count)
    ends = sorted(int(d.rng.integers(0, size + 1)) for _ in range(count - 1))
    sizes = [int(n) for n in np.diff([0, *ends, size])]
    even = {} if d.chance(0.3) else {"split": sizes}
    if d.opset < 13 or not even:
        return node("Split", [name], outputs, axis=axis, **even)
    return node("Split", [name, d.whole(*sizes)], outputs, axis=axis)


def together(d: Drawing, name: str, x: Array) -> Any:
    if d.chance(0.4):
        return node("Concat", [name, d.any_value()], "out", axis=d.axis(x.ndim))
    kind = d.one("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "MatMul")
    return node(kind, [name, d.any_value()], "out")


def with_constant(d: Drawing, name: str, x: Array) -> Any:
    kind = d.one("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu", "Pow")
    shape = [d.one(1, size) for size in x.shape[d.one(*range(x.ndim)) :]]
    shape = [1, *shape] if d.chance(0.1) else shape
    number = {"Max": d.one(0.0, 1.0, None), "Pow": d.one(1.0, 2.0, 3.0, -1.0, 0.5)}.get(kind)
    made = (
        d.rng.normal(size=shape) + 3 * (kind == "Div") if number is None else np.full(shape, number)
    )
    inputs = [name, d.constant(made)]
    return node(kind, inputs if kind in ("PRelu", "Pow") or d.chance(0.7) else inputs[::-1], "out")


def product(d: Drawing, name: str, x: Array) -> Any:
    units = d.one(1, 2, 4)
    alike = [n for n, v in d.values.items() if v.ndim > 2 and v.shape[:-2] == x.shape[:-2]]
    fits = [n for n in alike if d.values[n].shape[-2] == x.shape[-1]]
    if fits and d.chance(0.5):
        return node("MatMul", [name, d.one(*fits)], "out")
    if x.ndim > 2 or d.chance(0.3):
        return node("MatMul", [name, d.numbers(*[1] * d.one(0, 0, 1), x.shape[-1], units)], "out")
    turned = d.one(0, 1)
    kernel = d.numbers(*((units, x.shape[1]) if turned else (x.shape[1], units)))
    bias = d.numbers(*d.one((units,), (1, units), (), (1,), (BATCH, 1), (1, 1)))
    return node("Gemm", [name, kernel, bias], "out", transB=turned, alpha=0.5, beta=2.0)


def reduction(d: Drawing, name: str, x: Array) -> Any:
    if d.chance(0.4):
        axis = {} if d.chance(0.3) else {"axis": d.axis(x.ndim)}
        return node(d.one("Softmax", "LogSoftmax"), [name], "out", **axis)
    kind = d.one("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2",
                 "ReduceSumSquare")  # fmt: skip
    over = sorted({d.axis(x.ndim) for _ in range(2)})
    return d.listed(kind, name, over, 13 if kind == "ReduceSum" else 18, keepdims=d.one(0, 1))


def padded(d: Drawing, name: str, x: Array) -> Any:
    pads = [0] * (2 * x.ndim)
    for _ in range(d.one(1, 1, 2, 3)):
        pads[d.rng.integers(len(pads))] = d.one(1, 1, 2, -1)
    mode = d.one("constant", "constant", "edge", "reflect", *["wrap"] * (d.opset >= 19))
    value = d.one(None, 0.0, -1.5) if mode == "constant" else None
    if d.opset < 11:
        more = {} if value is None else {"value": value}
        return node("Pad", [name], "out", pads=pads, mode=mode, **more)
    inputs = [name, d.whole(*pads), *([] if value is None else [d.constant(value)])]
    return node("Pad", inputs, "out", mode=mode)


def repeated(d: Drawing, name: str, x: Array) -> Any:
    if x.ndim == 4 and d.chance(0.4):
        mode = {"mode": d.one("DCR", "CRD")} if d.opset >= 11 else {}
        deep = x.shape[1] % 4 == 0
        return node("DepthToSpace" if deep else "SpaceToDepth", [name], "out", blocksize=2,
                    **(mode if deep else {}))  # fmt: skip
    if d.chance(0.5):
        return node("Tile", [name, d.whole(1, *d.sizes(x.ndim - 1, 1, 1, 2, 3))], "out")
    shape = [d.one(1, size if size > 1 else 4) for size in x.shape[1:]]
    return node("Expand", [name, d.whole(*d.one((1, *shape), shape))], "out")


def other(d: Drawing, name: str, x: Array) -> Any:
    if d.chance(0.4):
        return d.one(padded, repeated)(d, name, x)
    if x.ndim == 4 and d.opset >= 13 and d.chance(0.5):
        scales = d.constant([1, 1, d.one(1, 2, 3, 0.5), d.one(1, 2)])
        how = d.one({"mode": "nearest"}, {"mode": "linear"}, {"mode": "cubic"},
                    {"mode": "nearest", "coordinate_transformation_mode": "asymmetric",
                     "nearest_mode": "floor"})  # fmt: skip
        return node("Resize", [name, "", scales], "out", **how)
    low, high = d.one((0.0, 6.0), (0.0, 1.0), (-1.0, 1.0))
    if d.opset < 11:
        return node("Clip", [name], "out", min=low, max=high)
    return node("Clip", [name, d.constant(low), d.constant(high)], "out")


Kind = Callable[[Drawing, str, Array], Any]
OF_VALUES: list[Kind] = [
    activation,
    reshape,
    axes,
    part,
    together,
    with_constant,
    product,
    reduction,
    other,
]
OF_IMAGES: list[Kind] = [convolution, pool, normalization]


def drawn(seed: int) -> tuple[bytes, Drawing] | None:
    """A graph with what ONNX Runtime gives for it, None if no node could be drawn."""
    rng = np.random.default_rng(seed)
    d = Drawing(rng, int(rng.choice(OPSETS)))
    shape = [BATCH, *d.sizes(d.one(1, 2, 3, 3, 4), *range(1, 7))]
    d.values["x"] = rng.normal(size=shape).astype(np.float32)
    for number in range(d.one(1, 2, 3, 4)):
        name = list(d.values)[-1]
        x = d.values[name]
        kinds = [*OF_VALUES, *(OF_IMAGES * 2 if x.ndim > 2 else [])] if x.ndim > 1 else [activation]
        made = d.one(*kinds)(d, name, x)
        own = [*made.output].index("out")
        made.output[own], made.name = f"v{number}", f"{made.op_type} of v{number}"
        try:
            [value] = runtime(bytes_of(d, [*d.nodes, made], shape), d.values["x"])
        except REFUSALS:
            continue
        if value.size and value.size < 3000 and np.all(np.isfinite(value)):
            d.nodes.append(made)
            d.values[made.output[own]] = value
    return (bytes_of(d, d.nodes, shape), d) if d.nodes else None


def bytes_of(d: Drawing, nodes: Sequence[Any], shape: Sequence[int | str]) -> bytes:
    used = {name for each in nodes for name in each.input}
    constants = {name: array for name, array in d.constants.items() if name in used}
    output = next(name for name in nodes[-1].output if name.startswith("v"))
    return graph(nodes, constants, shape, d.opset, output=output)


def own_order(d: Drawing) -> bool:
    """Whether the graph moves the channels of images itself, so that its order stays."""
    moves = [[*each.attribute[0].ints] for each in d.nodes if each.op_type == "Transpose"]
    return [0, 2, 3, 1] in moves or [0, 3, 1, 2] in moves


def check(data: bytes, d: Drawing) -> Exception | None:
    """Compare a graph with ONNX Runtime; return the error if it is refused, then or with inputs."""
    x, expected = d.values["x"], list(d.values.values())[-1]
    said = [f"{each.op_type}{[*each.input]}" for each in d.nodes]
    try:
        model = nn.io.load(data)
    except errors.FormatError as error:
        return error
    turned = own_order(d)
    moves = [[*a.ints] for each in d.nodes if "x" in each.input for a in each.attribute]
    own = all(each.op_type == "Transpose" for each in d.nodes if "x" in each.input)
    own = own and all(move == [0, 3, 1, 2] for move in moves)
    try:
        received = model.predict_on_batch(x if own else last(x))
    except ShapeError as error:  # of sizes that the graph does not say
        return error
    orders = [last(expected), expected] if turned else [last(expected)]
    # The batch is the first axis, wherever the graph has it.
    if any(each.op_type in ("Flatten", "Unsqueeze") for each in d.nodes):
        orders += [np.moveaxis(expected, axis, 0) for axis in range(1, expected.ndim)]
    assert any(
        received.shape == order.shape and np.allclose(received, order, rtol=1e-3, atol=1e-4)
        for order in orders
    ), (said, received.shape, expected.shape)
    return None


def examine(seed: int) -> str:
    """Draw a graph and compare what nn reads with ONNX Runtime; return "read" or "refused".

    Raises:
        AssertionError: nn computes something else, or calls the graph damaged.
    """
    made = drawn(seed)
    error = made and check(*made)
    if error and not isinstance(error, errors.UnsupportedError):
        # ONNX Runtime pools a window that is longer than its axis.
        assert "does not fit into an axis" in str(error), error
    return "refused" if error else "read"


def examine_unknown_sizes(seed: int) -> str:
    """The same of a graph that does not say some of its sizes."""
    rng = np.random.default_rng(seed)
    made = drawn(seed)
    if made is None:
        return "read"
    _, d = made
    sizes = d.values["x"].shape
    kept = 1 if len(sizes) > 3 else len(sizes) - 1  # the channels
    shape = [n if i in (0, kept) or rng.random() < 0.4 else f"size{i}" for i, n in enumerate(sizes)]
    error = check(bytes_of(d, d.nodes, shape), d)
    if isinstance(error, errors.CorruptError):
        assert "does not fit into an axis" in str(error), error
    return "refused" if error else "read"
