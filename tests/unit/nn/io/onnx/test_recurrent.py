"""Import of RNN, LSTM and GRU: nodes of any setting, and the files of PyTorch and tf2onnx.

ONNX Runtime computes what each must give; onnx' own reference where the batch comes first, which
ONNX Runtime lacks. The files are those of the exporters themselves, see `files/*/write.py`.
"""

from pathlib import Path
from typing import Any

import nn
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io import errors
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FILES = Path(__file__).parent / "files"
RNG = np.random.default_rng(0)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
UNITS, FEATURES, STEPS = 3, 2, 4


def random(*shape):
    return RNG.uniform(-0.7, 0.7, shape).astype(np.float32)


def graph(nodes, constants, inputs, outputs):
    entries = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
    leave = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
    kept = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    made = helper.make_graph(nodes, "g", entries, leave, kept)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()


def recurrent(kind, sides=1, states=None, bias=True, outputs=("y",), inputs=None, **attributes):
    """A graph of one node, whose input is x."""
    width = GATES[kind] * UNITS
    constants = {"w": random(sides, width, FEATURES), "r": random(sides, width, UNITS)}
    names = ["x", "w", "r", "b" if bias else "", "", *(["h", "c"] if states is not None else [])]
    names = names[: 6 if kind != "LSTM" and states is not None else None]
    if bias:
        constants["b"] = random(sides, 2 * width)
    if states is not None:
        constants |= dict.fromkeys(names[5:], states)
    made = helper.make_node(
        kind, names, list(outputs), name="cell", hidden_size=UNITS, **attributes
    )
    entry = {"x": [STEPS, "n", FEATURES]} if inputs is None else inputs
    return graph([made], constants, entry, [name for name in outputs if name])


def runtime(data, *arrays):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def expect(data, array, expected, axes):
    """Compare with outputs whose batches are the given axes."""
    made = nn.io.load(data).predict_on_batch(array)
    made = made if isinstance(made, list) else [made]
    for ours, theirs, axis in zip(made, expected, axes, strict=True):
        np.testing.assert_allclose(ours, np.moveaxis(theirs, axis, 0), rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.data())
@pytest.mark.parametrize("kind", GATES)
def test_a_node_of_any_setting_is_that_of_onnx_runtime(kind: str, data: Any) -> None:
    direction = data.draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    sides = 2 if direction == "bidirectional" else 1
    attributes: dict[str, Any] = {"direction": direction}
    if kind == "GRU":
        attributes["linear_before_reset"] = data.draw(st.sampled_from([0, 1]))
    if data.draw(st.booleans(), "activations"):
        names = [
            data.draw(st.sampled_from(["Tanh", "Relu", "Sigmoid", "Softsign", "Elu"]))
            for _ in range(len(FUNCTIONS[kind]) * sides)
        ]
        if kind == "LSTM":  # one function of cell and state
            names[2::3] = names[1::3]
        attributes["activations"] = names
    which = data.draw(st.sets(st.integers(0, 2 if kind == "LSTM" else 1), min_size=1))
    outputs = [("y", "last h", "last c")[i] if i in which else "" for i in range(max(which) + 1)]
    states = data.draw(st.sampled_from([None, np.zeros((sides, 1, UNITS), np.float32)]))
    x = random(STEPS, 1 if states is not None else 2, FEATURES)
    bias = data.draw(st.booleans(), "bias")
    made = recurrent(kind, sides, states, bias, outputs, **attributes)
    axes = [2 if name == "y" else 1 for name in outputs if name]
    expect(made, x.transpose(1, 0, 2), runtime(made, x), axes)


