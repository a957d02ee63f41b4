"""Graphs as exporters write them: PyTorch 1.10 to 2.13, tf2onnx 1.9 to 1.17, skl2onnx 1.20.

ONNX Runtime computes what each must give. The files of scikit-learn's models are those of skl2onnx
itself, see `files/sklearn.py`; the others are the patterns of the exporters, made with onnx.helper.
"""

from itertools import combinations, product
from pathlib import Path

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io import errors
from onnx import TensorProto

from tests.support.graphs import expect_same, graph, node, runtime

FILES = Path(__file__).parent / "files"
RNG = np.random.default_rng(0)
IMAGE, STEPS, ROWS = (2, 3, 4, 5), (2, 3, 4), (2, 6)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


# One axis rule on both ends.


@pytest.mark.parametrize("shape", [(2, 4, 10), (2, 4, 6, 5), (2, 4, 3, 4, 2)])
def test_the_output_s_axes_are_as_the_input_s(shape):
    norms = {name: np.abs(random(4)) for name in "sbmv"}
    nodes = [node("BatchNormalization", ["x", *"sbmv"], "n"), node("Relu", ["n"], "y")]
    expect_same(graph(nodes, norms, shape), random(*shape))
    pool = node("GlobalAveragePool", ["n"], "y")
    expect_same(graph([nodes[0], pool], norms, shape), random(*shape))
    window = node("MaxPool", ["x"], "y", kernel_shape=[2] * (len(shape) - 2))
    expect_same(graph([window], {}, shape), random(*shape))


def test_convolutions_of_sequences_keep_the_graph_s_order():
    weights = {"w": random(8, 4, 3), "b": random(8)}
    conv = node("Conv", ["x", "w", "b"], "y", pads=[1, 0], strides=[2])
    expect_same(graph([conv], weights, (2, 4, 10)), random(2, 4, 10))


@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("ceil", [0, 1])
def test_pools_see_what_onnx_runtime_sees_at_all_edges(window, stride, ceil):
    for size in range(window + 1, window + 4):
        for before, after in product(range(window), repeat=2):
            options = {
                "kernel_shape": [window, 1], "strides": [stride, 1], "ceil_mode": ceil,
                "pads": [before, 0, after, 0],
            }  # fmt: skip
            for kind, counted in (("MaxPool", {}), ("AveragePool", {"count_include_pad": 0}),
                                  ("AveragePool", {"count_include_pad": 1})):  # fmt: skip
                pool = node(kind, ["x"], "y", **options, **counted)
                expect_same(graph([pool], {}, (2, 2, size, 3), 22), random(2, 2, size, 3))


def test_convolutions_with_strides_and_dilations_are_computed_at_every_place_first():
    options = {"strides": [2, 3], "dilations": [2, 1], "pads": [1, 0, 2, 1]}
    conv = node("Conv", ["x", "w"], "y", **options)
    expect_same(graph([conv], {"w": random(4, 3, 3, 2)}, (2, 3, 9, 8)), random(2, 3, 9, 8))


def test_an_image_that_a_reshape_makes_leaves_with_its_channels_last():
    nodes = [node("Reshape", ["x", "t"], "y")]
    expect_same(graph(nodes, {"t": np.array([-1, 2, 3, 1])}, ROWS), random(*ROWS))


# Constants.


