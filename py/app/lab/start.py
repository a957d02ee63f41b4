"""The object that the worker serves as `lab`: the start-up calls, and one object for each panel."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np

from app.lab.analysis import Analysis
from app.lab.augmentation import Augmentation
from app.lab.browser import downloads, indexed_db
from app.lab.browser.begun import Begun
from app.lab.buckets import Buckets
from app.lab.data import Data
from app.lab.draw import Draw
from app.lab.environment import Environment
from app.lab.federation import Federation
from app.lab.glance import Glance
from app.lab.hardware import Hardware
from app.lab.history import History
from app.lab.images.mnist import Mnist
from app.lab.lens import Lens
from app.lab.models import Models
from app.lab.network import Network
from app.lab.own import Own
from app.lab.picture import Picture
from app.lab.projects import Projects
from app.lab.search import Search
from app.lab.speed import Speed
from app.lab.table import Table
from app.lab.training import Training
from app.lab.unfinished import Unfinished


class Lab(Begun):
    """Loads the kernels and the data; its attributes are named as the panels that use them.

    Args:
        mnist: the data sets that the page trains on.
        started: the worker's clock when its first line ran, in milliseconds.
        imported: the same when NumPy and the engine were imported.
    """

    def __init__(self, mnist: Mnist, started: float, imported: float) -> None:
        super().__init__(started, imported)
        self._mnist = mnist
        self.environment = Environment()
        self.buckets = Buckets(mnist)
        self.data = Data(mnist, self.buckets.take_back)
        self.augmentation = Augmentation(mnist)
        self.network = Network()
        self.picture = Picture(mnist, self.buckets)
        self.own = Own(self.data, self.picture, _picture_at, indexed_db)
        self.projects = Projects(mnist, self.data, self.own)
        self.lens = Lens(self.picture)
        self.hardware = Hardware()
        self.training = Training(mnist, [self.picture.reporter], self.hardware)
        self.glance = Glance(mnist)
        self.draw = Draw(mnist, self.buckets)
        self.models = Models(mnist)
        self.federation = Federation(mnist)
        self.analysis = Analysis(mnist, self.buckets)
        self.history = History(indexed_db)
        self.unfinished = Unfinished(self.training)
        self.search = Search()
        self.speed = Speed(mnist, self.hardware)
        self.table = Table(downloads.download)

    async def load_kernels(self, base: str) -> dict[str, Any]:
        """Load the fastest kernels that this browser supports: {name, size, problems}."""
        self.hardware.base = base
        return await super().load_kernels(base)

    async def load_data(self, base: str) -> int:
        """Download MNIST; return the number of bytes downloaded."""
        self.models.base = self.own.base = base

        async def download(path: str) -> bytes:
            return await downloads.download(downloads.address(base, path))

        loading = asyncio.ensure_future(self._mnist.load(download))
        await asyncio.sleep(0)  # the requests are sent
        await _import_training()
        return await loading


async def _picture_at(url: str) -> Any:
    """Return the picture at an address as (h, w, 3) uint8."""
    return await downloads.decode_image(await downloads.download(url))


async def _import_training() -> None:
    """Train a network of one weight: this imports what the first run needs."""
    layers = [nn.Input((1,), name="one"), nn.Dense(1, name="weight")]
    model = nn.Sequential(layers, name="warm_up")
    model.compile("sgd", "mse")
    await model.fit(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32), epochs=1)
