"""A team whose leader alone runs `fit`: farcall's members, over pairs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import nn
import numpy as np
import pytest
from farcall.workers.teams.member import Member
from hypothesis import given
from hypothesis import strategies as st
from nn.distribution.program import _in_three
from nn.models import run_control
from nn.training.step import TrainingStep

from tests.support.led import PATIENCE, Faulty, Team, led
from tests.support.team import distributed

random = np.random.default_rng(4)
X = random.standard_normal((41, 6)).astype(np.float32)
Y = random.integers(0, 3, 41)
SHORT = 1.5
"""Seconds after which a member that is blocked counts as silent."""


def network() -> nn.Model:
    nn.set_random_seed(1)
    layers = [nn.Dense(5), nn.BatchNormalization(), nn.ReLU(), nn.Dropout(0.3)]
    model = nn.Sequential([nn.Input((6,)), *layers, nn.Dense(3, activation="softmax")])
    model.compile(nn.SGD(0.1, 0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


async def fit(
    group: Any,
    hook: Callable[[nn.Model, Any], Any] | None = None,
    shards: int | None = None,
    **more: Any,
) -> Any:
    model = distributed(group, network, shards=shards)
    losses = []

    def batch(number: int, logs: Any) -> None:
        losses.append((logs["batch_loss"], logs["batch_accuracy"], logs["size"]))
        if hook is not None:
            hook(model, logs)

    given = {"batch_size": 8, "epochs": 2, "seed": 2, "validation_data": (X[:9], Y[:9])}
    history = await model.fit(X, Y, on_batch_end=batch, **given | more)
    return np.array(losses), history.history, model, model.distribution


def expect_same(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-5)
    assert list(found[1]) == list(wanted[1])
    for name, values in wanted[1].items():
        np.testing.assert_allclose(found[1][name], values, atol=1e-5)
    for a, b in zip(wanted[2].get_weights(), found[2].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def run(made: Any) -> Any:
    return asyncio.run(asyncio.wait_for(made, 15))


def in_team(size: int, train: Callable[[Any], Any], faults: Any = None, **options: Any) -> Any:
    """Return what `train(group)` does in a team's leader."""

    async def team() -> Any:
        async with led(size, faults, **options) as made:
            return await train(made.leader)

    return run(team())


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("shards", [None, 4])
def test_the_leaders_fit_is_that_of_one_worker(size, shards):
    expect_same(in_team(size, lambda group: fit(group, shards=shards)), run(fit(None)))


@pytest.mark.filterwarnings("ignore:.*the data gave")
@pytest.mark.parametrize("steps", [1, 2, 4, 5])
@pytest.mark.parametrize("more", [{}, {"shuffle": False}, {"prefetch": 2}], ids=str)
def test_epochs_of_fewer_steps_go_on_in_a_team_as_in_one_worker(steps, more):
    options = {"steps_per_epoch": steps, "epochs": 7, **more}
    expect_same(in_team(2, lambda group: fit(group, **options)), run(fit(None, **options)))
    plan = {2: {17: "dies"}}
    expect_same(in_team(3, lambda group: fit(group, **options), plan), run(fit(None, **options)))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("dies", "ended"),
        ("blocks", f"was silent for {SHORT} s"),
        ("fails", "failed: MemoryError: no page of memory is left"),
    ],
)
@pytest.mark.parametrize(("size", "shards"), [(2, None), (3, 4), (3, None)])
def test_those_who_remain_train_the_same_network(fault, why, size, shards):
    plan = {size - 1: {17: fault}}  # in the fifth batch
    options = {"patience": SHORT} if fault == "blocks" else {}
    found = in_team(size, lambda group: fit(group, shards=shards), plan, **options)
    left = "1 worker" if size == 2 else "2 workers, ports"
    assert found[3] == f"{left}: one of {size} {why}"
    expect_same(found, run(fit(None)))


@pytest.mark.parametrize("fault", ["dies", "fails"])
def test_the_leader_of_a_team_that_lost_a_member_leads_another_team(fault):
    async def train(leader: Any) -> Any:
        former = leader.team
        await fit(leader)
        leader.renew()
        team = Team([leader, *[Faulty(nn.distribution.join) for _ in range(2)]])
        await team.start(PATIENCE)
        former.cut(1)  # what comes of the former team is too late
        found = await fit(leader)
        for place in (1, 2):
            team.cut(place)
        return found

    found = in_team(2, train, {1: {17: fault}})
    assert found[3] == "3 workers, ports"
    expect_same(found, run(fit(None)))


