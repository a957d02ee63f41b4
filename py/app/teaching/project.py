"""A project in a file: classes, pictures, options and network, to hand to a class."""

import js

from app.language import tr
from app.page import dom, numbers, status
from app.state import settings


class Project:
    """The two buttons under Models.

    Args:
        page: the page with its panels.
    """

    def __init__(self, page):
        self.page = page
        self.client = page.client
        self.file = dom.find("project-file")

    async def save(self):
        """Download the project."""
        client = self.client
        if client.model is None or not self.page.state.free():
            return
        options = settings.to_hash(dict(self.page.options.values, lesson=""))
        try:
            made = await client.lab.projects.save(client.model, options, client.trained)
        except Exception as error:
            status.say(str(error))
            return
        dom.save_as(made["url"], made["name"])
        status.say(
            tr(
                "{name}, {size}: hand it to your class.",
                name=made["name"],
                size=numbers.size(made["size"]),
            )
        )

    async def take(self):
        """Open the project that was chosen."""
        files = self.file.files
        if files.length:
            await self._open(files[0])
        self.file.value = ""

    async def _show_classes(self, changed):
        """Show the classes that the worker has taken from a project, and have them kept."""
        await self.page.own_data.open()
        classes = self.page.own_data.classes
        if classes is not None:  # else their part of the page could not be fetched
            classes.changed = changed
            classes.keeping.ask()

    async def _open(self, file):
        page, client = self.page, self.client
        url = js.URL.createObjectURL(file)
        try:
            async with client.replacing as free:
                if not free:
                    return
                found = await client.lab.projects.open(url)
                if found["replaced"]:
                    await page.data.adopt()
                values = settings.from_hash(found["options"], client.data["shape"])
                page.options.adopt(dict(values, data=page.options["data"]))  # those it brings
                await page.network.rebuilt()
                about = {"trained": found["trained"]} if found["trained"] else None
                await client.adopt(found["model"], None, about)
                if found["pictures"]:
                    await self._show_classes(found["changed"])
                status.taken()
                status.say(
                    tr("The project {name} is open: its data, options and network.", name=file.name)
                )
        except Exception as error:
            status.refuse(
                tr("This file is no project"),
                str(error),
                tr("Choose a file that Save project made, of images that the page takes."),
                status.details_of(error),
            )
        finally:
            js.URL.revokeObjectURL(url)
