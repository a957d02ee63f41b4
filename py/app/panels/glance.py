"""The glance panel: the first test images with the network's answers, below the curves.

It is loaded when the first epoch has ended.
"""

from app.language import tr
from app.page import dom, images
from app.page.latest import Latest


class Glance:
    """A strip of images that is updated whenever the network changes.

    Args:
        client: the engine.
    """

    def __init__(self, client):
        self.client = client
        self.truths = None  # the labels that the pictures were painted for
        self.items = []
        latest = Latest(self._look)
        client.listen(latest.ask)
        latest.ask()

    async def _look(self):
        model = self.client.model
        if model is not None:
            found = await self.client.lab.glance.answers(model)
            if found:
                dom.next_frame("glance", lambda: self._show(found))

    def _show(self, found):
        truths = [self.client.data["name"]] + [entry["truth"] for entry in found]
        if truths != self.truths:
            self.truths = truths
            self._paint(found)
        right = 0
        for (canvas, words), entry in zip(self.items, found):
            hit = entry["truth"] == entry["answer"]
            right += hit
            words.className = "good" if hit else "bad"
            words.textContent = f"{entry['answer']} {'✓' if hit else '✗'}"
            name = tr("A {truth}, read as {answer}", truth=entry["truth"], answer=entry["answer"])
            canvas.setAttribute("aria-label", name)
        dom.set_text("glance-note", tr("{right} of {count} right", right=right, count=len(found)))
        dom.find("glance").hidden = False

    def _paint(self, found):
        self.items, tiles = [], []
        for entry in found:
            words = dom.make("span")
            tile = images.tile(entry["rgba"], (words,), "")
            self.items.append((tile.querySelector("canvas"), words))
            tiles.append(tile)
        dom.fill(dom.find("glance-images"), tiles)
