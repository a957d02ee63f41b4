"""The models: saved in the browser, listed, opened, deleted, downloaded, loaded from a file."""

import js

from . import formats, page, status

LATEST = "Latest"


class Shelf:
    """The panel of saved models."""

    def __init__(self, studio, training, network):
        self.studio = studio
        self.training = training
        self.network = network
        page.click("save", self.save)
        page.click("download", self.download)
        page.click("load", page.find("model-file").click)
        page.on("model-file", "change", self._chosen)

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
        page.enable("save", when=False)
        try:
            kept = await studio.lab.save(studio.model, name, about)
        except Exception as error:
            self._no_storage(error)
            return
        finally:
            page.enable("save")
        self._list(kept)
        status.say(f"Saved as “{name}” in this browser. It is there after a reload.")

    def _name(self):
        clock = js.Date.new().toLocaleTimeString()
        accuracy = self._accuracy()
        words = formats.percent(accuracy) if accuracy is not None else "untrained"
        return f"{words}, {clock}"

    def _accuracy(self):
        run = self.training.run
        if run and run["epochs"]:
            return run["epochs"][-1]["val_accuracy"]
        return None

    def _list(self, kept):
        items = []
        for entry in kept:
            item = page.make("li")
            words = page.make("span", entry["name"])
            words.append(
                page.make(
                    "small",
                    f"{entry.get('layers', '')} · {formats.size(entry['octets'])}",
                    class_="note",
                )
            )
            item.append(words)
            for label, handler in (("Open", self._open), ("Delete", self._delete)):
                button = page.make(
                    "button",
                    label,
                    type="button",
                    class_="quiet",
                    aria_label=f"{label} {entry['name']}",
                )
                page.on(
                    button,
                    "click",
                    lambda _, handler=handler, entry=entry: handler(entry["name"], entry),
                )
                item.append(button)
            items.append(item)
        page.fill(page.find("saved"), items)

    async def _open(self, name, about):
        if self.training.running:
            status.say("Stop the training first.")
            return
        model = await self.studio.lab.open(name)
        await self._take(model, about.get("trained", 1), f"“{name}”")

    async def _take(self, model, trained, words):
        await self.studio.adopt(model, None, trained)
        page.write("model-note", words, page.find("model-note"))
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
            self.studio.model, "farcall-model", page.find("format").value
        )
        page.save_as(made["url"], made["name"])
        status.say(f"{made['name']}, {formats.size(made['size'])}, is being downloaded.")

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
        try:
            model = await self.studio.lab.load(url, file.name)
            await self._take(model, 1, f"“{file.name}”")
        except Exception as error:
            status.notice(
                "This file is no model",
                str(error),
                "Nothing was changed. Choose a file that Download made.",
                status.details_of(error),
            )
        finally:
            js.URL.revokeObjectURL(url)
