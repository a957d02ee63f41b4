"""The picture panel: the network in use, drawn by the worker and lit by what it computes.

The worker makes every text, number and pixel (`lab.picture`); this puts them: the wires as one SVG
and each layer as one canvas, made again only for another network or width; picture.js then puts
the reports into these. It is loaded when the page is ready.
"""

import js

from app.language import key, tr
from app.page import dom
from app.page.latest import Latest
from app.page.selection import Selection

SEEN = key("Seen")  # the engine's name of what the network is given; dom.put translates it
_INKS = ("tile", "blue", "rust", "ink")
_painter = dom.evaluate(__file__, "picture.js")


class Picture:
    """The drawing, and the reports that light it.

    Args:
        client: the engine.
        draw: the panel of the pad and the answer.

    Attributes:
        drawing: what the worker drew last, None before.
        selection: the map whose wires alone are lit.
        pressed: called with a layer (a dict of the drawing) and a map when one is pressed.
        painted: called after each report.
    """

    def __init__(self, client, draw):
        self.client = client
        self.draw = draw
        self.area = dom.find("picture")
        self.selection = Selection(self.area)
        self.drawing = None
        self.pressed = lambda layer, number: None
        self.painted = lambda: None
        self._opened = []
        self._model = None  # that was drawn
        self._inks = None  # that the worker does not know yet
        self._followed = None
        self._width = 0
        self._seen = True
        self._put = None
        self._latest = Latest(self._draw, self.area)
        self._following = Latest(self._follow)
        dom.on(self.area, "click", self._click)
        self._sizes = js.ResizeObserver.new(dom.call(lambda *_: self._resized()))
        self._sizes.observe(self.area.parentElement.parentElement)
        self._view = js.IntersectionObserver.new(dom.call(self._scrolled))
        self._view.observe(self.area)
        dom.on(dom.document, "visibilitychange", lambda _: self._turned())
        client.listen(self.changed)

    # -- the drawing --------------------------------------------------------------------------

    async def recolour(self):
        """Tell the worker the theme's inks, and draw again."""
        if self.client.lab is None:
            return
        self._inks = {name: dom.channels(name) for name in _INKS}
        self._model = None
        await self._latest.now()

    def changed(self):
        """Draw again where there is another network."""
        if self.client.reading is not self._model:
            self._redraw()

    def _resized(self):
        if self.area.clientWidth != self._width:
            self._redraw()

    def _redraw(self):
        self._model = None
        self._latest.ask()

    async def _draw(self):
        self._model = None
        if self._inks and self.client.lab is not None:
            inks, self._inks = self._inks, None
            await self.client.lab.picture.colours(inks, js.devicePixelRatio)
        model = self.client.reading  # another one may have come meanwhile, and this be released
        self._width = self.area.clientWidth
        if model is None or not self._width:
            return
        place = _place(self.area, self._opened)
        drawing = await self.client.lab.picture.drawing(model, place)
        if model is not self.client.reading:  # another one came meanwhile
            return
        self._model, self.drawing = model, drawing
        area = self.area
        self.selection.clear()
        area.classList.toggle("down", place["down"])
        width, height = drawing["size"]
        area.style.height = f"{height}px" if place["down"] else ""
        large = width > place["width"] + 1 or height > place["height"] + 1
        area.classList.toggle("large", large and not place["down"])
        layers = drawing["layers"]
        parts = [drawing["svg"]] + [_html(index, layer) for index, layer in enumerate(layers)]
        _put(area, "".join(parts))
        words = "; ".join([layer["words"] for layer in layers])
        area.setAttribute("aria-label", tr("The network: {words}", words=words))
        self._put = _painter(area, dom.record(drawing["ends"]))
        self.draw.changed()
        self._following.ask()

    # -- reports ------------------------------------------------------------------------------

    def show(self, report):
        """Put a report's pixels, and light what it lights."""
        if self.drawing is None or report["number"] != self.drawing["number"]:
            return
        self._put(report["rgba"].js, report["strengths"].js)
        self.painted()

    @property
    def current(self):
        """Whether it shows the network that reads; one that was drawn before may be released."""
        return self._model is not None and self._model is self.client.reading

    @property
    def visible(self):
        """Whether there is anything to see of it."""
        return self._seen and not dom.document.hidden and not self.area.hidden

    def _scrolled(self, entries, *_):
        self._seen = entries[entries.length - 1].isIntersecting
        self._turned()

    def _turned(self):
        """Show the network as it is now, and follow it, or rest."""
        self._following.ask()
        self.draw.changed()

    async def _follow(self):
        """Have the worker report each change of the network in view, or rest."""
        wanted = self._model if self.visible and self.current else None
        if wanted is self._followed or self.client.lab is None:
            return
        self._followed = wanted
        if wanted is None:
            await self.client.lab.picture.rest()
        else:
            await self.client.lab.picture.follow(wanted, self._reported)

    def _reported(self, report):
        """Show a report of the run in progress; the worker calls this, then makes another."""
        self.draw.show(report)

    # -- pressing -----------------------------------------------------------------------------

    def _click(self, event):
        button = event.target.closest("button")
        if button is None:
            return
        index, tile = int(button.parentElement.dataset.layer), int(button.dataset.tile)
        layer = self.drawing["layers"][index]
        if layer["press"] == "open":
            name = layer["name"]
            self._opened = [n for n in self._opened if n != name] + (
                [] if name in self._opened else [name]
            )
            self._redraw()
        elif self.selection.place == (index, tile):
            self.selection.clear()
            self.pressed(None, 0)
        else:
            self.selection.choose(index, tile)
            self.pressed(layer, layer["maps"][tile] if layer["maps"] else 0)

    def choose(self, layer, number):
        """Light the wires of a layer's map by its number, where it has a tile."""
        layers = self.drawing["layers"]
        for index in range(len(layers)):
            if layers[index]["name"] == layer["name"] and number in layers[index]["maps"]:
                self.selection.choose(index, layers[index]["maps"].index(number))


