"""The models panel: models saved in the browser and in files."""

import js

from app.language import tr
from app.page import dom, failures, numbers, status


class Models:
    """The panel.

    Args:
        client: the engine.
        state: of the page.

    Attributes:
        saved: coroutine function that is called when the network in use was saved.
    """

    def __init__(self, client, state):
        self.client = client
        self.state = state
        self.saved = None
        dom.click("save", self.save)
        dom.click("download", self.download)
        dom.click("load", dom.find("model-file").click)
        dom.on("model-file", "change", self._chosen)
        client.listen(self._follow)

    def _follow(self):
        """Say how long it was trained."""
        dom.set_text("model-note", _trained(self.client))

    # -- in the browser ---------------------------------------------------------------------

    async def find(self):
        """List the saved models; return what is known of the newest, None where there is none."""
        try:
            kept = await self.client.lab.models.saved()
        except Exception as error:
            _no_storage(error)
            return None
        self._list(kept)
        return kept[0] if kept else None

    async def save(self):
        """Save the network in use under its accuracy and the time of day."""
        client = self.client
        name = _name(client)
        about = {"layers": _described(client.rows), "trained": client.trained, "run": client.run}
        if client.accuracy is not None:
            about["accuracy"] = client.accuracy
        dom.enable("save", when=False)
        try:
            kept = await client.lab.models.save(client.model, name, about)
        except Exception as error:
            _no_storage(error)
            return
        finally:
            dom.enable("save")
        self._list(kept)
        await self.saved()
        status.say(tr("Saved as “{name}” in this browser. It is there after a reload.", name=name))

    def _list(self, kept):
        items = []
        for entry in kept:
            item = dom.make("li", class_="row")
            words = dom.make("span", entry["name"])
            about = f"{entry.get('layers', '')} · {numbers.size(entry['octets'])}"
            words.append(dom.make("small", about, class_="note"))
            item.append(words)
            for label, handler in ((tr("Open"), self.open), (tr("Delete"), self._delete)):
                button = dom.make(
                    "button",
                    label,
                    type="button",
                    class_="quiet",
                    aria_label=f"{label} {entry['name']}",
                )
                dom.press(button, lambda handler=handler, entry=entry: handler(entry))
                item.append(button)
            items.append(item)
        dom.fill(dom.find("saved"), items)

    async def open(self, about):
        """Use a saved model; return whether it fits the data."""
        async with self.client.replacing as free:
            if not free:
                return False
            began = dom.now()
            try:
                model = await self.client.lab.models.open(about["name"])
            except Exception as error:
                await self._lost(error)
                return False
            return await self.take(model, about, f"“{about['name']}”", began)

    async def take(self, model, about, words, began):
        """Use a network in place of the present one; return whether it fits the data."""
        loaded, data = numbers.seconds(dom.now() - began), self.client.data
        if not await self.client.lab.network.fits(model, data["shape"], len(data["names"])):
            _refuse(words, data)
            return False
        await self.client.adopt(model, None, about)
        status.taken()
        warm = await self.client.lab.models.warm_up(model)
        note = tr(
            "{words}: loaded in {loaded}, warmed up in {warm}",
            words=words,
            loaded=loaded,
            warm=numbers.local(f"{warm:.1f} ms"),
        )
        dom.set_text("model-note", note)
        status.say(tr("{words} is the network in use now. Draw a digit.", words=words))
        return True

    async def _delete(self, about):
        name = about["name"]
        try:
            self._list(await self.client.lab.models.forget(name))
        except Exception as error:
            await self._lost(error)
            return
        status.say(tr("“{name}” is deleted.", name=name))

    async def _lost(self, error):
        """Say that a saved model is not there, and list those that are."""
        await self.find()
        problem = failures.first_line(error)
        status.say(tr("This model is gone: {problem}", problem=problem))

    # -- files ------------------------------------------------------------------------------

    async def download(self):
        """Download the model as a file; its bytes go from the worker to the disk."""
        try:
            made = await self.client.lab.models.export(
                self.client.model, "farcall-model", dom.find("format").value
            )
        except Exception as error:
            problem = failures.first_line(error)
            status.say(tr("The file could not be made: {problem}", problem=problem))
            return
        dom.save_as(made["url"], made["name"])
        status.say(
            tr(
                "{name}, {size}, is being downloaded.",
                name=made["name"],
                size=numbers.size(made["size"]),
            )
        )

    async def _chosen(self, event):
        files = event.target.files
        if files.length:
            await self.load(files[0])
        event.target.value = ""

    async def load(self, file):
        """Load a model from a file; a file that holds none changes nothing."""
        url = js.URL.createObjectURL(file)
        try:
            async with self.client.replacing as free:
                if free:
                    began = dom.now()
                    model = await self.client.lab.models.load(url, file.name)
                    trained = await self.client.lab.models.trained(model)
                    about = {"trained": trained or 0}
                    await self.take(model, about, f"“{file.name}”", began)
        except Exception as error:
            status.refuse(
                tr("This file is no model"),
                str(error),
                tr("Nothing was changed. Choose a file that Download made."),
                status.details_of(error),
            )
        finally:
            js.URL.revokeObjectURL(url)


def _no_storage(error):
    status.notice(
        tr("Models cannot be saved in this browser"),
        str(error),
        tr("Training and drawing work. Use Download to keep a model as a file."),
        status.details_of(error),
    )


def _name(client):
    """Return a name for a network: what it reached, and the time of day."""
    clock = js.Date.new().toLocaleTimeString()
    if client.accuracy is not None:
        return f"{numbers.percent(client.accuracy)}, {clock}"
    return f"{tr('trained') if client.learned else tr('untrained')}, {clock}"


def _refuse(words, data):
    """Say that a model reads other images, or has other classes."""
    size, classes = " × ".join([str(side) for side in data["shape"]]), len(data["names"])
    status.refuse(
        tr("This model is for other data"),
        tr(
            "{words} does not read images of {size}, or has not {classes} classes.",
            words=words,
            size=size,
            classes=classes,
        ),
        tr("Nothing was changed. Open the data first that it was trained on."),
    )


def _trained(client):
    """Return how long a network was trained."""
    if not client.learned:
        return tr("An untrained network.")
    if not client.trained and client.layers is None:  # from a file that does not say
        return tr("Trained elsewhere.")
    if client.trained < 2:
        return (
            tr("Trained for one epoch.")
            if client.trained
            else tr("Trained for less than an epoch.")
        )
    return tr("Trained for {trained} epochs.", trained=client.trained)


def _described(rows):
    """Return a network in a line, for the list of saved ones."""
    parameters = sum([row[3] for row in rows])
    return tr(
        "layers: {count}, parameters: {parameters}",
        count=len(rows),
        parameters=numbers.count(parameters),
    )