FOLDED = {
    "Squeeze": lambda opset: ([node("Squeeze", ["c", "a"], "d")] if opset > 12 else
                              [node("Squeeze", ["c"], "d", axes=[0])]),
    "Unsqueeze": lambda opset: ([node("Unsqueeze", ["c", "a"], "e"),
                                 node("Squeeze", ["e", "a"], "d")] if opset > 12 else
                                [node("Unsqueeze", ["c"], "e", axes=[0]),
                                 node("Squeeze", ["e"], "d", axes=[0])]),
    "ReduceMean": lambda opset: ([node("ReduceMean", ["c", "a"], "d")] if opset > 17 else
                                 [node("ReduceMean", ["c"], "d", axes=[0])]),
    "ReduceSum": lambda opset: ([node("ReduceSum", ["c", "a"], "d", keepdims=0)] if opset > 12 else
                                [node("ReduceSum", ["c"], "d", axes=[0], keepdims=0)]),
    "Cast": lambda opset: [node("Cast", ["c"], "e", to=TensorProto.DOUBLE),
                           node("Cast", ["e"], "d", to=TensorProto.FLOAT)],
    "Identity": lambda opset: [node("Identity", ["c"], "d")],
    "Transpose": lambda opset: [node("Transpose", ["c"], "e", perm=[1, 0]),
                                node("Transpose", ["e"], "d")],
    "Gather": lambda opset: [node("Gather", ["c", "a"], "d", axis=1)],
    "Slice": lambda opset: ([node("Slice", ["c", "a", "one"], "d")] if opset > 9 else
                            [node("Slice", ["c"], "d", starts=[0], ends=[1])]),
    "Add and Mul": lambda opset: [node("Add", ["c", "c"], "e"), node("Mul", ["e", "two"], "d")],
    "Concat": lambda opset: [node("Slice", ["c", "a", "one", "one"], "e"),
                             node("Slice", ["c", "one", "many", "one"], "f"),
                             node("Concat", ["e", "f"], "d", axis=1)] if opset > 9 else
                            [node("Concat", ["c"], "d", axis=1)],
    "Sub, Div, Sqrt": lambda opset: [node("Sub", ["c", "two"], "e"), node("Mul", ["e", "e"], "f"),
                                     node("Sqrt", ["f"], "g"), node("Div", ["g", "two"], "d")],
    "Expand": lambda opset: [node("Shape", ["c"], "s"), node("Expand", ["two", "s"], "d")],
}  # fmt: skip


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 18, 21, 23])
def test_nodes_of_constants_are_computed(opset):
    constants = {
        "c": random(1, 6), "a": np.array([0]), "two": np.float32([2]), "one": np.array([1]),
        "many": np.array([2**63 - 1]),
    }  # fmt: skip
    for name, make in FOLDED.items():
        if name == "Expand" and opset < 8:
            continue
        data = graph([*make(opset), node("Add", ["x", "d"], "y")], constants, ROWS, opset)
        expect_same(data, random(*ROWS))


def test_a_linear_layer_without_bias_and_one_weight_under_two_names_open():
    nodes = [
        node("Identity", ["w"], "v"),
        node("Transpose", ["w"], "t", perm=[1, 0]),
        node("Transpose", ["v"], "u", perm=[1, 0]),
        node("MatMul", ["x", "t"], "h"),
        node("MatMul", ["h", "u"], "y"),
    ]
    expect_same(graph(nodes, {"w": random(6, 6)}, ROWS), random(*ROWS))


def test_a_constant_beyond_all_memory_is_refused():
    nodes = [node("Expand", ["c", "s"], "d"), node("Add", ["x", "d"], "y")]
    constants = {"c": np.float32([1]), "s": np.array([2**20, 2**20])}
    with pytest.raises(errors.LimitError, match="Expand"):
        nn.io.load(graph(nodes, constants, ROWS))
    double = [node("Concat", [f"c{i}"] * 8, f"c{i + 1}", axis=0) for i in range(30)]
    data = graph([*double, node("Add", ["x", "c30"], "y")], {"c0": random(6)}, ROWS)
    with pytest.raises(errors.LimitError, match="Concat"):
        nn.io.load(data)


# Arithmetic with constants.


def subshapes(shape):
    """All shapes that broadcast to one of any batch: sizes of 1, and axes left out in front."""
    inner = shape[1:]
    for count in range(len(inner) + 1):
        for ones in combinations(range(len(inner)), count):
            made = tuple(1 if i in ones else n for i, n in enumerate(inner))
            yield from (made[i:] for i in range(len(made)) if set(made[:i]) <= {1})
            yield (1, *made)


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("shape", [IMAGE, STEPS, ROWS], ids=["image", "steps", "rows"])
def test_constants_of_any_shape_that_fits_are_added_and_multiplied(operator, shape):
    for constant in sorted(set(subshapes(shape))):
        for inputs in (["x", "c"], ["c", "x"]):
            if operator == "Div" and inputs[0] == "c":
                continue
            data = graph([node(operator, inputs, "y")], {"c": random(*constant) + 3}, shape)
            expect_same(data, random(*shape))


def test_constants_meet_convolved_and_flattened_images():
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("Mul", ["c", "m"], "s"),
        node("Flatten", ["s"], "f"),
        node("Add", ["f", "a"], "y"),
    ]
    constants = {"w": random(2, 3, 1, 1), "m": random(2, 1, 1), "a": random(40)}
    expect_same(graph(nodes, constants, IMAGE), random(*IMAGE))


