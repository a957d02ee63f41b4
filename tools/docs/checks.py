"""Checks of the site of documents: public names, links, and that nothing is fetched elsewhere."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import BuildError

ELSEWHERE = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"?https?://[^\s>]*"
)
LINK = re.compile(r"<[a-z]+\b[^>]*?\s(?:href|src|srcset)=\"?([^\"\s>]+)")
ANCHOR = re.compile(r"\s(?:id|name)=\"?([^\"\s>]+)")
LIVE = "gallery"  # the examples, which use the files of the site around; a browser opens them


def on_post_build(config: MkDocsConfig) -> None:
    """Compare the written files.

    Raises:
        BuildError: a public name lacks, a link leads nowhere, or a page fetches something from
            another host.
    """
    site = Path(config.site_dir).resolve()
    (site / "404.html").unlink(missing_ok=True)  # its links are those of a site at a host's root
    if broken := sorted(set(nowhere(site))):
        raise BuildError("docs: links lead nowhere:\n" + "\n".join(broken))
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


def nowhere(site: Path) -> Iterator[str]:
    """Yield each link whose file, or anchor in a page, is not in the site."""
    pages = [path for path in site.rglob("*.html") if LIVE not in path.relative_to(site).parts]
    texts = {page: page.read_text() for page in pages}
    anchors = {page: set(ANCHOR.findall(text)) for page, text in texts.items()}
    for page, text in texts.items():
        for link in LINK.findall(text):
            address, anchor = urldefrag(link)
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            target = (page.parent / unquote(address)).resolve() if address else page
            target = target / "index.html" if target.is_dir() else target
            there = target.is_file() and unquote(anchor) in {"", *anchors.get(target, ())}
            if not there:
                yield f"{page.relative_to(site)}: {link}"
