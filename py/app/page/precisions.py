"""What a network loses with its weights in fewer bits, and such a network in its place."""

from app.language import tr
from app.page import dom, numbers, status, table


class Precisions:
    """The table of precisions in the models panel.

    Args:
        client: the engine.
        state: of the page.
        take: coroutine function of the models panel that uses another network.
    """

    def __init__(self, client, state, take):
        self.client = client
        self.state = state
        self.take = take
        self.compared = 0  # version of the network whose precisions are shown
        dom.click("quantise", self.compare)
        client.listen(self._follow)

    def _follow(self):
        """Clear the sizes and accuracies of another network."""
        if self.compared != self.client.version:
            dom.find("precisions").parentNode.hidden = True

    async def compare(self):
        """Show what the network loses, in bytes and in answers, with its weights rounded."""
        if self.client.model is None or not self.state.free():
            return
        dom.enable("quantise", when=False)
        self.compared = self.client.version
        status.say(tr("Reading all test images with rounded weights…"))
        try:
            rows = await self.client.lab.models.quantized(self.client.model)
        finally:
            dom.enable("quantise")
        if self.compared != self.client.version:
            status.say(tr("Another network came meanwhile: compare that one."))
            return
        dom.fill(dom.find("precisions"), [self._precision(row, rows[0]) for row in rows])
        dom.find("precisions").parentNode.hidden = False
        status.say(_compared(rows[-1], rows[0]))

    def _precision(self, row, whole):
        kind = row["kind"]
        share = numbers.percent(row["octets"] / whole["octets"], 0)
        button = dom.make(
            "button",
            tr("Use"),
            type="button",
            class_="quiet",
            aria_label=tr("Use {kind}", kind=kind),
        )
        dom.on(button, "click", lambda _: self._use(kind))
        size = f"{numbers.size(row['octets'])} ({share})"
        return table.row(kind, size, numbers.percent(row["accuracy"], 2), button)

    async def _use(self, kind):
        async with self.client.replacing as free:
            if not free:
                return
            began = dom.now()
            model = await self.client.lab.models.quantize(self.client.model, kind)
            about = {"trained": self.client.trained, "run": self.client.run}
            await self.take(model, about, tr("Weights of {kind}", kind=kind), began)


def _compared(rounded, whole):
    """Return what the network loses with its weights rounded."""
    return tr(
        "With 8-bit weights: {size} instead of {whole}, {right} instead of {before} of the test "
        "images right.",
        size=numbers.size(rounded["octets"]),
        whole=numbers.size(whole["octets"]),
        right=numbers.percent(rounded["accuracy"], 2),
        before=numbers.percent(whole["accuracy"], 2),
    )
