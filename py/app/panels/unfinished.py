"""The unfinished panel: what this browser kept of runs that were cut short or not saved."""

from app.language import tr
from app.page import dom, numbers, status
from app.state import architectures, settings
from app.state.start import opened


class Unfinished:
    """The offer to go on with a run that a reload or a crash cut short, or to save its network.

    Args:
        client: the engine.
        options: the settings.
        training: the panel that continues the run.
        network: the panel that shows its layers.
        models: the panel of saved models.

    Attributes:
        left: what is known of each run, the newest first.
    """

    def __init__(self, client, options, training, network, models):
        self.client = client
        self.options = options
        self.training = training
        self.network = network
        self.models = models
        models.saved = self.saved
        self.left = []
        self._model = None  # the network of the newest, once it is opened
        self._begun = False  # a link decides no other start than the page's own
        dom.click("continue-run", self.go_on)
        dom.click("discard-run", self.discard)
        training.state.listen(self._follow)

    async def begin(self):
        """Open a network when the page or another worker has started; offer what else was kept."""
        saved, left = await self.models.find(), await self._find()
        usual = left and left["data"] == self.client.data["name"]
        which = opened(self.options.link and not self._begun, left if usual else None, saved)
        if which == "left" and not await self.open():
            which = opened(False, None, saved)
        if which == "saved" and not await self.models.open(saved):
            which = "fresh"
        if which == "fresh":
            await self.network.replace()
            kept = (
                " " + tr("“{name}” is saved: open it under Models.", name=saved["name"])
                if saved
                else ""
            )
            status.say(tr("Ready. Press Train, or draw a digit.") + kept)
        self.offer()
        self._begun = True

    async def _find(self):
        """Ask what was kept; return the newest, None where there is nothing."""
        try:
            self.left = await self.client.lab.unfinished.listing()
        except Exception as error:  # no storage, or a damaged one: start without it
            self.left = []
            status.say(tr("No earlier run could be taken up: {error}", error=error))
        return self.left[0] if self.left else None

    @property
    def in_use(self):
        """Whether the network in use is that of the newest run."""
        return self._model is not None and self._model is self.client.model

    async def open(self):
        """Use the newest run's network and options; return whether they could be read."""
        left = self.left[0]
        try:
            model = await self.client.lab.unfinished.take(left["name"])
        except Exception as error:
            self.left.pop(0)
            status.say(tr("No earlier run could be taken up: {error}", error=error))
            return False
        values = settings.from_hash(left["hash"], self.client.data["shape"])
        values["hide"] = self.options["hide"]
        if left["rate"]:  # it may have been changed during the run
            values["lr"] = left["rate"]
        layers = None
        if left["loaded"]:  # from a file: only the worker knows its layers
            values["preset"], values["layers"] = self.options["preset"], self.options["layers"]
        else:
            layers = values["layers"] or architectures.layers_of(values["preset"])
            layers = architectures.fitted(layers, len(self.client.data["names"]))
            self.network.layers = layers
        self._model = model
        await self.client.adopt(model, layers, _about(left))
        self.options.adopt(values)
        return True

    def offer(self):
        """Show the newest run, or nothing."""
        dom.find("unfinished").hidden = not self.left
        if not self.left:
            return
        left = self.left[0]
        finished, words = left["finished"], _words(left)
        if self.in_use:
            words += " " + tr("What it had learned is back.")
            status.say(tr("It is back: {words}.", words=words.split(",")[0]))
        if not (finished or left["exact"]):
            words += " " + tr(
                "The page is a newer one: epoch {count} begins again.", count=len(left["rows"]) + 1
            )
        if not finished and "device=" in left["hash"]:
            words += " " + tr("On another device its last digits may differ.")
        title = tr("A network was not saved") if finished else tr("A run was cut short")
        dom.set_text("unfinished-title", title)
        dom.set_text("unfinished-what", words)
        button = (
            (tr("Save it") if self.in_use else tr("Open it"))
            if finished
            else tr("Continue the run")
        )
        dom.set_text("continue-run", button)

    def _follow(self, state):
        """Offer the next one when the network of this one learns on: it is kept as that run."""
        if state == "training" and self.in_use:
            self.left.pop(0)
            self._model = None
            self.offer()

    async def go_on(self):
        """Continue the run with its options to its last epoch; open or save one that has ended."""
        if not self.left or not self.training.state.free():
            return
        left = self.left[0]
        if left["finished"]:
            if self.in_use:
                await self.models.save()
            elif self._has_data(left):
                await self.open()
                self.offer()
        elif self._has_data(left) and (self.in_use or await self.open()):
            await self.training.train(left)

    def _has_data(self, left):
        data, shape = self.client.data, left.get("shape", [28, 28, 1])
        images = left["images"] if not left["finished"] else data["train"]
        if (data["name"], data["train"], data["shape"]) == (left["data"], images, shape):
            return True
        count = numbers.count(left["images"])
        words = (
            tr("It learns from {data}, {count} images: add your drawings again first.")
            if left["data"] == data["name"]
            else tr("It learns from {data}, {count} images: open them again first.")
        )
        status.say(words.format(data=tr(left["data"]), count=count))
        return False

    async def saved(self):
        """Offer a network no more that was saved."""
        if self.training.state.under_way or (self.in_use and not self.left[0]["finished"]):
            return
        await self.client.lab.unfinished.saved(self.client.model)
        if self.in_use:
            self.left.pop(0)
            self._model = None
            self.offer()

    async def discard(self):
        """Forget the run; begin with fresh weights if its network is in use."""
        if dom.find("unfinished").hidden:
            return  # pressed once more before the next run, if there is one, was shown
        dom.find("unfinished").hidden = True
        left, in_use = self.left.pop(0), self.in_use
        self._model = None
        await self.client.lab.unfinished.forget(left["name"])
        if in_use:
            await self.training.reset()
        self.offer()


def _about(left):
    rows = left["rows"]
    accuracy = rows[-1].get("val_accuracy") if rows else None
    return {
        "trained": left["trained"] + len(rows),
        "accuracy": None if left["batch"] else accuracy,
        "run": left["number"],
    }


def _words(left):
    done, total = len(left["rows"]), left["epochs"]
    if left["batch"]:
        words = tr(
            "Run {number} was in epoch {done} of {total}, at batch {batch}",
            number=left["number"],
            done=done + 1,
            total=total,
            batch=left["batch"],
        )
    else:
        words = tr(
            "Run {number} had done epoch {done} of {total}",
            number=left["number"],
            done=done,
            total=total,
        )
    share = left["rows"][-1].get("val_accuracy") if left["rows"] else None
    if share is not None:
        words += ", " + tr("{share} of the test images right", share=numbers.percent(share))
    return words + "."
