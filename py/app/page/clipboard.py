"""The clipboard: copies a text, or selects it where copying is not allowed."""

import js

from app.language import tr
from app.page import status


async def copy(text, element, done):
    """Copy a text and say so; without permission select it where it is shown.

    Args:
        text: to copy.
        element: that shows it.
        done: what to say when it is copied.
    """
    try:
        await js.navigator.clipboard.writeText(text)
    except Exception:  # no permission, no secure context
        element.hidden = False
        js.getSelection().selectAllChildren(element)
        status.say(tr("Copying is not allowed here: the text is selected, press Ctrl+C."))
        return
    status.say(done)
