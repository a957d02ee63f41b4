"""Constants of a graph: computed among themselves, repeated for a value's axes, in products."""

from functools import partial
from itertools import product

import nn
import numpy as np
import pytest
from nn.io import errors
from onnx import TensorProto, numpy_helper

from tests.support.graphs import expect_same, graph, last, node, runtime

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


expect_close = partial(expect_same, atol=1e-6)


REDUCTIONS = [
    f"Reduce{kind}"
    for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum")
]
OF_ONE = [
    "Abs", "Ceil", "Cos", "Exp", "Floor", "Identity", "Log", "Neg", "Reciprocal", "Relu", "Round",
    "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Tanh",
]  # fmt: skip


@pytest.mark.parametrize("operator", [*REDUCTIONS, "ReduceSumSquare", *OF_ONE])
def test_operators_of_constants_are_computed_as_onnx_runtime_does(operator):
    reduces = operator.startswith("Reduce")
    constant = np.abs(random(4, 6)) + 0.1
    constant *= 1 if operator in ("Log", "Sqrt", "ReduceLogSum") else -3
    for keepdims in (0, 1) if reduces else (1,):
        named = {"axes": [0], "keepdims": keepdims} if reduces else {}
        nodes = [node(operator, ["c"], "d", **named), node("Add", ["x", "d"], "y")]
        expect_close(graph(nodes, {"c": constant}, (1, 4, 6), opset=12), random(2, 4, 6))


@pytest.mark.parametrize(
    ("made", "shapes"),
    [
        (node("Einsum", ["c", "d"], "e", equation="ab, cb -> ac"), [(4, 3), (6, 3)]),
        (node("Einsum", ["c"], "e", equation="ba"), [(6, 4)]),
        (node("Softmax", ["c"], "e", axis=-1), [(4, 6)]),
        (node("Softmax", ["c"], "e", axis=1), [(4, 6)]),
    ],
    ids=lambda value: getattr(value, "op_type", None),
)
@pytest.mark.parametrize("opset", [12, 17])
def test_products_and_shares_of_constants_are_computed(made, shapes, opset):
    constants = dict(zip("cd", (random(*shape) for shape in shapes), strict=False))
    data = graph([made, node("Add", ["x", "e"], "y")], constants, (1, 4, 6), opset)
    expect_close(data, random(2, 4, 6))


@pytest.mark.parametrize("operator", ["ArgMax", "ArgMin"])
def test_places_in_constants_are_computed(operator):
    for axis, keepdims in product((0, 1), (0, 1)):
        nodes = [
            node(operator, ["c"], "d", axis=axis, keepdims=keepdims),
            node("Cast", ["d"], "e", to=1),
            node("Add", ["x", "e"], "y"),
        ]
        expect_close(graph(nodes, {"c": random(6, 6)}, (1, 6, 6)), random(2, 6, 6))


def test_a_product_of_constants_is_refused_before_it_is_computed():
    wide = np.zeros((1 << 16, 1), np.float32)
    nodes = [node("Einsum", ["c", "c"], "e", equation="ab,cb->ac"), node("Add", ["x", "e"], "y")]
    with pytest.raises(errors.LimitError, match="Einsum"):
        nn.io.load(graph(nodes, {"c": wide}, (1, 6, 6)))
    nodes = [node("Where", ["m", "x", "c"], "y")]
    with pytest.raises(errors.LimitError, match="Where"):
        nn.io.load(graph(nodes, {"c": wide, "m": wide.T > 0}, (1, 6, 6)))


# Constants and values that each repeat the other's axes.

SIZES = [(1, 6), (4, 1), (4, 6), (3, 1, 6)]
OF_TWO = ["Add", "Sub", "Div", "Max"]


@pytest.mark.parametrize("inner", SIZES, ids=str)
def test_a_constant_repeats_the_axes_of_a_value(inner):
    full = (4, 6) if len(inner) == 2 else (3, 5, 6)
    shapes = [[n if kept else 1 for n, kept in zip(full, some, strict=True)]
              for some in product((0, 1), repeat=len(full))]  # fmt: skip
    for shape, operator, first in product(shapes, OF_TWO, (0, 1)):
        inputs = ["c", "x"] if first else ["x", "c"]
        data = graph([node(operator, inputs, "y")], {"c": random(*shape) + 3}, (1, *inner))
        expect_close(data, random(2, *inner) + 5)


