"""The models: saved in the browser, listed, opened, deleted, downloaded, loaded from a file."""

import js

from app.page import dom, numbers, status

LATEST = "Latest"


class Shelf:
    """The panel of saved models."""

    def __init__(self, studio, training, network):
        self.studio = studio
        self.training = training
        self.network = network
        dom.click("save", self.save)
        dom.click("download", self.download)
        dom.click("load", dom.find("model-file").click)
        dom.on("model-file", "change", self._chosen)
        dom.click("quantise", self.compare)

    # -- in the browser ---------------------------------------------------------------------

    async def restore(self):
        """Take up the model that was saved last, if there is one; True when there was."""
        try:
            kept = await self.studio.lab.saved()
        except Exception as error:
            self._no_storage(error)
            return False
        self._list(kept)
        if not kept:
            return False
        await self._open(kept[0]["name"], kept[0])
        return True

    async def save(self):
        """Keep the model in work under its time of day."""
        studio = self.studio
        name = self._name()
        about = {"layers": studio.describe(), "trained": studio.trained}
        accuracy = self._accuracy()
        if accuracy is not None:
            about["accuracy"] = accuracy
        dom.enable("save", when=False)
        try:
            kept = await studio.lab.save(studio.model, name, about)
        except Exception as error:
            self._no_storage(error)
            return
        finally:
            dom.enable("save")
        self._list(kept)
        status.say(f"Saved as “{name}” in this browser. It is there after a reload.")

    def _name(self):
        clock = js.Date.new().toLocaleTimeString()
        accuracy = self._accuracy()
        words = numbers.percent(accuracy) if accuracy is not None else "untrained"
        return f"{words}, {clock}"

    def _accuracy(self):
        run = self.training.run
        if run and run["epochs"]:
            return run["epochs"][-1]["val_accuracy"]
        return None

    def _list(self, kept):
        items = []
        for entry in kept:
            item = dom.make("li")
            words = dom.make("span", entry["name"])
            words.append(
                dom.make(
                    "small",
                    f"{entry.get('layers', '')} · {numbers.size(entry['octets'])}",
                    class_="note",
                )
            )
            item.append(words)
            for label, handler in (("Open", self._open), ("Delete", self._delete)):
                button = dom.make(
                    "button",
                    label,
                    type="button",
                    class_="quiet",
                    aria_label=f"{label} {entry['name']}",
                )
                dom.on(
                    button,
                    "click",
                    lambda _, handler=handler, entry=entry: handler(entry["name"], entry),
                )
                item.append(button)
            items.append(item)
        dom.fill(dom.find("saved"), items)

    async def _open(self, name, about):
        if self.training.running:
            status.say("Stop the training first.")
            return
        began = dom.now()
        model = await self.studio.lab.open(name)
        await self._take(model, about.get("trained", 1), f"“{name}”", began)

    async def _take(self, model, trained, words, began):
        loaded = numbers.seconds(dom.now() - began)
        await self.studio.adopt(model, None, trained)
        warm = await self.studio.engine.insight.warm_up(model)
        note = f"{words}: loaded in {loaded}, warmed up in {warm:.1f} ms"
        dom.write("model-note", note, dom.find("model-note"))
        status.say(f"{words} is the network in work now. Draw a digit.")

    async def _delete(self, name, _):
        self._list(await self.studio.lab.forget(name))
        status.say(f"“{name}” is deleted.")

    def _no_storage(self, error):
        status.notice(
            "Models cannot be saved in this browser",
            str(error),
            "Training and drawing work. Use Download to keep a model as a file.",
            status.details_of(error),
        )

    # -- files ------------------------------------------------------------------------------

    async def download(self):
        """Hand the model out as a file; its bytes go from the worker to the disk."""
        made = await self.studio.lab.export(
            self.studio.model, "farcall-model", dom.find("format").value
        )
        dom.save_as(made["url"], made["name"])
        status.say(f"{made['name']}, {numbers.size(made['size'])}, is being downloaded.")

    async def _chosen(self, event):
        files = event.target.files
        if files.length:
            await self.load(files[0])
        event.target.value = ""

    async def load(self, file):
        """Take a model from a file; a file that is none changes nothing."""
        if self.training.running:
            status.say("Stop the training first.")
            return
        url = js.URL.createObjectURL(file)
        began = dom.now()
        try:
            model = await self.studio.lab.load(url, file.name)
            await self._take(model, 1, f"“{file.name}”", began)
        except Exception as error:
            status.notice(
                "This file is no model",
                str(error),
                "Nothing was changed. Choose a file that Download made.",
                status.details_of(error),
            )
        finally:
            js.URL.revokeObjectURL(url)

    # -- weights in fewer bits --------------------------------------------------------------

    async def compare(self):
        """What the network would lose, in bytes and in answers, with its weights rounded."""
        if self.training.running or self.studio.model is None:
            status.say("Stop the training first.")
            return
        dom.enable("quantise", when=False)
        status.say("Reading all test images with rounded weights…")
        try:
            rows = await self.studio.engine.insight.quantized(self.studio.model)
        finally:
            dom.enable("quantise")
        dom.fill(dom.find("precisions"), [self._precision(row, rows[0]) for row in rows])
        dom.find("precisions").parentNode.hidden = False
        last = rows[-1]
        status.say(
            f"With 8-bit weights: {numbers.size(last['octets'])} instead of "
            f"{numbers.size(rows[0]['octets'])}, {numbers.percent(last['accuracy'], 2)} instead of "
            f"{numbers.percent(rows[0]['accuracy'], 2)} of the test images right."
        )

    def _precision(self, row, whole):
        line = dom.make("tr")
        line.append(dom.make("th", row["kind"], scope="row"))
        size = (
            f"{numbers.size(row['octets'])} ({numbers.percent(row['octets'] / whole['octets'], 0)})"
        )
        line.append(dom.make("td", size, class_="number"))
        line.append(dom.make("td", numbers.percent(row["accuracy"], 2), class_="number"))
        kind = row["kind"]
        button = dom.make("button", "Use", type="button", class_="quiet", aria_label="Use " + kind)
        dom.on(button, "click", lambda _: self._use(kind))
        cell = dom.make("td")
        cell.append(button)
        line.append(cell)
        return line

    async def _use(self, kind):
        if self.training.running:
            status.say("Stop the training first.")
            return
        began = dom.now()
        model = await self.studio.engine.insight.quantize(self.studio.model, kind)
        await self._take(model, self.studio.trained, f"Weights of {kind}", began)
