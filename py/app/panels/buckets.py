"""The user's own drawings, a bucket for each digit: seen, deleted, learned from."""

from app.page import dom, images, numbers, status

DIGITS = range(10)


class Buckets:
    """Labelled drawings that wait to be learned from; the worker keeps them in IndexedDB."""

    def __init__(self, studio, refresh):
        self.studio = studio
        self.refresh = refresh  # what shows the data anew
        self.count = 0
        dom.click("drawn-add", self.add)
        self._fill([])

    async def show(self):
        """Ask the worker what there is, and show it."""
        self._fill(await self.studio.lab.drawings.listing())

    def _fill(self, drawings):
        self.count = len(drawings)
        dom.write("drawn-count", str(self.count), dom.find("drawn-count"))
        dom.enable("drawn-add", when=bool(drawings))
        dom.find("fine-tune").hidden = not drawings
        rows = []
        for digit in DIGITS:
            mine = [(i, entry) for i, entry in enumerate(drawings) if entry["label"] == digit]
            rows.append(self._bucket(digit, mine))
        dom.fill(dom.find("buckets"), rows)

    def _bucket(self, digit, mine):
        item = dom.make("li")
        count = dom.make("small", len(mine), class_="note")
        tiles = dom.make("span", class_="drawn")
        for place, (index, entry) in enumerate(mine):
            name = f"Delete drawing {place + 1} of a {digit}"
            button = dom.make("button", type="button", aria_label=name, title="Delete")
            picture = dom.make("canvas", class_="tinted", aria_hidden="true")
            button.append(images.paint(picture, entry["rgba"]))
            dom.on(button, "click", lambda _, index=index: self.remove(index, digit))
            tiles.append(button)
        item.append(dom.make("b", digit), tiles, count)
        return item

    async def remove(self, index, digit):
        """Delete a drawing, and leave the keyboard where it was."""
        await self.studio.lab.drawings.remove(index)
        await self.show()
        bucket = dom.find("buckets").children[digit]
        (bucket.querySelector("button") or dom.find("buckets")).focus()
        status.say(f"A drawing of a {digit} is deleted, {self.count} are left.")

    async def add(self):
        """Put all drawings among the training images."""
        count = await self.studio.lab.drawings.add_to_training()
        self._fill([])
        await self.refresh()
        status.say(f"Your drawings are among the {numbers.count(count)} training images now.")
