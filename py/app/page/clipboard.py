"""The clipboard: copies a text, or selects it where copying is not allowed."""

import js

from app.page import status


async def copy(text, element, done, kind="text"):
    """Copy a text and say so; without permission select it where it is shown.

    Args:
        text: to copy.
        element: that shows it.
        done: what to say when it is copied.
        kind: of text, for the sentence that says it is selected.
    """
    try:
        await js.navigator.clipboard.writeText(text)
    except Exception:  # no permission, no secure context
        element.hidden = False
        js.getSelection().selectAllChildren(element)
        status.say(f"Copying is not allowed here: the {kind} is selected, press Ctrl+C.")
        return
    status.say(done)
