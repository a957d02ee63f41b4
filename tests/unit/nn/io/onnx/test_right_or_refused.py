"""What a graph says is computed as ONNX Runtime does, or refused by operator and node."""

import re

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io import errors
from onnx import TensorProto

from tests.support.graphs import REFUSALS, graph, last, node, runtime

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def expected_of(data, *inputs):
    """What ONNX Runtime gives, None where it refuses the graph."""
    try:
        return runtime(data, *inputs)
    except REFUSALS:
        return None


def assert_right_or_refused(data, *inputs):
    """Compare with ONNX Runtime; return the error if the graph is refused."""
    expected = expected_of(data, *inputs)
    try:
        model = nn.io.load(data)
    except errors.FormatError as error:
        return error
    given = [last(x) for x in inputs]
    made = model.predict_on_batch(given if len(given) > 1 else given[0])
    assert expected is not None, "ONNX Runtime refuses it"
    for wanted, received in zip(expected, made if len(expected) > 1 else [made], strict=True):
        np.testing.assert_allclose(received, last(wanted), rtol=1e-4, atol=1e-5)
    return None


# Constants of any shape.

SIZES = {2: (6,), 3: (4, 6), 4: (2, 3, 6)}  # after the batch's
USES = {
    "Add": lambda c: ([node("Add", ["x", "c"], "y")], {}),
    "Sub": lambda c: ([node("Sub", ["c", "x"], "y")], {}),
    "Mul": lambda c: ([node("Mul", ["c", "x"], "y")], {}),
    "Div": lambda c: ([node("Div", ["x", "c"], "y")], {}),
    "Max": lambda c: ([node("Max", ["x", "c"], "y")], {}),
    "Pow": lambda c: ([node("Pow", ["x", "c"], "y")], {}),
    "PRelu": lambda c: ([node("PRelu", ["x", "c"], "y")], {}),
    "MatMul": lambda c: ([node("MatMul", ["x", "c"], "y")], {}),
    "MatMul and Add": lambda c: (
        [node("MatMul", ["x", "k"], "m"), node("Add", ["m", "c"], "y")],
        {"k": random(6, 6)},
    ),
    "MatMul, Reshape and Add": lambda c: (
        [
            node("MatMul", ["x", "k"], "m"),
            node("Reshape", ["m", "to"], "r"),
            node("Add", ["r", "c"], "y"),
        ],
        {"k": random(6, 6), "to": np.array([-1, 1, 6])},
    ),
    "Gemm": lambda c: ([node("Gemm", ["x", "k", "c"], "y", beta=0.5)], {"k": random(6, 6)}),
}


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(sorted(USES)), st.sampled_from(sorted(SIZES)), st.data())
def test_constants_of_any_shape_meet_a_value_as_in_onnx_runtime(use, rank, data):
    rank = 2 if use == "Gemm" else rank
    inner = SIZES[rank]
    # Each axis has size 1, the value's, or another; there may be more axes than the value has.
    count = data.draw(st.integers(0, rank + 1))
    sizes = [1, 1, *inner][len(inner) + 2 - count :]
    shape = [data.draw(st.sampled_from([1, size, size, 5])) for size in sizes]
    if use.startswith("MatMul") and len(shape) > 1 and data.draw(st.booleans()):
        shape[-2] = 6  # often a matrix of the right size
    number = {"Max": 0.0, "Pow": 2.0}.get(use)
    constant = random(*shape) if number is None else np.full(shape, number, np.float32)
    nodes, more = USES[use](constant)
    made = graph(nodes, {"c": constant, **more}, (1, *inner))
    error = assert_right_or_refused(made, random(3, *inner))
    if error:
        assert re.match(r"onnx \w+ '", str(error))
    elif use in ("Add", "Sub", "Mul", "Div"):
        assert len(shape) <= rank
    # What leaves the value's shape as it is, is never refused.
    ones = (1, *inner)[1 + len(inner) - len(shape) :] if len(shape) <= rank else ()
    fits = len(shape) <= rank and all(n in (1, s) for n, s in zip(shape, ones, strict=True))
    if use in ("Add", "Sub", "Mul", "Div", "PRelu") and fits:
        assert error is None


# Integers.

