"""The page that is downloaded with a network: its pins, and names that could end a script."""

import json
import re
from html.parser import HTMLParser

import pytest
from app.state import web_page

from tools.serve import ROOT

TEMPLATE = (ROOT / "static" / "web-page.html").read_text()
PARTS = ["predict.zip", "training.zip"]


class Scripts(HTMLParser):
    """Collects scripts: attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self._attributes: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._attributes = dict(attrs) if tag == "script" else None

    def handle_data(self, data: str) -> None:
        if self._attributes is not None:
            self.found.append((self._attributes, data))

    def handle_endtag(self, tag: str) -> None:
        self._attributes = None


def scripts(text: str) -> list[tuple[dict[str, str | None], str]]:
    parser = Scripts()
    parser.feed(text)
    return parser.found


@pytest.mark.parametrize("names", [list("0123456789"), ["</script>", 'it\'s {a} "cat"', "ö\\n"]])
@pytest.mark.parametrize("shape", [[28, 28, 1], [32, 64, 3]])
def test_its_scripts_are_python_whatever_the_classes_are_called(names, shape) -> None:
    found = scripts(web_page.text(TEMPLATE, names, shape, PARTS))
    assert [attributes.get("type") for attributes, _ in found] == [None, "mpy", "py"]
    (_, _), (_, main), (_, code) = found
    for text in (main, code):
        compile(text, "page", "exec")
    assert json.loads(re.search(r"^NAMES = (.*)$", main, re.MULTILINE)[1]) == names
    assert not re.search(r"@[A-Z]+@", code)


def test_the_pins_are_those_of_the_documents_and_of_the_site() -> None:
    [address] = re.findall(r'src="(https://[^"]+)"', TEMPLATE)
    assert address in (ROOT / "docs/start.md").read_text()
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    worker = scripts(web_page.text(TEMPLATE, [], [28, 28, 1], PARTS))[-1][0]
    config = json.loads(worker["config"] or "")
    assert packages["node_modules/pyodide"]["version"] == config["interpreter"]
    assert list(config["files"]) == ["./predict.zip", "./training.zip"]
