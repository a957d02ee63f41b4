"""The search panel: a run for each combination of values of one or two options.

It is fetched with the first search.
"""

from app.language import plural, tr
from app.page import dom, numbers, status
from app.state import settings

_VALUES = {
    "lr": (1e-4, 1e-3, 1e-2, 1e-1),
    "optimizer": settings.TABLE["optimizer"][3],
    "schedule": settings.TABLE["schedule"][3],
    "batch": (32, 128, 512),
    "l2": (0.0, 1e-4, 1e-3, 1e-2),
}


class Search:
    """The choice of what is tried, and the best of it.

    Args:
        training: the panel that trains, which has the engine and the settings.
    """

    def __init__(self, training):
        self.client, self.options = training.client, training.options
        self.training = training
        self.best = None
        self.about = {}  # what is known of its network
        self._going = False
        dom.click("search-take", self.take)

    async def start(self):
        """Train with each combination; Stop ends the run and the search."""
        reason = tr("a search trains one network after another")
        if self._going or not self.training.state.free(reason):
            return
        names = [dom.find("search-first").value, dom.find("search-second").value]
        space = {name: list(_VALUES[name]) for name in names if name}
        self._going = True
        self.about = {"accuracy": -1}
        dom.enable("search-start", when=False)
        dom.find("search-take").hidden = True
        try:
            self.best = await self.client.lab.search.search(space, self._try)
        finally:
            self._going = False
            dom.enable("search-start")
        self._say(self.best)

    async def _try(self, values):
        """Train a fresh network with these values; the worker calls this."""
        training = self.training
        self.options.adopt(values)
        await training.reset()
        before = training.run
        await training.train()
        run, model = training.run, self.client.model
        if run is before:  # it could not begin
            return _result(None, model, False, training.problem)
        accuracy = run.rows[-1]["val_accuracy"] if run.rows else None
        if accuracy is not None and accuracy > self.about["accuracy"]:
            number, epochs = run.record["number"], len(run.rows)
            self.about = {"accuracy": accuracy, "run": number, "trained": epochs}
        return _result(accuracy, model, run.stopped, training.problem or run.outcome())

    def _say(self, found):
        tried = plural(found["trials"], "{trials} trial", "{trials} trials", trials=found["trials"])
        if found["failed"]:
            tried = tr(
                "{trials}, {count} of which failed ({failed})",
                trials=tried,
                count=len(found["failed"]),
                failed=found["failed"][0],
            )
        if found["values"] is None:
            status.say(tr("No trial has a result: {tried}.", tried=tried))
            return
        right = numbers.percent(found["score"])
        status.say(
            tr(
                "The best of {tried}: {values}, {right} right.",
                tried=tried,
                values=_words(found["values"]),
                right=right,
            )
        )
        dom.find("search-take").hidden = False

    async def take(self):
        """Go on with the options and the network of the best trial."""
        client = self.client
        if self.best is None or not self.training.state.free():
            return
        dom.find("search-take").hidden = True
        self.options.adopt(self.best["values"])
        model = await client.lab.search.take(client.model)
        await client.adopt(model, client.layers, self.about)
        status.say(tr("This is the network with {values}.", values=_words(self.best["values"])))


def _result(accuracy, model, stopped, problem):
    return {"val_accuracy": accuracy, "model": model, "stopped": stopped, "problem": problem}


def _words(values):
    """Return the values as the address has them: lr=0.001, batch=128."""
    return ", ".join([f"{name}={settings.write(name, values[name])}" for name in values])
