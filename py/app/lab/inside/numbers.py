"""Numbers and formulas as the lens writes them."""

from __future__ import annotations

from app.language import tr

MINUS = "\u2212"
PLACES = 3
"""Digits after the point in sums."""


def exact(value: float, places: int = PLACES) -> str:
    """Return a number with so many digits after the point, fewer where it is large."""
    value = float(value)
    size = abs(value)
    digits = max(0, places - (size >= 100) - (size >= 1000) - (size >= 10_000))
    text = f"{size:.{digits}f}" if size < 1e6 else f"{size:.3e}"
    negative = value < 0 and any(c in "123456789" for c in text)
    return MINUS * negative + text.replace(".", tr("."))


def short(value: float) -> str:
    """Return a number for the cell of a table."""
    return exact(value, 2)
