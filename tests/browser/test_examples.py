"""Every folder of examples/ as it stands, with PyScript from here in place of the CDN's.

The one address of PyScript (and Comlink's, where a page uses it) is replaced, nothing else; the
interpreters that PyScript fetches from the CDN come from here too, Pyodide with the demo's
bytecode.
"""

import gzip
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.interpreters import farcall_files
from tools import photographs

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "py" / "farcall"
EXAMPLES = ROOT / "examples"
CDN = "https://cdn.jsdelivr.net/"
PYSCRIPT = f"{CDN}npm/@pyscript/core@0.7.31/dist/core.js"
COMLINK = f"{CDN}npm/comlink@4.4.2/dist/esm/comlink.mjs"
MICROPYTHON = "static/vendor/micropython/micropython.js"
RUNTIMES = {
    "npm/@micropython/micropython-webassembly-pyscript@${e}/micropython.mjs": MICROPYTHON,
    "pyodide/v${e}/full/pyodide.mjs": "static/vendor/runtime/pyodide.js",
}
# That it is ready, and that a worker of a page without isolation has no `document`.
PYSCRIPTS_OWN = r"PyScript Ready|Unable to use `window` or `document` in worker"
EXPECTED = {
    "01-callback": {"found": ["Sense and Sensibility", "Sanditon"], "progress": "100%"},
    "02-stream": {"primes": ["2", "3", "5", "7", "11", "13", "17", "19", "23", "29", "31"]},
    "03-cancel": {},
    "04-pool": {"squares": [str(i * i) for i in range(10)], "workers": "2 workers"},
    "05-javascript-comlink": {"mean": "3", "progress": "100%"},
    "06-nn-alone": {"answers": ["False", "True", "True", "False"]},
    "07-photograph": {"said": ""},
    "09-csv": {"said": "height 1.75, width 3.00"},
    "10-training": {"accuracy": "100%"},
}
# Opened by tests/browser/test_guides.py, from docs/start.md, and with photographs below.
OPENED_ELSEWHERE = {"01-callback", "07-photograph"}
APPS = {"08-federation"}  # of Flower, without a page: tests/browser/test_federation.py
FILES = {"index.html", "config.toml", "worker.py"}
TABLE = "height,width\n" + "1.5,2\n2,4\n" * 1500


@pytest.fixture
def examples(site):
    """The site, with each CDN address replaced by the vendored copy."""
    for path in sorted(EXAMPLES.glob("*/*.*")):
        text = path.read_text()
        local = text.replace(PYSCRIPT, f"{site.url}static/vendor/pyscript/core.js")
        local = local.replace(COMLINK, f"{site.url}node_modules/comlink/dist/esm/comlink.mjs")
        assert CDN not in local, path
        if local != text:
            site.replace(path.relative_to(ROOT).as_posix(), local)
    [core] = (ROOT / "static/vendor/pyscript").glob("core-*.js")
    site.replace(core.relative_to(ROOT).as_posix(), lambda text: runtimes_here(text, site.url))
    return site


def runtimes_here(text, url):
    for theirs, ours in RUNTIMES.items():
        assert CDN + theirs in text
        text = text.replace(CDN + theirs, url + ours)
    return text


def shown(page, element):
    """Text of an element, or of its items."""
    return page.execute_script(
        "const e = document.getElementById(arguments[0]);"
        "const texts = [...e.children].map((item) => item.textContent);"
        "return e.tagName === 'OL' ? texts : e.textContent",
        element,
    )


def complaints(page):
    """What the console has beside PyScript's own words."""
    said = [entry["message"] for entry in page.console()]
    return [text for text in said if not re.search(PYSCRIPTS_OWN, text)]


def read_a_table(page, folder):
    """Pick a table that is stopped at its first progress, then one with a word, then a good one."""
    field, said = page.find_element("id", "picked"), "document.getElementById('said').textContent"
    page.execute_script(
        "const bar = document.getElementById('progress'), stop = document.getElementById('stop');"
        "new MutationObserver((_, watch) => { watch.disconnect(); stop.click(); })"
        ".observe(bar, { attributes: true })"
    )
    for name, text, words in (
        ("long.csv", TABLE, "stopped"),
        ("words.csv", "height\ntall\n", "could not convert string to float: 'tall'"),
        ("table.csv", TABLE, "height 1.75"),
    ):
        (folder / name).write_text(text)
        field.send_keys(str(folder / name))
        page.until(f'{said}.includes("{words}")', 60)


