"""A batch without samples has outputs without samples, whatever the layer."""

from __future__ import annotations

from random import Random
from typing import Any

import nn
import numpy as np
import pytest
from nn import kernels

from tests.support import every_layer

pytestmark = pytest.mark.usefixtures("native")
CASES = {f"{kind}-{seed}": (kind, seed) for kind in every_layer.KINDS for seed in range(2)}


def predicted(model: Any) -> Any:
    """Return what the model predicts for no samples."""
    inputs = [np.zeros((0, *tensor.shape[1:]), np.float32) for tensor in model.inputs]
    return model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_layer_has_no_outputs_for_no_samples(case: Any, backend: str) -> None:
    kind, seed = case
    x = nn.Input(every_layer.SHAPES[every_layer.shape_of(kind)])
    model = nn.Model(x, every_layer.after(x, kind, Random(f"{kind}{seed}")))
    with kernels.use(backend):
        assert predicted(model).shape == (0, *model.outputs[0].shape[1:])


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_attention_and_dot_products_have_none_either(backend: str) -> None:
    a, b = nn.Input((5, 4)), nn.Input((3, 4))
    read = nn.MultiHeadAttention(2, 3)(a, b)
    model = nn.Model([a, b], [read, nn.layers.Attention()([a, b]), nn.layers.Dot(-1)([a, b])])
    with kernels.use(backend):
        found = predicted(model)
    assert [y.shape for y in found] == [(0, 5, 4), (0, 5, 4), (0, 5, 3)]
