"""Keyboard shortcuts. They are off while a field or the drawing area has the focus."""

from app.page import dom

_BUTTONS = {
    "t": "train",
    " ": "train",
    "p": "pause",
    "s": "step",
    "x": "stop",
    "r": "reset",
    "c": "clear",
}
_FIELDS = "input, select, textarea, summary, button, a, [role=application]"


def begin(correct):
    """Listen; digits call `correct(digit)`."""
    dom.on(dom.document, "keydown", lambda event: _pressed(event, correct), passive=False)
    dom.on(dom.document.querySelector(".skip"), "click", _skip, passive=False)


def _skip(event):
    """Go to the controls; following the link would replace the options in the address."""
    event.preventDefault()
    train = dom.find("train")
    (dom.find("pause") if train.disabled else train).focus()


def _pressed(event, correct):
    if event.ctrlKey or event.altKey or event.metaKey or event.repeat:
        return None
    key = event.key.lower()
    target = event.target
    # A pressed button keeps the focus: letters still work there, Space presses it again.
    busy = target.matches(_FIELDS) and (not target.matches("button") or key == " ")
    if busy and not (target.id == "pad" and key in "c0123456789"):
        return None
    if len(key) == 1 and key in "0123456789":
        return correct(int(key))
    if key in _BUTTONS:
        event.preventDefault()
        _press(key)
    return None


def _press(key):
    button = dom.find(_BUTTONS[key])
    pause = dom.find("pause")
    if key == " " and button.disabled:
        button = pause
    if button and not button.disabled:
        button.click()
