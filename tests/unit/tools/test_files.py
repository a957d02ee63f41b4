"""The lists of modules: complete, sorted, and never silently empty."""

import tomllib

import pytest

from tools import files


@pytest.fixture
def root(tmp_path):
    for name in ("py/a/__init__.py", "py/a/b.py", "py/a/deep/c.py", "py/app/main.py", "py/a/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def section(paths, lines=""):
    return f'name = "x"\n[files]\n# <files: {paths}>\n{lines}# </files>\n"./k.so" = "./k.so"\n'


def test_lists_every_module_and_nothing_else(root):
    text = files.complete(section("py/a py/app"), root)
    listed = tomllib.loads(text)["files"]
    assert listed == {
        "./k.so": "./k.so",
        "./py/a/__init__.py": "./a/__init__.py",
        "./py/a/b.py": "./a/b.py",
        "./py/a/deep/c.py": "./a/deep/c.py",
        "./py/app/main.py": "./app/main.py",
    }


@pytest.mark.parametrize(
    "refusal", ["!py/a/deep", "!py/a/deep/", "!py/a/deep/*", "!py/a/deep/c.py"]
)
def test_leaves_out_what_is_refused(root, refusal):
    listed = tomllib.loads(files.complete(section(f"py/a {refusal}"), root))["files"]
    assert set(listed) == {"./k.so", "./py/a/__init__.py", "./py/a/b.py"}


def test_takes_single_modules(root):
    listed = tomllib.loads(files.complete(section("py/app/main.py"), root))["files"]
    assert set(listed) == {"./k.so", "./py/app/main.py"}


def test_writes_over_what_was_listed_and_is_stable(root):
    once = files.complete(section("py/a", '"./py/a/gone.py" = "./a/gone.py"\n'), root)
    assert "gone" not in once
    assert files.complete(once, root) == once


def test_a_file_without_a_section_is_refused(root):
    with pytest.raises(ValueError, match="expected a section"):
        files.complete("[files]\n", root)


def test_a_path_that_is_not_there_is_named(root):
    with pytest.raises(ValueError, match="py/gone: named in a files section"):
        files.complete(section("py/gone"), root)


@pytest.mark.parametrize("name", files.CONFIGURATIONS)
def test_the_repository_lists_are_complete(name):
    text = (files.ROOT / name).read_text()
    assert files.complete(text, files.ROOT) == text
