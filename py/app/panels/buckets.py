"""The buckets: the user's labelled drawings, shown, deleted, added to the training images."""

from app.language import tr
from app.page import dom, images, numbers, status


class Buckets:
    """Labelled drawings, which the worker saves in IndexedDB.

    Args:
        client: the engine.
        refresh: a coroutine function that shows the training data again.
    """

    def __init__(self, client, refresh):
        self.client = client
        self.refresh = refresh
        self.count = 0
        dom.press("drawn-add", self.add)
        self._fill([])

    async def show(self):
        """Ask the worker for the drawings and show them."""
        self._fill(await self.client.lab.buckets.listing())

    def _fill(self, drawings):
        self.count = len(drawings)
        dom.set_text("drawn-count", str(self.count))
        dom.enable("drawn-add", when=bool(drawings))
        dom.find("fine-tune").hidden = not drawings
        rows = []
        for digit in range(len(self.client.data["names"])):
            mine = [(i, entry) for i, entry in enumerate(drawings) if entry["label"] == digit]
            rows.append(self._bucket(digit, mine))
        dom.fill(dom.find("buckets"), rows)

    def _bucket(self, digit, mine):
        item = dom.make("li", class_="row")
        count = dom.make("small", len(mine), class_="note")
        tiles = dom.make("span", class_="drawn row")
        for place, (index, entry) in enumerate(mine):
            name = tr(
                "Delete drawing {place} of a {digit}", place=place + 1, digit=self._name(digit)
            )
            button = dom.make("button", type="button", aria_label=name, title=tr("Delete"))
            picture = dom.make("canvas", class_="tinted", aria_hidden="true")
            button.append(images.paint(picture, entry["rgba"]))
            dom.press(button, lambda index=index: self.remove(index, digit))
            tiles.append(button)
        item.append(dom.make("b", self._name(digit)), tiles, count)
        return item

    def _name(self, digit):
        return self.client.data["names"][digit]

    async def remove(self, index, digit):
        """Delete a drawing; the keyboard focus stays in its bucket."""
        await self.client.lab.buckets.remove(index)
        await self.show()
        bucket = dom.find("buckets").children[digit]
        (bucket.querySelector("button") or dom.find("buckets")).focus()
        status.say(
            tr(
                "A drawing of a {digit} is deleted, left: {count}.",
                digit=self._name(digit),
                count=self.count,
            )
        )

    async def add(self):
        """Add all drawings to the training images."""
        count = await self.client.lab.buckets.add_to_training()
        self._fill([])
        await self.refresh()
        status.say(
            tr(
                "Your drawings are among the {count} training images now.",
                count=numbers.count(count),
            )
        )
