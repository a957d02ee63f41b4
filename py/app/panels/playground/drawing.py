"""The playground's network: features, units and wires, each unit with its plane.

It is made again only for another network or width; reports are put into it by picture.js.
"""

import js

from app.language import tr
from app.page import dom
from app.page.selection import Selection

_FEATURES = (
    ("x", "x"),
    ("y", "y"),
    ("x2", "x²"),
    ("y2", "y²"),
    ("xy", "xy"),
    ("sinx", "sin x"),
    ("siny", "sin y"),
)
_LARGEST = 3.2  # rem, a side of a tile
_GAP = 0.5  # rem, between tiles
_LABEL = 3.0  # rem, before the features
_HEAD = 3.4  # rem, the name of a layer and its buttons
_ROW = 2.4  # rem, between rows for wires
_painter = dom.evaluate(__file__.rpartition("/")[0], "picture.js")  # one folder up


class Drawing:
    """Draws the network that a worker has made, in the element `network`.

    Args:
        form: the options, which a press changes.
        pressed: called with (layer, unit) when a unit is pressed, with None when it is let go.
        side: pixels in a row of a unit's plane.
    """

    def __init__(self, form, pressed, side):
        self.form = form
        self.pressed = pressed
        self.side = side
        self._values = form.values  # of the network that is drawn
        self.area = dom.find("network")
        self.selection = Selection(self.area)
        self._width = 0
        self._put = None
        dom.on(self.area, "click", self._click)
        self._sizes = js.ResizeObserver.new(dom.call(lambda *_: self._resized()))
        self._sizes.observe(self.area)

    def _resized(self):
        if self._put is not None and abs(self.area.clientWidth - self._width) > 1:
            self.redrawn()

    def redrawn(self):
        """Called after the width has changed; the page shows a report again."""

    def draw(self, values):
        """Draw a network.

        Args:
            values: the options that it was made of; the form may have others by now, and a report
                fits the network alone.
        """
        self._values = values
        held = self._held()
        self.selection.clear()
        self._width = self.area.clientWidth
        down = js.getComputedStyle(self.area).getPropertyValue("--down").strip() == "1"
        self.area.classList.toggle("down", down)
        hidden = [int(units) for units in values["hidden"]]
        place = _Place(self._width, self.area, down, [len(_FEATURES)] + hidden)
        self.area.style.height = f"{place.height:.0f}px"
        parts = [_svg(place, values["features"])]
        parts.append(_head(tr("Features"), "", None, place, 0))
        parts.append(self._features(place))
        for index, units in enumerate(hidden):
            parts.append(
                _head(tr("Layer {index}", index=index + 1), str(units), index, place, index + 1)
            )
            parts.append(self._units(index, units, place))
        dom.put(self.area, "".join(parts))
        words = [
            tr("layer {index}, units: {units}", index=index + 1, units=units)
            for index, units in enumerate(hidden)
        ]
        used = [label for name, label in _FEATURES if name in values["features"]]
        self.area.setAttribute(
            "aria-label",
            tr(
                "The network: features {used}; {hidden}; one output",
                used=", ".join(used),
                hidden="; ".join(words) or tr("no hidden layer"),
            ),
        )
        self._put = _painter(self.area, dom.record([]))
        if held:
            button = self.area.querySelector(held)
            if button:
                button.focus(dom.record({"preventScroll": True}))

    def show(self, report):
        """Put a report's planes and weights."""
        if self._put is not None:
            self._put(report["pixels"].js, report["widths"].js)

    # -- its parts ----------------------------------------------------------------------------

    def _features(self, place):
        tiles = []
        for index, (name, label) in enumerate(_FEATURES):
            used = "true" if name in self._values["features"] else "false"
            about = tr("Feature {label}", label=label)
            words = f'aria-pressed="{used}" data-feature="{name}" aria-label="{about}"'
            tiles.append(self._tile(0, index, words, place, label))
        return _group(0, tr("Features: pressed ones are used"), tiles)

    def _units(self, layer, units, place):
        tiles = []
        for index in range(units):
            about = tr("Unit {index}", index=index + 1)
            words = f'aria-pressed="false" aria-label="{about}"'
            tiles.append(self._tile(layer + 1, index, words, place, ""))
        return _group(
            layer + 1, tr("Layer {layer}, units: {units}", layer=layer + 1, units=units), tiles
        )

    def _tile(self, column, index, words, place, label):
        x, y = place.corner(column, index)
        side = place.side
        mark = f"<span>{label}</span>" if label else ""
        return (
            f'<button type="button" data-tile="{index}" tabindex="{-1 if index else 0}" {words} '
            f'style="left:{x:.1f}px;top:{y:.1f}px;width:{side:.1f}px;height:{side:.1f}px">'
            f'<canvas width="{self.side}" height="{self.side}" aria-hidden="true"></canvas>'
            f"{mark}</button>"
        )

    # -- pressing -----------------------------------------------------------------------------

    def _click(self, event):
        button = event.target.closest("button")
        if button is None:
            return
        if button.hasAttribute("data-by"):
            self.form.change_units(int(button.dataset.of), int(button.dataset.by))
        elif button.hasAttribute("data-feature"):
            self.form.turn(button.dataset.feature)
        else:
            self._press(int(button.parentElement.dataset.layer), int(button.dataset.tile))

    def _press(self, layer, unit):
        """Show a unit's plane large and its wires alone, or let it go."""
        again = self.selection.place == (layer, unit)
        self.let_go()
        if again:
            self.pressed(None)
        else:
            self.selection.choose(layer, unit)
            self._press_features()
            self.pressed((layer - 1, unit))

    def let_go(self):
        """Light all wires."""
        self.selection.clear()
        self._press_features()

    def _press_features(self):
        """Say again which features are used: the selection lets all buttons go."""
        for name, _ in _FEATURES:
            button = self.area.querySelector(f'[data-feature="{name}"]')
            if button:
                used = "true" if name in self._values["features"] else "false"
                button.setAttribute("aria-pressed", used)

    def _held(self):
        """Return how to find the button that has the focus, in the drawing that comes."""
        button = dom.document.activeElement
        button = button and button.closest("button")
        if not button or not self.area.contains(button):
            return ""
        if button.hasAttribute("data-by"):
            return f'[data-of="{button.dataset.of}"][data-by="{button.dataset.by}"]'
        layer = button.parentElement.dataset.layer
        return f'[data-layer="{layer}"] [data-tile="{button.dataset.tile}"]'


