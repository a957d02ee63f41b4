"""Pictures as a worker has them, turned as EXIF data say, are what Pillow reads on CPython."""

import asyncio
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from nn import applications
from PIL import Image

from tests.support import pyodide

KINDS = ("bytes", "Blob", "File", "ImageBitmap", "ImageData", "OffscreenCanvas")
SHAPE = (None, 40, 60, 3)

READ = f"""
import json
from types import SimpleNamespace
import js
from pathlib import Path
from nn import applications

data = Path("turned.jpg").read_bytes()
body = js.Uint8Array.new(len(data))
body.assign(data)
blob = js.Blob.new([body])
bitmap = await js.createImageBitmap(blob)
canvas = js.OffscreenCanvas.new(bitmap.width, bitmap.height)
pen = canvas.getContext("2d")
pen.drawImage(bitmap, 0, 0)
pictures = {{
    "bytes": data, "Blob": blob, "File": js.File.new([body], "turned.jpg"),
    "ImageBitmap": bitmap, "OffscreenCanvas": canvas,
    "ImageData": pen.getImageData(0, 0, bitmap.width, bitmap.height),
}}
model = SimpleNamespace(name="efficientnet_lite0", input_shape={SHAPE})
found = {{}}
for kind, picture in pictures.items():
    found[kind] = (await applications.load_image(picture, model)).tolist()
for wrong in (js.Blob.new(["no picture"]), js.Map.new(), 3):
    try:
        await applications.load_image(wrong, model)
    except Exception as error:
        found.setdefault("errors", []).append(f"{{type(error).__name__}}: {{error}}")
print(json.dumps(found))
"""


def turned():
    """A JPEG file of soft colours that a camera held upright stored lying on its side."""
    y, x = np.mgrid[:90, :130]
    pixels = np.stack([x + y, 255 - 2 * y, 60 + x], axis=-1).astype(np.uint8)
    pixels[20:50, 10:50] = (250, 20, 20)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    stored = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    stored.save(file, "JPEG", quality=98, subsampling=0, exif=exif)
    return file.getvalue()


@pytest.mark.promise("nn: files and guides", "Pictures of a browser, turned as EXIF data say")
def test_every_kind_of_picture_is_read_upright_in_a_worker(site, open_page):
    page = open_page()
    pyodide.open_python(site, page)
    site.replace("tests/python/turned.jpg", turned())
    files = pyodide.engine_files() | {"turned.jpg": "tests/python/turned.jpg"}
    found = json.loads(pyodide.run(page, READ, files))
    model = SimpleNamespace(name="efficientnet_lite0", input_shape=SHAPE)
    expected = asyncio.run(applications.load_image(turned(), model))
    for kind in KINDS:
        off = np.abs(np.array(found[kind]) - expected) * 128
        assert off.mean() < 1.5, kind
    blob, *others = found["errors"]
    assert blob.startswith("DataError: image: the browser cannot read it")
    for error, kind in zip(others, ("Map", "int"), strict=True):
        assert error.startswith("DataError: image: expected pixels, bytes or one of File, Blob")
        assert error.endswith(f"received {kind}")