def test_values_of_broadcast_shapes_are_merged():
    squeeze = [
        node("Conv", ["x", "w"], "c"),
        node("GlobalAveragePool", ["c"], "p"),
        node("HardSigmoid", ["p"], "s", alpha=1 / 6, beta=0.5),
        node("Mul", ["c", "s"], "m"),
        node("Sub", ["m", "c"], "y"),
    ]
    expect_same(graph(squeeze, {"w": random(4, 3, 1, 1)}, IMAGE), random(*IMAGE))


# As tf2onnx and PyTorch write layers.


@pytest.mark.parametrize("opset", [9, 13])
def test_global_pools_of_tf2onnx_are_squeezed(opset):
    axes = [node("Squeeze", ["p", "axes"], "q")] if opset > 12 else [
        node("Squeeze", ["p"], "q", axes=[2, 3])
    ]  # fmt: skip
    nodes = [
        node("Transpose", ["x"], "t", perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], "c"),
        node("GlobalAveragePool", ["c"], "p"),
        *axes,
        node("MatMul", ["q", "k"], "m"),
        node("Add", ["m", "b"], "y"),
    ]
    constants = {"w": random(2, 5, 1, 1), "k": random(2, 3), "b": random(3)}
    constants |= {"axes": np.array([2, 3])} if opset > 12 else {}
    data, x = graph(nodes, constants, IMAGE, opset), random(*IMAGE)
    made = nn.io.load(data).predict_on_batch(x)  # its images have their channels last
    np.testing.assert_allclose(made, runtime(data, x)[0], atol=1e-5)


def test_a_bias_after_a_reshape_belongs_to_the_product():
    nodes = [
        node("Reshape", ["x", "rows"], "r"),
        node("MatMul", ["r", "w"], "m"),
        node("Reshape", ["m", "steps"], "s"),
        node("Add", ["s", "b"], "y"),
    ]
    constants = {
        "rows": np.array([-1, 3, 4]), "steps": np.array([-1, 3, 5]), "w": random(4, 5),
        "b": random(5),
    }  # fmt: skip
    loaded = expect_same(graph(nodes, constants, STEPS), random(*STEPS))
    assert [v.name for v in loaded.trainable_variables] == ["kernel", "bias"]


REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip


@pytest.mark.parametrize("operator", REDUCTIONS)
@pytest.mark.parametrize("first", [False, True], ids=["plain", "convolved"])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reductions_over_any_axes_are_imported(operator, first, keepdims):
    start = [node("Conv", ["x", "w"], "g")] if first else [node("Identity", ["x"], "g")]
    start.append(node("Abs" if operator == "ReduceLogSum" else "Identity", ["g"], "h"))
    for count in (1, 2, 3):
        for axes in combinations((1, 2, 3), count):
            reduce = node(operator, ["h", "axes"], "y", keepdims=keepdims)
            constants = {"w": random(2, 3, 1, 1), "axes": np.array(axes)}
            data = graph([*start, reduce], constants, IMAGE, opset=18)
            expect_same(data, random(*IMAGE))


@pytest.mark.parametrize("operator", REDUCTIONS)
def test_one_number_of_each_sample_is_a_value_like_any_other(operator):
    nodes = [
        node("Abs", ["x"], "a"),
        node(operator, ["a", "axis"], "r", keepdims=0),
        node("Sigmoid", ["r"], "s"),
        node("Add", ["s", "two"], "t"),
        node("Unsqueeze", ["t", "axis"], "u"),
        node("Div", ["x", "u"], "d"),
        node("Mul", ["d", "u"], "m"),
        node(operator, ["m", "axis"], "o", keepdims=0),
        node("Add", ["o", "s"], "y"),
    ]
    if operator == "ReduceLogSum":
        nodes[6] = node("Abs", ["d"], "m")
    constants = {"axis": np.array([1]), "two": np.float32([2])}
    expect_same(graph(nodes, constants, ROWS, opset=18), random(*ROWS))


def test_the_exponentials_of_large_numbers_are_summed():
    nodes = [node("ReduceLogSumExp", ["x", "axis"], "y", keepdims=0)]
    data = graph(nodes, {"axis": np.array([1])}, ROWS, opset=18)
    expect_same(data, random(*ROWS) + np.float32([[300], [-300]]))


