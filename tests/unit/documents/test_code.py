"""The code of the start, the tutorials and the how-tos: complete, short, and the tested one.

tests/browser/test_guides.py runs what needs a browser.
"""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.documents import (
    DOCS,
    GUIDES,
    HOW_TOS,
    ROOT,
    TEAM_GUIDES,
    TUTORIALS,
    blocks,
    joined,
    printed,
    prose,
    run,
)

EXAMPLES = ROOT / "examples"
START = {block.title: block.code for block in blocks(DOCS / "start.md") if block.title}
SHORT = [*TUTORIALS, *HOW_TOS]
ALL = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
ARCHIVES = re.compile(r"\.\./\.\./static/vendor/(?:python|kernels)/")
WITH_CODE = [path for path in ALL if any(block.kind != "sh" for block in blocks(path))]

HERE = "tests/unit/documents/test_code.py"
EXAMPLE = "tests/browser/test_examples.py"  # the block is the example's whole file, see below
ON_A_PAGE = "tests/browser/test_guides.py"
IN_TEAMS = "tests/release/test_guides_of_teams.py"
IN_ORDER = "tests/unit/nn/test_guide.py"
EMBEDDED = "tests/browser/test_embed_docs.py"
# Which test runs the code of each document: the titles of its blocks, or their kinds.
RUN = {
    "README.md": {HERE: "worker.py main.py index.html config.toml"},
    "docs/embedding.md": {
        EMBEDDED: "plain.html mkdocs.yml docs/index.md conf.py index.rst cell.py frame.html main.py"
        " main.mjs"
    },
    "docs/farcall.md": {ON_A_PAGE: "worker.py main.py"},
    "docs/formats.md": {IN_ORDER: "python"},
    "docs/how-to/cancel.md": {ON_A_PAGE: "worker.py main.py"},
    "docs/how-to/cores.md": {IN_TEAMS: "worker.py main.py"},
    "docs/how-to/errors.md": {ON_A_PAGE: "worker.py main.py"},
    "docs/how-to/files.md": {ON_A_PAGE: "worker.py main.py"},
    "docs/how-to/gpu.md": {HERE: "train.py"},
    "docs/how-to/page.md": {ON_A_PAGE: "worker.py main.py"},
    "docs/how-to/photographs.md": {
        EXAMPLE: "worker.py",
        "tests/unit/nn/applications/test_transfer.py": "learn.py",
    },
    "docs/how-to/pools.md": {EXAMPLE: "worker.py main.py"},
    "docs/how-to/restart.md": {ON_A_PAGE: "counter.py main.py"},
    "docs/how-to/stream.md": {ON_A_PAGE: "worker.py main.py"},
    "docs/how-to/tracing.md": {ON_A_PAGE: "worker.py main.py"},
    "docs/how-to/types.md": {HERE: "tables.py remote_types.py page.py"},
    "docs/nn.md": {IN_ORDER: "python"},
    "docs/start.md": {
        ON_A_PAGE: "index.html worker.py main.py config.toml",
        HERE: "worker.toml",
    },
    "docs/team.md": {
        "tests/unit/nn/distribution/mpi_member.py": "train.py",
        "tests/unit/nn/test_tuner.py": "trial.py",
        IN_TEAMS: "worker.py main.py",
    },
    "docs/tutorials/csv.md": {EXAMPLE: "index.html worker.py main.py"},
    "docs/tutorials/javascript.md": {EXAMPLE: "index.html worker.py main.js"},
    "docs/tutorials/training.md": {EXAMPLE: "index.html worker.py main.py config.toml main.toml"},
}
# What no test runs as it stands, and why.
NOT_RUN = {
    ("docs/federation.md", "python"): "parts of examples/08-federation and of py/app, which run",
    ("docs/formats.md", "js"): "TensorFlow.js's own line; tests/browser/test_formats_tfjs.py loads",
    ("docs/package.md", "python"): "tests/release runs both: engine.py on CPython, pyodide.mjs",
    ("docs/package.md", "toml"): "the start's config.toml",
    ("docs/teaching.md", "html"): "embedding.md's plain.html with other attributes",
}


def by_name(path):
    return path.relative_to(ROOT).as_posix()


def named(block):
    return block.title or block.kind


@pytest.mark.parametrize("path", WITH_CODE, ids=by_name)
def test_all_code_of_a_document_is_run_by_a_test_or_said_not_to_be(path):
    document = by_name(path)
    listed = [name for names in RUN.get(document, {}).values() for name in names.split()]
    listed += [name for where, name in NOT_RUN if where == document]
    assert sorted(listed) == sorted({named(b) for b in blocks(path) if named(b) != "sh"})


@pytest.mark.parametrize("document", RUN)
def test_the_test_that_runs_a_document_reads_it(document):
    shared = {*map(by_name, GUIDES)} if ON_A_PAGE in RUN[document] else set()
    shared |= {*map(by_name, TEAM_GUIDES)} if IN_TEAMS in RUN[document] else set()
    for test in RUN[document]:
        name = Path(document).name
        reads = name in (ROOT / test).read_text() or test == EXAMPLE
        assert reads or document in shared, test


@pytest.mark.parametrize("path", WITH_CODE, ids=by_name)
def test_what_the_examples_test_runs_is_an_example_s_file(path):
    listed = RUN.get(by_name(path), {}).get(EXAMPLE, "").split()
    shown = {block.title for block in blocks(path) if block.source.startswith("examples/")}
    assert path in TUTORIALS or shown == set(listed)


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


@pytest.mark.parametrize("path", WITH_CODE, ids=by_name)
def test_a_block_from_a_file_of_the_repository_is_that_file(path):
    for block in blocks(path):
        if block.source:
            assert block.code == ARCHIVES.sub("./", (ROOT / block.source).read_text())


@pytest.mark.parametrize("path", ALL, ids=by_name)
def test_every_command_exists(path):
    makefile = (ROOT / "Makefile").read_text()
    text = path.read_text()
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert importlib.util.find_spec(module), module


@pytest.mark.asyncio
async def test_the_program_for_the_gpu_runs_where_there_is_none():
    [block] = [b for b in blocks(DOCS / "how-to" / "gpu.md") if b.title == "train.py"]
    said = []
    names = {"print": said.append}
    await run(block, names)
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
