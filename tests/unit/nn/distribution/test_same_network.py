"""A team trains the network that one worker would train, whatever is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import nn
import numpy as np
import pytest
from nn import layers, losses, metrics

from tests.support.team import Tasks, Threads, distributed, together

ROWS, BATCH = 23, 8  # 8, 8, 7 rows: shares of 3, 3, 2 and 2, 2, 2, 1
random = np.random.default_rng(5)
X = random.standard_normal((ROWS, 6)).astype(np.float32)
IMAGES = random.random((ROWS, 8, 8, 2), dtype=np.float32)
STEPS = random.standard_normal((ROWS, 5, 3)).astype(np.float32)
UNEVEN = STEPS * (np.arange(5) < random.integers(1, 6, ROWS)[:, None])[..., None]
LABELS = random.integers(0, 4, ROWS)
HOT = np.eye(4, dtype=np.float32)[LABELS]
TARGETS = random.standard_normal((ROWS, 4)).astype(np.float32)
WEIGHTS = random.random(ROWS).astype(np.float32)
EVERY = random.integers(0, 4, (ROWS, 5))


class Case:
    """A model, its data, and how both are used."""

    def __init__(
        self,
        build: Callable[[], nn.Model],
        x: Any = X,
        y: Any = LABELS,
        loss: Any = "sparse_categorical_crossentropy",
        optimizer: Any = "sgd",
        **options: Any,
    ) -> None:
        self.build, self.x, self.y = build, x, y
        self.compiled = {"optimizer": optimizer, "loss": loss}
        for name in ("metrics", "loss_weights", "weighted_metrics"):
            if name in options:
                self.compiled[name] = options.pop(name)
        self.options = options

    def model(self) -> nn.Model:
        nn.set_random_seed(1)
        model = self.build()
        settings = {k: v() if callable(v) else v for k, v in self.compiled.items()}
        model.compile(**settings)
        return model

    async def fit(self, group: Any, **distribution: Any) -> Any:
        model = distributed(group, self.model, **distribution)
        batches: list[Any] = []
        rows = {"x": self.x() if callable(self.x) else self.x}
        if self.y is not None:
            rows["y"] = self.y
        options = {"batch_size": BATCH, "epochs": 2, "seed": 3} | self.options
        history = await model.fit(
            **rows, **options, on_batch_end=lambda b, logs: batches.append(logs)
        )
        return batches, history.history, model


def dense(*more: Any, units: int = 4, activation: str = "softmax", **options: Any) -> Any:
    def build() -> nn.Model:
        made = [layer() for layer in more]
        hidden = nn.Dense(7, activation="tanh", **options)
        return nn.Sequential(
            [nn.Input((6,)), hidden, *made, nn.Dense(units, activation=activation)]
        )

    return build


def images(*more: Any) -> Any:
    def build() -> nn.Model:
        made = [layer() for layer in more]
        head = [nn.Flatten(), nn.Dense(4, activation="softmax")]
        return nn.Sequential([nn.Input((8, 8, 2)), *made, *head])

    return build


def sequence(*more: Any) -> Any:
    def build() -> nn.Model:
        made = [layer() for layer in more]
        return nn.Sequential([nn.Input((5, 3)), *made, nn.Dense(4, activation="softmax")])

    return build


def several() -> nn.Model:
    a, b = nn.Input((6,), name="a"), nn.Input((5, 3), name="b")
    h = layers.Concatenate()([nn.Dense(5, activation="relu")(a), layers.LSTM(4)(b)])
    return nn.Model([a, b], [nn.Dense(4)(h), nn.Dense(4, activation="softmax")(h)])


def attending() -> nn.Model:
    x = nn.Input((5, 3))
    h = layers.MultiHeadAttention(2, 3, dropout=0.2)(x, x)
    return nn.Model(x, nn.Dense(4, activation="softmax")(nn.Flatten()(h)))


def positioned() -> nn.Model:
    x = nn.Input((5, 3))
    h = nn.Dense(3)(x) + np.linspace(-1, 1, 15).reshape(5, 3)
    return nn.Model(x, nn.Dense(4, activation="softmax")(nn.Flatten()(h)))


def stream() -> Any:
    def draw() -> Any:
        for start in range(0, ROWS, BATCH):
            rows = slice(start, start + BATCH)
            yield X[rows], LABELS[rows], WEIGHTS[rows]

    return draw


def mean(y_true: Any, y_pred: Any) -> Any:
    return np.mean(np.square(y_true - y_pred), axis=-1)


def everything(y_true: Any, y_pred: Any) -> Any:
    """One loss for the whole batch, which no sum over samples gives."""
    return np.mean(np.square(y_true - y_pred)) ** 2


DROPOUT = lambda: nn.Dropout(0.4)  # noqa: E731
CONV = [lambda: nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D]
NORMED = [lambda: nn.Conv2D(4, 3), nn.BatchNormalization, nn.ReLU]
REDUCTIONS = ["sum", "mean", "mean_with_sample_weight", "sum_over_batch_size"]
CASES: dict[str, Case] = {
    "dense": Case(dense(), metrics=["accuracy"]),
    "convolution": Case(images(*CONV), IMAGES),
    "one_row_in_the_last_batch": Case(dense(), X[:17], LABELS[:17], metrics=["accuracy"]),
    "fewer_rows_than_members": Case(
        dense(DROPOUT), X[:7], LABELS[:7], batch_size=3, metrics=["accuracy"]
    ),
    "a_single_row": Case(dense(DROPOUT), batch_size=1, steps_per_epoch=4, metrics=["accuracy"]),
    "sample_weights": Case(dense(), sample_weight=WEIGHTS, weighted_metrics=["accuracy"]),
    "class_weights": Case(dense(), class_weight={0: 3.0, 2: 0.25}),
    "l2": Case(dense(kernel_regularizer="l2", bias_regularizer="l1")),
    "penalty_on_outputs": Case(dense(activity_regularizer="l2")),
    "penalty_layer": Case(dense(lambda: layers.ActivityRegularization(l1=0.1))),
    "dropout": Case(dense(DROPOUT)),
    "dropout_with_a_seed": Case(dense(lambda: nn.Dropout(0.4, seed=9))),
    "dropout_shared_by_samples": Case(dense(lambda: nn.Dropout(0.4, noise_shape=(1, 7)))),
    "alpha_dropout": Case(dense(lambda: layers.AlphaDropout(0.3))),
    "gaussian_noise": Case(dense(lambda: layers.GaussianNoise(0.3))),
    "gaussian_dropout": Case(dense(lambda: layers.GaussianDropout(0.3, seed=2))),
    "spatial_dropout": Case(images(*CONV, lambda: layers.SpatialDropout2D(0.4)), IMAGES),
    "random_images": Case(
        images(layers.RandomFlip, lambda: layers.RandomTranslation(0.2, 0.2), *CONV), IMAGES
    ),
    "random_crop": Case(images(lambda: layers.RandomCrop(6, 6), *CONV), IMAGES),
    "batch_norm": Case(images(*NORMED), IMAGES, metrics=["accuracy"]),
    "batch_norm_first": Case(images(nn.BatchNormalization, *CONV), IMAGES),
    "batch_norm_relu6": Case(
        images(nn.BatchNormalization, lambda: nn.ReLU(6.0), *NORMED), IMAGES
    ),
    "batch_norm_of_channels_first": Case(
        images(lambda: nn.BatchNormalization(axis=1), *CONV), IMAGES
    ),
    "batch_norm_of_masked_steps": Case(
        sequence(layers.Masking, nn.BatchNormalization, lambda: layers.LSTM(4)), UNEVEN
    ),
    "layer_norm": Case(dense(nn.LayerNormalization)),
    "lstm": Case(sequence(lambda: layers.LSTM(5)), STEPS),
    "lstm_with_dropout_and_a_loss_for_each_step": Case(
        sequence(
            lambda: layers.LSTM(5, dropout=0.2, recurrent_dropout=0.2, return_sequences=True)
        ),
        STEPS,
        EVERY,
    ),
    "gru_of_masked_steps": Case(sequence(layers.Masking, lambda: layers.GRU(5)), UNEVEN),
    "a_loss_for_each_unmasked_step": Case(
        sequence(layers.Masking, lambda: layers.LSTM(5, return_sequences=True)),
        UNEVEN,
        EVERY,
        metrics=["accuracy"],
    ),
    "bidirectional": Case(
        sequence(lambda: layers.Bidirectional(layers.GRU(3, dropout=0.2))), STEPS
    ),
    "time_distributed_dropout": Case(
        sequence(lambda: layers.TimeDistributed(nn.Dropout(0.3)), nn.Flatten), STEPS
    ),
    "attention": Case(attending, STEPS),
    "an array in the graph": Case(positioned, STEPS),
    "several_inputs_and_outputs": Case(
        several,
        {"a": X, "b": STEPS},
        [TARGETS, LABELS],
        ["mse", "sparse_categorical_crossentropy"],
        loss_weights=[0.3, 2.0],
        metrics=[["mae"], ["accuracy"]],
    ),
    "sums_of_several_outputs": Case(
        several,
        {"a": X, "b": STEPS},
        [TARGETS, LABELS],
        lambda: [losses.MeanSquaredError("sum"), losses.SparseCategoricalCrossentropy()],
        optimizer=lambda: nn.SGD(0.003),
    ),
    "a_generator": Case(dense(DROPOUT), stream, None, metrics=["accuracy"]),
    "validation": Case(
        dense(), validation_data=(X[:19], LABELS[:19]), validation_batch_size=4,
        metrics=["accuracy"],
    ),
    "validation_split": Case(dense(), validation_split=0.3, validation_batch_size=2),
    "clipnorm": Case(dense(), optimizer=lambda: nn.SGD(0.1, clipnorm=0.01)),
    "global_clipnorm": Case(dense(), optimizer=lambda: nn.SGD(0.1, global_clipnorm=0.01)),
    "clipvalue": Case(dense(), optimizer=lambda: nn.SGD(0.1, clipvalue=0.01)),
    "accumulation": Case(dense(), optimizer=lambda: nn.SGD(0.1, gradient_accumulation_steps=2)),
    "moving_average": Case(
        dense(),
        optimizer=lambda: nn.SGD(0.1, 0.9, use_ema=True, ema_momentum=0.8, weight_decay=0.01),
        epochs=3,
    ),
    "schedule": Case(
        dense(), optimizer=lambda: nn.SGD(nn.schedules.ExponentialDecay(0.2, 2, 0.5))
    ),
    "momentum": Case(dense(), optimizer=lambda: nn.SGD(0.1, 0.9, nesterov=True)),
    "rmsprop": Case(dense(), optimizer=lambda: nn.RMSprop(0.002)),
    "constraint": Case(dense(kernel_constraint="max_norm")),
    "mse": Case(dense(activation="linear"), y=TARGETS, loss="mse"),
    "a_function_as_loss": Case(dense(activation="linear"), y=TARGETS, loss=[mean]),
    "a_loss_of_the_whole_batch": Case(dense(activation="linear"), y=TARGETS, loss=[everything]),
    "dice": Case(dense(), y=HOT, loss="dice"),
    "circle": Case(
        dense(nn.UnitNormalization, activation="linear"),
        loss=lambda: losses.Circle(gamma=2.0),
    ),
    "metrics": Case(
        dense(), y=HOT, loss="categorical_crossentropy",
        metrics=lambda: [
            metrics.AUC(num_thresholds=9),
            metrics.AUC(num_thresholds=9, multi_label=True, name="m"),
            metrics.F1Score(average="macro"), metrics.R2Score(), metrics.Precision(),
            metrics.ConcordanceCorrelation(), "kl_divergence", metrics.TopKCategoricalAccuracy(2),
        ],
    ),
}  # fmt: skip
CASES |= {
    f"reduction_{name}": Case(
        dense(), loss=lambda name=name: losses.SparseCategoricalCrossentropy(reduction=name),
        sample_weight=WEIGHTS, optimizer=lambda: nn.SGD(0.003),
    )
    for name in REDUCTIONS
}  # fmt: skip


def apart(one: Any, other: Any) -> float:
    """Return the largest difference of two batches' or epochs' logs, but for the time they took."""
    assert list(one) == list(other)
    names = [n for n in one if n not in ("images_per_second", "batches")]
    assert one.get("batches") == other.get("batches")
    return max(float(np.max(np.abs(np.subtract(one[n], other[n])))) for n in names)


ALONE: dict[str, Any] = {}


def alone(name: str) -> Any:
    if name not in ALONE:
        ALONE[name] = asyncio.run(CASES[name].fit(None))
    return ALONE[name]


def expect_same(name: str, members: list[Any], tolerance: float = 1e-5) -> None:
    batches, history, model = alone(name)
    wanted = model.get_weights()
    for found, logs, other in members:
        assert len(found) == len(batches)
        assert max(map(apart, batches, found)) <= tolerance
        assert apart(history, logs) <= tolerance
        for a, b, c in zip(wanted, other.get_weights(), members[0][2].get_weights(), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=tolerance)
            np.testing.assert_array_equal(b, c)  # all members equal bit for bit


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", CASES)
def test_members_train_the_network_that_one_worker_would(name, size):
    kind = Tasks if size == 3 else Threads
    expect_same(name, together(size, CASES[name].fit, kind))


@pytest.mark.parametrize("name", CASES)
def test_with_four_shards_any_number_of_members_gives_the_same_bits(name):
    expected = None
    for size in (1, 4, 2):
        members = together(size, lambda group: CASES[name].fit(group, shards=4), Tasks)
        bits = [[w.tobytes() for w in model.get_weights()] for _, _, model in members]
        bits += [[repr(logs) for logs in (h for _, h, _ in members)]]
        weights = bits[0]
        assert all(other == weights for other in bits[:-1])
        expected = expected or (weights, bits[-1][0])
        assert (weights, bits[-1][0]) == expected
    expect_same(name, members)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_losses_of_fifty_batches_are_those_of_one_worker(size):
    case = Case(
        images(*CONV, lambda: nn.Dropout(0.2)),
        IMAGES,
        optimizer="adam",
        metrics=["accuracy"],
        epochs=17,
    )
    batches, _, _ = asyncio.run(case.fit(None))
    members = together(size, case.fit)
    for found, _, model in members:
        assert max(map(apart, batches[:50], found[:50])) <= 1e-5
        for a, b in zip(model.get_weights(), members[0][2].get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
