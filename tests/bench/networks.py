"""The benched networks, their initial weights and their batches: one source for every peer.

A network is a list of `(Keras layer name, keyword arguments)`, so each peer builds it in its own
words. Weights are Glorot uniform from one seed, in Keras' order and layout (NHWC), and are also
written in the layout of PyTorch and ONNX (NCHW) for the peers that want it.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Layer = tuple[str, dict[str, Any]]
SEED = 1234
IMAGES = 8192  # enough for 64 different batches of 128 and 16 of 512
INPUT_SHAPE = (28, 28, 1)


def _block(filters: int) -> list[Layer]:
    """Convolution, batch norm, relu, pooling: one stage of the "same" network."""
    convolution = {
        "filters": filters,
        "kernel_size": 3,
        "padding": "same",
        "use_bias": False,
    }
    return [
        ("Conv2D", convolution),
        ("BatchNormalization", {}),
        ("Activation", {"activation": "relu"}),
        ("MaxPooling2D", {"pool_size": 2}),
    ]


NETWORKS: dict[str, list[Layer]] = {
    "seed": [
        ("Conv2D", {"filters": 8, "kernel_size": 3, "activation": "relu"}),
        ("MaxPooling2D", {"pool_size": 2}),
        ("Conv2D", {"filters": 16, "kernel_size": 3, "activation": "relu"}),
        ("MaxPooling2D", {"pool_size": 2}),
        ("Flatten", {}),
        ("Dense", {"units": 128, "activation": "relu"}),
        ("Dense", {"units": 10}),
    ],
    "lenet": [
        ("Conv2D", {"filters": 6, "kernel_size": 5, "padding": "same", "activation": "relu"}),
        ("MaxPooling2D", {"pool_size": 2}),
        ("Conv2D", {"filters": 16, "kernel_size": 5, "activation": "relu"}),
        ("MaxPooling2D", {"pool_size": 2}),
        ("Flatten", {}),
        ("Dense", {"units": 120, "activation": "relu"}),
        ("Dense", {"units": 84, "activation": "relu"}),
        ("Dense", {"units": 10}),
    ],
    "cnn_bn": [*_block(32), *_block(64), *_block(128), ("Flatten", {}), ("Dense", {"units": 10})],
    "mlp": [
        ("Flatten", {}),
        ("Dense", {"units": 500, "activation": "relu"}),
        ("Dense", {"units": 10}),
    ],
    "lstm": [
        ("Reshape", {"target_shape": [28, 28]}),
        ("LSTM", {"units": 64}),  # the size of Keras' guide to recurrent layers on these rows
        ("Dense", {"units": 10}),
    ],
}


def _glorot(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    receptive = int(np.prod(shape[:-2]))
    limit = np.sqrt(6 / (receptive * (shape[-2] + shape[-1])))
    return random.uniform(-limit, limit, shape).astype(np.float32)


def _zeros(length: int) -> Array:
    return np.zeros(length, np.float32)


def _convolved(length: int, kernel: int, padding: str) -> int:
    return length if padding == "same" else length - kernel + 1


def initial_weights(network: str) -> list[Array]:
    """Return the network's weights in Keras' order and layout, float32; the same at every call."""
    random = np.random.default_rng(SEED)
    weights: list[Array] = []
    shape: tuple[int, ...] = INPUT_SHAPE
    for name, options in NETWORKS[network]:
        made, shape = _layer_weights(random, name, options, shape)
        weights += made
    return weights


def _layer_weights(
    random: np.random.Generator, name: str, options: dict[str, Any], shape: tuple[int, ...]
) -> tuple[list[Array], tuple[int, ...]]:
    """Return one layer's weights and its output shape (without the batch axis)."""
    if name == "Conv2D":
        side, filters = options["kernel_size"], options["filters"]
        kernel = _glorot(random, (side, side, shape[2], filters))
        height, width = (_convolved(n, side, options.get("padding", "valid")) for n in shape[:2])
        bias = [_zeros(filters)] if options.get("use_bias", True) else []
        return [kernel, *bias], (height, width, filters)
    if name == "BatchNormalization":
        ones = np.ones(shape[-1], np.float32)
        return [ones, _zeros(shape[-1]), _zeros(shape[-1]), ones.copy()], shape
    if name == "Dense":
        units = options["units"]
        return [_glorot(random, (shape[0], units)), _zeros(units)], (units,)
    if name == "LSTM":
        units = options["units"]
        kernels = [_glorot(random, (rows, 4 * units)) for rows in (shape[1], units)]
        return [*kernels, _zeros(4 * units)], (units,)
    if name == "MaxPooling2D":
        return [], (shape[0] // 2, shape[1] // 2, shape[2])
    if name == "Flatten":
        return [], (int(np.prod(shape)),)
    return [], tuple(options.get("target_shape", shape))


def nchw_weights(network: str) -> list[tuple[str, Array]]:
    """Return the same weights as `(name, array)` in the layout of PyTorch and ONNX.

    Convolution kernels are OIHW, dense kernels (out, in); the first dense kernel after a
    convolution has its rows reordered, because those peers flatten channels first. Gates of an
    LSTM keep Keras' order i, f, c, o, which is PyTorch's.
    """
    weights = iter(initial_weights(network))
    shape: tuple[int, ...] = INPUT_SHAPE
    flattened: tuple[int, ...] = ()
    named: list[tuple[str, Array]] = []
    random = np.random.default_rng(0)
    for index, (name, options) in enumerate(NETWORKS[network]):
        before = shape
        made, shape = _layer_weights(random, name, options, shape)
        arrays = [next(weights) for _ in made]
        if name == "Flatten":
            flattened = before
        if name == "Conv2D":
            arrays[0] = arrays[0].transpose(3, 2, 0, 1)
        if name == "Dense":
            arrays[0] = _channels_first(arrays[0], flattened).T
            flattened = ()
        if name == "LSTM":
            arrays[:2] = [a.T for a in arrays[:2]]
        tags = _PARAMETERS.get(name, ())
        named += [
            (f"{index}.{tag}", np.ascontiguousarray(a))
            for tag, a in zip(tags, arrays, strict=False)
        ]
    return named


_PARAMETERS = {
    "Conv2D": ("weight", "bias"),
    "Dense": ("weight", "bias"),
    "BatchNormalization": ("weight", "bias", "running_mean", "running_var"),
    "LSTM": ("lstm_ih", "lstm_hh", "lstm_bias"),
}


def _channels_first(kernel: Array, flattened: tuple[int, ...]) -> Array:
    """Reorder a dense kernel's rows from flattened (h, w, c) to flattened (c, h, w)."""
    if len(flattened) != 3:
        return kernel
    return kernel.reshape(*flattened, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)


def onnx_weights(network: str) -> list[tuple[str, Array]]:
    """Return the weights as ONNX wants them: like PyTorch's, but for an LSTM's gates and bias."""
    return [(name, _onnx_lstm(name, array)) for name, array in nchw_weights(network)]


def _onnx_lstm(name: str, array: Array) -> Array:
    """Reorder an LSTM's gates to i, o, f, c; one direction; a second, zero bias."""
    if ".lstm_" not in name:
        return array
    i, f, c, o = np.split(array, 4)
    ordered = np.concatenate([i, o, f, c])
    if name.endswith("bias"):
        ordered = np.concatenate([ordered, np.zeros_like(ordered)])
    packed: Array = ordered[None]
    return packed


def _idx(path: Path, header: int) -> Array:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def write_data(mnist: Path, folder: Path) -> None:
    """Write what the peers read: shuffled real images and labels, weights and the networks."""
    folder.mkdir(parents=True, exist_ok=True)
    images = _idx(mnist / "train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = _idx(mnist / "train-labels-idx1-ubyte.gz", 8)
    order = np.random.default_rng(SEED).permutation(len(images))[:IMAGES]
    (folder / "images.u8").write_bytes(images[order].tobytes())
    (folder / "labels.u8").write_bytes(labels[order].tobytes())
    (folder / "networks.json").write_text(json.dumps(NETWORKS))
    for network in NETWORKS:
        write_weights(network, folder)


def write_weights(network: str, folder: Path) -> None:
    """Write a network's weights in both layouts, with the names and shapes beside them."""
    nhwc, nchw = initial_weights(network), nchw_weights(network)
    trained = [a for name, a in onnx_weights(network) if "running" not in name]
    (folder / f"{network}.nhwc.f32").write_bytes(b"".join(a.tobytes() for a in nhwc))
    (folder / f"{network}.nchw.f32").write_bytes(b"".join(a.tobytes() for _, a in nchw))
    (folder / f"{network}.onnx.f32").write_bytes(b"".join(a.tobytes() for a in trained))
    shapes = {
        "nhwc": [list(a.shape) for a in nhwc],
        "nchw": [[name, list(a.shape)] for name, a in nchw],
    }
    (folder / f"{network}.shapes.json").write_text(json.dumps(shapes))
