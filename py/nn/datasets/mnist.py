"""MNIST: 60,000 and 10,000 images of digits, from the IDX files beside this site's runtimes.

>>> (x_train, y_train), (x_test, y_test) = await nn.datasets.mnist.load_data()
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from nn.data.idx import parse_idx
from nn.errors import EmptyError
from nn.lazy import load
from nn.types import Array

__all__ = ["load_data"]

FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
FOLDER = "static/vendor/mnist"
"""Where this repository, and the site that it serves, keep the files."""

Split = tuple[Array, Array]


async def load_data(path: Any = None) -> tuple[Split, Split]:
    """Return (x_train, y_train), (x_test, y_test): images (n, 28, 28) and labels (n,), uint8.

    Args:
        path: a folder or an address that holds the four gzipped IDX files, by default that of this
            site (in a browser, relative to the page; on CPython, that of the repository).

    Raises:
        EmptyError: the folder has no such files.
        FetchError: an address cannot be downloaded.
        DataError: a file is damaged.
    """
    place = str(path) if path is not None else _default()
    if sys.platform == "emscripten" or "://" in place:
        fetch = load("nn.io.fetch").fetch
        parts = await asyncio.gather(*[fetch(f"{place.rstrip('/')}/{name}") for name in FILES])
    else:
        parts = [_read(Path(place) / name) for name in FILES]
    x, y, x_test, y_test = (
        parse_idx(part, rank=3 if "images" in name else 1)
        for part, name in zip(parts, FILES, strict=True)
    )
    return (x, y), (x_test, y_test)


def _default() -> str:
    if sys.platform == "emscripten":
        return FOLDER
    return str(Path(__file__).resolve().parents[3] / FOLDER)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EmptyError(
            f"mnist: expected {path.name} in {path.parent}, found none; give load_data a path"
        ) from error
