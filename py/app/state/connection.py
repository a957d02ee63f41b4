"""The page's worker: how it starts, what it says of its start, and its end."""

import js

from app import language
from app.language import tr
from app.page import dom, status

BASE = js.document.baseURI
START = 600  # seconds to download the worker's 9 MB at 15 kB/s; errors are reported before


class Connection:
    """The worker named "engine" that a page comes with, or another in its place.

    Args:
        script: of the worker, for another one.
        config: likewise.
        unpack: coroutine function that fetches a bundle of modules, by its name.

    Attributes:
        farcall: the library, None until it is loaded.
        engine: the worker's root, None until it answers.
        lab: the object in the worker that says how it started, and what else it serves there.
    """

    def __init__(self, script, config, unpack):
        self._worker = (script, config)
        self._unpack = unpack
        self.farcall = None
        self.engine = None
        self.lab = None
        self._begun = False

    async def load(self):
        """Fetch farcall, which is half of a page's Python: the controls work before."""
        if self.farcall is None:
            await self._unpack("farcall.txt")
            import farcall

            self.farcall = farcall

    async def connect(self):
        """Go through the start-up steps; each shows its size and time.

        From the second time on with a new worker in place of the one that the page came with.
        """
        status.say(tr("Starting Python and NumPy in a worker…"))
        again, self._begun = self._begun, True
        if again:
            self.engine = await self._another_worker()
        else:
            self.engine = await self.farcall.connect(
                "engine", timeout=START, on_error=self._unheard
            )
        self.lab = self.engine.lab
        if language.table:
            await self.lab.speak(language.table)
        origins = await self.lab.origins()
        status.step("runtime", "done", origins["runtime_bytes"], origins["runtime_s"])
        status.step(
            "numpy", "done", origins["numpy_bytes"], origins["numpy_s"], origins["numpy_version"]
        )
        await self._load_kernels()

    async def _another_worker(self):
        script, config = self._worker
        worker = self.farcall.Worker(
            script, config=config, name="engine", timeout=START, on_error=self._unheard
        )
        await worker.start()
        return worker.engine

    def lost(self):
        """Forget the worker, which is gone."""
        self.engine = self.lab = None

    def _unheard(self, error, text):
        """Handle the error of a call that was not awaited."""
        dom.handler_of_failures[0](error)

    async def _load_kernels(self):
        status.say(tr("Loading the engine's kernels…"))
        status.step("kernels", "active")
        began = dom.now()
        found = await self.lab.load_kernels(BASE)
        took = dom.now() - began
        plain = found["name"] == "numpy"
        status.step("kernels", "warn" if plain else "done", found["size"], took, found["name"])
        if plain:
            status.notice(
                tr("Training with NumPy alone"),
                tr(
                    "The fast kernels could not be loaded: {problems}.",
                    problems="; ".join(found["problems"]),
                ),
                tr("Everything works, but slower. Check static/vendor/kernels/ on the server."),
            )
