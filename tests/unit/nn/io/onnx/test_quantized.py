"""Quantized graphs, as ONNX Runtime's own quantizers write them, are computed with floats."""

from pathlib import Path

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.io import errors
from onnx import TensorProto
from onnxruntime import quantization

from tests.support.graphs import graph, node, runtime

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(16, 12, 12, 3)).astype(np.float32)
CODES = {"uint8": TensorProto.UINT8, "int8": TensorProto.INT8}


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network, and where its ONNX file is."""
    nn.set_random_seed(1)
    layers = [
        nn.Input((12, 12, 3)), nn.Conv2D(8, 3, activation="relu"), nn.MaxPooling2D(2),
        nn.DepthwiseConv2D(3, padding="same"), nn.BatchNormalization(), nn.Activation("relu6"),
        nn.Flatten(), nn.Dense(16, activation="tanh"), nn.Dense(5, activation="softmax"),
    ]  # fmt: skip
    model = nn.Sequential(layers)
    path = tmp_path_factory.mktemp("quantized") / "model.onnx"
    path.write_bytes(nn.io.save(model, "onnx"))
    return model, path


class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
    """The inputs, once."""

    def __init__(self, name):
        self.left = [{name: INPUTS}]

    def get_next(self):
        return self.left.pop() if self.left else None


def quantized(model: nn.Model, path: Path, how: str) -> bytes:
    made = path.with_name(f"{how}.onnx")
    if how == "dynamic":
        quantization.quantize_dynamic(path, made)
    else:
        name = model.inputs[0].node.layer.name
        channels = how == "by channel"
        quantization.quantize_static(path, made, Calibration(name), per_channel=channels)
    return made.read_bytes()


@pytest.mark.parametrize("how", ["dynamic", "static", "by channel"])
def test_a_quantized_file_gives_what_its_network_gave_and_trains(network, how):
    model, path = network
    data = quantized(model, path, how)
    wanted, (rounded,) = model.predict_on_batch(INPUTS), runtime(data, INPUTS)
    loaded = nn.io.load(data)
    made = loaded.predict_on_batch(INPUTS)
    # Only its weights are rounded here, there every value is.
    assert np.abs(made - wanted).max() < np.abs(rounded - wanted).max() < 0.01
    loaded.compile("adam", "sparse_categorical_crossentropy")
    losses = [loaded.train_on_batch(INPUTS, np.arange(16) % 5) for _ in range(10)]
    assert losses[-1] < losses[0]


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(CODES)),
    st.floats(2**-7, 1, width=32),
    st.one_of(st.none(), st.integers(0, 127)),
)
def test_values_of_whole_steps_are_what_onnx_runtime_makes_of_them(kind, scale, zero):
    numbers = {"s": np.float32(scale)} | ({} if zero is None else {"z": np.array(zero, kind)})
    given = [*numbers]
    nodes = [
        node("QuantizeLinear", ["x", *given], "q"),
        node("DequantizeLinear", ["q", *given], "y"),
    ]
    data = graph(nodes, numbers, (1, 700))
    steps = np.arange(-350, 350, dtype=np.float32)[None] * np.float32(scale)
    (expected,) = runtime(data, steps)
    made = nn.io.load(data).predict_on_batch(steps)
    np.testing.assert_allclose(made, expected, rtol=1e-6)
    between = steps + np.float32(scale) * 0.4  # which is rounded there
    near = runtime(data, between)[0] - nn.io.load(data).predict_on_batch(between)
    assert np.abs(near).max() <= 0.51 * scale


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("kind", [*CODES, "int16"])
def test_weights_of_whole_numbers_become_floats(kind, axis):
    w, many = RNG.integers(-100, 100, (6, 4)).astype(kind), 1 if axis is None else (6, 4)[axis]
    shape = () if axis is None else (many,)
    constants = {
        "w": w, "s": np.abs(random(*shape)) + 0.1, "z": np.full(shape, 3, kind), "v": random(6, 4),
    }  # fmt: skip
    more = {} if axis is None else {"axis": axis}
    nodes = [
        node("DequantizeLinear", ["w", "s", "z"], "a", **more),
        node("QuantizeLinear", ["v", "s", "z"], "q", **more),
        node("DequantizeLinear", ["q", "s", "z"], "b", **more),
        node("Add", ["a", "b"], "k"),
        node("MatMul", ["x", "k"], "y"),
    ]
    data, x = graph(nodes, constants, (1, 6), opset=21), random(3, 6)
    np.testing.assert_allclose(
        nn.io.load(data).predict_on_batch(x), runtime(data, x)[0], rtol=1e-5, atol=1e-4
    )


PARTS = [node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])]
SCALED = [
    node("Cast", ["i"], "f", to=TensorProto.FLOAT),
    node("Mul", ["s", "ws"], "scale"),
    node("Mul", ["f", "scale"], "y"),
]


@pytest.mark.parametrize("zeros", ["none", "one", "many"])
@pytest.mark.parametrize("operator", ["MatMulInteger", "ConvInteger"])
def test_products_of_whole_numbers_are_those_of_the_floats_that_they_mean(operator, zeros):
    conv = operator == "ConvInteger"
    shape, entry = ((5, 3, 2, 2), (1, 3, 6, 6)) if conv else ((6, 5), (1, 6))
    w = RNG.integers(0, 255, shape).astype(np.uint8)
    zero = {"none": None, "one": np.uint8(120), "many": RNG.integers(99, 140, 5).astype(np.uint8)}
    held = {"w": w, "ws": np.float32(0.01)} | ({} if zeros == "none" else {"wz": zero[zeros]})
    product = node(operator, ["q", "w", "z", *(["wz"] if zeros != "none" else [])], "i")
    data = graph([*PARTS, product, *SCALED], held, entry)
    x = random(4, *entry[1:])
    offset = np.float32(0 if zeros == "none" else zero[zeros])
    offset = offset.reshape(-1, 1, 1, 1) if conv and offset.size > 1 else offset
    plain = node("Conv" if conv else "MatMul", ["x", "k"], "y")
    (expected,) = runtime(graph([plain], {"k": (w - offset) * np.float32(0.01)}, entry), x)
    made = nn.io.load(data).predict_on_batch(x.transpose(0, 2, 3, 1) if conv else x)
    made = made.transpose(0, 3, 1, 2) if conv else made
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)


HELD = {
    "s": np.float32(0.1), "t": np.float32(0.2), "z": np.uint8(3), "w": np.zeros((6, 5), np.uint8),
    "ws": np.float32(0.1), "many": np.ones(6, np.float32), "zeros": np.zeros(6, np.uint8),
    "blocks": np.ones((2, 5), np.float32),
}  # fmt: skip
Q = node("QuantizeLinear", ["x", "s", "z"], "q")
WRONG = {
    "a rounded value that is read as it is": [Q, node("Cast", ["q"], "y", to=1)],
    "another scale": [Q, node("DequantizeLinear", ["q", "t", "z"], "y")],
    "no zero point": [Q, node("DequantizeLinear", ["q", "s"], "y")],
    "a scale of each channel": [
        node("QuantizeLinear", ["x", "many", "zeros"], "q"),
        node("DequantizeLinear", ["q", "many", "zeros"], "y"),
    ],
    "blocks": [
        node("DequantizeLinear", ["w", "blocks"], "k", axis=0, block_size=3),
        node("MatMul", ["x", "k"], "y"),
    ],
    "whole numbers of the input": [
        node("Cast", ["x"], "c", to=TensorProto.UINT8),
        node("MatMulInteger", ["c", "w"], "i"),
        node("Cast", ["i"], "y", to=1),
    ],
    "a scale that is read for itself": [
        node("DynamicQuantizeLinear", ["x"], ["q", "s0", "z0"]), node("Add", ["x", "s0"], "y"),
    ],
    "a bias by the scale": [
        node("DynamicQuantizeLinear", ["x"], ["q", "s0", "z0"]),
        node("Mul", ["s0", "ws"], "both"), node("Div", ["many", "both"], "b"),
        node("Add", ["x", "b"], "y"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("which", WRONG)
def test_what_floats_would_not_give_is_refused_by_operator_and_node(which):
    used = {name for each in WRONG[which] for name in each.input}
    data = graph(WRONG[which], {n: a for n, a in HELD.items() if n in used}, (1, 6), opset=21)
    with pytest.raises(errors.UnsupportedError, match=r"onnx \w+ '\w+ of \w+'"):
        nn.io.load(data)
