"""ONNX graphs of torchvision's networks, as PyTorch's exporter writes them, with seeded weights.

Convolutions with folded normalization, Clip or Relu, and names and attributes of
`torch.onnx.export` (opset 17): mobilenet_v2, resnet18 and squeezenet1_1 of torchvision 0.28.
Sources: torchvision/models/mobilenetv2.py, resnet.py, squeezenet.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

OPSET = 17
SIDE = 224
CLASSES = 1000


class Writer:
    """A graph on its way: nodes in order, weights by name.

    Args:
        seed: of the weights.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        name = f"/{operator}_{len(self.nodes)}"
        output = f"{name}_output_0"
        self.nodes.append(helper.make_node(operator, inputs, [output], name, **attributes))
        return output

    def weight(self, name: str, array: Array) -> str:
        self.weights[name] = array.astype(np.float32)
        return name

    def conv(
        self,
        x: str,
        channels: int,
        filters: int,
        size: int,
        stride: int = 1,
        pad: int | None = None,
        groups: int = 1,
    ) -> str:
        """Convolve, with the normalization after it folded in, as the exporter does."""
        name = f"onnx::Conv_{len(self.weights)}"
        inputs = channels // groups
        scale = np.sqrt(2 / (inputs * size * size))
        kernel = self.rng.normal(0, scale, (filters, inputs, size, size))
        weight = self.weight(name, kernel)
        bias = self.weight(f"{name}_bias", self.rng.normal(0, 0.1, filters))
        edge = size // 2 if pad is None else pad
        return self.node(
            "Conv", x, weight, bias, dilations=[1, 1], group=groups, kernel_shape=[size] * 2,
            pads=[edge] * 4, strides=[stride] * 2,
        )  # fmt: skip

    def dense(self, x: str, channels: int) -> str:
        """Flatten the means of the maps and classify."""
        flat = self.node("Flatten", self.node("GlobalAveragePool", x), axis=1)
        weight = self.rng.normal(0, 0.05, (CLASSES, channels))
        bias = self.rng.normal(0, 0.1, CLASSES)
        names = (self.weight("fc.weight", weight), self.weight("fc.bias", bias))
        return self.node("Gemm", flat, *names, alpha=1.0, beta=1.0, transB=1)


def mobilenet_v2(graph: Writer, x: str) -> str:
    low = graph.weight("low", np.array(0.0))
    high = graph.weight("high", np.array(6.0))

    def clipped(value: str) -> str:
        return graph.node("Clip", value, low, high)

    x, channels = clipped(graph.conv(x, 3, 32, 3, 2)), 32
    for factor, filters, repeats, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
        (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for repeat in range(repeats):
            step, wide, y = stride if repeat == 0 else 1, channels * factor, x
            if factor > 1:
                y = clipped(graph.conv(y, channels, wide, 1))
            y = clipped(graph.conv(y, wide, wide, 3, step, groups=wide))
            y = graph.conv(y, wide, filters, 1)
            x = graph.node("Add", x, y) if step == 1 and channels == filters else y
            channels = filters
    return graph.dense(clipped(graph.conv(x, channels, 1280, 1)), 1280)


def resnet18(graph: Writer, x: str) -> str:
    x = graph.node("Relu", graph.conv(x, 3, 64, 7, 2))
    x = graph.node("MaxPool", x, ceil_mode=0, dilations=[1, 1], kernel_shape=[3, 3],
                   pads=[1] * 4, strides=[2, 2])  # fmt: skip
    channels = 64
    for filters in (64, 128, 256, 512):
        for repeat in range(2):
            stride = 2 if filters > 64 and repeat == 0 else 1
            y = graph.node("Relu", graph.conv(x, channels, filters, 3, stride))
            y = graph.conv(y, filters, filters, 3)
            if stride == 2:
                x = graph.conv(x, channels, filters, 1, 2, 0)
            x = graph.node("Relu", graph.node("Add", y, x))
            channels = filters
    return graph.dense(x, channels)


def squeezenet1_1(graph: Writer, x: str) -> str:
    def pooled(value: str) -> str:
        return graph.node("MaxPool", value, ceil_mode=1, dilations=[1, 1], kernel_shape=[3, 3],
                          pads=[0] * 4, strides=[2, 2])  # fmt: skip

    x = pooled(graph.node("Relu", graph.conv(x, 3, 64, 3, 2, 0)))
    channels = 64
    for number, (squeeze, expand) in enumerate(
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
    ):
        if number in (2, 4):
            x = pooled(x)
        y = graph.node("Relu", graph.conv(x, channels, squeeze, 1))
        sides = [graph.node("Relu", graph.conv(y, squeeze, expand, size)) for size in (1, 3)]
        x, channels = graph.node("Concat", *sides, axis=1), 2 * expand
    x = graph.node("Relu", graph.conv(x, channels, CLASSES, 1))
    return graph.node("Flatten", graph.node("GlobalAveragePool", x), axis=1)


NAMES: dict[str, Callable[[Writer, str], str]] = {
    "mobilenet_v2": mobilenet_v2,
    "resnet18": resnet18,
    "squeezenet1_1": squeezenet1_1,
}


def graph(name: str, seed: int) -> bytes:
    """Return the bytes of a network's ONNX file."""
    from onnx import TensorProto, helper, numpy_helper

    writer = Writer(seed)
    output = NAMES[name](writer, "input")
    entry = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])
    leave = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", CLASSES])
    kept = [numpy_helper.from_array(array, name) for name, array in writer.weights.items()]
    made = helper.make_graph(writer.nodes, "main_graph", [entry], [leave], kept)
    operators = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=operators, ir_version=8, producer_name="pytorch")
    data: bytes = model.SerializeToString()
    return data


def case(name: str, seed: int) -> tuple[bytes, Array, Array]:
    """Return the file of a network, images (channels last), and ONNX Runtime's logits for them."""
    import onnxruntime

    data = graph(name, seed)
    images = np.random.default_rng(seed).normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    [logits] = session.run(None, {"input": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})
    return data, images, np.asarray(logits)
