"""The docstrings of the engine: what is public says what it is, and whom it follows."""

import inspect

import nn
import pytest

DEFINED = ("activations", "constraints", "initializers", "layers", "losses", "metrics",
           "optimizers", "regularizers", "schedules")  # fmt: skip


@pytest.mark.parametrize("name", DEFINED)
def test_every_package_says_what_its_definitions_follow(name):
    package = getattr(nn, name)
    assert "Keras 3 (`keras." in package.__doc__.split("\n\n")[0]
    bare = [c for c, cls in getattr(package, "CLASSES", {}).items() if not vars(cls).get("__doc__")]
    assert bare == []


def test_every_public_name_of_the_engine_says_what_it_is():
    members = [
        (f"{name}.{member}", getattr(cls, member))
        for name, cls in ((name, getattr(nn, name)) for name in nn.__all__)
        if isinstance(cls, type)
        for member, value in vars(cls).items()
        if member[0] != "_" and callable(value)
    ]
    assert len(members) > 150
    named = [(name, getattr(nn, name)) for name in nn.__all__]
    assert [name for name, value in named + members if not inspect.getdoc(value)] == []