@pytest.mark.parametrize("number", [0.0, -3.5, -np.inf], ids=str)
@pytest.mark.parametrize("inner", SIZES, ids=str)
def test_a_constant_mask_chooses_a_constant_or_a_value(inner, number):
    full = (4, 6) if len(inner) == 2 else (3, 5, 6)
    for shape, at, many in product((full, full[1:]), (1, 2), (False, True)):
        constant = np.full(full if many else (), number, np.float32)
        if many and np.isfinite(number):
            constant += random(*full)
        inputs = ["m", "c", "x"] if at == 1 else ["m", "x", "c"]
        constants = {"m": RNG.integers(0, 2, shape).astype(bool), "c": constant}
        expect_close(graph([node("Where", inputs, "y")], constants, (1, *inner)), random(2, *inner))


# Arrays and values without elements.


@pytest.mark.parametrize("computed", [False, True])
def test_a_constant_without_elements_is_no_part_of_what_is_put_together(computed):
    """As PyTorch pads a sequence by the number of steps that it lacks, which is none."""
    nodes = [
        node("Shape", ["x"], "sizes"),
        node("Slice", ["sizes", "zero", "one"], "batch"),
        node("Concat", ["batch", "zero", "four"], "shape", axis=0),
        node("ConstantOfShape", ["shape"], "none"),
    ]
    constants = {"zero": [0], "one": [1], "four": [4]} if computed else {}
    held = {name: np.array(number, np.int64) for name, number in constants.items()}
    held |= {} if computed else {"none": np.zeros((2, 0, 4), np.float32)}
    nodes = nodes if computed else []
    for inputs in (["none", "x"], ["x", "none", "x"]):
        data = graph([*nodes, node("Concat", inputs, "y", axis=1)], held, (1, 3, 4))
        expect_close(data, random(2, 3, 4))
    data = graph([*nodes, node("MatMul", ["x", "none"], "y")], held, (1, 3, 0))
    with pytest.raises(errors.UnsupportedError, match=r"elements|\(2, 0, 4\)"):
        nn.io.load(data)


@pytest.mark.parametrize("number", [0.0, 2.5])
def test_one_number_may_stand_before_the_elements_of_each_sample(number):
    """As PyTorch writes torch.cat([x.new_zeros(len(x), 1, 4), x], 1)."""
    value = numpy_helper.from_array(np.float32([number]))
    nodes = [
        node("Shape", ["x"], "sizes"),
        node("Slice", ["sizes", "zero", "one"], "batch"),
        node("Concat", ["batch", "one", "four"], "shape", axis=0),
        node("ConstantOfShape", ["shape"], "number", value=value),
        node("Concat", ["number", "x"], "y", axis=1),
    ]
    held = {"zero": np.array([0]), "one": np.array([1]), "four": np.array([4])}
    expect_close(graph(nodes, held, (1, 3, 4)), random(2, 3, 4))


@pytest.mark.parametrize("shape", [(1, 4), (1, 3, 4), (1, 3, 5, 4)], ids=str)
def test_each_sample_gets_the_constant_that_a_graph_of_one_sample_has(shape):
    """As a class token, where PyTorch's exporter was given no dynamic batch."""
    for axis, first in product(range(1, len(shape)), (False, True)):
        wide = tuple(size + 2 if place == axis else size for place, size in enumerate(shape))
        inputs = ["c", "r", "r"] if first else ["r", "c"]
        nodes = [node("Relu", ["x"], "r"), node("Concat", inputs, "y", axis=axis)]
        data = graph(nodes, {"c": random(*wide)}, shape)
        x = random(3, *shape[1:])
        model, one = expect_close(data, x[:1]), [runtime(data, x[[at]])[0] for at in range(3)]
        np.testing.assert_allclose(model.predict_on_batch(last(x)), last(np.concatenate(one)))


@pytest.mark.parametrize("constant", [random(2, 4), np.full((1, 4), 2**24 + 1)], ids=len)
def test_constants_of_several_samples_or_large_integers_are_not_put_together(constant):
    kind = TensorProto.INT64 if constant.dtype.kind == "i" else TensorProto.FLOAT
    data = graph([node("Concat", ["x", "c"], "y", axis=1)], {"c": constant}, (1, 4), kind=kind)
    with pytest.raises(errors.UnsupportedError, match="expected constants of one sample and"):
        nn.io.load(data)


REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Sum", "SumSquare"]


