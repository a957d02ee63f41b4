"""The part `io` of `make soak`: damaged model files, 20,000 of each format, and whole ones.

Each format runs in a process of its own. A case is a seed: what fails is printed with it, and
`examine(damaged(format, Random(seed)))` of tests.support.damage repeats it. Whole ones are of drawn
networks, which must come back from each format as they went. Graphs of ONNX that are drawn are read
as ONNX Runtime computes them, or refused.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from random import Random

import nn
from nn import kernels

from tests.support import damage, every_layer

CASES = 20_000  # of a format
NETWORKS = 2_000  # that are drawn, and written in each format
GRAPHS = 20_000  # of known sizes, and as many of unknown ones
SHOWN = 20  # failures of a format that are printed


def check(minutes: float, seed: int) -> bool:
    """Run all formats side by side; return whether every case of each ended as it may."""
    end = time.monotonic() + 60 * minutes
    work = {f: partial(report, f, seed, end) for f in damage.FORMATS}
    work["whole files"] = partial(come_back, seed, end)
    work["graphs"] = partial(read_graphs, seed, end)
    return side_by_side(work)


def side_by_side(work: dict[str, Callable[[], bool]]) -> bool:
    """Do each work in a process of its own, all at the same time; return whether all say True."""
    with ExitStack() as pools:
        tasks = {}
        for name, do in work.items():
            # A pool for each: one whose process ended does nothing more.
            pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
            tasks[name] = pools.enter_context(pool).submit(do)
        sound = [_ended(name, task) for name, task in tasks.items()]
    return all(sound)


def _ended(format: str, task: Future[bool]) -> bool:
    try:
        return task.result()
    except BrokenProcessPool as error:  # a library ended the process, as HDF5's may
        sys.stdout.write(f"{format}: {error}\n")
        return False


def report(format: str, seed: int, end: float) -> bool:
    """Run the cases of one format and print how they ended; return whether all did as they may."""
    found: Counter[str] = Counter()
    failures: list[str] = []
    for case in range(seed, seed + CASES):
        if time.monotonic() > end:
            break
        try:
            found[damage.examine(damage.damaged(format, Random(case)), memory=True)] += 1
        except AssertionError as error:
            found["failed"] += 1
            failures.append(f"  seed {case}: {error}")
    cases = sum(found.values())
    lines = [f"{format}: {cases} cases, {dict(found)}", *failures[:SHOWN]]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()
    return cases == CASES and not failures


def come_back(seed: int, end: float) -> bool:
    """Write drawn networks in each format and read them; return whether all predict the same."""
    kernels.load()
    failures: list[str] = []
    done = 0
    for number in range(seed, seed + NETWORKS):
        if time.monotonic() > end:
            break
        random = Random(number)
        kinds = random.sample(every_layer.KINDS, random.choice((1, 1, 2, 3)))
        for format in every_layer.FORMATS:
            try:
                _come_back(kinds, format, number)
            except Exception as error:
                failures.append(f"  {format}, seed {number}, {kinds}: {str(error)[:300]}")
        done += 1
    sys.stdout.write("\n".join([f"whole files: {done} networks", *failures[:SHOWN], ""]))
    sys.stdout.flush()
    return done == NETWORKS and not failures


def _come_back(kinds: list[str], format: str, seed: int) -> None:
    model, data = every_layer.written(kinds, format, seed)
    x = every_layer.batch(model)
    every_layer.expect_close(nn.io.load(data).predict_on_batch(x), model.predict_on_batch(x))


def read_graphs(seed: int, end: float) -> bool:
    """Read drawn graphs of ONNX; return whether each is computed as by ONNX Runtime, or refused
    where only the batch does not move."""
    # They import ONNX Runtime, which no other process needs.
    from tests.support import drawn_graphs, drawn_turns

    kernels.load()
    found: Counter[str] = Counter()
    failures: list[str] = []
    examiners = (
        drawn_graphs.examine, drawn_graphs.examine_unknown_sizes,
        drawn_turns.examine_turns, drawn_turns.examine_turns_of_one,
    )  # fmt: skip
    for number in range(seed, seed + GRAPHS):
        if time.monotonic() > end:
            break
        for examine in examiners:
            try:
                found[examine(number)] += 1
            except Exception as error:
                failures.append(f"  {examine.__name__}, seed {number}: {str(error)[:300]}")
    done = sum(found.values())
    lines = [f"graphs of ONNX: {done}, {dict(found)}", *failures[:SHOWN], ""]
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()
    return done == len(examiners) * GRAPHS