def test_an_input_may_have_no_axis_but_the_batch_s():
    nodes = [
        node("Cast", ["x"], "i", to=TensorProto.INT64),
        node("Gather", ["w", "i"], "e"),
        node("ReduceSum", ["e", "axis"], "s", keepdims=0),
        node("Add", ["x", "s"], "y"),
    ]
    constants = {"w": random(5, 4), "axis": np.array([1])}
    expect_same(graph(nodes, constants, (2,), opset=18), np.float32([3, 0, 4]))


def test_samples_are_not_put_behind_each_other():
    for axis in (0, -2):
        data = graph([node("Concat", ["x", "x"], "y", axis=axis)], {}, ROWS)
        with pytest.raises(errors.UnsupportedError, match=r"Concat .*: expected an axis"):
            nn.io.load(data)


def test_an_output_that_no_sample_changes_is_refused():
    for nodes in (
        [node("Add", ["c", "c"], "y")],
        [node("Shape", ["x"], "s"), node("Cast", ["s"], "y", to=TensorProto.FLOAT)],
    ):
        data = graph([*nodes, node("Relu", ["x"], "z")], {"c": random(1, 6)}, ROWS,
                     beside=[("z", TensorProto.FLOAT)])  # fmt: skip
        with pytest.raises(errors.UnsupportedError, match="output 'y': expected a value for each"):
            nn.io.load(data)


@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("first", [False, True], ids=["plain", "convolved"])
def test_softmax_over_any_axis_is_imported(operator, opset, first):
    start = [node("Conv", ["x", "w"], "h")] if first else [node("Identity", ["x"], "h")]
    for axis in (1, 2, 3, -1, -2):
        nodes = [*start, node(operator, ["h"], "y", axis=axis)]
        data = graph(nodes, {"w": random(2, 3, 1, 1)}, IMAGE, opset)
        expect_same(data, random(*IMAGE))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_axes_of_size_1_come_and_go(data):
    sizes = data.draw(st.lists(st.sampled_from([1, 1, 2, 3]), min_size=2, max_size=3))
    shape = (2, *sizes)
    nodes, rank = [node("Identity", ["x"], "h0")], len(shape)
    ones = [i for i, n in enumerate(shape) if n == 1]
    constants = {}
    if rank == 4 and data.draw(st.booleans()):
        nodes = [node("Relu", ["x"], "r"), node("MaxPool", ["r"], "h0", kernel_shape=[1, 1])]
    if ones and rank - len(ones) > 1 and data.draw(st.booleans()):
        constants["a"] = np.array(
            data.draw(st.lists(st.sampled_from(ones), min_size=1, unique=True))
        )
        nodes.append(node("Squeeze", ["h0", "a"], "y"))
    else:
        constants["a"] = np.array([data.draw(st.sampled_from([*range(1, rank + 1), -1]))])
        nodes.append(node("Unsqueeze", ["h0", "a"], "y"))
    expect_same(graph(nodes, constants, shape), random(*shape))


def test_an_embedding_is_a_gather_from_a_table():
    nodes = [node("Cast", ["x"], "i", to=TensorProto.INT64), node("Gather", ["w", "i"], "y")]
    x = RNG.integers(0, 5, (2, 3)).astype(np.float32)
    loaded = expect_same(graph(nodes, {"w": random(5, 4)}, (2, 3)), x)
    assert [type(layer).__name__ for layer in loaded.layers][1:] == ["Embedding"]


def test_normalized_inputs_and_what_else_pytorch_writes_open():
    nodes = [
        node("Sub", ["x", "mean"], "a"),
        node("Div", ["a", "deviation"], "b"),
        node("Conv", ["b", "w"], "c"),
        node("PRelu", ["c", "slope"], "d"),
        node("HardSwish", ["d"], "e"),
        node("ReduceMean", ["e", "axes"], "f", keepdims=0),
        node("LayerNormalization", ["f", "gamma", "beta"], "g"),
        node("Neg", ["g"], "h"),
        node("Pow", ["h", "two"], "y"),
    ]
    constants = {
        "mean": random(3, 1, 1), "deviation": np.abs(random(3, 1, 1)) + 1, "w": random(4, 3, 2, 2),
        "slope": random(4, 1, 1), "axes": np.array([2, 3]), "gamma": random(4), "beta": random(4),
        "two": np.float32(2),
    }  # fmt: skip
    expect_same(graph(nodes, constants, IMAGE, opset=18), random(*IMAGE))


