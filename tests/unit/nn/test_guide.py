"""The examples of docs/nn.md and of docs/formats.md, run in order."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest
from nn import artifacts
from nn.data import write_idx

from tests.support.documents import DOCS, blocks, run

RNG = np.random.default_rng(0)


def given() -> dict[str, Any]:
    """Return the names that the examples assume: data and a listener."""
    images = RNG.integers(0, 256, (300, 28, 28), np.uint8)
    labels = RNG.integers(0, 10, 300, np.uint8)
    return {
        "image_file": write_idx(images),
        "label_file": write_idx(labels),
        "images": images,
        "labels": labels,
        "image": images[0, :, :, None] / 255,
        "draw": lambda batch, logs: logs["loss"],
        "x": RNG.normal(size=(4, 8)).astype(np.float32),
        "y": np.array([0, 1, 2, 1]),
    }


@pytest.mark.promise("nn: files and guides", "The examples of docs/nn.md run")
@pytest.mark.asyncio
async def test_the_examples_of_the_guide_run() -> None:
    names = given()
    examples = [block for block in blocks(DOCS / "nn.md") if block.kind == "python"]
    assert len(examples) == 9
    names["fetch_bytes"] = lambda: nn.io.save(names["digits_model"])
    for number, block in enumerate(examples):
        await run(block, names)
        if number == 0:
            names["digits_model"] = names["model"]
    assert names["probabilities"].shape == (300, 10)
    assert names["history"].epoch == [0, 1]
    assert np.isfinite(names["loss"])
    assert names["digits"].state == "disposed"


def small() -> nn.Model:
    """A model of the images above, trained for a step."""
    nn.set_random_seed(1)
    layers = [nn.Input((4, 4, 4)), nn.Flatten(), nn.Dense(10, activation="softmax", name="dense")]
    model = nn.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_the_examples_of_the_page_of_files_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images = RNG.normal(size=(8, 4, 4, 4)).astype(np.float32)
    labels = RNG.integers(0, 10, 8)
    model = small()
    Path("model.keras").write_bytes(nn.io.save(model, "keras"))
    Path("resnet.onnx").write_bytes(nn.io.save(model, "onnx"))
    Path("model.npz").write_bytes(nn.io.save(model))
    artifacts.main(["model.npz", "artifacts", "--optimizer", "adamw"])
    names: dict[str, Any] = {
        "nn": nn,
        "np": np,
        "Path": Path,
        "model": model,
        "train": nn.Dataset(images, labels),
        "images": images,
        "labels": labels,
        "upload": nn.io.save(model),
        "full": nn.io.save(model),
        "folder": tmp_path,
        "received": np.zeros(650, np.float32),
        "yours": [np.ones(650, np.float32)],
        "deviation": 0.1,
    }
    for block in blocks(DOCS / "formats.md"):
        if block.kind == "python":  # on CPython an artifact is its bytes
            code = re.sub(r'("artifacts/[\w.]+")', r"Path(\1).read_bytes()", block.code)
            asyncio.run(run(block._replace(code=code), names))
    assert names["average"].shape == (650,)
