"""What a model's file says of its training, for the page."""

import asyncio
from collections.abc import Callable
from typing import Any

import nn
import numpy as np
import pytest
from app.lab.epochs import trained

X = np.random.default_rng(0).random((20, 4), dtype=np.float32)
Y = np.arange(20) % 3


def made() -> Any:
    nn.set_random_seed(1)
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model: Any, **options: Any) -> Any:
    asyncio.run(model.fit(X, Y, batch_size=8, verbose=0, **options))
    return model


def stopped(model: Any, epochs: int, batch: int) -> Any:
    """Train, and stop after a batch of the epoch after so many."""

    def stop(index: int, logs: Any) -> None:
        if logs["epoch"] == epochs and index == batch:
            model.progress.stop()

    return fit(model, epochs=9, on_batch_end=stop)


CASES: dict[str, tuple[Callable[[], Any], int | None]] = {
    "a run": (lambda: fit(made(), epochs=3), 3),
    "a run that validates": (lambda: fit(made(), epochs=2, validation_split=0.2), 2),
    "a run of no epoch": (lambda: fit(made(), epochs=0), None),
    "a run that was stopped": (lambda: stopped(made(), 2, 1), 2),
    "a run that was stopped in its first epoch": (lambda: stopped(made(), 0, 0), 0),
    "a run that was resumed": (lambda: fit(stopped(made(), 2, 1), epochs=5, resume=True), 5),
    "a run that counts on": (lambda: fit(fit(made(), epochs=2), epochs=5, initial_epoch=2), 5),
    "two runs": (lambda: fit(fit(made(), epochs=2), epochs=3), None),
    "batches and a run": (lambda: fit(batches(made()), epochs=3), None),
    "batches": (lambda: batches(made()), None),
    "not trained": (made, None),
    "never compiled": (lambda: nn.Sequential([nn.Input((4,)), nn.Dense(3)]), None),
}


def batches(model: Any) -> Any:
    model.train_on_batch(X, Y)
    return model


@pytest.mark.parametrize("case", CASES)
def test_the_file_of_a_model_says_how_long_it_was_trained_or_nothing(case: str) -> None:
    make, epochs = CASES[case]
    model = make()
    assert trained(model) == epochs
    assert trained(nn.io.load(nn.io.save(model))) == epochs


@pytest.mark.parametrize(
    ("form", "options"),
    [("npz", {"include_optimizer": False}), ("safetensors", {}), ("tfjs", {}), ("keras", {}),
     ("onnx", {})],
)  # fmt: skip
def test_a_file_without_the_training_says_nothing(form: Any, options: dict[str, Any]) -> None:
    content = nn.io.save(fit(made(), epochs=2), form, **options)
    assert trained(nn.io.load(content)) is None
