"""Layers that hash against Keras 3 on TensorFlow: hashes.json has its answers (make_hashes.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import ConfigError, ShapeError

CASES = json.loads((Path(__file__).parent / "hashes.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['name']}-{c['config']}"[:60])
def test_a_hash_is_that_of_keras(case: dict[str, Any]) -> None:
    layer = getattr(nn, case["name"])(**case["config"])
    arrays = [np.array(x) for x in case["inputs"]]
    expected = np.array(case["y"])
    received = layer(arrays if len(arrays) > 1 else arrays[0])
    assert received.shape == expected.shape
    assert np.array_equal(received, expected)
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert np.array_equal(again(arrays if len(arrays) > 1 else arrays[0]), expected)
    if case["name"] != "StringLookup":  # ours has the special tokens in its vocabulary too
        assert {key: layer.get_config()[key] for key in case["saved"]} == case["saved"]


@pytest.mark.parametrize("kind", ["npz", "keras", "safetensors"])
def test_a_network_that_begins_with_hashes_passes_through_files(kind: str) -> None:
    words = nn.Input((1,), dtype="string")
    numbers = nn.Input((1,))
    both = nn.HashedCrossing(7, output_mode="one_hot")([words, nn.Identity()(numbers)])
    one = nn.Hashing(6, output_mode="one_hot")(words)
    ranges = nn.Discretization([-1.0, 0.5], output_mode="one_hot")(numbers)
    made = nn.Concatenate()([both, one, ranges])
    model = nn.Model([words, numbers], nn.Dense(2)(made))
    x = [np.array([["a"], ["b"], ["c"]]), np.array([[0.5], [-2.0], [7.0]], np.float32)]
    again = nn.io.load(nn.io.save(model, kind))
    assert np.array_equal(again.predict_on_batch(x), model.predict_on_batch(x))


@pytest.mark.parametrize("kind", ["tfjs", "onnx"])
def test_files_that_know_no_hashes_refuse_them_by_name(kind: str) -> None:
    entry = nn.Input((1,))
    for layer in (nn.Hashing(3), nn.HashedCrossing(3), nn.Discretization([0.0])):
        given = [entry, entry] if isinstance(layer, nn.HashedCrossing) else entry
        with pytest.raises(nn.io.errors.UnsupportedError, match=type(layer).__name__):
            nn.io.save(nn.Model(entry, layer(given)), kind)


def test_what_cannot_be_hashed_is_refused() -> None:
    with pytest.raises(ConfigError, match="salt must be"):
        nn.Hashing(3, salt=[1, 2, 3])
    with pytest.raises(ConfigError, match="num_bins"):
        nn.Hashing(0)
    with pytest.raises(ConfigError, match="output_mode"):
        nn.HashedCrossing(3, output_mode="count")
    for shapes in ([(2,), (3,)], [(2,)], [(2, 2), (2, 2)]):
        with pytest.raises(ShapeError, match="two or more inputs"):
            nn.HashedCrossing(3)([np.zeros(shape, int) for shape in shapes])


TOKENS = {
    "a number": 1, "a text": "a", "nothing": None, "an array of one number": np.array(1),
    "one array": np.array([1, 2]), "rows of an array": np.array([[1, 2], [3, 4]]), "no inputs": [],
    "one input": [np.array([1, 2])], "inputs of no axes": [np.array(1), np.array(1)],
    "inputs of two sizes": [np.array([1, 2]), np.array([1])], "numbers": [1, 2],
    "no number": [np.array([1, 2]), np.array([np.nan, 1.0])],
    "objects": [np.array([{}, 2], object), np.array([1, 2])],
    "one tensor": nn.Input((1,)),
}  # fmt: skip


@pytest.mark.parametrize("kind", TOKENS)
def test_what_cannot_be_crossed_is_refused(kind: str) -> None:
    with pytest.raises((ConfigError, ShapeError), match="hashed_crossing: "):
        nn.HashedCrossing(10)(TOKENS[kind])
