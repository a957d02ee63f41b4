"""Conversion of trained networks' weights to files of the engine, as small as tests allow.

EfficientNet-Lite0's kernels become uint8, with one step for each tensor; those of its first blocks,
which are small, and the numbers of its normalizations float16: 4.9 MB in place of 18.8. First the
filters of a convolution are scaled until one weight of each lies on an end of the 256 steps, so
that one step suits them all and the largest weights are exact; its normalization takes the scale
back exactly. Weights are rounded up or down so that the errors of a filter
add up to nothing where its inputs have their means, and in a depthwise filter, whose inputs are
neighbours, where they are equal. What is left of the change in the mean of each output is taken
back, with inputs as normalization states them (Nagel et al. 2019,
https://arxiv.org/abs/1906.04721, 4.2.1).
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
HALVES = ("stem_conv/kernel", "block[12]?_*_conv/kernel", "block3a_*_conv/kernel",
          "block[123]?_dwconv/kernel", "*_bn/*")  # fmt: skip
LARGE = ("block3b_*_conv/kernel", "block[4567]?_*conv/kernel", "top_conv/kernel",
         "predictions/kernel")  # fmt: skip
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
    """Return the weights by the paths of the engine's model, filters scaled to the steps."""
    made: dict[str, Any] = {}
    for convolution, norm, theirs, their_norm in _layers():
        kernel = tensors[f"{theirs}.weight"].transpose(2, 3, 1, 0)
        statistics = {ours: tensors[f"{their_norm}.{name}"] for ours, name in NORMS.items()}
        kernel, statistics = divided(kernel, statistics)
        if convolution.endswith("_dwconv"):
            kernel = kernel.transpose(0, 1, 3, 2)
        made[f"{convolution}/kernel"] = np.ascontiguousarray(kernel, np.float32)
        made |= {f"{norm}/{name}": values for name, values in statistics.items()}
    made["predictions/kernel"] = np.ascontiguousarray(tensors["_fc.weight"].T)
    made["predictions/bias"] = tensors["_fc.bias"]
    return made


def divided(kernel: Floats, statistics: dict[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """Scale filters to steps of 1/128 from -1 to 127/128, and let the normalization give the same.

    One weight of each lies on an end. The variance takes in what changes for epsilon, and may be
    below zero by less than epsilon. Filters whose output never varied stay: their weights are as
    good as zero.
    """
    flat = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    size = np.maximum(flat.max(axis=0) * 128 / 127, -flat.min(axis=0))
    size[(size == 0) | (statistics["moving_variance"] == 0)] = 1
    variance = (statistics["moving_variance"] + EPSILON) / size**2 - EPSILON
    changed = {"moving_mean": statistics["moving_mean"] / size, "moving_variance": variance}
    narrow = {name: values.astype(np.float32) for name, values in changed.items()}
    return (kernel / size).astype(np.float32), statistics | narrow


def corrected(weights: dict[str, Any]) -> dict[str, Any]:
    """Return the weights as they are stored, the means of the outputs being those of before."""
    made = dict(weights)
    means: Any = None  # of the numbers between blocks, which have no activation
    for convolution, norm, _, _ in _layers()[1:]:
        path, block = f"{convolution}/kernel", convolution[:7]
        if convolution.endswith("_dwconv"):
            before = "stem_bn" if block == "block1a" else f"{block}_expand_bn"
            flat = weights[path].reshape(-1, weights[path].shape[2])
            kernel = rounded(flat, path, np.ones(len(flat)))
            shift = (kernel - flat.astype(np.float64)).sum(0) * _activated(weights, before)
        else:
            project = convolution.endswith("_project_conv")
            inputs = _activated(weights, f"{block}_bn") if project else means
            kernel, shift = _rounded(weights[path], path, inputs)
            if project:
                ends = weights[f"{norm}/beta"].astype(np.float64)
                means = ends if convolution[6] == "a" else means + ends
        made[path] = kernel.reshape(weights[path].shape)
        made[f"{norm}/moving_mean"] = np.float32(weights[f"{norm}/moving_mean"] + shift)
    path = "predictions/kernel"
    made[path], shift = _rounded(weights[path], path, _activated(weights, "top_bn"))
    made["predictions/bias"] = np.float32(weights["predictions/bias"] - shift)
    return made


def _rounded(kernel: Any, path: str, inputs: Any) -> tuple[Any, Any]:
    """Return a kernel as it is stored, and by how much the mean of each output changes."""
    flat = kernel.reshape(len(inputs), -1)
    made = rounded(flat, path, inputs)
    return made, inputs @ (made - flat.astype(np.float64))


def rounded(kernel: Floats, path: str, inputs: Any) -> Floats:
    """Return a kernel (inputs, outputs) with the values that are stored.

    uint8 are rounded the other way where that costs least, until the errors of an output add up to
    nothing for these inputs. The least and the largest stay: they say how large a step is.
    """
    from nn.quantize import choose_dtypes, quantize

    stored = quantize(kernel, choose_dtypes([path], QUANTIZATION)[path])
    if stored.dtype == "float16":
        return stored.dequantize()
    near = stored.data.astype(np.float64)
    error = near - (kernel.astype(np.float64) - stored.minimum) / stored.scale
    left = inputs @ error
    gain = np.sign(error) * inputs[:, None] * np.sign(left)  # of rounding the other way
    free = (gain > 0) & (near > 0) & (near < 255)
    cost = np.divide(1 - 2 * np.abs(error), gain, out=np.full_like(gain, np.inf), where=free)
    order = np.argsort(cost, axis=0, kind="stable")
    sums = np.cumsum(np.take_along_axis(np.where(free, gain, 0), order, 0), axis=0)
    count = np.abs(np.abs(left) - np.vstack([np.zeros_like(left), sums])).argmin(axis=0)
    other = np.zeros_like(free)
    np.put_along_axis(other, order, np.arange(len(near))[:, None] < count, 0)
    values = (near - np.where(other, np.sign(error), 0)) * stored.scale + stored.minimum
    made: Floats = values.astype(np.float32)
    return made


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
