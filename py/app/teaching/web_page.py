"""The button "Use it in a page": a folder that runs as it is, with the network in use."""

import js

from app.language import tr
from app.page import dom, numbers, status
from app.state import web_page


class WebPage:
    """The folder as a zip.

    Args:
        page: the page with its panels.
    """

    def __init__(self, page):
        self.client = page.client

    async def open(self):
        """Download the folder."""
        client = self.client
        if client.model is None:
            status.say(tr("There is no network yet."))
            return
        response = await js.fetch(web_page.TEMPLATE)
        if not response.ok:
            status.say(
                tr(
                    "The page could not be fetched: the server said {status}.",
                    status=response.status,
                )
            )
            return
        template = await response.text()
        model, data = client.model, client.data
        parts = list(await client.lab.models.parts(model))
        text = web_page.text(template, data["names"], data["shape"], parts)
        parts.append(web_page.RPC)
        made = await client.lab.models.folder(model, text, parts)
        dom.save_as(made["url"], made["name"])
        size = numbers.size(made["size"])
        status.say(
            tr(
                "{name}, {size}: unpack it, and serve the folder with any server.",
                name=made["name"],
                size=size,
            )
        )
