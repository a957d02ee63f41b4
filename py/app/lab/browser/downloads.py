"""Downloads of files of this site, with errors that name the file.

The functions import what a browser alone has: CPython imports this module too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.lab.images import sizes
from app.language import tr

ROOT = "static/vendor/"
MOST = 512


class DownloadError(RuntimeError):
    """A file of this site could not be fetched."""


def address(base: str, path: str) -> str:
    """Return the address of a file of this site; a worker made from a blob has no base address."""
    import js

    return str(js.URL.new(ROOT + path, base).href)


class Illegible(RuntimeError):
    """The browser does not let a page read what it draws."""


async def download(url: str) -> bytes:
    """Return the bytes at an address; static/resilience.js repeats requests that failed.

    Raises:
        DownloadError: no answer, or another one than 200, or fewer bytes than announced.
    """
    import js
    from pyodide.ffi import JsException

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
    import js

    entries = js.performance.getEntriesByType("resource")
    return {entry.name.rsplit("/", 1)[-1]: int(entry.decodedBodySize) for entry in entries}


async def decode_image(content: bytes) -> Any:
    """Return any picture that the browser reads as (h, w, 3) uint8, at most MOST pixels a side.

    What is transparent is white.

    Raises:
        TooLarge: it has more pixels than can be decoded in short time.
        Illegible: the browser gives noise in place of pictures.
        JsException: it is no picture, or damaged.
    """
    import js

    sizes.check(content)
    data = js.Uint8Array.new(len(content))
    data.assign(content)
    bitmap = await js.createImageBitmap(js.Blob.new([data]))
    share = min(1, MOST / max(bitmap.width, bitmap.height))
    width, height = (max(1, round(side * share)) for side in (bitmap.width, bitmap.height))
    context = js.OffscreenCanvas.new(width, height).getContext("2d")
    context.fillStyle = "white"
    context.fillRect(0, 0, width, height)
    if min(context.getImageData(0, 0, 1, 1).data.to_bytes()) < 240:  # noise; as in page/dom.js
        raise Illegible(
            tr(
                "This browser lets no page read pictures, so that none can track you by "
                "them. Allow it for this site (an icon in the address bar), then try again."
            )
        )
    context.imageSmoothingQuality = "high"
    context.drawImage(bitmap, 0, 0, width, height)
    bitmap.close()
    pixels = context.getImageData(0, 0, width, height).data.to_bytes()
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[..., :3]


def object_url(content: bytes) -> str:
    """Return the address of these bytes inside this browser."""
    import js

    array = js.Uint8Array.new(len(content))
    array.assign(content)
    return str(js.URL.createObjectURL(js.Blob.new([array])))
