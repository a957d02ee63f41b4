"""Step 4: what the network learned, and where it is wrong."""

import farcall

from app.page import dom, images, numbers, status
from app.panels import environment

DIGITS = range(10)
PAUSE = 1.0  # seconds between two looks at the maps while a run changes them


class Findings:
    """Confusion matrix, scores, mistakes, filters, feature maps, weights, environment."""

    def __init__(self, studio, training):
        self.studio = studio
        self.training = training
        self.following = self.behind = False
        self.drawn = 0.0
        self.kept = (None, [])  # layers with numbers of maps, and their canvases
        dom.click("analyse", self.analyse)
        dom.on("environment", "toggle", lambda _: self.environment())

    async def analyse(self):
        """Ask the worker for everything and show it."""
        if self.training.running:
            return
        dom.enable("analyse", when=False)
        try:
            await self._analyse()
        finally:
            dom.enable("analyse")

    async def _analyse(self):
        studio = self.studio
        model = studio.model
        status.say("Reading all test images…")
        found = await studio.lab.findings(model)
        dom.find("findings").hidden = False
        right = found["total"] - found["wrong"]
        total, wrong = numbers.count(found["total"]), numbers.count(found["wrong"])
        words = f"{numbers.count(right)} of {total} test images right, {wrong} wrong."
        dom.write("analysis-note", words, dom.find("analysis-note"))
        self._confusion(found["confusion"])
        self._scores(found["per_class"])
        self._tiles(
            "mistakes",
            [self._mistake(entry) for entry in found["mistakes"]],
            "No mistake: look at the data.",
        )
        filters = [
            images.tile(rgba, (), f"Filter {i + 1}", tint=False)
            for i, rgba in enumerate(await studio.lab.filters(model))
        ]
        self._tiles("filters", filters, "This network has no convolution.")
        self.kept = (None, [])
        await self.maps()
        self._histograms(await studio.lab.weights(model))
        self._profile(await studio.engine.insight.profile(model))
        status.say(words)

    def _tiles(self, identifier, tiles, otherwise):
        dom.fill(dom.find(identifier), tiles or [dom.make("li", otherwise)])

    def _mistake(self, entry):
        words = dom.make("span", f"{entry['truth']} → ")
        words.append(dom.make("b", entry["answer"], class_="bad"))
        share = dom.make("div", numbers.percent(entry["confidence"], 0))
        return images.tile(
            entry["rgba"], (words, share), f"A {entry['truth']} read as {entry['answer']}"
        )

    def _confusion(self, matrix):
        table = dom.find("confusion")
        head = dom.make("tr")
        head.append(dom.make("td"))
        for digit in DIGITS:
            head.append(dom.make("th", digit, scope="col"))
        section = dom.make("thead")
        section.append(head)
        body = dom.make("tbody")
        wrong = max([matrix[i][j] for i in DIGITS for j in DIGITS if i != j]) or 1
        for truth in DIGITS:
            body.append(self._row(truth, matrix[truth], wrong))
        for old in table.querySelectorAll("thead, tbody"):
            old.remove()
        table.append(section, body)

    def _row(self, truth, counts, wrong):
        line = dom.make("tr")
        line.append(dom.make("th", truth, scope="row"))
        support = sum(counts) or 1
        for answer in DIGITS:
            count = counts[answer]
            hit = truth == answer
            share = count / support if hit else count / wrong
            name = f"{count} images of {truth} read as {answer}"
            button = dom.make(
                "button", count or "", type="button", class_="hit" if hit else None, aria_label=name
            )
            button.style.setProperty("--p", f"{0.4 * share:.3f}")
            dom.on(button, "click", lambda _, answer=answer: self._cell(truth, answer))
            cell = dom.make("td")
            cell.append(button)
            line.append(cell)
        return line

    async def _cell(self, truth, answer):
        found = await self.studio.lab.cell(truth, answer)
        list_ = dom.make("ul", class_="tiles")
        for entry in found:
            share = dom.make("span", numbers.percent(entry["confidence"], 0))
            list_.append(images.tile(entry["rgba"], (share,), f"A {truth} read as {answer}"))
        box = dom.find("cell")
        dom.fill(
            box,
            [
                dom.make("p", f"{truth} read as {answer}: the first {len(found)}", class_="note"),
                list_,
            ],
        )

    def _scores(self, rows):
        head = dom.make("tr")
        for name in ("Digit", "Precision", "Recall", "F1", "Images"):
            head.append(
                dom.make("th", name, scope="col", class_="number" if name != "Digit" else None)
            )
        lines = [head]
        for row in rows:
            line = dom.make("tr")
            line.append(dom.make("th", row["label"], scope="row"))
            for name in ("precision", "recall", "f1"):
                line.append(dom.make("td", numbers.percent(row[name]), class_="number"))
            line.append(dom.make("td", numbers.count(row["support"]), class_="number"))
            lines.append(line)
        dom.fill(dom.find("per-class"), lines)

    def follow(self):
        """Another drawing: its maps, where maps are in view; of several drawings the last."""
        resting = dom.now() - self.drawn > (PAUSE if self.training.running else 0)
        self.behind = resting and not dom.find("findings").hidden
        if self.behind and not self.following:
            dom.spawn(self._follow())

    async def _follow(self):
        self.following = True
        try:
            while self.behind and self.studio.model is not None:
                self.behind = False
                self.drawn = dom.now()
                await self.maps()
        finally:
            self.following = False

    async def maps(self):
        """What the layers make of the drawing, one row of maps a layer."""
        found = await self.studio.lab.feature_maps(self.studio.model)
        layers = [[entry["layer"], len(entry["maps"])] for entry in found]
        if layers != self.kept[0]:
            self._lay_out(layers)
        pictures_ = [rgba for entry in found for rgba in entry["maps"]]
        for canvas, rgba in zip(self.kept[1], pictures_):
            images.paint(canvas, rgba)

    def _lay_out(self, layers):
        """A row of empty maps for each layer; another drawing is painted over them."""
        groups, canvases = [], []
        for name, count in layers:
            row = dom.make("ul", class_="tiles small")
            for index in range(count):
                canvas = dom.make(
                    "canvas", role="img", aria_label=f"{name}, map {index + 1}", class_="tinted"
                )
                item = dom.make("li")
                item.append(canvas)
                row.append(item)
                canvases.append(canvas)
            group = dom.make("div", class_="group")
            group.append(dom.make("h4", name), row)
            groups.append(group)
        otherwise = dom.make("p", "Draw a digit: they appear here.", class_="note")
        dom.fill(dom.find("maps"), groups or [otherwise])
        self.kept = (layers, canvases)

    def _histograms(self, rows):
        blocks = []
        for row in rows:
            most = max(row["counts"]) or 1
            bins = dom.make("div", class_="bins", role="img", aria_label=_distribution(row))
            for count in row["counts"]:
                bar = dom.make("i")
                bar.style.height = f"{100 * count / most:.1f}%"
                bins.append(bar)
            reach = f"from {row['low']:.2f} to {row['high']:.2f}, deviation {row['deviation']:.3f}"
            words = f"{row['layer']}: {numbers.count(row['count'])} weights {reach}"
            block = dom.make("div", words)
            block.append(bins)
            blocks.append(block)
        dom.fill(dom.find("histograms"), blocks)

    def _profile(self, rows):
        head = dom.make("tr")
        for name in ("Layer", "Forward", "Backward", "Share"):
            head.append(
                dom.make("th", name, scope="col", class_="number" if name != "Layer" else None)
            )
        lines = [head]
        for row in rows:
            line = dom.make("tr")
            line.append(dom.make("th", row["layer"], scope="row"))
            for name in ("forward_ms", "backward_ms"):
                line.append(dom.make("td", f"{row[name]:.2f} ms", class_="number"))
            share = dom.make("td", numbers.percent(row["share"], 0), class_="number share")
            share.style.setProperty("--p", f"{row['share']:.3f}")
            line.append(share)
            lines.append(line)
        dom.fill(dom.find("profile"), lines)

    # -- environment ------------------------------------------------------------------------

    async def environment(self):
        """Interpreters, kernels, isolation, and what has crossed between the threads."""
        if not dom.find("environment").open or self.studio.engine is None:
            return
        facts = dict(await self.studio.lab.environment(), Page="MicroPython")
        facts.update(environment.facts())
        if self.studio.model is not None:
            held = await self.studio.engine.insight.memory(self.studio.model)
            for name in held:
                facts["Memory: " + name] = numbers.size(held[name])
        counters = farcall.statistics(self.studio.engine)
        for name in sorted(counters):
            facts["farcall: " + name.replace("_", " ")] = numbers.count(counters[name])
        parts = []
        for name, value in sorted(facts.items()):
            fact = dom.make("div")
            fact.append(dom.make("dt", name), dom.make("dd", value))
            parts.append(fact)
        dom.fill(dom.find("facts"), parts)


def _distribution(row):
    """A histogram in words: where its middle is, where most values are, its highest bar."""
    counts = row["counts"]
    width = (row["high"] - row["low"]) / len(counts)
    peak = row["low"] + width * counts.index(max(counts))
    reach = f"{row['low']:.2f} to {row['high']:.2f}"
    middle = f"mean {row['mean']:.3f}, deviation {row['deviation']:.3f}"
    highest = f"most of all from {peak:.2f} to {peak + width:.2f}"
    return f"Histogram of the weights of {row['layer']}: {reach}, {middle}, {highest}"
