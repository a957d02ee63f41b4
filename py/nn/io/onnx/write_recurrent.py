"""Conversion of recurrent layers to ONNX: RNN, LSTM and GRU of one direction or both.

In ONNX time is the first axis, weights are (1, gates * units, inputs) with the direction first, and
LSTM's gates have the order i, o, f, c (https://onnx.ai/onnx/operators/onnx__LSTM.html).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.io.errors import UnsupportedError
from nn.io.onnx.writer import Image, Shape, Writer

Array = NDArray[np.generic]

# Operator, and the index of each ONNX gate in Keras' order.
OPERATORS = {"SimpleRNN": ("RNN", [0]), "LSTM": ("LSTM", [0, 3, 1, 2]), "GRU": ("GRU", [0, 1, 2])}

# Keras' name -> ONNX' name, alpha, beta.
FUNCTIONS: dict[str, tuple[str, list[float], list[float]]] = {
    "tanh": ("Tanh", [], []),
    "sigmoid": ("Sigmoid", [], []),
    "relu": ("Relu", [], []),
    "linear": ("Affine", [1.0], [0.0]),
    "leaky_relu": ("LeakyRelu", [0.2], []),
    "hard_sigmoid": ("HardSigmoid", [1 / 6], [0.5]),
    "keras2_hard_sigmoid": ("HardSigmoid", [0.2], [0.5]),
    "elu": ("Elu", [1.0], []),
    "softsign": ("Softsign", [], []),
    "softplus": ("Softplus", [], []),
}


def export(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> list[Image]:
    """Append the layer's nodes; return its output, and its states with `return_state`.

    Raises:
        UnsupportedError: ONNX' recurrent operators lack an activation, or the layer is stateful.
    """
    if layer.stateful:
        raise UnsupportedError(f"{layer.name}: ONNX keeps no state from run to run (stateful=True)")
    operator, order = OPERATORS[type(layer).__name__]
    x = writer.add("Transpose", [writer.last(inputs[0])], perm=[1, 0, 2])
    if layer.go_backwards:
        x = _reverse(writer, x)
    states = [_with_direction(writer, writer.last(image)) for image in inputs[1:]]
    # Input 4, the sequence lengths, is absent: all sequences are complete.
    given = [x, *_weights(writer, layer, order), "", *states]
    options: dict[str, Any] = {"linear_before_reset": 1} if getattr(layer, "reset_after", 0) else {}
    outputs = writer.add_several(
        operator,
        given,
        2 + (operator == "LSTM"),
        hidden_size=layer.units,
        **_functions(layer, operator),
        **options,
    )
    sequence, *last = outputs
    ends = [writer.add("Squeeze", [name, writer.axes(0)]) for name in last]
    if layer.return_sequences:
        steps = writer.add("Squeeze", [sequence, writer.axes(1)])
        output = writer.add("Transpose", [steps], perm=[1, 0, 2])
    else:
        output = ends[0]
    kept = ends if layer.return_state else []
    return [Image(shape, last=output), *(Image((None, layer.units), last=end) for end in kept)]


_MERGES = {"sum": "Add", "mul": "Mul", "ave": "Mean"}


def both_directions(writer: Writer, layer: Any, inputs: list[Image], shape: Shape) -> list[Image]:
    """Append the nodes of a Bidirectional: one operator for each direction.

    Raises:
        UnsupportedError: ONNX lacks the layer, or one of its settings.
    """
    sequence, *states = inputs
    half = len(states) // 2
    sides, ends = [], []
    for side, given in zip(layer.sublayers, (states[:half], states[half:]), strict=True):
        if type(side).__name__ not in OPERATORS:
            raise UnsupportedError(
                f"layer {layer.name!r}: ONNX export knows no {type(side).__name__} inside"
            )
        size = (*shape[:-1], side.units)
        output, *last = export(writer, side, [sequence, *given], size)
        sides.append(writer.last(output))
        ends += last
    if layer.return_sequences:  # the steps of the second in the order of the first
        backward = writer.add("Transpose", [sides[1]], perm=[1, 0, 2])
        sides[1] = writer.add("Transpose", [_reverse(writer, backward)], perm=[1, 0, 2])
    if layer.merge_mode is None:
        return [*(Image(shape, last=name) for name in sides), *ends]
    if layer.merge_mode == "concat":
        merged = writer.add("Concat", sides, axis=-1)
    else:
        merged = writer.add(_MERGES[layer.merge_mode], sides)
    return [Image(shape, last=merged), *ends]


def _reverse(writer: Writer, name: str) -> str:
    """Append a Slice that reverses the first axis."""
    numbers = {"starts": [-1], "ends": [np.iinfo(np.int64).min], "axes": [0], "steps": [-1]}
    kept = [writer.constant(key, value, np.int64) for key, value in numbers.items()]
    return writer.add("Slice", [name, *kept])


def _with_direction(writer: Writer, name: str) -> str:
    return writer.add("Unsqueeze", [name, writer.axes(0)])


def _weights(writer: Writer, layer: Any, order: list[int]) -> list[str]:
    """Add kernel, recurrent kernel and the two biases, each (1, gates * units, ...)."""
    arrays = {
        "kernel": layer.kernel.value.T,
        "recurrent_kernel": layer.recurrent_kernel.value.T,
        "bias": np.concatenate([in_order(row, order) for row in _biases(layer)]),
    }
    return [
        writer.constant(f"{layer.name}/{name}", (a if name == "bias" else in_order(a, order))[None])
        for name, a in arrays.items()
    ]


def _biases(layer: Any) -> Array:
    """Return the bias of the input and that of the state: (2, gates * units)."""
    width = layer.kernel.value.shape[1]
    rows = np.zeros((2, width), np.float32)
    if layer.bias is not None:
        bias = layer.bias.value.reshape(-1, width)
        rows[: len(bias)] = bias
    return rows


def in_order(array: Array, order: Sequence[int]) -> Array:
    """Put the parts of the first axis, one for each gate, into another order."""
    parts = np.split(array, len(order))
    return np.concatenate([parts[i] for i in order])


def _functions(layer: Any, operator: str) -> dict[str, Any]:
    names = [layer.activation.name]
    if operator != "RNN":
        names = [layer.recurrent_activation.name, *names]
    names += names[-1:] if operator == "LSTM" else []
    unknown = [name for name in names if name not in FUNCTIONS]
    if unknown:
        raise UnsupportedError(f"{layer.name}: ONNX' {operator} has no activation {unknown[0]!r}")
    found = [FUNCTIONS[name] for name in names]
    alphas, betas = ([v for f in found for v in f[i]] for i in (1, 2))
    attributes: dict[str, Any] = {"activations": [f[0] for f in found]}
    attributes |= {"activation_alpha": alphas} if alphas else {}
    return attributes | ({"activation_beta": betas} if betas else {})
