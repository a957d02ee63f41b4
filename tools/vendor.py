"""Fill static/vendor/ with the files that tools/vendor.lock names, each proved by its sha256.

    python -m tools.vendor            fetch what is missing or damaged; says nothing else is needed
    python -m tools.vendor --lock     write the lock anew from node_modules (after changing a pin)

Every run hashes every file (25 MB, 0.3 s), so a damaged one is noticed and fetched again.
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
    """A file could not be had, or is not the one that the lock names."""


@dataclass(frozen=True)
class Item:
    """One file of static/vendor/.

    Attributes:
        target: path under static/vendor/.
        sources: where it comes from, tried in this order (see `tools.sources`).
        sha256: of the content; of the unpacked content where the target ends in .gz, as
            compressors differ in their bytes from version to version.
        size: bytes of that content.
    """

    target: str
    sources: tuple[str, ...]
    sha256: str
    size: int

    @property
    def packed(self) -> bool:
        return self.target.endswith(".gz")


def read_lock(path: Path = LOCK) -> list[Item]:
    """Items of the lock.

    Raises:
        VendorError: it is missing or not what `write_lock` writes.
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
    """Make `folder` hold every item; return how many had to be fetched.

    Raises:
        VendorError: no source of an item gives the bytes that the lock names.
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
    """`intact`, `missing`, or what differs from the lock."""
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
        f"sha256 expected {item.sha256}, got {digest} "
        f"({item.size:,} bytes expected, got {len(body):,})"
    )


def fetched(item: Item, fetch: Fetch, say: Callable[[str], None]) -> bytes:
    """The item's content from the first source whose bytes are the right ones."""
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
    """All of it or nothing: a reader never sees half a file."""
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
    """Remove what a killed run left half-written."""
    for partial in folder.rglob(PARTIAL + "*"):
        partial.unlink()


def write_lock(path: Path, fetch: Fetch, listed: dict[str, tuple[str, ...]]) -> None:
    """Record size and sha256 of each listed file as its last source gives it now."""
    entries = {}
    for target, origins in sorted(listed.items()):
        body = fetch(origins[-1])
        digest = hashlib.sha256(body).hexdigest()
        entries[target] = {"from": list(origins), "sha256": digest, "size": len(body)}
    write(path, (json.dumps({"files": entries}, indent=1) + "\n").encode())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--lock", action="store_true", help="write the lock anew")
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