@pytest.mark.parametrize("opset", [7, 10, 11, 23])
@pytest.mark.parametrize("places", [(1, 2), (2, 3)], ids=["channels last", "channels first"])
def test_zeros_around_images_are_imported(opset, places):
    pads = [0] * 8
    for axis in places:
        pads[axis], pads[axis + 4] = axis, 1
    if opset < 11:
        nodes, constants = [node("Pad", ["x"], "p", pads=pads)], {}
    else:
        nodes, constants = [node("Pad", ["x", "pads"], "p")], {"pads": np.array(pads)}
    data = graph([*nodes, node("Relu", ["p"], "y")], constants, IMAGE, opset)
    expect_same(data, random(*IMAGE))


@pytest.mark.parametrize("opset", [7, 10, 11, 23])
def test_clips_of_any_version_open(opset):
    if opset < 11:
        nodes, constants = [node("Clip", ["x"], "y", min=0.0, max=6.0)], {}
    else:
        nodes = [node("Clip", ["x", "zero", "six"], "y")]
        constants = {"zero": np.float32(0), "six": np.float32(6)}
    expect_same(graph(nodes, constants, ROWS, opset), 5 * random(*ROWS))


# scikit-learn.


@pytest.mark.parametrize("path", sorted(FILES.glob("*.onnx")), ids=lambda path: path.stem)
def test_models_of_scikit_learn_open(path):
    data = path.read_bytes()
    x = RNG.random((5, 4), dtype=np.float32)
    outputs = runtime(data, x)
    loaded = nn.io.load(data)
    made = loaded.predict_on_batch(x)
    if len(outputs) == 1:
        np.testing.assert_allclose(made, outputs[0], atol=1e-5)
        return
    assert loaded.labels == [str(label) for label in outputs[1][0]]
    np.testing.assert_allclose(made, [list(row.values()) for row in outputs[1]], atol=1e-6)


# What can't be said.


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (node("Add", ["x", "wide"], "y"), "fits"),
        (node("Add", ["x", "more"], "y"), "fits"),
        (node("Div", ["x", "zero"], "y"), "Div of this constant"),
        (node("Squeeze", ["x", "axis"], "y"), "sizes of 1"),
        (node("ReduceMean", ["x", "batch"], "y"), "axes after the batch's"),
        (node("ReduceMean", ["x"], "y"), "axes after the batch's"),
        (node("ReduceProd", ["x"], "y"), "expected one of the operators"),
        (node("Softmax", ["x"], "y", axis=0), "axis after the batch's"),
        (node("Softmax", ["x"], "y", axis=9), "axis of 4"),
        (node("Cast", ["x"], "y", to=TensorProto.INT64), "cast to floats"),
        (node("Pow", ["x", "zero"], "y"), "exponent"),
        (node("Split", ["x", "many"], ["y", "z"], axis=1), "parts of 3, received [0, 1]"),
        (node("Split", ["x"], ["y", "z"], axis=0), "axis after the batch's"),
        (node("Gather", ["x", "batch"], "y"), "axis beside the batch's"),
        (node("Gather", ["x", "table"], "y", axis=1), "indices of 3, received [0, 7]"),
        (node("Tile", ["x", "many"], "y"), "no [0, 1] times"),
        (node("Slice", ["x", "batch", "axis", "batch"], "y"), "axis beside the batch's"),
        (node("MatMul", ["one", "x"], "y"), "expected a matrix"),
        (node("Reshape", ["x", "none"], "y", allowzero=1), "allowzero"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_by_operator_node_and_reason(made, says):
    constants = {
        "w": random(2, 3, 2, 2), "wide": random(7, 1, 1), "more": random(1, 1, 3, 4, 5),
        "one": np.float32([3.5]), "zero": np.float32([1, 0, 1, 1, 1]), "axis": np.array([1]),
        "batch": np.array([0]), "many": np.array([0, 1]), "table": np.array([[0, 7]]),
        "none": np.array([0, 0, 4, 5]),
    }  # fmt: skip
    with pytest.raises(errors.UnsupportedError) as caught:
        nn.io.load(graph([made], constants, IMAGE, opset=18))
    assert f"onnx {made.op_type} '{made.op_type} of y'" in str(caught.value)
    assert says in str(caught.value)


def test_a_node_that_no_output_needs_is_left_out():
    nodes = [node("ReduceL2", ["x"], "unused"), node("Relu", ["x"], "y")]
    expect_same(graph(nodes, {}, ROWS), random(*ROWS))
