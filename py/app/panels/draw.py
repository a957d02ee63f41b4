"""The draw panel: the network's answer to a drawing, and corrections of it."""

import asyncio

from app.language import tr
from app.page import dom, images, numbers, status
from app.page.latest import Latest
from app.page.pad import SENT, Pad

SHORT = 2  # characters of a name that are as large as a digit
SURE = 0.6  # an answer below this is hardly one


class Answer:
    """The class, its confidence, a bar for each class, and the image that the network sees."""

    def __init__(self):
        self.names, self.bars, self.styles, self.values = [], [], [], []
        self.last = None
        self.ghost = False  # whether the answer is to a test image, not to a drawing

    def name(self, names):
        """Make a bar for each class."""
        for digit, value in enumerate(self.values):
            dom.write(f"bar {digit}", "", value)  # as the new ones are
        self.names, self.bars, self.styles, self.values = names, [], [], []
        for name in names:
            item = dom.make("li")
            value = dom.make("span", class_="number note")
            bar = dom.make("i")
            item.append(dom.make("b", name), bar, value)
            self.bars.append(item)
            self.styles.append(bar.style)
            self.values.append(value)
        dom.fill(dom.find("bars"), self.bars)
        self.shares = [""] * len(self.bars)
        self.top = None  # the class with the largest share
        long = max([len(name) for name in names]) > SHORT
        for element in (dom.output("prediction"), dom.find("ghost")):
            element.style.fontSize = "1.25rem" if long else ""
        columns = "repeat(auto-fit, minmax(4rem, 1fr))" if long else ""
        dom.find("correct").style.gridTemplateColumns = columns

    def show(self, answer):
        """Show what the worker answered to a drawing."""
        self.last = answer
        self.show_bars(answer["probabilities"], answer["digit"])
        dom.write("prediction", self.names[answer["digit"]])
        dom.output("prediction").className = "digit"
        dom.write("confidence", numbers.percent(answer["confidence"]))
        self.end_ghost()
        dom.find("bars").dataset.bits = answer["bits"]
        images.paint(dom.find("seen"), answer["image"])

    def show_ghost(self, answer, truth):
        """Show the answer to the test image that stands in the pad until somebody draws."""
        self.show_bars(answer["probabilities"], answer["digit"])
        sure = numbers.percent(answer["confidence"])
        self.ghost = True
        dom.set_text("ghost", self.names[answer["digit"]])
        dom.set_text("draw-note", tr("{sure} sure; a test image, {truth}", sure=sure, truth=truth))

    def end_ghost(self):
        """Take away the answer to the test image."""
        if self.ghost:
            self.ghost = False
            dom.set_text("ghost", "")
            dom.set_text("draw-note", "")

    def show_bars(self, shares, top):
        """Show the probability of each class, and which is the largest; None shows nothing."""
        for digit in range(len(self.bars)):
            share = shares[digit]
            length = f"{100 * (share or 0):.1f}%"
            if length != self.shares[digit]:
                self.shares[digit] = length
                self.styles[digit].setProperty("--p", length)
            text = "" if share is None else numbers.percent(share)[:-2]
            dom.write(f"bar {digit}", text, self.values[digit])
        if top != self.top:
            if self.top is not None:
                self.bars[self.top].className = ""
            if top is not None:
                self.bars[top].className = "top"
            self.top = top

    def clear(self):
        """Show no answer."""
        self.last = None
        self.show_bars([None] * len(self.bars), None)
        dom.write("prediction", "?")
        dom.output("prediction").className = "digit none"
        dom.write("confidence", numbers.DASH)
        self.ghost = True
        self.end_ghost()
        dom.find("bars").dataset.bits = ""
        dom.find("seen").getContext("2d").clearRect(0, 0, 28, 28)

    def say(self):
        """Let screen readers speak the answer."""
        if self.last is not None:
            name = self.names[self.last["digit"]]
            words = f"{name}, {numbers.percent(self.last['confidence'])}"
            dom.set_text("said", tr("It reads {words}", words=words))


