"""The lens panel: how one pixel of a map is made, in the engine's own numbers; and "Why?".

The worker makes every number and text (`lab.lens`). It is loaded when a map is pressed first.
"""

from app.language import tr
from app.page import dom, images, status
from app.page.latest import Latest

_STEPS = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}
_MAPS = {"PageUp": -1, "PageDown": 1}


class Lens:
    """One pixel of one map, followed while the drawing or the network changes.

    Args:
        client: the engine.
        picture: the panel whose maps are pressed.
    """

    def __init__(self, client, picture):
        self.client = client
        self.picture = picture
        self.layer = None  # a dict of the drawing; None: closed
        self._network = None  # whose layer it is
        self.map, self.row, self.column = 0, 0, 0
        self.limits = (1, 1, 1)  # maps, rows, columns
        self.canvas = dom.find("lens-map")
        self._put_html = dom.evaluate(__file__, "lens.js")
        self._latest = Latest(self._show)
        dom.click("lens-close", self.close)
        dom.on("lens", "keydown", self._key, passive=False)
        dom.on(self.canvas, "pointerdown", self._point)
        dom.on(self.canvas, "pointermove", lambda event: event.buttons and self._point(event))

    def open(self, layer, number):
        """Show a map, its middle pixel first."""
        if layer is None:
            self.close()
            return
        other = self.layer is None or layer["name"] != self.layer["name"]
        self.layer, self.map = layer, number
        self._network = self.client.reading
        if other:
            shape = layer["shape"]
            wide = len(shape) == 3
            self.row, self.column = (shape[0] // 2, shape[1] // 2) if wide else (0, 0)
        dom.find("lens").hidden = False
        self._latest.ask()

    def close(self):
        """Close the lens; the focus goes back to the map."""
        self.layer = None
        dom.find("lens").hidden = True
        pressed = self.picture.area.querySelector('[aria-pressed="true"]')
        self.picture.selection.clear()
        if pressed:
            pressed.focus()

    def follow(self):
        """Show the numbers again: the drawing or the network has changed."""
        if self.layer is not None:
            self._latest.ask()

    def _keep_up(self):
        """Go on with another network that has the same layer; close where it has none."""
        if self._network is self.client.reading:
            return
        self._network = self.client.reading
        same = [self.layer["name"], self.layer["shape"]]
        if same not in [
            [layer["name"], layer["shape"]] for layer in self.picture.drawing["layers"]
        ]:
            self.close()

    async def _show(self):
        if self.layer is None or not self.picture.current:  # it is painted again, and asks again
            return
        self._keep_up()
        layer, number = self.layer, self.map
        if layer is None:
            return
        found = await self.client.lab.lens.look(layer["name"], number, self.row, self.column)
        if found is None or self.layer is not layer:
            return
        self.limits = (found["maps"], found["rows"], found["columns"])
        dom.next_frame("lens", lambda: self._put(found))

    def _put(self, found):
        images.paint(self.canvas, found["rgba"], tint=False)
        rows, columns = found["rows"], found["columns"]
        mark = dom.find("lens-mark").style
        mark.left, mark.width = f"{100 * self.column / columns}%", f"{100 / columns}%"
        mark.top, mark.height = f"{100 * self.row / rows}%", f"{100 / rows}%"
        dom.set_text("lens-where", found["title"])
        dom.set_text("lens-words", found["words"])
        self._put_html(dom.find("lens-parts"), found["parts"])
        self._put_html(dom.find("lens-sums"), found["sums"])
        self.canvas.setAttribute("aria-label", f"{found['title']}: {found['value']}. {_KEYS}")

    def _key(self, event):
        if event.key == "Escape":
            self.close()
            return
        if event.target.id != "lens-map":
            return
        if event.key in _STEPS:
            down, right = _STEPS[event.key]
            self._go(self.map, self.row + down, self.column + right)
        elif event.key in _MAPS:
            self._go(self.map + _MAPS[event.key], self.row, self.column)
        else:
            return
        event.preventDefault()
        event.stopPropagation()

    def _go(self, number, row, column):
        maps, rows, columns = self.limits
        if not (0 <= number < maps and 0 <= row < rows and 0 <= column < columns):
            return
        if number != self.map:
            self.picture.choose(self.layer, number)
        self.map, self.row, self.column = number, row, column
        self._latest.ask()

    def _point(self, event):
        box = self.canvas.getBoundingClientRect()
        _, rows, columns = self.limits
        row = int((event.clientY - box.top) / box.height * rows)
        column = int((event.clientX - box.left) / box.width * columns)
        self._go(self.map, row, column)


_KEYS = tr("Arrow keys choose a pixel, Page Up and Page Down another map.")


async def why(client):
    """Cover the drawing piece by piece, and show on the pad what the answer owes to each."""
    model = client.reading
    dom.enable("why", when=False)
    try:
        found = await client.lab.lens.why(model)
    finally:
        dom.enable("why")
    if found is None or model is not client.reading:  # nothing is shown, or another one reads it
        return
    canvas = dom.find("why-map")
    images.paint(canvas, found["rgba"], tint=False)
    left, top, width, height = [f"{100 * share}%" for share in found["box"]]
    style = canvas.style
    style.left, style.top, style.width, style.height = left, top, width, height
    canvas.hidden = False
    status.say(found["words"])
