"""The code of the start, the tutorials and the how-tos: complete, short, and the tested one.

tests/browser/test_documents.py runs what needs a browser.
"""

import ast
import builtins
import importlib.util
import re
import subprocess
import sys
import tomllib
import types

import pytest

from tests.support.documents import (
    DOCS,
    GUIDES,
    ROOT,
    TUTORIALS,
    Block,
    blocks,
    joined,
    printed,
    prose,
)

EXAMPLES = ROOT / "examples"
START = {block.title: block.code for block in blocks(DOCS / "start.md") if block.title}
HOW_TOS = GUIDES[1:]
SHORT = [*TUTORIALS, *HOW_TOS]
ALL = [DOCS / "start.md", *SHORT]
ARCHIVES = re.compile(r"\.\./\.\./static/vendor/(?:python|kernels)/")
RUN_HERE = {"train.py", "tables.py", "remote_types.py", "page.py"}
RUN_IN_THE_BROWSER = {"worker.py", "main.py", "counter.py"}


def by_name(path):
    return path.relative_to(DOCS).as_posix()


def test_there_are_three_tutorials_and_a_how_to_for_each_need():
    assert len(TUTORIALS) == 3
    assert {path.stem for path in HOW_TOS} == {
        "cancel", "stream", "files", "page", "pools", "restart", "errors", "types", "tracing",
        "cores", "gpu", "federation", "photographs", "index",
    }  # fmt: skip


@pytest.mark.parametrize("path", SHORT, ids=by_name)
def test_a_tutorial_or_how_to_has_at_most_sixty_lines_of_text(path):
    assert len(prose(path)) <= 60


@pytest.mark.parametrize("path", TUTORIALS, ids=by_name)
def test_a_tutorial_s_files_are_those_of_the_example_that_it_names(path):
    example = EXAMPLES / re.search(r"examples/([\w-]+)\)", path.read_text())[1]
    found = {block.title: block.code for block in blocks(path)}
    theirs = {
        file.name: ARCHIVES.sub("./", file.read_text())
        for file in example.iterdir()
        if file.name in found or file.name != "config.toml"
    }
    assert found == theirs


def test_the_start_s_files_are_the_first_example():
    for name in ("index.html", "worker.py", "main.py", "config.toml"):
        theirs = (EXAMPLES / "01-callback" / name).read_text()
        assert START[name] == ARCHIVES.sub("./", theirs)
    assert tomllib.loads(START["worker.toml"])["packages_cache"] == "passthrough"


def test_the_readme_s_example_is_the_start_s_folder():
    found = {block.title: block.code for block in blocks(ROOT / "README.md") if block.title}
    assert found == {name: code for name, code in START.items() if name != "worker.toml"}


def test_the_readme_shows_a_moving_picture_of_less_than_one_megabyte():
    [name] = re.findall(r'<img src="(.*?webp)"', (ROOT / "README.md").read_text())
    content = (ROOT / name).read_bytes()
    assert b"ANIM" in content[:64]
    assert len(content) < 1_000_000


def lines(code: str) -> list[str]:
    return [line.strip() for line in code.split("\n") if line.strip()]


@pytest.mark.parametrize("path", ALL, ids=by_name)
def test_a_block_from_a_tested_file_has_that_file_s_lines_in_their_order(path):
    for block in blocks(path):
        if block.source:
            theirs = iter(lines((ROOT / block.source).read_text()))
            lost = [line for line in lines(block.code) if line not in theirs]
            assert lost == [], f"{by_name(path)} shows lines that {block.source} has no more"


@pytest.mark.parametrize("path", SHORT, ids=by_name)
def test_every_block_of_python_is_run(path):
    for block in blocks(path):
        if block.kind == "python":
            own = block.title in RUN_HERE | RUN_IN_THE_BROWSER
            assert block.source or own or path in TUTORIALS, block.code


@pytest.mark.parametrize("path", ALL, ids=by_name)
def test_every_command_exists(path):
    makefile = (ROOT / "Makefile").read_text()
    text = path.read_text()
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert importlib.util.find_spec(module), module


async def ran(block: Block) -> tuple[list[str], dict[str, object]]:
    """Run a block with `await` at its top; what it prints, and its names."""
    said: list[str] = []
    names: dict[str, object] = {"__builtins__": builtins}
    names["print"] = lambda *values: said.append(" ".join(map(str, values)))
    code = compile(block.code, block.title, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await types.FunctionType(code, names)()
    return said, names


@pytest.mark.asyncio
async def test_the_program_for_the_gpu_runs_where_there_is_none():
    [block] = [b for b in blocks(DOCS / "how-to" / "gpu.md") if b.title == "train.py"]
    said, names = await ran(block)
    assert printed(block.code) == ['what trained: the GPU\'s name, or "cpu: " and why']
    assert said == [names["model"].device]
    assert names["name"] or said[0].startswith("cpu: ")


def test_the_stubs_are_those_that_the_how_to_shows(tmp_path):
    path = DOCS / "how-to" / "types.md"
    (tmp_path / "tables.py").write_text(joined(path, "tables.py"))
    command = [sys.executable, "-m", "farcall.stubs", "tables:Table"]
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'py'}"}
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    theirs = iter(lines(made.stdout))
    assert [line for line in lines(joined(path, "remote_types.py")) if line not in theirs] == []
    compile(joined(path, "page.py"), "page.py", "exec")


@pytest.mark.parametrize("path", [DOCS / "teaching.md"], ids=by_name)
def test_the_teacher_s_panels_are_those_that_a_link_can_hide(path):
    from app.state import settings

    named = re.search(r"Names: (.*?)\.$", path.read_text(), re.MULTILINE | re.DOTALL)[1]
    assert tuple(re.findall(r"`([\w-]+)`", named)) == settings.PANELS
