"""The whole page: it connects the panels to each other, to the worker and to the run's state."""

import asyncio

import js

from app.asked import Asked
from app.embedding.frame import Embedding
from app.endings import MODELS
from app.language import tr
from app.page import dom, failures, images, keys, status
from app.page.theme import Theme
from app.panels.analysis import Analysis
from app.panels.data import Data
from app.panels.draw import Draw
from app.panels.history import History
from app.panels.models import Models
from app.panels.network import Network
from app.panels.options import Options
from app.panels.training import Training
from app.panels.unfinished import Unfinished
from app.state.engine_client import EngineClient
from app.state.run import RunState


class Choice:
    """Starts what Device and Cores choose, and searches; the code is fetched when they first do.

    Args:
        client: the engine.
        options: the options panel.
        training: the training panel; a run waits for what was chosen.
        unpack: coroutine function that fetches a bundle of modules, by its name.
    """

    def __init__(self, client, options, training, unpack):
        self.client = client
        self.options = options
        self.training = training
        self.unpack = unpack
        self.hardware = self.search = None
        self._busy = asyncio.Lock()
        training.ready = self._chosen
        for name in ("device", "cores"):
            options.listen(name, lambda _: dom.spawn(self.start()))
        dom.click("search-start", self._search)

    async def start(self):
        """Start what is chosen now; a page that keeps the CPU fetches nothing for it."""
        async with self._busy:
            usual = (self.options["device"], self.options["cores"]) == ("cpu", 1)
            if self.client.lab is None or (usual and self.hardware is None):
                return
            if self.hardware is None:
                try:
                    await self.unpack("hardware.txt")
                except Exception as error:
                    status.notice(
                        tr("What trains on a GPU or on several cores could not be fetched"),
                        failures.first_line(error),
                        tr("One core of the CPU trains. Reload the page to try again."),
                    )
                    return
                from app.panels.hardware import Hardware

                self.hardware = Hardware(self.training)
            await self.hardware.choose()

    async def _chosen(self):
        """Wait until what is chosen is there, or is said to be missing."""
        async with self._busy:
            if self.hardware is not None:
                await self.hardware.begin()

    async def _search(self):
        if self.search is None:
            try:
                await self.unpack("search.txt")
            except Exception as error:
                status.say(
                    tr(
                        "The search could not be fetched: {problem}",
                        problem=failures.first_line(error),
                    )
                )
                return
            from app.panels.search import Search

            self.search = Search(self.training)
        await self.search.start()

    def lost(self):
        """Forget what a worker held that is gone."""
        if self.hardware is not None:
            self.hardware.lost()


class OwnData:
    """Classes made on the page, and tables; the code is fetched when they are first opened.

    Args:
        page: the page.
    """

    def __init__(self, page):
        self.page = page
        self.classes = self.table = None
        page.data.tabled = self.open_table
        page.options.listen("link", lambda _: self.leave())
        dom.click("own-open", self.open)

    async def open(self):
        """Open the mode of classes made on the page."""
        if await self._load():
            await self.classes.open()

    async def _load(self):
        """Make the mode unless it is made; return whether it is."""
        page = self.page
        if self.classes is None:
            try:
                await page.unpack("own.txt")
            except Exception as error:
                problem = failures.first_line(error)
                status.say(tr("The mode could not be fetched: {problem}", problem=problem))
                return False
            from app.panels.own import Own

            self.classes = Own(page.client, page.training, page.data, page.draw)
        return True

    async def restore(self):
        """Train on the classes that this browser has kept; return whether there are any."""
        return await self._load() and await self.classes.restore()

    async def again(self):
        """Show what another worker holds: what was not kept ended with the one that is gone."""
        if self.classes is not None and self.classes.opened and not self.classes.taken:
            self.classes.changed = True
            await self.classes.open()
        if self.table is not None:
            self.table.again()

    def leave(self):
        """End the mode where the data are others than its classes; a link and new data call it."""
        if self.classes is not None:
            self.classes.leave()

    async def open_table(self, name, url, identifier=""):
        """Show a CSV file that holds no images as a table. Raises what keeps it from that.

        Args:
            name: of the file.
            url: its address.
            identifier: what a link calls it, '' where none can.
        """
        page = self.page
        if self.table is None:
            await page.unpack("own.txt")
            from app.panels.table import Table

            self.table = Table(page.client, page.options, page.state)
        await self.table.open(name, url, identifier)

    def recolour(self):
        """Show the table's curves in the theme's colours."""
        if self.table is not None:
            self.table.curves.rebuild()