class _Place:
    """Where each tile is: columns from left to right, or rows downwards.

    Args:
        width: CSS pixels there are.
        area: the element, whose style says how tall it is in columns.
        down: whether the layers are rows.
        counts: tiles of each layer.
    """

    def __init__(self, width, area, down, counts):
        rem = dom.rem()
        self.down, self.counts, self.width, self.rem = down, counts, width, rem
        most, layers = max(counts), len(counts)
        gap = _GAP * rem
        if down:
            self.side = min(_LARGEST * rem, width / most - gap)
            self.step = _HEAD * rem + self.side + _ROW * rem
            self.height = layers * self.step
            self.first = _HEAD * rem + self.side / 2
            self.end = self.height - 0.4 * rem
        else:
            tall = float(js.getComputedStyle(area).getPropertyValue("--tall")) * rem
            self.height = tall
            self.side = min(_LARGEST * rem, (tall - _HEAD * rem) / most - gap)
            self.first = _LABEL * rem + self.side / 2
            self.step = (width - self.first) / layers
            self.end = width

    def middle(self, column, index):
        """Return (along, across) of a tile's middle."""
        count = self.counts[column]
        head = 0 if self.down else _HEAD * self.rem
        room = (self.width if self.down else self.height) - head
        across = head + room * (index + 0.5) / count
        if count < 5:  # few stand nearer to each other
            across = head + room / 2 + (index - (count - 1) / 2) * room / 5
        return self.first + column * self.step, across

    def corner(self, column, index):
        """Return left and top of a tile."""
        along, across = self.middle(column, index)
        x, y = (across, along) if self.down else (along, across)
        return x - self.side / 2, y - self.side / 2

    def wire(self, column, index, target, to):
        """Return the path of a wire from a tile to one of the next layer, or to the end."""
        half = self.side / 2
        start, one = self.middle(column, index)
        start += half
        if target < len(self.counts):
            stop, other = self.middle(target, to)
            stop -= half
        else:
            head = 0 if self.down else _HEAD * self.rem
            stop = self.end
            other = head + ((self.width if self.down else self.height) - head) / 2
        bend = (start + stop) / 2
        points = ((start, one), (bend, one), (bend, other), (stop, other))
        words = [f"{b:.1f} {a:.1f}" if self.down else f"{a:.1f} {b:.1f}" for a, b in points]
        return f"M{words[0]}C{words[1]} {words[2]} {words[3]}"


def _svg(place, used):
    """Return the wires, in the order in which the worker names their widths."""
    sources = [index for index, (name, _) in enumerate(_FEATURES) if name in used]
    parts = []
    layers = place.counts[1:] + [1]
    for target, units in enumerate(layers):
        for to in range(units):
            for source in sources:
                path = place.wire(target, source, target + 1, to)
                parts.append(
                    f'<path data-from="{target}/{source}" data-to="{target + 1}/{to}" d="{path}"/>'
                )
        sources = range(units)
    size = f'width="{place.width:.0f}" height="{place.height:.0f}"'
    return f'<svg {size} class="wires" aria-hidden="true">{"".join(parts)}</svg>'


def _head(title, units, layer, place, column):
    """Return the name of a layer, with the buttons that change its units."""
    along = place.first + column * place.step
    if place.down:
        where = f"left:0;top:{along - place.side / 2 - _HEAD * place.rem:.0f}px"
    else:
        where = f"left:{along:.0f}px;top:0"
    buttons = ""
    if layer is not None:
        less = tr("{title}: one unit less", title=title)
        more = tr("{title}: one unit more", title=title)
        buttons = (
            f'<button type="button" data-of="{layer}" data-by="-1" '
            f'aria-label="{less}">\u2212</button><b>{units}</b>'
            f'<button type="button" data-of="{layer}" data-by="1" '
            f'aria-label="{more}">+</button>'
        )
    return (
        f'<div class="head" style="{where}"><b class="title">{title}</b><div>{buttons}</div></div>'
    )


def _group(layer, words, tiles):
    about = f'data-layer="{layer}" role="group" aria-label="{words}"'
    return f'<div class="units" {about}>{"".join(tiles)}</div>'
