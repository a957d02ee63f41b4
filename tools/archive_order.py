"""Find an order of the part for GPUs in which it compresses well: `python -m tools.archive_order`.

Compression looks back 32 kB, so modules that are alike stand near each other. This moves files
about for some minutes and writes the best order found to tools/archive_order.txt, which
`tools.bundle` follows; a module that is not in it comes last.
"""

from __future__ import annotations

import random
import sys
import time
import zlib
from collections.abc import Iterable

from tools import bundle

SECONDS = 100


def better(sources: dict[str, str], seconds: float, rng: random.Random) -> list[str]:
    """Return the paths in a better order than the given one."""
    members = {path: bundle.packed(path, source) for path, source in sources.items()}
    order = list(members)
    least, until = _size(members.values()), time.monotonic() + seconds
    while time.monotonic() < until:
        other = order.copy()
        start, count = rng.randrange(len(order)), rng.choice((1, 1, 1, 2, 3))
        moved = other[start : start + count]
        del other[start : start + count]
        place = rng.randrange(len(other) + 1)
        other[place:place] = moved
        size = _size(members[path] for path in other)
        if size <= least:
            least, order = size, other
    return order


def _size(members: Iterable[bytes]) -> int:
    """Return the size by zlib, which is 50 times faster than what the archive is written with."""
    return len(zlib.compress(bundle.archive(members), 9))


def main() -> None:
    sources = bundle.ordered(bundle.modules(bundle.TARRED["gpu.tgz"], bundle.ROOT))
    found = better(sources, SECONDS, random.Random(0))
    bundle.ORDER.write_text("\n".join(found) + "\n")
    size = len(bundle.compressed(bundle.tarred(sources)))
    sys.stdout.write(f"archive_order: gpu.tgz has {size} bytes in the order of {bundle.ORDER}\n")


if __name__ == "__main__":
    main()
