"""Write cases.json and adapted.keras: what Keras' layers of text give on TensorFlow.

Keras has them there alone, and the tests' environment has JAX. In an environment of its own:

    pip install tensorflow-cpu keras==3.15.1
    KERAS_BACKEND=tensorflow python tests/unit/nn/against_keras/layers/text/make_cases.py
"""

import json
import random
from pathlib import Path

import keras
import numpy as np

FOLDER = Path(__file__).parent
DRAW = random.Random(15)
WORDS = [
    "the", "The", "cat's", "sat.", "on", "a", "mat", "ÉTÉ", "été", "naïve", "x-y", "[UNK]", "Ω",
    "1.5", "a\u00a0b", "tab\tbed", "e\u0301", "🙂", "_x_", '"q"', "under_score", "\\", "A B",
]  # fmt: skip


def text():
    return "  ".join(DRAW.choice(WORDS) for _ in range(DRAW.randrange(7)))


def texts(count):
    return [text() for _ in range(count)]


def vectorization():
    mode = DRAW.choice(["int", "int", "one_hot", "multi_hot", "count", "tf_idf", "tf-idf"])
    config = {
        "standardize": DRAW.choice(
            ["lower_and_strip_punctuation", "lower", "strip_punctuation", None]
        ),
        "split": DRAW.choice(["whitespace", "whitespace", "character"]),
        "ngrams": DRAW.choice([None, None, 2, [2, 3]]),
        "output_mode": mode,
        "max_tokens": DRAW.choice([None, 6, 40]),
    }
    if mode == "one_hot":
        # On texts of one length, for rows of several lengths are ragged.
        config |= {"split": "character", "standardize": None, "ngrams": None}
    if mode == "int":
        config["output_sequence_length"] = DRAW.choice([None, 3, 12])
    elif config["max_tokens"]:
        config["pad_to_max_tokens"] = DRAW.choice([True, False])
    data, x = texts(9), texts(4)
    if mode == "one_hot":
        data, x = (["".join(DRAW.choices("abc dé", k=5)) for _ in range(4)] for _ in range(2))
    return "TextVectorization", config, data, x


def lookup(name, tokens):
    mode = DRAW.choice(["int", "one_hot", "multi_hot", "count", "tf_idf"])
    config = {
        "output_mode": mode,
        "max_tokens": DRAW.choice([None, 5, 20]),
        "mask_token": DRAW.choice([None, tokens[0]]),
        "num_oov_indices": 1 if name == "StringLookup" else DRAW.choice([1, 1, 3]),
    }
    if mode not in ("int", "one_hot") and config["max_tokens"]:
        config["pad_to_max_tokens"] = DRAW.choice([True, False])
    data = [DRAW.choices(tokens[:-2], k=4) for _ in range(6)]
    x = [DRAW.choices(tokens, k=DRAW.choice([1, 4])) for _ in range(1)] * 2
    return name, config, data, x


def case():
    kind = DRAW.randrange(4)
    if kind > 1:
        return vectorization()
    if kind:
        return lookup("StringLookup", ["", "a", "b", "cc", "Ω", "d", "e", "no", "[UNK]"])
    return lookup("IntegerLookup", [0, 5, 7, -3, 2**40, 11, -1, 100, 101, 102])


def plain(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return value.decode()
    return [plain(v) for v in value] if isinstance(value, list | tuple | np.ndarray) else value


def run(name, config, data, x):
    options = dict(config)
    if isinstance(options.get("ngrams"), list):
        options["ngrams"] = tuple(options["ngrams"])
    layer = getattr(keras.layers, name)(**options)
    layer.adapt(data)
    y = layer(np.array(x))
    y = (y.to_tensor() if hasattr(y, "to_tensor") else y).numpy()
    inner = layer._lookup_layer if name == "TextVectorization" else layer
    weights = inner.idf_weights_const.numpy() if "idf" in config["output_mode"] else None
    return {
        "name": name, "config": config, "data": data, "x": x, "y": plain(y),
        "vocabulary": plain(layer.get_vocabulary()),
        "idf_weights": None if weights is None else plain(weights),
    }  # fmt: skip


def adapted():
    entry = keras.Input((), dtype="string")
    words = keras.layers.TextVectorization(output_sequence_length=5, name="words")
    rows = keras.layers.TextVectorization(output_mode="tf_idf", name="rows", ngrams=2)
    given = keras.layers.TextVectorization(
        vocabulary=["cat", "mat"], output_mode="count", name="given"
    )
    for layer in (words, rows):
        layer.adapt(texts(20))
    vectors = keras.layers.Embedding(words.vocabulary_size(), 3)(words(entry))
    parts = [keras.layers.Flatten()(vectors), rows(entry), given(entry)]
    y = keras.layers.Dense(2)(keras.layers.Concatenate()(parts))
    return keras.Model(entry, y)


def main():
    keras.utils.set_random_seed(3)
    cases = []
    while len(cases) < 120:
        drawn = case()
        cases.append(run(*drawn))
    model = adapted()
    model.save(FOLDER / "adapted.keras")
    x = [*texts(6), "cat"]
    y = model.predict(np.array(x, object), verbose=0)
    document = {"cases": cases, "adapted": {"x": x, "y": y.tolist()}}
    (FOLDER / "cases.json").write_text(json.dumps(document, ensure_ascii=True, indent=0))


if __name__ == "__main__":
    main()
