"""The history panel: a table of epochs, the last runs in one chart, and exports of them."""

from app.language import tr
from app.page import dom, images, numbers, status, table
from app.page.chart import Chart
from app.state import run_history
from app.state.kept_runs import KeptRuns

_METRICS = (
    ("val_accuracy", tr("Test accuracy, %")),
    ("val_loss", tr("Test loss")),
    ("accuracy", tr("Training accuracy, %")),
    ("loss", tr("Training loss")),
)
FEW = 50  # epochs whose dots do not touch
_COLOURS = ("blue", "rust", "good", "bad", "soft", "ink", "edge", "faint")


class History:
    """The figures of earlier runs and the present one; the worker saves them in IndexedDB."""

    def __init__(self, client, options):
        self.client = client
        self.options = options
        self.kept = KeptRuns(dom.unique)
        self.current = None  # the run in progress
        self.chart = None
        dom.click(
            "export-csv",
            lambda: dom.save_text(run_history.to_csv(self.runs), "text/csv", "runs.csv"),
        )
        dom.click(
            "export-json",
            lambda: dom.save_text(run_history.to_json(self.runs), "application/json", "runs.json"),
        )
        dom.click("export-png", self._picture)
        dom.click("forget-runs", self._forget)
        self._metrics()
        self._update()

    def _metrics(self):
        select = dom.find("runs-metric")
        for name, label in _METRICS:
            select.append(dom.make("option", label, value=name))
        select.value = self.options["metric"]
        dom.on(select, "change", lambda _: self.options.set("metric", select.value))
        self.options.listen("metric", self._measure)
        self.options.listen("log", lambda _: self._update())

    def _measure(self, name):
        """Show another figure of the runs in the chart."""
        dom.find("runs-metric").value = name
        self._update()

    @property
    def runs(self):
        return self.kept.runs

    async def restore(self):
        """Load the runs of earlier visits."""
        if self.runs:
            return
        try:
            self.kept.take(await self.client.lab.history.saved())
        except Exception as error:
            status.say(tr("Earlier runs could not be read: {error}", error=error))
        for run in self.runs:
            for row in run["epochs"]:
                self._line(run["number"], row)
        self._update()

    def next_number(self):
        """Return the number of the next run."""
        return 1 + max([run["number"] for run in self.runs] or [0])

    def begin(self, run):
        """Show a run in the table from its start."""
        self.current = run
        self._list()

    def add_epoch(self, run, row):
        """Add a line to the table, while the run goes on."""
        self._line(run["number"], row)
        self._list()

    def end(self):
        """Show that no run is in progress."""
        self.current = None
        self._list()

    def resume(self, number, rows):
        """Show the lines of a run that is continued."""
        for line in dom.document.querySelectorAll(f'#epochs tr[data-run="{number}"]'):
            line.remove()
        for row in rows:
            self._line(number, row)

    async def save(self, run):
        """Save a run that has ended."""
        self.kept.add(run)
        self._update()
        try:
            await self.kept.save(self.client.lab.history)
        except Exception as error:
            status.notice_once(
                "storage",
                tr("Nothing can be kept in this browser now"),
                str(error),
                tr("Training goes on. Export the runs, or they end with this page."),
            )

    def _line(self, number, row):
        body = dom.document.querySelector("#epochs tbody")
        empty = body.querySelector(".empty")
        if empty:
            empty.remove()
        cells = [str(number), str(row["epoch"])]
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            value = row.get(name)
            state = numbers.percent if "accuracy" in name else numbers.loss
            cells.append(numbers.DASH if value is None else state(value))
        cells.append(numbers.seconds(row["seconds"]))
        body.append(table.plain(cells, 2, data_run=number))

    def _update(self):
        some = bool(self.runs)
        dom.enable("export-csv", "export-json", "export-png", "forget-runs", when=some)
        dom.find("runs-figure").hidden = not some
        self._list()
        if some:
            # A chart takes a good part of a frame: it is drawn in one of its own.
            dom.next_frame("runs", self._overlay)

    def _list(self):
        """Show a row a run: the newest first, the best marked."""
        current = [self.current] if self.current and self.current not in self.runs else []
        runs = self.runs + current
        first = run_history.best(runs)
        rows = [
            _row(
                run,
                (tr("{name}, best", name=name) if run is first and len(runs) > 1 else name),
                run in current,
            )
            for run, name in zip(runs, run_history.names(runs))
        ]
        empty = dom.make("tr", class_="empty")
        empty.append(dom.make("td", tr("No run yet."), colspan=4))
        dom.fill(dom.document.querySelector("#runs tbody"), rows[::-1] or [empty])

    def _overlay(self):
        if not self.runs:
            return
        if self.chart is not None:
            self.chart.close()
        metric = self.options["metric"]
        state = numbers.points if "accuracy" in metric else numbers.loss
        series = []
        for index, name in enumerate(run_history.names(self.runs)):
            series.append((name, _COLOURS[index % len(_COLOURS)], 2, state))
        self.chart = Chart("runs-chart", series)
        self.chart.log = self.options["log"] and "loss" in metric
        self.chart.bounds = (0, 100) if "accuracy" in metric else None
        self.chart.label = tr("epochs")
        longest = max([len(run["epochs"]) for run in self.runs])
        self.chart.points = longest < FEW
        for epoch in range(max(longest, 2)):
            self.chart.add(epoch + 1, *[_figure(run, epoch, metric) for run in self.runs])
        label = tr(
            "{figure} of the runs: arrow keys read its points", figure=dict(_METRICS)[metric]
        )
        dom.find("runs-chart").setAttribute("aria-label", label)
        self.chart.refresh()

    def rebuild(self):
        """Draw the chart again, after a change of theme."""
        if self.chart is not None:
            self.chart.rebuild()

    def _picture(self):
        """Download the curves side by side as one PNG."""
        charts = dom.document.querySelectorAll("#training .chart canvas")
        if not charts.length:
            status.say(tr("There is no chart yet."))
            return
        if not images.legible():
            return
        sheet = dom.make("canvas")
        sheet.width = sum([charts[i].width for i in range(charts.length)])
        sheet.height = max([charts[i].height for i in range(charts.length)])
        context = sheet.getContext("2d")
        context.fillStyle = dom.colour("paper")
        context.fillRect(0, 0, sheet.width, sheet.height)
        left = 0
        for index in range(charts.length):
            context.drawImage(charts[index], left, 0)
            left += charts[index].width
        dom.save_as(sheet.toDataURL("image/png"), "curves.png")

    async def _forget(self):
        """Delete all runs; they are shown until they are deleted."""
        try:
            await self.client.lab.history.forget()
        except Exception as error:
            status.say(tr("The kept runs could not be deleted: {error}", error=error))
        finally:
            self.kept = KeptRuns(dom.unique)
            empty = dom.make("tr", class_="empty")
            empty.append(dom.make("td", tr("No epoch finished yet."), colspan=7))
            dom.fill(dom.document.querySelector("#epochs tbody"), [empty])
            self._update()


def _row(run, name, current):
    """Return a row of the table of runs."""
    done, planned = len(run["epochs"]), (run.get("options") or {}).get("epochs")
    wrong = run_history.error(run)
    line = table.row(
        name,
        tr("{done} of {planned}", done=done, planned=planned)
        if planned and done < planned
        else str(done),
        numbers.DASH if wrong is None else numbers.percent(wrong),
        numbers.clock(sum([row["seconds"] for row in run["epochs"]])),
    )
    line.className = "now" if current else ""
    return line


def _figure(run, epoch, metric):
    """Return a figure of an epoch for the chart: shares in percent, None where it is missing."""
    if epoch >= len(run["epochs"]):
        return None
    value = run["epochs"][epoch].get(metric)
    return run_history.points(value) if "accuracy" in metric else value
