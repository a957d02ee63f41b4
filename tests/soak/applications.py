"""The part `applications` of `make soak`: networks of Keras and of torchvision, whole.

Each of `keras.applications` has random weights and drawn statistics of normalization; its `.keras`
file is opened on CPython and in Chromium, and its logits are Keras'. Those of torchvision are
ONNX graphs as its exporter writes them, made by torchvision_graphs.py with seeded weights;
ONNX Runtime computes what they give. TOLERANCE of the largest logit is allowed.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

from tests.soak import torchvision_graphs
from tests.support.chromium import Page
from tests.support.networks import NETWORKS, TOLERANCE, made
from tests.support.pyodide import engine_files, open_python, run
from tests.support.site import Site

Array = np.ndarray[Any, Any]

IN_BROWSER = """
import json
import numpy as np
import nn
from pathlib import Path
import sys
sys.path.insert(0, "./pyfive.zip")
nn.kernels.load("./simd.so")
x = np.load("x.npy")
made = nn.io.load(Path("model.file").read_bytes()).predict_on_batch(x)
print(json.dumps(made.tolist()))
"""
PATIENCE = 180  # seconds for a network in the browser


def check(minutes: float, seed: int) -> bool:
    """Compare all networks; return whether each agrees in both interpreters, in time."""
    os.environ["KERAS_BACKEND"] = "jax"
    end = time.monotonic() + 60 * minutes
    site, page = Site(), Page()
    try:
        site.replace("tests/python/pyfive.zip", pyfive())
        open_python(site, page)
        cases = dict.fromkeys(NETWORKS, keras_case)
        cases |= dict.fromkeys(torchvision_graphs.NAMES, torchvision_graphs.case)
        sound = [report(site, page, name, case, seed, end) for name, case in cases.items()]
        return all(sound)
    finally:
        page.quit()
        site.close()


def keras_case(name: str, seed: int) -> tuple[bytes, Array, Array]:
    """Return the file of a network, images, and Keras' logits for them."""
    model, images, logits = made(name, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes(), images, logits


def report(site: Site, page: Any, name: str, case: Any, seed: int, end: float) -> bool:
    """Print how far both interpreters are off; return whether that is within TOLERANCE."""
    if time.monotonic() > end:
        sys.stdout.write(f"{name}: not tried, the minutes are over\n")
        return False
    try:
        data, images, logits = case(name, seed)
        errors = [error(here(data, images), logits), error(there(site, page, data, images), logits)]
    except Exception as failure:
        sys.stdout.write(f"{name}: {type(failure).__name__}: {failure}\n")
        return False
    words = ", ".join(f"{w} {e:.1e}" for w, e in zip(("CPython", "Chromium"), errors, strict=True))
    sys.stdout.write(f"{name}: {len(data) / 1e6:.1f} MB, error of the largest logit: {words}\n")
    sys.stdout.flush()
    return max(errors) < TOLERANCE


def error(found: Array, expected: Array) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def here(data: bytes, images: Array) -> Array:
    import nn

    nn.kernels.load()
    found: Array = nn.io.load(data).predict_on_batch(images)
    return found


def there(site: Site, page: Any, data: bytes, images: Array) -> Array:
    import json

    array = io.BytesIO()
    np.save(array, images)
    site.replace("tests/python/model.file", data)
    site.replace("tests/python/x.npy", array.getvalue())
    names = ("model.file", "x.npy", "pyfive.zip")
    files = engine_files() | {name: f"tests/python/{name}" for name in names}
    return np.array(json.loads(run(page, IN_BROWSER, files, PATIENCE)))


def pyfive() -> bytes:
    """Return pyfive as a zip archive that Python imports from."""
    import pyfive

    stream = io.BytesIO()
    folder = Path(pyfive.__file__).parent
    with zipfile.ZipFile(stream, "w") as archive:
        for path in folder.rglob("*.py"):
            archive.write(path, path.relative_to(folder.parent))
        metadata = distribution("pyfive").read_text("METADATA")
        archive.writestr("pyfive.dist-info/METADATA", metadata or "")
    return stream.getvalue()
