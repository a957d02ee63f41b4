"""The panel of a table: a column that a small dense network learns to tell from the others.

It is loaded with the first table.
"""

from app.language import tr
from app.page import dom, numbers, status, table
from app.page.latest import Latest

EPOCHS = 60
_HTML = """
<summary><span id="table-name">A table</span></summary>
<p id="table-words" class="note"></p>
<div class="row">
<label class="field" for="table-target"><span>Learn</span>
<select id="table-target"></select></label>
<label class="field" for="table-epochs"><span>Epochs</span>
<input id="table-epochs" type="number" min="1" max="1000"></label>
<button id="table-train" type="button">Train on the table</button></div>
<progress id="table-progress" max="1" value="0" aria-label="Training on the table"></progress>
<p id="table-result" role="status"></p>
<div id="table-ask" hidden><h3>Ask it</h3><div id="table-fields" class="row"></div>
<p><b id="table-answer"></b></p>
<div class="scroll"><table><caption class="visually-hidden">Probability of each class</caption>
<tbody id="table-shares"></tbody></table></div></div>
"""


class Table:
    """The panel.

    Args:
        client: the engine.
        options: the settings, of which the seed counts here.
        state: of the page.
    """

    def __init__(self, client, options, state):
        self.client = client
        self.options = options
        self.state = state
        self.columns = []
        self.fields = []  # of the columns that the network is given
        self._latest = Latest(self._ask)
        dom.put(dom.find("table"), _HTML)
        dom.find("table-epochs").value = str(EPOCHS)
        dom.click("table-train", self.train)

    async def open(self, name, url):
        """Show a CSV file's columns.

        Raises:
            RemoteError: the worker says why it is no table.
        """
        found = await self.client.lab.table.open(name, url)
        self.columns = found["columns"]
        dom.set_text("table-name", name)
        dom.set_text("table-words", _words(found))
        targets = []
        for place, column in enumerate(self.columns):
            targets.append(dom.make("option", column["name"], value=place))
        dom.fill(dom.find("table-target"), targets)
        dom.find("table-target").value = str(found["target"])
        dom.set_text("table-result", "")
        dom.find("table-progress").value = 0
        dom.find("table-ask").hidden = True
        panel = dom.find("table")
        panel.hidden, panel.open = False, True
        panel.scrollIntoView(dom.record({"block": "nearest"}))
        count = numbers.count(found["rows"])
        status.say(
            tr(
                "{name} is a table of {count} rows: choose what is learned, and train on it.",
                name=name,
                count=count,
            )
        )

    async def train(self):
        """Train a network, and say how often it is right."""
        if not self.state.free():
            return
        epochs = min(1000, max(1, int(float(dom.find("table-epochs").value or EPOCHS))))
        dom.find("table-epochs").value = str(epochs)
        target = int(dom.find("table-target").value)

        def on_epoch(number, logs):
            dom.find("table-progress").value = number / epochs

        self.state.enter("measuring")
        dom.enable("table-train", when=False)
        try:
            seed = self.options["seed"]
            result = await self.client.lab.table.train(target, epochs, seed, on_epoch)
        except Exception as error:
            dom.set_text("table-result", str(error).split("\n")[0])
            return
        finally:
            dom.enable("table-train")
            self.state.rest()
        words = _result(result, self.columns[target]["name"])
        dom.set_text("table-result", words)
        status.say(words)
        self._show_fields(target)
        self._latest.ask()

    def _show_fields(self, target):
        self.fields, labels = [], []
        for place, column in enumerate(self.columns):
            if place == target:
                continue
            label = dom.make("label", class_="field")
            label.append(dom.make("span", column["name"]))
            if column["values"] is None:
                field = dom.make("input", type="number", step="any")
                field.style.width = "6.5rem"
                field.value = numbers.significant(column["middle"])
            else:
                field = dom.make("select")
                for value in column["values"]:
                    field.append(dom.make("option", value, value=value))
                field.value = column["middle"]
            dom.on(field, "input", lambda _: self._latest.ask())
            label.append(field)
            labels.append(label)
            self.fields.append((column, field))
        dom.fill(dom.find("table-fields"), labels)
        dom.find("table-ask").hidden = False

    async def _ask(self):
        """Show the network's answer to the fields; an empty one is a missing value."""
        cells = []
        for column, field in self.fields:
            text = field.value
            number = column["values"] is None and text != ""
            cells.append(float(text) if number else text or None)
        found = await self.client.lab.table.answer(cells)
        value, classes = found["value"], found["classes"]
        dom.set_text(
            "table-answer", value if classes else numbers.local(numbers.significant(value))
        )
        rows = []
        for name, share in zip(classes or [], found["shares"]):
            rows.append(table.row(name, numbers.percent(share)))
        dom.fill(dom.find("table-shares"), rows)


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
        " "
        + tr("{without} rows without {name} were left out.", without=result["without"], name=name)
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
