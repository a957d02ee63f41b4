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
CONVOLVED = (3, 4)
"""Ranks that a Conv of the engine has."""


def last(x: Any) -> Any:
    """Return an image with its channels last, and anything else as it is."""
    return np.moveaxis(x, 1, -1) if x.ndim == 4 else x


def parts(rank: int) -> list[tuple[str, dict[str, Any], list[Any]]]:
    """Return operators with their constants, the channels of whose values are the second axis."""
    statistics = [RNG.uniform(0.5, 1.5, CHANNELS) for _ in range(4)]
    found = [("BatchNormalization", {}, statistics), ("Relu", {}, [])]
    if rank in CONVOLVED:
        kernel = RNG.normal(size=(CHANNELS, CHANNELS, *[2] * (rank - 2)))
        found.insert(0, ("Conv", {"kernel_shape": [2] * (rank - 2)}, [kernel]))
    return found  # type: ignore[return-value]


def graph(rank: int, names: list[str]) -> Any:
    """Return a graph that applies the named operators one after the other."""
    known = {part[0]: part for part in parts(rank)}
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
    (rank, names)
    for rank in (3, 4, 5)
    for names in (["Conv"], ["BatchNormalization"], ["Conv", "BatchNormalization", "Relu", "Conv"])
    if rank in CONVOLVED or "Conv" not in names
]


@pytest.mark.parametrize(("rank", "names"), CASES, ids=str)
def test_both_ends_have_one_order(rank: int, names: list[str]) -> None:
    data = graph(rank, names)
    x = RNG.normal(size=(2, CHANNELS, *[SIZE] * (rank - 2))).astype(np.float32)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": x})
    model = nn.io.load(data)
    assert model.input_shape[1:] == last(x).shape[1:]
    np.testing.assert_allclose(model.predict_on_batch(last(x)), last(expected), atol=1e-5)
