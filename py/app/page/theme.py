"""The theme: light, dark, or that of the system; it is remembered."""

import js

from app.language import tr
from app.page import dom

_KEY = "farcall-theme"
_NAMES = ("auto", "light", "dark")
_LABELS = {"auto": tr("Auto"), "light": tr("Light"), "dark": tr("Dark")}


class Theme:
    """The button that changes the theme, and the listeners to its changes.

    Args:
        framed: whether this page is inside another one, which then chooses the theme.
        wanted: the theme that the other page chooses.
    """

    def __init__(self, framed, wanted):
        self._listeners = []
        kept = wanted if framed else dom.recall(_KEY)
        self._set(kept if kept in _NAMES else "auto")
        dom.click("theme", self._next)
        dark = js.matchMedia("(prefers-color-scheme: dark)")
        dom.on(dark, "change", lambda _: self._changed())

    def listen(self, listener):
        """Call `listener()` when colours change."""
        self._listeners.append(listener)

    def _next(self):
        name = _NAMES[(_NAMES.index(self.name) + 1) % len(_NAMES)]
        self._set(name)
        dom.remember(_KEY, name)
        self._changed()

    def show(self, name):
        """Change to a theme, this time only.

        Raises:
            ValueError: there is no such theme.
        """
        if name not in _NAMES:
            raise ValueError(f"theme: expected one of {', '.join(_NAMES)}, received {name!r}")
        self._set(name)
        self._changed()

    def _set(self, name):
        self.name = name
        if name == "auto":
            dom.root.removeAttribute("data-theme")
        else:
            dom.root.dataset.theme = name
        button = dom.find("theme")
        button.textContent = _LABELS[name]
        button.setAttribute("aria-label", tr("Theme: {name}", name=_LABELS[name]))

    def _changed(self):
        for listener in self._listeners:
            listener()
