"""Runs of the bench: where and when each figure was measured, though a run measures only a part.

`build/bench-runs.json` has the runs on this machine, `data/published.json` those that the documents
show: newest first, each with the figures that none after it has measured again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.requirements import Figures


class Run(NamedTuple):
    """The machine, its versions and the time of a run, and what was measured in it."""

    place: dict[str, Any]
    figures: Figures


def read(path: Path) -> list[Run]:
    """Return the runs of a file; none where it is not there."""
    return [Run(**run) for run in json.loads(path.read_text())] if path.is_file() else []


def write(path: Path, runs: list[Run]) -> None:
    """Write runs into a file."""
    path.write_text(json.dumps([run._asdict() for run in runs], indent=1) + "\n")


def merged(newer: list[Run], older: list[Run]) -> list[Run]:
    """Return newer runs, then older ones without the figures that were measured again."""
    kept, seen = [], set[str]()
    for place, figures in [*newer, *older]:
        left = {name: value for name, value in figures.items() if name not in seen}
        if left:
            kept.append(Run(place, left))
        seen |= left.keys()
    return kept


def only(runs: list[Run], names: set[str]) -> list[Run]:
    """Return the runs with these figures alone."""
    return merged(
        [Run(r.place, {n: v for n, v in r.figures.items() if n in names}) for r in runs], []
    )


def figures(runs: list[Run]) -> Figures:
    """Return the figures of all runs."""
    return {name: value for run in runs for name, value in run.figures.items()}
