"""Set-up: pinned packages are installed once; a second run needs no network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import browser, environment

SCRIPT = Path(environment.__file__)


@pytest.mark.parametrize("group", environment.GROUPS)
def test_every_python_package_is_pinned_exactly(group):
    for pin in environment.pinned(group):
        assert re.fullmatch(r"[\w.-]+==[\w.]+", pin), pin


def test_groups_contain_one_another():
    groups = ("serve", "federation", "test", "bench")
    serve, federation, test, bench = (set(environment.pinned(group)) for group in groups)
    assert serve < federation < test < bench


def test_a_set_up_that_is_complete_installs_nothing():
    """This environment is complete. With an empty PATH npm is not found, so it stays unchanged."""
    command = [sys.executable, str(SCRIPT), "serve"]
    empty = {"PATH": ""}  # without PATH, Python would search the system's default one
    done = subprocess.run(command, capture_output=True, text=True, env=empty, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_linked_folder_of_packages_is_refused_and_kept(tmp_path):
    shared = tmp_path / "shared"
    (shared / "package").mkdir(parents=True)
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "node_modules").symlink_to(shared)
    with pytest.raises(SystemExit, match="node_modules is a link"):
        environment.install_node(tmp_path, development=False)
    assert (shared / "package").is_dir()


def test_an_unknown_group_is_refused():
    done = subprocess.run([sys.executable, str(SCRIPT), "x"], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"serve | vendor | federation | test | bench" in done.stderr


def test_lock_files_name_no_host():
    """npm would go to the host that the lock's author used, whatever the machine's own is."""
    locks = [environment.ROOT / "package-lock.json", *environment.ROOT.glob("tests/*/*-lock.json")]
    assert len(locks) == 2
    assert [lock for lock in locks if '"resolved"' in lock.read_text()] == []


def test_a_missing_browser_is_named_where_it_cannot_be_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    names = ["chromium", "chromedriver", "firefox-esr", "WebKitWebDriver", "Xvfb"]
    assert browser.missing() == names
    assert not browser.can_install()
    with pytest.raises(SystemExit, match=r"apt-get install chromium .* webkit2gtk-driver xvfb"):
        browser.main()


APT_GET = """#!/bin/sh
echo "$*" >> "$0.log"
for last; do :; done
test "$last" != "$REFUSED"
"""


@pytest.fixture
def apt_get(monkeypatch, tmp_path):
    """A package manager that installs nothing, and refuses one package; what it was asked for."""
    program = tmp_path / "apt-get"
    program.write_text(APT_GET)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    def asked(refused):
        monkeypatch.setenv("REFUSED", refused)
        browser.install()
        return [line.split()[-1] for line in Path(f"{program}.log").read_text().splitlines()]

    return asked


def test_a_program_that_the_tests_can_do_without_may_be_refused(apt_get):
    assert apt_get("openmpi-bin")[-2:] == ["openmpi-bin", "chromium-headless-shell"]


def test_a_browser_that_is_refused_ends_the_installation(apt_get):
    with pytest.raises(SystemExit, match=r"apt-get install .* xvfb` failed \(1\)"):
        apt_get("xvfb")
