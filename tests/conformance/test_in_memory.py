"""The suite between two sessions of one CPython."""

import farcall
import pytest
from farcall.endpoints import memory_pair

from tests.conformance import served, suite


@pytest.fixture(autouse=True)
def _ours(monkeypatch):
    """Both sides share one registry here, and so its classes."""
    monkeypatch.setattr(served, "Point", suite.Point)
    monkeypatch.setattr(served, "Length", suite.Length)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", sorted(suite.CASES))
async def test_behaviour_holds_between_two_cpython_sessions(name):
    near, far = memory_pair()
    session = farcall.Session(far, served.far(lambda: session), name="near")
    engine = await farcall.connect(near, timeout=5, name="far")
    await suite.run(name, engine)
    farcall.session(engine).close()
