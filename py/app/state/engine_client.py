"""The page's side of the worker: the engine, the network in use, and their life.

Pixels and weights stay in the worker; here are proxies, numbers and texts.
"""

import asyncio

from app.language import tr
from app.page import dom, status
from app.state import settings
from app.state.connection import BASE, Connection

_MNIST = {
    "id": "mnist",
    "name": "MNIST",
    "train": 60000,
    "names": [str(digit) for digit in range(10)],
    "shape": [28, 28, 1],
    "picture": [28, 28, 1],
}


class EngineClient(Connection):
    """The engine and the network that the panels share.

    Attributes:
        model: the network, None until it is built.
        layers: its layers as the page's editor has them; None for a network from a file.
        trained: epochs that the network has been trained for.
        learned: whether any step has changed its weights.
        accuracy: its share of test images read right, None where that is not known.
        run: number of the run that trained it last, 0 where there was none.
        version: another number whenever what was found out about the network is no longer so.
        before: a network trained before, which reads what is drawn until a fresh one is trained;
            None where there is none.
    """

    def __init__(self, options, state, unpack):
        super().__init__("./py/app/worker.py", "./worker.toml", unpack)
        self.options = options
        self.model = None
        self.layers = None
        self.rows = []
        self.data = _MNIST
        self.data_ready = False
        self.trained = self.run = self.version = 0
        self.learned = False
        self.accuracy = None
        self.before = None
        self.before_accuracy = 0.0
        self.building = asyncio.Lock()
        self.replacing = state.turn()  # the data, or the network by a file
        self._built_with = None  # seed and penalty of a network that no step has changed
        self._listeners = []

    def listen(self, listener):
        """Call `listener()` when there is another network, or the same with other weights."""
        self._listeners.append(listener)

    def changed(self):
        """Tell the listeners that the network has changed."""
        for listener in self._listeners:
            listener()

    def outdated(self):
        """Tell the listeners that the network or its data are others."""
        self.version += 1
        self.changed()

    # -- start-up ---------------------------------------------------------------------------

    async def connect(self):
        """Go through the start-up steps; each shows its size and time."""
        await super().connect()
        await self._load_data()

    def lost(self):
        """Forget the worker, which is gone, and everything in it."""
        super().lost()
        self.model = self.before = None
        self.data_ready = False

    async def _load_data(self):
        status.say(tr("Loading 70,000 handwritten digits…"))
        status.step("data", "active")
        began = dom.now()
        size = await self.lab.load_data(BASE)
        status.step("data", "done", size, dom.now() - began)

    # -- the network ------------------------------------------------------------------------

    async def build(self, layers):
        """Build a network with fresh weights from the seed in the options."""
        async with self.building:
            seed, l2 = self.options["seed"], self.options["l2"]
            shape = self.data["shape"]
            await self.adopt(await self.lab.network.build(layers, seed, l2, shape), layers)
            self._built_with = (seed, l2)

    async def settled(self):
        """Wait for the network that is being built, if one is."""
        async with self.building:
            pass

    async def begin_again(self):
        """Build the same architecture with fresh weights."""
        await self.settled()  # another architecture may just have been chosen
        if self.layers is not None:
            await self.build(self.layers)
        else:  # the worker knows the architecture of a network from a file
            fresh = await self.lab.network.fresh(self.model, self.options["seed"])
            await self.adopt(fresh, None)

    async def adopt(self, model, layers, about=None):
        """Use a network, built or loaded, in place of the present one.

        Args:
            model: the network.
            layers: its layers, None where only the worker knows them.
            about: what is known of one that has learned: trained, accuracy, run.
        """
        rows = await model.summary_rows()
        former = self.model
        self.model, self.layers = model, layers
        self.learned, about = about is not None, about or {}
        self.trained, self.run = about.get("trained", 0), about.get("run", 0)
        self.accuracy = about.get("accuracy")
        self._built_with = None
        self.rows = rows
        self._forget_before()
        if former is not None:
            self.farcall.release(former)
        self.outdated()

    @property
    def reading(self):
        """The network that reads what is drawn."""
        return self.model if self.before is None else self.before

    async def read_before(self, preset):
        """Read with the network trained before, while the one in use is its fresh twin."""
        fresh = self.model
        if self._built_with is None or preset != "seed" or self.data["name"] != "MNIST":
            return
        found = await self.lab.network.trained_before(BASE)
        if self.model is fresh and self._built_with is not None:  # nothing came in between
            self.before, self.before_accuracy = found["model"], found["accuracy"]
            self.changed()
        else:
            self.farcall.release(found["model"])

    def _forget_before(self):
        if self.before is not None:
            self.farcall.release(self.before)
        self.before = None

    async def before_training(self):
        """Build an untrained network again if seed or penalty have been changed since."""
        wanted = (self.options["seed"], self.options["l2"])
        if self._built_with is not None and self._built_with != wanted:
            await self.build(self.layers)
        self._built_with = None  # a step changes it
        self.learned, self.accuracy = True, None
        self._forget_before()
        self.outdated()

    async def refresh_data(self):
        """Ask the worker for the name and the size of the data."""
        self.data = await self.lab.data.counts()
        self.data_ready = True

    def decisive(self):
        """Return the options that decide a curve, as the worker takes them."""
        return {name: self.options[name] for name in settings.DECISIVE}
