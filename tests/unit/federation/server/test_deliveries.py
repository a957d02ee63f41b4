"""Messages that a gateway hands out again, against a model: whoever asks in whatever order."""

import pytest
from federation import wire
from federation.server import deliveries
from federation.server.deliveries import TIMES, Deliveries
from hypothesis import given
from hypothesis import strategies as st

NONE = wire.encode("PullMessagesResponse", {})
KEYS = ("a", "b")


def handed(number):
    """What a SuperLink answers that has a message."""
    found = {"messages_list": [{"metadata": {"message_id": str(number)}}]}
    tree = [{"object_id": str(number), "children": []}]
    return wire.encode("PullMessagesResponse", found | {"message_object_trees": tree})


STEPS = st.tuples(
    st.sampled_from(("new", "none", "arrived")), st.sampled_from(KEYS), st.integers(0)
)


@given(st.lists(STEPS, max_size=40))
def test_each_message_is_handed_out_until_its_node_has_it_and_to_no_other(steps):
    kept, made = Deliveries(), []
    waiting = {key: [] for key in KEYS}  # the messages of a node, those given last at the end
    times = {}
    for kind, key, number in steps:
        if kind == "new":
            made.append(handed(len(made)))
            times[made[-1]] = 1
            waiting[key].append(made[-1])
            assert kept.out(key, made[-1]) == made[-1]
        elif kind == "arrived" and made:
            place = number % len(made)
            kept.arrived(key, str(place))
            waiting[key] = [body for body in waiting[key] if body != made[place]]
        elif kind == "none":
            body = waiting[key].pop(0) if waiting[key] else NONE
            assert kept.out(key, NONE) == body
            if body != NONE:
                times[body] += 1
                waiting[key] += [body] * (times[body] < TIMES)
        assert kept.held == sum(map(len, waiting["a"] + waiting["b"]))


def test_what_is_held_has_a_limit_and_the_oldest_goes_first(monkeypatch):
    monkeypatch.setattr(deliveries, "HELD", 3 * len(handed(0)))
    kept = Deliveries()
    for number in range(5):
        kept.out("a", handed(number))
    assert [kept.out("a", NONE) for _ in range(4)] == [handed(n) for n in (2, 3, 4, 2)]
    assert kept.held == 3 * len(handed(0))


NO_MESSAGE = {
    "nothing": b"", "a page": b"<!doctype html>",
    "no metadata": wire.encode("PullMessagesResponse", {"messages_list": [{}]}),
}  # fmt: skip


@pytest.mark.parametrize("body", NO_MESSAGE.values(), ids=NO_MESSAGE)
def test_what_has_no_message_is_passed_on_and_not_held(body):
    kept = Deliveries()
    assert kept.out("a", body) == body
    assert (kept.held, kept.out("a", b"")) == (0, b"")
