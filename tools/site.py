"""Write dist/: the site ready to upload to any static host, with its size.

What differs from the repository: the NumPy wheel without what only compilers and type checkers
read (f2py, headers, stubs: 0.5 MB of 3.1), and so Pyodide's lock and the service worker's list.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import shutil
import sys
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

from tools import precache
from tools.precache import ROOT

LIMIT = 9_000_000  # bytes to move on a first visit, gzip, without the data set
DATA = "static/vendor/mnist/"
PYODIDE = "static/vendor/pyodide/"
ALONGSIDE = ("sw.js", "LICENSE")

# Nothing imports these in a browser: there is no compiler there. Its tests are left out already.
UNREAD = ("numpy/f2py/*", "*.pyi", "*.pxd", "*.h", "*.a", "*.c", "*.pc", "*/_pyinstaller/*")


class TooLarge(Exception):
    """The site has outgrown its limit."""


def build(root: Path, target: Path) -> None:
    """Write the site into `target`, replacing what is there."""
    shutil.rmtree(target, ignore_errors=True)
    for path in [*precache.published(root), *ALONGSIDE]:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)
    slim(target / PYODIDE)
    precache.main(["--root", str(target)])


def slim(folder: Path) -> None:
    """Trim the wheel, and give the lock its new hash."""
    path = folder / "pyodide-lock.json"
    lock = json.loads(path.read_text())
    entry = lock["packages"]["numpy"]
    wheel = folder / entry["file_name"]
    body = trimmed(wheel.read_bytes())
    wheel.write_bytes(body)
    entry["sha256"] = hashlib.sha256(body).hexdigest()
    path.write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n")


def trimmed(wheel: bytes) -> bytes:
    """The wheel without UNREAD members, its RECORD too; the same bytes each time."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(wheel)) as source, zipfile.ZipFile(result, "w") as target:
        for info in source.infolist():
            if unread(info.filename):
                continue
            body = source.read(info)
            if info.filename.endswith(".dist-info/RECORD"):
                body = without_unread(body)
            member = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            member.external_attr = info.external_attr
            target.writestr(member, body, zipfile.ZIP_DEFLATED, 9)
    return result.getvalue()


def unread(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in UNREAD)


def without_unread(record: bytes) -> bytes:
    lines = record.decode().splitlines(keepends=True)
    return "".join(line for line in lines if not unread(line.split(",")[0])).encode()


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Path to (bytes, bytes as gzip -9 moves them)."""
    measured = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        body = path.read_bytes()
        measured[path.relative_to(folder).as_posix()] = (len(body), moved(body))
    return measured


def moved(body: bytes) -> int:
    return min(len(body), len(gzip.compress(body, 9, mtime=0)))


def group(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[:3]) if parts[:2] == ["static", "vendor"] else parts[0]


def table(measured: dict[str, tuple[int, int]]) -> str:
    """One line a room, and the total without the data set.

    Raises:
        TooLarge: that total is over LIMIT.
    """
    groups: dict[str, list[int]] = {}
    for path, (raw, packed) in measured.items():
        total = groups.setdefault(group(path), [0, 0, 0])
        groups[group(path)] = [total[0] + 1, total[1] + raw, total[2] + packed]
    lines = [f"{'':28}{'files':>6}{'bytes':>13}{'gzip -9':>13}"]
    lines += [f"{name:28}{n:6}{raw:13,}{packed:13,}" for name, (n, raw, packed) in groups.items()]
    first = first_visit(measured)
    lines.append(f"first visit without the data: {first:,} of at most {LIMIT:,} bytes, gzip")
    text = "\n".join(lines)
    if first > LIMIT:
        raise TooLarge(text)
    return text


def first_visit(measured: dict[str, tuple[int, int]]) -> int:
    return sum(packed for path, (_, packed) in measured.items() if not path.startswith(DATA))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--target", type=Path, default=ROOT / "dist")
    target: Path = parser.parse_args(arguments).target
    build(ROOT, target)
    try:
        sys.stdout.write(table(sizes(target)) + "\n")
    except TooLarge as error:
        raise SystemExit(f"site: too large\n{error}") from None
    sys.stdout.write(f"site: {target} is ready: upload the folder as it is\n")


if __name__ == "__main__":
    main()
