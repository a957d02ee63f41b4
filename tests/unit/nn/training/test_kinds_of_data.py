"""The same samples in every form that `fit`, `predict` and the others take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import nn
import numpy as np
import pytest

ROWS = 10
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 4)).astype(np.float32)
Y = RNG.normal(size=(ROWS, 2)).astype(np.float32)
WEIGHTS = RNG.uniform(1, 2, ROWS).astype(np.float32)


def one(built: bool = True) -> nn.Sequential:
    nn.set_random_seed(3)
    model = nn.Sequential([*([nn.Input((4,))] if built else []), nn.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def two() -> nn.Model:
    nn.set_random_seed(3)
    a, b = nn.Input((4,), name="a"), nn.Input((2,), name="b")
    model = nn.Model([a, b], [nn.Dense(2, name="c")(a), nn.Dense(2, name="d")(b)])
    model.compile("sgd", "mse", metrics=[["mae"], ["mae"]])
    return model


def lists(value: Any) -> Any:
    return value.tolist()


def tuples(value: Any) -> Any:
    return tuple(map(tuple, value.tolist())) if value.ndim > 1 else tuple(value.tolist())


def rows(value: Any) -> Any:
    return list(value)


def in_a_list(value: Any) -> Any:
    return [value]


FORMS = [lists, tuples, rows, in_a_list]


class Numbered:
    """Batches by number, as a `keras.utils.PyDataset`."""

    def __init__(self, form: Any) -> None:
        self.form = form
        self.ends = 0

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> Any:
        part = slice(5 * number, 5 * number + 5)
        return self.form(X[part]), self.form(Y[part])

    def on_epoch_end(self) -> None:
        self.ends += 1


def weights_of(model: nn.Model) -> list[Any]:
    return [w.copy() for w in model.get_weights()]


def same(a: list[Any], b: list[Any]) -> bool:
    return all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))


def trained(built: bool, x: Any, y: Any, **options: Any) -> list[Any]:
    model = one(built)
    asyncio.run(model.fit(x, y, batch_size=5, epochs=2, shuffle=False, **options))
    return weights_of(model)


@pytest.mark.parametrize("built", [True, False], ids=["built", "unbuilt"])
@pytest.mark.parametrize("form", FORMS)
def test_fit_takes_nested_lists_as_the_arrays(form: Any, built: bool) -> None:
    plain = trained(True, X, Y, sample_weight=WEIGHTS)
    assert same(trained(built, form(X), form(Y), sample_weight=form(WEIGHTS)), plain)


@pytest.mark.parametrize("form", FORMS)
def test_a_split_takes_nested_lists_as_the_arrays(form: Any) -> None:
    options: Any = {"batch_size": 4, "validation_split": 0.3, "shuffle": False}
    plain, other = one(), one()
    expected = asyncio.run(plain.fit(X, Y, sample_weight=WEIGHTS, **options))
    received = asyncio.run(other.fit(form(X), form(Y), sample_weight=form(WEIGHTS), **options))
    for key, values in expected.history.items():
        assert received.history[key] == pytest.approx(values, rel=1e-5)
    assert same(weights_of(other), weights_of(plain))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("built", [True, False], ids=["built", "unbuilt"])
def test_single_batches_take_nested_lists_as_the_arrays(form: Any, built: bool) -> None:
    plain = one()
    for call in ("train_on_batch", "test_on_batch"):
        expected = getattr(one(), call)(X, Y)
        assert getattr(one(built), call)(form(X), form(Y)) == pytest.approx(expected, rel=1e-5)
    found = one(built).predict_on_batch(form(X))
    assert np.array_equal(found, plain.predict_on_batch(X))
    assert np.array_equal(asyncio.run(one(built).predict(form(X))), asyncio.run(plain.predict(X)))
    results = asyncio.run(plain.evaluate(X, Y))
    received = asyncio.run(one(built).evaluate(form(X), form(Y)))
    assert received == pytest.approx(results, rel=1e-5)


def batches(form: Any) -> Iterator[Any]:
    for start in (0, 5):
        yield form(X[start : start + 5]), form(Y[start : start + 5])


@pytest.mark.parametrize("form", FORMS)
def test_streams_give_nested_lists_as_the_arrays(form: Any) -> None:
    plain = trained(True, X, Y)
    assert same(trained(False, lambda: batches(form), None), plain)
    numbered = Numbered(form)
    assert same(trained(False, numbered, None), plain)
    assert numbered.ends == 2
    expected = one().predict_on_batch(X)
    for stream in (batches(form), numbered):
        assert np.allclose(asyncio.run(one(False).predict(stream)), expected)


class Again:
    """A stream that can be iterated again and again."""

    def __iter__(self) -> Iterator[Any]:
        return four()


def four() -> Iterator[Any]:
    for number in range(4):
        yield X[2 * number : 2 * number + 2], np.full((2, 2), float(number))


@pytest.mark.filterwarnings("ignore:.*the data gave")  # of passes that end within an epoch
@pytest.mark.parametrize("stream", [lambda: four, Again], ids=["function", "iterable"])
@pytest.mark.parametrize("steps", range(1, 7))
def test_a_stream_that_can_begin_again_does_so_at_its_end_and_for_each_validation(
    stream: Any, steps: int
) -> None:
    def losses(name: str, **options: Any) -> list[float]:
        model = nn.Sequential([nn.Input((4,)), nn.Dense(2, kernel_initializer="zeros")])
        model.compile(nn.SGD(0.0), "mae")
        history = asyncio.run(model.fit(**options, epochs=6, verbose=0))
        return list(history.history[name])

    # A pass ends with the data: the epoch that takes the last batch may be shorter.
    epochs = [[*range(4)][first : first + steps] for first in range(0, 4, steps)]
    expected = [float(np.mean(epoch)) for epoch in epochs] * 6
    received = losses("loss", x=stream(), steps_per_epoch=steps)
    assert received == pytest.approx(expected[:6])
    validated = losses("val_loss", x=X, y=Y, validation_data=stream(), validation_steps=steps)
    assert validated == pytest.approx([float(np.mean(range(min(steps, 4))))] * 6)


@pytest.mark.parametrize("form", [lists, tuples, rows])
def test_several_inputs_and_outputs_take_nested_lists_as_the_arrays(form: Any) -> None:
    plain, other = two(), two()
    expected = plain.train_on_batch([X, Y], [Y, Y], sample_weight=[WEIGHTS, None])
    received = other.train_on_batch(
        [form(X), form(Y)], [form(Y), form(Y)], sample_weight=[form(WEIGHTS), None]
    )
    assert received == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", [lists, tuples])
def test_one_sample_is_data_as_several_are(form: Any) -> None:
    for x, y in ((X[:1], Y[:1]), (X[:1], Y[:1, :1])):
        nn.set_random_seed(3)
        model = nn.Sequential([nn.Dense(y.shape[1])])
        model.compile("sgd", "mse")
        assert model.predict_on_batch(form(x)).shape == y.shape
        assert model.test_on_batch(form(x), form(y)) == model.test_on_batch(x, y)


def test_batches_by_number_come_in_a_drawn_order_each_once() -> None:
    asked: list[int] = []

    class Asked(Numbered):
        def __len__(self) -> int:
            return 8

        def __getitem__(self, number: int) -> Any:
            asked.append(number)
            return X, Y

    asyncio.run(one().fit(Asked(lists), epochs=2, seed=1))
    assert sorted(asked) == sorted([*range(8)] * 2)
    assert asked[:8] != asked[8:]
    asked.clear()
    asyncio.run(one().fit(Asked(lists), epochs=1, steps_per_epoch=3, shuffle=False))
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("frequency", [[2, 5], (2, 5), {2, 5}])
def test_validates_after_the_listed_epochs(frequency: Any) -> None:
    options: Any = {"validation_data": (X, Y), "validation_freq": frequency}
    validated: list[bool] = []

    def note(epoch: int, logs: Any) -> None:
        validated.append("val_loss" in logs)

    asyncio.run(one().fit(X, Y, epochs=5, **options, on_epoch_end=note))
    assert validated == [False, True, False, False, True]
