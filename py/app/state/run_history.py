"""The record of runs: their names, as CSV, as JSON, advice on their curves. Pure Python."""

import json

from app.language import tr
from app.page import numbers
from app.state import settings

try:
    from typing import Any
except ImportError:  # MicroPython has no typing, and never evaluates an annotation.
    pass

COLUMNS = ("run", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
KEPT = 8
USUAL = 0.001  # learning rate
USUAL_OF_SGD = 0.01
FAR = 4  # a rate so many times the usual, or so many times below it, is the first thing to change


def rows(runs: "list[dict[str, Any]]") -> "list[list[Any]]":
    """Return every epoch of every run in the order of COLUMNS, None where a value is missing."""
    table = []
    for run in runs:
        for epoch in run["epochs"]:
            table.append([run["number"]] + [epoch.get(name) for name in COLUMNS[1:]])  # noqa: PERF401
    return table


def to_csv(runs: "list[dict[str, Any]]") -> str:
    """Return the epochs of all runs as CSV."""
    lines = [",".join(COLUMNS)]
    for row in rows(runs):
        lines.append(",".join("" if value is None else str(value) for value in row))  # noqa: PERF401
    return "\n".join(lines) + "\n"


def error(run: "dict[str, Any]") -> Any:
    """Return the share of test images that a run reads wrong at its end; None if it tested none."""
    share = run["epochs"][-1].get("val_accuracy") if run["epochs"] else None
    return None if share is None else 1 - share


def best(runs: "list[dict[str, Any]]") -> Any:
    """Return the run with the lowest test error, None where there is none."""
    tested = [run for run in runs if error(run) is not None]
    return min(tested, key=error) if tested else None


def kept(runs: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Return the last KEPT runs; the best is among them, however old."""
    first, lasting = best(runs), list(runs)
    while len(lasting) > KEPT:
        lasting.pop(1 if lasting[0] is first else 0)
    return lasting


def names(runs: "list[dict[str, Any]]") -> "list[str]":
    """Return a name for each run: its number, and what differs from other runs and the defaults."""
    taken = [run.get("options") or {} for run in runs]
    differing = [
        name
        for name in ("preset",) + settings.DECISIVE
        if len({str(options.get(name)) for options in taken if options}) > 1
    ]
    return [_name(run, options, differing) for run, options in zip(runs, taken)]


def _name(run: "dict[str, Any]", options: "dict[str, Any]", differing: "list[str]") -> str:
    parts = [
        _WORDS.get(name, name + " {}").format(_written(name, options[name]))
        for name in differing
        if name in options and options[name] != settings.TABLE[name][1]
    ]
    former = run.get("continues")
    if former:
        words = tr("continues {run}") if isinstance(former, str) else tr("continues run {run}")
        parts.append(words.format(run=tr(former) if isinstance(former, str) else former))
    if not parts and differing:
        parts.append(tr("usual options"))
    return (
        f"{run['number']} · {', '.join(parts)}"
        if parts
        else tr("Run {number}", number=run["number"])
    )


_WORDS = {
    "preset": "{}",
    "data": "{}",
    "optimizer": "{}",
    "subset": tr("{} images"),
    "lr": tr("rate {}"),
    "l2": tr("penalty {}"),
    "schedule": tr("{} schedule"),
    "patience": tr("stops after {}"),
    "epochs": tr("epochs: {}"),
    "device": tr("on {}"),
    "cores": tr("cores: {}"),
}


def _written(name: str, value: Any) -> str:
    return numbers.count(value) if name == "subset" else settings.write(name, value)


def points(share: Any) -> Any:
    """Return a share as percentage points for an axis, None where it is missing."""
    return None if share is None else 100 * share


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON lacks, by null."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def to_json(runs: "list[dict[str, Any]]") -> str:
    """Return the runs as JSON."""
    return json.dumps(_finite(runs))


def _is_run(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("epochs"), list):
        return False
    return isinstance(found.get("number"), int)


def numbered(runs: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
    """Return runs in the order of their numbers, no number twice: two tabs may give the same."""
    last, ordered = 0, sorted(runs, key=lambda run: run["number"])
    for run in ordered:
        run["number"] = last = max(run["number"], last + 1)
    return ordered


def from_json(text: str) -> "list[dict[str, Any]]":
    """Return the runs written by `to_json`; what does not look like a run is dropped."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    if not isinstance(found, list):
        return []
    return [run for run in found if _is_run(run)]


def direction(rate: float, optimizer: str) -> int:
    """Return where to move a learning rate that is far from the usual one: -1, 1, or 0."""
    usual = USUAL_OF_SGD if optimizer == "SGD" else USUAL
    return (rate <= usual / FAR) - (rate >= FAR * usual)


def _compared(words: str, rate: float, optimizer: str) -> str:
    usual = USUAL_OF_SGD if optimizer == "SGD" else USUAL
    times = numbers.count(round(max(rate / usual, usual / rate)))
    return words.format(
        rate=numbers.local(f"{rate:g}"), times=times, usual=numbers.local(f"{usual:g}")
    )


def not_a_number(rate: float, optimizer: str) -> str:
    """Return what to do about a loss that is no number."""
    words = tr("The loss is not a number (NaN): the steps are too large.") + " "
    if direction(rate, optimizer) < 0:
        return words + _compared(
            tr("Reset, then lower the learning rate: {rate} is {times} times the usual {usual}."),
            rate,
            optimizer,
        )
    return words + tr("Reset, then lower the learning rate.")


def _guessing(rate: float, optimizer: str) -> str:
    words = {
        -1: tr("Lower the learning rate: {rate} is {times} times the usual {usual}."),
        0: tr("Train longer, or take fewer layers."),
        1: tr("Raise the learning rate: the usual {usual} is {times} times {rate}."),
    }[direction(rate, optimizer)]
    return tr("Still guessing: it does not learn.") + " " + _compared(words, rate, optimizer)


def advice(
    epochs: "list[dict[str, Any]]",
    classes: int = 10,
    rate: float = USUAL,
    optimizer: str = "Adam",
) -> str:
    """Return a sentence on what the curves show, '' if nothing stands out.

    Args:
        epochs: the rows of a run.
        classes: that the network answers with.
        rate: the learning rate.
        optimizer: its class.
    """
    if not epochs:
        return ""
    last = epochs[-1]
    if last["loss"] is None or last["loss"] != last["loss"]:
        return not_a_number(rate, optimizer)
    if last["accuracy"] < 1.5 / classes:
        return _guessing(rate, optimizer)
    losses = [epoch["val_loss"] for epoch in epochs if epoch.get("val_loss") is not None]
    if len(losses) >= 4 and losses[-1] > losses[-2] > losses[-3]:
        return tr(
            "Over-fitting: the test loss rises while the training loss falls. More "
            "data, dropout or early stopping help."
        )
    return ""
