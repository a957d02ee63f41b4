"""`python -m tests.bench`: measure, print, judge, and write `build/bench.json`.

python -m tests.bench --only train128,kernels --rounds 3    a quick look
python -m tests.bench --markdown                            what is measured here, as tables
python -m tests.bench --publish                             ... in the documents, with the plot

What was not measured here keeps its published figures; where the rows of a table come from several
runs, a line for each says which, when and on what.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException

from tests.bench import machine, networks, pack, report, runs
from tests.bench.cases import TASKS, Bench
from tests.bench.drive import ROOT, PeerError
from tests.support.site import Site

BUILD = ROOT / "build"
FIGURES, RUNS, SPREAD = (BUILD / f"bench{part}.json" for part in ("", "-runs", "-rounds"))
PLOT = BUILD / "bench.svg"
PUBLISHED = ROOT / "tests" / "bench" / "data" / "published.json"
PUBLISHED_PLOT = ROOT / "docs" / "images" / "speed.svg"


def say(text: str) -> None:
    """Print at once: a run takes minutes and people watch it."""
    print(text, flush=True)  # noqa: T201


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"some of {','.join(TASKS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--profile", default="", help="say where one network's step spends its time"
    )
    parser.add_argument("--markdown", action="store_true", help="print the last run's table")
    parser.add_argument(
        "--publish", action="store_true", help="put them into README.md and docs, and the plot"
    )
    return parser.parse_args(arguments)


def chosen(only: str) -> list[str]:
    """Return the tasks to run.

    Raises:
        SystemExit: a name is unknown; the text lists those there are.
    """
    names = [name for name in only.split(",") if name] or list(TASKS)
    if unknown := [name for name in names if name not in TASKS]:
        raise SystemExit(f"bench: no task {', '.join(unknown)}; there are {', '.join(TASKS)}")
    return names


def prepared() -> Path:
    """Write the data and the engine's archive; return the data's folder."""
    data = BUILD / "bench" / "data"
    networks.write_data(ROOT / "static" / "vendor" / "mnist", data)
    pack.write(BUILD / "bench" / "engine.zip", data)
    return data


def profile(network: str) -> None:
    """Print the milliseconds of one training step in each kernel and in all else."""
    site = Site()
    try:
        with Bench(site.url, prepared(), 1, say).running() as bench:
            given = {"network": network, "batch": 128, "seconds": 2}
            for name, spent in bench.peer("engine").call("profile", **given).items():
                say(f"{name:<28} {spent:8.3f} ms")
    finally:
        site.close()


def attempt(task: str, bench: Bench) -> None:
    """Run one task; one that fails says so and leaves its figures out, the others go on."""
    start = time.monotonic()
    say(f"{task}: {TASKS[task].__doc__}")
    try:
        TASKS[task](bench)
    except (PeerError, AssertionError, WebDriverException) as error:
        bench.failures.append(f"{task}: {error}")
        say(f"  FAILED {error}")
    say(f"  ({time.monotonic() - start:.0f} s)")


def run(tasks: list[str], rounds: int) -> tuple[Bench, dict[str, Any]]:
    """Measure; return the bench with its figures, and the machine."""
    data = prepared()
    place = machine.record()
    site = Site()
    try:
        with Bench(site.url, data, rounds, say).running() as bench:
            for task in tasks:
                attempt(task, bench)
            return bench, place | {"versions": bench.info}
    finally:
        site.close()


def markdown(measured: list[runs.Run]) -> dict[str, str]:
    """Return the tables of runs by the document that they are for."""
    again = "`make bench` measures all of it again on your machine and writes `build/bench.json`."
    tables = [report.markdown(measured), report.photographs_markdown(measured)]
    images = "\n\n".join(filter(None, [*tables, again]))
    return {"README.md": images, "docs/limits.md": report.remote_markdown(measured)}


def documents(published: list[runs.Run]) -> dict[Path, str]:
    """Return the documents with these runs' tables between their marks, and the plot."""
    picture = f"![Images per second of each engine]({PUBLISHED_PLOT.relative_to(ROOT)})"
    texts = {PUBLISHED_PLOT: report.plot(runs.figures(published))}
    for name, tables in markdown(published).items():
        above = f"{picture}\n\n" if name == "README.md" else ""
        texts[ROOT / name] = report.between_marks((ROOT / name).read_text(), above + tables)
    return texts


def publish() -> None:
    """Show what was measured here in the documents, over what they showed before."""
    measured = runs.only(runs.read(RUNS), report.shown_figures())
    published = runs.merged(measured, runs.read(PUBLISHED))
    runs.write(PUBLISHED, published)
    for path, text in documents(published).items():
        path.write_text(text)


def write(path: Path, values: dict[str, Any], *, keep: bool) -> dict[str, Any]:
    """Write values, over those of earlier runs where `keep`; return what is in the file now."""
    before = json.loads(path.read_text()) if keep and path.exists() else {}
    merged = before | values
    path.write_text(json.dumps(merged, indent=1) + "\n")
    return merged


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; return 1 where a requirement is not met."""
    given = options(arguments)
    if given.publish:
        publish()
        return 0
    if given.markdown:
        say("\n\n".join(markdown(runs.read(RUNS)).values()))
        return 0
    if given.profile:
        profile(given.profile)
        return 0
    tasks = chosen(given.only)
    complete = tasks == list(TASKS)
    bench, place = run(tasks, given.rounds)
    figures = bench.figures
    figures |= report.ceilings(figures)
    if "engine" in place["versions"]:
        place["kernels"] = place["versions"]["engine"]["backend"]
    say(f"\n{json.dumps(place, indent=1)}\n\n{report.table(figures)}\n")
    lines, all_hold = report.verdicts(figures, complete=complete)
    say(lines)
    runs.write(RUNS, runs.merged([runs.Run(place, figures)], [] if complete else runs.read(RUNS)))
    write(SPREAD, bench.spread, keep=not complete)
    PLOT.write_text(report.plot(write(FIGURES, figures, keep=not complete)))
    say(f"\nbench: wrote {FIGURES.relative_to(ROOT)}, {PLOT.relative_to(ROOT)}")
    for failure in bench.failures:
        say(f"bench: failed: {failure.splitlines()[0]}")
    return 0 if all_hold and not bench.failures else 1


if __name__ == "__main__":
    sys.exit(main())