INTEGERS = {
    "int64": TensorProto.INT64, "int32": TensorProto.INT32, "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8, "bool": TensorProto.BOOL,
}  # fmt: skip
OF_INTEGERS = {
    "Add": [node("Add", ["x", "c"], "i")],
    "Sub": [node("Sub", ["c", "x"], "i")],
    "Mul": [node("Mul", ["x", "x"], "i")],
    "Div": [node("Div", ["x", "c"], "i")],
    "Div of values": [node("Div", ["x", "x"], "i")],
    "Div after Add": [node("Add", ["x", "x"], "a"), node("Div", ["a", "c"], "i")],
    "Div after a cast": [
        node("Cast", ["x"], "a", to=TensorProto.INT32),
        node("Cast", ["c"], "b", to=TensorProto.INT32),
        node("Div", ["a", "b"], "i"),
    ],
    "Div after Identity": [node("Identity", ["x"], "a"), node("Div", ["a", "c"], "i")],
    "ReduceMean": [node("ReduceMean", ["x"], "i", axes=[1])],
    "ReduceSum": [node("ReduceSum", ["x", "axis"], "i")],
    "ReduceMax": [node("ReduceMax", ["x"], "i", axes=[1])],
    "Pow": [node("Pow", ["x", "c"], "i")],
    "Neg": [node("Neg", ["x"], "i")],
    "Mean": [node("Mean", ["x", "x"], "i")],
    "Max": [node("Max", ["x", "x"], "i")],
    "Concat": [node("Concat", ["x", "x"], "i", axis=1)],
    "Cast": [node("Cast", ["x"], "i", to=TensorProto.UINT8)],
    "Transpose": [node("Transpose", ["x"], "i", perm=[0, 2, 1])],
    "Flatten": [node("Flatten", ["x"], "i")],
    "Gather": [node("Gather", ["x", "one"], "i", axis=1)],
    "Slice": [node("Slice", ["x", "axis", "many", "axis"], "i")],
}


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize("name", OF_INTEGERS)
def test_integers_are_computed_as_integers_or_refused(name, kind):
    nodes = [*OF_INTEGERS[name], node("Cast", ["i"], "y", to=TensorProto.FLOAT)]
    used = {name for each in nodes for name in each.input}
    constants = {
        "c": np.array([3, 2, 7, 2], kind), "axis": np.array([1]), "one": np.array(1),
        "many": np.array([9]),
    }  # fmt: skip
    constants = {name: array for name, array in constants.items() if name in used}
    made = graph(nodes, constants, (1, 3, 4), kind=INTEGERS[kind])
    low = 0 if kind in ("uint8", "bool") else -100
    x = RNG.integers(low, 2 if kind == "bool" else 127, (5, 3, 4)).astype(kind)
    error = assert_right_or_refused(made, x)
    if kind in ("int32", "int64") and name in ("Add", "Concat", "Transpose", "Flatten", "Gather"):
        assert error is None


# Outputs and nodes that must not get lost.


def test_an_inner_value_of_gelu_that_is_an_output_is_not_taken_for_another():
    nodes = [
        node("Div", ["x", "root"], "d"),
        node("Erf", ["d"], "e"),
        node("Add", ["e", "one"], "a"),
        node("Mul", ["x", "a"], "m"),
        node("Mul", ["m", "half"], "y"),
    ]
    constants = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    for name in ["", "d", "e", "a", "m"]:
        beside = [(name, TensorProto.FLOAT)] if name else []
        made = graph(nodes, constants, (1, 6), beside=beside)
        error = assert_right_or_refused(made, random(3, 6))
        assert (error is not None) == (name in ("e", "a", "m"))


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (node("ArgMax", ["x"], "also", axis=1), TensorProto.INT64),
        (node("Dropout", ["x"], ["d", "also"]), TensorProto.BOOL),
        (node("Greater", ["x", "c"], "also"), TensorProto.BOOL),
    ],
)
def test_an_output_that_cannot_be_computed_is_refused_and_not_left_out(made, kind):
    nodes = [made, node("Relu", ["x"], "y")]
    data = graph(nodes, {"c": random(6)}, (1, 6), beside=[("also", kind)])
    with pytest.raises(errors.FormatError, match=r"also|ArgMax|Greater"):
        nn.io.load(data)


