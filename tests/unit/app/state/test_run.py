"""The state of the page: what may follow what, who waits, and what the page says."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from app.state.run import STATES, RunState
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[4]
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


@given(st.lists(st.sampled_from(["run", "replace"]), min_size=1, max_size=8))
def test_who_waits_for_a_turn_learns_whether_a_run_began_meanwhile(wishes: list[str]) -> None:
    async def ask() -> None:
        state, found = machine(), []
        state.enter("ready")
        turn = state.turn()

        async def wait(wish: str) -> None:
            assert state.free(), "all are asked for while nothing is in progress"
            async with turn as free:
                found.append(free)
                assert free == (state.name == "ready")
                await asyncio.sleep(0)
                if free and wish == "run":
                    state.enter("training")

        await asyncio.gather(*[wait(wish) for wish in wishes])
        runs = wishes.index("run") + 1 if "run" in wishes else len(wishes)
        assert found == [True] * runs + [False] * (len(wishes) - runs)
        assert not turn.locked()

    asyncio.run(ask())


def uses() -> Iterator[tuple[str, ast.AsyncWith]]:
    """Every `async with ... .replacing` of the page, and where it is."""
    for path in (ROOT / "py/app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncWith) and "replacing" in ast.unparse(node.items[0]):
                yield f"{path.name}:{node.lineno}", node


def test_what_replaces_the_data_or_the_network_looks_after_its_wait_whether_it_may() -> None:
    found = dict(uses())
    assert len(found) > 7
    for place, node in found.items():
        assert ast.unparse(node.items[0]).endswith(" as free"), place
        asked = [part for part in node.body if isinstance(part, ast.If)]
        assert "free" in ast.unparse(asked[0].test), place
