"""Patterns of published models: YOLOv8, PaddleOCR's recognizers, PyTorch's CRNNs for captchas.

ONNX Runtime computes what each must give, for inputs of several sizes where a graph leaves them
open. The models themselves (nudenet 3.4.2, rapidocr 3.10.0, rapidocr-onnxruntime 1.4.4 and ddddocr
1.6.1, magika 1.0.3, brainmaze-eeg-models 0.1.0 on PyPI) were compared once: they are too large to
keep.
"""

from functools import partial

import nn
import numpy as np
import pytest
from nn.io import errors
from onnx import TensorProto, numpy_helper

from tests.support.graphs import expect_same, graph, last, node, runtime

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def whole(*numbers):
    return np.array(numbers, np.int64)


expect_close = partial(expect_same, rtol=1e-4)


STEPS, HEADS, WIDTH = "t", 2, 6


@pytest.mark.parametrize("computed", [False, True])
def test_attention_of_heads_written_by_hand_opens_for_sequences_of_any_length(computed):
    constants = {
        "w": random(12, 36), "b": random(36), "root": np.float32(WIDTH**-0.5),
        "apart": whole(0, -1, 3, HEADS, WIDTH), "whole": whole(0, -1, 12), "zero": whole(0),
        "one": whole(1), "two": whole(2), "three": whole(3), "inner": whole(3, HEADS, WIDTH),
    }  # fmt: skip
    sizes = [
        node("Shape", ["x"], "shape"),
        node("Slice", ["shape", "zero", "one"], "batch"),
        node("Slice", ["shape", "one", "two"], "steps"),
        node("Concat", ["batch", "steps", "inner"], "sizes", axis=0),
    ]
    parts = [("zero", "one", "q"), ("one", "two", "k"), ("two", "three", "v")]
    nodes = [
        *(sizes if computed else []),
        node("MatMul", ["x", "w"], "m"),
        node("Add", ["m", "b"], "qkv"),
        node("Reshape", ["qkv", "sizes" if computed else "apart"], "five"),
        node("Transpose", ["five"], "turned", perm=[2, 0, 3, 1, 4]),
        *(node("Slice", ["turned", a, b, "zero"], f"{c}1") for a, b, c in parts),
        *(node("Squeeze", [f"{c}1", "zero"], c) for *_, c in parts),
        node("Mul", ["q", "root"], "scaled"),
        node("Transpose", ["k"], "kt", perm=[0, 1, 3, 2]),
        node("MatMul", ["scaled", "kt"], "scores"),
        node("Softmax", ["scores"], "weights", axis=-1),
        node("MatMul", ["weights", "v"], "read"),
        node("Transpose", ["read"], "back", perm=[0, 2, 1, 3]),
        node("Reshape", ["back", "whole"], "y"),
    ]
    used = {name for each in nodes for name in each.input}
    held = {name: array for name, array in constants.items() if name in used}
    data = graph(nodes, held, (1, STEPS, 12))
    model = expect_close(data, random(2, 5, 12), random(3, 1, 12))
    model.compile("adam", "mse")
    x = random(2, 5, 12)
    losses = [model.train_on_batch(x, np.tanh(x)) for _ in range(20)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("root", ["Sqrt", "Pow"])
def test_a_layer_normalization_written_by_hand_opens_for_sequences_of_any_length(root):
    nodes = [
        node("ReduceMean", ["x"], "mean", axes=[2]),
        node("Sub", ["x", "mean"], "apart"),
        node("Pow", ["apart", "two"], "squares"),
        node("ReduceMean", ["squares"], "variance", axes=[-1]),
        node("Add", ["variance", "epsilon"], "sum"),
        node(root, ["sum"] if root == "Sqrt" else ["sum", "half"], "deviation"),
        node("Div", ["apart", "deviation"], "scaled"),
        node("Mul", ["scaled", "gamma"], "wide"),
        node("Add", ["wide", "beta"], "y"),
    ]
    constants = {
        "two": np.float32(2), "half": np.float32(0.5), "epsilon": np.float32(1e-6),
        "gamma": random(8), "beta": random(8),
    }  # fmt: skip
    used = {name for each in nodes for name in each.input}
    held = {name: array for name, array in constants.items() if name in used}
    expect_close(graph(nodes, held, (1, STEPS, 8)), random(2, 5, 8), random(3, 9, 8))


def test_parts_of_channels_and_pools_of_one_step_open_for_images_of_any_size():
    nodes = [
        node("Conv", ["x", "w", "b"], "c", pads=[1, 1, 1, 1]),
        node("Sigmoid", ["c"], "gate"),
        node("Mul", ["c", "gate"], "silu"),
        node("Split", ["silu", "sizes"], ["left", "right"], axis=1),
        node("MaxPool", ["right"], "p", kernel_shape=[5, 5], pads=[2, 2, 2, 2], strides=[1, 1]),
        node("MaxPool", ["p"], "q", kernel_shape=[5, 5], pads=[2, 2, 2, 2], strides=[1, 1]),
        node("Concat", ["left", "p", "q"], "y", axis=1),
    ]
    constants = {"w": random(8, 3, 3, 3), "b": random(8), "sizes": whole(3, 5)}
    data = graph(nodes, constants, (1, 3, "h", "w_"))
    expect_close(data, random(2, 3, 6, 9), random(1, 3, 4, 4))


def anchors():
    """The middles of an image's columns, computed from its shape, as YOLOv8 places its boxes."""
    return [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "two"], "h", axis=0),
        node("Gather", ["shape", "three"], "w", axis=0),
        node("Mul", ["h", "w"], "count"),
        node("Unsqueeze", ["count", "front"], "places"),
        node("Concat", ["n", "channels", "places"], "sizes", axis=0),
        node("Range", ["zero", "w", "one"], "across"),
        node("Cast", ["across"], "numbers", to=1),
        node("Add", ["numbers", "half"], "middles"),
        node("Add", ["x", "middles"], "placed"),
        node("Reshape", ["placed", "sizes"], "y"),
    ]


