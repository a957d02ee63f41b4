"""Garbage collection in the tests of farcall: many of them wait for it, or count what is left."""

import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def only_own_garbage() -> None:
    """Let the collector look at what these tests make, not at what others left: JAX's caches."""
    gc.collect()
    gc.freeze()
