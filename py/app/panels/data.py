"""Step 1: what there is to learn from."""

import js

from app.page import dom, images, numbers, status
from app.panels import options
from app.panels.augmentation import Augmentation
from app.panels.buckets import Buckets
from app.state import settings

COLUMNS, ROWS = 10, 6


class DataPanel:
    """Samples, class counts, the subset, and a user's own files."""

    def __init__(self, studio, settings_, training):
        self.studio = studio
        self.options = settings_
        self.training = training
        slider = dom.find("subset")
        slider.max = str(len(settings.SUBSETS) - 1)
        dom.on(slider, "input", lambda _: self._slid())
        settings_.listen("subset", lambda _: self._show_subset())
        dom.click("more-samples", self.samples)
        dom.click("open-data", dom.find("data-files").click)
        dom.on("data-files", "change", self._chosen)
        dom.click("data-reset", self._restore)
        self.told = lambda: None  # called when there are other data
        self.buckets = Buckets(studio, self.refresh)
        self.augmentation = Augmentation(studio, settings_)
        self._drop_zone()
        self._show_subset()

    async def ready(self):
        """The data are there: show them."""
        dom.enable("more-samples", "open-data", "try-test")
        await self.refresh()

    async def refresh(self):
        await self.studio.refresh_data()
        data = self.studio.data
        words = (
            f"{data['name']}: {numbers.count(data['train'])} + {numbers.count(data['test'])} images"
        )
        dom.write("data-count", words, dom.find("data-count"))
        dom.find("data-reset").hidden = data["name"] == "MNIST" and data["train"] == 60000
        self._classes(data)
        self._show_subset()
        self.told()
        await self.samples()
        await self.augmentation.preview()
        await self._hints(data)

    async def _hints(self, data):
        """What is uneven or double in data that are not the published ones."""
        own = data["name"] != "MNIST" or data["train"] != 60000
        hints = await self.studio.engine.insight.hints() if own else []
        box = dom.find("data-hints")
        dom.fill(box, [dom.make("li", hint) for hint in hints])
        box.hidden = not hints

    async def samples(self):
        found = await self.studio.lab.samples(COLUMNS, ROWS)
        canvas = dom.find("samples")
        images.paint(canvas, found["rgba"])
        labels = " ".join(str(label) for label in found["labels"])
        canvas.setAttribute("aria-label", "Sample images of the classes " + labels)

    def _classes(self, data):
        most = max(data["counts"]) or 1
        bars = []
        for name, count in zip(data["names"], data["counts"]):
            bar = dom.make("span", title=f"{name}: {numbers.count(count)} images")
            fill = dom.make("i")
            fill.style.height = f"{100 * count / most:.1f}%"
            bar.append(fill, dom.make("b", name))
            bars.append(bar)
        box = dom.find("classes")
        dom.fill(box, bars)
        dom.fill(
            dom.find("counts"), [self._count(*pair) for pair in zip(data["names"], data["counts"])]
        )
        pairs = [f"{name}: {count}" for name, count in zip(data["names"], data["counts"])]
        box.setAttribute("aria-label", "Images of each class: " + ", ".join(pairs))

    def _count(self, name, count):
        line = dom.make("tr")
        line.append(
            dom.make("th", name, scope="row"),
            dom.make("td", numbers.count(count), class_="number"),
        )
        return line

    # -- subset -----------------------------------------------------------------------------

    def _slid(self):
        self.options.set("subset", settings.SUBSETS[int(dom.find("subset").value)])
        self._show_subset()

    def _show_subset(self):
        count = min(self.options["subset"], self.studio.data["train"])
        dom.find("subset").value = str(options.subset_position(self.options["subset"]))
        dom.find("subset").setAttribute("aria-valuetext", f"{count} images")
        dom.write("subset-value", numbers.count(count), dom.find("subset-value"))

    # -- a user's own -----------------------------------------------------------------------

    def _drop_zone(self):
        zone = dom.find("drop")
        dom.on(zone, "dragover", lambda event: self._over(event, True), passive=False)
        dom.on(zone, "dragleave", lambda event: self._over(event, False), passive=False)
        dom.on(zone, "drop", self._dropped, passive=False)

    def _over(self, event, inside):
        event.preventDefault()
        dom.find("drop").classList.toggle("over", inside)

    def _dropped(self, event):
        """Take files at once: after its event a drop is empty, and the browser has gone to it."""
        self._over(event, False)
        event.stopPropagation()
        return self.take(event.dataTransfer.files)

    async def _chosen(self, event):
        await self.take(event.target.files)
        event.target.value = ""

    async def take(self, files):
        """Hand files to the worker by address: their bytes do not pass through here."""
        if not files.length or not self.studio.data_ready:
            return
        if self.training.running:
            status.say("Stop the training first.")
            return
        names = [files[i].name for i in range(files.length)]
        urls = [js.URL.createObjectURL(files[i]) for i in range(files.length)]
        status.say("Reading " + ", ".join(names) + "…")
        try:
            await self.studio.lab.import_data(names, urls)
        except Exception as error:
            status.notice(
                "These files are no data set",
                str(error),
                "Nothing was changed. Give IDX images with labels, a CSV or a zip of folders.",
                status.details_of(error),
            )
            return
        finally:
            for url in urls:
                js.URL.revokeObjectURL(url)
        await self.refresh()
        await self.buckets.show()
        data = self.studio.data
        status.say(f"{data['name']}: {numbers.count(data['train'])} images to train on.")

    async def _restore(self):
        await self.studio.lab.restore_data()
        await self.refresh()
        await self.buckets.show()