@pytest.mark.parametrize("training", [None, False, True])
def test_a_dropout_that_drops_in_prediction_is_refused(training):
    constants = {"r": np.float32(0.4)} | ({} if training is None else {"t": np.array(training)})
    names = ["x", *constants]
    data = graph([node("Dropout", names, "y")], constants, (1, 6))
    if training:
        with pytest.raises(errors.UnsupportedError, match="training_mode=False"):
            nn.io.load(data)
    else:
        assert assert_right_or_refused(data, random(3, 6)) is None


@pytest.mark.parametrize("opset", range(1, 31))
def test_only_versions_whose_operators_are_known_are_read(opset):
    data = graph([node("Relu", ["x"], "y")], {}, (1, 6), opset)
    if 7 <= opset <= 28:
        x = random(3, 6)
        np.testing.assert_array_equal(nn.io.load(data).predict_on_batch(x), np.maximum(x, 0))
    else:
        with pytest.raises(errors.UnsupportedError, match=f"opset 7 to 28, received {opset}"):
            nn.io.load(data)


def test_inputs_whose_names_differ_in_a_slash_alone_are_both_taken():
    names = ("a/b", "a_b", "a_b_1", "a//b", "a/_b")
    data = graph([node("Sum", [*names], "y")], {}, (1, 6), entries=names)
    model = nn.io.load(data)
    assert len({each.node.layer.name for each in model.inputs}) == len(names)
    assert assert_right_or_refused(data, *(random(3, 6) for _ in names)) is None


WRONG = {
    "Gemm": [node("Gemm", ["x", "k", "c"], "y")],
    "PRelu": [node("PRelu", ["x", "c"], "y")],
    "BatchNormalization": [node("BatchNormalization", ["x", "c", "c", "c", "c"], "y")],
    "LayerNormalization": [node("LayerNormalization", ["x", "c", "c"], "y")],
    "Clip": [node("Clip", ["x", "c", "c"], "y")],
    "Concat": [node("Add", ["c", "c"], "d"), node("Concat", ["d", "k"], "e"),
               node("Add", ["x", "e"], "y")],
    "Reshape": [node("Reshape", ["c", "to"], "d"), node("Add", ["x", "d"], "y")],
    "Squeeze": [node("Squeeze", ["k", "to"], "d"), node("Add", ["x", "d"], "y")],
    "Div": [node("Shape", ["x"], "s"), node("Div", ["s", "none"], "t"),
            node("Reshape", ["x", "t"], "y")],
}  # fmt: skip


@pytest.mark.parametrize("operator", WRONG)
def test_a_constant_of_the_wrong_shape_is_refused_by_operator_and_node(operator):
    constants = {"k": random(6, 6), "c": random(4, 3), "to": np.array([5]), "none": np.array([0])}
    used = {name for each in WRONG[operator] for name in each.input}
    data = graph(WRONG[operator], {n: c for n, c in constants.items() if n in used}, (1, 6))
    with pytest.raises(errors.FormatError, match=f"onnx {operator} '{operator} of "):
        nn.io.load(data)


# Graphs of many nodes.


def chain(operator, count, *more, **attributes):
    names = ["x", *(f"v{i}" for i in range(1, count)), "y"]
    return [node(operator, [names[i], *more], names[i + 1], **attributes) for i in range(count)]


def test_one_constant_that_many_nodes_use_does_not_become_many():
    data = graph(chain("Mul", 3000, "c"), {"c": random(200, 1000)}, (1, 200, 1000))
    with pytest.raises(errors.LimitError, match="onnx Mul 'Mul of v21'"):
        nn.io.load(data)


def test_transposed_matrices_of_a_large_file_take_no_room_of_computed_constants():
    nodes = [node("Transpose", ["c"], "t"), node("MatMul", ["x", "t"], "y")]
    constants = {"c": random(6, 900_000)}  # more than 16 MiB, and twice as many bytes as int64
    assert nn.io.load(graph(nodes, constants, (1, 900_000))).count_params() == 5_400_000


def test_the_indices_of_a_table_are_not_followed_through_thousands_of_nodes():
    nodes = chain("Cast", 9000, to=TensorProto.INT64)[:-1]
    data = graph([*nodes, node("Gather", ["c", "v8999"], "y")], {"c": random(5, 2)}, (1, 6))
    with pytest.raises(errors.UnsupportedError, match="indices of at most 64 nodes"):
        nn.io.load(data)
