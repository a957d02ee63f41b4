"""The classes' names travel with what is shown of the data: the page may show others already."""

import asyncio

import numpy as np
import pytest
from app.lab.augmentation import Augmentation
from app.lab.glance import Glance
from app.lab.images.mnist import Mnist, class_name
from app.lab.picture import Picture
from app.lab.training import CHANGES
from nn.data import Dataset

from tests.unit.app.lab.test_data import model
from tests.unit.app.lab.test_picture import Buckets


@pytest.mark.parametrize("classes", range(1, 11))
def test_what_is_shown_of_data_has_the_names_of_their_classes(classes: int) -> None:
    labels = np.arange(12, dtype=np.uint8) % classes
    names = [f"class {number}" for number in range(classes)]
    data = Dataset(np.zeros((12, 28, 28, 1), np.uint8), labels, class_names=names)
    mnist = Mnist()
    mnist.use("own", data, data)
    off = dict.fromkeys(CHANGES, 0)
    shown = Augmentation(mnist).samples(off, 2, 3)["names"]
    shown.append(Picture(mnist, Buckets()).next_image()["name"])
    shown += [entry["truth"] for entry in asyncio.run(Glance(mnist).answers(model()))]
    assert set(shown) <= set(names)
    assert [class_name(data, label) for label in range(classes)] == names
    assert class_name(data, classes) == str(classes), "a network of ten answers may say so"
