"""Files that Keras 2 itself wrote (`files/write.py`), with its own answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest

FILES = Path(__file__).parent / "files"
ANSWERS = json.loads((FILES / "answers.json").read_text())


def loaded(name: str, suffix: str) -> tuple[nn.Model, Any]:
    xs = [np.array(x, np.float32) for x in ANSWERS[name]["inputs"]]
    model = nn.io.load((FILES / f"{name}.{suffix}").read_bytes())
    return model, xs if len(xs) > 1 else xs[0]


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", ANSWERS)
def test_a_file_of_keras_2_predicts_as_there(name: str, suffix: str) -> None:
    model, x = loaded(name, suffix)
    np.testing.assert_allclose(model.predict_on_batch(x), ANSWERS[name]["y"], atol=1e-6)
    assert model.compiled


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", ANSWERS)
def test_its_optimizer_goes_on_as_there(name: str, suffix: str) -> None:
    model, x = loaded(name, suffix)
    model.train_on_batch(x, np.ones_like(ANSWERS[name]["y"]))
    np.testing.assert_allclose(model.predict_on_batch(x), ANSWERS[name]["after"], atol=2e-5)
