"""A program that repeats recorded kernel calls computes exactly what its layers compute."""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nn.models import replay

pytestmark = pytest.mark.usefixtures("native")


class Scale(nn.Dense):
    """A subclass with arithmetic of its own."""

    def forward(self, ctx: Any, *inputs: Any, training: bool = False) -> Any:
        y = super().forward(ctx, *inputs, training=training)
        y += 0.5
        return y


SIZE = (9, 8, 2)
LAYERS: dict[str, Any] = {
    "conv": lambda: nn.Conv2D(3, 3, padding="same", activation="relu"),
    "conv linear": lambda: nn.Conv2D(2, 2, strides=2, padding="same"),
    "conv winograd": lambda: nn.Conv2D(16, 3, padding="same"),
    "conv sigmoid": lambda: nn.Conv2D(2, 3, padding="same", activation="sigmoid"),
    "conv gelu": lambda: nn.Conv2D(2, 3, padding="same", activation="gelu"),
    "conv first": lambda: nn.Conv2D(8, 3, padding="same", data_format="channels_first"),
    "depthwise": lambda: nn.DepthwiseConv2D(3, padding="same"),
    "pool": lambda: nn.MaxPooling2D(padding="same"),
    "mean pool": lambda: nn.AveragePooling2D(padding="same"),
    "norm": nn.BatchNormalization,
    "layer norm": nn.LayerNormalization,
    "layer norm of two axes": lambda: nn.LayerNormalization(axis=[1, 2]),
    "dense softmax": lambda: nn.Dense(4, activation="softmax"),
    "tanh": lambda: nn.Activation("tanh"),
    "relu": nn.ReLU,
    "softmax": nn.Softmax,
    "dropout": lambda: nn.Dropout(0.3),
    "noise": lambda: nn.GaussianNoise(0.1),
    "dense": lambda: nn.Dense(5, activation="tanh"),
    "penalized": lambda: nn.Dense(4, activity_regularizer="l2", kernel_regularizer="l1"),
    "frozen": lambda: nn.Dense(4, activation="relu", trainable=False),
    "subclass": lambda: Scale(4),
}
SEQUENCES: dict[str, Any] = {
    "attention": lambda x: nn.MultiHeadAttention(2, 3)(x, x),
    "causal": lambda x: nn.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True),
    "attention with dropout": lambda x: nn.MultiHeadAttention(2, 3, dropout=0.2)(x, x),
    "lstm": lambda x: nn.LSTM(4)(x),
    "lstm of all steps": lambda x: nn.LSTM(4, return_sequences=True)(x),
    "gru backwards": lambda x: nn.GRU(4, go_backwards=True, return_sequences=True)(x),
    "gru relu": lambda x: nn.GRU(4, activation="relu")(x),
    "lstm with dropout": lambda x: nn.LSTM(4, dropout=0.2)(x),
    "bidirectional": lambda x: nn.Bidirectional(nn.LSTM(3))(x),
    "bidirectional sum": lambda x: nn.Bidirectional(nn.GRU(3), merge_mode="sum")(x),
    "bidirectional of all steps": lambda x: nn.Bidirectional(nn.GRU(3, return_sequences=True))(x),
    "mean of steps": lambda x: nn.GlobalAveragePooling1D()(x),
}


def network(names: list[str], optimizer: Any, loss: str) -> nn.Model:
    nn.set_random_seed(3)
    x = y = nn.Input(SIZE)
    for name in names:
        if name == "twice":
            shared = nn.Dense(y.shape[-1], activation="relu")
            y = shared(shared(y))
        elif name in SEQUENCES:
            steps = nn.Reshape((-1, y.shape[-1]))(y)
            y = SEQUENCES[name](steps)
            y = nn.Reshape((1, -1, y.shape[-1]))(y)
        elif name == "branch":
            y = nn.Add()([nn.Dense(3)(y), nn.Dense(3, activation="relu")(y)])
        elif name == "model":
            inner = nn.Input(y.shape[1:])
            y = nn.Model(inner, nn.Dense(3, activation="relu")(nn.Dense(4)(inner)))(y)
        else:
            y = LAYERS[name]()(y)
    y = nn.Flatten()(y)
    model = nn.Model(x, nn.Dense(3, activation="softmax")(y))
    model.compile(optimizer(), loss, metrics=["accuracy"])
    return model


def learned(model: nn.Model, sizes: list[int], target: Any) -> list[Any]:
    """Train on batches of these sizes, with predictions, new weights and a new freeze between."""
    random = np.random.default_rng(1)
    seen: list[Any] = []
    for turn, size in enumerate(sizes * 4):
        x = random.standard_normal((size, *SIZE)).astype(np.float32)
        y = target(random.integers(0, 3, size))
        seen.append(model.train_on_batch(x, y))
        if turn % 3 == 0:
            seen.append(model.predict_on_batch(x[: turn % 2 + 1]))
        if turn == 2 * len(sizes):
            model.set_weights([w * np.float32(0.9) for w in model.get_weights()])
        if turn == 3 * len(sizes):
            model.layers[-1].trainable = not model.layers[-1].trainable
            model.compile("sgd", model.loss, metrics=["accuracy"])
        seen.append(model.test_on_batch(x, y))
    return [*seen, *model.get_weights(), model.predict_on_batch(x)]


OPTIMIZERS = [
    lambda: nn.optimizers.Adam(0.01, weight_decay=0.01),
    lambda: nn.optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2),
    lambda: nn.optimizers.RMSprop(0.01, use_ema=True),
]
NAMES = [*LAYERS, *SEQUENCES, "twice", "branch", "model"]


@settings(max_examples=20, deadline=None)
@given(
    names=st.lists(st.sampled_from(NAMES), max_size=5),
    sizes=st.lists(st.sampled_from([1, 4, 6, 7]), min_size=1, max_size=3),
    optimizer=st.sampled_from(OPTIMIZERS),
    sparse=st.booleans(),
)
def test_repeated_calls_learn_exactly_what_the_layers_learn(names, sizes, optimizer, sparse):
    learn_alike(names, sizes, optimizer, sparse)


@pytest.mark.parametrize("name", [*SEQUENCES, "layer norm", "layer norm of two axes"])
def test_repeated_calls_of_a_layer_learn_exactly_what_it_learns(name):
    learn_alike([name], [6, 4], OPTIMIZERS[0], sparse=True)


def learn_alike(names: list[str], sizes: list[int], optimizer: Any, sparse: bool) -> None:
    """Check that recorded calls give what the layers give, bit for bit."""
    loss = "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
    target = (lambda y: y) if sparse else (lambda y: np.eye(3, dtype=np.float32)[y])
    got = learned(network(names, optimizer, loss), sizes, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "ATTEMPTS", 0)
        want = learned(network(names, optimizer, loss), sizes, target)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other)
