"""`fit` with device="gpu" against `fit` on the CPU: logs, weights, state, what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import ConfigError
from nn.gpu import devices

RNG = np.random.default_rng(0)
X = RNG.standard_normal((70, 6), np.float32)
Y = RNG.integers(0, 3, 70)
IMAGES = RNG.integers(0, 256, (40, 6, 6), np.uint8)
pytestmark = pytest.mark.usefixtures("native", "gpu")


def network(device: str, **options: Any) -> Any:
    model = nn.Sequential(
        [nn.Input((6,)), nn.Dense(8, activation="relu"), nn.Dense(3, activation="softmax")]
    )
    fill(model)
    options = {"metrics": ["accuracy"]} | options
    loss = options.pop("loss", "sparse_categorical_crossentropy")
    model.compile(options.pop("optimizer", nn.Adam(0.01)), loss, device=device, **options)
    return model


def fill(model: Any) -> None:
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])


async def trained(model: Any, x: Any = X, y: Any = Y, **options: Any) -> tuple[Any, list[Any]]:
    ends: list[Any] = []
    options = {"epochs": 2, "batch_size": 16, "seed": 4} | options
    history = await model.fit(x, y, on_train_batch_end=lambda b, logs: ends.append(logs), **options)
    return history, ends


def same(make: Any = network, **options: Any) -> None:
    """Train on both, and compare weights, slots, and the logs of batches and epochs."""
    found = []
    for device in ("cpu", "gpu"):
        model = make(device)
        found.append((model, *asyncio.run(trained(model, **options))))
    (here, history, ends), (there, other, others) = found
    for own, right in zip(there.get_weights(), here.get_weights(), strict=True):
        np.testing.assert_allclose(own, right, atol=2e-6)
    assert there.optimizer.iterations == here.optimizer.iterations
    for logs, expected in zip(others, ends, strict=True):
        timed = {"images_per_second"}
        assert logs.keys() == expected.keys()
        for key in logs.keys() - timed:
            assert logs[key] == pytest.approx(expected[key], abs=2e-6), key
    for key, values in history.history.items():
        assert other.history[key] == pytest.approx(values, abs=2e-6), key


@pytest.mark.parametrize(
    "loss", [nn.losses.MeanSquaredError(), nn.losses.CategoricalCrossentropy(label_smoothing=0.1)]
)
def test_shares_of_classes_are_learned_and_counted_as_on_the_cpu(loss: Any) -> None:
    used = []

    def make(device: str) -> Any:
        used.append(network(device, loss=loss))
        return used[-1]

    same(make, y=np.eye(3, dtype=np.float32)[Y])
    assert used[1].device == devices.opened().name


def batches() -> Any:
    for start in range(0, len(X), 16):
        yield X[start : start + 16], Y[start : start + 16]


def growing() -> Any:
    """Batches of which the first is not the largest."""
    for start, end in ((0, 8), (8, 24), (24, 30), (30, 70)):
        yield X[start:end], Y[start:end]


@pytest.mark.filterwarnings("ignore:.*the data gave")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": False},
        {"validation_data": (X[:20], Y[:20])},
        {"sample_weight": np.linspace(0, 2, 70, dtype=np.float32)},
        {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
        {"steps_per_epoch": 3, "epochs": 5},
        {"steps_per_epoch": 2, "epochs": 4, "shuffle": False},
        {"x": batches, "y": None},
        {"x": growing, "y": None, "epochs": 2},
        {"prefetch": 2},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_fit_on_the_gpu_has_the_logs_and_weights_of_the_cpu(options: Any) -> None:
    same(**options)


def test_on_an_emulated_gpu_threads_compute_their_products_alone_with_the_logs_of_the_cpu() -> None:
    adapter: Any = devices.opened()
    adapter.emulated = True
    same(validation_data=(X[:20], Y[:20]))
    assert len(adapter.plans) == 2
    for plan in adapter.plans:
        products = [k.code for k in plan.kernels if k.name in ("dense", "weight_gradient")]
        assert products
        assert not [code for code in products if "workgroupBarrier" in code]


def test_metrics_that_the_device_cannot_count_are_computed_from_its_outputs() -> None:
    same(lambda device: network(device, loss="mse", metrics=["mae"]), y=np.eye(3)[Y])
    order = ["accuracy", "sparse_top_k_categorical_accuracy", "sparse_categorical_crossentropy"]
    same(lambda device: network(device, metrics=order))


def test_a_loss_of_pairs_of_samples_counts_those_that_lose_as_on_the_cpu() -> None:
    weights = np.linspace(0, 2, 70, dtype=np.float32)
    loss = nn.losses.Circle(2.0, 0.2)
    held = {"validation_data": (X[:20], Y[:20])}
    same(lambda device: network(device, loss=loss, metrics=[]), sample_weight=weights, **held)
    same(lambda device: network(device, loss=loss), **held)
    x, y = np.tile(X, (4, 1)), np.tile(Y, 4)
    x += RNG.standard_normal(x.shape, np.float32)
    same(lambda device: network(device, loss=loss), x=x, y=y, batch_size=280, epochs=1)


def test_labels_without_places_are_learned_and_evaluated_as_on_the_cpu() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((70, 3, 6), np.float32)
    y = np.sort(rng.integers(0, 3, (70, 2)))[:, ::-1]  # 0 follows the labels

    def make(device: str) -> Any:
        model = nn.Sequential([nn.Input((3, 6)), nn.Dense(3)])
        fill(model)
        model.compile(nn.Adam(0.01), nn.losses.CTC(), device=device)
        return model

    held = {"validation_data": (x[:20], y[:20])}
    same(make, x=x, y=y, sample_weight=np.linspace(0, 1, 70, dtype=np.float32), **held)


def test_images_as_bytes_are_scaled_on_the_device() -> None:
    def make(device: str) -> Any:
        model = nn.Sequential([nn.Input((6, 6, 1)), nn.Conv2D(4, 3), nn.Flatten(), nn.Dense(3)])
        fill(model)
        loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, device=device)
        return model

    same(make, x=nn.data.Dataset(IMAGES, Y[:40], offset=-0.5), y=None)


def test_several_outputs_have_their_own_losses_and_metrics() -> None:
    def make(device: str) -> Any:
        x = nn.Input((6,))
        h = nn.Dense(8, activation="relu")(x)
        first = nn.Dense(3, activation="softmax", name="first")(h)
        model = nn.Model(x, [first, nn.Dense(2, name="second")(h)])
        fill(model)
        model.compile(
            "adam",
            ["sparse_categorical_crossentropy", "mse"],
            loss_weights=[1.0, 0.5],
            metrics=[["accuracy"], ["mae"]],
            device=device,
        )
        return model

    same(make, y=[Y, X[:, :2]])


def test_a_run_repeats_to_the_bit() -> None:
    def weights() -> Any:
        model = nn.Sequential([nn.Input((6,)), nn.Dense(8), nn.Dropout(0.3), nn.Dense(3)])
        fill(model)
        loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, device="gpu")
        asyncio.run(trained(model))
        return model.get_weights()

    for own, again in zip(weights(), weights(), strict=True):
        assert np.array_equal(own, again)


def test_stop_ends_the_run_with_every_started_batch_told_of() -> None:
    model = network("gpu")
    seen: list[int] = []

    def stop(batch: int, logs: Any) -> None:
        seen.append(batch)
        if batch == 1:
            model.stop()

    asyncio.run(model.fit(X, Y, batch_size=4, epochs=3, on_train_batch_end=stop))
    assert seen == list(range(len(seen)))
    assert len(seen) < 18
    assert model.optimizer.iterations == len(seen)
    assert model.run_state.batch == len(seen)


def test_a_pause_finds_the_weights_at_home() -> None:
    model = network("gpu")

    async def run() -> int:
        before = model.get_weights()[0].copy()
        pause = {1: model.pause}
        task = asyncio.ensure_future(
            model.fit(
                X, Y, batch_size=4, on_train_batch_end=lambda b, _: pause.get(b, lambda: None)()
            )
        )
        while model.state != "paused" or np.array_equal(model.get_weights()[0], before):
            await asyncio.sleep(0)
            assert not task.done()
        steps = model.optimizer.iterations
        model.resume()
        await task
        return int(steps)

    assert 2 <= asyncio.run(run()) < 18
    assert model.optimizer.iterations == 18


def test_a_run_that_is_resumed_from_a_checkpoint_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    def make() -> Any:
        model = nn.Sequential([nn.Input((6,)), nn.Dense(8), nn.Dropout(0.3), nn.Dense(3)])
        fill(model)
        loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, device="gpu")
        return model

    kept: dict[int, bytes] = {}

    def keep(data: bytes, epoch: int) -> None:
        kept[len(kept)] = data

    whole = make()
    saves = nn.ModelCheckpoint(keep, save_freq=3)
    asyncio.run(trained(whole, callbacks=[saves]))
    assert len(kept) == 3
    for data in kept.values():
        model = nn.io.load(data)
        model.compile(model.optimizer, model.loss, device="gpu")
        asyncio.run(model.fit(X, Y, batch_size=16, epochs=2, resume=True))
        for own, right in zip(model.get_weights(), whole.get_weights(), strict=True):
            assert np.array_equal(own, right)


def test_what_has_no_kernels_is_refused_by_layer_and_reason() -> None:
    model = nn.Sequential([nn.Input((4, 3)), nn.LSTM(5, name="memory"), nn.Dense(3)])
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    with pytest.raises(ConfigError, match="memory: no kernels for LSTM"):
        model.compile("sgd", loss, device="gpu")
    assert not model.compiled
    x = RNG.standard_normal((8, 4, 3), np.float32)
    model.compile("sgd", loss, device="auto")
    asyncio.run(model.fit(x, Y[:8]))
    assert model.device == "cpu: memory: no kernels for LSTM"


def test_without_a_gpu_auto_takes_the_cpu_and_gpu_says_why() -> None:
    devices.use(None, "the browser offers no GPU")
    model = network("auto")
    asyncio.run(trained(model))
    assert model.device == "cpu: device 'gpu': the browser offers no GPU"
    with pytest.raises(ConfigError, match="the browser offers no GPU"):
        asyncio.run(trained(network("gpu")))


def test_the_device_says_what_ran() -> None:
    model = network("gpu")
    assert model.device == "cpu"
    asyncio.run(trained(model))
    assert model.device == devices.opened().name


def test_predictions_follow_the_weights_that_come_home() -> None:
    def images(device: str) -> Any:
        layers = [nn.Conv2D(4, 3, activation="relu"), nn.Flatten()]
        model = nn.Sequential([nn.Input((6, 6, 1)), *layers, nn.Dense(3, activation="softmax")])
        model.compile(nn.Adam(0.05), "sparse_categorical_crossentropy", device=device)
        return model

    async def run() -> tuple[Any, Any, Any]:
        model, fresh = images("gpu"), images("cpu")
        before = np.array(await model.predict(x))
        await model.fit(x, Y[:40], epochs=2, batch_size=8)
        fresh.set_weights(model.get_weights())
        return before, np.array(await model.predict(x)), np.array(await fresh.predict(x))

    x = np.random.default_rng(2).random((40, 6, 6, 1), np.float32)
    before, after, expected = asyncio.run(run())
    np.testing.assert_allclose(after, expected, atol=1e-6)
    assert np.abs(after - before).max() > 0.01