@pytest.mark.parametrize("kind", GATES)
def test_a_batch_in_front_stays_there(kind):
    inputs = {"x": ["n", STEPS, FEATURES]}
    data = recurrent(kind, layout=1, outputs=["y", "last h"], inputs=inputs)
    x = random(2, STEPS, FEATURES)
    expected = ReferenceEvaluator(onnx.load_model_from_string(data)).run(None, {"x": x})
    expect(data, x, expected, [0, 0])


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("sides", [1, 2])
def test_initial_states_may_be_inputs(kind, sides):
    width = GATES[kind] * UNITS
    constants = {"w": random(sides, width, FEATURES), "r": random(sides, width, UNITS)}
    states = ["h", "c"] if kind == "LSTM" else ["h"]
    direction = "bidirectional" if sides > 1 else "forward"
    node = helper.make_node(
        kind, ["x", "w", "r", "", "", *states], ["y"], hidden_size=UNITS, direction=direction
    )
    entries = {"x": [STEPS, "n", FEATURES], **{name: [sides, "n", UNITS] for name in states}}
    data = graph([node], constants, entries, ["y"])
    arrays = [random(STEPS, 2, FEATURES), *(random(sides, 2, UNITS) for _ in states)]
    expect(data, [np.moveaxis(a, 1, 0) for a in arrays], runtime(data, *arrays), [2])


def test_weights_that_the_exporter_did_not_fold_are_folded():
    parts = {f"w{i}": random(UNITS, FEATURES) for i in range(3)} | {"r": random(1, 9, UNITS)}
    nodes = [
        helper.make_node("Concat", ["w0", "w1", "w2"], ["ws"], axis=0),
        helper.make_node("Unsqueeze", ["ws", "zero"], ["w"]),
        helper.make_node("GRU", ["x", "w", "r"], ["", "h"], hidden_size=UNITS),
    ]
    data = graph(nodes, parts | {"zero": np.array([0])}, {"x": [STEPS, "n", FEATURES]}, ["h"])
    x = random(STEPS, 2, FEATURES)
    expect(data, x.transpose(1, 0, 2), runtime(data, x), [1])


# The exporters' own files.

TURNED = ("steps", "states", "words")  # their batch is the second axis
PATHS = sorted(FILES.glob("torch/*.onnx")) + sorted(FILES.glob("tf2onnx/*.onnx"))
READ = [path for path in PATHS if path.stem != "loop"]


def arrays_for(data, rows):
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for value in session.get_inputs():
        shape = [n if isinstance(n, int) else rows for n in value.shape]
        numbers = len(shape) == 2
        array = RNG.integers(0, 11, shape) if numbers else RNG.normal(size=shape)
        yield array.astype(np.int64 if "int" in value.type else np.float32)


@pytest.mark.parametrize("path", READ, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_file_of_an_exporter_opens(path):
    data = path.read_bytes()
    axis = int(path.stem.split("_")[0] in TURNED)
    arrays = list(arrays_for(data, 3))
    given = [np.moveaxis(a, axis, 0).astype(np.float32) for a in arrays]
    expected = runtime(data, *arrays)
    expect(data, given if len(given) > 1 else given[0], expected, [axis] * len(expected))


def test_an_imported_network_is_as_a_person_writes_it_and_trains():
    model = nn.io.load((FILES / "torch/tagger_script.onnx").read_bytes())
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Embedding", "Bidirectional", "Bidirectional", "Dense"]
    x = RNG.integers(0, 11, (16, 5)).astype(np.float32)
    model.compile(nn.Adam(0.03), nn.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = [float(model.train_on_batch(x, x % 5)) for _ in range(30)]
    assert losses[-1] < losses[0] / 2


# What can't be said.


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("LSTM", {"clip": 1.0}, "no clip=1.0"),
        ("LSTM", {"input_forget": 1}, "no input_forget=1"),
        ("LSTM", {"activations": ["Sigmoid", "Tanh", "Relu"]}, "expected one activation"),
        ("RNN", {"activations": ["ThresholdedRelu"]}, "no activation ThresholdedRelu"),
        ("RNN", {"activations": ["LeakyRelu"]}, r"no activation LeakyRelu \[0.01\]"),
        ("GRU", {"direction": "sideways"}, "no direction 'sideways'"),
        ("GRU", {"states": np.ones((1, 1, UNITS), np.float32)}, "expected initial states of 0"),
        ("RNN", {"layout": 1, "inputs": {"x": [STEPS, "n"]}}, "expected a computed input of 3"),
    ],
)
def test_what_no_layer_does_is_refused_by_operator_node_and_reason(kind, options, says):
    with pytest.raises(errors.UnsupportedError, match=rf"onnx {kind} 'cell': .*{says}"):
        nn.io.load(recurrent(kind, **options))


