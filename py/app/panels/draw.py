"""The drawing area and the answer: strokes by mouse, pen, finger or keys; ten bars; corrections."""

import js

from app.page import dom, images, numbers, status

SIDE = 560
# What is sent: a quarter of the side, still seven times as fine as the network's 20 x 20.
SENT = 140
LINE = 44
KEY_STEP = 20
DIGITS = range(10)


class Pad:
    """A canvas that keeps its strokes, so that it can be drawn again in another theme."""

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
        # A fast hand makes several moves a frame; the browser keeps them all for us.
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
        """The pen in the theme's colour, and everything drawn so far in it."""
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
        self.strokes = []
        self.image = None
        self.context.clearRect(0, 0, SIDE, SIDE)
        dom.find("pad-hint").hidden = False

    def show(self, image):
        """Put an image of the data set on the pad: a canvas of 28 x 28 with ink in its alpha."""
        self.clear()
        self.image = image
        dom.find("pad-hint").hidden = True
        self.set_up()

    def _stamp(self):
        self.context.drawImage(self.image, 0, 0, SIDE, SIDE)
        self.context.globalCompositeOperation = "source-in"
        self.context.fillStyle = dom.colour("ink")
        self.context.fillRect(0, 0, SIDE, SIDE)
        self.context.globalCompositeOperation = "source-over"

    @property
    def empty(self):
        return not self.strokes and self.image is None

    def pixels(self):
        """The drawing as SENT x SENT RGBA in a Uint8Array of its own (it is transferred away)."""
        self.reader.clearRect(0, 0, SENT, SENT)
        self.reader.drawImage(self.canvas, 0, 0, SENT, SENT)
        return js.Uint8Array.new(self.reader.getImageData(0, 0, SENT, SENT).data.buffer)


class Answer:
    """The digit, its confidence, the ten bars and the 28 x 28 image."""

    def __init__(self):
        self.bars = []
        self.values = []
        for digit in DIGITS:
            item = dom.make("li")
            value = dom.make("span", class_="visually-hidden")
            item.append(dom.make("i"), dom.make("span", digit), value)
            self.bars.append(item)
            self.values.append(value)
        dom.fill(dom.find("bars"), self.bars)
        self.last = None

    def show(self, answer):
        self.last = answer
        probabilities = answer["probabilities"]
        for digit in DIGITS:
            share = probabilities[digit]
            self.bars[digit].style.setProperty("--p", f"{share:.3f}")
            self.bars[digit].className = "top" if digit == answer["digit"] else ""
            dom.write(f"bar {digit}", numbers.percent(share), self.values[digit])
        dom.write("prediction", str(answer["digit"]))
        dom.output("prediction").className = "digit"
        dom.write("confidence", numbers.percent(answer["confidence"]))
        dom.find("bars").dataset.bits = answer["bits"]
        images.paint(dom.find("seen"), answer["image"])

    def clear(self):
        self.last = None
        for digit in DIGITS:
            self.bars[digit].style.setProperty("--p", "0")
            self.bars[digit].className = ""
            dom.write(f"bar {digit}", "", self.values[digit])
        dom.write("prediction", "?")
        dom.output("prediction").className = "digit none"
        dom.write("confidence", numbers.DASH)
        dom.find("bars").dataset.bits = ""
        dom.find("seen").getContext("2d").clearRect(0, 0, 28, 28)

    def say(self):
        if self.last is not None:
            words = f"{self.last['digit']}, {numbers.percent(self.last['confidence'])}"
            dom.write("said", "It reads " + words, dom.find("said"))


class Drawing:
    """The pad and the answer, joined by a worker that is asked for the latest drawing only."""

    def __init__(self, studio, buckets):
        self.studio = studio
        self.buckets = buckets
        self.pad = Pad(self.changed, self.finished)
        self.answer = Answer()
        self.wanted = False
        self.asking = False
        self.at_rest = lambda: None  # called when an answer is shown and the pen is lifted
        self._buttons()
        dom.click("clear", self.clear)
        dom.click("try-test", self.try_test)
        dom.click("fine-tune", self.fine_tune)
        self.pad.set_up()

    def _buttons(self):
        group = dom.find("correct")
        for digit in DIGITS:
            button = dom.make("button", digit, type="button", aria_label=f"It was a {digit}")
            dom.on(button, "click", lambda _, digit=digit: self.correct(digit))
            group.append(button)

    def clear(self):
        self.pad.clear()
        self.answer.clear()
        self.wanted = False
        dom.find("correct").hidden = True

    def changed(self):
        """The drawing or the network changed: ask again, once the worker is free."""
        if self.studio.model is None or self.pad.empty:
            return
        self.wanted = True
        if not self.asking:
            dom.spawn(self._ask())

    def finished(self):
        self.changed()
        dom.find("correct").hidden = self.studio.model is None

    async def _ask(self):
        self.asking = True
        try:
            while self.wanted and self.studio.model is not None:
                self.wanted = False
                answer = await self.studio.read_drawing(self.pad.pixels(), SENT)
                if answer is not None and not self.pad.empty:
                    dom.next_frame("answer", lambda answer=answer: self._show(answer))
        finally:
            self.asking = False

    def _show(self, answer):
        if self.pad.empty:  # cleared before the frame came
            return
        self.answer.show(answer)
        if self.pad.pointer is None:
            self.answer.say()
            self.at_rest()

    async def try_test(self):
        sample = await self.studio.lab.any_test_image()
        self.pad.show(images.paint(dom.make("canvas"), sample["rgba"]))
        dom.write("draw-note", f"A test image: it is a {sample['label']}.", dom.find("draw-note"))
        self.finished()

    async def correct(self, digit):
        """It was a ...: keep the drawing with its true label."""
        if self.answer.last is None:
            return
        reason = await self.studio.lab.drawings.label(digit)
        right = digit == self.answer.last["digit"]
        status.say(
            f"Thank you: noted as a {digit}"
            + ("." if right else f", not a {self.answer.last['digit']}.")
        )
        await self.buckets.show()
        if reason:
            status.notice_once(
                "drawings",
                "Your drawings end with this page",
                reason.split(";")[0] + ".",
                "Until then they can be learned from.",
            )

    async def fine_tune(self):
        dom.enable("fine-tune", when=False)
        try:
            loss = await self.studio.fine_tune()
        finally:
            dom.enable("fine-tune")
        if loss is not None:
            status.say(
                f"Learned from your corrections; the loss on them is now {numbers.loss(loss)}."
            )
            self.changed()