@pytest.mark.parametrize("last", [*range(1, 9), 17, *range(22, 29)])
def test_a_member_may_die_in_any_exchange(last):
    found = in_team(3, fit, {2: {last: "dies"}})
    assert found[3] == "2 workers, ports: one of 3 ended"
    expect_same(found, run(fit(None)))


@pytest.mark.parametrize("size", [2, 3])
def test_a_member_that_was_silent_comes_back_at_the_next_epoch(size):
    said = []

    def hook(model: nn.Model, logs: Any) -> None:
        said.append((logs["epoch"], logs["batch"], model.distribution))

    async def train(leader: Any) -> Any:
        async def epoch_end(epoch: int, logs: Any) -> None:
            other = leader.team.members[1]
            if other.blocked:
                other.release()
                while not leader._roster._back:  # noqa: ASYNC110
                    await asyncio.sleep(0)

        return await fit(leader, hook, on_epoch_end=epoch_end)

    expect_same(in_team(size, train, {1: {17: "blocks"}}, patience=SHORT), run(fit(None)))
    several = f"{size} workers, ports"
    fewer = "1 worker" if size == 2 else "2 workers, ports"
    assert said[0] == (0, 1, several)
    assert said[5] == (0, 6, f"{fewer}: one of {size} was silent for {SHORT} s")
    assert [s for s in said if s[0] == 1] == [(1, n, several) for n in range(1, 7)]


def test_a_member_without_the_memory_is_left_out_before_it_is_sent_anything():
    async def train(leader: Any) -> Any:
        return await fit(leader), [member.heard for member in leader.team.members]

    found, heard = in_team(3, train, limits={2: 2000})
    says, _, needs = found[3].partition(": 1 of 3: no memory for the ")
    assert says == "2 workers, ports"
    size = int(needs.removesuffix(" bytes of a member").replace(",", ""))
    assert size >= X.nbytes + Y.nbytes + 3 * 4 * found[2].count_params()
    sent = [any(isinstance(c, dict) and "model" in c for _, c in each) for each in heard]
    assert sent == [False, True, False]
    expect_same(found, run(fit(None)))


def test_each_member_evaluates_some_of_the_batches(monkeypatch):
    steps: dict[int, int] = {}
    test_step = TrainingStep.test_step

    def counted(self: Any, *batch: Any) -> float:
        steps[id(self)] = steps.get(id(self), 0) + 1
        return test_step(self, *batch)

    monkeypatch.setattr(TrainingStep, "test_step", counted)
    found = in_team(2, lambda group: fit(group, validation_data=(X, Y)))
    # Of six batches three each in two epochs; the other does the first too, to know its metrics.
    assert sorted(steps.values()) == [6, 8]
    expect_same(found, run(fit(None, validation_data=(X, Y))))


def test_no_rows_travel_of_arrays_and_a_batch_is_one_exchange_and_two_a_normalization():
    async def train(leader: Any) -> Any:
        members = leader.team.members
        await fit(leader, epochs=1)
        heard = [member.heard for member in members]
        while heard[1][-1][0] != "message":  # noqa: ASYNC110
            await asyncio.sleep(0)
        return [[kind for kind, _ in each] for each in heard], members

    kinds, members = in_team(2, train)
    # Who has memory, two to be equal, six batches of three, two of the evaluation.
    assert kinds[0] == ["array"] * (1 + 2 + 18 + 2)
    assert kinds[1].count("array") == 1 + 2 + 18 + 2
    others = [content for kind, content in members[1].heard if kind != "array"]
    names = ["needs", "data", "order", "equal", "first", "validation", "evaluate", "end"]
    assert [min(each) if each.keys() != {"model", "shards", "whole", "data"} else "data"
            for each in others] == names  # fmt: skip


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("changed", ["nothing", "weights", "slots"])
def test_weights_travel_at_the_beginning_of_an_epoch_where_a_member_has_others(changed, size):
    def hook(model: nn.Model, logs: Any) -> None:
        if (logs["epoch"], logs["batch"]) == (0, 6):
            slots = model.optimizer.state.values()
            values = {"weights": [v.value for v in model.trainable_variables], "slots": slots}
            for array in values.get(changed, []):
                array *= 0.5  # nothing notes it

    async def train(leader: Any) -> Any:
        found = await fit(leader, hook, epochs=3, validation_data=None)
        state = found[2].optimizer.state.values()
        numbers = sum(a.size for a in [*found[2].get_weights(), *state])
        heard = [c for kind, c in leader.team.members[1].heard if kind == "array"]
        return found, sum(np.size(array) == numbers for array in heard)

    found, travelled = in_team(size, train)
    expect_same(found, run(fit(None, hook, epochs=3, validation_data=None)))
    assert travelled == (size - 1) * (changed != "nothing")


