"""docs/embedding.md, followed word by word: its blocks are built into sites, and those driven.

The sites stand on another port than the demo, which is another origin.
"""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.embed import HEAD, trust
from tests.support.interpreters import configuration
from tools.serve import ROOT

pytestmark = pytest.mark.light

DOCUMENT = (ROOT / "docs" / "embedding.md").read_text()
DEMO, HOST = "https://demo.example/farcall/", "https://docs.example.org"
FRAME = "document.querySelector('farcall-demo').frame"
BUTTON = "document.querySelector('farcall-demo').shadowRoot.querySelector('button')"
SMALL = ["options", "draw", "training"]


def block(title, demo):
    """A block of the document, with the address of a real demo."""
    [text] = re.findall(rf'```\w+ title="{re.escape(title)}"\n(.*?)```', DOCUMENT, re.S)
    origin = DEMO.removesuffix("/farcall/")
    return text.replace(DEMO, demo.url).replace(origin, demo.url.rstrip("/"))


def run(folder, *command):
    """Run a module of this Python's; any warning of a builder is an error."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def trains(page, least=80):
    """Train inside the frame that the driver is in, to at least so many percent right; the panels
    that it shows."""
    page.wait_for_phase("ready")
    assert page.execute_script("return location.hash") == "#epochs=1"
    page.click("Train")
    page.wait_for_phase("training")
    page.wait_for_phase("ready", timeout=90)
    page.until(lambda: page.number("val_accuracy") >= least)
    return page.execute_script(  # in a narrow frame, a button opens the options
        "return [...document.querySelectorAll('[data-panel]')].filter((e) =>"
        " [...(e.closest('.fold') ?? e).children].some((part) => part.checkVisibility()))"
        ".map((e) => e.id)"
    )


def presses_and_trains(page, least=80):
    page.until(BUTTON).click()
    page.switch_to.frame(page.until(FRAME))
    return trains(page, least)


@pytest.fixture
def served(open_site, open_page):
    """Open the first page of a folder, served from an origin of its own."""
    return lambda folder: open_page(open_site(Path(folder)).url)


@pytest.mark.light(60_000)
def test_plain_html(site, served, tmp_path):
    (tmp_path / "index.html").write_text(HEAD + block("plain.html", site))
    assert presses_and_trains(served(tmp_path), 97) == SMALL


def test_a_plain_frame(site, served, tmp_path):
    (tmp_path / "index.html").write_text(HEAD + block("frame.html", site))
    page = served(tmp_path)
    page.switch_to.frame(page.find_element("css selector", "iframe"))
    assert trains(page) == SMALL
    assert page.execute_script("return document.documentElement.dataset.theme") == "light"


def built_by_mkdocs(folder, site):
    """The folder of the site that MkDocs makes of the blocks."""
    (folder / "docs").mkdir()
    for name in ("mkdocs.yml", "docs/index.md"):
        (folder / name).write_text(block(name, site))
    with (folder / "mkdocs.yml").open("a") as file:  # its theme asks a CDN, and is offline here
        file.write("theme: {name: mkdocs, highlightjs: false}\n")
    run(folder, "mkdocs", "build", "--strict", "--quiet")
    return folder / "site"


def test_mkdocs_leaves_the_tags_of_its_page_as_they_are(site, tmp_path):
    lines = block("docs/index.md", site).splitlines()
    tags = [line for line in lines if line.startswith("<")]
    made = (built_by_mkdocs(tmp_path, site) / "index.html").read_text()
    assert any("<farcall-demo" in tag for tag in tags)
    assert [tag for tag in tags if tag not in made] == []
    assert f"{site.url}static/embed.js" in made


@pytest.mark.soak
def test_a_mkdocs_site(site, served, tmp_path):
    page = served(built_by_mkdocs(tmp_path, site))
    assert "a network learns to read digits" in page.text
    assert presses_and_trains(page) == SMALL


@pytest.mark.soak
def test_a_sphinx_site(site, served, tmp_path):
    for name in ("conf.py", "index.rst"):
        (tmp_path / name).write_text(block(name, site))
    run(tmp_path, "sphinx", "-W", "-q", ".", "built")
    page = served(tmp_path / "built")
    page.expect_console("favicon.ico")
    assert "a network learns to read digits" in page.text
    assert presses_and_trains(page) == SMALL


@pytest.mark.soak
def test_a_jupyter_cell(site, served, tmp_path):
    """What the cell shows in a notebook: its value's HTML, as Jupyter's own library makes it."""
    (tmp_path / "cell.py").write_text(
        block("cell.py", site).replace("IFrame(\n", "shown = IFrame(\n")
    )
    (tmp_path / "show.py").write_text("from cell import shown\nprint(shown._repr_html_())\n")
    (tmp_path / "index.html").write_text(HEAD + run(tmp_path, "show"))
    page = served(tmp_path)
    page.switch_to.frame(page.find_element("css selector", "iframe"))
    assert trains(page) == SMALL


ELEMENT = '<farcall-demo src="{url}" hide="analysis"></farcall-demo><p id="found"></p>'


def found(page):
    words = page.until("document.getElementById('found').textContent", 90)
    accuracy, digit, size = re.findall(r"[\d.]+", words)
    assert float(accuracy) > 0.6
    assert int(digit) in range(10)
    assert int(size) > 100_000


def test_a_python_page_drives_it(site, open_site, open_page):
    host = open_site()
    trust(site, host)
    host.replace("main.py", block("main.py", site))
    host.replace("main.toml", configuration("mpy", "./"))
    host.replace(
        "host.html",
        f'{HEAD}<script src="{site.url}static/embed.js"></script>{ELEMENT.format(url=site.url)}'
        '<script type="module" src="./static/vendor/pyscript/core.js"></script>'
        '<script type="mpy" src="./main.py" config="./main.toml"></script>',
    )
    found(open_page(host.url + "host.html"))


def test_a_javascript_page_drives_it(site, open_site, open_page, tmp_path):
    host = open_site(tmp_path)
    trust(site, host)
    comlink = ROOT / "node_modules/comlink/dist/esm/comlink.min.mjs"
    (tmp_path / "comlink.mjs").write_bytes(comlink.read_bytes())
    (tmp_path / "main.mjs").write_text(block("main.mjs", site))
    (tmp_path / "index.html").write_text(
        f'{HEAD}<script src="{site.url}static/embed.js"></script>{ELEMENT.format(url=site.url)}'
        '<script type="module" src="./main.mjs"></script>'
    )
    page = open_page(host.url)
    page.expect_console("comlink.min.mjs.map")
    found(page)


def test_the_line_that_lists_drivers_is_the_one_in_the_page(site):
    line = re.search(r"^    (<meta name=\"farcall-drivers\" .*>)$", DOCUMENT, re.M)[1]
    empty = re.sub(r'content="[^"]*"', 'content=""', line)
    assert empty in (ROOT / "index.html").read_text()
    assert HOST in html.unescape(line)


def test_every_panel_that_can_be_hidden_is_listed():
    from app.state import settings

    [row] = re.findall(r"^\| `hide` \| .*?`([\w\- ]+)`", DOCUMENT, re.M)
    assert tuple(row.split()) == settings.PANELS
