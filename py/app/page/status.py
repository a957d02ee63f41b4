"""The status line, the start-up steps, and the box for notices and failures."""

import io
import sys

from app.language import tr
from app.page import dom, numbers

_SIGNS = {"done": "", "warn": "! ", "failed": "✗ "}
_noticed = set()


def say(text):
    """Write the status line, which screen readers speak."""
    dom.set_text("status", text)


def step(name, state, amount=0, duration=None, note=""):
    """Move a start-up step to active, done, warn or failed, with its size and time."""
    item = dom.document.querySelector('#phases [data-name="' + name + '"]')
    item.dataset.state = state
    parts = [note] if note else []
    if amount:
        parts.append(numbers.size(amount))
    if duration is not None:
        parts.append(numbers.seconds(duration))
    item.querySelector("span").textContent = _SIGNS.get(state, "") + " · ".join(parts)


def started(duration):
    """Fold the start-up steps: all are done."""
    dom.set_text("start", tr("Ready in {time}", time=numbers.seconds(duration)))
    fold(False)


def fold(opened):
    """Open or close the start-up steps."""
    dom.document.querySelector(".start").open = opened


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
    """Show the start-up steps as a fresh page shows them."""
    hide()
    fold(True)
    for item in dom.document.querySelectorAll("#phases li"):
        item.removeAttribute("data-state")
        item.querySelector("span").textContent = ""
    step("runtime", "active")


def notice(title, what, following, details=""):
    """Show a warning; the page goes on."""
    _show(title, what, following, details, False, False)


def refuse(title, what, following, details=""):
    """Say why files are not taken, until others are; the page goes on."""
    notice(title, what, following, details)
    dom.find("failure").classList.add("refused")


def taken():
    """Close the box where it says why other files were not taken."""
    if dom.find("failure").matches(".refused"):
        hide()


def notice_once(key, title, what, following):
    """Show a warning the first time only."""
    if key not in _noticed:
        _noticed.add(key)
        notice(title, what, following)


def failure(title, what, following, details="", restart=False):
    """Show an error that ends everything: what happened and what to do."""
    say(title + ".")
    fold(True)
    for item in dom.document.querySelectorAll('#phases [data-state="active"]'):
        item.dataset.state = "failed"
    _show(title, what, following, details, True, restart)


def hide():
    """Close the box."""
    dom.find("failure").hidden = True


def details_of(error):
    """Return the remote traceback of an error if it has one, else the local one."""
    remote = getattr(error, "remote_traceback", "")
    if remote:
        return str(remote)
    text = io.StringIO()
    sys.print_exception(error, text)
    return text.getvalue()


def begin():
    """Listen to the buttons of the box."""
    dom.click("failure-reload", dom.js.location.reload)
    dom.click("failure-dismiss", hide)