@pytest.mark.parametrize(("place", "says"), [(4, "no lengths"), (7, "no peephole weights")])
def test_inputs_that_no_layer_has_are_refused(place, says):
    constants = {"w": random(1, 12, FEATURES), "r": random(1, 12, UNITS)}
    constants |= {"more": np.array([2, 3], np.int32) if place == 4 else random(1, 9)}
    names = ["x", "w", "r", *[""] * (place - 3), "more"]
    node = helper.make_node("LSTM", names, ["y"], name="cell", hidden_size=UNITS)
    with pytest.raises(errors.UnsupportedError, match=f"onnx LSTM 'cell': {says}"):
        nn.io.load(graph([node], constants, {"x": [STEPS, "n", FEATURES]}, ["y"]))


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (helper.make_node("Softmax", ["t"], ["y"], name="node", axis=1), "the first axis"),
        (helper.make_node("PRelu", ["t", "c"], ["y"], name="node"), "batch as the first axis"),
        (helper.make_node("Reshape", ["t", "s"], ["y"], name="node"), "no reshape"),
        (helper.make_node("Add", ["t", "x"], ["y"], name="node"), "axes have one order"),
        (helper.make_node("Add", ["t", "d"], ["y"], name="node"), "constant that fits"),
        (helper.make_node("Concat", ["t", "x"], ["y"], name="node", axis=2), "one order"),
        (helper.make_node("Gather", ["t", "i"], ["y"], name="node", axis=1), "beside the batch's"),
        (helper.make_node("Squeeze", ["t", "i"], ["y"], name="node"), "sizes of 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.op_type,
)
def test_operators_that_need_the_batch_in_front_are_refused_elsewhere(node, says):
    nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node]
    constants = {
        "s": np.array([4, 6]),
        "c": random(4, 1, 1),
        "d": random(1, 5, 1),
        "i": np.array([0]),
    }
    with pytest.raises(errors.UnsupportedError, match=f"onnx {node.op_type} 'node': .*{says}"):
        nn.io.load(graph(nodes, constants, {"x": ["n", 4, 3]}, ["y"]))


def test_an_operator_on_the_last_axis_is_refused_where_that_is_the_batch():
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 2, 0]),
        helper.make_node("MatMul", ["t", "c"], ["y"], name="node"),
    ]
    with pytest.raises(errors.UnsupportedError, match=r"onnx MatMul 'node': .*the first axis"):
        nn.io.load(graph(nodes, {"c": random(5, 2)}, {"x": ["n", 4, 3]}, ["y"]))


def test_a_loop_is_refused_by_its_name():
    with pytest.raises(errors.UnsupportedError, match=r"onnx Loop '.+': no graph inside"):
        nn.io.load((FILES / "tf2onnx/loop.onnx").read_bytes())


def test_weights_of_other_shapes_are_damage():
    data = recurrent("GRU")
    model = onnx.load_model_from_string(data)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(random(1, 8, FEATURES), "w"))
    with pytest.raises(errors.CorruptError, match="expected weights of shapes"):
        nn.io.load(model.SerializeToString())


def test_indices_that_a_graph_changes_are_no_embedding():
    path = FILES / "tf2onnx/embedding.onnx"
    model = onnx.load_model_from_string(path.read_bytes())
    less = next(node for node in model.graph.node if node.op_type == "Less")
    less.input[:] = reversed(less.input)  # rows are added to all indices but 0
    with pytest.raises(errors.UnsupportedError, match="numbers of rows as they are given"):
        nn.io.load(model.SerializeToString())
