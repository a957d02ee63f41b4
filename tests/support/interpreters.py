"""Pages with Python on them, and configurations that name every module of farcall."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "py" / "farcall"
PAIRINGS = {"mpy": "MicroPython page, Pyodide worker", "py": "Pyodide page, Pyodide worker"}
# A page on Pyodide takes half a minute; its worker's side is that of the other pairing.
TESTED = [pytest.param(kind, marks=() if kind == "mpy" else pytest.mark.soak) for kind in PAIRINGS]
# Pyodide as the demo has it, with bytecode: as published it compiles its own modules at each start,
# with NumPy for two seconds and a half. The soak, guides and releases run it as published.
INTERPRETERS = {"mpy": "micropython/micropython.js", "py": "runtime/pyodide.js"}
PAGE = """<!doctype html><meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="data:,">
<script type="module" src="{up}static/vendor/pyscript/core.js"></script>
{scripts}
<script type="{kind}" src="./main.py" config="./{kind}.toml"></script>
"""


def farcall_files() -> list[str]:
    """Paths of farcall's modules and of the JavaScript they evaluate, relative to its folder."""
    found = [path for kind in ("*.py", "*.js") for path in PACKAGE.rglob(kind)]
    return sorted(path.relative_to(PACKAGE).as_posix() for path in found)


def configuration(kind: str, up: str, modules: Iterable[str] = ()) -> str:
    """A TOML with every module of farcall, so that no list of them can fall behind.

    Args:
        kind: the interpreter, "mpy" or "py".
        up: path to the repository's root, such as "../../".
        modules: names of further modules beside the page.
    """
    lines = [f'interpreter = "{up}static/vendor/{INTERPRETERS[kind]}"', "[files]"]
    lines += [f'"{up}py/farcall/{name}" = "farcall/{name}"' for name in farcall_files()]
    lines += [f'"./{name}.py" = "{name}.py"' for name in modules]
    return "\n".join(lines)


def page(kind: str, up: str, title: str, scripts: str = "") -> str:
    """HTML that runs ./main.py with ./KIND.toml, after `scripts`, tags of workers."""
    return PAGE.format(kind=kind, up=up, title=title, scripts=scripts)
