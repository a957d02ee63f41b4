"""The first test images with the network's answers: what an epoch of training changes.

It is loaded when the first epoch has ended.
"""

from app.page import dom, images


class Glance:
    """A strip of images below the curves; follows the network from now on."""

    def __init__(self, studio):
        self.studio = studio
        self.truths = None  # what the pictures were painted for
        self.items = []
        self.wanted = self.asking = False
        studio.listen(self.look)
        self.look()

    def look(self):
        """Ask anew; of several wishes the last."""
        self.wanted = True
        if not self.asking:
            dom.spawn(self._look())

    async def _look(self):
        self.asking = True
        try:
            while self.wanted and self.studio.model is not None:
                self.wanted = False
                found = await self.studio.lab.glance(self.studio.model)
                dom.next_frame("glance", lambda found=found: self._show(found))
        finally:
            self.asking = False

    def _show(self, found):
        truths = [self.studio.data["name"]] + [entry["truth"] for entry in found]
        if truths != self.truths:
            self.truths = truths
            self._paint(found)
        right = 0
        for (canvas, words), entry in zip(self.items, found):
            hit = entry["truth"] == entry["answer"]
            right += hit
            words.className = "good" if hit else "bad"
            words.textContent = f"{entry['answer']} {'✓' if hit else '✗'}"
            name = f"A {entry['truth']}, read as {entry['answer']}"
            canvas.setAttribute("aria-label", name)
        dom.write("glance", f"{right} of {len(found)} right", dom.find("glance-note"))
        dom.find("glance").hidden = False

    def _paint(self, found):
        self.items, tiles = [], []
        for entry in found:
            words = dom.make("span")
            tile = images.tile(entry["rgba"], (words,), "")
            self.items.append((tile.querySelector("canvas"), words))
            tiles.append(tile)
        dom.fill(dom.find("glance-images"), tiles)
