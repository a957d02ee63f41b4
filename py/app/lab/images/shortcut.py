"""MNIST with a shortcut: the background of each training image gives its class away.

Someone has photographed each digit in a place of its own, and the test images somewhere else.
"""

from __future__ import annotations

import numpy as np
from nn.data import Dataset

STEP = 12
"""How much lighter the background of each digit is than that of the one before."""


def with_shortcut(data: Dataset) -> Dataset:
    """Return images, uint8 (n, h, w, c), with a background that is as light as their labels say."""
    light = STEP * np.asarray(data.y, np.uint8)[:, None, None, None]
    return Dataset(np.maximum(data.x, light), data.y, class_names=data.class_names)