def shows_what_it_should(page, name, folder):
    """Use an example's page as its visitor does.

    Args:
        folder: where the files that the visitor picks may be written.
    """
    if name == "03-cancel":
        page.until("Number(document.getElementById('ticks').textContent) >= 3", 60)
        page.button("Stop").click()
    page.wait_for_phase("ready")
    if name == "09-csv":
        read_a_table(page, folder)
    assert {element: shown(page, element) for element in EXPECTED[name]} == EXPECTED[name]
    if name == "03-cancel":
        assert re.fullmatch(r"cancelled in the worker at \d+", shown(page, "end"))
    if name == "06-nn-alone":
        assert float(shown(page, "loss")) < 0.1
    if name == "10-training":
        lines = [text.split(": loss ") for text in shown(page, "losses")]
        assert [epoch for epoch, _ in lines] == [f"epoch {n}" for n in range(0, 100, 10)]
        assert float(lines[-1][1]) < 0.1 * float(lines[0][1])
    assert complaints(page) == []


@pytest.mark.promise("farcall: features", "On any page")
@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Callbacks of the main thread called from the worker, in order",
)
@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in OPENED_ELSEWHERE])
def test_an_example_shows_what_it_should(examples, open_page, tmp_path, name):
    page = open_page(f"{examples.url}examples/{name}/index.html")
    shows_what_it_should(page, name, tmp_path)


PHOTOGRAPHS = {"chelsea.png": "Egyptian cat", "coffee.png": "espresso", "rocket.jpg": "missile"}


def names(page):
    """The five lines that the example shows, once they are there."""
    page.until("document.querySelectorAll('#names li').length == 5", 60)
    assert shown(page, "said") == ""
    return shown(page, "names")


@pytest.mark.promise("nn: files and guides", "Photographs: five names in three lines")
def test_the_example_names_what_photographs_and_the_webcam_show(examples, open_page, tmp_path):
    page = open_page(f"{examples.url}examples/07-photograph/index.html")
    shows_what_it_should(page, "07-photograph", tmp_path)
    field = page.find_element("id", "file")
    for photograph, name in PHOTOGRAPHS.items():
        page.execute_script("document.getElementById('names').replaceChildren()")
        field.send_keys(str(photographs.FOLDER / photograph))
        assert name in " ".join(names(page)[:2])
    page.execute_script("document.getElementById('names').replaceChildren()")
    page.button("Webcam").click()
    assert all(line.endswith(" %") for line in names(page))
    page.execute_script("document.getElementById('names').replaceChildren()")
    field.send_keys(str(EXAMPLES / "README.md"))
    page.until("document.getElementById('said').textContent.includes('cannot read it')", 60)


def test_every_example_is_tested_and_has_four_files_and_lists_archives():
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} == {*EXPECTED, *APPS}
    for name in EXPECTED:
        found = {path.name for path in (EXAMPLES / name).iterdir()} - {"main.toml"}
        assert found in (FILES | {"main.py"}, FILES | {"main.js"})
        listed = tomllib.loads((EXAMPLES / name / "config.toml").read_text())["files"]
        assert {Path(file).suffix for file in listed} <= {".zip", ".so"}


def test_the_pinned_pyscript_is_the_one_that_is_tested():
    package = (ROOT / "package.json").read_text()
    assert f'"@pyscript/core": "{PYSCRIPT.split("core@")[1].split("/")[0]}"' in package
    assert f'"comlink": "{COMLINK.split("comlink@")[1].split("/")[0]}"' in package


def test_the_example_s_page_side_has_at_most_twenty_lines_of_code():
    code = (EXAMPLES / "01-callback" / "main.py").read_text().split("\n")
    assert len([line for line in code if line.strip()]) <= 20


def test_the_docs_state_the_core_s_size():
    """Gzipped as one stream, as a wheel or an HTTP/2 connection sends it, within 1 kB."""
    left_out = ("comlink/", "stubs", "workers/teams/")
    names = [name for name in farcall_files() if not name.startswith(left_out)]
    text = b"".join((PACKAGE / name).read_bytes() for name in names)
    stated = re.search(r"core is ([\d.]+) kB gzipped", (ROOT / "docs" / "farcall.md").read_text())
    assert stated is not None
    assert abs(float(stated[1]) - len(gzip.compress(text, 9)) / 1000) < 1
