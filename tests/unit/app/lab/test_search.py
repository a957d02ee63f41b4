"""A search over options: every combination is tried, and the best network can be taken."""

import asyncio
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.search import Search

SPACE = {"lr": [0.1, 0.01], "batch": [32, 128, 512]}


def network(value: float) -> Any:
    model = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    model.set_weights([np.full((1, 1), value), np.zeros(1)])
    return model


def tried(search: Search, stop_after: int = 99) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The values of the trials, of which one fails, and what the search returned."""
    trials: list[dict[str, Any]] = []

    async def run(values: dict[str, Any]) -> dict[str, Any]:
        trials.append(values)
        score = values["lr"] + values["batch"] / 1000
        stopped = len(trials) == stop_after
        found = {"model": network(score), "stopped": stopped, "problem": "too steep"}
        steep = values == {"lr": 0.01, "batch": 32}
        return found | {"val_accuracy": None if steep else score}

    return trials, asyncio.run(search.search(SPACE, run))


def test_every_combination_is_tried_and_the_best_network_can_be_taken() -> None:
    search = Search()
    trials, found = tried(search)
    assert [(t["lr"], t["batch"]) for t in trials] == [
        (lr, batch) for lr in SPACE["lr"] for batch in SPACE["batch"]
    ]
    assert found["values"] == {"lr": 0.1, "batch": 512}
    assert found["score"] == pytest.approx(0.612)
    assert (found["trials"], found["failed"]) == (6, ["too steep"])
    like = network(0)
    nn.set_random_seed(4)
    following = nn.config.generator().random()
    nn.set_random_seed(4)
    taken = search.take(like)
    assert nn.config.generator().random() == following, "a later network has its own weights"
    assert float(taken.get_weights()[0][0, 0]) == pytest.approx(0.612)


def test_a_search_that_is_stopped_tries_no_more() -> None:
    trials, found = tried(Search(), stop_after=2)
    assert len(trials) == 2
    assert found["values"] == {"lr": 0.1, "batch": 128}


def test_a_search_that_is_stopped_before_a_result_ends_too() -> None:
    trials, found = tried(Search(), stop_after=4)
    assert len(trials) == 4
    assert found["failed"] == ["too steep"]


def test_without_a_search_there_is_no_best() -> None:
    with pytest.raises(ValueError, match="received none"):
        Search().take(network(0))
