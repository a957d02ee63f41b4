"""The menu of data sets, on a site that was made with more than MNIST."""

import js

from app.page import dom, status


class DataSets:
    """The menu in the data panel.

    Args:
        page: the page with its panels.
    """

    def __init__(self, page):
        self.client = page.client
        self.data = page.data
        self.menu = dom.find("data-set")
        self.titles = {}
        for index in range(self.menu.options.length):
            option = self.menu.options[index]
            self.titles[option.textContent] = option.value
        self.client.listen(self._follow)

    def _follow(self):
        """Show which data are in use; files of the user's are none of the menu."""
        self.menu.value = self.titles.get(self.client.data["name"], "")

    async def open(self):
        """Train on what was chosen from now on."""
        name = self.menu.value
        title = self.menu.selectedOptions[0].textContent
        if name == "mnist":
            await self.data.restore()
            return
        async with self.client.replacing as free:
            if not free:
                self._follow()
                return
            status.say(f"Loading {title}…")
            try:
                await self.client.lab.data.choose(name, title, js.document.baseURI)
                await self.data.adopt()
            except Exception as error:
                status.notice(
                    "These data could not be loaded",
                    str(error),
                    "Nothing was changed. Check the connection, and choose them again.",
                )
                self._follow()
