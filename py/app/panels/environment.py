"""What this browser has and what it lacks, in words: the page does without."""

import js

from app.page import dom

COPIES = {
    "waiting": "made once the page rests",
    "installing": "being made",
    "ready": "yes",
    "update": "yes, and a new version waits",
}


def facts():
    """The page's own abilities for the Environment panel; the worker adds its own."""
    return {
        "Offline copy": _copy(),
        "Web Locks": _either(
            getattr(js.navigator, "locks", None),
            "a database that it holds tells when a worker is gone",
        ),
        "Finalizers": _either(
            not dom.root.hasAttribute("data-no-finalizers"),
            "memory of dropped proxies comes back when the page closes",
        ),
        "Memory for settings": _either(_remembers(), "the theme is asked for at each visit"),
    }


def _either(there, otherwise):
    return "yes" if there else "no: " + otherwise


def _copy():
    state = dom.root.dataset.offline or "waiting"
    return COPIES.get(state) or "no: " + (dom.root.dataset.offlineReason or state)


_remembers = js.Function.new("try { return Boolean(localStorage) } catch { return false }")