def _put(area, html):
    """Replace what an element holds; the focus stays on the button of the same layer and map."""
    button = dom.document.activeElement
    button = button and button.closest("button")
    held = bool(button) and area.contains(button)
    if held:
        layer, tile = button.parentElement.dataset.layer, button.dataset.tile
    dom.put(area, html)
    if held:
        button = area.querySelector(f'[data-layer="{layer}"] [data-tile="{tile}"]')
        if button:
            button.focus(dom.record({"preventScroll": True}))


def _place(area, opened):
    """Return where the picture is, between the pad and the bars, as the worker takes it."""
    box = area.getBoundingClientRect()
    down = js.getComputedStyle(area).getPropertyValue("--down").strip() == "1"
    pad = dom.find("pad").getBoundingClientRect()
    ends = []
    bars = dom.find("bars").children
    for index in range(bars.length if bars[0].getClientRects().length else 0):
        bar = bars[index].getBoundingClientRect()
        ends.append(bar.left + bar.width / 2 - box.left if down else _middle(bar) - box.top)
    middle = None
    if pad.width:
        middle = pad.left + pad.width / 2 - box.left if down else _middle(pad) - box.top
    return {
        "width": box.width,
        "height": float(js.getComputedStyle(area).getPropertyValue("--tall")) * dom.rem(),
        "down": down,
        "ends": ends,
        "middle": middle,
        "opened": opened,
        "text": 0.8125 * dom.rem(),
    }


def _middle(box):
    return box.top + box.height / 2


def _html(index, layer):
    """Return a layer as HTML: its canvas, and a button for each map that can be pressed."""
    width, height = layer["canvas"]
    if not width and not layer["press"]:
        return ""
    smooth = " smooth" if layer["smooth"] else ""
    box = "left:{x}px;top:{y}px;width:{width}px;height:{height}px".format(**layer)
    parts = [
        f'<div class="layer{smooth}" data-layer="{index}" role="group" '
        f'aria-label="{dom.escape(layer["words"])}" style="{box}">'
    ]
    if width:
        parts.append(f'<canvas width="{width}" height="{height}" aria-hidden="true"></canvas>')
    if layer["press"] == "maps":
        tiles, side = layer["tiles"], layer["tile"]
        for tile, number in enumerate(layer["maps"]):
            where = f"left:{tiles[2 * tile]}px;top:{tiles[2 * tile + 1]}px;"
            where += f"width:{side[0]}px;height:{side[1]}px"
            parts.append(_button(tile, tr("Map {number}", number=number + 1), where))
    elif layer["press"]:
        name = tr("Open its layers") if layer["press"] == "open" else tr("See how it is computed")
        parts.append(_button(0, name, "inset:-4px;min-width:24px;min-height:24px"))
    parts.append("</div>")
    return "".join(parts)


def _button(tile, name, style):
    return (
        f'<button type="button" data-tile="{tile}" tabindex="{-1 if tile else 0}" '
        f'aria-pressed="false" aria-label="{name}" style="{style}"></button>'
    )