PLACES = {
    "two": np.int64(2), "three": np.int64(3), "n": whole(-1), "channels": whole(4),
    "zero": np.int64(0), "one": np.int64(1), "half": np.float32(0.5), "front": whole(0),
}  # fmt: skip


def test_numbers_that_a_graph_computes_from_known_sizes_are_constants():
    data = graph(anchors(), PLACES, (1, 4, 6, 5))
    expect_close(data, random(2, 4, 6, 5))
    with pytest.raises(errors.UnsupportedError, match=r"onnx Mul 'Mul of count': expected known"):
        nn.io.load(graph(anchors(), PLACES, (1, 4, "h_", "w_")))
    sized = nn.io.onnx.load(
        graph(anchors(), PLACES, (1, 4, "h_", "w_")), input_shapes={"x": (None, 4, 6, 5)}
    )
    assert sized.output_shape == (None, 4, 30)


@pytest.mark.parametrize("steps", ["w_", 7])
@pytest.mark.parametrize("joined", ["all", "computed"])
def test_a_product_of_all_steps_of_all_samples_opens_between_recurrent_layers(steps, joined):
    constants = {
        "k": random(6, 3, 2, 2), "gone": whole(2), "w": random(1, 20, 6), "r": random(1, 20, 5),
        "gemm": random(4, 5), "bias": random(4), "at": whole(0), "zero": np.int64(0),
        "one": np.int64(1), "five": whole(5), "left": whole(-1), "all": whole(-1, 5),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "k"], "c"),
        node("Squeeze", ["c", "gone"], "s"),
        node("Transpose", ["s"], "t", perm=[2, 0, 1]),
        node("LSTM", ["t", "w", "r"], ["l"], hidden_size=5),
        node("Squeeze", ["l", "one_"], "h"),
        node("Shape", ["h"], "shape"),
        node("Gather", ["shape", "zero"], "steps", axis=0),
        node("Gather", ["shape", "one"], "batch", axis=0),
        node("Mul", ["steps", "batch"], "count"),
        *(node("Unsqueeze", [name, "at"], f"{name}_") for name in ("steps", "batch", "count")),
        node("Concat", ["count_", "five"], "computed", axis=0),
        node("Reshape", ["h", joined], "rows"),
        node("Gemm", ["rows", "gemm", "bias"], "g", transB=1),
        node("Concat", ["steps_", "batch_", "left"], "apart", axis=0),
        node("Reshape", ["g", "apart"], "y"),
    ]
    held = {**constants, "one_": whole(1)}
    data = graph(nodes, held, (1, 3, 2, steps))
    model = nn.io.load(data)
    for count in (2, 1):
        x = random(count, 3, 2, 7)
        (expected,) = runtime(data, x)
        made = model.predict_on_batch(last(x))
        np.testing.assert_allclose(made, expected.transpose(1, 0, 2), rtol=1e-4, atol=1e-5)


