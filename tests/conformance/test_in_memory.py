"""The suite between two sessions of one CPython."""

import farcall
import pytest
from farcall.endpoints import memory_pair

from tests.conformance import served, suite


@pytest.fixture(autouse=True)
def _ours():
    """Both sides share one registry here; the side that checks must find its own classes there."""
    farcall.register(suite.Point, fields=("x", "y"))
    farcall.register(suite.Length, encode=suite.length_to_wire, decode=suite.length_from_wire)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", sorted(suite.CASES))
async def test_behaviour_holds_between_two_cpython_sessions(name):
    near, far = memory_pair()
    session = farcall.Session(far, served.far(lambda: session), name="near")
    engine = await farcall.connect(near, timeout=5, name="far")
    await suite.run(name, engine)
    farcall.session(engine).close()
