"""The plane: what the network answers everywhere, the points, and putting custom points."""

from app.language import tr
from app.page import dom
from app.state import toys

_STEP = 4  # places that an arrow key moves the cross by
_paint = dom.evaluate(__file__, "plane.js")


class Plane:
    """The large plane.

    Args:
        form: the options, whose custom points it changes.
    """

    def __init__(self, form):
        self.form = form
        self.canvas = dom.find("plane")
        self.blue = 1
        self._column = self._row = toys.PLACES // 2
        dom.on(self.canvas, "pointerdown", self._pressed)
        dom.on(self.canvas, "keydown", self._key, passive=False)
        dom.on(self.canvas, "blur", lambda _: self._cross(False))
        dom.click("put-blue", lambda: self._choose(1))
        dom.click("put-rust", lambda: self._choose(0))
        dom.click("take-back", lambda: form.set("own", form["own"][:-1]))
        dom.click("clear", lambda: form.set("own", ()))

    def begin(self, svg):
        """Show the points of a new network; one's own can be put."""
        dom.put(dom.find("points"), svg)
        own = self.form["toy"] == "own"
        self.canvas.setAttribute("role", "application" if own else "img")
        if own:
            self.canvas.setAttribute("tabindex", "0")
        else:
            self.canvas.removeAttribute("tabindex")
        label = (
            tr("The plane: arrow keys move the cross, Space puts a point")
            if own
            else tr("The plane")
        )
        self.canvas.setAttribute("aria-label", label)
        self.canvas.classList.toggle("own", own)

    def show(self, report):
        """Show what the network answers."""
        _paint(self.canvas, report["pixels"].js)
        dom.set_text("plane-words", report["words"])

    # -- custom points ------------------------------------------------------------------

    def _choose(self, blue):
        self.blue = blue
        dom.find("put-blue").setAttribute("aria-pressed", "true" if blue else "false")
        dom.find("put-rust").setAttribute("aria-pressed", "false" if blue else "true")

    def _put(self):
        own = self.form["own"]
        if len(own) < toys.OWN:
            self.form.set("own", own + ((self._column, self._row, self.blue),))

    def _pressed(self, event):
        if self.form["toy"] != "own":
            return
        box = self.canvas.getBoundingClientRect()
        self._column = _place((event.clientX - box.left) / box.width)
        self._row = _place((event.clientY - box.top) / box.height)
        self._put()

    def _key(self, event):
        if self.form["toy"] != "own":
            return
        moves = {
            "ArrowLeft": (-_STEP, 0),
            "ArrowRight": (_STEP, 0),
            "ArrowUp": (0, -_STEP),
            "ArrowDown": (0, _STEP),
        }
        if event.key in moves:
            across, down = moves[event.key]
            self._column = _inside(self._column + across)
            self._row = _inside(self._row + down)
        elif event.key == " " or event.key == "Enter":
            self._put()
        elif event.key == "Backspace" or event.key == "Delete":
            self.form.set("own", self.form["own"][:-1])
        else:
            return
        event.preventDefault()
        event.stopPropagation()
        self._cross(True)
        where = tr(
            "{column} from the left, {row} from the top, of {places}",
            column=self._column,
            row=self._row,
            places=toys.PLACES,
        )
        dom.write("point", where, dom.find("point"))

    def _cross(self, shown):
        cross = dom.find("cross")
        cross.hidden = not shown
        cross.style.left = f"{100 * (self._column + 0.5) / toys.PLACES}%"
        cross.style.top = f"{100 * (self._row + 0.5) / toys.PLACES}%"


def _inside(place):
    return min(max(place, 0), toys.PLACES - 1)


def _place(share):
    return _inside(int(share * toys.PLACES))
