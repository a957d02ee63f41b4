"""Which unit tests `make check` runs for what changed."""

import pytest

from tools import lint


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
    changed = ["py/nn/model.py", "py/nn/layers/dense.py", "tests/unit/nn/test_guide.py"]
    assert lint.mirrored(changed, root) == ["tests/unit/nn"]


def test_a_test_module_is_run_alone_and_documents_by_their_tests(root):
    changed = ["tests/unit/nn/test_guide.py", "docs/nn.md", "index.html"]
    assert lint.mirrored(changed, root) == [
        "tests/unit/documents",
        "tests/unit/nn/test_guide.py",
        "tests/unit/tools/test_words.py",
    ]


def test_the_tests_of_documents_exist():
    assert all((lint.ROOT / path).exists() for path in lint.DOCUMENTS)
