"""A few seconds of `make soak`, so that it can be relied on when somebody starts an hour of it."""

import pytest

from tests.soak.__main__ import PAIRINGS, ZERO, prepare, soak
from tests.support.site import Site

SEED = 20_261_121


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", PAIRINGS)
def test_random_programs_with_random_faults_end_as_their_model_says(site: Site, kind: str) -> None:
    prepare(site)
    found = soak(site, kind, seconds=6, seed=SEED)
    assert found["state"] == "done", found["notes"]
    assert {name: found[name] for name in ZERO} == dict.fromkeys(ZERO, 0), found["notes"]
    assert found["calls"] > 20
    assert sum(found["faults"].values()) > 5
