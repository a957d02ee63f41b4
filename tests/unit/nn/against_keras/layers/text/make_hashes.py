"""Write hashes.json: what Keras' layers that hash give on TensorFlow, which alone has them.

pip install tensorflow-cpu==2.21.0 keras==3.15.1
KERAS_BACKEND=tensorflow python tests/unit/nn/against_keras/layers/text/make_hashes.py
"""

import json
import random
from pathlib import Path

import keras
import numpy as np

DRAW = random.Random(7)
LARGE = 2**62 - 57
BYTES = bytes(range(32, 127)).decode() * 6
# FarmHash has a rule for each of these sizes: 0, to 3, 7, 16, 32, 64, and rows of 64.
SIZES = [*range(18), 31, 32, 33, 63, 64, 65, 127, 128, 129, 192, 193, 500]
TEXTS = [BYTES[i : i + size] for i, size in enumerate(SIZES)] + ["été", "🙂", "a\u00a0b"]
NUMBERS = [0, 1, -1, 7, -12345678901, 2**31, 10**12]


def cases():
    for salt in (None, 3, [5, 9]):
        yield "Hashing", {"num_bins": LARGE, "salt": salt}, [TEXTS]
        yield "Hashing", {"num_bins": 5, "salt": salt, "mask_value": ""}, [TEXTS]
        yield "Hashing", {"num_bins": 1000, "salt": salt}, [NUMBERS]
    yield "Hashing", {"num_bins": 9, "mask_value": 7}, [NUMBERS]
    yield "Hashing", {"num_bins": 90}, [[0.5, -1.5, 2.0, 1e6]]
    for mode in ("one_hot", "multi_hot", "count"):
        yield "Hashing", {"num_bins": 4, "output_mode": mode}, [[TEXTS[:3], TEXTS[3:6]]]
    yield "Hashing", {"num_bins": 4, "output_mode": "one_hot"}, [[["a"], ["b"]]]
    yield "HashedCrossing", {"num_bins": LARGE}, [TEXTS[:7], NUMBERS]
    yield "HashedCrossing", {"num_bins": 11}, [NUMBERS, TEXTS[:7], NUMBERS]
    column = [[text] for text in TEXTS[:4]]
    yield "HashedCrossing", {"num_bins": 5}, [column, column]
    yield "HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, [column, column]
    for count in (2, 3):
        known = {"vocabulary": ["a", "b"], "num_oov_indices": count}
        yield "StringLookup", known, [["a", "b", *TEXTS[1:9]]]


made = []
for name, config, inputs in cases():
    layer = getattr(keras.layers, name)(**config)
    arrays = [np.array(x) for x in inputs]
    y = np.asarray(layer(arrays if len(arrays) > 1 else arrays[0]))
    made.append({"name": name, "config": config, "inputs": inputs, "y": y.tolist()})
    settings = {key: layer.get_config()[key] for key in config}
    made[-1]["saved"] = settings
text = ",\n".join(json.dumps(case, ensure_ascii=True) for case in made)
(Path(__file__).parent / "hashes.json").write_text(f"[{text}]\n")
