"""This page inside another one: it tells its size and state; pages that it trusts may drive it.

To the framing page, at the origin that the address names (`host=`), and to no other:

    {type: "farcall-demo", kind: "hello", version: 1, drivable: true}
    {type: "farcall-demo", kind: "size", height: 812}
    {type: "farcall-demo", kind: "state", phase: "training", epoch: 1, batch: 96, loss: 0.31, ...}

From it: {type: "farcall-demo", theme: "dark"}, which its address could have asked for as well. All
else is `Demo`, served by farcall's protocol and by Comlink's, to origins that index.html lists.
"""

import farcall
import js

from app.page import dom

VERSION = 1
# A host redraws a figure or two with it: more often than this nobody sees.
TICK_MS = 200

_framed = js.Function.new("return window.parent !== window")
# A sandboxed document's own origin is "null"; that of its address would be somebody else's.
_origin = js.Function.new("return window.origin")
_post = js.Function.new("message", "origin", "window.parent.postMessage(message, origin)")
_hear = js.Function.new(
    "origin",
    "heard",
    """addEventListener("message", ({ source, origin: sender, data }) => {
  if (source !== window.parent || sender !== origin) return;
  if (data?.type === "farcall-demo" && typeof data.theme === "string") heard(data.theme);
})""",
)


class Embedding:
    """The framing page, as far as it gave its origin."""

    def __init__(self, stage):
        frame = stage.options.frame
        self.host = frame["host"] if _framed() else ""
        if not self.host:
            return
        # Here, since a page that stands alone needs neither: 16 of its imports' 93 ms.
        from farcall import comlink

        from app.embedding.demo import Demo

        self.stage = stage
        self.demo = Demo(stage)
        self.told = None
        self.height = 0
        self.session = None
        self.drivable = trusted(self.host, _origin(), _listed())
        if self.drivable:
            endpoint = comlink.window_endpoint(js.window.parent, self.host)
            comlink.expose(self.demo, endpoint, traceback=False, on_error=self._unheard)
            self._serve()
        else:
            js.console.info(f"{self.host} may not drive this page: index.html does not list it")
        _hear(self.host, dom.call(self._theme))
        self._say("hello", {"version": VERSION, "drivable": self.drivable})
        self._watch()

    # -- out --------------------------------------------------------------------------------

    def _say(self, kind, more):
        _post(dom.record(dict(more, type="farcall-demo", kind=kind)), self.host)

    def _watch(self):
        resized = dom.call(lambda *_: dom.next_frame("size", self._tell_size))
        self._sizes = js.ResizeObserver.new(resized)
        self._sizes.observe(dom.document.body)
        self._phases = js.MutationObserver.new(dom.call(lambda *_: self._tell_state()))
        self._phases.observe(
            dom.root, dom.record({"attributes": True, "attributeFilter": ["data-phase"]})
        )
        js.setInterval(dom.call(self._tell_state), TICK_MS)

    def _tell_size(self):
        height = int(dom.document.body.getBoundingClientRect().height + 0.999)
        if height != self.height:
            self.height = height
            self._say("size", {"height": height})

    def _tell_state(self):
        state = self.demo.state()
        if state != self.told:
            self.told = state
            self._say("state", state)
            self.demo.tell(state)

    # -- in ---------------------------------------------------------------------------------

    def _theme(self, name):
        try:
            self.stage.theme.show(name)
        except ValueError as error:
            js.console.info(str(error))

    def _serve(self):
        """Answer farcall.connect, and after that session the next one."""
        window = farcall.endpoints.Window(js.window.parent, self.host)
        self.session = farcall.Session(window, {"demo": self.demo}, on_error=self._unheard)
        self.session.on_close.append(lambda _: self._over())

    def _over(self):
        self.demo.forget()
        self._serve()

    def _unheard(self, error, text=""):
        """A callback of the host failed, which is not this page's trouble."""
        js.console.info(f"the framing page: {text}: {error}")


def _listed():
    element = dom.document.querySelector('meta[name="farcall-drivers"]')
    return element.content.split() if element else []


def trusted(host, own, listed):
    """Whether a page of origin `host` may drive this one: its own origin, or a listed one."""
    return host == own or host in listed or "*" in listed
