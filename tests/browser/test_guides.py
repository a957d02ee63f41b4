"""What the documents tell people to type, typed: the start's folder, and the how-tos' code.

`python -m http.server` serves the folder of docs/start.md; the one address of PyScript is replaced
by the copy here. The code of farcall.md and of the how-tos runs on one page with one worker; that
of teams, which start workers of their own, runs in tests/release/test_guides_of_teams.py.
"""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from contextlib import contextmanager

import pytest

from tests.browser.test_examples import (
    EXPECTED,
    PYSCRIPT,
    ROOT,
    complaints,
    runtimes_here,
    shown,
)
from tests.support.documents import DOCS, GUIDES, blocks, joined, printed

VENDOR = ROOT / "static" / "vendor"
SLOW = r"farcall: call .* took [\d.]+ s"
START = ("index.html", "worker.py", "main.py", "config.toml")


@contextmanager
def served(folder):
    """The address of a folder that `python -m http.server` serves."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            port = server.stdout.readline().split(" port ")[1].split()[0]
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def add_pyscript(folder, url):
    """Put the vendored PyScript into a folder; its interpreters come from there too."""
    shutil.copytree(VENDOR / "pyscript", folder / "pyscript")
    [core] = folder.glob("pyscript/core-*.js")
    core.write_text(runtimes_here(core.read_text(), url))
    (folder / "static").mkdir()
    (folder / "static" / "vendor").symlink_to(VENDOR)


@pytest.mark.promise("farcall: features", "On any page")
def test_the_start_s_folder_runs_under_python_s_http_server(site, open_page, tmp_path):
    files = {block.title: block.code for block in blocks(DOCS / "start.md")}
    for name in START:
        (tmp_path / name).write_text(files[name].replace(PYSCRIPT, "./pyscript/core.js"))
    assert PYSCRIPT in files["index.html"]
    (tmp_path / "farcall.zip").symlink_to(VENDOR / "python" / "farcall.zip")
    with served(tmp_path) as url:
        add_pyscript(tmp_path, url)
        page = open_page(url)
        page.wait_for_phase("ready")
        expected = EXPECTED["01-callback"]
        assert {element: shown(page, element) for element in expected} == expected
        assert complaints(page) == []


PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script>
const picked = new DataTransfer();
picked.items.add(new File(["a,1\\nb,2\\n"], "table.csv"));
document.write('<input type="file">');
document.querySelector("input").files = picked.files;
</script>
<script type="module" src="./static/vendor/pyscript/core.js"></script>
<script type="mpy" src="./main.py" config="./counter.toml"></script>
<script type="py" worker name="engine" src="./worker.py" config="./config.toml"></script>
"""
CONFIGURATION = """interpreter = "./static/vendor/{}"
[files]
"./static/vendor/python/farcall.zip" = "./*"
"""
HEAD = """import asyncio
import json
import farcall
from js import document

said = {}

def printing(name):
    lines = said[name] = []
    return lambda *values: lines.append(" ".join([str(value) for value in values]))

"""
TAIL = """
async def main():
    for name, run in RUN:
        try:
            await run(printing(name))
        except Exception as error:
            said[name].append(repr(error) + getattr(error, "remote_traceback", ""))
    document.documentElement.dataset.said = json.dumps(said)

task = asyncio.create_task(main())
"""


def programs(guides):
    """The page's code of each guide that has some of its own, by the guide's name."""
    found = {path.stem: joined(path, "main.py") for path in guides}
    return {name: code for name, code in found.items() if code}


def the_page(guides):
    """One script for the code of guides: a function for each, which is given `print`."""
    parts, names = [HEAD], []
    for name, code in programs(guides).items():
        function = "run_" + name.replace("-", "_")
        parts.append(f"async def {function}(print):\n{textwrap.indent(code, '    ')}\n")
        names.append(f'    ("{name}", {function}),')
    return "\n".join([*parts, "RUN = [", *names, "]", TAIL])


def the_worker(guides):
    """One worker that serves what the workers of guides serve."""
    code = [joined(path, "worker.py") for path in guides]
    all_of_it = "\n".join(code).replace("farcall.serve(", "served.update(")
    return f"import farcall\nserved = {{}}\n{all_of_it}\nfarcall.serve(served)\n"


def said_by(guides, site, open_page, worker):
    """A page that runs the code of guides, and what each of them printed there.

    Args:
        worker: the configuration of the worker.
    """
    site.replace("guides.html", PAGE)
    site.replace("main.py", the_page(guides))
    site.replace("worker.py", the_worker(guides))
    site.replace("config.toml", worker)
    site.replace("counter.toml", CONFIGURATION.format("micropython/micropython.js"))
    site.replace("counter.py", joined(DOCS / "how-to" / "restart.md", "counter.py"))
    page = open_page(site.url + "guides.html")
    return page, json.loads(page.until("document.documentElement.dataset.said", 90))


def said_in_documents(guides):
    """What the comments in each guide's code say that it prints."""
    found = {name: printed(code) for name, code in programs(guides).items()}
    assert all(found.values())
    return found


def test_the_code_of_every_guide_prints_what_it_says(site, open_page):
    worker = CONFIGURATION.format("pyodide/pyodide.mjs")
    page, said = said_by(GUIDES, site, open_page, worker)
    expected = said_in_documents(GUIDES)
    assert len(expected) >= 8
    assert said == expected
    # tracing.md asks to hear of calls that take half a second; on a busy machine some do
    assert [line for line in complaints(page) if not re.search(SLOW, line)] == []
