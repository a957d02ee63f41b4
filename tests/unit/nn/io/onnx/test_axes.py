"""The order of axes of an imported graph: images channels-last, all else as in the graph."""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

RNG = np.random.default_rng(0)
CHANNELS, SIZE = 3, 6


def last(x: Any) -> Any:
    """Return an image with its channels last, and anything else as it is."""
    return np.moveaxis(x, 1, -1) if x.ndim == 4 else x


def parts(rank: int) -> dict[str, tuple[str, dict[str, Any], list[Any]]]:
    """Return operators with attributes and constants, each by a name; channels stay as many."""
    axes = rank - 2
    kernel = RNG.normal(size=(CHANNELS, CHANNELS, *[2] * axes))
    alone = RNG.normal(size=(CHANNELS, 1, *[2] * axes))
    further = {"pads": [1, 0, 1][:axes] + [0, 1, 1][:axes], "strides": [2, 1, 1][:axes]}
    return {
        "Conv": ("Conv", {"kernel_shape": [2] * axes}, [kernel]),
        "Conv with pads": ("Conv", {"kernel_shape": [2] * axes, **further}, [kernel]),
        "Conv alone": ("Conv", {"kernel_shape": [2] * axes, "group": CHANNELS}, [alone]),
        "ConvTranspose": ("ConvTranspose", {"kernel_shape": [2] * axes, **further}, [kernel]),
        "MaxPool": ("MaxPool", {"kernel_shape": [2] * axes, "strides": [2] * axes}, []),
        "AveragePool": ("AveragePool", {"kernel_shape": [2] * axes, "strides": [2] * axes}, []),
        "GlobalAveragePool": ("GlobalAveragePool", {}, []),
        "BatchNormalization": (
            "BatchNormalization",
            {},
            [RNG.uniform(0.5, 1.5, CHANNELS) for _ in range(4)],
        ),
        "Relu": ("Relu", {}, []),
    }


def graph(rank: int, names: list[str]) -> Any:
    """Return a graph that applies the named operators one after the other."""
    known = parts(rank)
    nodes, constants, value = [], [], "x"
    for number, name in enumerate(names):
        operator, attributes, arrays = known[name]
        given = [f"c{number}_{i}" for i in range(len(arrays))]
        constants += [
            numpy_helper.from_array(a.astype("f4"), n) for a, n in zip(arrays, given, strict=True)
        ]
        nodes.append(helper.make_node(operator, [value, *given], [f"y{number}"], **attributes))
        value = f"y{number}"
    shapes: list[Any] = ["n", CHANNELS, *[SIZE] * (rank - 2)]
    ends = [
        helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shapes),
        helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, None),
    ]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()


CASES = [
    (rank, names) for rank in (3, 4, 5) for names in ([name] for name in parts(3) if name != "Relu")
] + [(rank, ["Conv", "BatchNormalization", "Relu", "Conv"]) for rank in (3, 4, 5)]


@pytest.mark.parametrize(("rank", "names"), CASES, ids=str)
def test_both_ends_have_one_order(rank: int, names: list[str]) -> None:
    data = graph(rank, names)
    x = RNG.normal(size=(2, CHANNELS, *[SIZE] * (rank - 2))).astype(np.float32)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    model = nn.io.load(data)
    assert model.input_shape[1:] == last(x).shape[1:]
    np.testing.assert_allclose(model.predict_on_batch(last(x)), last(expected), atol=1e-5)
