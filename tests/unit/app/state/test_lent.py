"""What the page sets for some data goes back with them; what somebody chose since does not."""

import json
from typing import Any

from app.state.lent import Lent
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.sampled_from(["batch", "epochs", "layers"])
LAYERS = [None, [("Flatten", {})], [("Dense", {"units": 10})]]
VALUES = st.integers(0, 3) | st.sampled_from(LAYERS)
CHANGES = st.dictionaries(NAMES, VALUES)
WHOLE = st.fixed_dictionaries(dict.fromkeys(("batch", "epochs", "layers"), VALUES))


@given(WHOLE, CHANGES, CHANGES)
def test_options_go_back_but_for_those_that_were_chosen_since(
    values: dict[str, int], changed: dict[str, int], chosen: dict[str, int]
) -> None:
    before = dict(values)
    lent: Any = Lent()
    used = lent.set(values, **changed)
    assert used == {**before, **changed}
    used.update(chosen)
    expected = {
        name: before[name] if name in changed and value == changed[name] else value
        for name, value in used.items()
    }
    lent = Lent(json.loads(json.dumps(lent.rows)))  # of the page before a reload
    assert lent.give_back(used) == expected
    assert lent.give_back(used) == used, "once"
    assert values == before


@given(WHOLE, CHANGES)
def test_what_a_link_decides_stays(values: dict[str, int], changed: dict[str, int]) -> None:
    lent: Any = Lent()
    used = lent.set(values, **changed)
    lent.forget()
    assert lent.give_back(used) == used