def test_the_rows_of_a_generator_travel():
    def rows() -> Any:
        for start in range(0, len(X), 8):
            yield X[start : start + 8], Y[start : start + 8]

    async def train(group: Any) -> Any:
        model = distributed(group, network)
        history = await model.fit(rows, epochs=2, seed=2)
        return history.history["loss"], history.history, model

    expect_same(in_team(3, train), run(train(None)))


@given(st.floats(0, 1e30, allow_subnormal=False) | st.floats(1e-12, 10))
def test_a_learning_rate_travels_to_the_last_bit(rate):
    parts = _in_three(rate)
    assert parts.dtype == np.float32
    assert sum(map(float, parts)) == pytest.approx(rate, rel=0, abs=1e-38)


def test_what_callbacks_change_reaches_all_members():
    def hook(model: nn.Model, logs: Any) -> None:
        if logs["batch"] == 2:
            model.optimizer.learning_rate = 0.02
        if logs["batch"] == 4:
            model.set_weights([w * 0.5 for w in model.get_weights()])

    expect_same(in_team(2, lambda group: fit(group, hook)), run(fit(None, hook)))


def test_stop_pause_and_resume_are_the_leaders():
    async def train(group: Any) -> Any:
        loop, seen = asyncio.get_running_loop(), []
        model = distributed(group, network)

        def batch(number: int, logs: Any) -> None:
            seen.append((logs["epoch"], logs["batch"]))
            if logs["batch"] == 2:
                model.pause()
                loop.call_soon(model.resume)
            if logs["epoch"] == 1 and logs["batch"] == 3:
                model.stop()

        for resume in (False, True):
            await model.fit(X, Y, batch_size=8, epochs=3, seed=2, resume=resume, on_batch_end=batch)
        return seen, model

    seen, model = in_team(2, train)
    assert seen == [(epoch, n) for epoch in range(3) for n in range(1, 7)]

    async def alone() -> nn.Model:
        one = network()
        await one.fit(X, Y, batch_size=8, epochs=3, seed=2)
        return one

    for a, b in zip(run(alone()).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(("way", "turns"), [("shared memory", 8), ("ports", 4)])
def test_a_leader_has_few_turns_beside_those_in_which_it_waits(way, turns, monkeypatch):
    """At 10 ms a batch: after an epoch's first, and in 16 or 50 ms. An evaluation may add one."""
    clock, found, sleep = [1.0], [], asyncio.sleep

    async def counted(seconds: float) -> None:
        found.append(seconds)
        await sleep(seconds)

    def hook(model: nn.Model, logs: Any) -> None:
        clock[0] += 0.010001

    async def train(leader: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(Member, "way", way)
            patch.setattr(run_control, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
            patch.setattr(run_control, "asyncio", SimpleNamespace(sleep=counted))
            return await fit(leader, hook)

    expect_same(in_team(2, train), run(fit(None)))
    assert len(found) == turns


def test_a_model_that_cannot_be_sent_is_trained_by_the_leader_alone():
    def build() -> nn.Model:
        model = network()
        model.compile("sgd", lambda true, pred: np.mean(np.square(true - pred), axis=-1))
        return model

    async def train(group: Any) -> str:
        model = distributed(group, build)
        await model.fit(X, np.eye(3)[Y], batch_size=8)
        return model.distribution

    assert in_team(2, train).startswith("1 worker: ")


def test_what_a_member_sends_to_one_that_has_ended_is_lost_and_no_error():
    """A member that was silent may hear of a team that has ended since, and answers it."""

    async def sends():
        async with led(2) as team:
            member = team.members[1]
            team.cut(1)
            while 0 not in member._roster._ended:  # noqa: ASYNC110
                await asyncio.sleep(0)
            for kind, content in (("form", [[0], 0]), ("form", [[0, 1], 0]), ("back", None)):
                member.hear(0, kind, 1, content)
            for line in (member._lines[0], team.leader._lines[1]):
                line.post("message", 1, None)
                line.put(1, np.zeros(3, np.float32))

    asyncio.run(asyncio.wait_for(sends(), 20))
