"""Learning rates that change in the course of a run."""

from __future__ import annotations

import math
from typing import Any

from nn.callbacks import Callback

KINDS = ("constant", "cosine", "step")


def factor(kind: str, progress: float) -> float:
    """What to multiply the rate by at a share (0 to 1) of the run.

    Raises:
        ValueError: no such kind.
    """
    if kind == "constant":
        return 1.0
    if kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    if kind == "step":
        return 0.1 ** int(progress * 3)
    raise ValueError(f"schedule: expected one of {', '.join(KINDS)}, got {kind!r}")


class Schedule(Callback):
    """Sets the optimizer's rate before each batch; `rate` may change while training.

    Args:
        kind: "constant", "cosine" (to zero at the end) or "step" (a tenth after each third).
        rate: the rate to start from.
        first: batches of the run that are done already.
    """

    def __init__(self, kind: str, rate: float, first: int = 0) -> None:
        super().__init__()
        factor(kind, 0.0)
        self.kind = kind
        self.rate = rate
        self.first = first
        self._step = first

    def on_train_begin(self, logs: Any = None) -> None:
        self._step = self.first

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        total = max(1, (self.params.get("steps") or 1) * (self.params.get("epochs") or 1))
        self.model.optimizer.learning_rate = self.rate * factor(self.kind, self._step / total)
        self._step += 1

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """State the rate of this batch to the listeners that come after."""
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
