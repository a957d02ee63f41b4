"""MNIST with fewer images, for pages whose tests do not depend on their number.

The page reads all 10,000 test images after each epoch and in the analysis, in a quarter of a second
of processor time. At each start it receives and decompresses 60,000 training images.
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


def fewer_test_images(site: Site, count: int = 1000) -> None:
    """Let a site serve the first test images alone."""
    for name in TEST:
        site.replace(f"{FOLDER}/{name}", first(name, count))


def fewer_training_images(site: Site, count: int = 6000) -> None:
    """Let a site serve the first training images alone."""
    for name in TRAINING:
        site.replace(f"{FOLDER}/{name}", first(name, count))


@cache
def first(name: str, count: int) -> bytes:
    """Return one of MNIST's files with its first images or labels alone."""
    array = parse_idx((ROOT / FOLDER / name).read_bytes())
    return gzip.compress(write_idx(array[:count]), mtime=0)


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
