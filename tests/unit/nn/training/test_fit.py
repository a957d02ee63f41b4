"""`fit`: logs, order, control, weights, seeds and streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nn
import numpy as np
import pytest
from nn.models import run_control
from nn.models.summary import text

from tests.support.metrics import REQUIRED

SEED_ROWS = [
    ("conv2d", "Conv2D", (None, 26, 26, 8), 80),
    ("max_pooling2d", "MaxPooling2D", (None, 13, 13, 8), 0),
    ("conv2d_1", "Conv2D", (None, 11, 11, 16), 1168),
    ("max_pooling2d_1", "MaxPooling2D", (None, 5, 5, 16), 0),
    ("flatten", "Flatten", (None, 400), 0),
    ("dense", "Dense", (None, 128), 51328),
    ("dense_1", "Dense", (None, 10), 1290),
]


def seed_network() -> nn.Sequential:
    return nn.Sequential(
        [
            nn.Input((28, 28, 1)),
            nn.Conv2D(8, 3, activation="relu"),
            nn.MaxPooling2D(),
            nn.Conv2D(16, 3, activation="relu"),
            nn.MaxPooling2D(),
            nn.Flatten(),
            nn.Dense(128, activation="relu"),
            nn.Dense(10, activation="softmax"),
        ]
    )


def blobs(n: int = 96) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 4)).astype(np.float32) + 2 * np.eye(3, 4, dtype=np.float32)[y]
    return x, y


def small(optimizer: Any = "adam", **options: Any) -> nn.Sequential:
    nn.set_random_seed(5)
    layers = [nn.Dense(8, activation="relu"), nn.Dropout(0.2), nn.Dense(3, activation="softmax")]
    model = nn.Sequential([nn.Input((4,)), *layers])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Sequential model of 2 convolutions, 2 poolings, 2 dense layers: 53,866 parameters,"
    " the published table",
)
def test_summarizes_the_seed_network_as_the_golden_table() -> None:
    model = seed_network()
    assert model.summary_rows() == SEED_ROWS
    assert model.count_params() == 53_866
    for total in ("Total params: 53,866", "Trainable params: 53,866", "Non-trainable params: 0"):
        assert total in text(model)


@pytest.mark.promise(
    "Earlier work: models in production",
    "The printed network has 25,786,186 parameters (not 2.1 million)",
)
def test_counts_the_parameters_that_the_large_printed_network_really_has() -> None:
    model = nn.Sequential([nn.Input((224, 224, 3))])
    for filters in (32, 64, 128):
        model.add(nn.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(nn.MaxPooling2D())
    for layer in (nn.Flatten(), nn.Dense(256, activation="relu"), nn.Dense(10)):
        model.add(layer)
    assert model.count_params() == 25_786_186


@pytest.mark.asyncio
async def test_learns_and_logs_means_over_each_epoch() -> None:
    x, y = blobs()
    model, seen = small(), []
    history = await model.fit(
        x,
        y,
        epochs=6,
        batch_size=20,
        validation_split=0.25,
        on_batch_end=lambda _, logs: seen.append(logs),
    )
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.epoch == [0, 1, 2, 3, 4, 5]
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert [log["size"] for log in seen[:4]] == [20, 20, 20, 12]
    assert [log["batch"] for log in seen[:4]] == [1, 2, 3, 4]
    assert {log["batches"] for log in seen} == {4}
    sizes = [20, 20, 20, 12]
    for name in ("loss", "accuracy"):
        mean = np.average([log[f"batch_{name}"] for log in seen[:4]], weights=sizes)
        assert history.history[name][0] == pytest.approx(mean)


class Largest(nn.metrics.Metric):
    """A custom metric whose state is not a sum."""

    def reset_state(self) -> None:
        self.value = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.value = max(self.value, float(np.max(y_pred)))

    def result(self) -> float:
        return self.value


EVERY_METRIC = [
    *(kind for kind in nn.metrics.CLASSES.values() if kind is not nn.metrics.Mean), Largest
]  # fmt: skip


@pytest.mark.asyncio
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("kind", EVERY_METRIC, ids=lambda kind: kind.__name__)
async def test_logs_each_metric_of_a_batch_alone(kind: Any, weights: bool) -> None:
    x, labels = blobs()
    sparse = kind.__name__.startswith("Sparse")
    y = labels if sparse else np.eye(3, dtype=np.float32)[labels]
    factors = np.random.default_rng(3).random(len(x)).astype(np.float32) if weights else None

    def metric() -> Any:
        return kind(**REQUIRED.get(kind.__name__, {}))

    nn.set_random_seed(5)
    model = nn.Sequential([nn.Input((4,)), nn.Dense(3, activation="softmax")])
    loss = "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
    model.compile(nn.SGD(0.0), loss, weighted_metrics=[metric()])
    predicted, seen = await model.predict(x), []
    await model.fit(
        x, y, epochs=2, batch_size=20, shuffle=False, sample_weight=factors,
        on_batch_end=lambda _, logs: seen.append(logs),
    )  # fmt: skip
    assert len(seen) == 10
    for index, logs in enumerate(seen):
        start = index % 5 * 20
        part = slice(start, start + 20)
        alone = metric()
        weight = None if factors is None else factors[part]
        wanted = alone(y[part], predicted[part], weight)
        np.testing.assert_allclose(logs[f"batch_{alone.name}"], wanted, rtol=1e-5)


@pytest.mark.asyncio
async def test_says_whether_the_last_epoch_was_finished() -> None:
    x, y = blobs()
    model, ends = small(), []
    assert not model.epoch_finished

    def batch(number: int, logs: dict[str, Any]) -> None:
        assert not model.epoch_finished
        if logs["epoch"] == 1 and number == 2:
            model.stop()

    def end(epoch: int, logs: dict[str, Any]) -> None:
        ends.append((epoch, model.epoch_finished, "val_loss" in logs))

    history = await model.fit(
        x, y, epochs=3, batch_size=20, validation_data=(x, y), on_batch_end=batch, on_epoch_end=end
    )
    assert ends == [(0, True, True), (1, False, False)]
    assert not model.epoch_finished
    assert [*history.history] == ["loss", "accuracy", "val_loss", "val_accuracy"]
    await model.fit(x, y)
    assert model.epoch_finished


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "`fit(batch_size, epochs)`, shuffled by a seed, the same wherever it runs",
)
@pytest.mark.asyncio
async def test_repeats_a_seeded_run_exactly() -> None:
    x, y = blobs()
    runs = [(await small().fit(x, y, epochs=3, seed=9)).history["loss"] for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.asyncio
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
async def test_goes_on_from_a_checkpoint_bit_for_bit(optimizer: str) -> None:
    x, y = blobs()
    whole = small(optimizer)
    await whole.fit(x, y, epochs=2)
    saved = nn.io.save(whole, "npz")
    again = nn.io.load(saved)
    first = await whole.fit(x, y, initial_epoch=2, epochs=4)
    second = await again.fit(x, y, initial_epoch=2, epochs=4)
    assert first.history == second.history
    assert first.epoch == [2, 3]
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Training and inference are in a worker, and prediction answers while training",
)
@pytest.mark.asyncio
async def test_predicts_pauses_resumes_and_stops_between_batches() -> None:
    x, y = blobs()
    model = small()
    running = asyncio.ensure_future(model.fit(x, y, epochs=10_000, batch_size=8))
    await asyncio.sleep(0)
    assert model.state == "training"
    assert (await model.predict(x[:2])).shape == (2, 3)
    model.pause()
    assert model.state == "paused"
    for _ in range(5):
        await asyncio.sleep(0)
    step = model.optimizer.iterations
    for _ in range(20):
        await asyncio.sleep(0)
    assert model.optimizer.iterations == step
    model.resume()
    for _ in range(20):
        await asyncio.sleep(0)
    assert model.optimizer.iterations > step
    model.stop()
    assert model.state == "stopping"
    await running
    assert model.state == "idle"


@pytest.mark.parametrize(("milliseconds", "batches"), [(1.001, 8), (3, 3), (4.001, 2), (10, 1)])
@pytest.mark.asyncio
async def test_the_event_loop_has_a_turn_after_8_ms_of_batches(milliseconds, batches, monkeypatch):
    """By a clock of the test's; what is asked for in a turn counts from the next batch on."""
    x, y = (np.concatenate([array] * 4) for array in blobs())
    model, clock, turns = small(), [1.0], []
    monkeypatch.setattr(run_control, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def pass_time(batch: int, logs: Any) -> None:
        clock[0] += milliseconds / 1e3

    running = asyncio.ensure_future(
        model.fit(x, y, epochs=10_000, batch_size=8, on_batch_end=pass_time)
    )
    while len(turns) < 5:
        await asyncio.sleep(0)
        turns.append(model.optimizer.iterations)
    model.stop()
    await running
    assert turns == [1 + batches * turn for turn in range(5)]
    assert model.optimizer.iterations == turns[-1]


@pytest.mark.parametrize(("milliseconds", "batches"), [(1.001, 8), (3, 3), (4.001, 2), (10, 1)])
@pytest.mark.parametrize("calls", [1, 6])
@pytest.mark.asyncio
async def test_the_event_loop_has_a_turn_after_8_ms_of_predictions(
    milliseconds, batches, calls, monkeypatch
):
    """One call or several; what passes between two of them does not count."""
    x, _ = (np.concatenate([array] * 4) for array in blobs())
    model, clock, seen, turns = small(), [1.0], [], []
    monkeypatch.setattr(run_control, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def pass_time(batch: int, logs: Any) -> None:
        clock[0] += milliseconds / 1e3
        seen.append(batch)

    async def predict() -> None:
        for rows in np.split(x, calls):
            await model.predict(rows, batch_size=8, callbacks=[callback])
            clock[0] += 1

    callback = nn.callbacks.LambdaCallback(on_predict_batch_end=pass_time)
    running = asyncio.ensure_future(predict())
    while len(turns) < 4:
        await asyncio.sleep(0)
        turns.append(len(seen))
    await running
    assert len(seen) == len(x) // 8 > turns[-1]
    assert turns == [batches * turn for turn in range(1, 5)]


@pytest.mark.parametrize("early", [False, True], ids=["waiting", "within its batch"])
@pytest.mark.parametrize("presses", [[1], [3], [1, 1], [2, 0, 1]], ids=str)
@pytest.mark.asyncio
async def test_a_paused_run_trains_the_batches_that_it_is_asked_for(early, presses) -> None:
    """Also those that it is asked for before it waits: its batch is still under way."""
    x, y = blobs()
    model, reported, goes_on = small(), asyncio.Event(), asyncio.Event()

    async def report(batch, logs):
        if model.optimizer.iterations == 3:
            model.pause()
            reported.set()
            await goes_on.wait()

    running = asyncio.ensure_future(
        model.fit(x, y, epochs=10_000, batch_size=8, on_train_batch_end=report)
    )
    await reported.wait()
    if not early:
        goes_on.set()
    for number in presses:
        for _ in range(0 if early else 20):
            await asyncio.sleep(0)
        for _ in range(number):
            model.progress.advance()
    goes_on.set()
    for _ in range(60):
        await asyncio.sleep(0)
    assert model.optimizer.iterations == 3 + sum(presses)
    assert model.state == "paused"
    model.stop()
    await running


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "After an error the session can be used again",
)
@pytest.mark.asyncio
async def test_refuses_a_second_run_and_is_free_after_an_error() -> None:
    x, y = blobs()
    model = small()
    running = asyncio.ensure_future(model.fit(x, y, epochs=1000))
    await asyncio.sleep(0)
    with pytest.raises(nn.errors.BusyError, match="under way"):
        await model.fit(x, y)
    model.stop()
    await running

    def fail(batch: int, logs: Any) -> None:
        raise RuntimeError("listener broke")

    with pytest.raises(RuntimeError, match="listener broke"):
        await model.fit(x, y, on_batch_end=fail)
    assert model.state == "idle"


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Callbacks of the main thread called from the worker, in order",
)
@pytest.mark.asyncio
async def test_keeps_at_most_four_listeners_in_flight_and_surfaces_their_errors() -> None:
    x, y = blobs()
    waiting, most = 0, 0
    loop = asyncio.get_running_loop()

    def slow(batch: int, logs: Any) -> Any:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        future = loop.create_future()
        loop.call_later(0.001, land, future, batch)
        return future

    def land(future: Any, batch: int) -> None:
        nonlocal waiting
        waiting -= 1
        future.set_exception(RuntimeError("late")) if batch == 9 else future.set_result(None)

    with pytest.raises(RuntimeError, match="late"):
        await small().fit(x, y, batch_size=8, on_batch_end=slow)
    assert 2 <= most <= 5


