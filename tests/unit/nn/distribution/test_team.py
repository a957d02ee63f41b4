"""What happens in a team besides the batches: start, stop, loss of a member, resuming, errors."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import nn
import numpy as np
import pytest
from nn.distribution.program import DistributedProgram
from nn.errors import ConfigError
from nn.layers import LSTM

from tests.support.team import Tasks, Threads, distributed, together

random = np.random.default_rng(2)
X = random.standard_normal((40, 6)).astype(np.float32)
Y = random.integers(0, 3, 40)


def network(*more: nn.Layer, seed: int | None = 1, metrics: Any = ("accuracy",)) -> nn.Model:
    if seed is not None:
        nn.set_random_seed(seed)
    made = [nn.Dense(5, activation="relu"), *more, nn.Dense(3, activation="softmax")]
    model = nn.Sequential([nn.Input((6,)), *made])
    model.compile(nn.SGD(0.1, 0.9), "sparse_categorical_crossentropy", metrics=list(metrics))
    return model


def same_bits(models: list[nn.Model]) -> bool:
    bits = [[w.tobytes() for w in model.get_weights()] for model in models]
    return all(b == bits[0] for b in bits)


def test_members_that_were_built_differently_begin_with_the_weights_of_the_first():
    async def train(group: Any) -> nn.Model:
        model = distributed(group, lambda: network(nn.Dropout(0.3), seed=group.rank))
        await model.fit(X, Y, batch_size=8)
        return model

    models = together(2, train)
    assert same_bits(models)

    async def alone() -> nn.Model:
        model = network(nn.Dropout(0.3), seed=0)
        await model.fit(X, Y, batch_size=8)
        return model

    for a, b in zip(asyncio.run(alone()).get_weights(), models[0].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("kind", [Threads, Tasks])
@pytest.mark.parametrize("stops", [1, 4, 5])
def test_all_stop_after_the_batch_that_follows_the_wish_of_one(kind, stops):
    async def train(group: Any) -> Any:
        model = distributed(group, network)
        seen = []

        def batch(_: int, logs: Any) -> None:
            seen.append(logs["batch"])
            if group.rank == 0 and len(seen) == stops:
                model.stop()

        history = await model.fit(X, Y, batch_size=8, epochs=3, on_batch_end=batch)
        return seen, len(history.epoch), model

    members = together(2, train, kind)
    assert same_bits([model for *_, model in members])
    # A wish with an epoch's last batch is heard when the epoch ends.
    batches = stops if stops == 5 else stops + 1
    assert [len(seen) for seen, *_ in members] == [batches, batches]
    assert [epochs for _, epochs, _ in members] == [1, 1]


def test_a_member_may_stop_in_a_validation():
    async def train(group: Any) -> Any:
        model = distributed(group, network)

        def batch(number: int, logs: Any) -> None:
            if group.rank == 1 and number == 1:
                model.stop()

        data = {"validation_data": (X, Y), "validation_batch_size": 4, "batch_size": 8}
        history = await model.fit(X, Y, epochs=2, on_test_batch_end=batch, **data)
        return history.history

    one, other = together(2, train)
    assert one == other
    assert len(one["val_loss"]) == 1


class Killed(Exception):
    """The end of a member."""


class Leaving(Threads):
    """A group of two of which the second is lost when it has summed so many arrays."""

    sums = 9

    def all_reduce(self, array: Any) -> None:
        if self.size == 1:
            return
        if self.rank and len(self.meeting.sizes) >= self.sums:
            self.meeting.barrier.abort()
            raise Killed
        try:
            super().all_reduce(array)
        except threading.BrokenBarrierError:
            self.size = 1
            raise ConnectionError from None


@pytest.mark.parametrize("shards", [None, 4])
@pytest.mark.parametrize("sums", [4, 5, 9, 12])
def test_the_batch_is_computed_by_those_who_remain(shards, sums):
    def labels(y: Any) -> Any:
        return np.eye(3, dtype=np.float32)[y]

    def build() -> nn.Model:
        model = network(nn.BatchNormalization(), nn.Dropout(0.3))
        model.compile(
            nn.SGD(0.1), "categorical_crossentropy", metrics=["accuracy", "kl_divergence"]
        )
        return model

    async def train(group: Any) -> Any:
        model = distributed(group, build, shards=shards)
        if group is not None:
            group.sums = sums
        logs: list[Any] = []
        try:
            await model.fit(
                X, labels(Y), batch_size=8, seed=1, on_batch_end=lambda _, found: logs.append(found)
            )
        except Killed:
            return None
        return [
            [found[n] for n in ("batch_loss", "kl_divergence", "size")] for found in logs
        ], model

    found, other = together(2, train, Leaving)
    assert other is None
    wanted, model = asyncio.run(train(None))
    np.testing.assert_allclose(found[0], wanted, atol=1e-5)
    for a, b in zip(model.get_weights(), found[1].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_a_group_that_loses_nobody_and_fails_ends_the_run():
    class Broken(Threads):
        def all_reduce(self, array: Any) -> None:
            raise ConnectionError("the line is dead")

    async def train(group: Any) -> None:
        await distributed(group, network).fit(X, Y)

    with pytest.raises(ConnectionError, match="the line is dead"):
        together(2, train, Broken)


@pytest.mark.parametrize("shards", [None, 4])
@pytest.mark.parametrize("size", [1, 4])
def test_a_checkpoint_of_two_is_resumed_by_another_number(shards, size):
    kept = []

    def build() -> nn.Model:
        return network(nn.BatchNormalization(), nn.Dropout(0.3))

    async def begin(group: Any) -> None:
        model = distributed(group, build, shards=shards)

        def batch(_: int, logs: Any) -> None:
            if logs["epoch"] == 1 and logs["batch"] == 2:
                model.stop()

        await model.fit(X, Y, batch_size=8, epochs=3, seed=3, on_batch_end=batch)
        if not group.rank:
            kept.append(nn.io.save(model))

    async def go_on(group: Any) -> nn.Model:
        model = distributed(group, lambda: nn.io.load(kept[0]), shards=shards)
        await model.fit(X, Y, batch_size=8, epochs=3, resume=True)
        return model

    async def whole(group: Any) -> nn.Model:
        model = distributed(group, build, shards=shards)
        await model.fit(X, Y, batch_size=8, epochs=3, seed=3)
        return model

    together(2, begin)
    found, wanted = together(size, go_on), together(2, whole)[0]
    assert same_bits(found)
    for a, b in zip(wanted.get_weights(), found[0].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert shards is None or same_bits([wanted, found[0]])


def test_a_batch_is_one_sum_and_each_batch_norm_adds_two():
    sizes = []

    async def train(group: Any) -> None:
        more = () if not sizes else (nn.BatchNormalization(),)
        model = distributed(group, lambda: network(*more))
        before = len(group.meeting.sizes)
        await model.fit(X, Y, batch_size=8)
        if not group.rank:
            sizes.append(len(group.meeting.sizes) - before)

    together(2, train)
    together(2, train)
    assert sizes[1] - sizes[0] == 2 * 5


def test_a_batch_takes_each_member_at_most_127_calls_of_the_engines_functions():
    found: list[list[int]] = []

    async def train(group: Any) -> None:
        model, counts = distributed(group, network), [0]
        found.append(counts)

        def count(frame: Any, event: str, _: Any) -> None:
            if event == "call":
                if frame.f_code is DistributedProgram.step_awaiting.__code__:
                    counts.append(0)
                counts[-1] += frame.f_globals.get("__name__", "").startswith("nn.")

        sys.setprofile(count)
        try:
            await model.fit(X, Y, batch_size=8, epochs=2)
        finally:
            sys.setprofile(None)

    together(2, train)
    for counts in found:
        assert len(counts) == 1 + 2 * 5
        # The second epoch, but for its last batch. Turns of the event loop add 8 calls.
        assert max(counts[6:-1]) <= 127, counts


def test_each_its_own_statistics_leaves_all_members_equal():
    async def train(group: Any) -> nn.Model:
        build = lambda: network(nn.BatchNormalization())  # noqa: E731
        model = distributed(group, build, synchronized=False)
        await model.fit(X, Y, batch_size=8, seed=2, epochs=2)
        return model

    models = together(2, train)
    assert same_bits(models)
    assert models[0].layers[1].moving_mean.value.any()


def test_a_layer_may_ask_for_the_statistics_of_the_whole_batch():
    async def train(group: Any) -> nn.Model:
        model = distributed(
            group, lambda: network(nn.BatchNormalization(synchronized=True)), synchronized=False
        )
        await model.fit(X, Y, batch_size=8, seed=2)
        return model

    found = together(2, train)[0]
    for a, b in zip(asyncio.run(train(None)).get_weights(), found.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_one_batch_at_a_time_works_where_the_members_need_not_be_awaited():
    async def train(group: Any) -> Any:
        model = distributed(group, network)
        return model.train_on_batch(X[:9], Y[:9]), model

    (one, a), (other, b) = together(2, train)
    assert one == other
    assert same_bits([a, b])
    with pytest.raises(ConfigError, match="wait for each other: use fit"):
        together(2, train, Tasks)


def test_the_model_says_who_trains_it():
    assert distributed(None, network).distribution == "1 worker"
    group = Threads(0, 2, None)  # type: ignore[arg-type]
    model = distributed(group, network)
    assert model.distribution == "2 workers"
    group.way = "ports"  # type: ignore[attr-defined]
    assert model.distribution == "2 workers, ports"


def test_a_group_may_be_set_for_all_that_follows():
    group = Threads(1, 2, None)  # type: ignore[arg-type]
    nn.distribution.initialize(group)
    try:
        assert nn.distribution.DataParallel().group is group
    finally:
        nn.distribution.initialize()
    assert nn.distribution.DataParallel().group.size == 1


class Group:
    def __init__(self, rank: Any, size: Any) -> None:
        self.rank, self.size = rank, size

    def all_reduce(self, array: Any) -> None: ...


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": object()}, "group: expected rank, size and all_reduce, received none of"),
        ({"group": Group(2, 2)}, "group: expected a rank from 0 to 1, received 2"),
        ({"group": Group(0, 3), "shards": 2}, "at least one for each of 3 members, received 2"),
        ({"shards": 0}, "shards"),
    ],
)
def test_what_is_no_group_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        nn.distribution.DataParallel(**options)


def test_what_a_team_cannot_share_is_refused_by_name():
    async def stateful() -> None:
        def build() -> nn.Model:
            made = [
                nn.Input((4, 2), batch_size=8),
                LSTM(3, stateful=True, name="memory"),
                nn.Dense(1),
            ]
            model = nn.Sequential(made)
            model.compile("sgd", "mse")
            return model

        model = distributed(Group(0, 1), build)
        await model.fit(np.zeros((8, 4, 2), np.float32), np.zeros((8, 1)), batch_size=8)

    with pytest.raises(ConfigError, match="memory: expected a layer without states"):
        asyncio.run(stateful())

    async def inside() -> None:
        def build() -> nn.Model:
            inner = nn.Sequential(
                [nn.Input((6,)), nn.BatchNormalization(name="norm")], name="inner"
            )
            model = nn.Sequential([nn.Input((6,)), inner, nn.Dense(1)])
            model.compile("sgd", "mse")
            return model

        await distributed(Group(0, 1), build).fit(X, Y)

    with pytest.raises(
        ConfigError, match="norm: expected a batch normalization of the model itself"
    ):
        asyncio.run(inside())
    with pytest.raises(ConfigError, match="device: expected 'cpu' where several workers train"):
        distributed(Group(0, 1), lambda: _compiled_for_a_gpu())


def _compiled_for_a_gpu() -> nn.Model:
    model = network()
    model.compile("sgd", "mse", device="gpu")
    return model
