"""A run resumed from any checkpoint equals the uninterrupted run, bit for bit.

Compared are weights, slots, generators, logs, and states of callbacks and layers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import nn
import numpy as np
import pytest
from nn.training import run_state

EPOCHS, BATCH, STEPS = 3, 20, 5
Bits = dict[str, Any]


def blobs() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 96)
    return rng.normal(size=(96, 4)).astype(np.float32) + 2 * np.eye(3, 4, dtype=np.float32)[y], y


def dense(optimizer: Any = "adam", **options: Any) -> nn.Sequential:
    nn.set_random_seed(5)
    model = nn.Sequential(
        [
            nn.Input((4,)),
            nn.Dense(8, activation="relu", kernel_regularizer="l2"),
            nn.BatchNormalization(),
            nn.Dropout(0.2),
            nn.Dropout(0.1, seed=3),
            nn.Dense(3, activation="softmax"),
        ]
    )
    loss = options.pop("loss", "sparse_categorical_crossentropy")
    model.compile(optimizer, loss, metrics=options.pop("metrics", ["accuracy"]), **options)
    return model


def recurrent() -> nn.Sequential:
    nn.set_random_seed(5)
    model = nn.Sequential(
        [nn.Input((4, 1)), nn.LSTM(5, stateful=True, dropout=0.3, seed=4), nn.Dense(3)]
    )
    model.compile("rmsprop", nn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def bits(model: nn.Model) -> Bits:
    """Return the complete training state of the model and the logs of its run."""
    return {
        "weights": [w.tobytes() for w in model.get_weights()],
        "slots": {k: np.asarray(v).tobytes() for k, v in model.optimizer.get_state().items()},
        "generator": model.rng.bit_generator.state,
        "layers": nn.io.npz.encode(run_state.layer_states(model.layers)),
        "history": (model.history.epoch, model.history.history),
        "rate": nn.schedules.serialize(model.optimizer.rate),
    }


Run = Callable[..., Any]


def fitting(x: Any = None, y: Any = None, **options: Any) -> Run:
    """Return a function that trains a model; `more` makes arguments for each call."""

    async def run(model: nn.Model, more: Callable[[], Bits] = dict, **others: Any) -> Any:
        given = {"x": x, "y": y} | options | more()
        given["callbacks"] = [*given.get("callbacks", []), *others.pop("callbacks", [])]
        return await model.fit(batch_size=BATCH, epochs=EPOCHS, **given, **others)

    return run


async def goes_on(
    make: Callable[[], nn.Model],
    run: Run,
    more: Callable[[], Bits] = dict,
    every: int = 1,
    batches: int = EPOCHS * STEPS,
) -> None:
    """Compare the uninterrupted run with runs resumed from each of its checkpoints."""
    kept: list[bytes] = []
    watch = nn.ModelCheckpoint(lambda data, _: kept.append(data), save_freq=every)
    ends = nn.ModelCheckpoint(lambda data, _: kept.append(data))
    whole = make()
    await run(whole, more, callbacks=[watch, ends])
    assert len(kept) == batches // every + EPOCHS
    expected = bits(whole)
    for place, data in enumerate(kept):
        again = nn.io.load(data)
        await run(again, more, resume=True)
        assert bits(again) == expected, f"checkpoint {place}"


X, Y = blobs()
SCHEDULE = nn.schedules.CosineDecay(0.02, 12, warmup_target=0.05, warmup_steps=3)
OPTIMIZERS: dict[str, Callable[[], nn.optimizers.Optimizer]] = {
    "adam": lambda: nn.Adam(0.01),
    "average": lambda: nn.Adam(0.01, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4),
    "schedule": lambda: nn.AdamW(SCHEDULE, weight_decay=0.1, global_clipnorm=1.0),
    "accumulation": lambda: nn.SGD(0.1, momentum=0.9, gradient_accumulation_steps=4),
    "everything": lambda: nn.Lion(
        SCHEDULE, use_ema=True, gradient_accumulation_steps=3, weight_decay=0.01, clipvalue=0.5
    ),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", OPTIMIZERS)
async def test_an_optimizer_goes_on_from_every_batch(name: str) -> None:
    await goes_on(lambda: dense(OPTIMIZERS[name]()), fitting(X, Y, validation_split=0.01))


@pytest.mark.filterwarnings("ignore:.*the data gave")
@pytest.mark.asyncio
@pytest.mark.parametrize(("steps", "batches"), [(1, 3), (2, 5), (3, 8), (4, 9)])
async def test_a_pass_of_several_epochs_goes_on(steps: int, batches: int) -> None:
    for more in ({"prefetch": 0}, {"prefetch": 2}, {"shuffle": False}):
        options = {"steps_per_epoch": steps, **more}
        await goes_on(dense, fitting(X, Y, **options), batches=batches)


@pytest.mark.asyncio
async def test_running_means_of_metrics_and_several_outputs_go_on() -> None:
    def make() -> nn.Model:
        nn.set_random_seed(2)
        x = nn.Input((4,))
        hidden = nn.Dense(6, activation="tanh")(x)
        kind = nn.Dense(3, activation="softmax", name="kind")(hidden)
        model = nn.Model(x, [kind, nn.Dense(1, name="size")(hidden)])
        f1 = nn.metrics.F1Score(average="macro")
        metrics = {"kind": ["accuracy", f1, nn.metrics.AUC(num_thresholds=20)], "size": ["mae"]}
        losses = {"kind": "categorical_crossentropy", "size": "mse"}
        model.compile("adam", losses, metrics=metrics)
        return model

    targets = {"kind": np.eye(3, dtype=np.float32)[Y], "size": X.sum(1, keepdims=True)}
    await goes_on(make, fitting(X, targets))


@pytest.mark.asyncio
async def test_augmented_images_are_changed_as_they_would_have_been() -> None:
    images = np.random.default_rng(1).integers(0, 255, (96, 2, 2), np.uint8)
    data = nn.Dataset(images, Y)

    def make() -> nn.Model:
        nn.set_random_seed(5)
        model = nn.Sequential([nn.Input((2, 2, 1)), nn.Flatten(), nn.Dropout(0.2), nn.Dense(3)])
        model.compile("adam", nn.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def more() -> Bits:
        return {"x": nn.data.Augmented(data, BATCH, shift=0.2, rotate=20, noise=0.1, seed=6)}

    await goes_on(make, fitting(), more)
    await goes_on(make, fitting(prefetch=2), more, every=3)


class Noisy(nn.Dataset):
    """A data set that draws random numbers in `batch`, as augmentation does."""

    def __init__(self) -> None:
        super().__init__(X, Y)
        self.rng = np.random.default_rng(8)

    def batch(self, indices: Any, out: Any) -> Any:
        filled = super().batch(indices, out)
        filled += self.rng.normal(size=filled.shape).astype(np.float32)
        return filled

    def get_state(self) -> Any:
        return self.rng.bit_generator.state

    def set_state(self, state: Any) -> None:
        self.rng.bit_generator.state = state


@pytest.mark.asyncio
async def test_a_data_set_that_draws_draws_on() -> None:
    await goes_on(dense, fitting(), lambda: {"x": Noisy(), "prefetch": 1})


@pytest.mark.asyncio
async def test_functions_and_generators_are_passed_over_to_where_they_were() -> None:
    def batches() -> Iterator[Any]:
        for start in range(0, 96, BATCH):
            yield X[start : start + BATCH], Y[start : start + BATCH]

    async def later() -> AsyncIterator[Any]:
        for _ in range(EPOCHS):
            for batch in batches():
                yield batch

    await goes_on(dense, fitting(batches))
    await goes_on(dense, fitting(), lambda: {"x": later(), "steps_per_epoch": STEPS})
    three = lambda: {"x": (b for _ in range(9) for b in batches()), "steps_per_epoch": STEPS}  # noqa: E731
    await goes_on(dense, fitting(), three, every=4)


@pytest.mark.asyncio
async def test_states_of_recurrent_layers_and_generators_of_their_own_go_on() -> None:
    x = X[:80, :, None]
    nine = {"x": x, "y": Y[:80], "shuffle": False}

    async def run(model: nn.Model, more: Any = dict, **options: Any) -> Any:
        return await model.fit(batch_size=16, epochs=EPOCHS, **nine, **options)

    await goes_on(recurrent, run)


@pytest.mark.asyncio
async def test_callbacks_remember_what_they_had_seen() -> None:
    def more() -> Bits:
        callbacks = [
            nn.EarlyStopping("loss", patience=1, mode="max", restore_best_weights=True),
            nn.LearningRateScheduler(lambda epoch, rate: rate / 2),
            nn.ReduceLROnPlateau("loss", factor=0.5, patience=1, mode="max"),
        ]
        return {"callbacks": callbacks}

    kept: list[bytes] = []
    whole = dense("sgd")
    watch = nn.ModelCheckpoint(lambda data, _: kept.append(data), save_freq=1)
    run = fitting(X, Y)
    await run(whole, more, callbacks=[watch])
    for data in kept:
        again = nn.io.load(data)
        await run(again, more, resume=True)
        assert bits(again) == bits(whole)
    assert len(whole.history.epoch) < EPOCHS


@pytest.mark.asyncio
@pytest.mark.parametrize("optimizer", ["adam", "average"])
@pytest.mark.parametrize("after", [1, 4, 5, 7, 14])
async def test_a_run_that_is_stopped_goes_on_in_the_same_model_or_a_saved_one(
    optimizer: str, after: int
) -> None:
    run = fitting(X, Y, validation_data=(X[:30], Y[:30]))
    whole = dense(OPTIMIZERS[optimizer]())
    await run(whole)
    stopped = dense(OPTIMIZERS[optimizer]())

    def stop(batch: int, logs: Any) -> None:
        if stopped.optimizer.iterations == after:
            stopped.stop()

    await run(stopped, on_batch_end=stop)
    saved = nn.io.load(nn.io.save(stopped))
    for model in (saved, stopped):
        await run(model, resume=True)
        assert bits(model) == bits(whole)


@pytest.mark.asyncio
async def test_a_finished_run_is_made_longer_as_if_it_had_been_long() -> None:
    make = lambda: dense(OPTIMIZERS["average"]())  # noqa: E731
    whole, short = make(), make()
    await whole.fit(X, Y, epochs=4)
    await short.fit(X, Y, epochs=2)
    assert bits(short)["weights"] != bits(whole)["weights"]
    again = nn.io.load(nn.io.save(short))
    history = await again.fit(X, Y, epochs=4, resume=True)
    assert history.epoch == [0, 1, 2, 3]
    assert bits(again) == bits(whole)


@pytest.mark.asyncio
async def test_without_resume_a_run_begins_from_the_averaged_weights_as_in_keras() -> None:
    model = dense(OPTIMIZERS["average"]())
    await model.fit(X, Y)
    average = model.get_weights()
    again = nn.io.load(nn.io.save(model))
    await again.fit(X, Y, epochs=0)
    assert all(np.array_equal(a, b) for a, b in zip(average, again.get_weights(), strict=True))


@pytest.mark.asyncio
async def test_there_must_be_a_run_to_resume() -> None:
    with pytest.raises(nn.errors.ConfigError, match="expected a run to resume"):
        await dense().fit(X, Y, resume=True)
    model = dense()
    await model.fit(X, Y)
    content = nn.io.npz.decode(nn.io.save(model))
    for damage in ({"batch": -1}, {"epoch": "two"}, {"order": {"state": 1}}):
        course = content["training"]["course"] | damage
        damaged = content | {"training": content["training"] | {"course": course}}
        with pytest.raises(nn.io.CorruptError, match="training, course"):
            nn.io.load(nn.io.npz.encode(damaged))