@pytest.mark.asyncio
async def test_weights_classes_as_samples() -> None:
    x, y = blobs()
    weights = np.where(y == 1, 3.0, 1.0)
    a, b = small(), small()
    await a.fit(x, y, class_weight={1: 3.0}, seed=1)
    await b.fit(x, y, sample_weight=weights, seed=1)
    for p, q in zip(a.get_weights(), b.get_weights(), strict=True):
        assert np.array_equal(p, q)


@pytest.mark.promise(
    "Earlier work: ONNX Runtime Training for Web",
    "A personal network: fine-tuned on the visitor's digits, layers frozen",
)
@pytest.mark.asyncio
async def test_leaves_frozen_layers_as_they_are() -> None:
    x, y = blobs()
    model = small()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.layers[0].get_weights()
    await model.fit(x, y)
    assert all(
        np.array_equal(a, b) for a, b in zip(before, model.layers[0].get_weights(), strict=True)
    )
    assert len(model.parameters.values) == 27


@pytest.mark.asyncio
async def test_reads_generators_and_async_generators() -> None:
    x, y = blobs()

    def batches() -> Iterator[Any]:
        for start in range(0, 96, 32):
            yield x[start : start + 32], y[start : start + 32]

    async def later() -> AsyncIterator[Any]:
        for batch in batches():
            await asyncio.sleep(0)
            yield batch

    a, b, c = small(), small(), small()
    await a.fit(batches, epochs=2, seed=3)
    await b.fit(later, epochs=2, seed=3)
    await c.fit(x, y, epochs=2, seed=3, shuffle=False)
    for p, q, r in zip(a.get_weights(), b.get_weights(), c.get_weights(), strict=True):
        assert np.array_equal(p, q)
        assert np.array_equal(p, r)


