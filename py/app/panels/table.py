"""The panel of a table: a column that a small dense network learns to tell from the others.

It is loaded with the first table.
"""

from app.language import tr
from app.page import dom, fields, numbers, status, table
from app.page.epoch_curves import EpochCurves
from app.page.latest import Latest

LARGEST = 1e100  # as in app.lab.tabular.columns
_HTML = """
<summary><span id="table-name">A table</span></summary>
<p id="table-words" class="note"></p>
<div class="row">
<label class="field" for="table-target"><span>Learn</span>
<select id="table-target"></select>
<small id="table-target-wrong" class="wrong" role="alert"></small></label>
<button id="table-train" type="button">Train on the table</button></div>
<progress id="table-progress" max="1" value="0" aria-label="Training on the table"></progress>
<p id="table-result" role="status"></p>
<div id="table-curves" hidden>
<figure aria-labelledby="table-error-caption"><figcaption><h3 id="table-error-caption">Error, %</h3>
</figcaption><div id="table-error-chart" class="chart" tabindex="0" role="group"
aria-label="Error curve: arrow keys read its points"></div></figure>
<figure aria-labelledby="table-loss-caption"><figcaption><h3 id="table-loss-caption">Loss</h3>
</figcaption><div id="table-loss-chart" class="chart" tabindex="0" role="group"
aria-label="Loss curve: arrow keys read its points"></div></figure></div>
<div id="table-ask" hidden><h3>Ask it</h3><div id="table-fields" class="row"></div>
<p><b id="table-answer"></b></p>
<div class="scroll"><table><caption class="visually-hidden">Probability of each class</caption>
<tbody id="table-shares"></tbody></table></div></div>
"""


class Table:
    """The panel.

    Args:
        client: the engine.
        options: the settings, of which the seed, the target and the epochs of tables count here.
        state: of the page.

    Attributes:
        curves: of the network that is trained, or was last.
    """

    def __init__(self, client, options, state):
        self.client = client
        self.options = options
        self.state = state
        self.columns = []
        self.fields = []  # of the columns that the network is given
        self._usual = 0  # the column that is learned where none is named
        self._id = ""
        self._latest = Latest(self._ask)
        dom.put(dom.find("table"), _HTML)
        button = dom.find("table-train")
        options.add_field("table-epochs", tr("Epochs"), button.parentNode, button)
        self.curves = EpochCurves("table-error-chart", "table-loss-chart", "table")
        options.listen("target", lambda _: self._named())
        dom.on("table-target", "change", lambda _: self._choose())
        dom.click("table-train", self.train)

    async def open(self, name, url, identifier):
        """Show a CSV file's columns.

        Args:
            name: of the file.
            url: its address.
            identifier: what a link calls it, with the column that is learned; '' where none can.

        Raises:
            RemoteError: the worker says why it is no table.
        """
        found = await self.client.lab.table.open(name, url)
        self.columns, self._usual, self._id = found["columns"], found["target"], identifier
        if not identifier:  # the link names another table no longer
            self.options.set("data", self.client.data["id"])
        dom.set_text("table-name", name)
        dom.set_text("table-words", _words(found))
        targets = []
        for place, column in enumerate(self.columns):
            targets.append(dom.make("option", column["name"], value=place))
        dom.fill(dom.find("table-target"), targets)
        self._show_target()
        panel = dom.find("table")
        panel.hidden, panel.open = False, True
        panel.scrollIntoView(dom.record({"block": "nearest"}))
        count = numbers.count(found["rows"])
        status.taken()
        status.say(
            tr(
                "{name} is a table of {count} rows: choose what is learned, and train on it.",
                name=name,
                count=count,
            )
        )

    def again(self):
        """Show no table of a file: the worker that held it is gone. A link's is opened again."""
        panel = dom.find("table")
        if not self._id and not panel.hidden:
            panel.hidden = True
            name = dom.find("table-name").textContent
            status.say(tr("{name} is gone with the worker: open it again.", name=name))

    def _show_target(self):
        """Show the column that the link names; where it names none, the usual one."""
        names = [column["name"] for column in self.columns]
        named = self.options["target"] if self._id else ""
        place = names.index(named) if named in names else self._usual
        dom.find("table-target").value = str(place)
        words = ""
        if named and named not in names:
            words = tr(
                "There is no column “{name}”: {used} is learned.", name=named, used=names[place]
            )
        dom.set_text("table-target-wrong", words)
        self._clear()

    def _named(self):
        """Take the column that a link names, unless the link names another table too."""
        if self._id and self._id == self.options["data"]:
            self._show_target()

    def _choose(self):
        """Take the column that was chosen; the link of a table that it names has it too."""
        place = int(dom.find("table-target").value)
        if self._id:
            self.options.set("target", "" if place == self._usual else self.columns[place]["name"])
        self._clear()

    def _clear(self):
        """Show nothing of another network."""
        self._latest.cancel()
        dom.set_text("table-result", "")
        dom.find("table-progress").value = 0
        dom.find("table-ask").hidden = dom.find("table-curves").hidden = True

    async def train(self):
        """Train a network, and say how often it is right."""
        if not self.state.free():
            return
        epochs = self.options["table-epochs"]
        target = int(dom.find("table-target").value)

        def on_epoch(number, logs):
            dom.find("table-progress").value = number / epochs
            self._draw(number, logs)

        self._clear()
        self.state.enter("measuring")
        dom.enable("table-train", "table-target", when=False)
        try:
            seed = self.options["seed"]
            result = await self.client.lab.table.train(target, epochs, seed, on_epoch)
        except Exception as error:
            dom.set_text("table-result", str(error).split("\n")[0])
            return
        finally:
            dom.enable("table-train", "table-target")
            self.state.rest()
        words = _result(result, self.columns[target]["name"])
        dom.set_text("table-result", words)
        status.say(words)
        self._show_fields(target)
        self._latest.ask()

    def _draw(self, number, logs):
        """Draw an epoch: the error of classes in percent, that of numbers in their own unit."""
        amounts = "error" in logs
        if number == 1:
            self.curves.clear(amounts)
            dom.set_text("table-error-caption", tr("Mean error") if amounts else tr("Error, %"))
            dom.find("table-curves").hidden = False
        name = "error" if amounts else "accuracy"
        losses, errors = [(logs[n], logs["val_" + n]) for n in ("loss", name)]
        self.curves.add(number, losses, errors)
        self.curves.refresh()

    def _show_fields(self, target):
        self.fields, labels = [], []
        for place, column in enumerate(self.columns):
            if place == target:
                continue
            label = dom.make("label", class_="field")
            label.append(dom.make("span", column["name"]))
            if column["values"] is None:
                field = fields.number(-LARGEST, LARGEST, 1)
                field.value = numbers.local(numbers.significant(column["middle"]))
            else:
                field = dom.make("select")
                for value in column["values"]:
                    field.append(dom.make("option", value, value=value))
                field.value = column["middle"]
            dom.on(field, "input", lambda _: self._latest.ask())
            note = dom.make("small", class_="wrong", id=f"table-field-{place}-wrong")
            label.append(field, note)
            labels.append(label)
            self.fields.append((column, field, note))
        dom.fill(dom.find("table-fields"), labels)
        self._answer("", [])  # the last one is another network's
        dom.find("table-ask").hidden = False

    async def _ask(self):
        """Show the network's answer to the fields; an empty one is a missing value."""
        cells, right = [], True
        for column, field, note in self.fields:
            try:
                cells.append(_cell(column, field.value.strip()))
                words = ""
            except ValueError:
                right, words = False, tr("Not a number")
            fields.refuse(field, note, words)
        if not right:
            self._answer(numbers.DASH, [])
            return
        found = await self.client.lab.table.answer(cells)
        value, classes = found["value"], found["classes"]
        rows = []
        for name, share in zip(classes or [], found["shares"]):
            rows.append(table.row(name, numbers.percent(share)))
        self._answer(value if classes else numbers.local(numbers.significant(value)), rows)

    def _answer(self, words, rows):
        dom.set_text("table-answer", words)
        dom.fill(dom.find("table-shares"), rows)


