"""How fast the engine is on this device: measured by the visitor, shown, copied."""

import js

from app.page import dom, numbers, status


def _figure(value):
    """Three figures or all whole ones, as the report in the worker writes them."""
    if value is None:
        return ""
    if value >= 100:
        return numbers.count(value + 0.5)
    return f"{value:.3g}"


class SpeedPanel:
    """A button, a table that fills row by row, and the text to copy."""

    def __init__(self, studio, training):
        self.studio = studio
        self.training = training
        self.measuring = False
        self.stopped = False
        dom.click("measure", self.measure)
        dom.click("copy-speed", self.copy)

    async def measure(self):
        """Measure everything; the same button stops."""
        if self.measuring:
            self.stopped = True
            return
        if self.training.running or self.studio.engine is None:
            status.say("Stop the training first: it takes the time that is to be measured.")
            return
        self._begin()
        try:
            await self._rows()
        finally:
            self._end()

    def _begin(self):
        self.measuring = self.training.running = True
        self.stopped = False
        dom.enable("train", "step", "reset", "analyse", when=False)
        dom.find("measure").textContent = "Stop measuring"
        dom.find("speed-table").hidden = False
        dom.fill(dom.find("speed-rows"), [])
        dom.find("copy-speed").disabled = True
        dom.find("speed-report").hidden = True
        status.say("Measuring this device, about fifteen seconds…")

    async def _rows(self):
        bar = dom.find("speed-progress")
        bar.hidden = False
        async for row in self.studio.engine.speed.measure():
            bar.value = row["done"]
            dom.find("speed-rows").append(self._line(row))
            if self.stopped:  # leaving the loop ends the work in the worker as well
                break
        agent, processors = js.navigator.userAgent, js.navigator.hardwareConcurrency
        report = await self.studio.engine.speed.report(agent, processors)
        dom.find("speed-report").textContent = report
        dom.find("copy-speed").disabled = False

    def _line(self, row):
        line = dom.make("tr")
        line.append(dom.make("th", row["group"] + ": " + row["task"], scope="row"))
        value = _figure(row["value"]) + " " + row["unit"]
        line.append(dom.make("td", value, class_="number"))
        line.append(dom.make("td", _figure(row["plain"]), class_="number"))
        return line

    def _end(self):
        self.measuring = False
        dom.find("speed-progress").hidden = True
        dom.find("measure").textContent = "Measure this device"
        if status.current_phase() != "error":
            self.training.ready()
            status.say("Measuring was stopped." if self.stopped else "Measured.")

    async def copy(self):
        text = dom.find("speed-report")
        try:
            await js.navigator.clipboard.writeText(text.textContent)
        except Exception:  # No permission, no secure context: the text is shown, selected.
            text.hidden = False
            js.getSelection().selectAllChildren(text)
            status.say("Copying is not allowed here: the text is selected, press Ctrl+C.")
            return
        status.say("The figures are copied.")
