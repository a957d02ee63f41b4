"""The federation panel, "Learn together": this tab is a node of a Flower federation."""

import asyncio

import js

from app.language import tr
from app.page import dom, fields, numbers, table
from app.state.connection import BASE

_goodbye = dom.evaluate(__file__, "federation.js")
BYTES = 4  # of a number
_STATES = {
    "away": tr("Not connected; it is tried again."),
    "waiting": tr("Joined. Waiting for the next round."),
    "working": tr("Your device trains."),
}


class Federation:
    """Join and leave; what leaves the device, and how the federation stands.

    Args:
        client: the engine.
        state: of the page.
    """

    def __init__(self, client, state):
        self.client = client
        self.state = state
        self._goodbye = _goodbye()  # holds what is sent when the page is closed; "" for nothing
        self._answered = asyncio.Event()  # join has returned, or failed
        self._former = None  # the state of the page before the next
        self.before = (0, False, None)  # trained, learned, accuracy of the network when it joined
        dom.click("join", self.join)
        dom.click("leave", self.leave)
        dom.on("federation-address", "input", lambda _: self._explain())
        dom.on("federation-address", "change", lambda _: _address())
        dom.on(js.window, "hashchange", lambda _: self._follow_link())
        client.listen(self._explain)
        state.listen(self._follow)
        dom.find("federation-address").value = js.location.origin
        self._follow_link()
        self._explain()
        self._follow(state.name)

    def _follow_link(self):
        """Open the panel with the token, and the address if there is one, of a link `#join=`."""
        link = js.URLSearchParams.new(js.location.hash[1:])
        if not link.has("join"):
            return
        dom.find("federation-token").value = link.get("join")
        if link.has("at"):
            dom.find("federation-address").value = link.get("at")
            self._explain()
        panel = dom.find("federation")
        panel.open = True
        panel.scrollIntoView()

    def _explain(self):
        """Say what leaves the device in each round, and who gets it."""
        count = sum([row[3] for row in self.client.rows])
        words = tr(
            "{count} numbers, {size}", count=numbers.count(count), size=numbers.size(BYTES * count)
        )
        address = dom.find("federation-address").value
        dom.set_text(
            "federation-leaves",
            tr(
                "In each round the parameters of this network leave your device "
                "({words}), with their loss, accuracy and the number of your images, and "
                "never an image or a label. Whoever runs the federation at {address} "
                "gets yours, not only the mean of all.",
                words=words,
                address=address,
            ),
        )

    def _follow(self, state):
        """Enable what can be pressed; say, to the federation too, that the node is gone with its
        worker, which tells no more."""
        if state == "failed" and self._former == "joined":
            self._goodbye.say()  # else a round waits for two heartbeats
            self._say(tr("Left: {problem}", problem=tr("the worker is gone")))
        self._former = state
        dom.enable("join", when=state == "ready")
        dom.enable("leave", when=state == "joined")

    async def join(self):
        """Be a node until Leave; the network in use learns."""
        client = self.client
        await client.settled()
        address = _address()
        if client.model is None or not address or not self.state.free():
            return
        self._answered.clear()
        self.state.enter("joined")
        self._say(tr("Joining…"))
        dom.set_text("federation-share", "")
        dom.find("federation-rounds").parentNode.hidden = True
        token = dom.find("federation-token").value
        self.before = (client.trained, client.learned, client.accuracy)
        try:
            await client.before_training()
            join = client.lab.federation.join
            await join(BASE, client.model, address, token, self.show)
        except Exception as error:
            self._left(str(error), False)
        finally:
            self._answered.set()

    async def leave(self):
        """Leave after the round in work; the network stays."""
        dom.enable("leave", when=False)
        self._say(tr("Leaving, as soon as what your device does now is done…"))
        await self._answered.wait()
        await self.client.lab.federation.leave()

    def show(self, news):
        """Show how the federation stands; the worker calls this."""
        self._goodbye.hold(news["farewell"])
        if self.before[0] + news["trained"] != self.client.trained:
            self.client.trained = self.before[0] + news["trained"]
            self.client.changed()
        if news["share"]:
            dom.set_text(
                "federation-share",
                tr("You train on {share}. {note}", share=news["share"], note=news["note"]),
            )
        self._rounds(news["rounds"])
        if news["state"] == "left":
            self._left(news["problem"], bool(news["round"]))
        elif not dom.find("leave").disabled:
            self._say(_words(news))

    def _left(self, problem, changed):
        if not changed:
            _, self.client.learned, self.client.accuracy = self.before
            self.client.changed()
        said = tr("You left. The network stays yours: draw, save it, train it further.")
        self._say(tr("Left: {problem}", problem=problem) if problem else said)
        self.state.rest()

    def _say(self, words):
        dom.set_text("federation-state", words)

    def _rounds(self, rounds):
        if not rounds:
            return
        dom.fill(dom.find("federation-rounds"), [_row(one) for one in rounds])
        dom.find("federation-rounds").parentNode.hidden = False


def _address():
    """Return the address of the gateway; say under its field if it is none, and return ''."""
    field = dom.find("federation-address")
    url = js.URL.new(field.value) if field.value and field.validity.valid else None
    right = url and url.protocol in ("http:", "https:") and not (url.search or url.hash)
    words = "" if right else tr("An address such as https://federation.example.org is needed.")
    fields.refuse(field, dom.find("federation-wrong"), words)
    return url.href.rstrip("/") if right else ""


def _words(news):
    """Return the state in a sentence."""
    words = _STATES[news["state"]]
    now = news["round"]
    if news["state"] == "working" and "server-round" in now:
        words = (
            tr("Round {number} of {rounds}: your device is at work.")
            if "rounds" in now
            else tr("Round {number}: your device is at work.")
        ).format(number=now["server-round"], rounds=now.get("rounds"))
    if "nodes" in now:
        words += " " + tr("Nodes: {nodes}.", nodes=now["nodes"])
    return f"{words} {news['problem']}".strip()


def _row(one):
    accuracy, epsilon = one["accuracy"], numbers.DASH
    if "epsilon" in one:
        epsilon = tr(
            "{epsilon:.3g} at delta {delta:.0e}", epsilon=one["epsilon"], delta=one["delta"]
        )
    return table.row(
        str(one.get("server-round", "")),
        str(one.get("nodes", numbers.DASH)),
        numbers.percent(accuracy) if accuracy is not None else numbers.DASH,
        epsilon,
    )
