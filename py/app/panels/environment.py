"""The environment panel: interpreters, kernels, storage, memory, traffic between the threads."""

import js

from app.language import tr
from app.page import dom, numbers

COPIES = {
    "waiting": tr("made once the page rests"),
    "installing": tr("being made"),
    "ready": tr("yes"),
    "update": tr("yes, and a new version waits"),
}


class Environment:
    """A list of facts, asked for when the panel is opened.

    Args:
        client: the engine.
    """

    def __init__(self, client):
        self.client = client
        dom.on("environment", "toggle", lambda _: self.show())

    async def show(self):
        """Ask for the facts and show them, if the panel is open."""
        engine = self.client.engine
        if not dom.find("environment").open or engine is None:
            return
        facts = dict(await engine.lab.environment.facts())
        facts[tr("Page")] = "MicroPython"
        facts.update(_abilities())
        parts = _group(tr("Browser and engine"), facts)
        model = self.client.model  # the former one may have been replaced meanwhile
        if model is not None:
            held = await engine.lab.environment.memory(model)
            parts += _group(tr("Memory"), {name: numbers.size(held[name]) for name in held})
        counters = self.client.farcall.statistics(engine)
        calls = {name.replace("_", " "): numbers.count(counters[name]) for name in counters}
        dom.fill(dom.find("facts"), parts + _group(tr("Messages between page and worker"), calls))


def _group(title, facts):
    """Return a heading and a list of facts by name."""
    entries = dom.make("dl", class_="facts")
    for name, value in sorted(facts.items()):
        fact = dom.make("div", class_="row spread")
        fact.append(dom.make("dt", name), dom.make("dd", value))
        entries.append(fact)
    return [dom.make("h3", title), entries]


def _abilities():
    """Return what this browser has and lacks, as the page sees it."""
    return {
        tr("Offline copy"): _copy(),
        tr("Web Locks"): _either(
            getattr(js.navigator, "locks", None),
            tr("a database that it holds tells when a worker is gone"),
        ),
        tr("Finalizers"): _either(
            not dom.root.hasAttribute("data-no-finalizers"),
            tr("memory of dropped proxies comes back when the page closes"),
        ),
        tr("Memory for settings"): _either(
            dom.script.remembers(), tr("the theme is asked for at each visit")
        ),
    }


def _either(there, otherwise):
    return tr("yes") if there else tr("no: {reason}", reason=otherwise)


def _copy():
    state = dom.root.dataset.offline or "waiting"
    return COPIES.get(state) or tr("no: {reason}", reason=dom.root.dataset.offlineReason or state)
