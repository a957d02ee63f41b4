"""The state of the page: what may follow what, who waits, and what the page says."""

import asyncio

import pytest
from app.state.run import STATES, RunState
from hypothesis import given
from hypothesis import strategies as st

PHASES = {"loading", "ready", "training", "paused", "error"}


def machine() -> RunState:
    return RunState(lambda text: None)


@given(st.lists(st.sampled_from(sorted(STATES)), max_size=40))
def test_only_what_may_follow_is_entered_and_the_phase_is_one_of_five(names: list[str]) -> None:
    state = machine()
    heard: list[str] = []
    state.listen(heard.append)
    entered = []
    for name in names:
        allowed = name in STATES[state.name][1]
        if allowed:
            state.enter(name)
            entered.append(name)
        else:
            before = state.name
            with pytest.raises(RuntimeError, match=f"is {before}: it cannot become {name}"):
                state.enter(name)
            assert state.name == before
        assert state.phase in PHASES
        assert state.under_way <= state.busy
    assert heard == entered


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("training", "Stop the training first."),
        ("stepping", "Stop the training first."),
        ("measuring", "Stop the training first."),
        ("joined", "Leave the federation first."),
    ],
)
def test_what_is_in_progress_refuses_the_rest_with_one_sentence(name: str, sentence: str) -> None:
    said: list[str] = []
    state = RunState(said.append)
    state.enter("ready")
    assert state.free()
    assert said == []
    state.enter(name)
    assert not state.free()
    assert said == [sentence]


@pytest.mark.parametrize("before", ["training", "paused"])
def test_a_run_that_is_stopped_keeps_its_phase_until_it_has_ended(before: str) -> None:
    state = machine()
    for name in ["ready", "training", *(["paused"] if before == "paused" else []), "stopping"]:
        state.enter(name)
    assert state.phase == before
    state.rest()
    assert state.phase == "ready"


@pytest.mark.asyncio
async def test_who_waits_for_a_state_goes_on_when_it_is_entered() -> None:
    state = machine()
    waiting = asyncio.create_task(state.started())
    await asyncio.sleep(0)
    assert not waiting.done()
    state.enter("ready")
    await waiting
    state.enter("training")
    ended = asyncio.create_task(state.until("ready"))
    await asyncio.sleep(0)
    state.enter("stopping")
    await asyncio.sleep(0)
    assert not ended.done()
    state.rest()
    await ended


@pytest.mark.asyncio
async def test_who_waits_learns_why_the_page_failed() -> None:
    state = machine()
    waiting = asyncio.create_task(state.started())
    await asyncio.sleep(0)
    state.fail("The worker is gone: out of memory")
    with pytest.raises(RuntimeError, match="The worker is gone: out of memory"):
        await waiting
    state.rest()
    assert state.phase == "error"
