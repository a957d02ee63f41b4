"""Conversion of trained networks' weights to files of the engine, as small as tests allow.

EfficientNet-Lite0's kernels become uint8, with one step for each tensor; those of its depthwise
convolutions and of its first blocks, which are small, float16: 5.2 MB in place of 18.8. First the
filters of a convolution are divided by their largest weight, so that one step suits them all; its
normalization takes it back exactly. Then what rounding changes in the mean of each output is
taken back, with inputs as normalization states them (Nagel et al. 2019,
https://arxiv.org/abs/1906.04721, 4.2.1): of 100 crops, 98 keep their label in place of 92.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools import torch_checkpoint

Floats = NDArray[np.float32]

# As in nn.applications.efficientnet_lite0, which these are the weights of.
EPSILON = 1e-3
REPEATS = (1, 2, 2, 3, 3, 4, 1)
HALVES = ("*_dwconv/kernel", "stem_conv/kernel", "block[123]?_*_conv/kernel", "*_bn/gamma",
          "*_bn/beta", "*_bn/moving_mean")  # fmt: skip
LARGE = ("block[4567]?_*_conv/kernel", "top_conv/kernel", "predictions/kernel")
QUANTIZATION = {"float16": HALVES, "uint8": LARGE}
NORMS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
         "moving_variance": "running_var"}  # fmt: skip


def efficientnet_lite0(checkpoint: bytes) -> bytes:
    """Return the `.npz` of the weights in PyTorch's checkpoint.

    Raises:
        CheckpointError: it is not one.
        KeyError: it is not of this network.
    """
    from nn.io import npz  # imported here: NumPy is what most vendored files do without

    tensors = torch_checkpoint.read(checkpoint)
    return npz.encode({"weights": corrected(weights(tensors))}, QUANTIZATION)


def weights(tensors: dict[str, Any]) -> dict[str, Any]:
    """Return the weights by the paths of the engine's model, filters divided by their largest."""
    made: dict[str, Any] = {}
    for convolution, norm, theirs, their_norm in _layers():
        kernel = tensors[f"{theirs}.weight"].transpose(2, 3, 1, 0)
        statistics = {ours: tensors[f"{their_norm}.{name}"] for ours, name in NORMS.items()}
        if convolution.endswith("_dwconv"):
            kernel = kernel.transpose(0, 1, 3, 2)
        else:
            kernel, statistics = divided(kernel, statistics)
        made[f"{convolution}/kernel"] = np.ascontiguousarray(kernel, np.float32)
        made |= {f"{norm}/{name}": values for name, values in statistics.items()}
    made["predictions/kernel"] = np.ascontiguousarray(tensors["_fc.weight"].T)
    made["predictions/bias"] = tensors["_fc.bias"]
    return made


def divided(kernel: Floats, statistics: dict[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """Divide filters by their largest weight, and let the normalization give the same.

    The variance takes in what changes for epsilon, and may be below zero by less than epsilon.
    """
    largest = np.abs(kernel).max(axis=(0, 1, 2)).astype(np.float64)
    largest[largest == 0] = 1
    variance = (statistics["moving_variance"] + EPSILON) / largest**2 - EPSILON
    changed = {"moving_mean": statistics["moving_mean"] / largest, "moving_variance": variance}
    narrow = {name: values.astype(np.float32) for name, values in changed.items()}
    return (kernel / largest).astype(np.float32), statistics | narrow


def corrected(weights: dict[str, Any]) -> dict[str, Any]:
    """Return the weights with what rounding changes in the means of the outputs taken back."""
    from nn.quantize import quantize_arrays

    rounded = quantize_arrays(weights, QUANTIZATION)
    made = dict(weights)
    means: Any = None  # of the numbers between blocks, which have no activation
    for convolution, norm, _, _ in _layers()[1:]:
        if convolution.endswith("_dwconv"):
            continue
        project = convolution.endswith("_project_conv")
        inputs = _activated(weights, f"{convolution[:7]}_bn") if project else means
        path = f"{convolution}/kernel"
        shift = _shift(inputs, weights[path], rounded[path].dequantize())
        made[f"{norm}/moving_mean"] = np.float32(weights[f"{norm}/moving_mean"] + shift)
        if project:
            ends = weights[f"{norm}/beta"].astype(np.float64)
            means = ends if convolution[6] == "a" else means + ends
    path, inputs = "predictions/kernel", _activated(weights, "top_bn")
    shift = _shift(inputs, weights[path], rounded[path].dequantize())
    made["predictions/bias"] = np.float32(weights["predictions/bias"] - shift)
    return made


def _shift(inputs: Any, kernel: Any, rounded: Any) -> Any:
    """Return the change of each output's mean; the kernel is (1, 1, inputs, outputs) or flat."""
    change = rounded.astype(np.float64) - kernel
    return inputs @ change.reshape(len(inputs), -1)


def _activated(weights: dict[str, Any], norm: str) -> Any:
    """Return the means after relu6 of numbers with the mean beta and the deviation gamma."""
    mean = weights[f"{norm}/beta"].astype(np.float64)
    deviation = np.abs(weights[f"{norm}/gamma"].astype(np.float64)) + 1e-9
    low, high = -mean / deviation, (6 - mean) / deviation
    inside = _below(high) - _below(low)
    return mean * inside + deviation * (_density(low) - _density(high)) + 6 * (1 - _below(high))


def _below(z: Any) -> Any:
    return np.array([(1 + math.erf(value / math.sqrt(2))) / 2 for value in z])


def _density(z: Any) -> Any:
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _layers() -> list[tuple[str, str, str, str]]:
    """Return convolution and normalization, here and in the checkpoint, of all pairs."""
    found = [("stem_conv", "stem_bn", "_conv_stem", "_bn0")]
    blocks = [f"block{stage}{'abcd'[i]}" for stage, n in enumerate(REPEATS, 1) for i in range(n)]
    for number, block in enumerate(blocks):
        theirs = f"_blocks.{number}"
        if number:
            expand = (f"{block}_expand_conv", f"{block}_expand_bn")
            found.append((*expand, f"{theirs}._expand_conv", f"{theirs}._bn0"))
        depthwise = (f"{block}_dwconv", f"{block}_bn")
        found.append((*depthwise, f"{theirs}._depthwise_conv", f"{theirs}._bn1"))
        project = (f"{block}_project_conv", f"{block}_project_bn")
        found.append((*project, f"{theirs}._project_conv", f"{theirs}._bn2"))
    return [*found, ("top_conv", "top_bn", "_conv_head", "_bn1")]


NETWORKS = {"efficientnet_lite0": efficientnet_lite0}
"""Name -> conversion of the bytes of its checkpoint."""


def convert(name: str, checkpoint: bytes) -> bytes:
    """Return the engine's file of a network."""
    engine = str(Path(__file__).resolve().parent.parent / "py")
    if engine not in sys.path:
        sys.path.append(engine)
    return NETWORKS[name](checkpoint)
