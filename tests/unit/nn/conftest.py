"""The C kernels, for tests that ask for `native`; others compute with NumPy. And the seeds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import nn
import numpy as np
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


STATES: dict[tuple[str, str], Any] = {}


@pytest.fixture(autouse=True)
def seeded(request: pytest.FixtureRequest) -> None:
    """Give a test the same numbers whenever it runs, and after whichever tests: with some weights
    training diverges, or two engines round further apart than a test allows."""
    nn.set_random_seed(7)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(7)
    for name, value in vars(request.module).items():
        if isinstance(value, np.random.Generator):
            before = STATES.setdefault((request.module.__name__, name), value.bit_generator.state)
            value.bit_generator.state = before
