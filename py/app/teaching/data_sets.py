"""The menu of data sets, and the data that a link names."""

import js

from app.language import tr
from app.page import dom, failures, status
from app.state import settings

_ABSENT = {
    "own": tr("It was made with somebody's own files, which a link cannot hold."),
    "classes": tr("It was made with classes of somebody's own, which a link cannot hold."),
}


class DataSets:
    """The menu in the data panel.

    Args:
        page: the page with its panels.
    """

    def __init__(self, page):
        self.page = page
        self.client = page.client
        self.options = page.options
        self.menu = dom.find("data-set")

    def open(self):
        """Take what was chosen in the menu; points are another page's."""
        toy = self.menu.selectedOptions[0].getAttribute("data-toy")
        if toy:
            self.page.data.show_choice()
            js.location.href = self._playground(toy)
        else:
            self.options.set("data", self.menu.value)

    async def take(self):
        """Train on the data that the options name; where that cannot be, say why."""
        name = self.options["data"]
        if name != "own" and self.menu.querySelector(f'[data-toy="{name}"]'):
            js.location.replace(self._playground(name))
        try:
            if name in settings.TABLES:
                await self._table(name)
                return
            if await self._chosen(name):
                return
        except Exception as error:
            status.notice(
                tr("These data could not be loaded"),
                failures.first_line(error),
                tr("The data are as they were. Check the connection, and choose them again."),
                status.details_of(error),
            )
        if self.options["data"] == name:  # else another one is asked for by now
            self.options.set("data", self.client.data["id"])

    def _playground(self, toy):
        return f"./playground.html#toy={toy}&lang={self.options['lang']}"

    async def _table(self, name):
        address = js.URL.new(f"./static/vendor/data/{name}.csv", js.document.baseURI).href
        await self.page.own_data.open_table(f"{name}.csv", address, name)

    async def _chosen(self, name):
        """Have the worker train on other data; return whether there are any of this name."""
        status.say(tr("Loading the data…"))
        if name == "classes" and (self.page.own_data.classes or not self.options.link):
            return await self.page.own_data.restore()
        if await self.client.lab.data.choose(name, js.document.baseURI):
            await self.page.data.adopt(name)
            return True
        status.notice(
            tr("There are no data “{name}” here", name=name),
            _ABSENT.get(name, tr("The link names data that this page does not know.")),
            tr(
                "The data are {name}. Others are in the menu, and your own files can be opened "
                "below it.",
                name=tr(self.client.data["name"]),
            ),
        )
        return False
