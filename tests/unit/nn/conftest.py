"""The C kernels, for tests that ask for `native`; others compute with NumPy. And the seeds."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import nn
import pytest
from nn import kernels
from nn.kernels import library

from tools import build_kernels


@pytest.fixture(scope="session")
def compiled() -> None:
    """The library for this machine, built if it is not up to date."""
    assert build_kernels.main(["native"]) == 0


@pytest.fixture(scope="module")
def native(compiled: None) -> Iterator[library.Library]:
    """That library, used by all tests of a module, and no longer."""
    before = library.active
    yield kernels.load()
    library.active = before


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Give a test the same weights whenever it runs: with some, training diverges."""
    nn.set_random_seed(7)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(7)
