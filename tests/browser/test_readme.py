"""The README's training example, run as it stands there by the page's own interpreter."""

import re
import textwrap

import pytest

from tools.serve import ROOT

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module" src="./static/vendor/pyscript/core.js"></script>
<script type="mpy" src="./example.py" config="./pyscript.toml"></script>
<script type="py" worker name="engine" src="./py/app/worker.py" config="./worker.toml"></script>
<output id="steps"></output><output id="said"></output>
"""
FRAME = """
import asyncio
import farcall

steps = []

def say(name, text):
    js.document.getElementById(name).textContent = text

def draw_loss(batch, logs):
    steps.append(logs["loss"])

async def main():
    try:
{code}
        say("steps", f"{{len(steps)}} {{steps[0]}} {{steps[-1]}}")
        say("said", str((await history.history)["accuracy"][0]))
    except Exception as error:
        say("said", repr(error))

asyncio.create_task(main())
"""


def example():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    [code] = [block for block in blocks if "model.fit" in block]
    return code


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Callbacks of the main thread called from the worker, in order",
)
def test_the_ten_lines_train(site, open_page):
    unpacking = (ROOT / "py/app/main.py").read_text().split("from app.page import dom")[0]
    code = textwrap.indent(example(), " " * 8)
    site.replace("example.html", PAGE)
    site.replace("example.py", unpacking + FRAME.format(code=code))
    page = open_page(site.url + "example.html")
    said = page.until("document.getElementById('said').textContent", 60)
    steps, first, last = page.execute_script(
        "return document.getElementById('steps').textContent"
    ).split()
    assert int(steps) == 469
    assert float(last) < float(first)
    assert float(said) > 0.8
