"""The draw panel: the network's answer to a drawing, and corrections of it."""

from app.page import dom, images, numbers, status
from app.page.latest import Latest
from app.page.pad import SENT, Pad

DIGITS = range(10)


class Answer:
    """The digit, its confidence, the ten bars and the 28 x 28 image."""

    def __init__(self):
        self.bars = []
        self.values = []
        for digit in DIGITS:
            item = dom.make("li")
            value = dom.make("span", class_="number")
            item.append(dom.make("b", digit), dom.make("i"), value)
            self.bars.append(item)
            self.values.append(value)
        dom.fill(dom.find("bars"), self.bars)
        self.last = None

    def show(self, answer):
        """Show what the worker answered."""
        self.last = answer
        probabilities = answer["probabilities"]
        for digit in DIGITS:
            share = probabilities[digit]
            self.bars[digit].style.setProperty("--p", f"{share:.3f}")
            self.bars[digit].className = "top" if digit == answer["digit"] else ""
            dom.write(f"bar {digit}", numbers.percent(share)[:-2], self.values[digit])
        dom.write("prediction", str(answer["digit"]))
        dom.output("prediction").className = "digit"
        dom.write("confidence", numbers.percent(answer["confidence"]))
        dom.find("bars").dataset.bits = answer["bits"]
        images.paint(dom.find("seen"), answer["image"])

    def clear(self):
        """Show no answer."""
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
        """Let screen readers speak the answer."""
        if self.last is not None:
            words = f"{self.last['digit']}, {numbers.percent(self.last['confidence'])}"
            dom.set_text("said", "It reads " + words)


class Draw:
    """The pad and the answer; the worker is asked for the latest drawing only.

    Args:
        client: the engine.
        buckets: the panel of labelled drawings.
    """

    def __init__(self, client, buckets):
        self.client = client
        self.buckets = buckets
        self.pad = Pad(self.changed, self.finished)
        self.answer = Answer()
        self.at_rest = lambda: None  # called when an answer is shown and the pen is lifted
        self._latest = Latest(self._ask)
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
        """Remove the drawing and the answer."""
        self.pad.clear()
        self.answer.clear()
        self._latest.cancel()
        dom.find("correct").hidden = True

    def changed(self):
        """The drawing or the network changed: ask for another answer."""
        if self.client.model is not None and not self.pad.empty:
            self._latest.ask()

    def finished(self):
        """The pen was lifted: ask, and offer corrections."""
        self.changed()
        dom.find("correct").hidden = self.client.model is None

    async def _ask(self):
        model = self.client.model
        if model is None or self.pad.empty:
            return
        answer = await self.client.lab.draw.read(model, self.pad.pixels(), SENT)
        if answer is not None and not self.pad.empty:
            dom.next_frame("answer", lambda: self._show(answer))

    def _show(self, answer):
        if self.pad.empty:  # cleared before the frame came
            return
        self.answer.show(answer)
        if self.pad.pointer is None:
            self.answer.say()
            self.at_rest()

    async def try_test(self):
        """Put a random test image on the pad."""
        sample = await self.client.lab.draw.any_test_image()
        self.pad.show(images.paint(dom.make("canvas"), sample["rgba"]))
        dom.set_text("draw-note", f"A test image: it is a {sample['label']}.")
        self.finished()

    async def correct(self, digit):
        """Save the drawing with its true label."""
        if self.answer.last is None:
            return
        reason = await self.client.lab.buckets.label(digit)
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
        """Train on the corrected drawings."""
        dom.enable("fine-tune", when=False)
        try:
            loss = await self.client.fine_tune()
        finally:
            dom.enable("fine-tune")
        if loss is not None:
            status.say(
                f"Learned from your corrections; the loss on them is now {numbers.loss(loss)}."
            )
            self.changed()