@pytest.mark.parametrize("operator", REDUCTIONS)
def test_a_reduction_of_no_elements_is_refused(operator):
    """Its sum is 0 in ONNX, and here the count times the mean, which is none."""
    made = node(f"Reduce{operator}", ["x"], "y", axes=[2])
    with pytest.raises(errors.UnsupportedError, match=r"expected elements, .*'n', 2, 0, 4"):
        nn.io.load(graph([made], {}, (1, 2, 0, 4)))


def test_a_product_over_all_samples_is_refused():
    data = graph([node("MatMul", ["x", "c"], "y")], {"c": random(3)}, (3,))
    with pytest.raises(errors.UnsupportedError, match=r"onnx MatMul .*expected a matrix"):
        nn.io.load(data)


def test_nothing_is_left_of_what_a_mask_covers():
    mask = np.array([True, False, True, False])
    data = graph([node("Where", ["m", "c", "x"], "y")], {"m": mask, "c": np.float32(2)}, (1, 4))
    expect_close(data, np.float32([[np.inf, np.inf, -np.inf, -3], [1e38, 0, -1e38, 1]]))


def test_masks_of_attention_are_read_where_the_batch_is_not_in_front():
    nodes = [
        node("Transpose", ["x"], "t", perm=[1, 0, 2]),
        node("Where", ["m", "low", "t"], "w"),
        node("Softmax", ["w"], "s", axis=-1),
        node("Transpose", ["s"], "y", perm=[1, 0, 2]),
    ]
    mask = np.triu(np.ones((6, 6), bool), 1)[:, None]
    data = graph(nodes, {"m": mask, "low": np.float32(-np.inf)}, (1, 6, 6))
    expect_close(data, random(3, 6, 6))


@pytest.mark.parametrize("base", [2.0, 0.5, np.e], ids=str)
def test_a_number_to_the_power_of_a_value_is_an_exponential(base):
    data = graph([node("Pow", ["c", "x"], "y")], {"c": np.float32(base)}, (1, 4, 6))
    expect_close(data, random(2, 4, 6) * 3)


def test_a_base_that_is_not_above_zero_is_refused():
    for base in (0.0, -2.0):
        data = graph([node("Pow", ["c", "x"], "y")], {"c": np.float32(base)}, (1, 4, 6))
        with pytest.raises(errors.UnsupportedError, match=r"Pow .*: expected a base above 0"):
            nn.io.load(data)


# Products.

VALUES = {2: (6,), 3: (5, 6), 4: (2, 5, 6)}
RIGHT = [(6,), (6, 3), (1, 6, 3), (2, 6, 3), (1, 2, 6, 3), (1, 1, 6, 3)]
LEFT = [(3, 5), (1, 3, 5), (2, 3, 5), (1, 2, 3, 5), (1, 1, 3, 5)]


@pytest.mark.parametrize("rank", VALUES)
@pytest.mark.parametrize("shape", [*RIGHT, *LEFT], ids=str)
def test_products_with_constant_matrices_are_computed_for_each_sample(rank, shape):
    names = ["x", "c"] if shape in RIGHT else ["c", "x"]
    data = graph([node("MatMul", names, "y")], {"c": random(*shape)}, (1, *VALUES[rank]))
    whole = len(shape) < rank or (len(shape) == rank and (shape[0] == 1 or rank == 2))
    if (whole and (rank > 2 or shape in RIGHT)) or len(shape) == 1:
        expect_close(data, random(3, *VALUES[rank]))
    else:
        with pytest.raises(errors.UnsupportedError, match="onnx MatMul"):
            nn.io.load(data)


def test_many_matrices_of_a_value_whose_batch_is_not_in_front_are_right_or_refused():
    for shape in [(4, 6, 3), (1, 4, 6, 3), (6, 3), (1, 6, 3)]:
        nodes = [
            node("Transpose", ["x"], "t", perm=[1, 2, 0, 3]),
            node("MatMul", ["t", "c"], "m"),
            node("Transpose", ["m"], "y", perm=[2, 0, 1, 3]),
        ]
        data = graph(nodes, {"c": random(*shape)}, (1, 1, 4, 6))
        x = random(3, 1, 4, 6)
        try:
            model = nn.io.load(data)
        except errors.UnsupportedError:
            continue
        (expected,) = runtime(data, x)
        made = model.predict_on_batch(last(x))
        np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