@pytest.mark.asyncio
async def test_trains_a_graph_of_two_inputs_and_outputs_with_a_shared_layer() -> None:
    x, y = blobs()
    left, right = nn.Input((4,), name="left"), nn.Input((4,), name="right")
    shared = nn.Dense(6, activation="tanh")
    both = nn.Concatenate()([shared(left), shared(right)])
    outputs = [nn.Dense(3, activation="softmax", name="kind")(both), nn.Dense(1, name="size")(both)]
    model = nn.Model([left, right], outputs)
    model.compile(nn.Adam(0.01), {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    targets = {"kind": y, "size": x.sum(1)}
    history = await model.fit({"left": x, "right": -x}, targets, epochs=8)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert {"kind_loss", "size_loss"} <= set(history.history)
    again = nn.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    for a, b in zip(await again.predict([x, -x]), await model.predict([x, -x]), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.asyncio
async def test_stops_early_and_restores_the_best_weights() -> None:
    x, y = blobs()
    model = small()
    kept: dict[int, Any] = {}
    stopping = nn.EarlyStopping("loss", patience=2, mode="max", restore_best_weights=True)
    history = await model.fit(
        x, y, epochs=50, callbacks=[stopping],
        on_epoch_end=lambda epoch, logs: kept.setdefault(epoch, model.get_weights()),
    )  # fmt: skip
    assert len(history.epoch) < 50
    for a, b in zip(kept[stopping.best_epoch], model.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.asyncio
async def test_schedules_reduces_logs_and_saves(tmp_path: Path) -> None:
    x, y = blobs()
    model, saved = small(), []
    await model.fit(
        x, y, epochs=4,
        callbacks=[
            nn.LearningRateScheduler(lambda epoch, rate: rate / 2),
            nn.CSVLogger(str(tmp_path / "log.csv")),
            nn.ModelCheckpoint(lambda data, epoch: saved.append(nn.io.load(data))),
        ],
    )  # fmt: skip
    assert model.optimizer.learning_rate == pytest.approx(0.001 / 16)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,accuracy,learning_rate,loss"
    assert len(lines) == 5
    assert np.array_equal(await saved[-1].predict(x), await model.predict(x))
    plateau = nn.ReduceLROnPlateau("loss", factor=0.1, patience=1, mode="max", min_lr=1e-6)
    await model.fit(x, y, epochs=3, callbacks=[plateau])
    assert model.optimizer.learning_rate < 0.001 / 16


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "A loss that is not finite and over-fitting are called out",
)
@pytest.mark.asyncio
async def test_stops_at_a_loss_that_is_not_finite() -> None:
    x, y = blobs()
    x[0] = np.nan
    history = await small().fit(x, y, epochs=5, shuffle=False, callbacks=[nn.TerminateOnNaN()])
    assert history.epoch == [0]


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "One image or a batch, wrong shapes named",
)
@pytest.mark.asyncio
async def test_takes_one_sample_without_batch_axis_and_names_wrong_shapes() -> None:
    model = seed_network()
    image = np.zeros((28, 28, 1), np.float32)
    one = await model.predict(image)
    assert one.shape == (10,)
    assert one.sum() == pytest.approx(1, abs=1e-6)
    assert (await model.predict(image[None])).shape == (1, 10)
    with pytest.raises(nn.errors.ShapeError, match=r"expected input of shape \(n, 28, 28, 1\)"):
        await model.predict(np.zeros((2, 784)))
    with pytest.raises(nn.errors.NotCompiledError, match="call compile"):
        await model.fit(image[None], [1])


@pytest.mark.promise(
    "Earlier work: a network trained in a worker",
    "Softmax that stays finite, probabilities that add up",
)
def test_keeps_softmax_finite_at_huge_logits() -> None:
    p = nn.activations.get("softmax")(np.array([[1e4, -1e4, 0.0]]))
    assert p.tolist() == [[1, 0, 0]]
