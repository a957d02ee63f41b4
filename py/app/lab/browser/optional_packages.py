"""Python that few visits need: downloaded when something first asks for it."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import nn

from app.lab.browser import downloads

FOLDER = Path("/tmp/wheels")
PARTS = {
    "nn.applications": "applications.zip",
    "nn.io.onnx": "formats.zip",
    "nn.gpu": "gpu.tgz",
}
"""The archive of each part of the engine that the worker does not begin with."""
APP = "examples/08-federation/learn"  # what a participant runs, in a tab as in a SuperNode


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


async def add_part(base: str, module: str) -> None:
    """Make a part of the engine importable, unless it is: a module of PARTS.

    Raises:
        DownloadError: the archive cannot be fetched.
    """
    if importlib.util.find_spec(module) is not None:
        return
    name = PARTS[module]
    content = io.BytesIO(await downloads.download(downloads.address(base, f"python/{name}")))
    folder = Path(nn.__file__).parent.parent
    if name.endswith(".zip"):
        with zipfile.ZipFile(content) as archive:
            archive.extractall(folder)
    else:
        with tarfile.open(fileobj=content) as archive:
            archive.extractall(folder, filter="data")
    importlib.invalidate_caches()


async def add_federation(base: str) -> None:
    """Make a node of a federation and its client app importable, unless they are.

    Raises:
        DownloadError: a file cannot be fetched.
    """
    if importlib.util.find_spec("learn") is not None:
        return
    names = ("client_app.py", "task.py")
    paths = ["python/federation.tgz", *(f"../../{APP}/{name}" for name in names)]
    addresses = [downloads.address(base, path) for path in paths]
    packed, *texts = await asyncio.gather(*map(downloads.download, addresses))
    folder = Path(nn.__file__).parent.parent
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    (folder / "learn").mkdir()
    for name, text in zip(names, texts, strict=True):
        (folder / "learn" / name).write_bytes(text)
    importlib.invalidate_caches()
    from federation import flower_names

    flower_names.provide()  # before the app, which imports flwr


def _kept(name: str, content: bytes) -> str:
    """Write a file with these bytes in the interpreter's memory; return its name."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.whl"
    path.write_bytes(content)
    return str(path)
