"""Searches: random and on a grid, one trial at a time or several."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import ConfigError
from nn.tuner import GridSearch, HyperParameters, RandomSearch

from tests.support.documents import DOCS, blocks, run

X = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def build(hp: HyperParameters) -> nn.Model:
    layers: list[Any] = [nn.Dense(hp.Int("units", 2, 6, step=2), activation="relu")]
    if hp.Boolean("dropout"):
        layers.append(nn.Dropout(hp.Choice("rate", [0.1, 0.3])))
    model = nn.Sequential([nn.Input((4,)), *layers, nn.Dense(2, activation="softmax")])
    rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    model.compile(nn.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_random_search_trains_each_trial_and_keeps_the_best_model():
    seen = []
    search = RandomSearch(
        build, "val_accuracy", 4, seed=1, on_trial=lambda t: seen.append((t.trial_id, t.status))
    )
    best = asyncio.run(search.search(X, Y, epochs=3, batch_size=16, validation_split=0.25))
    assert [t.status for t in search.trials] == ["COMPLETED"] * 4
    assert best.score == max(t.score for t in search.trials)
    assert search.get_best_hyperparameters()[0].values == best.values
    assert search.get_best_models()[0] is best.model
    assert sum(t.model is not None for t in search.trials) == 1
    assert seen[:5] == [("0000", "RUNNING")] * 4 + [("0000", "COMPLETED")]
    for trial in search.trials:
        assert trial.values["units"] in (2, 4, 6)
        assert 1e-4 <= trial.values["learning_rate"] <= 1e-1
        assert ("rate" in trial.values) == trial.values["dropout"]


def test_the_trial_that_the_guide_shows_runs_and_its_best_model_is_loaded():
    """docs/team.md has `trial.py`: it yields what it reached, then its model."""
    [block] = [b for b in blocks(DOCS / "team.md") if b.title == "trial.py"]
    names: dict[str, Any] = {"nn": nn, "build": build, "x": X, "y": Y}
    asyncio.run(run(block, names))
    search = RandomSearch(build, "val_accuracy", 2, seed=1, run=names["trial"])
    best = asyncio.run(search.search())
    assert [t.status for t in search.trials] == ["COMPLETED"] * 2
    assert isinstance(search.get_best_models()[0], nn.Model)
    assert 0 <= best.score <= 1


def test_the_same_seed_draws_the_same_trials():
    async def values(v: Any) -> Any:
        return {"loss": 0.0}

    found = []
    for _ in range(2):
        search = RandomSearch(build, "loss", 6, seed=5, run=values)
        asyncio.run(search.search())
        found.append([t.values for t in search.trials])
    assert found[0] == found[1]
    assert len({repr(v) for v in found[0]}) == 6


def test_a_range_may_depend_on_another_value_and_is_built_for_once_where_nothing_changes():
    built = []

    def ranges(hp: HyperParameters) -> None:
        built.append(1)
        low = hp.Int("low", 1, 9)
        hp.Int("high", low, 10)
        if hp.Boolean("more"):
            hp.Int("size", 1, low)

    def fixed(hp: HyperParameters) -> None:
        built.append(1)
        hp.Float("rate", 1e-4, 1e-2, sampling="log")
        hp.Choice("kind", ["a", "b"])

    search = RandomSearch(ranges, "loss", seed=1)
    found = [search.propose() or {} for _ in range(200)]
    assert all(1 <= v["low"] <= v["high"] <= 10 for v in found)
    assert all(("size" in v) == v["more"] and v.get("size", 1) <= v["low"] for v in found)
    assert 70 < sum(v["more"] for v in found) < 130
    built.clear()
    search = RandomSearch(fixed, "loss", seed=1)
    assert len({search.propose()["rate"] for _ in range(10)}) == 10  # type: ignore[index]
    assert len(built) == 11


def test_a_grid_tries_each_combination_once_with_what_a_value_asks_for():
    def small(hp: HyperParameters) -> None:
        if hp.Choice("kind", ["a", "b"]) == "a":
            hp.Int("size", 1, 3)
        hp.Boolean("last")

    async def score(values: Any) -> Any:
        return {"loss": len(values)}

    search = GridSearch(small, "loss", run=score)
    asyncio.run(search.search())
    found = [tuple(t.values.values()) for t in search.trials]
    wanted = [("a", n, last) for n in (1, 2, 3) for last in (False, True)]
    assert found == [*wanted, ("b", False), ("b", True)]
    assert search.best_trial.values["kind"] == "b"


@pytest.mark.parametrize(
    ("ask", "count"),
    [
        (lambda hp: hp.Float("rate", 0.1, 0.1), 1),
        (lambda hp: hp.Float("rate", 0.1, 0.1, sampling="log"), 1),
        (lambda hp: hp.Choice("units", [8, 8, 16]), 2),
        (lambda hp: (hp.Choice("units", [8, 8]), hp.Choice("kind", ["a", "b", "a"])), 2),
        (lambda hp: hp.Int("units", 1, 3, sampling="log"), 3),
    ],
)
def test_a_grid_tries_equal_values_once_and_ends(ask: Any, count: int) -> None:
    search = GridSearch(ask, "loss", run=lambda values: {"loss": 0}, max_trials=20)
    asyncio.run(search.search())
    tried = [tuple(trial.values.values()) for trial in search.trials]
    assert len(tried) == len(set(tried)) == count


def test_several_trials_run_at_once_and_results_come_as_they_are_ready():
    under_way, most, ended = [], [], []

    async def run(values: Any) -> Any:
        under_way.append(values)
        most.append(len(under_way))
        for _ in range(values["turns"]):
            await asyncio.sleep(0)
        under_way.remove(values)
        return {"score": values["turns"]}

    def turns(hp: HyperParameters) -> None:
        hp.Choice("turns", [9, 1, 5, 3])

    search = GridSearch(
        turns, "score", run=run, at_once=2,
        on_trial=lambda t: ended.append(t.score) if t.status == "COMPLETED" else None,
    )  # fmt: skip
    best = asyncio.run(search.search())
    assert max(most) == 2
    assert best.score == 9
    assert sorted(ended) == [1, 3, 5, 9]
    assert ended[0] == 1


def test_the_next_trial_begins_with_the_turn_in_which_the_one_before_ends():
    """A thread that trains, too, gives its event loop a turn every 8 ms."""

    async def run(values: Any) -> Any:
        began.append(turn)
        if values["n"] < 4:
            await waiting[values["n"] - 1]
        return {"loss": 1.0}

    async def main() -> None:
        nonlocal turn
        waiting.extend(asyncio.get_running_loop().create_future() for _ in range(3))
        searching = asyncio.ensure_future(search.search())
        while not searching.done():
            if turn in (10, 20, 30):
                waiting[turn // 10 - 1].set_result(None)
            turn += 1
            await asyncio.sleep(0)

    waiting: list[Any] = []
    began: list[int] = []
    turn = 0
    search = GridSearch(lambda hp: hp.Int("n", 1, 4), "loss", run=run)
    asyncio.run(main())
    assert [t.status for t in search.trials] == ["COMPLETED"] * 4
    assert began[1:] == [11, 21, 31]


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("reports", [1, 2])
def test_a_stop_that_comes_with_the_end_of_a_trial_ends_no_other(reports, at_once):
    async def run(values: Any) -> Any:
        for number in range(3):
            yield {"loss": float(number)}
            await asyncio.sleep(0)

    def show(trial: Any) -> None:
        if trial.trial_id == "0000" and (trial.reports == reports or trial.status != "RUNNING"):
            trial.stop()
            trial.stop()

    async def last(values: Any) -> Any:
        return {"loss": 1.0}

    for function, status in ((run, "STOPPED"), (last, "COMPLETED")):
        search = GridSearch(
            lambda hp: hp.Int("n", 1, 5), "loss", run=function, at_once=at_once, on_trial=show
        )
        asyncio.run(search.search())
        assert [t.status for t in search.trials] == [status] + ["COMPLETED"] * 4


def test_a_search_that_is_cancelled_stops_its_trials_and_begins_no_more():
    async def run(values: Any) -> Any:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(search.search())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        assert [t.status for t in search.trials] == ["STOPPED"] * 2

    search = GridSearch(lambda hp: hp.Int("n", 1, 5), "loss", run=run, at_once=2)
    asyncio.run(main())


def test_values_that_cannot_be_proposed_end_the_search():
    def propose(hp: HyperParameters) -> None:
        if hp.Int("n", 1, 3) == 2:
            raise ValueError("no such network")

    async def run(values: Any) -> Any:
        return {"loss": 1.0}

    search = GridSearch(propose, "loss", run=run)
    with pytest.raises(ValueError, match="no such network"):
        asyncio.run(search.search())
    assert [t.status for t in search.trials] == ["COMPLETED"]


def test_a_failed_trial_is_a_row_with_its_error_and_others_go_on():
    async def run(values: Any) -> Any:
        if values["n"] == 2:
            raise ValueError("does not fit")
        return {"loss": values["n"]}

    search = GridSearch(lambda hp: hp.Int("n", 1, 3), "loss", run=run)
    best = asyncio.run(search.search())
    assert [t.status for t in search.trials] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert str(search.trials[1].error) == "does not fit"
    assert best.values == {"n": 1}


def test_a_trial_and_a_search_can_be_stopped():
    async def run(values: Any) -> Any:
        if values["n"] == 1:
            search.trials[0].stop()
            await asyncio.Event().wait()
        if values["n"] == 3:
            search.stop()
            await asyncio.Event().wait()
        return {"loss": 1.0}

    search = GridSearch(lambda hp: hp.Int("n", 1, 5), "loss", run=run)
    asyncio.run(search.search())
    assert [t.status for t in search.trials] == ["STOPPED", "COMPLETED", "STOPPED"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomSearch(build, "quality"), "give direction='min' or 'max'"),
        (lambda: RandomSearch(build, "loss", direction="up"), "expected 'min' or 'max'"),
        (lambda: RandomSearch(build, "loss", 0), "max_trials"),
        (lambda: HyperParameters().Int("n", 3, 1), "expected a range, received 3 to 1"),
        (lambda: HyperParameters().Float("n", 0, 1, sampling="log"), "expected a range"),
        (lambda: HyperParameters().Choice("n", []), "at least one choice"),
    ],
)
def test_what_is_no_search_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_trial_shows_its_progress_and_can_be_stopped_while_it_trains_here():
    seen: list[Any] = []

    def show(trial: Any) -> None:
        seen.append((trial.trial_id, trial.status, trial.reports))
        if (trial.trial_id, trial.reports) == ("0001", 2):
            trial.stop()

    search = RandomSearch(build, "accuracy", 3, seed=1, on_trial=show)
    asyncio.run(search.search(X, Y, epochs=4, batch_size=16))
    assert [t.status for t in search.trials] == ["COMPLETED", "STOPPED", "COMPLETED"]
    whole = [("RUNNING", n) for n in range(5)]
    assert [s[1:] for s in seen if s[0] == "0000"] == [*whole, ("COMPLETED", 4)]
    assert [s[1:] for s in seen if s[0] == "0001"] == [*whole[:3], ("STOPPED", 2)]
    assert search.trials[1].score is None


@pytest.mark.parametrize("awaited", [False, True])
def test_a_trial_that_runs_elsewhere_reports_as_it_goes_and_brings_its_model(awaited):
    async def reports(values: Any) -> Any:
        model = build(HyperParameters(values))
        for _ in range(2):
            history = await model.fit(X, Y, batch_size=16)
            yield {"accuracy": history.history["accuracy"][-1]}
        kept.append(model)
        yield {"accuracy": history.history["accuracy"][-1], "model": nn.io.save(model)}

    async def later(values: Any) -> Any:
        return reports(values)

    kept: list[nn.Model] = []
    search = RandomSearch(build, "accuracy", 3, seed=1, run=later if awaited else reports)
    best = asyncio.run(search.search())
    assert [t.reports for t in search.trials] == [3, 3, 3]
    assert sum(t.model is not None for t in search.trials) == 1
    wanted = kept[search.trials.index(best)]
    found = search.get_best_models()[0]
    for a, b in zip(wanted.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert "model" not in best.metrics


def test_a_stopped_trial_closes_what_reports_it():
    async def run(values: Any) -> Any:
        try:
            yield {"loss": 1.0}
            search.trials[0].stop()
            await asyncio.Event().wait()
        finally:
            closed.append(values["n"])

    closed: list[int] = []
    search = GridSearch(lambda hp: hp.Fixed("n", 1), "loss", run=run)
    asyncio.run(search.search())
    assert closed == [1]
    assert [t.status for t in search.trials] == ["STOPPED"]
