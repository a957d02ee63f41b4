"""One name for each panel: in the page's HTML, in py/app/panels and in py/app/lab."""

import ast
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[4]
# Parts of a panel that have an id and can be hidden or folded, but no code of their own.
PARTS = {"editor": "network", "code-panel": "network", "failure-details": "failure"}
# Shown by the page as a whole: app.page_app through app.page.status.
NO_PANEL = {"failure"}
# Panels that are no section: their element is a figure, a form or a list.
SMALL = {"glance", "options", "buckets", "history", "picture", "hardware", "own", "search"}
# What needs nothing of the worker.
WITHOUT_WORKER = {"options"}
# What a part of a panel asks, which comes when it is wanted: see py/app/teaching/project.py.
OF_PARTS = {"projects"}
# Modules of py/app/lab that are no panel's half: the object that holds the halves, and the parts
# of `models`, `own` and `data` that run on CPython too.
OTHERS = {"__init__", "start", "precisions", "epochs", "classes", "kept_classes", "reading"}


class Ids(HTMLParser):
    """Collects ids: of sections and details, and of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.folds: set[str] = set()
        self.all: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        identifier = dict(attrs).get("id")
        if identifier:
            self.all.add(identifier)
            if tag in ("section", "details"):
                self.folds.add(identifier)


def ids() -> Ids:
    parser = Ids()
    parser.feed((ROOT / "index.html").read_text())
    return parser


def modules(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / "py/app" / folder).glob("*.py")} - {"__init__"}


def served() -> set[str]:
    """The attributes that the object served as `lab` sets."""
    tree = ast.parse((ROOT / "py/app/lab/start.py").read_text())
    [lab] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Lab"]
    names = {n.attr for n in ast.walk(lab) if isinstance(n, ast.Attribute) and stores(n)}
    return {name for name in names if not name.startswith("_")} - {"base"}


def stores(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def test_every_section_of_the_page_has_a_module_of_its_name() -> None:
    found = ids()
    assert found.folds - set(PARTS) - NO_PANEL | SMALL == modules("panels")
    assert modules("panels") <= found.all
    assert set(PARTS) | NO_PANEL <= found.folds


def test_the_workers_half_of_a_panel_has_the_panels_name() -> None:
    panels = modules("panels") - WITHOUT_WORKER
    assert modules("lab") - OTHERS == panels | OF_PARTS
    assert served() == panels | OF_PARTS
