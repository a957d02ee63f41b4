"""The site of documents: pages that lie elsewhere in the repository, or are made from code."""

from __future__ import annotations

import importlib
import inspect
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
MOVED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
PACKAGES = ("farcall", "farcall.comlink", "nn", "federation")
REFERENCES = {"py/farcall/comlink/__init__.py": "reference/farcall.comlink.md"}
LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)]*)?\)")


def modules(packages: Iterable[str] = PACKAGES) -> list[str]:
    """Return the packages, each with the modules among its public names that have names too."""
    found = []
    for package in packages:
        home = importlib.import_module(package)
        values = {name: getattr(home, name) for name in sorted(home.__all__)}
        inner = [name for name, value in values.items() if _has_names(value)]
        found += [package, *modules(f"{package}.{name}" for name in inner)]
    return found


def _has_names(value: object) -> bool:
    return inspect.ismodule(value) and hasattr(value, "__all__")


def reference(module: str) -> str:
    """Return a page with each public name of a module."""
    home = importlib.import_module(module)
    parts = [f"# {module}", inspect.getdoc(home) or ""]
    for name in sorted(home.__all__, key=str.lower):
        parts += [f'<a id="{module}.{name}"></a>', described(name, getattr(home, name))]
    return "\n\n".join(parts) + "\n"


def described(name: str, value: Any) -> str:
    """Return the part of a public name: heading, signature, docstring."""
    if inspect.isclass(value) or inspect.isfunction(value):
        if "<locals>" not in value.__qualname__:
            return f"::: {value.__module__}.{value.__qualname__}"
        signature = f"```python\n{name}{inspect.signature(value)}\n```"
        return f"## {name}\n\n{signature}\n\n{inspect.getdoc(value) or ''}"
    if not inspect.ismodule(value):
        return f"## {name}\n\n`{value!r}`"
    first = (inspect.getdoc(value) or "").split("\n\n")[0]
    linked = f"\n\n[Its names]({value.__name__}.md)" if _has_names(value) else ""
    return f"## {name}\n\n{first}{linked}"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of the reference, and those for teaching."""
    lessons = sorted(path.name for path in (ROOT / "docs" / "lessons").glob("*.md"))
    listed = {
        "Reference": [{name: f"reference/{name}.md"} for name in modules()],
        "Teaching": ["teaching.md", *(f"lessons/{name}" for name in lessons)],
    }
    for entry in config.nav or []:
        for section in entry.keys() & listed.keys():
            entry[section] = listed[section]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for source, target in MOVED.items():
        text = (ROOT / source).read_text()
        files.append(File.generated(config, target, content=text))
    for module in modules():
        path = f"reference/{module}.md"
        files.append(File.generated(config, path, content=reference(module)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn a link into the repository into the page that it became, or into its text."""
    place = page.file.src_uri
    if place.startswith("reference/"):
        return markdown
    moved = place in MOVED.values()
    base = "" if moved else posixpath.join("docs", posixpath.dirname(place))

    def turned(found: re.Match[str]) -> str:
        text, target, anchor = found.group(1), found.group(2), found.group(3) or ""
        if "://" in target or target.startswith("mailto:"):
            return found.group()
        path = posixpath.normpath(posixpath.join(base, target))
        page_of = MOVED.get(path) or REFERENCES.get(path) or path.removeprefix("docs/")
        if page_of != path:
            return f"[{text}]({posixpath.relpath(page_of, posixpath.dirname(place))}{anchor})"
        return text if path == text else f"{text} (`{path}`)"

    return LINK.sub(turned, markdown).replace('"docs/images/', '"images/')
