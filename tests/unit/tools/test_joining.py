"""Statements on one line each, and the same program."""

import ast

import pytest

from tools import bundle
from tools.bundle import ROOT
from tools.joining import joined

JOINED = {
    "f(\n1,\n2,\n)\ng()\n": "f(1,2)\n\n\n\ng()\n",
    "a = (\n1,\n)\nb\n": "a = (1,)\n\n\nb\n",
    "a = x[\n1,\n]\nb = [\n1,\n]\n": "a = x[1,]\n\n\nb = [1]\n\n\n",
    "if (\na\nor b\n):\n pass\n": "if (a or b):\n\n\n\n pass\n",
    "f('''\na,\n''',\n)\n": "f('''\na,\n''')\n\n",
    "f('a'\n'b',\n)\nd = {\n1: 2,\n}": "f('a''b')\n\n\nd = {1: 2}\n\n",
    "def f(\na=1,\n*,\nb,\n):\n return (\na, b\n)": "def f(a=1,*,b):\n\n\n\n\n return (a, b)\n\n",
    "a = (\nlambda x, y: 1,\n)\n": "a = (lambda x, y: 1,)\n\n\n",
    "x = f'{a(1,)}' if b else (\nnot\nc\n)": "x = f'{a(1,)}' if b else (not c)\n\n\n",
}


@pytest.mark.parametrize("source", JOINED)
def test_a_statement_of_several_lines_has_one_and_the_others_stay_empty(source):
    assert joined(source).rstrip("\n") == JOINED[source].rstrip("\n")


def begins(tree):
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)]


@pytest.mark.parametrize("folder", ["py/nn/gpu", "py/federation", "py/nn/layers", "tools"])
def test_each_statement_of_the_same_program_begins_on_the_line_that_it_had(folder):
    for path in (ROOT / folder).rglob("*.py"):
        source = bundle.thin(bundle.bare(path.read_text(), annotated=True))
        found = joined(source)
        trees = ast.parse(found), ast.parse(source)
        assert ast.dump(trees[0]) == ast.dump(trees[1]), path
        assert begins(trees[0]) == begins(trees[1]), path
        assert found.count("\n") == source.count("\n"), path
