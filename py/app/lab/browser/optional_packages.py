"""Python that only some files of models need: downloaded with the first of them."""

from __future__ import annotations

import importlib
import importlib.util
import io
import sys
import zipfile
from pathlib import Path

import nn

from app.lab.browser import downloads

FOLDER = Path("/tmp/wheels")


async def add(base: str, name: str) -> None:
    """Make a package of static/vendor/wheels/ importable, unless it is.

    Raises:
        DownloadError: the wheel cannot be fetched.
    """
    if importlib.util.find_spec(name) is not None:
        return
    content = await downloads.download(downloads.address(base, f"wheels/{name}.whl"))
    sys.path.append(_kept(name, content))  # a wheel is a zip archive, from which Python imports
    importlib.invalidate_caches()


async def add_formats(base: str) -> None:
    """Make the engine's files of Keras and ONNX importable, unless they are.

    Raises:
        DownloadError: the archive cannot be fetched.
    """
    if importlib.util.find_spec("nn.io.onnx") is not None:
        return
    content = await downloads.download(downloads.address(base, "python/formats.zip"))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(Path(nn.__file__).parent.parent)
    importlib.invalidate_caches()


def _kept(name: str, content: bytes) -> str:
    """Write a file with these bytes in the interpreter's memory; return its name."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.whl"
    path.write_bytes(content)
    return str(path)
