"""Graphs drawn at random whose batch moves among the axes and becomes one axis with others.

Each axis is a list of parts. What a node does to them is known, so that the last nodes can take all
parts apart and put the batch in front again.
"""

import math
from collections.abc import Callable
from typing import Any

import nn
import numpy as np
import onnx
from nn.io import errors
from numpy.typing import NDArray

from tests.support.graphs import graph, node, runtime

Array = NDArray[Any]
BATCH = 0  # the part whose size is unknown
Axis = list[int]


class Turns:
    """A graph so far.

    Attributes:
        rng: draws.
        alone: whether all shapes state a batch of 1.
        sizes: the size of each part; the batch's, the first, is 1.
        axes: for each axis of the last value its parts.
        nodes: the nodes.
        constants: arrays by name.
    """

    def __init__(self, seed: int, alone: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.alone = alone
        self.sizes: list[int] = [1]
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        # Not of four axes: those are images, whose channels nn moves.
        shape = self.rng.integers(2, 7, size=self.one(1, 2, 2, 4)).tolist()
        self.shape = ["n", *shape]
        self.axes: list[Axis] = [[BATCH], *([self.part(size)] for size in shape)]
        self.name = "x"

    def part(self, size: int) -> int:
        self.sizes.append(size)
        return len(self.sizes) - 1

    def size(self, axis: Axis) -> int:
        """The size of an axis; -1 if the batch is in it, and its size is not stated."""
        unknown = BATCH in axis and not self.alone
        return -1 if unknown else math.prod(self.sizes[part] for part in axis)

    def one(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def inner(self) -> list[int]:
        """The places of axes without the batch."""
        return [at for at, axis in enumerate(self.axes) if BATCH not in axis]

    def constant(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def numbers(self, *shape: int) -> str:
        return self.constant(self.rng.normal(size=shape).astype(np.float32))

    def add(self, operator: str, *more: str, first: str = "", **attributes: Any) -> str:
        """Add a node that takes the last value, unless another is given first."""
        made = f"v{len(self.nodes)}"
        self.nodes.append(node(operator, [first or self.name, *more], made, **attributes))
        self.name = made
        return made

    def reshape(self, axes: list[Axis]) -> None:
        self.axes = axes
        sizes = [self.size(axis) for axis in axes]
        if self.alone and self.one(True, False):
            sizes[self.rng.integers(len(sizes))] = -1
        self.add("Reshape", self.constant(sizes))

    # What a node does.

    def turn(self) -> None:
        perm = self.rng.permutation(len(self.axes)).tolist()
        self.axes = [self.axes[at] for at in perm]
        self.add("Transpose", perm=perm)

    def join(self) -> None:
        if len(self.axes) > 1:
            at = int(self.rng.integers(len(self.axes) - 1))
            both = [*self.axes[at], *self.axes[at + 1]]
            self.reshape([*self.axes[:at], both, *self.axes[at + 2 :]])

    def apart(self) -> None:
        at = int(self.rng.integers(len(self.axes)))
        axis = self.axes[at]
        if len(axis) > 1:
            cut = int(self.rng.integers(1, len(axis)))
            halves = [axis[:cut], axis[cut:]]
        elif axis and axis != [BATCH] and self.sizes[axis[0]] in (4, 6):
            halves = [[self.part(2)], [self.part(self.sizes[axis[0]] // 2)]]
        else:
            return
        self.reshape([*self.axes[:at], *halves, *self.axes[at + 1 :]])

    def flatten(self) -> None:
        at = int(self.rng.integers(len(self.axes) + 1))
        sides = self.axes[:at], self.axes[at:]
        self.axes = [[part for axis in side for part in axis] for side in sides]
        self.add("Flatten", axis=at)

    def activation(self) -> None:
        self.add(self.one("Relu", "Tanh", "Sigmoid", "Neg", "Identity", "Softplus"))

    def with_constant(self) -> None:
        shape = [self.one(1, self.size(a)) if BATCH not in a else 1 for a in self.axes]
        first = int(self.rng.integers(len(shape)))
        self.add(self.one("Add", "Mul", "Sub", "Max"), self.numbers(*shape[first:]))

    def with_itself(self) -> None:
        before = self.name
        self.activation()
        self.add(self.one("Add", "Mul", "Sub", "Max"), before)

    def softmax(self) -> None:
        if self.inner():
            self.add(self.one("Softmax", "LogSoftmax"), axis=self.one(*self.inner()))

    def normalize(self) -> None:
        if self.axes and BATCH not in self.axes[-1]:
            numbers = [self.numbers(self.size(self.axes[-1])) for _ in range(2)]
            # By the default, 1e-5, two numbers that are alike show their rounding 300 times larger:
            # there ONNX Runtime is 1e-3 from ONNX's own reference.
            self.add("LayerNormalization", *numbers, axis=-1, epsilon=0.01)

    def product(self) -> None:
        if len(self.axes) > 1 and BATCH not in self.axes[-1]:
            units = self.one(1, 3, 4)
            self.add("MatMul", self.numbers(self.size(self.axes[-1]), units))
            self.axes[-1] = [self.part(units)]

    def attention(self) -> None:
        if len(self.axes) > 2 and BATCH not in (*self.axes[-1], *self.axes[-2]):
            before, rank = self.name, len(self.axes)
            turned = self.add("Transpose", perm=[*range(rank - 2), rank - 1, rank - 2])
            self.add("MatMul", turned, first=before)
            self.axes[-1] = [self.part(self.size(self.axes[-2]))]

    def einsum(self) -> None:
        """A sum of products with an array, or with the value itself."""
        own = "abcdef"[: len(self.axes)]
        taken = [at for at in self.inner() if self.one(True, False)]
        summed = [at for at in taken if self.one(True, False)]
        if not taken:
            return
        parts = dict(zip(own, self.axes, strict=True))
        if self.one(True, False):
            units = self.one(1, 3)
            other = "".join(own[at] for at in self.rng.permutation(taken)) + "z"
            parts["z"] = [self.part(units)]
            with_it = self.numbers(*(self.size(parts[letter]) for letter in other))
        else:
            at = self.one(*taken)
            other, with_it = own.replace(own[at], "z"), self.name
            parts["z"] = [self.part(self.size(parts[own[at]]))]
            summed = [place for place in summed if place != at]
        left = [letter for at, letter in enumerate(own) if at not in summed] + ["z"]
        made = "".join(left[at] for at in self.rng.permutation(len(left)))
        self.add("Einsum", with_it, equation=f"{own},{other}->{made}")
        self.axes = [parts[letter] for letter in made]

    def reduce(self) -> None:
        if len(self.inner()) > 1:
            at, kept = self.one(*self.inner()), self.one(0, 1)
            self.add(self.one("ReduceMean", "ReduceMax"), axes=[at], keepdims=kept)
            self.axes[at : at + 1] = [[]] * kept

    def slice(self) -> None:
        at = self.one(*self.inner(), None)
        if at is not None and self.size(self.axes[at]) > 1:
            ends = [self.constant([n]) for n in (1, 2**31 - 1, at)]
            self.add("Slice", *ends)
            self.axes[at] = [self.part(self.size(self.axes[at]) - 1)]

    def gather(self) -> None:
        if len(self.inner()) > 1:
            at = self.one(*self.inner())
            size = self.size(self.axes[at])
            index = self.rng.integers(-size, size, size=self.one((), 1, 3, (2, 2), (2, 3)))
            if index.ndim == 2 and self.one(True, False):  # as of windows that overlap
                index = np.add.outer(np.arange(index.shape[0]), np.arange(index.shape[1])) % size
            self.add("Gather", self.constant(index), axis=at)
            self.axes[at : at + 1] = [[self.part(count)] for count in index.shape]

    def split(self) -> None:
        at = self.one(*self.inner(), None)
        if at is not None and self.size(self.axes[at]) % 2 == 0:
            half = self.size(self.axes[at]) // 2
            outputs = [f"v{len(self.nodes)}", f"w{len(self.nodes)}"]
            parts = self.constant([half, half])
            self.nodes.append(node("Split", [self.name, parts], outputs, axis=at))
            self.axes[at] = [self.part(2), self.part(half)]
            self.name = outputs[0]
            self.add("Concat", outputs[0], first=outputs[1], axis=at)

    def one_more(self) -> None:
        at = int(self.rng.integers(len(self.axes) + 1))
        self.add("Unsqueeze", self.constant([at]))
        self.axes.insert(at, [])
        if self.one(True, False):
            target = [1] * len(self.axes)
            target[at] = 2
            self.add("Expand", self.constant(target))
            self.axes[at] = [self.part(2)]

    def convolution(self) -> None:
        if len(self.axes) in (3, 4) and BATCH in self.axes[0]:
            window = [1] * (len(self.axes) - 3) + [3]
            pads = [*([0] * (len(window) - 1)), 1] * 2
            kernel = self.numbers(2, self.size(self.axes[1]), *window)
            self.add("Conv", kernel, pads=pads)
            self.axes[1] = [self.part(2)]

    def back(self) -> None:
        """Take all parts apart, put the batch in front, and make rows of the rest."""
        self.reshape([[part] for axis in self.axes for part in axis])
        places = [axis[0] for axis in self.axes]
        at = places.index(BATCH)
        rest = [place for place in range(len(places)) if place != at]
        perm = [at, *self.rng.permutation(rest).tolist()]
        self.add("Transpose", perm=perm)
        self.add("Reshape", self.constant([0, -1]))


MOVES: list[Callable[[Turns], None]] = [
    Turns.turn, Turns.turn, Turns.join, Turns.join, Turns.apart, Turns.apart, Turns.flatten,
    Turns.activation, Turns.with_constant, Turns.with_itself, Turns.softmax, Turns.normalize,
    Turns.product, Turns.attention, Turns.einsum, Turns.reduce, Turns.slice, Turns.gather,
    Turns.split, Turns.one_more, Turns.convolution,
]  # fmt: skip
MOST = 20_000  # elements of a sample


def drawn(seed: int, alone: bool = False) -> tuple[bytes, list[Any]]:
    turns = Turns(seed, alone)
    for _ in range(turns.rng.integers(2, 9)):
        if math.prod(turns.sizes) < MOST and len(turns.axes) < 6:
            turns.one(*MOVES)(turns)
    turns.back()
    data = graph(turns.nodes, turns.constants, turns.shape, 17, output=turns.name)
    if alone:
        model = onnx.load_from_string(data)
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
        data = model.SerializeToString()
    return data, turns.shape


def examine_turns(seed: int) -> str:
    """Compare a graph with ONNX Runtime for two batches; return "read".

    Raises:
        AssertionError: nn computes something else.
        FormatError: nn refuses it.
    """
    data, shape = drawn(seed)
    model = nn.io.load(data)
    for count in (1, 3):
        x = np.random.default_rng(seed).normal(size=[count, *shape[1:]]).astype(np.float32)
        [expected] = runtime(data, x)
        received = model.predict_on_batch(x)
        np.testing.assert_allclose(received, expected, rtol=2e-4, atol=2e-4, err_msg=str(seed))
    return "read"


def examine_turns_of_one(seed: int) -> str:
    """The same of a graph that states a batch of 1 everywhere, which may be any here.

    Returns:
        "read", or "refused" where it says too little of which axis is the batch's.
    """
    data, shape = drawn(seed, alone=True)
    try:
        model = nn.io.load(data)
    except errors.UnsupportedError:
        return "refused"
    rng = np.random.default_rng(seed)
    several = rng.normal(size=[3, *shape[1:]]).astype(np.float32)
    single = [runtime(data, several[at : at + 1])[0] for at in range(3)]
    for x, expected in ((several[:1], single[0]), (several, np.concatenate(single))):
        received = model.predict_on_batch(x)
        np.testing.assert_allclose(received, expected, rtol=2e-4, atol=2e-4, err_msg=str(seed))
    return "read"
