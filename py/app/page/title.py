"""The title of the tab: while the page is hidden, it says how far a run is."""

from app.page import dom

PAUSE = 1.0  # seconds between two changes: browsers redraw a title rarely


class Title:
    """Changes the title of a hidden tab; in view it has its own."""

    def __init__(self):
        self.own = dom.document.title
        self.changed = 0.0
        dom.on(dom.document, "visibilitychange", lambda _: self._turned())

    @property
    def hidden(self):
        """Whether the tab is out of view."""
        return dom.document.hidden

    def show(self, words):
        """Put words before the title, at most once a PAUSE."""
        if dom.now() - self.changed >= PAUSE:
            self.changed = dom.now()
            self.end(words)

    def end(self, words):
        """Put the last words before the title, where they stay until the tab is in view."""
        if self.hidden:
            dom.document.title = words + " · " + self.own

    def _turned(self):
        if not self.hidden:
            dom.document.title = self.own
