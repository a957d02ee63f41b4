"""The gallery of the site of documents: each example live, from this site's files, and its code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PAGE = "gallery.md"
MARK = "<!-- examples -->"
VENDOR = "../../../static/vendor"  # as seen from dist/docs/gallery/NAME
RUNTIMES = {"py": f"{VENDOR}/runtime/pyodide.js", "mpy": f"{VENDOR}/micropython/micropython.js"}
CDN = "https://cdn.jsdelivr.net/npm/"
STARTED = 'config: "./config.toml", async: true'
# What stands in the examples, and what it is here. Without a version PyWorker asks the CDN.
ADDRESSES = {
    f"{CDN}@pyscript/core@0.7.31/dist/core.js": f"{VENDOR}/pyscript/core.js",
    f"{CDN}comlink@4.4.2/dist/esm/comlink.mjs": "../comlink.mjs",
    "../../static/vendor": VENDOR,
    STARTED: f'{STARTED}, version: new URL("{RUNTIMES["py"]}", location.href).href',
}
COMLINK = ROOT / "node_modules/comlink/dist/esm/comlink.mjs"
SCRIPT = re.compile(r'<script type="mpy" src="./main.py"(?: config="./(?P<config>[\w.]+)")?>')
KINDS = {".html": "html", ".py": "python", ".js": "js", ".toml": "toml"}


def names() -> list[str]:
    """Return the names of the examples that are pages, in their order."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/index.html"))


def live(name: str) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of an example's files, as they run from this site alone.

    The page's script has a configuration of its own, which names MicroPython.
    """
    files = {path.name: here(path.read_text()) for path in sorted((EXAMPLES / name).iterdir())}
    script = SCRIPT.search(files["index.html"])
    if script:
        own = files.get(script["config"] or "", "")
        files["mpy.toml"] = interpreted(own, "mpy")
        line = '<script type="mpy" src="./main.py" config="./mpy.toml">'
        files["index.html"] = files["index.html"].replace(script.group(), line)
    files["config.toml"] = interpreted(files["config.toml"], "py")
    yield from files.items()


def here(text: str) -> str:
    """Return a text with this site's addresses in place of the example's."""
    theirs = re.compile("|".join(map(re.escape, ADDRESSES)))
    return theirs.sub(lambda found: ADDRESSES[found.group()], text)


def interpreted(configuration: str, kind: str) -> str:
    """Return a configuration with this site's interpreter."""
    lines = [line for line in configuration.split("\n") if not line.startswith("interpreter")]
    return "\n".join([f'interpreter = "{RUNTIMES[kind]}"', *lines])


def section(name: str) -> str:
    """Return an example's part of the gallery: its title, itself, its code."""
    page = (EXAMPLES / name / "index.html").read_text()
    title = page.split("<title>")[1].split("</title>")[0]
    parts = [
        f"## {title}",
        f'<iframe title="{title}" src="gallery/{name}/index.html" loading="lazy" width="100%" '
        'height="240"></iframe>',
    ]
    for path in sorted((EXAMPLES / name).iterdir()):
        kind = KINDS[path.suffix]
        parts.append(f'```{kind} title="{path.name}"\n{path.read_text()}```')
    return "\n\n".join(parts)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the examples' files."""
    for name in names():
        for file, text in live(name):
            files.append(File.generated(config, f"gallery/{name}/{file}", content=text))
    files.append(File.generated(config, "gallery/comlink.mjs", content=COMLINK.read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Put the examples into their page."""
    if page.file.src_uri != PAGE:
        return markdown
    return markdown.replace(MARK, "\n\n".join(section(name) for name in names()))
