"""Make ONNX Runtime's training artifacts, once: `tests/bench/data/ort/*.gz`.

Needs an environment of its own (Python 3.11, numpy<2, onnx==1.16.2, torch==2.13.0 and
onnxruntime-training==1.19.2); the bench itself needs only what this wrote. Parameters are zero in
the checkpoints, so they compress to nothing: the peer loads the shared initial weights.

    python -m tests.bench.make_ort_artifacts
"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.training import artifacts, onnxblock  # type: ignore[import-untyped]

from tests.bench.networks import NETWORKS, onnx_weights

FOLDER = Path(__file__).parent / "data" / "ort"
PARTS = ("training_model.onnx", "eval_model.onnx", "optimizer_model.onnx", "checkpoint")
BATCH = 128  # of the LSTM: its initial state has a fixed shape


class Graph:
    """An ONNX graph in the making: nodes in a chain, initializers, the name at its end."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.end = "x"

    def parameter(self, name: str, array: Any | None = None) -> str:
        """Add an initializer; the weights to train are zero, they are loaded later."""
        if array is None:
            array = self.weights[name]
            array = array if "running" in name else np.zeros_like(array)
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, kind: str, *parameters: str, **attributes: Any) -> None:
        """Add a node that takes the chain's end and gives the new one."""
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.end, *parameters], [output], **attributes))
        self.end = output


def _add_layer(graph: Graph, index: int, name: str, options: dict[str, Any]) -> None:
    given = [key for key in graph.weights if key.startswith(f"{index}.")]
    if name == "Conv2D":
        side = options["kernel_size"]
        pad = side // 2 if options.get("padding") == "same" else 0
        parameters = [graph.parameter(key) for key in given]
        graph.add("Conv", *parameters, kernel_shape=[side, side], pads=[pad] * 4)
    elif name == "BatchNormalization":
        parameters = [graph.parameter(key) for key in given]
        graph.add("BatchNormalization", *parameters, epsilon=1e-3, momentum=0.99)
    elif name == "Dense":
        graph.add("Gemm", *(graph.parameter(key) for key in given), transB=1)
    elif name == "LSTM":
        _add_lstm(graph, index, options["units"])
    elif name == "MaxPooling2D":
        graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    elif name == "Flatten":
        graph.add("Flatten")
    elif name == "Reshape":
        graph.parameter("window", np.array([-1, *options["target_shape"]], np.int64))
        graph.add("Reshape", "window")
    if options.get("activation") == "relu":
        graph.add("Relu")


def _add_lstm(graph: Graph, index: int, units: int) -> None:
    """Add an LSTM that gives its last output; ONNX wants time first.

    The initial state is spelled out: without it 1.19.2 makes an invalid gradient graph ("Type
    'tensor(float)' of input parameter of operator (LSTMGrad) is invalid").
    """
    graph.add("Transpose", perm=[1, 0, 2])
    names = [graph.parameter(f"{index}.lstm_{part}") for part in ("ih", "hh", "bias")]
    state = np.zeros((1, BATCH, units), np.float32)
    initial = [graph.parameter(name, state) for name in ("initial_h", "initial_c")]
    inputs, outputs = [graph.end, *names, "", *initial], ["lstm_all", "lstm_last"]
    graph.nodes.append(helper.make_node("LSTM", inputs, outputs, hidden_size=units))
    graph.end = "lstm_last"
    graph.parameter("rows", np.array([-1, units], np.int64))
    graph.add("Reshape", "rows")


def model(network: str) -> Any:
    """Return the network as an ONNX model from (batch, 1, 28, 28) to logits."""
    graph = Graph(dict(onnx_weights(network)))
    for index, (name, options) in enumerate(NETWORKS[network]):
        _add_layer(graph, index, name, options)
    graph.nodes[-1].output[0] = "logits"
    shapes: dict[str, list[Any]] = {"x": ["batch", 1, 28, 28], "logits": ["batch", 10]}
    x, logits = (helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in shapes.items())
    body = helper.make_graph(graph.nodes, network, [x], [logits], graph.initializers)
    made = helper.make_model(body, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def _trainable(made: Any) -> list[str]:
    names = [each.name for each in made.graph.initializer]
    return [n for n in names if "." in n and "running" not in n]


def write_training(network: str) -> None:
    """Write the four artifacts that a training session opens, gzipped."""
    made = model(network)
    frozen = [each.name for each in made.graph.initializer if "running" in each.name]
    adam = onnxblock.optim.AdamW(eps=1e-7, weight_decay=0.0)
    with tempfile.TemporaryDirectory() as folder:
        artifacts.generate_artifacts(
            made,
            requires_grad=_trainable(made),
            frozen_params=frozen,
            loss=artifacts.LossType.CrossEntropyLoss,
            optimizer=adam,
            artifact_directory=folder,
            additional_output_names=["logits"],
        )
        for part in PARTS:
            packed = gzip.compress((Path(folder) / part).read_bytes(), 9, mtime=0)
            (FOLDER / f"{network}.{part}.gz").write_bytes(packed)


def inference_model(network: str) -> bytes:
    """Return the plain network, its weights left in the file that the bench writes beside it."""
    made, offset = model(network), 0
    for tensor in made.graph.initializer:
        size = len(tensor.raw_data)
        place = {"location": f"{network}.onnx.f32", "offset": offset, "length": size}
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        offset += size
    packed: bytes = made.SerializeToString()
    return packed


def main() -> None:
    """Write every network's training artifacts and the seed network's inference graph."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for network in NETWORKS:
        write_training(network)
    inference = gzip.compress(inference_model("seed"), 9, mtime=0)
    (FOLDER / "seed.inference.onnx.gz").write_bytes(inference)


if __name__ == "__main__":
    main()
