"""Packages in pure Python that only some files want: fetched with the first of these."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from app.lab.browser import downloads

FOLDER = Path("/tmp/wheels")


async def add(base: str, name: str) -> None:
    """Make a package of static/vendor/wheels/ importable; again is nothing.

    Raises:
        DownloadError: the wheel cannot be fetched.
    """
    if importlib.util.find_spec(name) is not None:
        return
    octets = await downloads.download(downloads.address(base, f"wheels/{name}.whl"))
    sys.path.append(_kept(name, octets))  # a wheel is a zip archive: Python imports from those
    importlib.invalidate_caches()


def _kept(name: str, octets: bytes) -> str:
    """The name of a file with these bytes, in the interpreter's memory."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.whl"
    path.write_bytes(octets)
    return str(path)
