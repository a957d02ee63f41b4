"""Keras' published examples, here and in Keras: the same lines build, train and predict the same.

Each example takes the library, so `import keras` is what changes between the two, the data, which
are small ones of the same shapes, and `await` before what trains. Without dropout the losses are
those of Keras; with it, as published, the model learns.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import nn
import numpy as np
import pytest

RNG = np.random.default_rng(12)


class Example(NamedTuple):
    """A compiled model, its data, and how `fit` is called."""

    model: Any
    x: Any
    y: Any
    options: dict[str, Any]


def digits() -> tuple[Any, Any]:
    """Images of bright squares, whose place is their class."""
    labels = RNG.integers(0, 10, 96)
    images = RNG.random((96, 28, 28, 1)).astype("float32") * 0.2
    for image, label in zip(images, labels, strict=True):
        image[4 + 11 * (label // 5) :, 5 * (label % 5) : 5 * (label % 5) + 5][:8] = 1
    return images, labels


IMAGES, LABELS = digits()


def mnist_convnet(keras: Any, drop: float) -> Example:
    """Simple MNIST convnet (F. Chollet, 2015)."""
    layers = keras.layers
    y = keras.utils.to_categorical(LABELS, 10)
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(drop),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return Example(model, IMAGES, y, {"batch_size": 32, "validation_split": 0.25})


def autoencoder(keras: Any, drop: float) -> Example:
    """Convolutional autoencoder for image denoising (S. L. Valdarrama, 2021)."""
    layers = keras.layers
    entry = layers.Input(shape=(28, 28, 1)) if keras is not nn else keras.Input(shape=(28, 28, 1))
    x = layers.Conv2D(8, (3, 3), activation="relu", padding="same")(entry)
    x = layers.MaxPooling2D((2, 2), padding="same")(x)
    x = layers.Conv2D(8, (3, 3), activation="relu", padding="same")(x)
    x = layers.MaxPooling2D((2, 2), padding="same")(x)
    x = layers.Conv2DTranspose(8, (3, 3), strides=2, activation="relu", padding="same")(x)
    x = layers.Conv2DTranspose(8, (3, 3), strides=2, activation="relu", padding="same")(x)
    x = layers.Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)
    model = keras.Model(entry, x)
    model.compile(optimizer="adam", loss="binary_crossentropy")
    noisy = np.clip(IMAGES + 0.2 * np.sin(np.arange(28 * 28)).reshape(28, 28, 1), 0, 1)
    return Example(model, noisy, IMAGES, {"batch_size": 32, "validation_data": (noisy, IMAGES)})


def sums() -> tuple[Any, Any]:
    characters = "0123456789+ "
    a, b = RNG.integers(0, 100, (2, 128))
    questions = [f"{p}+{q}".ljust(5)[::-1] for p, q in zip(a, b, strict=True)]
    answers = [str(p + q).ljust(3) for p, q in zip(a, b, strict=True)]
    x, y = (
        np.array([[[c == k for k in characters] for c in text] for text in texts], bool)
        for texts in (questions, answers)
    )
    return x, y


SUMS = sums()


def addition_rnn(keras: Any, drop: float) -> Example:
    """Sequence to sequence learning for performing number addition (Smerity and others, 2015)."""
    layers = keras.layers
    model = keras.Sequential()
    model.add(keras.Input((5, 12)) if keras is nn else layers.Input((5, 12)))
    model.add(layers.LSTM(32))
    model.add(layers.RepeatVector(3))
    for _ in range(1):
        model.add(layers.LSTM(32, return_sequences=True))
    model.add(layers.Dense(12, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return Example(model, *SUMS, {"batch_size": 16})


def imbalanced_classification(keras: Any, drop: float) -> Example:
    """Imbalanced classification: credit card fraud detection (F. Chollet, 2019)."""
    x = np.random.default_rng(1).normal(size=(256, 30)).astype("float32")
    y = (x[:, :1] > 1.3).astype("uint8")
    counts = np.bincount(y[:, 0])
    model = keras.Sequential(
        [
            keras.Input(shape=x.shape[1:]),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(drop),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(drop),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    metrics = [
        keras.metrics.FalseNegatives(name="fn"),
        keras.metrics.FalsePositives(name="fp"),
        keras.metrics.TrueNegatives(name="tn"),
        keras.metrics.TruePositives(name="tp"),
        keras.metrics.Precision(name="precision"),
        keras.metrics.Recall(name="recall"),
    ]
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=metrics
    )
    weights = {0: 1.0 / counts[0], 1: 1.0 / counts[1]}
    return Example(
        model, x, y,
        {"batch_size": 64, "validation_data": (x[:64], y[:64]), "class_weight": weights},
    )  # fmt: skip


def transfer_learning(keras: Any, drop: float) -> Example:
    """Transfer learning and fine-tuning (F. Chollet, 2020), with a small network of its own."""
    layers = keras.layers
    base_input = keras.Input(shape=(28, 28, 1))
    x = layers.Conv2D(6, 3, strides=2, use_bias=False)(base_input)
    x = layers.BatchNormalization(momentum=0.5)(x)
    x = layers.Activation("relu")(x)
    base_model = keras.Model(base_input, layers.SeparableConv2D(8, 3)(x), name="base")
    base_model.trainable = False

    inputs = keras.Input(shape=(28, 28, 1))
    x = inputs
    if drop:
        x = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])(x)
    x = layers.Rescaling(scale=2.0, offset=-1)(x)
    # As in Keras 3.15, the mode of the model around it goes before that of the call.
    x = base_model(x, training=False)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(drop)(x)
    model = keras.Model(inputs, layers.Dense(1)(x))
    base_model.trainable = True  # fine-tuning
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy()],
    )
    return Example(model, IMAGES, (LABELS < 5).astype("float32")[:, None], {"batch_size": 32})


WORDS = RNG.integers(0, 40, (128, 12))
TONES = (np.sum(WORDS < 10, axis=1) > 2).astype("int64")


def text_classification_with_transformer(keras: Any, drop: float) -> Example:
    """Text classification with Transformer (A. Nandan, 2020), written with the functional API."""
    layers = keras.layers
    inputs, places = keras.Input(shape=(12,)), keras.Input(shape=(12,))
    x = layers.Embedding(40, 16)(inputs) + layers.Embedding(12, 16)(places)
    attention = layers.MultiHeadAttention(num_heads=2, key_dim=16)(x, x)
    attention = layers.Dropout(drop)(attention)
    out1 = layers.LayerNormalization(epsilon=1e-6)(x + attention)
    ffn = layers.Dense(32, activation="relu")(out1)
    ffn = layers.Dropout(drop)(layers.Dense(16)(ffn))
    x = layers.LayerNormalization(epsilon=1e-6)(out1 + ffn)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(drop)(x)
    x = layers.Dense(20, activation="relu")(x)
    x = layers.Dropout(drop)(x)
    model = keras.Model([inputs, places], layers.Dense(2, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    steps = np.broadcast_to(np.arange(12), WORDS.shape)
    return Example(model, [WORDS, steps], TONES, {"batch_size": 32})


EXAMPLES: list[Callable[[Any, float], Example]] = [
    mnist_convnet, autoencoder, addition_rnn, imbalanced_classification, transfer_learning,
    text_classification_with_transformer,
]  # fmt: skip


def fitted(example: Example, epochs: int, **options: Any) -> dict[str, list[float]]:
    """Return the history of `fit`; ours is awaited."""
    found = example.model.fit(
        example.x, example.y, epochs=epochs, verbose=0, **example.options, **options
    )
    if inspect.isawaitable(found):
        found = asyncio.run(found)  # type: ignore[arg-type]
    return dict(found.history)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.__name__)
def test_an_example_trains_and_predicts_as_in_keras(example: Any) -> None:
    ours, theirs = example(nn, 0.0), example(keras, 0.0)
    assert ours.model.count_params() == theirs.model.count_params()
    theirs.model.set_weights(ours.model.get_weights())
    history = fitted(ours, 2, shuffle=False)
    expected = fitted(theirs, 2, shuffle=False)
    assert set(history) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=5e-3, atol=1e-3, err_msg=name)
    received = ours.model.predict_on_batch(ours.x)
    wanted = theirs.model.predict_on_batch(theirs.x)
    np.testing.assert_allclose(received, wanted, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.__name__)
def test_an_example_learns_as_it_is_published(example: Any, capsys: Any) -> None:
    nn.set_random_seed(5)
    ours = example(nn, 0.1)
    ours.model.summary(show_trainable=True)
    assert "Total params" in capsys.readouterr().out
    epochs = {mnist_convnet: 3, autoencoder: 8}.get(example, 12)
    history = fitted(ours, epochs)["loss"]
    assert history[-1] < 0.97 * history[0]
    again = nn.io.load(nn.io.save(ours.model))
    for a, b in zip(again.get_weights(), ours.model.get_weights(), strict=True):
        assert np.array_equal(a, b)
