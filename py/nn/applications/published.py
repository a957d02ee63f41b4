"""Files that this site publishes for `nn.applications`: where they are, and their SHA-256."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

from nn.io.errors import CorruptError, FormatError
from nn.lazy import load

FOLDER = "static/vendor/applications"
"""Where this repository, and the site that it serves, keep the files."""

SHA256 = {
    "efficientnet_lite0.npz": "6ea4100d4b577f3314cc549b3702927d39fdbf7dd1165de313be615627050b9d",
    "imagenet_classes.json": "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757",
    "imagenet_ids.json": "bd68c5fb912acb5def469a01f7843f8a3597f5afc126233ed9ed6c6e9a980184",
}
"""File -> the SHA-256 of its bytes, as in tools/vendor.lock."""

_chosen: list[str] = []


def set_folder(address: str) -> None:
    """Say where the files are, for all later calls.

    Args:
        address: of the folder, absolute if a worker asks (a worker has no address of its own); on
            CPython also a path.
    """
    _chosen[:] = [str(address).rstrip("/")]


async def published(name: str) -> bytes:
    """Return the bytes of a file of the folder, which was checked by its SHA-256.

    Raises:
        FetchError: it cannot be downloaded.
        FormatError: the folder lacks it.
        CorruptError: its SHA-256 is another one.
    """
    place = f"{_folder()}/{name}"
    if "://" in place or sys.platform == "emscripten":
        data = await load("nn.io.fetch").fetch(place)
    else:
        data = await asyncio.to_thread(_read, Path(place))
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256[name]:
        raise CorruptError(
            f"{place}: expected SHA-256 {SHA256[name]}, received {digest} ({len(data)} bytes): "
            "it is damaged, or of another version of nn"
        )
    return data


def _folder() -> str:
    if _chosen:
        return _chosen[0]
    if sys.platform != "emscripten":
        return str(Path(__file__).resolve().parents[3] / FOLDER)
    import js

    # A worker that PyScript makes from a blob has the site's origin, and no folder.
    here = str(js.location.href).removeprefix("blob:")
    return str(js.URL.new(FOLDER, here).href)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError(
            f"nn.applications: expected {path.name} in {path.parent}, found none: run `make vendor`"
            ", or say where it is by nn.applications.set_folder"
        ) from error
