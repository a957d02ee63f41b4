"""What the page is doing, and what went wrong, in words.

`data-phase` of the document is one of loading, ready, training, paused, error: tests and pages that
embed this one rely on it.
"""

import io
import sys

from app.page import dom, numbers

_SIGNS = {"done": "", "warn": "! ", "failed": "✗ "}
_told = set()


def phase(name):
    dom.root.dataset.phase = name


def current_phase():
    return dom.root.dataset.phase


def say(text):
    """One line for everybody; screen readers speak it."""
    dom.write("status", text, dom.find("status"))


def step(name, state, octets=0, duration=None, note=""):
    """Move a start-up step to active, done, warn or failed, with its size and time."""
    item = dom.document.querySelector('#phases [data-name="' + name + '"]')
    item.dataset.state = state
    parts = [note] if note else []
    if octets:
        parts.append(numbers.size(octets))
    if duration is not None:
        parts.append(numbers.seconds(duration))
    item.querySelector("span").textContent = _SIGNS.get(state, "") + " · ".join(parts)


def _show(title, what, following, details, serious, restart):
    box = dom.find("failure")
    box.className = "failure" if serious else "failure notice"
    box.setAttribute("role", "alert" if serious else "status")
    dom.find("failure-title").textContent = title
    dom.find("failure-what").textContent = what
    dom.find("failure-next").textContent = following
    dom.find("failure-details").hidden = not details
    dom.find("failure-details").querySelector("pre").textContent = details
    dom.find("failure-restart").hidden = not restart
    dom.find("failure-reload").hidden = not serious
    dom.find("failure-dismiss").hidden = serious
    box.hidden = False


def again():
    """Start anew, with the start-up's steps as a fresh page shows them."""
    hide()
    phase("loading")
    for item in dom.document.querySelectorAll("#phases li"):
        item.removeAttribute("data-state")
        item.querySelector("span").textContent = ""
    step("runtime", "active")


def notice(title, what, following, details=""):
    """Something is less than it should be, and the page goes on."""
    _show(title, what, following, details, False, False)


def notice_once(key, title, what, following):
    """A notice that is given one time only, whatever happens again."""
    if key not in _told:
        _told.add(key)
        notice(title, what, following)


def failure(title, what, following, details="", restart=False):
    """Something ended. Says what happened and what to do; the phase becomes `error`."""
    phase("error")
    say(title + ".")
    for item in dom.document.querySelectorAll('#phases [data-state="active"]'):
        item.dataset.state = "failed"
    dom.enable("train", "pause", "step", "stop", "reset", "save", "load", "download", when=False)
    _show(title, what, following, details, True, restart)


def hide():
    dom.find("failure").hidden = True


def details_of(error):
    """The remote traceback where there is one, else the local one."""
    remote = getattr(error, "remote_traceback", "")
    if remote:
        return str(remote)
    text = io.StringIO()
    sys.print_exception(error, text)
    return text.getvalue()


def unexpected(error):
    """The last resort: an exception that no panel expected."""
    if current_phase() == "error":
        return
    title = "Something unexpected happened"
    what = type(error).__name__ + ": " + str(error)
    failure(title, what, "Reload the page. A model that you saved is kept.", details_of(error))


def begin():
    dom.handler_of_failures[0] = unexpected
    dom.click("failure-reload", dom.js.location.reload)
    dom.click("failure-dismiss", hide)
