"""The speed panel: measures the engine on this device, shows and copies the figures."""

import js

from app.language import tr
from app.page import clipboard, dom, numbers, status, table


def _figure(value):
    """Return a number with three digits, or all of a whole one, as the worker's report has it."""
    if value is None:
        return ""
    if value >= 100:
        return numbers.count(value + 0.5)
    return numbers.local(f"{value:.3g}")


class Speed:
    """A button, a table that fills row by row, and the text to copy."""

    def __init__(self, client, state):
        self.client = client
        self.state = state
        self.stopped = False
        dom.click("measure", self.measure)
        dom.click("copy-speed", self.copy)

    async def measure(self):
        """Measure everything; the same button stops."""
        if self.state.name == "measuring":
            self.stopped = True
            return
        reason = tr("it takes the time that is to be measured")
        if self.client.engine is None or not self.state.free(reason):
            return
        self._begin()
        try:
            await self._rows()
        finally:
            self._end()

    def _begin(self):
        self.state.enter("measuring")
        self.stopped = False
        dom.find("measure").textContent = tr("Stop measuring")
        dom.find("speed-table").hidden = False
        dom.fill(dom.find("speed-rows"), [])
        dom.find("copy-speed").disabled = True
        dom.find("speed-report").hidden = True
        status.say(tr("Measuring this device, about fifteen seconds…"))

    async def _rows(self):
        bar = dom.find("speed-progress")
        bar.hidden = False
        async for row in self.client.lab.speed.measure():
            bar.value = row["done"]
            dom.find("speed-rows").append(self._line(row))
            if self.stopped:  # leaving the loop ends the work in the worker too
                break
        agent, processors = js.navigator.userAgent, js.navigator.hardwareConcurrency
        report = await self.client.lab.speed.report(agent, processors)
        dom.find("speed-report").textContent = report
        dom.find("copy-speed").disabled = False

    def _line(self, row):
        value = _figure(row["value"]) + " " + row["unit"]
        return table.row(row["group"] + ": " + row["task"], value, _figure(row["plain"]))

    def _end(self):
        dom.find("speed-progress").hidden = True
        dom.find("measure").textContent = tr("Measure this device")
        self.state.rest()
        if not self.state.failed:
            status.say(tr("Measuring was stopped.") if self.stopped else tr("Measured."))

    async def copy(self):
        """Copy the report."""
        report = dom.find("speed-report")
        await clipboard.copy(report.textContent, report, tr("The figures are copied."))
