"""What the page is doing, and what went wrong, in words.

`data-phase` of the document is one of loading, ready, training, paused, error: tests and pages that
embed this one rely on it.
"""

import io
import sys

from . import formats, page

_SIGNS = {"done": "", "warn": "! ", "failed": "✗ "}
_told = set()


def phase(name):
    page.root.dataset.phase = name


def current_phase():
    return page.root.dataset.phase


def say(text):
    """One line for everybody; screen readers speak it."""
    page.write("status", text, page.find("status"))


def step(name, state, octets=0, duration=None, note=""):
    """Move a start-up step to active, done, warn or failed, with its size and time."""
    item = page.document.querySelector('#phases [data-name="' + name + '"]')
    item.dataset.state = state
    parts = [note] if note else []
    if octets:
        parts.append(formats.size(octets))
    if duration is not None:
        parts.append(formats.seconds(duration))
    item.querySelector("span").textContent = _SIGNS.get(state, "") + " · ".join(parts)


def _show(title, what, following, details, serious, restart):
    box = page.find("failure")
    box.className = "failure" if serious else "failure notice"
    box.setAttribute("role", "alert" if serious else "status")
    page.find("failure-title").textContent = title
    page.find("failure-what").textContent = what
    page.find("failure-next").textContent = following
    page.find("failure-details").hidden = not details
    page.find("failure-details").querySelector("pre").textContent = details
    page.find("failure-restart").hidden = not restart
    page.find("failure-reload").hidden = not serious
    page.find("failure-dismiss").hidden = serious
    box.hidden = False


def again():
    """Start anew, with the start-up's steps as a fresh page shows them."""
    hide()
    phase("loading")
    for item in page.document.querySelectorAll("#phases li"):
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
    for item in page.document.querySelectorAll('#phases [data-state="active"]'):
        item.dataset.state = "failed"
    page.enable("train", "pause", "step", "stop", "reset", "save", "load", "download", when=False)
    _show(title, what, following, details, True, restart)


def hide():
    page.find("failure").hidden = True


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
    page.handler_of_failures[0] = unexpected
    page.click("failure-reload", page.js.location.reload)
    page.click("failure-dismiss", hide)
