"""How a number is made, as HTML for the lens; lens.js puts it, and sets how strong cells are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

STRONGEST = 45
"""Percent of ink in the cell of the largest number."""


def parts(made: Sequence[dict[str, Any]]) -> str:
    """Return the tables, signs and lines of `Explanation.parts`."""
    return "".join(map(_part, made))


def sums(made: Sequence[Sequence[str]]) -> str:
    """Return the lines of `Explanation.sums`."""
    return "<br>".join(f"{escape(label)} <b>{value}</b>" for label, value in made)


def _part(part: dict[str, Any]) -> str:
    if part["kind"] == "sign":
        return f'<span class="sign">{escape(part["text"])}</span>'
    if part["kind"] == "line":
        return f"<span>{escape(part['text'])} <b>{part['value']}</b></span>"
    mark = tuple(part["mark"] or ())
    rows = "".join(
        "<tr>" + "".join(_cell(*pair, (y, x) == mark) for x, pair in enumerate(pairs)) + "</tr>"
        for y, pairs in enumerate(map(zip, part["rows"], part["tones"]))
    )
    return f"<table><caption>{escape(part['title'])}</caption><tbody>{rows}</tbody></table>"


def _cell(text: str, tone: float, marked: bool) -> str:
    kind = ("plus" if tone > 0 else "minus") + " marked" * marked
    return f'<td class="{kind}" data-v="{abs(tone) * STRONGEST:.0f}%">{text}</td>'
