"""The lines that show this page in another one: docs/embedding.md says what they do."""

from app.state import settings


def text(base, config="", hide=(), compact=False, theme="auto", height=""):
    """Return the HTML.

    Args:
        base: address of the folder of this page.
        config: options, as in the address after '#'.
        hide: panels to leave out.
        compact: show the drawing, the network and the curves alone.
        theme: auto, light or dark.
        height: a CSS length; '' is as high as what is shown.
    """
    words = ["compact"] if compact else []
    words += [
        f'{name}="{_escape(value)}"'
        for name, value in (
            ("hide", ",".join(hide)),
            ("config", config),
            ("theme", "" if theme == "auto" else theme),
            ("height", height),
        )
        if value
    ]
    script = f'<script src="{_escape(base)}static/embed.js" defer></script>'
    return f"{script}\n<{' '.join(['farcall-demo'] + words)}></farcall-demo>"


def length(text):
    """Return a height as CSS has it: '' or so many pixels.

    Raises:
        ValueError: expected, received.
    """
    if not text.strip():
        return ""
    try:
        pixels = int(text)
    except ValueError:
        pixels = 0
    if not 200 <= pixels <= 4000:
        raise ValueError(f"expected nothing, or 200 to 4000 pixels, got {text!r}")
    return f"{pixels}px"


def _escape(text):
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


THEMES = settings.FRAME["theme"][3]
PANELS = settings.PANELS
