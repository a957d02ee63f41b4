"""Every attribute of every operator that is read has its meaning, or is refused by name.

The table has each attribute of ONNX' own schemas with a value that is not the default; what a
reader forgets would be another result than ONNX Runtime's.
"""

from typing import Any

import nn
import numpy as np
import pytest
from nn.io import errors
from nn.io.onnx.read_operators import OPERATORS
from onnx import defs

from tests.support.graphs import REFUSALS, graph, last, node, runtime

RNG = np.random.default_rng(0)
ROWS, STEPS, IMAGE = (2, 6), (2, 3, 4), (2, 3, 6, 6)


def random(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def whole(*numbers: int) -> Any:
    return np.array(numbers, np.int64)


NORMS = {name: np.abs(random(3)) + 0.1 for name in "sbmv"}
RECURRENT = {"w": random(1, 16, 4), "r": random(1, 16, 4)}
WINDOW = {"kernel_shape": [2, 2]}
WEIGHT = {"w": random(3, 3, 2, 2)}
REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Sum", "SumSquare")
REDUCED: dict[str, Any] = {"keepdims": [0], "axes": [[1]], "noop_with_empty_axes": [1]}
PLACES: dict[str, Any] = {
    "pads": [[1, 0, 0, 1]], "auto_pad": ["SAME_UPPER", "SAME_LOWER", "VALID"], "strides": [[2, 1]],
    "dilations": [[2, 1]], "kernel_shape": [],
}  # fmt: skip
POOLS = PLACES | {"ceil_mode": [1]}
RUNS: dict[str, Any] = {
    "clip": [0.1], "activation_alpha": [[0.5]], "activation_beta": [[0.5]],
    "activations": [["Sigmoid", "Relu", "Relu"]], "hidden_size": [], "direction": ["reverse"],
    "layout": [1],
}  # fmt: skip
# Operator -> inputs, constants, the input's shape, settings, attribute -> values to try. The empty
# lists are of attributes that only say again what the inputs say, or whose text is no number.
TABLE: dict[str, tuple[list[str], dict[str, Any], tuple[int, ...], dict[str, Any], Any]] = {
    "AveragePool": (["x"], {}, IMAGE, WINDOW, POOLS | {"count_include_pad": [1]}),
    "BatchNormalization": (
        ["x", *"sbmv"], NORMS, IMAGE, {},
        {"momentum": [0.5], "epsilon": [0.3], "spatial": [0], "training_mode": [1]},
    ),
    "Cast": (["x"], {}, ROWS, {"to": 1}, {"to": [6, 7, 9, 10, 11], "saturate": [0],
                                          "round_mode": []}),
    "Celu": (["x"], {}, ROWS, {}, {"alpha": [0.5, 2.0]}),
    "Concat": (["x", "x"], {}, STEPS, {"axis": 1}, {"axis": [0, 2, -1]}),
    "Constant": ([], {}, ROWS, {}, {
        name: [] for name in ("value", "value_float", "value_floats", "value_int", "value_ints",
                              "value_string", "value_strings", "sparse_value")
    }),
    "Conv": (["x", "w"], WEIGHT, IMAGE, {}, PLACES | {"group": [3]}),
    "ConvInteger": ([], {}, IMAGE, {}, {name: [] for name in [*PLACES, "group"]}),
    "ConvTranspose": (
        ["x", "w"], WEIGHT, IMAGE, {"strides": [2, 2]},
        PLACES | {"group": [3], "output_padding": [[1, 0]], "output_shape": [[7, 6]]},
    ),
    "DepthToSpace": (
        ["x"], {}, (2, 8, 3, 2), {"blocksize": 2}, {"blocksize": [1], "mode": ["CRD"]},
    ),
    "DequantizeLinear": ([], {}, ROWS, {}, {"axis": [], "block_size": [], "output_dtype": []}),
    "Dropout": (["x"], {}, ROWS, {}, {"ratio": [0.9], "seed": [3]}),
    "Einsum": (
        ["x", "w"], {"w": random(4, 5)}, STEPS, {"equation": "bst,tu->bsu"},
        {"equation": ["bst,tu->bus", "abc,cd->adb", "bst,tu->bu", "bst,tu->bstu", "...t,tu->...u",
                      "bst,tu"]},
    ),
    "Elu": (["x"], {}, ROWS, {}, {"alpha": [0.3]}),
    "Flatten": (["x"], {}, STEPS, {}, {"axis": [0, 2, -1]}),
    "GRU": (
        ["x", "w", "r"], {"w": random(1, 12, 4), "r": random(1, 12, 4)}, STEPS,
        {"hidden_size": 4},
        RUNS | {"linear_before_reset": [1], "activations": [["Sigmoid", "Relu"]]},
    ),
    "Gather": (["x", "i"], {"i": np.array(1)}, STEPS, {"axis": 1}, {"axis": [0, 2, -1]}),
    "Gelu": (["x"], {}, ROWS, {}, {"approximate": ["tanh"]}),
    "Gemm": (
        ["x", "k", "c"], {"k": random(6, 6), "c": random(6)}, ROWS, {},
        {"alpha": [0.3], "beta": [0.4], "transA": [1], "transB": [1]},
    ),
    "HardSigmoid": (["x"], {}, ROWS, {}, {"alpha": [0.3], "beta": [0.1]}),
    "InstanceNormalization": (["x", *"sb"], NORMS, IMAGE, {}, {"epsilon": [0.3]}),
    "LSTM": (
        ["x", "w", "r"], RECURRENT, STEPS, {"hidden_size": 4}, RUNS | {"input_forget": [1]},
    ),
    "LayerNormalization": (
        ["x", "k"], {"k": random(4)}, STEPS, {},
        {"axis": [1, 2], "epsilon": [0.3], "stash_type": []},
    ),
    "LeakyRelu": (["x"], {}, ROWS, {}, {"alpha": [0.3]}),
    "LogSoftmax": (["x"], {}, STEPS, {}, {"axis": [0, 1, 2]}),
    "LpNormalization": (["x"], {}, STEPS, {}, {"axis": [0, 1], "p": [1]}),
    "MaxPool": (["x"], {}, IMAGE, WINDOW, POOLS | {"storage_order": [1]}),
    "OneHot": ([], {}, ROWS, {}, {"axis": []}),
    "Pad": (
        ["x", "p"], {"p": whole(0, 0, 1, 1, 0, 0, 1, 1)}, IMAGE, {},
        {"mode": ["edge", "reflect", "wrap"], "value": [2.0], "pads": []},
    ),
    "QuantizeLinear": ([], {}, ROWS, {}, {
        name: [] for name in ("axis", "saturate", "output_dtype", "block_size", "precision")
    }),
    "RNN": (
        ["x", "w", "r"], {"w": random(1, 4, 4), "r": random(1, 4, 4)}, STEPS,
        {"hidden_size": 4}, RUNS | {"activations": [["Relu"], ["HardSigmoid"]]},
    ),
    **{
        f"Reduce{kind}": (["x"], {}, STEPS, {"axes": [2]}, REDUCED)
        for kind in REDUCTIONS
    },
    "Reshape": (["x", "t"], {"t": whole(0, -1)}, STEPS, {}, {"allowzero": [1]}),
    "Resize": (
        ["x", "", "s"], {"s": np.float32([1, 1, 2, 1.5])}, IMAGE, {"mode": "linear"},
        {
            "mode": ["nearest", "cubic"], "extrapolation_value": [3.0], "exclude_outside": [1],
            "nearest_mode": ["ceil", "round_prefer_ceil"], "antialias": [1],
            "coordinate_transformation_mode": ["align_corners", "asymmetric", "pytorch_half_pixel"],
            "cubic_coeff_a": [-0.5], "keep_aspect_ratio_policy": ["not_larger"],
            "axes": [[0, 1, 2, 3]],
        },
    ),
    "Selu": (["x"], {}, ROWS, {}, {"alpha": [2.0], "gamma": [3.0]}),
    "Softmax": (["x"], {}, STEPS, {}, {"axis": [0, 1, 2]}),
    "SpaceToDepth": (["x"], {}, IMAGE, {"blocksize": 2},
                     {"blocksize": [1, 3], "mode": ["CRD"]}),
    "Split": (
        ["x"], {}, STEPS, {"axis": 1},
        {"axis": [0, 2, -1], "split": [[1, 2]], "num_outputs": []},
    ),
    "Squeeze": (["x"], {}, (2, 1, 4, 1), {"axes": [1]}, {"axes": [[3], [1, 3], [-1]]}),
    "Transpose": (["x"], {}, STEPS, {}, {"perm": [[0, 2, 1]]}),
    "Unsqueeze": (["x"], {}, STEPS, {"axes": [1]}, {"axes": [[2], [1, 3]]}),
}  # fmt: skip
UNCOMPARED = {
    "BatchNormalization spatial", "BatchNormalization training_mode", "Cast to", "Cast saturate",
    "Conv group", "GRU layout", "Gemm transA", "LSTM layout", "Pad value", "RNN layout",
    *(f"Reduce{kind} noop_with_empty_axes" for kind in REDUCTIONS), "Reshape allowzero",
    "SpaceToDepth mode", "Resize exclude_outside", "Resize keep_aspect_ratio_policy",
}  # fmt: skip
"""What ONNX Runtime does not take in a node by itself; other tests have those that are read."""
OLD = {"consumed_inputs", "broadcast", "is_test", "output_sequence", "paddings"}  # before opset 7


def known() -> dict[str, set[str]]:
    """Operator -> its attributes, in any version that is read."""
    found: dict[str, set[str]] = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name in OPERATORS:
            found.setdefault(schema.name, set()).update(set(schema.attributes) - OLD)
    # Before opset 7 they said how constants broadcast, and what are inputs now.
    broadcast = ("Add", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub")
    past = {name: {"axis"} for name in broadcast} | {"Reshape": {"shape"}, "Clip": {"min", "max"}}
    return {name: names - past.get(name, set()) for name, names in found.items()}


def test_the_table_has_every_attribute_of_every_operator():
    wanted = {name: names for name, names in known().items() if names and name != "Slice"}
    assert {name: set(row[4]) for name, row in TABLE.items()} == wanted


CASES = [
    (operator, name, value)
    for operator, (*_, attributes) in TABLE.items()
    for name, values in attributes.items()
    for value in values
]


@pytest.mark.parametrize(("operator", "name", "value"), CASES, ids=str)
def test_an_attribute_has_its_meaning_or_is_refused(operator: str, name: str, value: Any) -> None:
    compared = [compare(operator, {name: value}, opset) for opset in (7, 11, 13, 18, 21)]
    assert any(compared) != (f"{operator} {name}" in UNCOMPARED)


def compare(operator: str, more: dict[str, Any], opset: int) -> bool:
    """Compare a node with ONNX Runtime; return whether that takes it."""
    inputs, constants, shape, settings, _ = TABLE[operator]
    recurrent = operator in ("GRU", "LSTM", "RNN")
    outputs = ["all", "y"] if recurrent else ["y", "z"] if operator == "Split" else "y"
    made = node(operator, inputs, outputs, **{**settings, **more})
    data, x = graph([made], constants, shape, opset), random(*shape)
    x = np.abs(x) if operator == "ReduceLogSum" else x
    try:
        (expected,) = runtime(data, x)
    except REFUSALS:
        return False
    try:
        model = nn.io.load(data)
    except errors.UnsupportedError:
        return True
    if recurrent:  # whose batch is first here, whichever it is there
        batch = x if more.get("layout") else x.transpose(1, 0, 2)
        received, expected = np.squeeze(model.predict_on_batch(batch)), np.squeeze(expected)
    else:
        received, expected = model.predict_on_batch(last(x)), last(expected)
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
    return True
