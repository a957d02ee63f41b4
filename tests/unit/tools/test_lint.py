"""Which unit tests `make check` runs for what changed."""

import pytest

from tools import lint

# Modules of tests that a change of one source may choose; all of tests/unit/nn has 89.
MODULES = 15


@pytest.fixture
def root(tmp_path):
    for folder in ("nn/layers", "nn/io", "farcall", "tools"):
        (tmp_path / "tests/unit" / folder).mkdir(parents=True)
    (tmp_path / "tests/unit/nn/test_guide.py").write_text("")
    return tmp_path


def test_a_source_is_tested_by_the_folder_that_mirrors_its_own(root):
    assert lint.mirrored(["py/nn/layers/dense.py"], root) == ["tests/unit/nn/layers"]


def test_a_source_is_tested_by_its_comparison_with_keras_too(root):
    (root / "tests/unit/nn/against_keras/layers").mkdir(parents=True)
    (root / "tests/unit/nn/against_keras/losses").mkdir()
    assert lint.mirrored(["py/nn/layers/dense.py", "py/nn/losses/base.py"], root) == [
        "tests/unit/nn/against_keras/layers",
        "tests/unit/nn/against_keras/losses",
        "tests/unit/nn/layers",
    ]


def test_a_source_without_a_folder_of_tests_is_tested_by_the_nearest_one_above(root):
    assert lint.mirrored(["py/nn/io/onnx/read.py"], root) == ["tests/unit/nn/io"]
    assert lint.mirrored(["py/app/main.py"], root) == []


def test_a_folder_inside_another_is_not_run_twice(root):
    changed = ["tests/unit/nn/layers/conftest.py", "tests/unit/nn/layers/test_dense.py"]
    (root / changed[1]).write_text("")
    assert lint.mirrored(changed, root) == ["tests/unit/nn/layers"]


def test_a_source_beside_packages_is_tested_by_modules_alone_and_the_rest_is_said(root):
    compared = root / "tests/unit/nn/against_keras"
    for name, text in (
        ("test_values.py", "from nn.fitting import fit"),
        ("test_more.py", "from nn import fitting"),
        ("test_others.py", "import nn\nfrom nn.layers.base import Layer"),
        ("layers/test_dense.py", "import nn.fitting"),
    ):
        (compared / name).parent.mkdir(parents=True, exist_ok=True)
        (compared / name).write_text(text)
    (root / "tests/unit/nn/layers/test_dense.py").write_text("")
    inside = ["tests/unit/nn/against_keras/layers", "tests/unit/nn/layers"]
    chosen = {
        "py/nn/fitting.py": ["against_keras/test_more.py", "against_keras/test_values.py"],
        "py/nn/__init__.py": ["against_keras/test_more.py", "against_keras/test_others.py"],
    }
    for path, comparisons in chosen.items():
        modules = [f"tests/unit/nn/{name}" for name in [*comparisons, "test_guide.py"]]
        assert lint.mirrored([path], root) == modules
        assert lint.left([path], root) == inside
    assert lint.left([*chosen, "py/nn/layers/dense.py"], root) == []
    assert lint.left(["tests/unit/nn/test_guide.py"], root) == []


def test_no_source_alone_chooses_more_than_fifteen_modules_of_tests():
    sources = sorted(path.relative_to(lint.ROOT) for path in (lint.ROOT / "py").rglob("*.py"))
    modules = {str(path): chosen_modules(str(path)) for path in sources}
    assert {path: count for path, count in modules.items() if count > MODULES} == {}


def chosen_modules(source):
    paths = [lint.ROOT / path for path in lint.mirrored([source])]
    return sum(1 if path.is_file() else len(list(path.rglob("test_*.py"))) for path in paths)


def test_a_test_module_is_run_alone_and_documents_by_their_tests(root):
    changed = ["tests/unit/nn/test_guide.py", "docs/nn.md", "index.html"]
    assert lint.mirrored(changed, root) == [
        "tests/unit/documents",
        "tests/unit/nn/test_guide.py",
        "tests/unit/tools/test_words.py",
    ]


def test_the_tests_of_documents_exist():
    assert all((lint.ROOT / path).exists() for path in lint.DOCUMENTS)
