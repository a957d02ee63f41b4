"""Choices by comparisons with a number: as ONNX Runtime computes them, or refused."""

from itertools import product

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io import errors

from tests.support.graphs import graph, last, node, runtime

RNG = np.random.default_rng(0)
COMPARISONS = ["Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
# What is computed of x, with its slope and offset for the number k.
LINES = {
    "x": ([], lambda k: (1, 0)),
    "number": ([], lambda k: (0, k)),
    "Neg": (["x"], lambda k: (-1, 0)),
    "Mul": (["x", "k"], lambda k: (k, 0)),
    "Sub": (["x", "k"], lambda k: (1, -k)),
    "Sub from": (["k", "x"], lambda k: (-1, k)),
    "Add": (["k", "x"], lambda k: (1, k)),
}


def side(name, number, made):
    """Nodes and constants of a line, and its name."""
    inputs, _ = LINES[name]
    key = f"k{made}"
    nodes = (
        [node(name.split()[0], [key if i == "k" else i for i in inputs], made)] if inputs else []
    )
    return nodes, {key: np.float32(number)}, made if inputs else key if name == "number" else "x"


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_choice_by_a_number_is_right_or_refused(data):
    numbers = st.sampled_from([-1.5, -0.3, 0.0, 0.3, 0.5, 2.0])
    limit, first, second = data.draw(numbers), data.draw(numbers), data.draw(numbers)
    names = [data.draw(st.sampled_from(sorted(LINES))) for _ in range(2)]
    (a, ka, yes), (b, kb, no) = side(names[0], first, "a"), side(names[1], second, "b")
    inputs = ["x", "limit"] if data.draw(st.booleans()) else ["limit", "x"]
    compared = node(data.draw(st.sampled_from(COMPARISONS)), inputs, "c")
    nodes = [compared, *a, *b, node("Where", ["c", yes, no], "y")]
    shape = data.draw(st.sampled_from([(1, 60), (1, 3, 4, 5)]))
    made = graph(nodes, {"limit": np.float32(limit), **ka, **kb}, shape)
    x = np.round(RNG.normal(size=(3, *shape[1:])), 1).astype(np.float32)  # often the limit itself
    lines = [LINES[name][1](k) for name, k in zip(names, (first, second), strict=True)]
    known = all(not more or (slope and slope * limit == -more) for slope, more in lines)
    if not known or not any(slope for slope, _ in lines):
        with pytest.raises(errors.UnsupportedError, match="onnx Where 'Where of y': no choice"):
            nn.io.load(made)
        return
    model = nn.io.load(made)
    (expected,) = runtime(made, x)
    np.testing.assert_allclose(model.predict_on_batch(last(x)), last(expected), rtol=1e-6)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("turned", [False, True])
def test_hardshrink_and_softshrink_open(threshold, turned):
    """As PyTorch writes them, the constants after the comparisons that need them."""
    start = [node("Transpose", ["x"], "v", perm=[1, 0, 2] if turned else [0, 2, 1])]
    ends = [node("Transpose", ["z"], "y", perm=[1, 0, 2] if turned else [0, 2, 1])]
    compared = [node("Greater", ["v", "k"], "g"), node("Less", ["v", "less"], "l")]
    hard = [
        node("Cast", ["g"], "g2", to=9), node("Cast", ["l"], "l2", to=9),
        node("Or", ["g2", "l2"], "o"), node("Where", ["o", "v", "zero"], "z"),
    ]  # fmt: skip
    soft = [
        node("Sub", ["v", "k"], "s"), node("Where", ["g", "s", "zero"], "a"),
        node("Add", ["v", "k"], "t"), node("Where", ["l", "t", "zero"], "b"),
        node("Add", ["a", "b"], "z"),
    ]  # fmt: skip
    constants = {"k": np.float32(threshold), "less": np.float32(-threshold), "zero": np.float32(0)}
    for nodes in (hard, soft):
        data = graph([*start, *compared, *nodes, *ends], constants, (1, 4, 5))
        x = np.round(RNG.normal(size=(3, 4, 5)), 1).astype(np.float32)
        made = nn.io.load(data).predict_on_batch(x)
        np.testing.assert_allclose(made, runtime(data, x)[0], rtol=1e-6)


def test_two_limits_that_overlap_or_are_of_two_values_are_refused():
    for low, other in product((0.2, -0.2), ("x", "x2")):
        nodes = [
            node("Relu", ["x"], "x2"), node("Greater", ["x", "k"], "g"),
            node("Less", [other, "low"], "l"), node("Or", ["g", "l"], "o"),
            node("Where", ["o", "x", "zero"], "y"),
        ]  # fmt: skip
        constants = {"k": np.float32(0.1), "low": np.float32(low), "zero": np.float32(0)}
        data = graph(nodes, constants, (1, 6))
        if low < 0 and other == "x":
            nn.io.load(data)
            continue
        with pytest.raises(errors.UnsupportedError, match="onnx Where 'Where of y': no choice"):
            nn.io.load(data)
