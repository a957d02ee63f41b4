"""The command that runs every check: what it says of the seconds."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.support import seconds
from tools import check

TESTS = {
    "one/test_a.py": "def test_a(): ...\ndef test_b(): ...",
    "two/test_c.py": "def test_c(): ...",
}
PLUGIN = """
import os, pathlib
from tests.support import seconds
def pytest_configure(config):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(seconds.Seconds(pathlib.Path(os.environ[seconds.VARIABLE])))
"""


def test_the_seconds_of_all_workers_are_summed_by_module(tmp_path):
    for name, text in TESTS.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    (tmp_path / "conftest.py").write_text(PLUGIN)
    target = tmp_path / "seconds.json"
    environment = {**os.environ, "PYTHONPATH": str(check.ROOT), seconds.VARIABLE: str(target)}
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-q", "-p", "xdist", "-n", "2", "-p", "no:cacheprovider", "."]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    found = json.loads(target.read_text())
    assert {module: tests for module, (tests, _) in found.items()} == {
        "one/test_a.py": 2, "two/test_c.py": 1,
    }  # fmt: skip
    assert all(took > 0 for _, took in found.values())


def test_the_table_has_every_stage_and_every_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "SECONDS", tmp_path)
    (tmp_path / "unit.json").write_text(
        json.dumps({"tests/unit/nn/b.py": [3, 1.5], "tests/a/c.py": [1, 2]})
    )
    (tmp_path / "timed.json").write_text(json.dumps({"tests/a/d.py": [4, 0.2]}))
    assert check.table({"unit tests": 12.3}, check.folders()) == [
        "    12.3 s  unit tests",
        "     2.2 s  tests/a, 5 tests",
        "     1.5 s  tests/unit/nn, 3 tests",
    ]


@pytest.mark.parametrize("name", ["unit tests", "tests of tests/unit/nn", "../elsewhere", "a.b"])
def test_the_seconds_of_any_stage_are_in_one_folder(name):
    assert check.seconds_file(name).parent == check.SECONDS


def test_bytecode_is_written_whatever_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "SECONDS", tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    command = [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"]
    words, _ = check.begun("bytecode", command).communicate()
    assert words == "False\n"


def test_every_module_with_a_timed_test_is_among_the_timed_ones():
    marked = re.compile(r"^(pytestmark = |@).*\btimed\b", re.MULTILINE)
    modules = check.ROOT.glob("tests/**/test_*.py")
    timed = {path for path in modules if marked.search(path.read_text())}
    assert {path.relative_to(check.ROOT).as_posix() for path in timed} == set(check.timed())