def _cell(column, text):
    """Return what was typed for a column. Raises ValueError: it is no number that counts."""
    if column["values"] is not None or not text:
        return text or None
    value = float(numbers.plain(text))
    if not abs(value) <= LARGEST:
        raise ValueError(text)
    return value


def _words(found):
    """Return what was found in a table, and what is done with it."""
    columns = found["columns"]
    texts = [c["name"] for c in columns if c["values"] is not None]
    missing = [f"{c['name']} {c['missing']}" for c in columns if c["missing"]]
    words = tr(
        "{rows} rows, {count} columns.", rows=numbers.count(found["rows"]), count=len(columns)
    )
    if texts:
        words += " " + tr("Texts become categories: {texts}.", texts=", ".join(texts))
    if missing:
        words += " " + tr(
            "Values are missing: {missing}; the mean stands in for a number.",
            missing=", ".join(missing),
        )
    if found["left"]:
        words += " " + tr("Left out: {left}.", left=", ".join(found["left"]))
    return words + " " + tr("A fifth of the rows is kept for the test.")


def _result(result, name):
    """Return what a training has reached, in words."""
    tested = tr("the {tested} test rows", tested=numbers.count(result["tested"]))
    without = (
        " " + tr("Rows without {name}, left out: {without}.", without=result["without"], name=name)
        if result["without"]
        else ""
    )
    if result["classes"]:
        right, guess = numbers.percent(result["right"]), numbers.percent(result["guess"])
        return (
            tr(
                "{right} of {tested} are right; always the most frequent would be {guess}.",
                right=right,
                tested=tested,
                guess=guess,
            )
            + without
        )
    wrong, guess = [numbers.local(numbers.significant(result[n])) for n in ("right", "guess")]
    return (
        tr(
            "{name} of {tested} is off by {wrong} on average; the mean would be by {guess}.",
            name=name,
            tested=tested,
            wrong=wrong,
            guess=guess,
        )
        + without
    )
