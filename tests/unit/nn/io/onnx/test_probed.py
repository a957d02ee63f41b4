"""Arrays that a graph makes for each sample: their samples may be in any axis."""

from itertools import product

import nn
import numpy as np
import pytest
from nn.io import errors

from tests.support.graphs import REFUSALS, graph, node, runtime

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def with_samples_in(shape, at, name, made):
    """Nodes that repeat an array for the samples of x, in one of its axes."""
    sizes = [f"{name}{n}" for n in range(len(shape))]
    constants = {size: np.array([n]) for size, n in zip(sizes, shape, strict=True)}
    nodes = [
        node("Shape", ["x"], f"{name} all"),
        node("Slice", [f"{name} all", "zero", "one"], f"{name} count"),
        node("Concat", [*sizes[:at], f"{name} count", *sizes[at + 1 :]], f"{name} to", axis=0),
        node("Expand", [name, f"{name} to"], made),
    ]
    del constants[sizes[at]]
    return nodes, constants | {"zero": np.array([0]), "one": np.array([1])}


def test_a_recurrent_layer_that_is_unrolled_from_zeros_opens():
    """As PyTorch 2.13 writes nn.RNN with the batch first."""
    nodes, constants = with_samples_in((1, 1, 4), 1, "nothing", "zeros")
    nodes += [node("Slice", ["zeros", "zero", "one", "zero"], "part"),
              node("Squeeze", ["part", "zero"], "state"),
              node("Transpose", ["x"], "t", perm=[1, 0, 2]), node("MatMul", ["t", "w"], "inner"),
              node("Unsqueeze", ["state", "zero"], "h0")]  # fmt: skip
    for step in range(3):
        nodes += [
            node("Gather", ["inner", f"step{step}"], f"i{step}", axis=0),
            node("MatMul", [f"h{step}", "r"], f"m{step}"),
            node("Add", [f"m{step}", "b"], f"n{step}"),
            node("Add", [f"n{step}", f"i{step}"], f"s{step}"),
            node("Tanh", [f"s{step}"], f"h{step + 1}"),
        ]
        constants[f"step{step}"] = np.array(step)
    nodes += [node("Concat", ["h1", "h2", "h3"], "all", axis=0),
              node("Transpose", ["all"], "y", perm=[1, 0, 2])]  # fmt: skip
    constants |= {"nothing": np.float32(0), "w": random(6, 4), "r": random(4, 4), "b": random(4)}
    data, x = graph(nodes, constants, (1, 3, 6)), random(5, 3, 6)
    made = nn.io.load(data).predict_on_batch(x)
    np.testing.assert_allclose(made, runtime(data, x)[0], rtol=1e-5, atol=1e-6)


# The axes of a value (n, 3, 4), and of an array for each sample.
ORDERS = {"n34": [0, 1, 2], "3n4": [1, 0, 2], "34n": [1, 2, 0]}
ARRAYS = [(shape, at) for shape in ((1, 3, 4), (3, 1, 4), (3, 4, 1), (1, 1, 4), (1, 4), (4, 1))
          for at in range(len(shape)) if shape[at] == 1]  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("shape", "at"), ARRAYS, ids=str)
def test_arrays_of_samples_meet_a_value_by_their_axes_or_are_refused(order, shape, at):
    perm = ORDERS[order]
    for operator, first in product(("Add", "Sub"), (0, 1)):
        nodes, constants = with_samples_in(shape, at, "a", "b")
        inputs = ["b", "v"] if first else ["v", "b"]
        nodes += [node("Transpose", ["x"], "v", perm=perm), node(operator, inputs, "s"),
                  node("Transpose", ["s"], "y", perm=np.argsort(perm).tolist())]  # fmt: skip
        data = graph(nodes, constants | {"a": random(*shape)}, (1, 3, 4))
        try:
            model = nn.io.load(data)
        except errors.UnsupportedError:
            fits = at - len(shape) == perm.index(0) - 3
            assert not (fits and len(shape) == 3)
            continue
        for count in (1, 2, 5):
            x = random(count, 3, 4)
            try:
                (expected,) = runtime(data, x)
            except REFUSALS:
                continue
            np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=1e-5, atol=1e-6)


def test_a_shape_of_another_number_of_samples_is_refused_and_no_damage():
    nodes, constants = with_samples_in((1, 2, 4), 0, "a", "b")
    nodes += [node("Reshape", ["b", "to"], "r"), node("Concat", ["x", "r"], "y", axis=1)]
    constants |= {"a": np.float32(1), "to": np.array([1, 2, 4])}
    with pytest.raises(errors.UnsupportedError, match=r"onnx Reshape .*: of 2 samples"):
        nn.io.load(graph(nodes, constants, (1, 3, 4)))
