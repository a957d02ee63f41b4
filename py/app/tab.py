"""The tab's title: how far a run is, for as long as nobody looks at the page."""

from . import page

PAUSE = 1.0  # seconds: browsers redraw a title at their leisure


class Tab:
    """Tells the title of a hidden tab; one in view has its own."""

    def __init__(self):
        self.title = page.document.title
        self.told = 0.0
        page.on(page.document, "visibilitychange", lambda _: self._turned())

    @property
    def hidden(self):
        return page.document.hidden

    def tell(self, words):
        """Put words before the title, at most once a PAUSE."""
        if page.now() - self.told >= PAUSE:
            self.told = page.now()
            self.end(words)

    def end(self, words):
        """The last words: they stay until somebody looks."""
        if self.hidden:
            page.document.title = words + " · " + self.title

    def _turned(self):
        if not self.hidden:
            page.document.title = self.title