def test_an_array_is_put_before_each_sample_as_pytorch_expands_a_class_token():
    constants = {
        "token": random(1, 1, 6), "at": np.int64(0), "front": whole(0), "left": whole(-1),
        "minus": whole(-1),
    }  # fmt: skip
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "at"], "batch", axis=0),
        node("Unsqueeze", ["batch", "front"], "n"),
        node("Concat", ["n", "minus", "minus"], "wanted", axis=0),
        node("Reshape", ["wanted", "left"], "flat"),
        node("Shape", ["flat"], "length"),
        node("ConstantOfShape", ["length"], "ones", value=numpy_helper.from_array(whole(1))),
        node("Mul", ["ones", "minus"], "opposite"),
        node("Equal", ["flat", "opposite"], "open"),
        node("Where", ["open", "ones", "flat"], "sizes"),
        node("Expand", ["token", "sizes"], "tokens"),
        node("Concat", ["tokens", "x"], "y", axis=1),
    ]
    expect_close(graph(nodes, constants, (1, 4, 6)), random(3, 4, 6), random(1, 4, 6))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_pixels_that_become_channels_and_pixels_again_are_where_they_were(mode):
    nodes = [  # ONNX Runtime 1.31 has no mode of SpaceToDepth yet
        node("DepthToSpace", ["x"], "wide", blocksize=2, mode=mode),
        node("SpaceToDepth", ["wide"], "y", blocksize=2, mode=mode),
    ]
    x = random(2, 8, 3, 5)
    model = nn.io.load(graph(nodes, {}, (1, 8, 3, 5), opset=28))
    np.testing.assert_array_equal(model.predict_on_batch(last(x)), last(x))


@pytest.mark.parametrize("size", [7, "h"])
def test_pools_with_pads_open_where_no_size_counts(size):
    """As after a ReLU, whose values zeros around it leave as they are."""
    options = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2, 2]}
    largest = [node("Relu", ["x"], "r"), node("MaxPool", ["r"], "y", **options)]
    expect_close(graph(largest, {}, (1, 3, size, size)), random(2, 3, 7, 7))
    mean = node("AveragePool", ["x"], "y", count_include_pad=1, **options)
    expect_close(graph([mean], {}, (1, 3, size, size)), random(2, 3, 7, 7))
    inner = graph([node("AveragePool", ["x"], "y", **options)], {}, (1, 3, size, size))
    if size == 7:
        expect_close(inner, random(2, 3, 7, 7))
    else:
        with pytest.raises(errors.UnsupportedError, match=r"onnx AveragePool .*known sizes"):
            nn.io.load(inner)


