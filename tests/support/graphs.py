"""Graphs of ONNX as exporters write them, and what ONNX Runtime makes of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import nn
import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import (  # type: ignore[import-untyped]
    onnxruntime_pybind11_state as states,
)

REFUSALS = (states.Fail, states.InvalidArgument, states.InvalidGraph, states.NotImplemented,
            states.RuntimeException)  # fmt: skip
"""What ONNX Runtime raises for a graph that it does not take."""

onnxruntime.set_default_logger_severity(4)  # graphs that it refuses are no news to a test


def node(operator: str, inputs: Sequence[str], output: str | list[str], **attributes: Any) -> Any:
    outputs = output if isinstance(output, list) else [output]
    return helper.make_node(
        operator, inputs, outputs, name=f"{operator} of {outputs[0]}", **attributes
    )


def graph(
    nodes: Sequence[Any],
    constants: Mapping[str, Any],
    shape: Sequence[int | str],
    opset: int = 17,
    output: str = "y",
    kind: int = TensorProto.FLOAT,
    entries: Sequence[str] = ("x",),
    beside: Sequence[tuple[str, int]] = (),
) -> bytes:
    """A graph with inputs whose batch has any size.

    Args:
        nodes: the nodes.
        constants: their arrays by name.
        shape: that of each input, with a batch of which only the axis counts.
        opset: the version of the operators.
        output: the output's name.
        kind: the type of each input.
        entries: the inputs' names.
        beside: names and types of further outputs.
    """
    values = {name: np.asarray(value) for name, value in constants.items()}
    inputs = [helper.make_tensor_value_info(name, kind, ["N", *shape[1:]]) for name in entries]
    outputs = [
        helper.make_tensor_value_info(name, code, None)
        for name, code in [(output, TensorProto.FLOAT), *beside]
    ]
    kept = [numpy_helper.from_array(array, name) for name, array in values.items()]
    made = helper.make_graph(nodes, "g", inputs, outputs, kept)
    operators = [helper.make_opsetid("", opset)]
    model = helper.make_model(made, opset_imports=operators, ir_version=8)
    return bytes(model.SerializeToString())


def last(array: Any) -> Any:
    """Images as models here take and give them."""
    return np.moveaxis(array, 1, -1) if array.ndim == 4 else array


def runtime(data: bytes, *inputs: Any) -> Any:
    """What ONNX Runtime gives for a graph as it stands."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def expect_same(data: bytes, *arrays: Any, rtol: float = 1e-5, atol: float = 1e-5) -> Any:
    """Compare what nn and ONNX Runtime predict for each array; return nn's model."""
    model = nn.io.load(data)
    for x in arrays:
        (expected,) = runtime(data, x)
        made = model.predict_on_batch(last(x))
        np.testing.assert_allclose(made, last(expected), rtol=rtol, atol=atol)
    return model
