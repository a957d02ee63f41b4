"""The playground's run: train, pause, step, reset, and the reports of what is learned."""

import asyncio

from app.language import tr
from app.page import dom, status
from app.page.latest import Latest
from app.panels.playground.record import Record
from app.state import toys

GOOD = 0.99  # of the test points right: worth a sentence


class Run:
    """One network at a time: each change of the options begins with another.

    Args:
        play: the worker's object.
        form: the options.
        drawing: of the network.
        plane: the large plane.
    """

    def __init__(self, play, form, drawing, plane):
        self.play = play
        self.form = form
        self.drawing = drawing
        self.plane = plane
        self.record = Record()
        self.training = False
        self.number = 0  # of the network that is shown, 0 while another is made
        self.values = form.values  # the options that it was made of
        self.about = {}
        self._beginning = Latest(self._begin, drawing.area)
        self._changing = asyncio.Lock()
        self._praised = False
        for name in ("train", "pause", "step"):
            dom.click(name, getattr(self, name))
        dom.click("reset", self._reset)
        dom.on(dom.document, "visibilitychange", lambda _: dom.spawn(self._turned()))

    # -- a new network ------------------------------------------------------------------------

    def begin(self):
        """Begin with the network that the options say; a run in progress goes on with it."""
        self._beginning.ask()

    async def _begin(self):
        async with self._changing:
            await self._build()
        if self.training and self.about["trains"]:
            dom.spawn(self._train())
        else:
            self._rested()
        dom.root.dataset.run = str(self.number)

    async def _build(self):
        self.number = 0  # the run in progress ends, maybe before the next network is there
        values = dict(self.form.values)
        about = await self.play.begin(toys.for_worker(values))
        self.number, self.about, self.values = about["run"], about, values
        self._praised = False
        self.record.clear(about, values["toy"] in toys.REGRESSIONS)
        self.drawing.draw(values)
        self.plane.begin(about["svg"])
        self.show(about["report"])

    async def _settled(self):
        """Wait for the network that has just been asked for."""
        async with self._changing:
            pass

    # -- buttons ------------------------------------------------------------------------------

    async def train(self):
        """Train until `pause`."""
        await self._settled()
        if not self.training and self.about.get("trains"):
            await self._train()

    async def pause(self):
        """End the run after its epoch; it can go on."""
        self.training = False
        await self.play.rest()

    async def step(self):
        """Train one epoch."""
        await self._settled()
        if not self.training and self.about.get("trains"):
            await self._train(1)

    def _reset(self):
        """Begin again with fresh weights."""
        self.training = False
        self.begin()

    async def _train(self, *epochs):
        number = self.number
        if not number:  # another network is on its way, and will be trained
            return
        if not epochs:
            self.training = True
            dom.root.dataset.phase = "training"
            dom.enable("train", "step", when=False)
            dom.enable("pause", "reset")
            status.say(tr("Training…"))
            self.record.start()
        ended = await self.play.train(self.show, *epochs)
        if number == self.number:  # no other network took its place
            self._rested()
            if ended:
                status.say(tr("This network has had 20,000 epochs, which is all that are trained."))

    def _rested(self):
        self.training = False
        trains = self.about.get("trains", False)
        learned = self.record.last is not None
        dom.root.dataset.phase = "ready"
        dom.root.toggleAttribute("data-trained", learned)
        dom.enable("train", "step", when=trains)
        dom.enable("pause", when=False)
        dom.enable("reset")
        if learned:
            status.say(self.record.words())
        elif trains:
            status.say(
                tr("Press Train: blue and rust show what the network answers at each place.")
            )
        else:
            status.say(tr("Put blue and rust points on the plane, then press Train."))

    # -- what is seen -------------------------------------------------------------------------

    def show(self, report):
        """Show a report, unless it is of a network that is gone; the worker calls this too."""
        if report["run"] != self.number:
            return
        self.drawing.show(report)
        self.plane.show(report)
        if report["last"]:
            self.record.add(report["rows"], report["last"])
            if self.training and not self._praised and (report["last"][4] or 0) >= GOOD:
                self._praised = True
                status.say(self.record.words())
        place = self.drawing.selection.place
        share = report["words"].split(". ")[0] + "."
        if place:
            share = tr(
                "Seen by unit {unit} of layer {layer}. Press it again to let it go.",
                unit=place[1] + 1,
                layer=place[0],
            )
        dom.set_text("plane-note", share)

    def look(self, place):
        """Show the plane of a unit (layer, number) large, or the answer for None."""
        dom.spawn(self._look(place, self.number))

    async def _look(self, place, number):
        if number and number == self.number:  # else it is of a network that may have no such unit
            self.show(await self.play.look(place and list(place)))

    async def discretise(self):
        """Show the large plane in two colours alone, or in shades, as the form says."""
        self.show(await self.play.discretise(self.form["discretise"]))

    async def again(self):
        """Draw the network again, and show it as it is now: the width is another."""
        self.drawing.draw(self.values)
        await self._look(None, self.number)

    async def recolour(self, inks):
        """Show all of it in the theme's inks."""
        await self.play.colours(inks)
        self.record.rebuild()
        place = self.drawing.selection.place
        await self._look(place and (place[0] - 1, place[1]), self.number)

    async def _turned(self):
        """Have the worker report while the page is in view, and rest while it is not."""
        if dom.document.hidden:
            await self.play.follow(None)
        else:
            self.show(await self.play.follow(self.show))
