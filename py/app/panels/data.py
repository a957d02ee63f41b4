"""The data panel: samples, class counts, the subset, and a user's own files."""

import json

from app.endings import TABLES
from app.language import tr
from app.page import dom, failures, images, numbers, status, table
from app.panels.augmentation import Augmentation
from app.panels.buckets import Buckets
from app.panels.options import script
from app.state import settings
from app.state.lent import Lent

COLUMNS, ROWS = 15, 4
FEW = 5000  # images, of which a batch of 128 makes hardly a step an epoch
SUITING = {"batch": 32, "epochs": 20}  # the options of few images
SIDES = (28, 32, 64, 96)  # as in app.lab.images.import_data


class Subset:
    """The slider: how many of the training images are used.

    Args:
        client: the engine.
        options: the settings.
    """

    def __init__(self, client, options):
        self.client = client
        self.options = options
        slider = dom.find("subset")
        slider.max = str(len(settings.SUBSETS) - 1)
        dom.on(slider, "input", lambda _: self._slid())
        options.listen("subset", lambda _: self.show())
        self.show()

    def _slid(self):
        self.options.set("subset", settings.SUBSETS[int(dom.find("subset").value)])
        self.show()

    def show(self):
        """Show the number of images that are used."""
        count = min(self.options["subset"], self.client.data["train"])
        dom.find("subset").value = str(settings.subset_position(self.options["subset"]))
        dom.find("subset").setAttribute("aria-valuetext", tr("{count} images", count=count))
        dom.set_text("subset-value", numbers.count(count))


class Suited:
    """The options of few images, which go back when there are more, after a reload too.

    Args:
        client: the engine.
        options: the settings.
    """

    def __init__(self, client, options):
        self.client = client
        self.options = options
        self._lent = Lent(json.loads(script.lent("data")))
        options.listen("link", self._lent.forget)
        options.listen("data", lambda _: self.settled())

    def settled(self):
        """Suit the data in use, unless others are asked for and may come."""
        if self.client.data_ready and self.options["data"] == self.client.data["id"]:
            self.suit()

    def suit(self):
        """Take the options of few images, and give them back when there are more."""
        values, lent = self.options.values, self._lent
        if self.client.data["train"] >= FEW:
            values = lent.give_back(values)
        elif not lent.rows and values["batch"] > SUITING["batch"]:
            values = lent.set(values, **SUITING)
        script.lend("data", json.dumps(lent.rows))
        if values != self.options.values:
            self.options.adopt(values)


class DropZone:
    """Where files can be dropped.

    Args:
        take: coroutine function of the files.
    """

    def __init__(self, take):
        self.take = take
        self.zone = dom.find("drop")
        dom.on(self.zone, "dragover", lambda event: self._over(event, True), passive=False)
        dom.on(self.zone, "dragleave", lambda event: self._over(event, False), passive=False)
        dom.on(self.zone, "drop", self._dropped, passive=False)

    def _over(self, event, inside):
        event.preventDefault()
        self.zone.classList.toggle("over", inside)

    def _dropped(self, event):
        """Take files now: after its event a drop is empty, and the browser has opened the files."""
        self._over(event, False)
        event.stopPropagation()
        return self.take(dom.files(event.dataTransfer))


class Reading:
    """What is said while the worker reads pictures, and Stop, which ends that.

    Args:
        client: the engine.
    """

    def __init__(self, client):
        self.client = client
        self.names = ""
        self.stopped = False
        dom.click("stop", self._stop)

    async def ready(self):
        """Follow the worker."""
        await self.client.lab.data.reading.follow(self._read)

    async def files(self, names, urls, title):
        """Have files taken as data; return False if that was stopped."""
        return await self._whole(title, self.client.lab.data.import_files(names, urls))

    async def again(self, side, channels):
        """Have the pictures read again in another form; return False if that was stopped."""
        call = self.client.lab.data.convert(int(side), int(channels))
        return await self._whole(self.client.data["name"], call)

    async def _whole(self, names, call):
        self.names, self.stopped = names, False
        status.say(tr("Reading {names}…", names=names))
        try:
            await call
        except Exception:
            if not self.stopped:
                raise
            status.say(tr("The data are as they were."))
            return False
        finally:
            dom.enable("stop", when=False)
        return True

    def _read(self, done, count):
        if self.stopped:
            return False
        dom.enable("stop")
        status.say(
            tr(
                "Reading {names}, pictures: {done} of {count}…",
                names=self.names,
                done=numbers.count(done),
                count=numbers.count(count),
            )
        )
        return True

    def _stop(self):
        self.stopped = True


