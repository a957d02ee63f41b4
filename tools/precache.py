"""Write the list of the site's files and their hashes for the service worker.

The content of static/vendor/precache.js is the version: a browser that finds it changed installs
the new version beside the old one.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from tools.vendor import PARTIAL, write

ROOT = Path(__file__).resolve().parent.parent
TARGET = "static/vendor/precache.js"
GZIP = b"\x1f\x8b"

Entries = dict[str, list[str | int]]

# The modules of py/ are bundled in static/vendor/python/; two scripts fetch the bundles.
PUBLISHED = (
    "index.html", "manifest.webmanifest", "pyscript.toml", "worker.toml",
    "py/app/main.py", "py/app/worker.py", "static",
    "playground.html", "playground.toml", "py/app/playground_worker.py",
    "examples/08-federation/learn/client_app.py", "examples/08-federation/learn/task.py",
)  # fmt: skip
# Never requested by the page: PyScript's editor, terminal, donkey and zip reader; its table of
# Pyodide's package names, used only for `packages` that need micropip; and Pyodide as downloaded,
# from which static/vendor/runtime/ is made.
UNUSED = (
    "static/vendor/pyodide/*",
    "static/vendor/pyscript/codemirror*",
    "static/vendor/pyscript/xterm*",
    "static/vendor/pyscript/zip-*",
    "static/vendor/pyscript/service-worker.js",
)
# Fetched when something needs them, and cached then.
ON_DEMAND = (
    "static/language",  # a page in another language than English: language.js, languages/
    "static/vendor/wheels/",
    "static/vendor/applications/",
    "static/vendor/data/",
    "static/vendor/python/applications.zip",
    "static/vendor/python/federation.tgz",
    "static/vendor/python/gpu.tgz",
    "examples/08-federation/",
    # The playground, a page of its own.
    "playground.",
    "py/app/playground_worker.py",
    "static/playground.css",
    "static/vendor/python/playground.",
)
# What the kernels were built from: a build writes it, no page asks for it.
STAMPS = "static/vendor/kernels/*.sha256"
# For other pages: this one does not ask for them.
LIBRARIES = (
    "static/vendor/python/farcall.zip", "static/vendor/python/nn.zip",
    "static/vendor/python/federation_mods.tgz",
    "static/poster-light.webp", "static/poster-dark.webp", "static/card.jpg",
)  # fmt: skip
REFUSED = (
    TARGET, *LIBRARIES, STAMPS, "*.mjs",
    "*/__pycache__/*", "*.[ch]", f"*/{PARTIAL}*", "*/.*", *UNUSED,
)  # fmt: skip


def published(root: Path) -> list[str]:
    """Return the sorted paths of the files that each visitor gets, except precache.js and sw.js."""
    return [path for path in _files(root) if not path.startswith(ON_DEMAND)]


def on_demand(root: Path) -> list[str]:
    """Return the sorted paths of the files that a visitor gets when something needs them."""
    return [path for path in _files(root) if path.startswith(ON_DEMAND)]


def _files(root: Path) -> list[str]:
    found = set()
    for name in PUBLISHED:
        place = root / name
        if not place.exists():
            raise SystemExit(f"precache: {name} is part of the site, but missing: {place}")
        files = [place] if place.is_file() else place.rglob("*")
        found |= {path.relative_to(root).as_posix() for path in files if path.is_file()}
    return sorted(path for path in found if not any(fnmatchcase(path, no) for no in REFUSED))


def listing(root: Path, paths: list[str]) -> Entries:
    """Return path -> [sha256 in base64, as in the browser's `integrity`, size in bytes].

    What gzip packed has a third entry, the sha256 of what is in it: Flask and Django send
    such files with `Content-Encoding: gzip`, and browsers then unpack them.
    """
    entries: Entries = {}
    for path in paths:
        body = (root / path).read_bytes()
        entries[path] = [_digest(body), len(body)]
        if body.startswith(GZIP):
            entries[path].append(_digest(gzip.decompress(body)))
    return entries


def _digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def script(files: Entries, later: Entries) -> str:
    """Return precache.js: its version, and the files that are cached at once and when needed."""
    version = hashlib.sha256(json.dumps([files, later], sort_keys=True).encode()).hexdigest()[:16]
    return (
        f'self.PRECACHE = {{ version: "{version}", '
        f"later: {{\n{_lines(later)}\n}}, files: {{\n{_lines(files)}\n}} }};\n"
    )


def _lines(entries: Entries) -> str:
    return ",\n".join(f"{json.dumps(path)}: {json.dumps(entry)}" for path, entry in entries.items())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, default=ROOT)
    root: Path = parser.parse_args(arguments).root
    entries = listing(root, published(root))
    body = script(entries, listing(root, on_demand(root))).encode()
    target = root / TARGET
    if target.is_file() and target.read_bytes() == body:
        return
    write(target, body)
    size = sum(int(entry[1]) for entry in entries.values()) / 1e6
    sys.stdout.write(f"precache: {len(entries)} files, {size:.1f} MB, kept for use offline\n")


if __name__ == "__main__":
    main()
