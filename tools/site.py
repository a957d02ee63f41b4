"""Write the site to dist/, ready to upload to a static host, and print its size."""

from __future__ import annotations

import argparse
import gzip
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import datasets, precache
from tools.precache import ROOT

LIMIT = 9_000_000  # gzip bytes of a first visit, without the data set
DATA = "static/vendor/mnist/"
DOCS = "build/docs"
UNPACKER = "static/vendor/pyscript/zip-*.js"  # for the documents' examples, which list archives
README = 'href="./README.md"'
ALONGSIDE = ("sw.js", "LICENSE", "README.md")  # the page links to the last


ENTRY = '<option value="mnist">MNIST</option>'  # of the menu of data sets
CARD = 'content="./static/card.jpg"'


class TooLarge(Exception):
    """The site is larger than its limit."""


def build(
    root: Path, target: Path, *, docs: bool = False, address: str = "", data: Sequence[str] = ()
) -> None:
    """Write the site into `target`, replacing its content.

    Args:
        root: the repository.
        target: a folder.
        docs: with the site of documents, which `make docs` has built; the page links to it.
        address: of the site, for crawlers, which take the picture of a link from an absolute one.
        data: names of data sets that were made, for the page's menu.
    """
    shutil.rmtree(target, ignore_errors=True)
    files = [*precache.published(root), *ALONGSIDE, *unlisted(root)]
    left = tuple(f"{datasets.FOLDER}{name}/" for name in datasets.SETS if name not in data)
    for path in files:
        if path.startswith(left):
            continue
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)
    page = target / "index.html"
    if docs:
        shutil.copytree(root / DOCS, target / "docs")
        for script in root.glob(UNPACKER):
            shutil.copyfile(script, target / script.relative_to(root))
        for linking in (page, target / "playground.html"):
            if README not in linking.read_text():
                raise LookupError(f"{linking.name}: expected the link {README}, found none")
            linking.write_text(linking.read_text().replace(README, 'href="./docs/index.html"'))
    if address:
        page.write_text(page.read_text().replace(CARD, CARD.replace(".", address.rstrip("/"), 1)))
    if data:
        page.write_text(with_menu(page.read_text(), data))
    precache.main(["--root", str(target)])


def with_menu(page: str, data: Sequence[str]) -> str:
    """Return index.html with more data sets in their menu.

    Raises:
        LookupError: the page has no such menu.
    """
    if ENTRY not in page:
        raise LookupError(f"index.html: expected {ENTRY}")
    more = "".join(f'<option value="{name}">{datasets.SETS[name].title}</option>' for name in data)
    return page.replace(ENTRY, ENTRY + more)


def unlisted(root: Path) -> list[str]:
    """Return the paths of files that a first visit does not fetch."""
    libraries = (name for name in precache.LIBRARIES if (root / name).is_file())
    return [*precache.on_demand(root), *libraries]


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Return path -> (size in bytes, size after gzip -9)."""
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
    """Return one line per group of files, and the total without the data set.

    Raises:
        TooLarge: the total exceeds LIMIT.
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
    later = ("docs/", DATA, *precache.ON_DEMAND, *precache.LIBRARIES)
    return sum(packed for path, (_, packed) in measured.items() if not path.startswith(later))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--target", type=Path, default=ROOT / "dist")
    parser.add_argument("--docs", action="store_true", help="add the documents that were built")
    parser.add_argument("--address", default="", help="where the site will be, with https://")
    parser.add_argument("--data", default="", help="data sets besides MNIST, with commas: fashion")
    options = parser.parse_args(arguments)
    target: Path = options.target
    data = [name for name in options.data.split(",") if name]
    try:
        for name in data:
            datasets.make(ROOT, name)
    except datasets.DataSetError as error:
        raise SystemExit(f"site: {error}") from None
    build(ROOT, target, docs=options.docs, address=options.address, data=data)
    try:
        sys.stdout.write(table(sizes(target)) + "\n")
    except TooLarge as error:
        raise SystemExit(f"site: too large\n{error}") from None
    sys.stdout.write(f"site: {target} is ready: upload the folder as it is\n")


if __name__ == "__main__":
    main()
