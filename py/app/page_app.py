"""Everything on the page, and the way it starts: panels, the worker, data, then you."""

import farcall
import js

from app.embedding.frame import Embedding
from app.page import dom, images, keys, status
from app.page.theme import Theme
from app.panels.analysis import Findings
from app.panels.data import DataPanel
from app.panels.draw import Drawing
from app.panels.history import Record
from app.panels.models import Shelf
from app.panels.network import Network
from app.panels.options import Options
from app.panels.speed import SpeedPanel
from app.panels.training import Training
from app.panels.unfinished import Recovery
from app.state.engine_client import Studio


class Stage:
    """The page's panels, and what happens to all of them."""

    def __init__(self):
        status.begin()
        self.shown = None  # the rows of the network's table
        self.options = Options()
        frame = self.options.frame
        self.theme = Theme(frame["embed"], frame["theme"])
        self.studio = Studio(self.options)
        self.record = Record(self.studio, self.options)
        self.training = Training(self.studio, self.options, self.record)
        self.network = Network(self.studio, self.options, self.training.locked)
        self.recovery = Recovery(self.studio, self.options, self.training, self.network)
        self.data = DataPanel(self.studio, self.options, self.training)
        self.data.told = self.network.code
        self.drawing = Drawing(self.studio, self.data.buckets)
        self.shelf = Shelf(self.studio, self.training, self.network)
        self.findings = Findings(self.studio, self.training)
        self.drawing.at_rest = self.findings.follow
        self.speed = SpeedPanel(self.studio, self.training)
        self.embedding = Embedding(self)
        self.studio.listen(self._model_changed)
        self.theme.listen(self._recolour)
        keys.begin(self.drawing.correct)
        dom.click("failure-restart", self.restart)
        dom.on(js.window, "beforeunload", self._leaving, passive=False)
        dom.on(dom.document, "dragover", lambda event: event.preventDefault(), passive=False)
        dom.on(dom.document, "drop", self._dropped, passive=False)

    async def start(self):
        """From nothing to a network that can be trained; every failure ends in words."""
        try:
            await self._start()
        except Exception as error:
            self._failed(error)

    async def _start(self, again=False):
        began = dom.now()
        await self.studio.connect(again)
        farcall.session(self.studio.engine).on_close.append(self._died)
        await self.data.ready()
        await self.record.restore()
        if not await self.shelf.restore():
            await self.studio.build(self.network.layers)
            status.say("Ready. Press Train, or draw a digit.")
        await self.recovery.restore()
        status.step("ready", "done", 0, dom.now() - began)
        self.training.ready()
        dom.spawn(self.data.buckets.show())  # nobody waits for them

    def _model_changed(self):
        if self.shown is not self.studio.rows:  # more learned is no other table
            self.shown = self.studio.rows
            self.network.show_model()
        trained = self.studio.trained
        words = f"Trained for {trained} epochs" if trained > 1 else "Trained for one epoch"
        note = dom.find("model-note")
        dom.write("model-note", words + "." if trained else "An untrained network.", note)
        self.drawing.changed()

    def _recolour(self):
        for chart in self.training.charts:
            chart.rebuild()
        self.record.rebuild()
        self.drawing.pad.set_up()
        for canvas in dom.document.querySelectorAll("#samples, #seen, canvas.tinted"):
            images.recolour(canvas)

    def _dropped(self, event):
        """What misses the drop zone would take the browser away from here: it is meant for us."""
        event.preventDefault()
        files = event.dataTransfer.files
        if self.studio.model is None:
            return None
        if files.length == 1 and files[0].name.lower().endswith(_MODELS):
            return self.shelf.load(files[0])
        return self.data.take(files)

    def _leaving(self, event):
        # What is kept is there to be continued; what is not deserves a question.
        if self.training.running and not self.training.kept:
            event.preventDefault()

    # -- failures ---------------------------------------------------------------------------

    def _died(self, error):
        self._failed(error or farcall.WorkerDiedError("the worker is gone"))

    def _failed(self, error):
        if status.current_phase() == "error" or dom.root.hasAttribute("data-broken"):
            return  # said already, or static/boot.js loads the page again
        title, following = _explain(error)
        self.training.running = False
        gone = isinstance(error, farcall.WorkerDiedError)
        if gone:
            self.studio.lost()
        status.failure(title, _first_line(error), following, status.details_of(error), restart=gone)
        if "Retry" in following:
            dom.find("failure-reload").textContent = "Retry"

    async def restart(self):
        """Start another worker in place of the one that is gone; the page stays as it is."""
        status.again()
        try:
            await self._start(again=True)
        except Exception as error:
            self._failed(error)


_MODELS = (".npz", ".safetensors", ".keras", ".onnx", "-tfjs.zip")
_EXPLANATIONS = {
    "WorkerDiedError": (
        "The worker is gone",
        "It ran out of memory or the browser stopped it. Restart it: saved models are kept, and a "
        "run goes on from its last checkpoint.",
    ),
    "WorkerBootError": (
        "The worker could not start",
        "Its Python files are missing or wrong on the server. Restore them, then reload the page.",
    ),
    "DataError": (
        "A data file is damaged",
        "Fetch static/vendor/mnist/ again on the server (make clean, make serve), then reload.",
    ),
    "DownloadError": (
        "A file could not be fetched",
        "Check the connection and that the server has the file, then press Retry.",
    ),
    "TimeoutError": (
        "The worker does not answer",
        "Reload the page. If it happens again, close other tabs: the machine may be out of memory.",
    ),
}


def _explain(error):
    names = [type(error).__name__, getattr(error, "type_name", ""), getattr(error, "kind", "")]
    for name in names:
        if name in _EXPLANATIONS:
            return _EXPLANATIONS[name]
    return "Starting failed", "Reload the page. If it happens again, report the details below."


def _first_line(error):
    text = str(error) or type(error).__name__
    return text.split("\n")[0]
