"""The page's style: what it weighs, and that all of it is used."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MOST, LATER = 16_000, 4_000
"""Bytes of the style that the page begins with, and of each that a panel brings which is opened."""
SHEETS = [*(ROOT / "static").glob("*.css"), *(ROOT / "static/languages").glob("*.css")]
FIRST = [sheet for sheet in SHEETS if sheet.name in (ROOT / "index.html").read_text()]
STYLE = "".join(re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL) for sheet in SHEETS)
MADE_ELSEWHERE = re.compile(r"u-\w+|uplot")  # by the charts' library


def users() -> str:
    """Return the text of all files that make elements of the page."""
    files = [ROOT / "index.html", ROOT / "playground.html", *(ROOT / "static").glob("*.js")]
    files += [*(ROOT / "py/app").rglob("*.py"), *(ROOT / "py/app").rglob("*.js")]
    files += (ROOT / "py/nn/utils/diagram").glob("*.py")
    return "\n".join(file.read_text() for file in files)


def test_the_style_is_at_most_16_kb():
    first = sum(sheet.stat().st_size for sheet in FIRST)
    assert 0 < first <= MOST
    assert all(sheet.stat().st_size <= LATER for sheet in SHEETS if sheet not in FIRST)


def test_every_class_id_and_token_of_the_style_is_used():
    text = users()
    selectors = re.sub(r"[\w-]+:[^;{}]*;", "", STYLE)
    names = set(re.findall(r"[.#]([a-zA-Z][\w-]*)", selectors))
    assert len(names) > 50
    unused = {name for name in names if not re.search(rf"(?<![\w-]){name}(?![\w-])", text)}
    assert {name for name in unused if not MADE_ELSEWHERE.fullmatch(name)} == set()
    tokens = set(re.findall(r"(--[\w-]+):", STYLE))
    read = set(re.findall(r"var\((--[\w-]+)", STYLE))
    assert {
        name for name in tokens - read if f'"{name[2:]}"' not in text and name not in text
    } == set()
    assert read <= tokens | set(re.findall(r"--[\w-]+", text))
