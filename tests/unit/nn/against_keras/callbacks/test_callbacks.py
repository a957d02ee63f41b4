"""Callbacks that monitor a value, on drawn logs of epochs, against Keras' own."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import keras
import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.metrics import REQUIRED, metric

VALUES = st.one_of(st.none(), st.sampled_from([0.5, 0.4999, 0.3, 0.1, 0.7]))
COURSES = st.lists(VALUES, min_size=1, max_size=9)
"""The monitored value of each epoch; None where the epoch has none."""


@pytest.fixture(scope="module")
def models() -> tuple[Any, Any]:
    ours = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    theirs = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    for model in (ours, theirs):
        model.compile("sgd", "mse")
    return ours, theirs


def states(callback: Any, model: Any, course: list[Any], read: Any) -> list[Any]:
    """Give a callback one epoch after the other, with the epoch's number as the weights."""
    callback.set_model(model)
    model.stop_training = False
    model.optimizer.learning_rate = 1.0
    callback.on_train_begin()
    seen = []
    for epoch, value in enumerate(course):
        model.set_weights([np.full((1, 1), epoch), np.zeros(1)])
        logs = {"loss": 1.0} | ({} if value is None else {"val_loss": value})
        callback.on_epoch_end(epoch, logs)
        seen.append((read(callback), float(np.asarray(model.optimizer.learning_rate)), *logs))
    callback.on_train_end()
    return [*seen, model.get_weights()[0].item()]


def course_of(models: Any, kind: str, course: list[Any], read: Any, options: Any) -> Any:
    found = []
    for library, model in zip((nn, keras.callbacks), models, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(states(getattr(library, kind)(**options), model, course, read))
    return found


@settings(settings.get_profile("oracles"), max_examples=30)
@given(
    course=COURSES,
    options=st.fixed_dictionaries(
        {},
        optional={
            "patience": st.integers(0, 2),
            "min_delta": st.sampled_from([0.0, 0.01]),
            "baseline": st.sampled_from([None, 0.4]),
            "start_from_epoch": st.integers(0, 2),
            "restore_best_weights": st.booleans(),
        },
    ),
)
def test_early_stopping_passes_over_epochs_without_the_value_as_keras_does(
    models: Any, course: Any, options: Any
) -> None:
    def read(callback: Any) -> Any:
        stopped = callback.stopped_epoch
        return callback.wait, stopped, callback.best_epoch

    ours, theirs = course_of(models, "EarlyStopping", course, read, options)
    assert ours == theirs


@settings(settings.get_profile("oracles"), max_examples=30)
@given(
    course=COURSES,
    options=st.fixed_dictionaries(
        {"patience": st.integers(0, 2)}, optional={"cooldown": st.integers(0, 2)}
    ),
)
def test_a_plateau_passes_over_epochs_without_the_value_as_keras_does(
    models: Any, course: Any, options: Any
) -> None:
    ours, theirs = course_of(
        models, "ReduceLROnPlateau", course, lambda callback: callback.wait, options
    )
    np.testing.assert_equal(len(ours), len(theirs))
    for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
        assert mine[0] == other[0]
        assert mine[1] == pytest.approx(other[1], rel=1e-6)
        assert mine[2:] == other[2:]


@pytest.mark.parametrize("name", [n for n in nn.metrics.CLASSES if hasattr(keras.metrics, n)])
def test_a_metric_is_better_in_the_direction_of_keras(name: str) -> None:
    theirs = getattr(keras.metrics, name)(**REQUIRED.get(name, {}))
    direction = getattr(theirs, "_direction", None)
    if direction is not None:
        upwards = nn.EarlyStopping(f"val_{metric(name).name}").upwards
        assert upwards == (direction == "up")


def test_keras_reads_the_weights_alone_and_nn_those_of_keras(tmp_path: Path) -> None:
    dense = keras.layers.Dense
    layers = [dense(8), keras.layers.Dropout(0.2), dense(3)]
    theirs = keras.Sequential([keras.Input((4,)), *layers])
    ours = nn.Sequential([nn.Input((4,)), nn.Dense(8), nn.Dropout(0.2), nn.Dense(3)])
    path = tmp_path / "w.weights.h5"
    path.write_bytes(nn.io.save_weights(ours))
    theirs.load_weights(path)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.array_equal(a, b)
    theirs.set_weights([w + 1 for w in theirs.get_weights()])
    theirs.save_weights(path)
    nn.io.load_weights(ours, path.read_bytes())
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("given", [5, "early", [None], [nn.EarlyStopping], [object()]])
def test_what_is_no_callback_is_refused_as_in_keras(given: Any) -> None:
    x, y = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)
    models = [of.Sequential([of.Input((3,)), of.layers.Dense(1)]) for of in (keras, nn)]
    for model in models:
        model.compile("sgd", "mse")
    with pytest.raises((AttributeError, TypeError)):
        models[0].fit(x, y, callbacks=given, verbose=0)
    for method in ("fit", "evaluate"):
        with pytest.raises(nn.errors.ConfigError, match="callbacks: expected callbacks, received"):
            asyncio.run(getattr(models[1], method)(x, y, callbacks=given))
    with pytest.raises(nn.errors.ConfigError, match="callbacks: expected callbacks, received"):
        asyncio.run(models[1].predict(x, callbacks=given))
    assert asyncio.run(models[1].fit(x, y)).history["loss"]
