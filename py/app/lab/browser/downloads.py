"""Downloads of files of this site, with errors that name the file."""

from __future__ import annotations

from typing import Any

import js
import numpy as np
from pyodide.ffi import JsException

ROOT = "static/vendor/"
SIDE = 28


class DownloadError(RuntimeError):
    """A file of this site could not be fetched."""


def address(base: str, path: str) -> str:
    """Return the address of a file of this site; a worker made from a blob has no base address."""
    return str(js.URL.new(ROOT + path, base).href)


async def download(url: str) -> bytes:
    """Return the bytes at an address; static/resilience.js repeats requests that failed.

    Raises:
        DownloadError: no answer, or another one than 200, or fewer bytes than announced.
    """
    name = url.rsplit("/", 1)[-1]
    try:
        response = await js.fetch(url)
        content = await response.arrayBuffer()
    except JsException as error:
        raise DownloadError(f"{name}: the download broke off ({error})") from error
    if not response.ok:
        raise DownloadError(f"{name}: expected 200, the server answered {response.status}")
    return content.to_bytes()  # type: ignore[no-any-return]


def downloaded() -> dict[str, int]:
    """Return the bytes that this worker has loaded by file name, cached files included."""
    entries = js.performance.getEntriesByType("resource")
    return {entry.name.rsplit("/", 1)[-1]: int(entry.decodedBodySize) for entry in entries}


async def decode_image(content: bytes) -> Any:
    """Return any picture that the browser reads as (28, 28) uint8, light ink on dark paper."""
    data = js.Uint8Array.new(len(content))
    data.assign(content)
    bitmap = await js.createImageBitmap(js.Blob.new([data]))
    context = js.OffscreenCanvas.new(SIDE, SIDE).getContext("2d")
    context.drawImage(bitmap, 0, 0, SIDE, SIDE)
    pixels = np.frombuffer(context.getImageData(0, 0, SIDE, SIDE).data.to_bytes(), np.uint8)
    grey = pixels.reshape(SIDE, SIDE, 4)[..., :3].mean(axis=2)
    # A border lighter than the middle is paper: MNIST is white on black.
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).mean()
    return np.rint(255 - grey if border > 127 else grey).astype(np.uint8)
