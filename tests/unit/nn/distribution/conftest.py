"""The engine's C kernels, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nn import kernels
from nn.kernels import library

from tools import build_kernels


@pytest.fixture(scope="module", autouse=True)
def native() -> Iterator[None]:
    assert build_kernels.main(["native"]) == 0
    before = library.active
    kernels.load()
    yield
    library.active = before
