"""What is kept of a run, and the words about it."""

import csv
import io
import json
import math
from typing import Any

import pytest
from app.page.smoothing import Smoother
from app.state import run_history, settings
from hypothesis import given
from hypothesis import strategies as st


def epoch(
    number: int, loss: float, accuracy: float = 0.9, val_loss: float | None = None
) -> dict[str, object]:
    return {
        "epoch": number,
        "loss": loss,
        "accuracy": accuracy,
        "val_loss": val_loss,
        "val_accuracy": 0.9,
        "seconds": 1.5,
    }


RUNS = [{"number": 1, "epochs": [epoch(1, 0.5), epoch(2, 0.25, val_loss=0.3)]}]


def test_csv_has_a_line_an_epoch() -> None:
    table = list(csv.DictReader(io.StringIO(run_history.to_csv(RUNS))))
    assert [row["loss"] for row in table] == ["0.5", "0.25"]
    assert table[0]["val_loss"] == ""
    assert set(table[0]) == set(run_history.COLUMNS)


def test_json_goes_there_and_back() -> None:
    assert run_history.from_json(run_history.to_json(RUNS)) == RUNS


def test_json_has_null_where_a_loss_is_nan() -> None:
    text = run_history.to_json([{"number": 1, "epochs": [epoch(1, math.nan), epoch(2, math.inf)]}])
    assert [row["loss"] for row in json.loads(text)[0]["epochs"]] == [None, None]


@pytest.mark.parametrize(
    "text", ["", "{", "3", '{"a": 1}', '[1, {"number": 2}]', '[{"number": "2", "epochs": []}]']
)
def test_kept_runs_that_make_no_sense_are_dropped(text: str) -> None:
    assert run_history.from_json(text) == []


@given(st.floats(-100, 100), st.floats(0, 0.99), st.integers(1, 50))
def test_smoothing_a_constant_leaves_it(value: float, weight: float, times: int) -> None:
    smooth = Smoother(weight)
    assert [smooth(value) for _ in range(times)] == pytest.approx([value] * times)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50), st.floats(0, 0.99))
def test_smoothing_stays_between_the_extremes(values: list[float], weight: float) -> None:
    smooth = Smoother(weight)
    for value in values:
        assert min(values) - 1e-6 <= smooth(value) <= max(values) + 1e-6


@pytest.mark.parametrize(
    ("epochs", "words"),
    [
        ([], ""),
        ([epoch(1, math.nan)], "NaN"),
        ([epoch(1, 2.3, accuracy=0.1)], "guessing"),
        (
            [epoch(i, 1 / (i + 1), val_loss=v) for i, v in enumerate([0.5, 0.3, 0.4, 0.5])],
            "Over-fitting",
        ),
    ],
)
def test_calls_out_what_a_curve_shows(epochs: list[dict[str, object]], words: str) -> None:
    assert words in run_history.advice(epochs)
    assert bool(words) == bool(run_history.advice(epochs))


@given(st.floats(1e-5, 1.0), st.sampled_from(["Adam", "AdamW", "SGD", "RMSprop"]))
def test_advice_says_which_way_to_move_the_rate(rate: float, optimizer: str) -> None:
    usual = 0.01 if optimizer == "SGD" else 0.001
    stuck = run_history.advice([epoch(1, 2.3, accuracy=0.1)], 10, rate, optimizer)
    assert ("ower the learning rate" in stuck) == (rate >= 4 * usual)
    assert ("aise the learning rate" in stuck) == (rate <= usual / 4)
    assert "it does not learn. " in stuck
    lost = run_history.advice([epoch(1, math.nan)], 10, rate, optimizer)
    assert lost == run_history.not_a_number(rate, optimizer)
    assert "then lower the learning rate" in lost
    assert run_history.advice([epoch(1, 2.3, accuracy=0.1)], 10, 1.0, "Adam").endswith(
        "Lower the learning rate: 1 is 1,000 times the usual 0.001."
    )


def run(
    number: int, accuracy: float = 0.9, continues: int | str = 0, **options: object
) -> dict[str, Any]:
    row = dict(epoch(1, 0.5, val_loss=0.3), val_accuracy=accuracy)
    taken = dict(settings.defaults(), layers=None, hide=None, **options)
    return {"number": number, "epochs": [row], "options": taken, "continues": continues}


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([run(1)], ["Run 1"]),
        ([run(1), run(2)], ["Run 1", "Run 2"]),
        ([run(1), run(2, optimizer="SGD", subset=2500)],
         ["1 · usual options", "2 · 2,500 images, SGD"]),
        ([run(3, lr=0.01), run(4, lr=0.01, preset="mlp")], ["3 · usual options", "4 · mlp"]),
        ([run(1, lr=0.01), run(2, lr=1.0)], ["1 · rate 0.01", "2 · rate 1"]),
        ([run(1), run(2, continues=1, lr=0.01)],
         ["1 · usual options", "2 · rate 0.01, continues run 1"]),
        ([run(1, continues="a trained network")], ["1 · continues a trained network"]),
        ([run(1), run(2, smoothing=0.5, log=True)], ["Run 1", "Run 2"]),
        ([{"number": 1, "epochs": []}, run(2)], ["Run 1", "Run 2"]),
    ],
)  # fmt: skip
def test_a_run_is_named_by_what_differs(runs: list[dict[str, Any]], names: list[str]) -> None:
    assert run_history.names(runs) == names


@given(st.lists(st.integers(1, 6), max_size=12))
def test_no_two_runs_have_one_number_and_their_order_is_that_of_their_numbers(
    given: list[int],
) -> None:
    runs = [{"number": number, "epochs": [epoch(at, 0.5)]} for at, number in enumerate(given)]
    found = run_history.numbered(runs)
    numbers = [one["number"] for one in found]
    assert numbers == sorted(set(numbers))
    assert [one["epochs"] for one in found] == [
        [epoch(at, 0.5)] for _, at in sorted((number, at) for at, number in enumerate(given))
    ]
    if len(set(given)) == len(given):
        assert numbers == sorted(given)


@given(st.lists(st.sampled_from([0.1, 0.5, 0.9, None]), max_size=20))
def test_the_last_runs_and_the_best_are_kept(accuracies: list[Any]) -> None:
    runs: list[dict[str, Any]] = []
    for number, accuracy in enumerate(accuracies, 1):
        runs = run_history.kept([*runs, run(number, accuracy)])
    made = [run(number, accuracy) for number, accuracy in enumerate(accuracies, 1)]
    assert len(runs) == min(len(made), run_history.KEPT)
    assert runs[1:] == made[len(made) - len(runs) + 1 :]
    tested = [accuracy for accuracy in accuracies if accuracy is not None]
    if tested:
        assert max(one["epochs"][-1]["val_accuracy"] or 0 for one in runs) == max(tested)
