"""Data that Keras' users have: a PyDataset gives batches by number, a model names a batch size."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import keras
import nn
import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(10, 4))


class Batches(keras.utils.PyDataset):
    """Five batches of two samples, which note how they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[int] = []
        self.begins = self.ends = 0

    def __len__(self) -> int:
        return 5

    def __getitem__(self, number: int) -> Any:
        self.taken.append(number)
        return X[2 * number : 2 * number + 2], X[2 * number : 2 * number + 2, :1]

    def on_epoch_begin(self) -> None:
        self.begins += 1

    def on_epoch_end(self) -> None:
        self.ends += 1


def losses(library: Any, layers: Any, data: Any, **options: Any) -> list[float]:
    """The loss of each epoch, the mean of the numbers of its samples."""
    model = library.Sequential([library.Input((1,)), layers.Dense(1, use_bias=False)])
    model.set_weights([np.ones((1, 1))])
    model.compile(library.optimizers.SGD(0.0), "mae")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a pass that ends within an epoch
        made = model.fit(**data, epochs=6, **options, verbose=0)
        history = asyncio.run(made) if library is nn else made
    return [float(value) for value in history.history["loss"]]


class Rows(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> Any:
        return NUMBERS[3 * number : 3 * number + 3], np.zeros((len(NUMBERS[3 * number :][:3]), 1))


NUMBERS = np.arange(1.0, 12.0)[:, None]  # four batches of 3, of which the last is shorter
ARRAYS = {"x": NUMBERS, "y": np.zeros((11, 1)), "batch_size": 3}


@pytest.mark.parametrize("steps", [None, *range(1, 7)])
@pytest.mark.parametrize("kind", ["arrays", "numbered"])
def test_an_epoch_of_fewer_steps_goes_on_where_the_one_before_ended(kind: str, steps: Any) -> None:
    def data() -> Any:
        return ARRAYS if kind == "arrays" else {"x": Rows()}

    options = {"steps_per_epoch": steps, "shuffle": False}
    ours = losses(nn, nn, data(), **options)
    np.testing.assert_allclose(ours, losses(keras, keras.layers, data(), **options), rtol=1e-6)


@pytest.mark.parametrize("steps", [None, 2, 3, 4, 7])
@pytest.mark.parametrize("kind", ["arrays", "numbered"])
def test_a_warning_says_as_in_keras_that_the_data_gave_fewer_batches(kind: str, steps: Any) -> None:
    def warned(library: Any, layers: Any) -> list[int]:
        """How many warnings of too few batches each kind of call gives."""
        model = library.Sequential([library.Input((1,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        data = ARRAYS if kind == "arrays" else {"x": Rows()}
        rows = {"x": NUMBERS, "batch_size": 3} if kind == "arrays" else {"x": Rows()}
        counts = []
        for call in (
            lambda: model.fit(**data, epochs=3, steps_per_epoch=steps, verbose=0),
            lambda: model.fit(**data, validation_data=(NUMBERS, NUMBERS), validation_steps=steps,
                              validation_batch_size=3, verbose=0),
            lambda: model.evaluate(**data, steps=steps, verbose=0),
            lambda: model.predict(**rows, steps=steps, verbose=0),
        ):  # fmt: skip
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                made = call()
                if inspect.isawaitable(made):
                    asyncio.run(made)
            texts = [str(w.message) for w in caught]
            counts.append(sum("ran out of data" in t or "the data gave" in t for t in texts))
        return counts

    assert warned(nn, nn) == warned(keras, keras.layers)


@pytest.mark.filterwarnings("ignore:.*the data gave")
@pytest.mark.parametrize("steps", range(1, 6))
@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_shuffled_pass_of_several_epochs_has_every_sample_once(steps: int, prefetch: int) -> None:
    taken: list[Any] = []

    class Noted(nn.Layer):
        def forward(self, ctx: Any, x: Any, training: bool = False) -> Any:
            if training:
                taken.extend(x[:, 0].tolist())
            return x

        def backward(self, ctx: Any, dy: Any) -> Any:
            return dy

    model = nn.Sequential([nn.Input((1,)), Noted(), nn.Dense(1)])
    model.compile("sgd", "mse")
    asyncio.run(model.fit(**ARRAYS, epochs=12, steps_per_epoch=steps, prefetch=prefetch, seed=3))
    passes = [tuple(taken[i : i + 11]) for i in range(0, len(taken) - 10, 11)]
    assert all(sorted(one) == NUMBERS[:, 0].tolist() for one in passes)
    assert len(passes) >= 3
    assert len(set(passes)) > 1


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_dataset_gives_its_batches_by_number_and_hears_of_epochs(shuffle: bool) -> None:
    data = Batches()
    model = nn.Sequential([nn.Input((4,)), nn.Dense(1)])
    model.compile("sgd", "mse")
    asyncio.run(model.fit(data, epochs=10, shuffle=shuffle))
    assert (data.begins, data.ends, len(data.taken)) == (10, 10, 50)
    epochs = [tuple(data.taken[i : i + 5]) for i in range(0, 50, 5)]
    assert all(sorted(epoch) == [*range(5)] for epoch in epochs)
    assert (len(set(epochs)) > 1) == shuffle
    assert shuffle or set(epochs) == {(0, 1, 2, 3, 4)}


RNG = np.random.default_rng(3)
STEPS, Y = RNG.normal(size=(10, 5, 2)).astype("f"), RNG.normal(size=(10, 1)).astype("f")
WEIGHTS = [RNG.normal(size=s).astype("f") for s in ((2, 3), (3, 3), (3,), (3, 1), (1,))]


def made(api: Any, options: dict[str, Any]) -> Any:
    layers = api.layers
    model = api.Sequential([layers.Input(**options), layers.SimpleRNN(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.set_weights(WEIGHTS)
    return model


def awaited(value: Any) -> Any:
    return asyncio.run(value) if asyncio.iscoroutine(value) else value


VERBS: dict[str, Callable[[Any, int], Any]] = {
    "fit": lambda m, n: awaited(m.fit(STEPS, Y, batch_size=n, shuffle=False, verbose=0)).history,
    "validate": lambda m, n: (
        awaited(
            m.fit(STEPS, Y, batch_size=n, shuffle=False, validation_split=0.3, verbose=0)
        ).history
    ),
    "evaluate": lambda m, n: {"loss": awaited(m.evaluate(STEPS, Y, batch_size=n, verbose=0))},
    "predict": lambda m, n: {"y": awaited(m.predict(STEPS, batch_size=n, verbose=0))},
    "train_on_batch": lambda m, n: {"loss": m.train_on_batch(STEPS[:n], Y[:n])},
    "predict_on_batch": lambda m, n: {"y": m.predict_on_batch(STEPS[:n])},
    "call": lambda m, n: {"y": m(STEPS[:n])},
}


@pytest.mark.parametrize("size", [1, 3, 4, 10])
@pytest.mark.parametrize("verb", VERBS)
def test_a_given_batch_size_is_no_bound_of_the_batches(verb: str, size: int) -> None:
    results = [
        VERBS[verb](made(nn, options), size)
        for options in ({"shape": (5, 2)}, {"shape": (5, 2), "batch_size": 4})
    ]
    assert results[0].keys() == results[1].keys()
    for name, values in results[0].items():
        np.testing.assert_array_equal(values, results[1][name])


def test_a_given_batch_size_is_as_in_keras() -> None:
    options = {"batch_shape": (4, 5, 2)}
    ours, theirs = (VERBS["fit"](made(api, options), 3) for api in (nn, keras))
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)
