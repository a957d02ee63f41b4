"""The drawing area: strokes by mouse, pen, finger or keys."""

import js

from app.page import dom, images

SIDE = 560
# What is sent: a quarter of the side, still seven times as fine as the network's 20 x 20.
SENT = 140
LINE = 44
KEY_STEP = 20


class Pad:
    """A canvas that keeps its strokes, so that they can be drawn again in another theme.

    Args:
        changed: called whenever there is more ink.
        finished: called when the pen is lifted.
    """

    def __init__(self, changed, finished):
        self.changed = changed
        self.finished = finished
        self.canvas = dom.find("pad")
        self.context = self.canvas.getContext("2d", dom.record({"willReadFrequently": True}))
        self.small = dom.make("canvas", width=SENT, height=SENT)
        self.reader = self.small.getContext("2d", dom.record({"willReadFrequently": True}))
        self.strokes = []
        self.image = None
        self.pointer = None
        self.rect = None
        self.pen = [SIDE / 2, SIDE / 2]
        self.pen_down = False
        self._listen()

    def _listen(self):
        dom.on(self.canvas, "pointerdown", self._down, passive=False)
        dom.on(js.window, "pointermove", self._move)
        dom.on(js.window, "pointerup", self._up)
        dom.on(js.window, "pointercancel", self._up)
        dom.on(self.canvas, "keydown", self._key, passive=False)
        dom.on(self.canvas, "focus", lambda _: self._show_pen())
        dom.on(self.canvas, "blur", lambda _: self._lift_pen())

    # -- pointers ---------------------------------------------------------------------------

    def _down(self, event):
        if event.button:
            return
        event.preventDefault()
        self.canvas.focus(dom.record({"preventScroll": True}))
        self._lift_pen()
        self.rect = self.canvas.getBoundingClientRect()
        self.pointer = event.pointerId
        self._start(*self._place(event))

    def _place(self, event):
        scale = SIDE / self.rect.width
        return (event.clientX - self.rect.left) * scale, (event.clientY - self.rect.top) * scale

    def _move(self, event):
        if self.pointer is None or event.pointerId != self.pointer:
            return
        # A fast hand makes several moves a frame; the browser keeps them all.
        moves = event.getCoalescedEvents()
        for index in range(moves.length):
            self._line(*self._place(moves[index]))
        if not moves.length:
            self._line(*self._place(event))
        self.changed()

    def _up(self, event):
        if self.pointer is not None and event.pointerId == self.pointer:
            self.pointer = None
            self.finished()

    # -- keys -------------------------------------------------------------------------------

    def _key(self, event):
        steps = {
            "ArrowLeft": (-1, 0),
            "ArrowRight": (1, 0),
            "ArrowUp": (0, -1),
            "ArrowDown": (0, 1),
        }
        if event.key in steps:
            event.preventDefault()
            self._walk(*steps[event.key])
        elif event.key == " ":
            event.preventDefault()
            event.stopPropagation()
            self.pen_down = not self.pen_down
            if self.pen_down:
                self._start(*self.pen)
            else:
                self.finished()
            self._show_pen()

    def _walk(self, right, down):
        for axis, direction in enumerate((right, down)):
            self.pen[axis] = min(max(self.pen[axis] + direction * KEY_STEP, 0), SIDE)
        if self.pen_down:
            self._line(*self.pen)
            self.changed()
        self._show_pen()

    def _show_pen(self):
        pen = dom.find("pen")
        pen.style.left = f"{self.pen[0] * 100 / SIDE}%"
        pen.style.top = f"{self.pen[1] * 100 / SIDE}%"
        pen.toggleAttribute("data-down", self.pen_down)
        pen.hidden = not self.canvas.matches(":focus-visible")

    def _lift_pen(self):
        self.pen_down = False
        dom.find("pen").hidden = True

    # -- ink --------------------------------------------------------------------------------

    def _start(self, x, y):
        if self.image is not None:
            self.clear()
        dom.find("pad-hint").hidden = True
        self.strokes.append([(x, y)])
        self._segment(x, y, x + 0.01, y)
        self.changed()

    def _line(self, x, y):
        if not self.strokes:  # cleared meanwhile
            self._start(x, y)
        stroke = self.strokes[-1]
        self._segment(stroke[-1][0], stroke[-1][1], x, y)
        stroke.append((x, y))

    def _segment(self, x0, y0, x1, y1):
        context = self.context
        context.beginPath()
        context.moveTo(x0, y0)
        context.lineTo(x1, y1)
        context.stroke()

    def set_up(self):
        """Take the pen's colour from the theme, and draw everything again."""
        context = self.context
        context.clearRect(0, 0, SIDE, SIDE)
        context.lineWidth = LINE
        context.lineCap = "round"
        context.lineJoin = "round"
        context.strokeStyle = dom.colour("ink")
        if self.image is not None:
            self._stamp()
        for stroke in self.strokes:
            for (x0, y0), (x1, y1) in zip(
                stroke, stroke[1:] or [(stroke[0][0] + 0.01, stroke[0][1])]
            ):
                self._segment(x0, y0, x1, y1)

    def clear(self):
        """Remove the drawing."""
        self.strokes = []
        self.image = None
        self.context.clearRect(0, 0, SIDE, SIDE)
        dom.find("pad-hint").hidden = False

    def show(self, image):
        """Put an image of the data set on the pad: a canvas with ink in its alpha, or in colour."""
        self.clear()
        self.image = image
        dom.find("pad-hint").hidden = True
        self.set_up()

    def _stamp(self):
        self.context.drawImage(self.image, 0, 0, SIDE, SIDE)
        if images.in_colour[0]:
            return
        self.context.globalCompositeOperation = "source-in"
        self.context.fillStyle = dom.colour("ink")
        self.context.fillRect(0, 0, SIDE, SIDE)
        self.context.globalCompositeOperation = "source-over"

    @property
    def empty(self):
        """Whether nothing is drawn."""
        return not self.strokes and self.image is None

    def pixels(self):
        """Return the drawing as SENT x SENT RGBA in a new Uint8Array, which a call may transfer."""
        self.reader.clearRect(0, 0, SENT, SENT)
        self.reader.drawImage(self.canvas, 0, 0, SENT, SENT)
        return js.Uint8Array.new(self.reader.getImageData(0, 0, SENT, SENT).data.buffer)
