"""The tab's title: how far a run is, for as long as nobody looks at the page."""

from app.page import dom

PAUSE = 1.0  # seconds: browsers redraw a title at their leisure


class Tab:
    """Tells the title of a hidden tab; one in view has its own."""

    def __init__(self):
        self.title = dom.document.title
        self.told = 0.0
        dom.on(dom.document, "visibilitychange", lambda _: self._turned())

    @property
    def hidden(self):
        return dom.document.hidden

    def tell(self, words):
        """Put words before the title, at most once a PAUSE."""
        if dom.now() - self.told >= PAUSE:
            self.told = dom.now()
            self.end(words)

    def end(self, words):
        """The last words: they stay until somebody looks."""
        if self.hidden:
            dom.document.title = words + " · " + self.title

    def _turned(self):
        if not self.hidden:
            dom.document.title = self.title
