"""The map of the picture that is chosen: its wires alone are lit, and arrows go on from it."""

from app.page import dom

_STEPS = {"ArrowDown": 1, "ArrowRight": 1, "ArrowUp": -1, "ArrowLeft": -1}


class Selection:
    """One map of one layer, or none.

    Args:
        area: the element of the picture: a `path` a wire, a group a layer, a button a map.

    Attributes:
        place: index of the layer and of the tile, None: all wires are lit.
    """

    def __init__(self, area):
        self.area = area
        self.place = None
        dom.on(area, "keydown", self._key, passive=False)

    def choose(self, index, tile):
        """Light the wires of one map only."""
        self.clear()
        self.place = (index, tile)
        self.area.classList.add("picked")
        place = f"{index}/{tile}"
        for wire in self.area.querySelectorAll(
            f'path[data-from="{place}"], path[data-to="{place}"]'
        ):
            wire.classList.add("lit")
        button = self.area.querySelector(f'[data-layer="{index}"] button[data-tile="{tile}"]')
        if button:
            button.setAttribute("aria-pressed", "true")

    def clear(self):
        """Light all wires."""
        self.place = None
        self.area.classList.remove("picked")
        for wire in self.area.querySelectorAll(".lit"):
            wire.classList.remove("lit")
        for button in self.area.querySelectorAll('[aria-pressed="true"]'):
            button.setAttribute("aria-pressed", "false")

    def _key(self, event):
        """Arrows go through the maps of a layer, which is one stop of Tab."""
        step = _STEPS.get(event.key)
        button = event.target.closest("button")
        if step is None or button is None:
            return
        event.preventDefault()
        buttons = button.parentElement.querySelectorAll("button")
        index = (int(button.dataset.tile) + step) % buttons.length
        button.tabIndex = -1
        buttons[index].tabIndex = 0
        buttons[index].focus()
