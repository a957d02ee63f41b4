"""Sites that cost less processor time, for pages whose tests do not depend on what is left out.

The page reads all 10,000 test images after each epoch and in the analysis, in a quarter of a second
of processor time. At each start it receives and decompresses 60,000 training images: 0.34 s, a
seventh of a start. A page that has rested for ten seconds keeps an offline copy: 1.0 s.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from nn.data import parse_idx, write_idx

from tests.support.site import Site
from tools.serve import ROOT

FOLDER = "static/vendor/mnist"
TEST = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
TRAINING = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")


def light(site: Site, training: int = 10_000, test: int = 1_000) -> None:
    """Let a page begin no offline copy, and with so many images.

    The tests of a module or a test that is marked with `pytest.mark.light` have such sites.
    """
    begins = 'data-after="10000"'
    index = (ROOT / "index.html").read_text()
    assert begins in index
    site.replace("index.html", index.replace(begins, 'data-after="3600000"'))
    for count, names in ((training, TRAINING), (test, TEST)):
        for name in names:
            site.replace(f"{FOLDER}/{name}", first(name, count))


@cache
def first(name: str, count: int) -> bytes:
    """Return one of MNIST's files with its first images or labels alone."""
    array = parse_idx((ROOT / FOLDER / name).read_bytes())
    return gzip.compress(write_idx(array[:count]), compresslevel=1, mtime=0)


def folder_of(target: Path, count: int) -> Path:
    """Write MNIST with as many test images where a program that runs in `target` reads it."""
    folder = target / FOLDER
    folder.mkdir(parents=True)
    for path in (ROOT / FOLDER).iterdir():
        if path.name in TEST:
            (folder / path.name).write_bytes(first(path.name, count))
        else:
            (folder / path.name).symlink_to(path)
    return target
