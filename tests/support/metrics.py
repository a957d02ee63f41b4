"""Every metric of nn, made for outputs of three classes."""

from __future__ import annotations

from typing import Any

import nn

REQUIRED: dict[str, dict[str, Any]] = {
    "ConfusionMatrix": {"num_classes": 3},
    "IoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "MeanIoU": {"num_classes": 3},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "OneHotMeanIoU": {"num_classes": 3},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
}
"""What a metric cannot be made without."""


def metric(name: str) -> Any:
    """Return a new metric of this class."""
    return nn.metrics.CLASSES[name](**REQUIRED.get(name, {}))
