"""The playground's network: dense layers over features, and how its wires are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nn
import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

THINNEST, THICKEST = 0.5, 5.0
"""CSS pixels of a wire: of a weight of 0, and of its layer's largest."""


def build(options: Mapping[str, Any], regression: bool) -> Any:
    """Return a compiled network with weights from the seed.

    Args:
        options: features, hidden (units of each hidden layer), activation, optimizer, lr,
            penalty ("none", "L1" or "L2"), strength, seed.
        regression: whether it learns values from -1 to 1, not classes.
    """
    nn.set_random_seed(options["seed"])
    kind = options["penalty"]
    penalty = None if kind == "none" else getattr(nn.regularizers, kind)(options["strength"])
    layers = [
        nn.Dense(units, activation=options["activation"], kernel_regularizer=penalty)
        for units in options["hidden"]
    ]
    last = nn.Dense(1, activation="linear" if regression else "sigmoid", kernel_regularizer=penalty)
    model = nn.Sequential([nn.Input((len(options["features"]),)), *layers, last])
    optimizer = getattr(nn.optimizers, options["optimizer"])(learning_rate=options["lr"])
    if regression:
        model.compile(optimizer, "mse")
    else:
        model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def widths(model: Any) -> Array:
    """Return the width of each wire in CSS pixels, below 0 where it takes away.

    The wires of a layer come unit by unit, and those of a unit in the order of what it reads.
    """
    parts = []
    for layer in model.layers:
        kernel = (
            layer.kernel.numpy() if hasattr(layer.kernel, "numpy") else np.asarray(layer.kernel)
        )
        share = kernel.T / max(1.0, float(np.abs(kernel).max()))
        width = THINNEST + (THICKEST - THINNEST) * np.abs(share)
        parts.append(np.where(share < 0, -width, width).ravel())
    return np.concatenate(parts).astype(np.float32)
