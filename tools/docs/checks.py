"""Checks of the site of documents: each public name is there, nothing is fetched elsewhere."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import BuildError

ELSEWHERE = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"?https?://[^\s>]*"
)


def on_post_build(config: MkDocsConfig) -> None:
    """Compare the written files.

    Raises:
        BuildError: a public name lacks, or a page fetches something from another host.
    """
    site = Path(config.site_dir)
    lacking = []
    for page in sorted((site / "reference").glob("*.html")):
        text = page.read_text()
        names = importlib.import_module(page.stem).__all__
        places = [f"{page.stem}.{name}" for name in names]
        lacking += [place for place in places if f'id="{place}"' not in text]
    if lacking:
        raise BuildError(f"docs: the reference lacks {', '.join(lacking)}")
    for page in sorted(site.rglob("*.html")):
        found = ELSEWHERE.search(page.read_text())
        if found and 'rel="canonical"' not in found.group():
            raise BuildError(f"docs: {page.relative_to(site)} fetches {found.group()}")
