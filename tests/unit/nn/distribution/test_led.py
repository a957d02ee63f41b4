"""A team whose leader alone runs `fit`: farcall's members, over pairs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import farcall
import nn
import numpy as np
import pytest
from farcall.connection.namespace import namespace
from farcall.endpoints import memory_pair
from farcall.workers.teams.member import Member
from hypothesis import given
from hypothesis import strategies as st
from nn.distribution.program import _in_three
from nn.distribution.training import summed

from tests.support.team import distributed

random = np.random.default_rng(4)
X = random.standard_normal((41, 6)).astype(np.float32)
Y = random.integers(0, 3, 41)


class Team:
    """Members of this process, connected as a page connects workers."""

    def __init__(self, size: int, kind: type[Member] = Member) -> None:
        self.members = [kind(nn.distribution.join) for _ in range(size)]
        self.lines: dict[tuple[int, int], list[Any]] = {}

    async def start(self) -> Team:
        for place, member in enumerate(self.members):
            for peer in range(place):
                here, there = memory_pair()
                space = namespace({"member": self.members[peer]})
                session = farcall.Session(here, space)
                await member.connect(place, peer, there)
                self.lines[peer, place] = [session]
        for place in reversed(range(len(self.members))):
            self.members[place].begin(place, len(self.members), 0.5)
        return self

    def cut(self, place: int) -> None:
        """Cut all lines of a member, as its death does."""
        for pair, sessions in self.lines.items():
            if place in pair:
                for session in sessions:
                    session.close()


def network() -> nn.Model:
    nn.set_random_seed(1)
    layers = [nn.Dense(5), nn.BatchNormalization(), nn.ReLU(), nn.Dropout(0.3)]
    model = nn.Sequential([nn.Input((6,)), *layers, nn.Dense(3, activation="softmax")])
    model.compile(nn.SGD(0.1, 0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


async def fit(
    group: Any, hook: Callable[[nn.Model, Any], Any] | None = None, **options: Any
) -> Any:
    model = distributed(group, network, **options)
    losses = []

    def batch(number: int, logs: Any) -> None:
        losses.append((logs["batch_loss"], logs["batch_accuracy"], logs["size"]))
        if hook is not None:
            hook(model, logs)

    given = {"batch_size": 8, "epochs": 2, "seed": 2, "validation_data": (X[:9], Y[:9])}
    history = await model.fit(X, Y, on_batch_end=batch, **given)
    return np.array(losses), history.history, model


def expect_same(found: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(found[0], wanted[0], atol=tolerance)
    assert list(found[1]) == list(wanted[1])
    for name, values in wanted[1].items():
        np.testing.assert_allclose(found[1][name], values, atol=tolerance)
    for a, b in zip(wanted[2].get_weights(), found[2].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def run(made: Any) -> Any:
    return asyncio.run(asyncio.wait_for(made, 15))


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("shards", [None, 4])
def test_the_leaders_fit_is_that_of_one_worker(size, shards):
    async def team() -> Any:
        made = await Team(size).start()
        try:
            return await fit(made.members[0], shards=shards)
        finally:
            nn.distribution.initialize()
            for place in range(1, size):
                made.cut(place)

    expect_same(run(team()), run(fit(None)))


class Dying(Member):
    """A member that dies when it is to sum for the seventeenth time: in the fourth batch."""

    sums, last = 0, 17
    team: Any = None
    dies = 2

    async def all_reduce(self, array: Any) -> None:
        self.sums += 1
        if self._reduction.place == self.dies and self.sums == self.last:
            self.team.cut(self._reduction.place)
            await asyncio.Event().wait()
        await summed(super(), array)


class Silent(Dying):
    """A member that lives, and is silent from then on."""

    async def all_reduce(self, array: Any) -> None:
        self.sums += 1
        if self._reduction.place == self.dies and self.sums == self.last:
            await asyncio.sleep(30)
        await summed(super(Dying, self), array)


@pytest.mark.parametrize("kind", [Dying, Silent])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("shards", [None, 4])
def test_those_who_remain_train_the_same_network(kind, size, shards):
    async def team() -> Any:
        made = Team(size, kind)
        for member in made.members:
            member.team, member.dies = made, size - 1
        await made.start()
        try:
            found = await fit(made.members[0], shards=shards)
            assert made.members[0].size == size - 1
            assert found[2].distribution == ("1 worker" if size == 2 else "2 workers, ports")
            return found
        finally:
            nn.distribution.initialize()
            for place in range(1, size):
                made.cut(place)

    expect_same(run(team()), run(fit(None)))


@pytest.mark.parametrize("last", range(1, 19))
def test_a_member_may_die_in_any_exchange(last):
    async def team() -> Any:
        made = Team(3, Dying)
        for member in made.members:
            member.team, member.last = made, last
        await made.start()
        try:
            return await fit(made.members[0])
        finally:
            nn.distribution.initialize()
            made.cut(1)

    expect_same(run(team()), run(fit(None)))


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

    async def team() -> Any:
        made = await Team(2).start()
        try:
            return await fit(made.members[0], hook)
        finally:
            nn.distribution.initialize()
            made.cut(1)

    expect_same(run(team()), run(fit(None, hook)))


def test_stop_pause_and_resume_are_the_leaders():
    async def team() -> Any:
        made = await Team(2).start()
        loop = asyncio.get_running_loop()

        def hook(model: nn.Model, logs: Any) -> None:
            if logs["batch"] == 2:
                model.pause()
                loop.call_soon(model.resume)
            if logs["epoch"] == 1 and logs["batch"] == 3:
                model.stop()

        try:
            model = distributed(made.members[0], network)
            seen: list[Any] = []

            def batch(number: int, logs: Any) -> None:
                seen.append((logs["epoch"], logs["batch"]))
                hook(model, logs)

            for resume in (False, True):
                await model.fit(
                    X, Y, batch_size=8, epochs=3, seed=2, resume=resume, on_batch_end=batch
                )
            return seen, model
        finally:
            nn.distribution.initialize()
            made.cut(1)

    seen, model = run(team())
    assert seen == [
        *((0, n) for n in range(1, 7)),
        *((1, n) for n in range(1, 4)),
        (1, 4),
        (1, 5),
        (1, 6),
    ] + [(2, n) for n in range(1, 7)]

    async def alone() -> nn.Model:
        one = network()
        await one.fit(X, Y, batch_size=8, epochs=3, seed=2)
        return one

    for a, b in zip(run(alone()).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_model_that_cannot_be_sent_is_trained_by_the_leader_alone():
    def build() -> nn.Model:
        model = network()
        model.compile("sgd", lambda true, pred: np.mean(np.square(true - pred), axis=-1))
        return model

    async def team() -> str:
        made = await Team(2).start()
        try:
            model = distributed(made.members[0], build)
            await model.fit(X, np.eye(3)[Y], batch_size=8)
            return model.distribution
        finally:
            nn.distribution.initialize()
            made.cut(1)

    assert run(team()).startswith("1 worker: ")
