"""Pixels of a browser's pictures, in a worker or on the page: decoded and made smaller by it."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.errors import DataError
from nn.types import Array

# Classes of JavaScript that createImageBitmap takes. It turns files as their EXIF data say.
SOURCES = (
    "File", "Blob", "ImageBitmap", "ImageData", "OffscreenCanvas", "HTMLCanvasElement",
    "HTMLImageElement", "HTMLVideoElement", "VideoFrame",
)  # fmt: skip


async def pixels(image: Any, size: tuple[int, int]) -> Array:
    """Return an image as RGBA (h, w, 4) of uint8, upright, at most a little over twice `size`.

    Args:
        image: bytes of a file, or an object of one of SOURCES.
        size: height and width, which it is at least if it was.

    Raises:
        DataError: it is something else, or the browser cannot read it.
    """
    import js
    from pyodide import ffi

    source = _blob(js, image)
    options = js.Object.new()
    options.imageOrientation = "from-image"
    try:
        bitmap = await js.createImageBitmap(source, options)
    except ffi.JsException as error:
        raise DataError(f"image: the browser cannot read it: {error}") from error
    try:
        return _drawn(js, bitmap, size)
    finally:
        if bitmap is not source:
            bitmap.close()


def _blob(js: Any, image: Any) -> Any:
    if isinstance(image, bytes | bytearray | memoryview):
        data = js.Uint8Array.new(len(image))
        data.assign(image)
        return js.Blob.new([data])
    kind = getattr(getattr(image, "constructor", None), "name", type(image).__name__)
    if kind not in SOURCES:
        raise DataError(
            f"image: expected pixels, bytes or one of {', '.join(SOURCES)}, received {kind}"
        )
    return image


def _drawn(js: Any, bitmap: Any, size: tuple[int, int]) -> Array:
    scale = min(1.0, 2.5 * max(size[0] / bitmap.height, size[1] / bitmap.width))
    height, width = (max(1, round(scale * side)) for side in (bitmap.height, bitmap.width))
    pen = js.OffscreenCanvas.new(width, height).getContext("2d")
    pen.imageSmoothingQuality = "high"
    pen.drawImage(bitmap, 0, 0, width, height)
    rgba = pen.getImageData(0, 0, width, height).data.to_bytes()
    return np.frombuffer(rgba, np.uint8).reshape(height, width, 4)
