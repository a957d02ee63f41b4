"""Who takes part in a team, whatever happens to its members in whatever order."""

from __future__ import annotations

from farcall.workers.teams.roster import Roster
from hypothesis import given
from hypothesis import strategies as st

HAPPENS = ("ends", "is silent", "is dismissed", "answers", "form", "readmit", "ask again")


@given(st.lists(st.tuples(st.sampled_from(HAPPENS), st.integers(1, 2)), max_size=12))
def test_a_team_says_why_it_is_smaller_whenever_it_is_and_only_then(events):
    roster = Roster()
    roster.begin(0, 3)
    for kind, member in events:
        if kind == "ends":
            if roster.end(member):
                roster.lose(member, "ended")
        elif kind == "is silent" and member not in roster.lost:
            roster.away.add(member)
            roster.lose(member, "was silent")
        elif kind == "is dismissed" and member not in roster.lost:
            roster.dismiss([member], "no memory")
            roster.form()
        elif kind == "answers" and member in roster.away:
            roster.answer(member)
        elif kind == "form":
            roster.form()
        elif kind in ("readmit", "ask again"):
            roster.readmit(kind == "ask again")
    roster.form()
    assert bool(roster.why) is (len(roster.members) < 3)
