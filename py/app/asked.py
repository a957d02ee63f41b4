"""What is fetched when a reader first asks for it: programs to take home, lessons, an embed's line.

Until then a page loads this module alone.
"""

import asyncio

from app.language import tr
from app.page import dom, failures, status

BUNDLE = "teaching.txt"
# What asks for a part: an element's id, its event, and the part's name and method.
ASKED = (
    ("code-panel", "toggle", "code", "open"),
    ("data-set", "change", "data_sets", "open"),
    ("embed-open", "click", "embed_form", "open"),
    ("lessons", "click", "lesson", "menu"),
    ("numbers-open", "click", "numbers_explained", "open"),
    ("project-save", "click", "project", "save"),
    ("project-file", "change", "project", "take"),
    ("web-page", "click", "web_page", "open"),
)
# Where a press asks what a number is.
NUMBERS = "output, #total-params, th.number, .figures > div"


class Asked:
    """The parts by name, made when they are first asked for.

    Args:
        page: the page with its panels.
        unpack: coroutine function that fetches a bundle of modules, by its name.
    """

    def __init__(self, page, unpack):
        self.page = page
        self.unpack = unpack
        self._parts = {}
        self._busy = asyncio.Lock()
        for identifier, event, *asked in ASKED:
            dom.on(identifier, event, lambda _, asked=asked: self.open(*asked))
        dom.click("project-open", dom.find("project-file").click)
        dom.on(dom.document, "click", self._clicked)
        page.options.listen("lesson", lambda _: dom.spawn(self.open("lesson")))
        page.options.listen("data", lambda _: dom.spawn(self.data()))
        if page.options["lesson"]:
            dom.spawn(self.open("lesson"))

    def _clicked(self, event):
        number = event.target.closest(NUMBERS)
        return self.open("numbers_explained", "tell", number) if number else None

    async def data(self):
        """Train on the data that the options name, where the link or the menu names others."""
        client, options = self.page.client, self.page.options
        if not client.data_ready or options["data"] == client.data["id"]:
            return
        async with client.replacing as free:
            if not free:
                options.set("data", client.data["id"])
            elif options["data"] != client.data["id"]:
                await self.open("data_sets", "take")

    async def open(self, name, what="open", *given):
        """Have a part do what was asked of it; what could not be fetched is said."""
        part = await self.part(name)
        if part is not None:
            result = getattr(part, what)(*given)
            if hasattr(result, "send"):
                await result

    async def part(self, name):
        """Return a part, None where its code cannot be fetched now."""
        async with self._busy:
            if not self._parts:
                try:
                    await self.unpack(BUNDLE)
                except Exception as error:
                    status.notice(
                        tr("This part of the page could not be fetched"),
                        failures.first_line(error),
                        tr("Everything else works. Press again to try again."),
                    )
                    return None
            if name not in self._parts:
                from app.teaching import parts

                self._parts[name] = parts.make(name, self.page)
            return self._parts[name]