class Draw:
    """The pad and the answer; the worker is asked for the latest drawing only.

    Args:
        client: the engine.
        buckets: the panel of labelled drawings.
        state: of the page.

    Attributes:
        picture: shows what each layer makes of the drawing; None until it is loaded.
        restarted: called when the pad is cleared or drawn on, or another network answers.
    """

    def __init__(self, client, buckets, state):
        self.client = client
        self.buckets = buckets
        self.state = state
        self.picture = None
        self.restarted = lambda: None
        self.version = 0  # of the network that answered last
        self.pad = Pad(self._drawn, self.finished)
        self.answer = Answer()
        self.sampled = False  # whether a test image is on the pad
        self.live = False  # whether a camera is answered in place of the pad
        self._latest = Latest(self._ask, dom.find("bars"))
        self.name()
        dom.click("clear", self.clear)
        dom.click("try-test", self.try_test)
        dom.click("fine-tune", self.fine_tune)
        self.pad.set_up()
        state.listen(lambda name: self.changed() if name == "ready" else None)

    def name(self):
        """Make bars and buttons for the classes of the data."""
        names = self.client.data["names"]
        if names == self.answer.names:
            return
        self.answer.name(names)
        buttons = [dom.make("span", tr("It was a"))]
        for digit, name in enumerate(names):
            label = tr("It was a {name}", name=name)
            button = dom.make("button", name, type="button", class_="quiet", aria_label=label)
            dom.on(button, "click", lambda _, digit=digit: self.correct(digit))
            buttons.append(button)
        dom.fill(dom.find("correct"), buttons)

    async def replaced(self):
        """Show that the data are others."""
        self.name()
        self.clear()
        await self.show_ghost()

    def clear(self):
        """Remove the drawing and the answer."""
        self.pad.clear()
        self.sampled = False
        self.answer.clear()
        self.restarted()
        dom.find("correct").hidden = True
        self._latest.cancel()
        self.changed()

    def _drawn(self):
        if self.sampled and images.in_colour[0]:  # a picture and ink are not read together
            self.pad.image = None
            self.pad.set_up()
        self.sampled = False
        self.restarted()
        self.changed()

    def changed(self):
        """The drawing or the network changed: ask for another answer."""
        if self.version != self.client.version:
            self.version = self.client.version
            self.restarted()
        # Without a picture in view there is nothing to see a test image in.
        seen = self.picture is not None and self.picture.visible
        if self.live:
            return
        if self.client.model is not None and (seen or not self.pad.empty):
            self._latest.ask()

    def finished(self):
        """The pen was lifted: ask, and offer corrections."""
        self.changed()
        dom.find("correct").hidden = self.client.model is None

    async def show_ghost(self):
        """Put the test image that the network reads until somebody draws pale into the pad."""
        image = await self.client.lab.picture.first_image()
        images.paint(dom.find("ghost-image"), image["rgba"])

    async def _ask(self):
        model, drawn = self.client.reading, not self.pad.empty
        own = drawn and not self.sampled
        if model is None or (own and not images.legible()):
            return
        pixels = self.pad.pixels() if own else None
        report = await self.client.lab.picture.show(model, pixels, SENT)
        if report is None or drawn == self.pad.empty:  # cleared, or drawn on, meanwhile
            return
        if dom.document.hidden:  # no frame is drawn
            self.show(report)
            return
        shown = asyncio.Event()
        dom.next_frame("answer", lambda: self._show(report, shown))
        await shown.wait()

    def _show(self, report, shown):
        shown.set()
        self.show(report)

    def show(self, report):
        """Show a report of the worker: the answer, and what each layer computed."""
        if self.picture:
            self.picture.show(report)
        drawn = not self.pad.empty
        own = drawn and not self.sampled
        if self.live or (report["truth"] is None) != own:  # of what was shown before
            return
        if len(report["answer"]["probabilities"]) != len(self.answer.names):  # of data before
            return
        dom.set_text("standing", _standing(self, report["answer"]["confidence"]))
        if not drawn:
            self.answer.show_ghost(report["answer"], report["truth"])
            return
        self.answer.show(report["answer"])
        if self.pad.pointer is None:
            self.answer.say()

    def show_live(self, report):
        """Show a report of what the camera sees."""
        if len(report["answer"]["probabilities"]) != len(self.answer.names):  # of data before
            return
        if self.picture:
            self.picture.show(report)
        dom.set_text("standing", _standing(self, report["answer"]["confidence"]))
        self.answer.show(report["answer"])

    async def try_test(self):
        """Put a random test image on the pad."""
        sample = await self.client.lab.picture.next_image()
        self.pad.show(images.paint(dom.make("canvas"), sample["rgba"]))
        self.sampled = True
        self.restarted()
        self.answer.end_ghost()
        dom.set_text("draw-note", tr("A test image: it is a {name}.", name=sample["name"]))
        self.finished()

    def correct(self, digit):
        """Save the drawing with its true label, though the pad is cleared in the same moment."""
        if self.answer.last is None or digit >= len(self.answer.names):
            return None
        return self._correct(digit, self.answer.last["digit"], self.answer.names)

    async def _correct(self, digit, answer, names):
        reason = await self.client.lab.buckets.label(digit)
        status.say(
            (
                tr("Thank you: noted as a {name}.")
                if digit == answer
                else tr("Thank you: noted as a {name}, not a {answer}.")
            ).format(name=names[digit], answer=names[answer])
        )
        await self.buckets.show()
        if reason:
            status.notice_once(
                "drawings",
                tr("Your drawings end with this page"),
                reason.split(";")[0] + ".",
                tr("Until then they can be learned from."),
            )

    async def fine_tune(self):
        """Train on the corrected drawings."""
        client = self.client
        if not self.state.free():
            return
        dom.enable("fine-tune", when=False)
        try:
            known = client.accuracy
            await client.before_training()
            await client.lab.training.compile(client.model, client.decisive())
            found = await client.lab.draw.fine_tune(client.model, known)
            client.accuracy = found["after"]
        finally:
            dom.enable("fine-tune")
        before, after = numbers.percent(found["before"]), numbers.percent(found["after"])
        status.say(
            tr(
                "Learned from your corrections: their loss is {loss} now. Of the test "
                "images {before} were right, {after} are.",
                loss=numbers.loss(found["loss"]),
                before=before,
                after=after,
            )
        )
        self.changed()


def _standing(draw, confidence):
    """Return what the answer is worth, in words."""
    client = draw.client
    if client.before is not None:
        accuracy = numbers.percent(client.before_accuracy)
        return tr("trained before, {accuracy}", accuracy=accuracy)
    if not client.learned:
        return tr("not trained: a guess")
    if draw.state.busy:
        return tr("still learning")
    if confidence > SURE:
        return ""
    known = (
        tr("digits") if client.data["id"] in ("mnist", "shortcut") else ", ".join(draw.answer.names)
    )
    return tr("It knows only {known}: it must choose one.", known=known)
