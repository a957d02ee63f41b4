"""The network "trained before": the page's first network, trained here and stored in a few bytes.

    PYTHONPATH=py python -m tools.trained_before

trains the page's first preset on MNIST's 60,000 training images, shifted, turned and zoomed at
random, and writes its weights, a byte each, to static/trained-before.npz; it prints the share of
the 10,000 test images that the stored file reads right.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
from pathlib import Path
from typing import Any

import nn
from app.lab import precisions
from app.lab.images import mnist
from app.lab.network import TRAINED_BEFORE, Network
from app.lab.training import Training
from app.state import architectures, settings
from nn import kernels

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "static" / TRAINED_BEFORE
DATA = ROOT / "static" / "vendor"
OPTIONS = {
    "epochs": 6, "batch": 128, "lr": 0.003, "schedule": "cosine",
    "shift": 1, "rotate": 8, "zoom": 8, "seed": 7,
}  # fmt: skip
MOST = 61_000
"""Bytes that the file may have."""


async def trained(data: mnist.Mnist) -> Any:
    """Return the network after its training."""
    options = settings.defaults() | OPTIONS
    model = Network().build(architectures.layers_of(architectures.DEFAULT), options["seed"])
    run = {"seed": options["seed"], "done": 0, "first": 0, "resume": False}
    await Training(data).fit(model, options, run, _ignored, _told)
    return model


async def digits() -> mnist.Mnist:
    """Return MNIST as `tools.vendor` fetched it."""

    async def read(path: str) -> bytes:
        return gzip.decompress((DATA / path).read_bytes())

    data = mnist.Mnist()
    await data.load(read)
    return data


async def main() -> None:
    """Train, write the file and say what it is worth."""
    kernels.load()
    data = await digits()
    model = await trained(data)
    content = precisions.saved(model, "uint8")
    right = await precisions.accuracy(nn.io.load(content), data.test)
    if len(content) > MOST:
        raise SystemExit(f"trained_before: expected at most {MOST} bytes, made {len(content)}")
    TARGET.write_bytes(content)
    sys.stdout.write(f"{TARGET.name}: {len(content):,} bytes, {100 * right:.2f} % right\n")


def _ignored(number: int, logs: dict[str, Any]) -> None:
    """Say nothing of a batch."""


def _told(number: int, logs: dict[str, Any]) -> None:
    """Say what an epoch came to."""
    sys.stdout.write(f"epoch {number + 1}: {100 * logs['val_accuracy']:.2f} %\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
