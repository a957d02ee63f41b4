"""Download the files listed in tools/vendor.lock to static/vendor/, verified by sha256.

    python -m tools.vendor            fetch missing or damaged files
    python -m tools.vendor --lock     rewrite the lock from node_modules (after changing a pin)

Each run hashes all files (25 MB, 0.3 s), so a damaged one is detected and fetched again.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tools import sources
from tools.sources import Refused

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "static" / "vendor"
LOCK = ROOT / "tools" / "vendor.lock"
PARTIAL = ".partial-"

Fetch = Callable[[str], bytes]


class VendorError(Exception):
    """A file could not be fetched, or differs from the one in the lock."""


@dataclass(frozen=True)
class Item:
    """One file of static/vendor/.

    Attributes:
        target: path under static/vendor/.
        sources: where to fetch it, tried in this order (see `tools.sources`).
        sha256: hash of the content; for .gz of the unpacked content, because the output of
            compressors differs between versions.
        size: size of that content in bytes.
    """

    target: str
    sources: tuple[str, ...]
    sha256: str
    size: int

    @property
    def packed(self) -> bool:
        return self.target.endswith(".gz")


def read_lock(path: Path = LOCK) -> list[Item]:
    """Return the items of the lock.

    Raises:
        VendorError: the lock is missing or malformed.
    """
    try:
        entries = json.loads(path.read_text())["files"]
        return [
            Item(target, tuple(entry["from"]), entry["sha256"], entry["size"])
            for target, entry in entries.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VendorError(f"{path}: not a lock of vendored files: {error!r}") from None


def vendor(items: Iterable[Item], folder: Path, fetch: Fetch, say: Callable[[str], None]) -> int:
    """Fetch all missing or damaged items into `folder` and return their number.

    Raises:
        VendorError: no source of an item provides the bytes in the lock.
    """
    sweep(folder)
    wanted = [item for item in items if state(item, folder / item.target) != "intact"]
    for number, item in enumerate(wanted, 1):
        found = state(item, folder / item.target)
        say(f"{number}/{len(wanted)} {item.target}, {item.size / 1e6:.2f} MB: {found}, fetching")
        body = fetched(item, fetch, say)
        write(folder / item.target, gzip.compress(body, 9, mtime=0) if item.packed else body)
    return len(wanted)


def state(item: Item, path: Path) -> str:
    """Return `intact`, `missing`, or a description of the difference from the lock."""
    try:
        body = path.read_bytes()
        actual = problem(item, gzip.decompress(body) if item.packed else body)
    except FileNotFoundError:
        return "missing"
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        return f"damaged ({error})"
    return f"replaced: {actual}" if actual else "intact"


def problem(item: Item, body: bytes) -> str | None:
    digest = hashlib.sha256(body).hexdigest()
    if digest == item.sha256:
        return None
    return (
        f"expected sha256 {item.sha256}, received {digest} "
        f"(expected {item.size:,} bytes, received {len(body):,})"
    )


def fetched(item: Item, fetch: Fetch, say: Callable[[str], None]) -> bytes:
    """Return the item's content from the first source with the right bytes."""
    refusals = []
    for source in item.sources:
        try:
            body = fetch(source)
            refusal = problem(item, body)
        except Refused as error:
            refusal = str(error)
        if refusal is None:
            return body
        say(f"  {source}: {refusal}")
        refusals.append(f"  from {source}: {refusal}")
    raise VendorError(f"{item.target} could not be vendored:\n" + "\n".join(refusals))


def write(target: Path, body: bytes) -> None:
    """Write a file atomically, so that no reader sees a part of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=PARTIAL, dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def sweep(folder: Path) -> None:
    """Remove incomplete files left by an interrupted run."""
    for partial in folder.rglob(PARTIAL + "*"):
        partial.unlink()


def write_lock(path: Path, fetch: Fetch, listed: dict[str, tuple[str, ...]]) -> None:
    """Write the lock: size and sha256 of each listed file from its last source."""
    entries = {}
    for target, origins in sorted(listed.items()):
        body = fetch(origins[-1])
        digest = hashlib.sha256(body).hexdigest()
        entries[target] = {"from": list(origins), "sha256": digest, "size": len(body)}
    write(path, (json.dumps({"files": entries}, indent=1) + "\n").encode())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--lock", action="store_true", help="rewrite the lock")
    options = parser.parse_args(arguments)
    fetch = sources.Fetcher(ROOT / "node_modules", say)
    try:
        if options.lock:
            write_lock(LOCK, fetch, sources.listed(ROOT / "node_modules"))
        items = read_lock()
        count = vendor(items, FOLDER, fetch, say)
    except (VendorError, Refused) as error:
        raise SystemExit(f"vendor: {error}") from None
    size = sum((FOLDER / item.target).stat().st_size for item in items) / 1e6
    say(f"{len(items)} files, {size:.1f} MB, all as the lock says; {count} fetched now")


def say(text: str) -> None:
    sys.stdout.write(f"vendor: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
