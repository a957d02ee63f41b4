"""`make package`: the wheel says what it needs, and holds what it says."""

import tomllib

import pytest
from nn import compiler
from nn.kernels import library

from tools import package
from tools.environment import GROUPS, pinned

PROJECT = tomllib.loads((package.ROOT / "pyproject.toml").read_text())


def test_what_make_installs_is_pinned_and_what_users_install_is_a_range():
    for group in GROUPS:
        assert all("==" in pin for pin in pinned(group)), group
    for extra, needs in PROJECT["project"]["optional-dependencies"].items():
        assert all(">=" in need and "==" not in need for need in needs), extra


def test_a_package_without_kernels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(package, "ROOT", tmp_path)
    with pytest.raises(package.PackageError, match="run `make kernels bundle`"):
        package.build(tmp_path / "built")


def test_an_installed_package_keeps_its_native_library_in_the_user_s_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "CHECKOUT", tmp_path)
    monkeypatch.setattr(compiler.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = compiler.native_path()
    assert path.parent.parent == tmp_path / "cache" / "farcall"
    with pytest.raises(FileNotFoundError, match=r"run `python -m nn\.kernels\.build`"):
        library.load()


def test_another_version_of_the_sources_has_another_place(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "CHECKOUT", tmp_path)
    first = compiler.native_path()
    (tmp_path / "one.c").write_text("int one(void) { return 1; }\n")
    monkeypatch.setattr(compiler, "SOURCES", tmp_path)
    assert compiler.native_path() != first
