"""Ten photographs of each class: a head on features, then the last block."""

import asyncio

import nn
import numpy as np
import pytest
from nn import applications

from tests.support.documents import DOCS, blocks, run
from tools import photographs

CLASSES = ("chelsea.png", "coffee.png", "rocket.jpg")
EACH = 10


@pytest.fixture(scope="module")
def data(native):
    """Ten crops of each of three photographs, preprocessed, and their classes."""
    crops = [(name, np.asarray(crop)) for name, crop in photographs.crops() if name in CLASSES]
    labels = np.array([CLASSES.index(name) for name, _ in crops])
    assert np.bincount(labels).tolist() == [EACH] * 3
    small = np.stack([crop[::2, ::2] for _, crop in crops])
    return applications.preprocess_input(small), labels


def test_a_head_is_trained_on_features_and_then_the_last_block(data):
    """The two blocks of the how-to, run as they stand."""
    images, labels = data
    names = {
        "images": images,
        "labels": labels,
        "held_out": np.arange(len(labels)) % 5 == 0,  # two of each class
    }
    nn.set_random_seed(1)
    head, block = (b for b in blocks(DOCS / "how-to" / "photographs.md") if b.title == "learn.py")
    asyncio.run(run(head, names))
    base = names["base"]
    before = {layer.name: layer.get_weights() for layer in base.layers}
    asyncio.run(run(block, names))
    assert names["first"]["accuracy"] == names["second"]["accuracy"] == 1
    losses = names["history"].history["loss"]
    assert losses[1] < losses[0] < 1
    assert names["second"]["loss"] < 1.1 * names["first"]["loss"]
    changed = {
        name
        for name, weights in before.items()
        for one, other in zip(weights, base.get_layer(name).get_weights(), strict=True)
        if not np.array_equal(one, other)
    }
    kernels_of = ("block7a_expand_conv", "block7a_dwconv", "block7a_project_conv", "top_conv")
    assert changed == set(kernels_of)
