"""The examples of docs/nn.md, run in order."""

from __future__ import annotations

import ast
import re
import types
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest
from nn.data import write_idx

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "nn.md"
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
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), flags=re.M | re.S)
    assert len(blocks) == 8
    for number, block in enumerate(blocks):
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(block, f"nn.md, example {number + 1}", "exec", flags)
        names["fetch_bytes"] = lambda: nn.io.save(names["digits_model"])
        result = types.FunctionType(code, names)()
        if isinstance(result, types.CoroutineType):
            await result
        if number == 0:
            names["digits_model"] = names["model"]
    assert names["probabilities"].shape == (300, 10)
    assert names["history"].epoch == [0, 1]
    assert np.isfinite(names["loss"])
    assert names["digits"].state == "disposed"
