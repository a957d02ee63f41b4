"""The C kernels, for all tests of this folder."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def with_kernels(native: object) -> None:
    """Workers compute with C, so what they are compared with does too."""
