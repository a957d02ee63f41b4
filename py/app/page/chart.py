"""Curves that grow while a network learns: uPlot on JavaScript arrays, drawn once a frame."""

import json

import js
from pyscript.js_modules import uplot

from app.language import tr
from app.page import dom

# The points are drawn at once, so that the frame's budget counts them; else uPlot draws them later.
_set_data = dom.script.setData
# A chart of 300 to 1,000 pixels shows no more points; of more batches, several become one.
POINTS = 1200
# Steps and epochs are whole numbers, and so are the lines of the grid.
WHOLE = [digit * 10**power for power in range(8) for digit in (1, 2, 5)]
RUNGS = [digit * 10**power for power in range(-2, 3) for digit in (1, 2, 5)]
# The legend below a chart: greatest width of an entry and height of a line, in pixels.
ENTRY = 96
LINE = 24
FRAME = 0.012  # seconds, most of which are needed to make a chart
SEVERAL = 4  # from here on the legend may need more than one line


class Chart:
    """One uPlot in an element of the page.

    Args:
        identifier: of the element, whose content (the empty state) goes away with the first point.
        series: (label, colour of the style sheet, width, how to state a value) for each curve.
    """

    def __init__(self, identifier, series, sync=None):
        self.element = dom.find(identifier)
        self.empty = self.element.querySelector(".empty")
        self.series = series
        self.sync = sync
        self.log = False
        self.points = None  # whether each is drawn as a dot; by default those of a test are
        self.bounds = None  # the least and the greatest value that is possible
        self.reach = None  # the least and the greatest that is shown
        self.label = tr("batches")  # of the horizontal axis
        self.plot = None
        self.rem = 0.0  # font size that its axes were made for
        self.clear()
        self._observer = js.ResizeObserver.new(dom.call(lambda *_: self.refresh("resize")))
        self._observer.observe(self.element)
        dom.on(self.element, "keydown", self._key, passive=False)

    def clear(self):
        """Remove all points."""
        self.columns = js.Array.new()
        for _ in range(len(self.series) + 1):
            self.columns.push(js.Array.new())
        self.arrays = [self.columns[i] for i in range(len(self.series) + 1)]
        self.length = 0

    def add(self, *values):
        """Add a point: x, then a value (or None) for each curve. `refresh` draws it."""
        for array, value in zip(self.arrays, values):
            array.push(value)
        self.length += 1

    def text(self):
        """Return all points, for `restore`."""
        return js.JSON.stringify(self.columns)

    def restore(self, text, last):
        """Show the points of `text` up to a step; `refresh` draws them."""
        self.clear()
        for row in zip(*json.loads(text)):
            if row[0] <= last:
                self.add(*row)

    def column(self, index):
        """Return the values of a curve (0: the steps) as a list."""
        return json.loads(js.JSON.stringify(self.arrays[index]))

    def replace(self, index, values):
        """Replace the values of a curve; `refresh` draws them."""
        self.arrays[index] = dom.record(values)
        self.columns[index] = self.arrays[index]

    def refresh(self, reason="data"):
        """Draw the points, or resize the chart, in one of the next frames."""
        dom.next_frame(self.element.id + reason, self._draw if reason == "data" else self._resize)

    def rebuild(self):
        """Make the chart again, after a change of theme, scale or number of curves."""
        if self.plot is not None:
            self.plot.destroy()
            self.plot = None
        self.refresh()

    def close(self):
        """Remove the chart from the page."""
        self._observer.disconnect()
        if self.plot is not None:
            self.plot.destroy()
            self.plot = None

    # -- reading it with keys -----------------------------------------------------------------

    def _key(self, event):
        """Arrows, Home and End move the cursor from point to point; Escape takes it away."""
        if self.plot is None:
            return
        last = self.length - 1
        here = self.plot.cursor.idx
        here = last if here is None or not isinstance(here, int) else here
        stride = max(1, last // 50)
        places = {
            "ArrowLeft": max(here - stride, 0),
            "ArrowRight": min(here + stride, last),
            "Home": 0,
            "End": last,
        }
        if event.key in places:
            event.preventDefault()
            event.stopPropagation()
            self._point_at(places[event.key])

    def _point_at(self, index):
        plot = self.plot
        x = self.arrays[0][index]
        plot.setCursor(dom.record({"left": plot.valToPos(x, "x"), "top": 0}))
        words = [tr("Step {step:g}", step=x)]
        for (label, _, _, state), array in zip(self.series, self.arrays[1:]):
            value = array[index]
            if isinstance(value, (int, float)):
                words.append(f"{label} {state(value)}")
        dom.write("point", ", ".join(words), dom.find("point"))

    def _size(self):
        width = max(self.element.clientWidth, 120)
        lines = 1 if len(self.series) < SEVERAL else -(-len(self.series) * ENTRY // width)
        height = max(self.element.clientHeight - 2 - LINE * lines, 80)
        return {"width": width, "height": height}

    def _resize(self):
        if self.plot is None:
            return
        if dom.rem() != self.rem:  # the font grows with the window
            self.rebuild()
            return
        self.plot.setSize(dom.record(self._size()))

    def _draw(self):
        if self.length < 2:  # uPlot needs two points to make a scale.
            return
        if self.plot is None:
            if _made_in_this_frame():
                self.refresh()
                return
            self._create()
        _set_data(self.plot, self.columns)

    def _axis(self, size):
        line = dom.colour("line")
        rem = self.rem
        size *= rem / 16
        return {
            "font": f"{0.75 * rem:.1f}px system-ui, sans-serif",
            "stroke": dom.colour("soft"),
            "grid": {"stroke": line, "width": 1},
            "ticks": {"stroke": line, "width": 1, "size": 4},
            "size": size,
            "gap": 4,
        }

    def _create(self):
        if self.empty:
            self.empty.remove()
            self.empty = None
        self.rem = dom.rem()
        options = self._size()
        options["series"] = [{"label": tr("Step")}] + [self._line(*entry) for entry in self.series]
        below = dict(self._axis(26), incrs=WHOLE, label=self.label, labelSize=round(self.rem))
        options["axes"] = [dict(below, labelFont=below["font"], labelGap=0), self._axis(46)]
        scale = {"distr": 3} if self.log else {}
        if self.bounds is not None:
            low = {"pad": 0.1, "soft": self.bounds[0], "mode": 3}  # as uPlot does by itself
            scale["range"] = {"min": low, "max": {"pad": 0.1, "hard": self.bounds[1]}}
        options["scales"] = {"x": {"time": False}, "y": scale}
        options["padding"] = [8, round(1.5 * self.rem), 0, 0]  # room for half of the last number
        if self.sync:
            options["cursor"] = {"sync": {"key": self.sync}, "points": {"size": 6}}
        options = dom.record(options)
        if self.reach is not None:
            options.scales.y.range = dom.call_value(lambda *_: dom.record(list(self.reach)))
            options.axes[1].splits = dom.call_value(lambda *_: dom.record(self._rungs()))
            options.axes[1].filter = dom.call_value(lambda _, rungs, *rest: rungs)
        options.series[0].value = dom.call_value(_stater(lambda step: f"{step:g}"))
        for index, entry in enumerate(self.series):
            options.series[index + 1].value = dom.call_value(_stater(entry[3]))
        self.plot = uplot.default.new(options, self.columns, self.element)
        self.plot.root.querySelector("canvas").setAttribute("aria-hidden", "true")

    def _rungs(self):
        """Return the numbers that the vertical axis of a chart with a reach has: 1, 2, 5, 10 ..."""
        low, high = self.reach
        return [rung for rung in RUNGS if low <= rung <= high]

    def _line(self, label, name, width, _):
        line = {"label": label, "stroke": dom.colour(name), "width": width, "spanGaps": True}
        dots = name == "rust" if self.points is None else self.points
        line["points"] = {"show": dots, "size": 7, "fill": dom.colour(name)}
        return line


_last_made = [-1.0]


def _made_in_this_frame():
    """Return whether another chart was made within a frame's time; note the time."""
    now = dom.now()
    if now - _last_made[0] < FRAME:
        return True
    _last_made[0] = now
    return False


def _stater(state):
    return lambda _, value, *rest: "" if value is None else state(value)


class Thinner:
    """Averages consecutive batches so that a run of any length has at most POINTS points."""

    def __init__(self, total):
        self.stride = max(1, -(-total // POINTS))
        self._count = 0
        self._sums = None

    def __call__(self, *values):
        """Return the mean of the last `stride` values once there are so many, else None."""
        if self.stride == 1:
            return values
        self._sums = [a + b for a, b in zip(self._sums, values)] if self._sums else list(values)
        self._count += 1
        if self._count < self.stride:
            return None
        means = [total / self._count for total in self._sums]
        self._count = 0
        self._sums = None
        return means