@pytest.mark.parametrize("size", [6, "h"])
def test_pools_of_values_below_zero_with_pads_open_where_the_sizes_are_known(size):
    pool = node("MaxPool", ["x"], "y", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
    data = graph([pool], {}, (1, 3, size, 6))
    if size == 6:
        expect_close(data, random(2, 3, 6, 6) - 3)
    else:
        with pytest.raises(errors.UnsupportedError, match=r"onnx MaxPool .*expected a known shape"):
            nn.io.load(data)


@pytest.mark.parametrize("end", [10**9, 2**31 - 1, 2**63 - 1])
def test_parts_may_be_all_samples_as_tf2onnx_names_each_axis_of_a_slice(end):
    constants = {"starts": whole(0, 1, 0), "ends": whole(end, end, 2), "axes": whole(0, 2, 1)}
    data = graph([node("Slice", ["x", *constants], "y")], constants, (1, "t", 4))
    expect_close(data, random(3, 5, 4))
    constants["ends"] = whole(2, end, 2)
    with pytest.raises(errors.UnsupportedError, match="expected an axis beside the batch's"):
        nn.io.load(graph([node("Slice", ["x", *constants], "y")], constants, (1, "t", 4)))


COUNT = 5


@pytest.mark.parametrize("steps", [1, 6])
@pytest.mark.parametrize("expanded", [False, True])
def test_numbers_are_compared_with_all_that_there_are_as_jax_writes_one_hot(steps, expanded):
    sizes = [
        node("Shape", ["x"], "shape"), node("Slice", ["shape", "zero", "one"], "batch"),
        node("Concat", ["batch", "steps", "one"], "sizes", axis=0),
        node("Cast", ["r"], "same", to=TensorProto.INT32), node("Expand", ["same", "sizes"], "e"),
    ]  # fmt: skip
    compared = ["e" if expanded else "r", "row"]
    nodes = [
        node("Reshape", ["x", "apart"], "r"), *(sizes if expanded else []),
        node("Equal", compared if steps == 1 else compared[::-1], "q"),
        node("Cast", ["q"], "hot", to=TensorProto.FLOAT), node("MatMul", ["hot", "table"], "y"),
    ]  # fmt: skip
    constants = {
        "apart": whole(-1, steps, 1), "zero": whole(0), "one": whole(1), "steps": whole(steps),
        "row": np.arange(COUNT, dtype=np.int32)[None, None], "table": random(COUNT, 3),
    }  # fmt: skip
    data = graph(nodes, constants, (1, steps), kind=TensorProto.INT32)
    numbers = RNG.integers(0, COUNT, (4, steps)).astype(np.int32)
    model = expect_close(data, numbers)
    with pytest.raises(nn.errors.ShapeError, match=f"from 0 to {COUNT - 1}"):
        model.predict_on_batch(numbers + COUNT)


@pytest.mark.parametrize("values", [np.float32([0, 1]), np.float32([-1, 3]), whole(2, 5)], ids=str)
@pytest.mark.parametrize("steps", [1, 6])
def test_one_hot_has_its_two_values(values, steps):
    hot = node("OneHot", ["x", "depth", "values"], "hot")
    number = node("Cast", ["hot"], "y", to=TensorProto.FLOAT)
    constants = {"depth": whole(COUNT), "values": values}
    data = graph([hot, number], constants, (1, steps), kind=TensorProto.INT64)
    expect_close(data, RNG.integers(0, COUNT, (4, steps)))


@pytest.mark.parametrize("axis", [0, 1])
def test_vectors_of_numbers_in_another_axis_are_refused(axis):
    made = node("OneHot", ["x", "depth", "values"], "y", axis=axis)
    constants = {"depth": whole(COUNT), "values": np.float32([0, 1])}
    with pytest.raises(errors.UnsupportedError, match="their vectors in the last axis"):
        nn.io.load(graph([made], constants, (1, 3), kind=TensorProto.INT64))


@pytest.mark.parametrize(
    ("row", "kind", "user"),
    [
        (np.arange(1, 4), TensorProto.INT64, "Cast"),
        (np.arange(3)[:, None], TensorProto.INT64, "Cast"),
        (np.float32([0, 1, 2]), TensorProto.FLOAT, "Cast"),
        (np.arange(3), TensorProto.INT64, "Not"),
    ],
)
def test_other_comparisons_of_equality_are_refused(row, kind, user):
    options = {"to": TensorProto.FLOAT} if user == "Cast" else {}
    nodes = [node("Equal", ["x", "row"], "q"), node(user, ["q"], "y", **options)]
    with pytest.raises(errors.UnsupportedError, match="no comparison here, but of whole numbers"):
        nn.io.load(graph(nodes, {"row": row}, (1, 4, 1), kind=kind))


@pytest.mark.parametrize("beta", [None, 2.0])
def test_softplus_of_pytorch_s_newest_exporter_is_softplus(beta):
    scaled = "x" if beta is None else "s"
    nodes = [node("Mul", ["x", "beta"], "s")] * (beta is not None)
    nodes += [node("Softplus", [scaled], "p"), node("Greater", [scaled, "limit"], "c")]
    nodes += [node("Div", ["p", "beta"], "d")] * (beta is not None)
    nodes.append(node("Where", ["c", "x", "p" if beta is None else "d"], "y"))
    constants = {"limit": np.float32(20)} | ({} if beta is None else {"beta": np.float32(beta)})
    x = np.linspace(-30, 30, 121, dtype=np.float32).reshape(11, 11)
    expect_close(graph(nodes, constants, x.shape, 18), x)


def test_other_comparisons_and_choices_are_refused():
    compared = node("Greater", ["x", "limit"], "c")
    chosen = node("Where", ["c", "x", "limit"], "y")
    with pytest.raises(errors.UnsupportedError, match="no choice here, but by a constant mask"):
        nn.io.load(graph([compared, chosen], {"limit": np.float32(20)}, (2, 3)))
    number = node("Cast", ["c"], "y", to=TensorProto.FLOAT)
    with pytest.raises(errors.UnsupportedError, match="no comparison here, but for the choice"):
        nn.io.load(graph([compared, number], {"limit": np.float32(20)}, (2, 3)))
    mask = {"c": np.array([[True], [False], [True]])}
    chosen = [node("Relu", ["x"], "r"), node("Where", ["c", "x", "r"], "y")]
    with pytest.raises(errors.UnsupportedError, match="no choice here, but by a constant mask"):
        nn.io.load(graph(chosen, mask, (2, 3, 4)))


@pytest.mark.parametrize("rows", [1, 3])
def test_masks_that_a_graph_computes_from_its_shapes_are_constants(rows):
    """As transformers write them: 1 - ones(n, t), times the least number, for each head or not."""
    sizes = [node("Shape", ["x"], "shape"), node("Slice", ["shape", "zero", "one"], "batch")]
    ones = [
        node("Mul", ["batch", "rows"], "all"), node("Concat", ["all", "steps"], "wide", axis=0),
        node("ConstantOfShape", ["wide"], "ones", value=numpy_helper.from_array(np.float32([1]))),
        node("CumSum", ["ones", "one"], "places"), node("Greater", ["places", "two"], "later"),
        node("Cast", ["later"], "hidden", to=TensorProto.FLOAT),
        node("Mul", ["hidden", "least"], "m"),
    ]  # fmt: skip
    parts = [
        node("Concat", ["all", "inner"], "apart", axis=0),
        node("Reshape", ["x", "apart"], "r"), node("Add", ["r", "m"], "s"),
        node("Softmax", ["s"], "p", axis=-1), node("IsNaN", ["p"], "nan"),
        node("Where", ["nan", "nothing", "p"], "q"),
        node("Concat", ["batch", "back"], "again", axis=0), node("Reshape", ["q", "again"], "y"),
    ]  # fmt: skip
    constants = {
        "zero": whole(0), "one": whole(1), "two": np.float32(2), "rows": whole(rows),
        "steps": whole(4), "least": np.float32(-1e30), "inner": whole(4), "back": whole(rows, 4),
        "nothing": np.float32(0),
    }  # fmt: skip
    x = random(5, rows, 4)
    expect_close(graph([*sizes, *ones, *parts], constants, (1, rows, 4)), x, x[:2])


def test_what_differs_from_sample_to_sample_is_refused():
    nodes = [
        node("Shape", ["x"], "shape"),
        node("ConstantOfShape", ["shape"], "ones", value=numpy_helper.from_array(np.float32([1]))),
        node("CumSum", ["ones", "zero"], "places"), node("Add", ["x", "places"], "y"),
    ]  # fmt: skip
    with pytest.raises(errors.UnsupportedError, match="'places' to be the same for each sample"):
        nn.io.load(graph(nodes, {"zero": np.array(0)}, (2, 3)))


def test_a_softmax_of_which_a_mask_leaves_nothing_is_refused():
    nodes = [
        node("Add", ["x", "mask"], "s"), node("Softmax", ["s"], "p", axis=-1),
        node("IsNaN", ["p"], "nan"), node("Where", ["nan", "nothing", "p"], "y"),
    ]  # fmt: skip
    mask = np.float32([[0, 0], [-np.inf, -np.inf]])
    constants = {"mask": mask, "nothing": np.float32(0)}
    with pytest.raises(errors.UnsupportedError, match="no choice here"):
        nn.io.load(graph(nodes, constants, (2, 2, 2)))
