"""What a run was: its options, its epochs, and words about what they show. Pure Python."""

import json

try:
    from typing import Any
except ImportError:  # MicroPython has no typing, and never evaluates an annotation.
    pass

COLUMNS = ("run", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
KEPT = 8
NOT_A_NUMBER = (
    "The loss is not a number (NaN): the steps are too large. Reset, then lower the learning rate."
)


class Smoother:
    """Exponential moving average without the pull to zero at the start (Adam's bias correction)."""

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self._sum = 0.0
        self._norm = 0.0

    def __call__(self, value: float) -> float:
        self._sum = self.weight * self._sum + (1 - self.weight) * value
        self._norm = self.weight * self._norm + (1 - self.weight)
        return self._sum / self._norm


class Rate:
    """Items a second over the last few reports: steady enough to read, quick enough to be true."""

    def __init__(self, window: float = 2.0) -> None:
        self.window = window
        self._marks: list[tuple[float, float]] = []

    def __call__(self, now: float, total: float) -> float:
        """Add a mark (seconds, items so far) and return the rate, 0 while unknown."""
        self._marks.append((now, total))
        while len(self._marks) > 2 and now - self._marks[0][0] > self.window:
            self._marks.pop(0)
        first_time, first_total = self._marks[0]
        return (total - first_total) / (now - first_time) if now > first_time else 0.0


def rows(runs: "list[dict[str, Any]]") -> "list[list[Any]]":
    """Every epoch of every run in the order of COLUMNS, None where it was not measured."""
    table = []
    for run in runs:
        for epoch in run["epochs"]:
            table.append([run["number"]] + [epoch.get(name) for name in COLUMNS[1:]])  # noqa: PERF401
    return table


def to_csv(runs: "list[dict[str, Any]]") -> str:
    lines = [",".join(COLUMNS)]
    for row in rows(runs):
        lines.append(",".join("" if value is None else str(value) for value in row))  # noqa: PERF401
    return "\n".join(lines) + "\n"


def points(share: Any) -> Any:
    """A share as percentage points for an axis, None where it was not measured."""
    return None if share is None else 100 * share


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def to_json(runs: "list[dict[str, Any]]") -> str:
    return json.dumps(_finite(runs))


def _is_run(found: Any) -> bool:
    return isinstance(found, dict) and "number" in found and isinstance(found.get("epochs"), list)


def from_json(text: str) -> "list[dict[str, Any]]":
    """The runs kept by `to_json`; whatever does not look like a run is dropped."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    if not isinstance(found, list):
        return []
    return [run for run in found if _is_run(run)]


def advice(epochs: "list[dict[str, Any]]", classes: int = 10) -> str:
    """One sentence where a curve calls for one, else ''."""
    if not epochs:
        return ""
    last = epochs[-1]
    if last["loss"] is None or last["loss"] != last["loss"]:
        return NOT_A_NUMBER
    if last["accuracy"] < 1.5 / classes:
        return "Still guessing: it does not learn. Try another learning rate or fewer layers."
    losses = [epoch["val_loss"] for epoch in epochs if epoch.get("val_loss") is not None]
    if len(losses) >= 4 and losses[-1] > losses[-2] > losses[-3]:
        return (
            "Over-fitting: the test loss rises while the training loss falls. "
            "More data, dropout or early stopping help."
        )
    return ""
