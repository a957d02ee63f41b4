"""The playground as a whole: start, failures, theme."""

import js

from app.language import tr
from app.page import dom, failures, keys, status
from app.page.theme import Theme
from app.panels.playground.form import Form
from app.panels.playground.plane import Plane
from app.state import settings
from app.state.connection import Connection

_INKS = ("tile", "blue", "rust")


class PlaygroundPage:
    """The parts of the playground.

    Args:
        unpack: coroutine function that fetches a bundle of modules, by its name.
    """

    def __init__(self, unpack):
        self.unpack = unpack
        self.connection = Connection("./py/app/playground_worker.py", "./playground.toml", unpack)
        self.run = None
        dom.handler_of_failures[0] = self._failed
        status.begin()
        query = js.URLSearchParams.new(js.location.search)
        frame = settings.framed(lambda name: query.get(name))
        self.theme = Theme(frame["embed"], frame["theme"])
        self.theme.listen(lambda: dom.spawn(self._recolour()))
        self.form = Form(self._changed, self._seen)
        self.plane = Plane(self.form)
        keys.begin(lambda _: None)
        dom.click("failure-restart", self._restart)

    async def start(self):
        """Start everything up to a network that can be trained; show every failure in words."""
        try:
            await self._start()
        except Exception as error:
            self._failed(error)

    async def _restart(self):
        dom.root.dataset.phase = "loading"  # what fails from now on is said again
        status.again()
        await self.start()

    async def _start(self):
        began = dom.now()
        await self.connection.load()
        await self.connection.connect()
        self.connection.farcall.session(self.connection.engine).on_close.append(self._died)
        play = self.connection.engine.play
        if self.run is None:
            await self._build(play)
        self.run.play = play
        await play.colours(_inks())
        await self._show_toys(play)
        self.run.begin()
        status.step("ready", "done", 0, dom.now() - began)
        status.started(dom.now() - began)

    async def _build(self, play):
        """Make what needs the worker, and the picture's modules, which Digits has too."""
        await self.unpack("later.txt")
        from app.panels.playground.drawing import Drawing
        from app.panels.playground.run import Run

        side, _ = await play.sides()
        drawing = Drawing(self.form, lambda place: self.run.look(place), side)
        self.run = Run(play, self.form, drawing, self.plane)
        drawing.redrawn = lambda: dom.spawn(self.run.again())

    async def _show_toys(self, play):
        """Show the small picture of each toy."""
        for name, svg in (await play.toys()).items():
            dom.put(dom.document.querySelector(f'[data-toy="{name}"] svg'), svg)

    def _changed(self):
        if self.run is not None:
            self.run.begin()

    def _seen(self):
        if self.run is not None:
            dom.spawn(self.run.discretise())

    async def _recolour(self):
        if self.run is not None:
            await self.run.recolour(_inks())

    # -- failures -----------------------------------------------------------------------------

    def _died(self, error):
        self._failed(error or self.connection.farcall.WorkerDiedError(tr("the worker is gone")))

    def _failed(self, error):
        if dom.root.dataset.phase == "error" or dom.root.hasAttribute("data-broken"):
            return  # shown already, or static/boot.js loads the page again
        title, following = failures.explain(error)
        gone = failures.is_gone(error)
        if gone:
            self.connection.lost()
        dom.root.dataset.phase = "error"
        dom.enable("train", "pause", "step", "reset", when=False)
        what = failures.first_line(error)
        status.failure(title, what, following, status.details_of(error), gone)


def _inks():
    """Return red, green and blue of the theme's inks, as the worker takes them."""
    return {name: dom.channels(name) for name in _INKS}
