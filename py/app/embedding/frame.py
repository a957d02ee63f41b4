"""The page inside another one: it reports its size and state; trusted pages may control it.

To the framing page, at the origin that the address names (`host=`), and to no other:

    {type: "farcall-demo", kind: "hello", version: 1, drivable: true}
    {type: "farcall-demo", kind: "size", height: 812}
    {type: "farcall-demo", kind: "state", phase: "training", epoch: 1, batch: 96, loss: 0.31, ...}

From it: {type: "farcall-demo", theme: "dark"}, which the address can ask for too. Everything else
is `Demo`, served by farcall's protocol and by Comlink's, to origins that index.html lists.
"""

import js

from app.page import dom

VERSION = 1
# A host shows a figure or two with it: more updates would not be seen.
TICK_MS = 200

_script = dom.evaluate(__file__, "frame.js")


class Embedding:
    """Link to the framing page, if the address names its origin.

    Args:
        page: what is framed.
        unpack: fetches a bundle of modules.
    """

    def __init__(self, page, unpack):
        self.page = page
        self.host = page.options.frame["host"] if _script.framed() else ""
        self.reported = None
        self.height = 0
        self.session = None
        self._unpack = unpack

    async def start(self):
        """Fetch what a page that is not framed does not need, and report to the framing page."""
        if not self.host:
            return
        await self._unpack("embedding.txt")
        from app.embedding.demo import Demo

        self.demo = Demo(self.page)
        self.drivable = trusted(self.host, _script.origin(), _listed())
        if self.drivable:
            from farcall import comlink

            endpoint = comlink.window_endpoint(js.window.parent, self.host)
            comlink.expose(self.demo, endpoint, traceback=False, on_error=self._unheard)
            self._serve()
        else:
            js.console.info(f"{self.host} may not drive this page: index.html does not list it")
        _script.hear(self.host, dom.call(self._theme))
        self._say("hello", {"version": VERSION, "drivable": self.drivable})
        self._watch()

    # -- out --------------------------------------------------------------------------------

    def _say(self, kind, more):
        _script.post(dom.record(dict(more, type="farcall-demo", kind=kind)), self.host)

    def _watch(self):
        resized = dom.call(lambda *_: dom.next_frame("size", self._tell_size))
        self._sizes = js.ResizeObserver.new(resized)
        self._sizes.observe(dom.document.body)
        self.page.state.listen(lambda _: dom.spawn(self._report()))
        js.setInterval(dom.call(self._tell_state), TICK_MS)

    def _tell_size(self):
        height = int(dom.document.body.getBoundingClientRect().height + 0.999)
        if height != self.height:
            self.height = height
            self._say("size", {"height": height})

    async def _report(self):
        """Report a change of state once the panels have followed it."""
        self._tell_state()

    def _tell_state(self):
        state = self.demo.state()
        if state != self.reported:
            self.reported = state
            self._say("state", state)
            self.demo.tell(state)

    # -- in ---------------------------------------------------------------------------------

    def _theme(self, name):
        try:
            self.page.theme.show(name)
        except ValueError as error:
            js.console.info(str(error))

    def _serve(self):
        """Answer farcall.connect, once for each session."""
        farcall = self.page.client.farcall
        window = farcall.endpoints.Window(js.window.parent, self.host)
        self.session = farcall.Session(window, {"demo": self.demo}, on_error=self._unheard)
        self.session.on_close.append(lambda _: self._over())

    def _over(self):
        self.demo.forget()
        self._serve()

    def _unheard(self, error, text=""):
        """Log an exception raised by a callback of the host."""
        js.console.info(f"the framing page: {text}: {error}")


def _listed():
    element = dom.document.querySelector('meta[name="farcall-drivers"]')
    return element.content.split() if element else []


def trusted(host, own, listed):
    """Return whether pages of origin `host` may control this one: its own or a listed origin."""
    return host == own or host in listed or "*" in listed
