"""Teams with faults: drawn networks and faults in one process, and members killed in Chromium."""

from __future__ import annotations

import asyncio
import json
import random
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.support.chromium import Page
from tests.support.led import led
from tests.support.site import Site

KINDS = ("dies", "fails", "blocks")
PATIENCE = 0.5
"""Seconds after which a member counts as silent."""
WITHIN = 60
"""Seconds for one network: a team that takes longer hangs."""
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
PAGE = "tests/browser/team/index.html"
BATCHES = 18
"""That a page trains."""


def check(minutes: float, seed: int) -> bool:
    """Run both parts, half of the time each; whether every team trained its network."""
    rng = random.Random(seed)
    say(f"seed {seed}")
    return halves(minutes, partial(networks, rng), partial(pages, rng))


def halves(minutes: float, *parts: Callable[[float], bool]) -> bool:
    """Do two parts, each until half of the time is over; return whether both say True."""
    start = time.monotonic()
    sound = [part(start + 30 * minutes * half) for half, part in enumerate(parts, 1)]
    return all(sound)


def networks(rng: random.Random, until: float) -> bool:
    """Train drawn networks with drawn faults until the time is over."""
    from tests.unit.nn.distribution import test_same_network as same

    count, failures, faulty = 0, 0, 0
    names = sorted(same.CASES)
    while not count or time.monotonic() < until:
        name, size, shards = rng.choice(names), rng.randint(2, 4), rng.choice((None, 4))
        faults = drawn(rng, size)
        what = f"{name}, {size} members, shards={shards}, {faults}"
        count, faulty = count + 1, faulty + bool(faults)
        try:
            asyncio.run(asyncio.wait_for(_compare(same.CASES[name], size, shards, faults), WITHIN))
        except Exception:
            failures += 1
            say(f"FAILED {what}\n{traceback.format_exc()}")
    say(f"{count} networks, {faulty} of them with faults: {failures} failed")
    return not failures


def drawn(rng: random.Random, size: int) -> dict[int, dict[int, str]]:
    """Return what happens to which members: not to the leader, without which there is none."""
    places = rng.sample(range(1, size), rng.randint(0, size - 1))
    return {place: {rng.randint(1, 30): rng.choice(KINDS)} for place in places}


async def _compare(case: Any, size: int, shards: int | None, faults: Any) -> None:
    wanted, _, one = await case.fit(None)
    async with led(size, faults, patience=PATIENCE) as team:

        async def release() -> None:
            while True:
                for member in team.members:
                    if member.blocked and member._roster.place in team.leader._roster.away:
                        member.release()
                await asyncio.sleep(0.01)

        releasing = asyncio.create_task(release())
        try:
            found, _, model = await case.fit(team.leader, shards=shards)
        finally:
            releasing.cancel()
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a["batch_loss"], b["batch_loss"], atol=1e-4)
        assert a["size"] == b["size"]
    for a, b in zip(model.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def pages(rng: random.Random, until: float) -> bool:
    """Kill a worker of a team, or its leader, in a batch, on a plain page or an isolated one."""
    count, failures = 0, 0
    while not count or time.monotonic() < until:
        isolated, size, batch = rng.random() < 0.5, rng.randint(2, 3), rng.randint(2, 17)
        leader = not count % 2
        site = Site(headers=ISOLATED if isolated else {})
        page = Page()
        try:
            page.get(f"{site.url}{PAGE}?size={size}&batch={batch}{'&leader=1' * leader}")
            page.until("document.documentElement.dataset.found", 120)
            text = page.execute_script("return document.documentElement.dataset.found")
            found = json.loads(text)
            assert "error" not in found, found
            for kind in ("shared", "dying"):
                losses = found["alone"]["losses"][-len(found[kind]["losses"]) :]
                assert kind == "dying" or len(losses) == BATCHES
                np.testing.assert_allclose(found[kind]["losses"], losses, rtol=0, atol=1e-5)
            weights = found["alone"]["weights"]
            np.testing.assert_allclose(found["dying"]["weights"], weights, rtol=0, atol=1e-4)
            least = BATCHES - batch if leader else BATCHES
            assert len(found["dying"]["losses"]) >= least, "batches are missing"
        except Exception:
            failures += 1
            what = f"isolated={isolated}, size={size}, batch={batch}, leader={leader}"
            say(f"FAILED {what}\n{traceback.format_exc()}")
        finally:
            page.quit()
            site.close()
        count += 1
    say(f"{count} pages, in each of which a worker was killed: {failures} failed")
    return not failures


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201
