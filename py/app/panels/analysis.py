"""The analysis panel: what the network has learned, and which images it gets wrong."""

from app.language import tr
from app.page import dom, images, numbers, status, table


class Analysis:
    """Confusion matrix, scores, mistakes, weights, times."""

    def __init__(self, client, state):
        self.client = client
        self.state = state
        self.version = 0  # of the network that the findings are of
        dom.click("analyse", self.analyse)
        client.listen(self._follow)

    def _follow(self):
        """Clear what was found in another network, in this one before it learned, in other data."""
        findings = dom.find("findings")
        if not findings.hidden and self.version != self.client.version:
            findings.hidden = True
            dom.set_text(
                "analysis-note", tr("The network or its data have changed: analyse again.")
            )
            dom.fill(dom.find("cell"), [])

    async def analyse(self):
        """Ask the worker for everything and show it."""
        if self.state.busy:
            return
        dom.enable("analyse", when=False)
        try:
            await self._analyse()
        finally:
            dom.enable("analyse", when=not self.state.busy)

    async def _analyse(self):
        model, lab = self.client.model, self.client.lab.analysis
        self.version = self.client.version
        status.say(tr("Reading all test images…"))
        found = await lab.findings(model)
        if self.version != self.client.version:
            status.say(tr("Another network came meanwhile: analyse that one."))
            return
        weights, profile = lab.weights(model), lab.profile(model)  # both are sent
        dom.find("findings").hidden = False
        right = found["total"] - found["wrong"]
        total, wrong = numbers.count(found["total"]), numbers.count(found["wrong"])
        words = tr(
            "{right} of {total} test images right, {wrong} wrong.",
            right=numbers.count(right),
            total=total,
            wrong=wrong,
        )
        dom.set_text("analysis-note", words)
        self._confusion(found["confusion"])
        self._scores(found["per_class"])
        mistakes = [self._mistake(entry) for entry in found["mistakes"]]
        otherwise = dom.make("li", tr("No mistake: look at the data."))
        dom.fill(dom.find("mistakes"), mistakes or [otherwise])
        self._histograms(await weights)
        self._profile(await profile)
        status.say(words)
        dom.find("analysis-title").focus()  # which scrolls to it

    def _mistake(self, entry):
        truth, answer = self._name(entry["truth"]), self._name(entry["answer"])
        words = dom.make("span", f"{truth} → ")
        words.append(dom.make("b", answer, class_="bad"))
        share = dom.make("div", numbers.percent(entry["confidence"], 0))
        return images.tile(
            entry["rgba"],
            (words, share),
            tr("A {truth} read as {answer}", truth=truth, answer=answer),
        )

    def _name(self, number):
        return self.client.data["names"][number]

    def _confusion(self, matrix):
        matrix_table = dom.find("confusion")
        head = dom.make("tr")
        names, classes = self.client.data["names"], range(len(matrix))
        head.append(dom.make("td"), *[dom.make("th", name, scope="col") for name in names])
        section = dom.make("thead")
        section.append(head)
        body = dom.make("tbody")
        wrong = max([matrix[i][j] for i in classes for j in classes if i != j]) or 1
        for truth in classes:
            body.append(self._row(truth, matrix[truth], wrong))
        for old in matrix_table.querySelectorAll("thead, tbody"):
            old.remove()
        matrix_table.append(section, body)

    def _row(self, truth, counts, wrong):
        cells = []
        support = sum(counts) or 1
        for answer, count in enumerate(counts):
            hit = truth == answer
            share = 40 * (count / support if hit else count / wrong)
            name = tr(
                "{truth} read as {answer}: {count}",
                count=count,
                truth=self._name(truth),
                answer=self._name(answer),
            )
            button = dom.make(
                "button", count or "", type="button", class_="hit" if hit else None, aria_label=name
            )
            button.style.setProperty("--v", f"{share:.1f}%")
            dom.on(button, "click", lambda _, answer=answer: self._cell(truth, answer))
            cells.append(button)
        return table.row(self._name(truth), *cells)

    async def _cell(self, truth, answer):
        found = await self.client.lab.analysis.cell(truth, answer)
        truth, answer = self._name(truth), self._name(answer)
        list_ = dom.make("ul", class_="tiles note row")
        for entry in found:
            share = dom.make("span", numbers.percent(entry["confidence"], 0))
            list_.append(
                images.tile(
                    entry["rgba"],
                    (share,),
                    tr("A {truth} read as {answer}", truth=truth, answer=answer),
                )
            )
        box = dom.find("cell")
        dom.fill(
            box,
            [
                dom.make(
                    "p",
                    tr(
                        "{truth} read as {answer}: the first {count}",
                        truth=truth,
                        answer=answer,
                        count=len(found),
                    ),
                    class_="note",
                ),
                list_,
            ],
        )

    def _scores(self, rows):
        lines = [table.heading(tr("Class"), tr("Precision"), tr("Recall"), "F1", tr("Images"))]
        for row in rows:
            shares = [numbers.percent(row[name]) for name in ("precision", "recall", "f1")]
            lines.append(
                table.row(self._name(row["label"]), *shares, numbers.count(row["support"]))
            )
        dom.fill(dom.find("per-class"), lines)

    def _histograms(self, rows):
        blocks = []
        for row in rows:
            most, name = max(row["counts"]) or 1, _called(row["layer"], self.client.rows)
            bins = dom.make("div", class_="bins", role="img", aria_label=_distribution(row, name))
            for count in row["counts"]:
                bar = dom.make("i")
                bar.style.height = f"{100 * count / most:.1f}%"
                bins.append(bar)
            words = tr(
                "{name}: {count} weights from {low} to {high}, deviation {deviation}",
                name=name,
                count=numbers.count(row["count"]),
                low=numbers.local(f"{row['low']:.2f}"),
                high=numbers.local(f"{row['high']:.2f}"),
                deviation=numbers.local(f"{row['deviation']:.3f}"),
            )
            block = dom.make("div", words, class_="note")
            block.append(bins)
            blocks.append(block)
        dom.fill(dom.find("histograms"), blocks)

    def _profile(self, rows):
        lines = [table.heading(tr("Layer"), tr("Forward"), tr("Backward"), tr("Share"))]
        for row in rows:
            times = [numbers.local(f"{row[name]:.2f} ms") for name in ("forward_ms", "backward_ms")]
            lines.append(
                table.row(
                    _called(row["layer"], self.client.rows),
                    *times,
                    numbers.percent(row["share"], 0),
                )
            )
        dom.fill(dom.find("profile"), lines)


def _called(layers, rows):
    """Return layers' names, joined by " + ", as the table of the network has them."""
    found = []
    for name in layers.split(" + "):
        places = [place for place, row in enumerate(rows) if row[0] == name]
        found.append(f"{places[0] + 1} {rows[places[0]][1]}" if places else name)
    return " + ".join(found)


def _distribution(row, name):
    """Return a histogram in words: range, mean, deviation and highest bar."""
    counts = row["counts"]
    width = (row["high"] - row["low"]) / len(counts)
    peak = row["low"] + width * counts.index(max(counts))
    figures = (row["low"], row["high"], peak, peak + width)
    low, high, begin, end = [numbers.local(f"{value:.2f}") for value in figures]
    mean, deviation = [numbers.local(f"{row[name]:.3f}") for name in ("mean", "deviation")]
    return tr(
        "Histogram of the weights of {name}: {low} to {high}, mean {mean}, deviation {deviation}, "
        "most of all from {begin} to {end}",
        name=name,
        low=low,
        high=high,
        mean=mean,
        deviation=deviation,
        begin=begin,
        end=end,
    )
