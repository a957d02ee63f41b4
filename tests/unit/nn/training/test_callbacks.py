"""Callbacks that monitor and save: epochs without the value, ends of runs, names of files."""

from __future__ import annotations

import asyncio
import os
import warnings
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest

from tests.unit.nn.training.test_fit import blobs, small

X, Y = blobs(24)


def monitors(folder: Path) -> list[nn.Callback]:
    return [
        nn.EarlyStopping(restore_best_weights=True),
        nn.ReduceLROnPlateau(patience=1),
        nn.ModelCheckpoint(folder / "best-{val_loss:.3f}.npz", save_best_only=True),
        nn.ModelCheckpoint(folder / "all-{epoch}-{val_loss:.3f}.keras"),
    ]


class Ends(nn.Callback):
    """Counts the ends of runs."""

    count = 0

    def on_train_end(self, logs: Any = None) -> None:
        self.count += 1


def stop_in_second_epoch(model: nn.Model) -> dict[str, Any]:
    def stop(batch: int, logs: Any) -> None:
        if logs["epoch"] == 1:
            model.stop()

    return {"on_batch_end": stop}


def stop_in_first_epoch(model: nn.Model) -> dict[str, Any]:
    return {"on_batch_end": lambda batch, logs: model.stop()}


def validate_seldom(model: nn.Model) -> dict[str, Any]:
    return {"validation_freq": 2}


def lose_numbers(model: nn.Model) -> dict[str, Any]:
    def spoil(epoch: int, logs: Any) -> None:
        if epoch == 1:
            model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])

    return {"on_epoch_begin": spoil, "callbacks": [nn.TerminateOnNaN()]}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("ending", "epochs"),
    [
        (stop_in_first_epoch, 1),
        (stop_in_second_epoch, 2),
        (validate_seldom, 4),
        (lose_numbers, 2),
    ],
)
async def test_a_monitor_passes_over_an_epoch_without_its_value(
    tmp_path: Path, ending: Any, epochs: int
) -> None:
    model, ends = small(), Ends()
    options = ending(model)
    callbacks = [*options.pop("callbacks", []), *monitors(tmp_path), ends]
    history = await model.fit(
        X, Y, batch_size=8, epochs=4, validation_data=(X, Y), callbacks=callbacks, **options
    )
    assert len(history.epoch) == epochs
    assert ends.count == 1
    validated = len(history.history.get("val_loss", []))
    saved = [name for name in os.listdir(tmp_path) if name.startswith("all-")]
    assert len(saved) == validated
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.asyncio
async def test_a_monitor_names_what_an_epoch_has_where_its_value_never_comes() -> None:
    with pytest.warns(UserWarning, match=r"expected one of \['accuracy', 'loss'\] to monitor") as w:
        await small().fit(X, Y, epochs=3, callbacks=[nn.EarlyStopping("val_acc")])
    assert len(w) == 1


