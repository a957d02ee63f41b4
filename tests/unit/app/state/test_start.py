"""What a start opens: every case of a link, a run that was left, and a saved model."""

from itertools import product

import pytest
from app.state.start import opened

TIMES = ("2026-11-01", "2026-11-02")
KEPT = [None, *({"saved": time} for time in TIMES)]


@pytest.mark.promise(
    "The page: everybody, any screen, any failure",
    "All options in the address, by one table; what makes no sense is ignored; a link is a curve",
)
@pytest.mark.parametrize(("left", "saved"), list(product(KEPT, KEPT)))
def test_a_link_begins_afresh_whatever_is_kept(left: object, saved: object) -> None:
    assert opened(True, left, saved) == "fresh"


@pytest.mark.parametrize(
    ("left", "saved", "wanted"),
    [
        (None, None, "fresh"),
        (None, TIMES[0], "saved"),
        (TIMES[0], None, "left"),
        (TIMES[0], TIMES[1], "saved"),
        (TIMES[1], TIMES[0], "left"),
    ],
)
def test_without_a_link_the_newest_opens(left: str, saved: str, wanted: str) -> None:
    found = [{"saved": time} if time else None for time in (left, saved)]
    assert opened(False, *found) == wanted
