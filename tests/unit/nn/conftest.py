"""The C kernels, for tests that ask for `native`; others compute with NumPy."""

from __future__ import annotations

from collections.abc import Iterator

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