class PageApp:
    """The panels, and what concerns several of them: start, failures, themes, dropped files.

    Args:
        unpack: coroutine function that fetches a bundle of modules, by its name.
    """

    def __init__(self, unpack):
        self.unpack = unpack
        self.state = RunState(status.say)
        self.state.listen(self._show_phase)
        dom.handler_of_failures[0] = self._unexpected
        status.begin()
        self.options = Options()
        self.options.free = lambda: self.state.free(tr("the link begins a new network"))
        frame = self.options.frame
        self.theme = Theme(frame["embed"], frame["theme"])
        self.client = EngineClient(self.options, self.state, unpack)
        self.history = History(self.client, self.options)
        self.training = Training(self.client, self.options, self.history, self.state)
        self.network = Network(self.client, self.options, self.state)
        self.models = Models(self.client, self.state)
        self.unfinished = Unfinished(
            self.client, self.options, self.training, self.network, self.models
        )
        self.data = Data(self.client, self.options, self.state)
        self.data.changed = self.network.code
        self.data.replaced = self._data_replaced
        self.draw = Draw(self.client, self.data.buckets, self.state)
        self.analysis = Analysis(self.client, self.state)
        self.picture = self.lens = self.federation = None
        self.own_data = OwnData(self)
        self.choice = Choice(self.client, self.options, self.training, unpack)
        self.embedding = Embedding(self, unpack)
        self.asked = Asked(self, unpack)
        self.client.listen(self.draw.changed)
        self.theme.listen(self._recolour)
        keys.begin(self.draw.correct)
        dom.click("failure-restart", self.restart)
        dom.on(js.window, "beforeunload", self._leaving, passive=False)
        dom.on(dom.document, "dragover", lambda event: event.preventDefault(), passive=False)
        dom.on(dom.document, "drop", self._dropped, passive=False)

    async def start(self):
        """Start everything up to a network that can be trained; show every failure in words."""
        try:
            await self.client.load()
            dom.spawn(self.embedding.start())
            await self._start()
        except Exception as error:
            self._failed(error)

    async def _start(self):
        began = dom.now()
        await self.client.connect()
        self.client.farcall.session(self.client.engine).on_close.append(self._died)
        await self.data.ready()
        await self.asked.data()
        await self.history.restore()
        await self.unfinished.begin()
        status.step("ready", "done", 0, dom.now() - began)
        status.started(dom.now() - began)
        self.state.enter("ready")
        dom.spawn(self.data.buckets.show())  # the start does not wait for them
        dom.spawn(self._show_network())
        dom.spawn(self.choice.start())

    async def _show_network(self):
        """Draw the network; what that needs is fetched when the page can train already."""
        if self.picture is None:
            try:
                await self.unpack("later.txt")
            except Exception as error:
                status.notice(
                    tr("The network's picture could not be fetched"),
                    failures.first_line(error),
                    tr("Everything else works. Reload the page to see the picture."),
                )
                return
            from app.page.precisions import Precisions
            from app.panels.environment import Environment
            from app.panels.federation import Federation
            from app.panels.picture import Picture
            from app.panels.speed import Speed

            Speed(self.client, self.state)
            dom.spawn(Environment(self.client).show())
            Precisions(self.client, self.state, self.models.take)
            self.federation = Federation(self.client, self.state)
            self.picture = self.draw.picture = Picture(self.client, self.draw)
            self.picture.pressed = self._look_into
            self.draw.restarted = self._hide_why
            dom.click("why", self._why)
        if self.network.layers == self.client.layers and self.options["layers"] is None:
            await self.client.read_before(self.options["preset"])
        await self.draw.show_ghost()
        await self.picture.recolour()
        dom.enable("why")

    def _look_into(self, layer, number):
        if self.lens is None:
            from app.panels.lens import Lens

            self.lens = Lens(self.client, self.picture)
            self.picture.painted = self.lens.follow
        self.lens.open(layer, number)

    async def _why(self):
        from app.panels.lens import why

        await why(self.client)

    def _hide_why(self):
        dom.find("why-map").hidden = True

    async def _data_replaced(self):
        """Begin with a new network: what the other one learned is of other data."""
        self.own_data.leave()
        await self.network.replace()
        await self.draw.replaced()

    def _show_phase(self, _):
        dom.root.dataset.phase = self.state.phase

    def _recolour(self):
        self.training.progress.curves.rebuild()
        self.history.rebuild()
        self.own_data.recolour()
        self.draw.pad.set_up()
        if self.picture:
            dom.spawn(self.picture.recolour())
        for canvas in dom.document.querySelectorAll("#samples, #seen, canvas.tinted"):
            images.recolour(canvas)

    def _dropped(self, event):
        """Take files that miss the drop zone; the browser would open them in place of the page."""
        event.preventDefault()
        files = event.dataTransfer.files
        if self.client.model is None:
            return None
        if files.length == 1 and files[0].name.lower().endswith(MODELS):
            return self.models.load(files[0])
        return self.data.take(dom.files(event.dataTransfer))

    def _leaving(self, event):
        # A run that is saved can be continued; one that is not deserves a question.
        if self.state.under_way and not self.training.kept:
            event.preventDefault()

    # -- failures ---------------------------------------------------------------------------

    def _died(self, error):
        self._failed(error or self.client.farcall.WorkerDiedError(tr("the worker is gone")))

    def _failed(self, error):
        if self.state.failed or dom.root.hasAttribute("data-broken"):
            return  # shown already, or static/boot.js loads the page again
        title, following = failures.explain(error)
        gone = failures.is_gone(error)
        if gone:
            self.client.lost()
        self._fail(title, failures.first_line(error), following, error, gone)
        if tr("Retry") in following:
            dom.find("failure-reload").textContent = tr("Retry")

    def _unexpected(self, error):
        """Show an exception that no panel caught; the page goes on."""
        if failures.is_gone(error):
            self._failed(error)
        elif not self.state.failed:
            status.notice(
                tr("Something unexpected happened"),
                type(error).__name__ + ": " + failures.first_line(error),
                tr("Save the network, and reload the page if it does not go on."),
                status.details_of(error),
            )

    def _fail(self, title, what, following, error, restart=False):
        """Show that the page cannot go on: what happened and what to do."""
        self.state.fail(title + ": " + what)
        status.failure(title, what, following, status.details_of(error), restart)

    async def restart(self):
        """Start another worker in place of the one that is gone; the page stays as it is."""
        self.state.enter("starting")
        status.again()
        self.choice.lost()
        try:
            await self._start()
            await self.own_data.again()
        except Exception as error:
            self._failed(error)
