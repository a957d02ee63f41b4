"""ONNX: export of models as inference graphs, import of feed-forward graphs for training.

>>> data = save(model)                 # for onnxruntime, ONNX Runtime Web and Netron
>>> model = load(data)                 # for example from PyTorch's exporter; then compile and fit
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nn.io.limits import DEFAULT_LIMITS, Limits
from nn.io.onnx import read
from nn.lazy import load as part

if TYPE_CHECKING:
    from nn.models.model import Model


def save(model: Model) -> bytes:
    """Return the inference graph of a model, with the model's inputs and outputs.

    Raises:
        UnsupportedError: ONNX lacks a layer or activation.
    """
    data: bytes = part("nn.io.onnx.write").export(model)
    return data


def load(data: bytes, *, limits: Limits = DEFAULT_LIMITS, **options: Any) -> Model:
    """Return the model of a graph; see `nn.io.onnx.read.load` for options and errors."""
    shapes: Mapping[str, Any] | None = options.get("input_shapes")
    return read.load(data, input_shapes=shapes, limits=limits)
