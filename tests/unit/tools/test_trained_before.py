"""The network "trained before" is small, is the page's first one, and reads as much as is said."""

from __future__ import annotations

import asyncio

import nn
from app.lab import precisions
from app.lab.network import ACCURACY, Network
from app.state import architectures
from nn import kernels

from tools import trained_before


def test_the_stored_network_reads_as_many_digits_as_the_page_says() -> None:
    content = trained_before.TARGET.read_bytes()
    assert len(content) <= trained_before.MOST
    model = nn.io.load(content)
    with kernels.use("numpy"):  # what was in use before is again afterwards
        kernels.load()
        data = asyncio.run(trained_before.digits())
        right = asyncio.run(precisions.accuracy(model, data.test))
    assert abs(right - ACCURACY) <= 0.0002  # two images that rounding may decide
    layers = architectures.layers_of(architectures.DEFAULT)
    fresh = Network().build(layers, seed=1)
    assert [row[1:] for row in model.summary_rows()] == [row[1:] for row in fresh.summary_rows()]
