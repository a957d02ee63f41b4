"""Short names of what only a module or a function knows, and the same program."""

import ast

import pytest

from tests.support.naming import compare
from tools import bundle
from tools.bundle import ROOT
from tools.naming import shortened

SHORTENED = {
    "def f(one):\n two = one\n return two": "def f(one):\n a = one\n return a",
    "def f(a):\n two = a.two\n g(a)": "def f(a):\n b = a.two\n g(a)",
    "def f():\n two = 2\n return g(two=two)": "def f():\n two = 2\n return g(two=two)",
    "def f():\n global two\n two = 2": "def f():\n global two\n two = 2",
    'def f():\n two = 2\n return f\'two {two!r:>3} {g(f"{two}", "two")}\'': (
        'def f():\n a = 2\n return f\'two {a!r:>3} {g(f"{a}", "two")}\''
    ),
    "class A:\n two = 2\n def f(self):\n  two = [i for i in self.two]\n  return lambda: two": (
        "class A:\n two = 2\n def f(self):\n  a = [i for i in self.two]\n  return lambda: a"
    ),
    "def _f(one, self):\n return lambda two: one": "def _f(a, self):\n return lambda b: a",
    "def _f(one, two):\n return _f(1, two=two)": "def _f(a, two):\n return _f(1, two=two)",
    "def __f__(one):\n return one": "def __f__(one):\n return one",
    "def two():\n two = one()\n return two": "def two():\n two = one()\n return two",
    "two = 2\ndef f():\n return two": "two = 2\ndef f():\n return two",
    "def f():\n import two\n return two": "def f():\n import two\n return two",
}


@pytest.mark.parametrize("source", SHORTENED)
def test_what_only_a_function_knows_has_a_short_name(source):
    assert shortened(source) == SHORTENED[source]


@pytest.mark.parametrize("folder", ["py/nn/gpu", "py/federation", "py/nn/layers", "tools"])
def test_a_module_with_short_names_is_the_same_program(folder):
    for path in (ROOT / folder).rglob("*.py"):
        source = bundle.bare(path.read_text(), annotated=True)
        found = ast.parse(shortened(source))
        compare(found, ast.parse(source))
        assert ast.dump(found) == ast.dump(ast.parse(source)), path


@pytest.mark.parametrize("change", [("b = a", "a = a"), ("one", "two"), ("return b", "return a")])
def test_the_comparison_of_programs_sees_a_name_that_stands_for_another(change):
    source = "def f(one):\n a = one\n b = a\n return b"
    compare(ast.parse(source), ast.parse(source))
    with pytest.raises(AssertionError):
        compare(ast.parse(source.replace(*change)), ast.parse(source))
