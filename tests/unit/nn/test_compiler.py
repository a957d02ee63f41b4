"""Compiling the kernels: only when needed, atomically, with helpful errors."""

import pytest
from nn import compiler
from nn.compiler import BuildError, Target
from nn.kernels import build

from tools import build_kernels


@pytest.fixture
def sources(tmp_path, monkeypatch):
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "one.c").write_text("int one(void) { return 1; }\n")
    monkeypatch.setattr(compiler, "SOURCES", folder)
    return folder


@pytest.fixture
def target(tmp_path, sources):
    return Target(tmp_path / "made" / "one.so", ("cc", "-O1", "-fPIC"), ("cc", "-shared"))


def test_builds_once_and_again_when_a_source_changes(target, sources):
    target.build()
    assert target.path.exists()
    assert target.is_current()
    (sources / "one.c").write_text("int one(void) { return 2; }\n")
    assert not target.is_current()


def test_other_flags_are_another_library(target):
    target.build()
    other = Target(target.path, (*target.compile, "-g"), target.link)
    assert not other.is_current()


def test_a_refused_source_says_where_and_leaves_the_old_library(target, sources):
    target.build()
    before = target.path.read_bytes()
    (sources / "one.c").write_text("int one(void) { return }\n")
    with pytest.raises(BuildError, match=r"one\.c:1"):
        target.build()
    assert target.path.read_bytes() == before
    assert not target.is_current()


def test_no_sources_is_an_error(target, sources):
    (sources / "one.c").unlink()
    with pytest.raises(BuildError, match="expected C files"):
        target.build()


@pytest.mark.parametrize("main", [build.main, build_kernels.main])
def test_a_missing_compiler_ends_the_command_which_says_how_to_get_one(main, monkeypatch, capsys):
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    assert main([]) == 1
    assert "-m pip install ziglang" in capsys.readouterr().err


def test_the_wasm_builds_are_dynamic_libraries_that_import_memory_only():
    assert build_kernels.main(["wasm"]) == 0
    for name in ("relaxed", "simd"):
        bytes_ = (build_kernels.WASM / f"{name}.so").read_bytes()
        assert bytes_[:4] == b"\0asm"
        assert b"dylink.0" in bytes_[:24]
        for symbol in (b"memset", b"memcpy", b"malloc", b"expf"):
            assert symbol not in bytes_
