"""Write the files beside this one: networks of Keras 2 itself, with what it predicts.

pip install tensorflow-cpu==2.21.0 tf-keras==2.21.0 h5py && python write.py
"""

import json
from pathlib import Path

import numpy as np
import tf_keras as keras

HERE = Path(__file__).resolve().parent
L = keras.layers
keras.utils.set_random_seed(0)
RNG = np.random.default_rng(0)


def images():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            L.Conv2D(4, 3, strides=2, padding="same", use_bias=False),
            L.BatchNormalization(),
            L.ReLU(6.0),
            L.DepthwiseConv2D(3, depth_multiplier=2),
            L.SeparableConv2D(3, 2, activation="hard_sigmoid"),
            L.Conv2DTranspose(2, 2),
            L.Dropout(0.0),  # as no other engine draws the same
            L.GlobalAveragePooling2D(),
            L.Dense(3, activation="softmax"),
        ]
    )


def words():
    return keras.Sequential(
        [
            keras.Input((5,)),
            L.Embedding(11, 4, mask_zero=True),
            L.Bidirectional(L.LSTM(3, return_sequences=True)),
            L.GRU(2, return_sequences=True),
            L.SimpleRNN(2),
            L.Dense(1),
        ]
    )


def graph():
    """Models inside a model, a shared layer, and arithmetic with numbers."""
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="tanh")], name="inner")
    joined = L.Concatenate()([inner(left), inner(right)])
    return keras.Model([left, right], L.Dense(2)(joined * 2.0 + 1.0))


INPUTS = {
    "images": [RNG.random((2, 8, 8, 3), dtype=np.float32)],
    "words": [RNG.integers(0, 11, (3, 5)).astype(np.float32)],
    "graph": [RNG.random((2, 4), dtype=np.float32) for _ in range(2)],
}
answers = {}
for name, make in (("images", images), ("words", words), ("graph", graph)):
    model, xs = make(), INPUTS[name]
    given = xs if len(xs) > 1 else xs[0]
    model.compile("adam", "mse")
    y = model.predict(given, verbose=0)
    model.train_on_batch(given, np.zeros_like(y))  # the optimizer has its moments then
    y = model.predict(given, verbose=0)
    for suffix in ("h5", "keras"):
        model.save(HERE / f"{name}.{suffix}")
    model.train_on_batch(given, np.ones_like(y))
    after = model.predict(given, verbose=0)
    answers[name] = {
        "inputs": [x.tolist() for x in xs], "y": y.tolist(), "after": after.tolist()
    }  # fmt: skip
(HERE / "answers.json").write_text(json.dumps(answers) + "\n")
