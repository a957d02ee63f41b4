"""A few seconds of `make soak ONLY=rpc`, of a seed of its own."""

import pytest

from tests.soak.__main__ import PAIRINGS, ZERO, prepare, soak
from tests.support.site import Site

SEED = 20_261_121
pytestmark = pytest.mark.soak


@pytest.mark.promise(
    "farcall: nothing leaks",
    "Random programs with random faults, checked against a model: no hangs, leaks or wrong results",
)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", PAIRINGS)
def test_random_programs_with_random_faults_end_as_their_model_says(site: Site, kind: str) -> None:
    """Rounds, not seconds: a busy machine does as many, and more where sabotage cut them short."""
    prepare(site)
    found = soak(site, kind, seconds=0, seed=SEED, rounds=2)
    assert found["state"] == "done", found["notes"]
    assert {name: found[name] for name in ZERO} == dict.fromkeys(ZERO, 0), found["notes"]
    assert found["calls"] > 100
    assert found["comlink_calls"] > 100
    assert sum(found["faults"].values()) > 20
