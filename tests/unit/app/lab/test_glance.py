"""The strip of test images: what the network in use answers to them."""

import asyncio

import numpy as np
import pytest
from app.lab.glance import Glance
from app.lab.images.mnist import Mnist
from nn.data import Dataset

from tests.unit.app.lab.test_data import model


@pytest.mark.parametrize("shape", [(28, 28, 3), (32, 32, 1), (28, 28, 1)])
def test_a_network_of_the_data_before_reads_none_of_those_of_now(shape: tuple[int, ...]) -> None:
    data = Dataset(np.zeros((12, *shape), np.uint8), np.arange(12) % 2)
    mnist = Mnist()
    mnist.use("own", data, data)
    found = asyncio.run(Glance(mnist).answers(model()))
    assert len(found) == (12 if shape == (28, 28, 1) else 0)
