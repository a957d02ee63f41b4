"""`python -m tests.bench.members`: what an exchange costs 2, 4 and 8 members; what is predicted.

The members share this machine's cores, so that all of them together never wait: an exchange costs
each of them the cores' time divided by their number. What is predicted for as many cores as members
is one worker's step with its part of the batch, and that cost: no waiting, and no other limit.
"""

from __future__ import annotations

import os
import statistics

from tests.bench.__main__ import prepared, say
from tests.bench.drive import ROOT, PagePeer
from tests.bench.rpc import pack
from tests.support.site import Site

MEMBERS = (2, 4, 8)
BATCHES = (128, 512)
NUMBERS = 53_578  # the seed network's parameters, and what is counted
EXCHANGES, ROUNDS = 200, 5
HEAD = "members  exchange, us of a processor  " + "  ".join(f"predicted, {b}" for b in BATCHES)


def steps(page: PagePeer) -> dict[int, float]:
    """Return the seconds that one worker takes for a step of each size."""
    found = {}
    for size in sorted({batch // members for batch in BATCHES for members in (1, *MEMBERS)}):
        given = {"network": "seed", "batch": size}
        page.call("together.prepare", **given)
        rates = [page.call("together.step", seconds=0.3, **given)["rate"] for _ in range(ROUNDS)]
        found[size] = size / statistics.median(rates)
    return found


def exchange(page: PagePeer, members: int) -> float:
    """Return the seconds of a processor that an exchange costs each member."""
    given = {"count": EXCHANGES, "numbers": NUMBERS}
    page.call("all.exchange", **given)
    spent = [float(page.call("all.exchange", **given)["seconds"]) for _ in range(ROUNDS)]
    cores = min(os.cpu_count() or 1, members)
    return statistics.median(spent) / EXCHANGES * cores / members


def main() -> None:
    """Measure, and print the table."""
    prepared()
    pack(ROOT / "build" / "bench" / "farcall.zip")
    site, taken = Site(), dict[int, float]()
    say(f"{os.cpu_count()} cores\n{HEAD}")
    try:
        for members in MEMBERS:
            page = PagePeer("team", f"{site.url}tests/bench/pages/team.html")
            try:
                found = page.call("info", size=members)
                assert found["size"] == members, found
                taken = taken or steps(page)
                cost = exchange(page, members)
            finally:
                page.close()
            faster = [taken[b] / (taken[b // members] + cost) for b in BATCHES]
            say(f"{members:7}  {1e6 * cost:30.0f}  " + "  ".join(f"{x:14.2f}" for x in faster))
    finally:
        site.close()


if __name__ == "__main__":
    main()
