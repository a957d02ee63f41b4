"""How many workers a team has where no number is given."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from farcall.workers.teams.team import fitting


@pytest.mark.parametrize(
    ("cores", "memory", "size"),
    [
        (None, None, 1),
        (2, None, 2),
        (16, None, 4),
        (16, 8, 4),
        (4, 2, 4),
        (4, 1, 2),
        (4, 0.5, 1),
        (4, 0.25, 1),
        (2, 1, 2),
    ],
)
def test_a_team_is_as_large_as_cores_and_memory_allow_and_says_what_is_short(cores, memory, size):
    known = {} if memory is None else {"deviceMemory": memory}
    found, why = fitting(SimpleNamespace(hardwareConcurrency=cores, **known))
    assert found == size
    wanted = min(4, cores or 1)
    short = f"{size} of {wanted} workers: the machine has {memory} GiB of memory"
    assert why == (short if size < wanted else "")