@pytest.mark.asyncio
async def test_a_run_that_ends_with_an_error_ends_for_callbacks_too() -> None:
    model, ends = small(), Ends()
    best = nn.EarlyStopping("loss", patience=9, restore_best_weights=True)

    def fail(epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        await model.fit(X, Y, epochs=9, callbacks=[best, ends], on_epoch_begin=fail)
    assert ends.count == 1
    assert model.state == "idle"
    assert model.history is not None
    assert model.history.epoch == [0, 1]
    for a, b in zip(best.best_weights, model.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.asyncio
async def test_a_generator_that_runs_out_ends_the_run_with_a_warning() -> None:
    batches = iter([(X, Y), (X, Y)])
    with pytest.warns(UserWarning, match="no batch in epoch 2"):
        history = await small().fit(batches, epochs=5)
    assert history.epoch == [0]


NAMES = {
    "whole.keras": "keras",
    "whole.npz": "npz",
    "whole.safetensors": "safetensors",
    "whole.onnx": "onnx",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", NAMES)
async def test_a_checkpoint_has_the_format_of_its_name(tmp_path: Path, name: str) -> None:
    model = small()
    path = tmp_path / "new folder" / name
    await model.fit(X, Y, callbacks=[nn.ModelCheckpoint(path)])
    data = path.read_bytes()
    assert nn.io.sniff(data) == NAMES[name]
    np.testing.assert_allclose(await nn.io.load(data).predict(X), await model.predict(X), atol=1e-6)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.npz", "w.safetensors"])
def test_weights_alone_have_the_format_of_the_name(tmp_path: Path, name: str) -> None:
    model, path = small(), tmp_path / name
    checkpoint = nn.ModelCheckpoint(path, save_weights_only=True)
    asyncio.run(model.fit(X, Y, callbacks=[checkpoint]))
    other = small()
    other.set_weights([np.zeros_like(w) for w in other.get_weights()])
    nn.io.load_weights(other, path.read_bytes())
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "weights_only"),
    [
        ("best", False),
        ("best.h5", False),
        ("best.weights.h5", False),
        ("best.pt", False),
        ("best.{val_loss:.2f}", False),
        ("best.keras", True),
        ("best.h5", True),
        ("best", True),
    ],
)
def test_a_name_without_a_format_is_refused_before_the_run(name: str, weights_only: bool) -> None:
    with pytest.raises(nn.io.UnknownFormatError, match=r"expected one that ends in .*received"):
        nn.ModelCheckpoint(name, save_weights_only=weights_only)


def test_no_warning_where_a_validation_is_still_to_come() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(
            small().fit(
                X, Y, epochs=3, validation_data=(X, Y), validation_freq=2,
                callbacks=[nn.EarlyStopping()],
            )
        )  # fmt: skip


def test_a_checkpoint_after_some_batches_is_named_by_epoch_and_batch(tmp_path: Path) -> None:
    model = small()
    watch = nn.ModelCheckpoint(tmp_path / "{epoch}-{batch}-{loss:.1f}.npz", save_freq=2)
    asyncio.run(model.fit(X, Y, batch_size=6, epochs=2, callbacks=[watch]))
    names = sorted(path.name.rpartition("-")[0] for path in tmp_path.iterdir())
    assert names == ["1-2", "1-4", "2-2", "2-4"]


def rates(callback: Any, **options: Any) -> Any:
    model = small()
    model.compile(nn.SGD(0.5), "sparse_categorical_crossentropy")
    return asyncio.run(model.fit(X, Y, epochs=3, callbacks=[callback], **options)).history


async def later(epoch: int, rate: float) -> float:
    return rate / 2


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (lambda epoch: 1 / (epoch + 1), [1, 1 / 2, 1 / 3]),
        (lambda epoch, rate: rate / 2, [0.25, 0.125, 0.0625]),
        (lambda epoch, rate=7: rate / 2, [0.25, 0.125, 0.0625]),
        (lambda *given: np.float32(given[0]), [0, 1, 2]),
        (later, [0.25, 0.125, 0.0625]),
    ],
)
def test_a_schedule_takes_the_epoch_alone_or_the_rate_too(schedule: Any, expected: Any) -> None:
    found = rates(nn.LearningRateScheduler(schedule))
    assert found["learning_rate"] == pytest.approx(expected)
    assert len(found["loss"]) == 3


@pytest.mark.parametrize("wrong", [None, "fast", [1, 2]])
def test_a_schedule_that_returns_no_number_is_refused(wrong: Any) -> None:
    with pytest.raises(nn.errors.ConfigError, match="expected a number for epoch 0, received"):
        rates(nn.LearningRateScheduler(lambda epoch, rate: wrong))


def test_a_schedule_of_epochs_does_not_replace_one_of_steps() -> None:
    model = small()
    model.compile(nn.SGD(nn.schedules.CosineDecay(0.1, 9)), "sparse_categorical_crossentropy")
    scheduler = nn.LearningRateScheduler(lambda epoch: 0.1)
    with pytest.raises(nn.errors.ConfigError, match="is a schedule, expected a number"):
        asyncio.run(model.fit(X, Y, callbacks=[scheduler]))


def test_what_callbacks_write_into_the_logs_is_in_the_history_and_in_a_checkpoint() -> None:
    kept: list[bytes] = []

    class Adds(nn.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["added"] = epoch
            logs["loss"] = -epoch

    checkpoint = nn.ModelCheckpoint(lambda data, epoch: kept.append(data))
    model = small()
    model.compile("sgd", "sparse_categorical_crossentropy")
    callbacks = [checkpoint, Adds(), nn.ReduceLROnPlateau("loss")]
    found = asyncio.run(model.fit(X, Y, epochs=2, callbacks=callbacks)).history
    assert found == {"loss": [0, -1], "added": [0, 1], "learning_rate": [0.01, 0.01]}
    again = nn.io.load(kept[-1])
    resumed = asyncio.run(again.fit(X, Y, epochs=3, callbacks=callbacks, resume=True)).history
    assert resumed == {"loss": [0, -1, -2], "added": [0, 1, 2], "learning_rate": [0.01] * 3}


@pytest.mark.parametrize("frequency", [1, 2])
def test_rows_of_a_csv_have_the_columns_of_keras(tmp_path: Path, frequency: int) -> None:
    path = tmp_path / "log.csv"
    options = {"validation_data": (X, Y), "validation_freq": frequency}
    asyncio.run(small().fit(X, Y, epochs=3, callbacks=[nn.CSVLogger(str(path))], **options))
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[0] == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    lacking = [row.count("NA") for row in rows[1:]]
    assert lacking == ([0, 0, 0] if frequency == 1 else [2, 0, 2])