class Data:
    """The panel, with the buckets and the augmentation that are parts of it.

    Args:
        client: the engine.
        options: the settings.
        state: of the page.
    """

    def __init__(self, client, options, state):
        self.client = client
        self.options = options
        self.state = state
        self.subset = Subset(client, options)
        options.listen("data", lambda _: self.show_choice())
        dom.click("more-samples", self.samples)
        for button, field in ("open-data", "data-files"), ("open-folder", "data-folder"):
            dom.click(button, dom.find(field).click)
            dom.on(field, "change", self._chosen)
        self._held = None  # the files that the data are made of
        self.reading = Reading(client)
        dom.click("data-reset", self.restore)
        for side in SIDES:
            for channels, word in ((1, tr("grey")), (3, tr("colour"))):
                text = f"{side} × {side}, {word}"
                dom.find("data-form").append(dom.make("option", text, value=f"{side} {channels}"))
        dom.on("data-form", "change", lambda event: self._convert(event.target.value))
        self.changed = lambda: None  # called when the data are shown again
        self.replaced = None  # coroutine function, called when the data are others
        self.suited = Suited(client, options)
        self.tabled = None  # coroutine function of a CSV's name and address: it holds no images
        self.buckets = Buckets(client, self.refresh)
        self.augmentation = Augmentation(client, options)
        DropZone(self.take)
        self.show_choice()

    async def ready(self):
        """Show the data, which are loaded."""
        dom.enable("more-samples", "open-data", "open-folder", "own-open", "try-test")
        await self.reading.ready()
        await self.refresh()
        self.suited.settled()  # another worker has not the data of the one that is gone

    async def refresh(self):
        """Show the data again."""
        await self.client.refresh_data()
        data = self.client.data
        images.in_colour[0] = data["picture"][2] == 3
        dom.find("data-form").parentNode.hidden = not data["pictures"]
        self._show_form()
        words = tr(
            "{name}: {train} + {test} images",
            name=tr(data["name"]),
            train=numbers.count(data["train"]),
            test=numbers.count(data["test"]),
        )
        dom.set_text("data-count", words)
        dom.find("data-reset").hidden = data["name"] == "MNIST" and data["train"] == 60000
        _show_classes(data)
        self.subset.show()
        self.changed()
        await self.samples()
        await self.augmentation.preview()
        await self._hints(data)

    def show_choice(self):
        """Show in the menu which data are in use."""
        dom.find("data-set").value = self.options["data"]

    def _show_form(self):
        shape = self.client.data["picture"]
        dom.find("data-form").value = f"{shape[0]} {shape[2]}"

    async def _hints(self, data):
        """Show warnings about class imbalance and duplicates in imported data."""
        own = data["name"] != "MNIST" or data["train"] != 60000
        hints = await self.client.lab.data.hints() if own else []
        box = dom.find("data-hints")
        dom.fill(box, [dom.make("li", hint) for hint in hints])
        box.hidden = not hints

    async def samples(self):
        """Show random training images."""
        found = await self.client.lab.data.samples(COLUMNS, ROWS)
        canvas = dom.find("samples")
        images.paint(canvas, found["rgba"])
        names = " ".join(found["names"])
        canvas.setAttribute("aria-label", tr("Sample images of the classes {names}", names=names))

    # -- a user's own -----------------------------------------------------------------------

    async def _chosen(self, event):
        await self.take(dom.files(event.target.files))
        event.target.value = ""

    async def take(self, given):
        """Give files to the worker by address: their bytes do not pass through this thread.

        Args:
            given: a promise as `dom.files` returns it.
        """
        files = await given
        if not files.title:
            status.say(tr("There is no file in it."))
        elif self.client.data_ready and self.state.free():
            async with self.client.replacing as free:
                if free and await self._take(files):  # pictures are read again in another form
                    files, self._held = self._held, files
        if files:
            files.free()

    async def _take(self, files):
        """Have the worker read files; return whether they are the data now."""
        names, urls = list(files.names), list(files.urls)
        before = self.options["data"]
        try:
            if not await self.reading.files(names, urls, files.title):
                return False
        except Exception as error:
            problem = await self._no_table(names, urls)
            if problem == "":
                return False
            status.say(tr("The data are as they were."))
            what = tr("{problem}. As a table: {other}", problem=error, other=problem)
            status.refuse(
                tr("Not a data set"),
                what if problem else str(error),
                tr(
                    "Nothing was changed. Give IDX images with labels, a CSV, folders of pictures"
                    " or a zip of them, or CIFAR-10's binary batches."
                ),
                status.details_of(error),
            )
            return False
        await self.adopt(before)
        return True

    async def _no_table(self, names, urls):
        """Show the files as a table; return what keeps them from being one, '' if nothing does, and
        None where they are no text."""
        if len(names) > 1 or not names[0].lower().endswith(TABLES):
            return None
        try:
            await self.tabled(names[0], urls[0])
        except Exception as error:
            return failures.first_line(error)
        return ""

    async def adopt(self, before=None):
        """Show other data that the worker has taken, and begin with a new network.

        Args:
            before: the option `data` when they were asked for; another one is asked for by now
                where it has changed.
        """
        await self._replaced(before)
        status.taken()
        status.say(_adopted(self.client.data))

    async def _convert(self, form):
        """Make the pictures again in another size or in colour."""
        async with self.client.replacing as free:
            if not free or not await self.reading.again(*form.split()):
                self._show_form()
                return
            await self._replaced()
            status.say(
                tr(
                    "The pictures are {text} now.",
                    text=dom.find("data-form").selectedOptions[0].text,
                )
            )

    async def restore(self):
        """Go back to MNIST."""
        async with self.client.replacing as free:
            if not free:
                return
            own = self.client.data["name"] != "MNIST"
            await self.client.lab.data.restore()
            await (self._replaced() if own else self._show_all())
            status.say(tr("The data are MNIST again."))

    async def _replaced(self, before=None):
        await self._show_all(before)
        self.suited.suit()
        await self.replaced()

    async def _show_all(self, before=None):
        before = before or self.options["data"]
        await self.refresh()
        if self.options["data"] == before:
            self.options.set("data", self.client.data["id"])
        await self.buckets.show()


def _show_classes(data):
    """Show how many images each class has."""
    most = max(data["counts"]) or 1
    bars = []
    for name, count in zip(data["names"], data["counts"]):
        bar = dom.make("span", title=f"{name}: {numbers.count(count)}")
        fill = dom.make("i")
        fill.style.height = f"{100 * count / most:.1f}%"
        bar.append(fill, dom.make("b", name))
        bars.append(bar)
    box = dom.find("classes")
    dom.fill(box, bars)
    rows = [table.row(name, numbers.count(n)) for name, n in zip(data["names"], data["counts"])]
    dom.fill(dom.find("counts"), rows)
    pairs = [f"{name}: {count}" for name, count in zip(data["names"], data["counts"])]
    box.setAttribute("aria-label", tr("Images of each class: {list}", list=", ".join(pairs)))


def _adopted(data):
    """Return in words which data are in use now."""
    rows, columns, channels = data["picture"]
    return tr(
        "{name}: {train} images to train on, {form}, and a new network for {count} classes.",
        name=tr(data["name"]),
        train=numbers.count(data["train"]),
        form=f"{rows} × {columns}, {tr('in colour') if channels == 3 else tr('grey')}",
        count=len(data["names"]),
    )
