"""Keep the lists of modules in pyscript.toml and worker.toml complete.

PyScript's `[files]` takes one line a module and knows no patterns.  The lines between

    # <files: py/farcall py/app !py/app/worker.py>
    # </files>

are written from the folder: every *.py under the first paths, less what `!` names (a file, a
folder, or a pattern).  `python -m tools.files --check` says whether they are up to date.
"""

from __future__ import annotations

import argparse
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATIONS = ("pyscript.toml", "worker.toml")
SECTION = re.compile(r"^# <files: (?P<paths>[^>\n]+)>\n(?P<lines>.*?)^# </files>\n?", re.M | re.S)


def complete(text: str, root: Path) -> str:
    """The configuration with its lists written anew.

    Raises:
        ValueError: no section is marked, or a named path does not exist.
    """
    if not SECTION.search(text):
        raise ValueError("expected a section '# <files: py/...>' ... '# </files>', found none")
    return SECTION.sub(lambda section: rewritten(section, root), text)


def rewritten(section: re.Match[str], root: Path) -> str:
    paths = section["paths"].split()
    modules = listed(paths, root)
    lines = "".join(f'"./{path}" = "./{path.removeprefix("py/")}"\n' for path in modules)
    return f"# <files: {section['paths']}>\n{lines}# </files>\n"


def listed(paths: list[str], root: Path) -> list[str]:
    """Every module under `paths`, as sorted posix paths relative to `root`."""
    refused = [path[1:] for path in paths if path.startswith("!")]
    found = set()
    for path in paths:
        if path.startswith("!"):
            continue
        place = root / path
        if not place.exists():
            raise ValueError(f"{path}: named in a files section, but does not exist")
        modules = place.rglob("*.py") if place.is_dir() else [place]
        found |= {module.relative_to(root).as_posix() for module in modules}
    return sorted(path for path in found if not any(covers(name, path) for name in refused))


def covers(name: str, path: str) -> bool:
    return path == name or path.startswith(name.rstrip("/") + "/") or fnmatchcase(path, name)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if outdated")
    options = parser.parse_args(arguments)
    for name in CONFIGURATIONS:
        path = ROOT / name
        before = path.read_text()
        try:
            after = complete(before, ROOT)
        except ValueError as error:
            raise SystemExit(f"files: {name}: {error}") from None
        if after == before:
            continue
        if options.check:
            raise SystemExit(f"files: {name} does not list every module; run `make files`")
        path.write_text(after)
        sys.stdout.write(f"files: {name} lists {after.count('.py')} modules now\n")


if __name__ == "__main__":
    main()
