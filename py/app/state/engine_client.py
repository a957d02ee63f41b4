"""The page's end of the worker: the engine, the network in work, and what becomes of both.

Everything that has pixels or weights stays there; here are proxies, numbers and words.
"""

import asyncio

import farcall
import js

from app.page import dom, numbers, status
from app.state import architectures

BASE = js.document.baseURI
START = 600  # seconds for the worker's 9 MB: 15 kB/s; what breaks is heard of before


class Studio:
    """The engine and the network that the panels share.

    Attributes:
        engine: the worker's root, None until it answers.
        model: the network, None until it is built.
        trained: epochs that the network has seen.
    """

    def __init__(self, options):
        self.options = options
        self.engine = None
        self.lab = None
        self.model = None
        self.layers = None
        self.rows = []
        self.data = {"name": "MNIST", "train": 60000}
        self.data_ready = False
        self.test_set = None
        self.trained = 0
        self.building = asyncio.Lock()
        self._listeners = []

    def listen(self, listener):
        """Call `listener()` when there is another network, or the same with other weights."""
        self._listeners.append(listener)

    def changed(self):
        for listener in self._listeners:
            listener()

    # -- start-up ---------------------------------------------------------------------------

    async def connect(self, again=False):
        """Walk through the start-up phases; each says its size and time.

        Args:
            again: start a new worker in place of the one that the page came with.
        """
        status.say("Starting Python and NumPy in a worker…")
        if again:
            self.engine = await self._another_worker()
        else:
            self.engine = await farcall.connect("engine", timeout=START, on_error=self._unheard)
        self.lab = self.engine.lab
        origins = await self.lab.origins()
        status.step("runtime", "done", origins["runtime_bytes"], origins["runtime_s"])
        status.step(
            "numpy", "done", origins["numpy_bytes"], origins["numpy_s"], origins["numpy_version"]
        )
        await self._load_kernels()
        await self._load_data()

    async def _another_worker(self):
        worker = farcall.Worker(
            "./py/app/worker.py",
            config="./worker.toml",
            name="engine",
            timeout=START,
            on_error=self._unheard,
        )
        await worker.start()
        return worker.engine

    def lost(self):
        """The worker is gone, and everything in it."""
        self.engine = self.lab = self.model = self.test_set = None
        self.data_ready = False

    def _unheard(self, error, text):
        """A call that nobody awaited failed in the worker."""
        dom.handler_of_failures[0](error)

    async def _load_kernels(self):
        status.say("Loading the engine's kernels…")
        status.step("kernels", "active")
        began = dom.now()
        found = await self.lab.load_kernels(BASE)
        took = dom.now() - began
        plain = found["name"] == "numpy"
        status.step("kernels", "warn" if plain else "done", found["size"], took, found["name"])
        if plain:
            status.notice(
                "Training with NumPy alone",
                "The fast kernels could not be loaded: " + "; ".join(found["problems"]) + ".",
                "Everything works, but slower. Check static/vendor/kernels/ on the server.",
            )

    async def _load_data(self):
        status.say("Loading 70,000 handwritten digits…")
        status.step("data", "active")
        began = dom.now()
        octets = await self.lab.load_data(BASE)
        status.step("data", "done", octets, dom.now() - began)

    # -- the network ------------------------------------------------------------------------

    async def build(self, layers):
        """A new network with fresh weights from the seed in the options."""
        async with self.building:
            nn = self.engine.nn
            nn.set_random_seed(self.options["seed"])
            parts = [nn.Input(architectures.INPUT_SHAPE)]
            parts += [getattr(nn, kind)(**arguments) for kind, arguments in layers]
            # Nothing above was awaited: layers travel as calls, their results stay in the worker.
            await self.adopt(await nn.Sequential(parts), layers, 0)

    async def settled(self):
        """Wait for the network that is being built, if one is."""
        async with self.building:
            pass

    async def begin_again(self):
        """The same architecture with fresh weights; a loaded network's is known to the worker."""
        await self.settled()  # another architecture may just have been chosen
        if self.layers is not None:
            await self.build(self.layers)
        else:
            await self.adopt(await self.lab.fresh(self.model, self.options["seed"]), None, 0)

    async def adopt(self, model, layers, trained):
        """Take a network, built or loaded, as the one in work."""
        rows = await model.summary_rows()
        before = self.model
        self.model, self.layers, self.trained = model, layers, trained
        self.rows = rows
        if before is not None:
            farcall.release(before)
        self.changed()

    async def refresh_data(self):
        """Ask again what the data are."""
        self.data = await self.lab.counts()
        self.test_set = await self.engine.mnist.test
        self.data_ready = True

    async def read_drawing(self, pixels, width):
        return await self.lab.read(self.model, pixels, width)

    async def fine_tune(self):
        await self.compile()
        loss = await self.lab.fine_tune(self.model)
        self.trained = self.trained or 1
        return loss

    async def compile(self):
        """Give the network the optimizer of the options, once; later changes keep its state."""
        options = self.options
        choice = {name: options[name] for name in ("optimizer", "lr", "schedule", "l2")}
        await self.lab.compile(self.model, choice)

    def describe(self):
        """The network in a line, for the list of saved ones."""
        parameters = sum(row[3] for row in self.rows)
        return f"{len(self.rows)} layers, {numbers.count(parameters)} parameters"
