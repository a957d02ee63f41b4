"""Fixtures of nn's tests that the lab's tests need too."""

from tests.unit.nn.conftest import compiled, native

__all__ = ["compiled", "native"]
