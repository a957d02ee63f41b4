"""Fields for numbers in the page's language, and what is said of a field that holds a wrong one.

An `<input type="number">` follows the browser's language: where that is English, it drops the comma
of "5,1" before the page sees it.
"""

import js

from app.page import dom, numbers


def number(low, high, step, **attributes):
    """Return a field for a number; `numbers.plain` reads what it holds."""
    kind = "decimal" if low >= 0 else "text"  # a phone's keys for numbers have no minus
    room = 1 + max(len(str(low)), len(str(high)))
    field = dom.make("input", inputmode=kind, autocomplete="off", size=room, **attributes)
    return steps(field, low, high, step)


def steps(field, low, high, step):
    """Let arrow keys step through a field's values; return the field."""

    def stepped(event):
        by = {"ArrowUp": step, "ArrowDown": -step}.get(event.key)
        if by is None:
            return
        event.preventDefault()
        try:
            value = float(numbers.plain(field.value)) + by
        except ValueError:
            return
        field.value = numbers.local(f"{min(max(value, low), high):.6g}")
        for name in ("input", "change"):
            field.dispatchEvent(js.Event.new(name, dom.record({"bubbles": True})))

    dom.on(field, "keydown", stepped, passive=False)
    return field


def refuse(field, note, words):
    """Say what is wrong with a field in the element that belongs to it; '' where nothing is."""
    field.setAttribute("aria-invalid", "true" if words else "false")
    field.setAttribute("aria-describedby", note.id)
    note.textContent = words
