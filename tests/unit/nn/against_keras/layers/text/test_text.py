"""Layers of text against Keras 3 on TensorFlow: cases.json has its answers (make_cases.py)."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import nn
import numpy as np
import pytest
from nn.layers.lookup import IndexLookup

FOLDER = Path(__file__).parent
DOCUMENT = json.loads((FOLDER / "cases.json").read_text())
CASES = DOCUMENT["cases"]


def made(case: dict[str, Any]) -> Any:
    return getattr(nn, case["name"])(**case["config"])


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['name']}-{c['config']['output_mode']}")
def test_a_layer_adapts_and_numbers_as_keras(case: dict[str, Any]) -> None:
    layer, x = made(case), np.array(case["x"])
    layer.adapt(case["data"])
    assert layer.get_vocabulary() == case["vocabulary"]
    expected = np.array(case["y"])
    received = layer(x)
    assert received.shape == expected.shape
    np.testing.assert_allclose(received, expected, rtol=1e-6)
    assert np.array_equal(layer(case["x"]), received)  # lists too
    if case["idf_weights"]:
        weights = np.array(case["idf_weights"])
        np.testing.assert_allclose(layer.idf_weights, weights[: len(layer.idf_weights)], rtol=1e-6)
        assert not weights[len(layer.idf_weights) :].any()  # the padding
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert np.array_equal(again(x), received)
    assert again.get_config() == layer.get_config()


def test_the_cases_are_of_all_layers_and_modes() -> None:
    kinds = {(c["name"], c["config"]["output_mode"].replace("-", "_")) for c in CASES}
    assert {name for name, _ in kinds} == {
        name for name, cls in nn.layers.CLASSES.items() if issubclass(cls, IndexLookup)
    }
    assert {mode for _, mode in kinds} == set(nn.layers.lookup.MODES)


def test_a_file_of_keras_brings_the_vocabularies_that_were_adapted() -> None:
    model = nn.io.load((FOLDER / "adapted.keras").read_bytes())
    x, expected = DOCUMENT["adapted"]["x"], np.array(DOCUMENT["adapted"]["y"])
    np.testing.assert_allclose(model.predict_on_batch(np.array(x)), expected, rtol=1e-4, atol=1e-5)
    for kind in ("npz", "keras", "safetensors"):
        again = nn.io.load(nn.io.save(model, kind))
        assert np.array_equal(again.predict_on_batch(x), model.predict_on_batch(x))
    for kind in ("tfjs", "onnx"):
        with pytest.raises(nn.io.errors.UnsupportedError, match="TextVectorization"):
            nn.io.save(model, kind)


@pytest.mark.parametrize(
    ("kind", "lines", "expected"),
    [
        ("IntegerLookup", "-1\n47\n11", [-1, 47, 11]),
        ("StringLookup", "[UNK]\r\na\u2028b\r\nc\x85\r\nd", ["[UNK]", "a\u2028b", "c\x85", "d"]),
    ],
)
def test_a_file_of_keras_brings_each_line_of_a_vocabulary(
    kind: str, lines: str, expected: list[Any]
) -> None:
    """Keras writes numbers as text too, and lines as the machine ends them."""
    lookup = getattr(nn, kind)(vocabulary=[5])
    dtype = "string" if kind == "StringLookup" else "int64"
    data = nn.io.save(nn.Sequential([nn.Input((), dtype=dtype), lookup]), "keras")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts: dict[str, Any] = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(parts["config.json"])
    document["config"]["layers"][1]["config"]["vocabulary"] = None
    parts["config.json"] = json.dumps(document)
    parts[f"assets/layers/{kind.lower()[:-6]}_lookup/vocabulary.txt"] = lines
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    model: Any = nn.io.load(changed.getvalue())
    assert model.layers[-1].get_vocabulary() == expected


def test_a_model_trains_and_predicts_on_texts() -> None:
    texts = ["good film", "a bad film", "good", "so bad, bad", "GOOD story", "bad story"] * 8
    labels = np.array([1, 0, 1, 0, 1, 0] * 8)
    vectorize = nn.TextVectorization(output_sequence_length=4)
    vectorize.adapt(texts)
    layers = [nn.Input((), dtype="string"), vectorize, nn.Embedding(20, 4)]
    model = nn.Sequential([*layers, nn.GlobalAveragePooling1D(), nn.Dense(1, "sigmoid")])
    model.compile(nn.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    history = asyncio.run(model.fit(np.array(texts), labels, epochs=12, batch_size=8))
    assert history.history["accuracy"][-1] == 1
    found = asyncio.run(model.predict(["good good", "bad bad bad"], batch_size=1))
    assert found[0] > 0.8
    assert found[1] < 0.2


def test_data_come_in_batches_too() -> None:
    whole, parts = nn.StringLookup(), nn.StringLookup()
    whole.adapt(["b", "a", "b"])
    parts.adapt(iter([["b"], ["a", "b"]]))
    assert whole.get_vocabulary() == parts.get_vocabulary() == ["[UNK]", "b", "a"]
    some = nn.TextVectorization()
    some.adapt((batch for batch in (["x y"], ["y"], ["z"])), steps=2)
    assert some.get_vocabulary(include_special_tokens=False) == ["y", "x"]


def test_indices_are_turned_back_into_tokens() -> None:
    words = nn.StringLookup(vocabulary=["a", "b"], invert=True)
    assert words([[1, 2], [0, 7]]).tolist() == [["a", "b"], ["[UNK]", "[UNK]"]]
    numbers = nn.IntegerLookup(vocabulary=[5, 9], invert=True, mask_token=0)
    assert numbers([[0, 1], [2, 3]]).tolist() == [[0, -1], [5, 9]]


def test_functions_standardize_and_split() -> None:
    layer = nn.TextVectorization(
        standardize=lambda texts: np.char.replace(texts, "-", " "),
        split=lambda texts: [text.split(",") for text in texts],
    )
    layer.adapt(["a-b,c", "c"])
    assert layer.get_vocabulary() == ["", "[UNK]", "c", "a b"]
    with pytest.raises(nn.io.errors.UnsupportedError):
        nn.io.save(nn.Sequential([nn.Input((), dtype="string"), layer]), "npz")


def test_a_vocabulary_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("earth\nwind\n", encoding="utf-8")
    assert nn.TextVectorization(vocabulary=str(path))(["wind, fire"]).tolist() == [[3, 1]]
    path.write_bytes(b"47\r\n-3\n")
    assert nn.IntegerLookup(vocabulary=str(path))([-3, 47, 5]).tolist() == [2, 1, 0]
    path.write_text("47\neleven\n", encoding="utf-8")
    with pytest.raises(nn.errors.ConfigError, match="'eleven'"):
        nn.IntegerLookup(vocabulary=str(path))


def test_a_line_of_a_vocabulary_ends_where_tensorflow_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("a\u2028b\nc\x85\x0bd\ne", encoding="utf-8")
    layer = nn.StringLookup(vocabulary=str(path))
    assert layer.get_vocabulary() == ["[UNK]", "a\u2028b", "c\x85\x0bd", "e"]


@pytest.mark.parametrize("kind", ["TextVectorization", "StringLookup", "IntegerLookup"])
def test_the_vocabulary_of_a_model_is_no_other_file_of_the_machine(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("47\n11\n", encoding="utf-8")
    numbers = kind == "IntegerLookup"
    made = getattr(nn, kind)(vocabulary=str(path))
    model = nn.Sequential([nn.Input((), dtype="int64" if numbers else "string"), made])
    document = model.to_json()
    assert str(path) not in document
    changed = json.loads(document)
    changed["config"]["layers"][1]["config"]["vocabulary"] = str(path)
    with pytest.raises(nn.errors.NNError, match=r"expected the tokens of the vocabulary, received"):
        nn.models.model_from_json(json.dumps(changed))


def test_words_that_are_split_already_and_single_texts() -> None:
    layer = nn.TextVectorization(split=None, vocabulary=["a", "b c"])
    assert layer([["a", "b c"], ["x", "A!"]]).tolist() == [[2, 3], [1, 2]]
    assert nn.TextVectorization(vocabulary=["a", "b"])("b a").tolist() == [3, 2]
    assert nn.TextVectorization(vocabulary=["é"])([b"\xc3\xa9"]).tolist() == [[2]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.StringLookup(max_tokens=1), "max_tokens above 1"),
        (lambda: nn.StringLookup(pad_to_max_tokens=True), "max_tokens for pad"),
        (lambda: nn.StringLookup(num_oov_indices=-1), "at least 0"),
        (lambda: nn.StringLookup(invert=True, output_mode="count"), "'int' for invert"),
        (lambda: nn.StringLookup(vocabulary=["a"], idf_weights=[1.0]), "only for 'tf_idf'"),
        (lambda: nn.StringLookup(vocabulary=["a"], output_mode="tf_idf"), "1 idf_weights"),
        (lambda: nn.StringLookup(vocabulary=["a", "b", "a"]), "once each"),
        (lambda: nn.StringLookup(vocabulary=["b", ""], mask_token=""), "special"),
        (lambda: nn.StringLookup(vocabulary=[]), "received none"),
        (lambda: nn.StringLookup(vocabulary=["a", "b"], max_tokens=2), "at most 2"),
        (lambda: nn.StringLookup(output_mode="sparse"), "output_mode to be one of"),
        (lambda: nn.StringLookup(vocabulary=["a"]).adapt(["b"]), "without vocabulary"),
        (lambda: nn.StringLookup(output_mode="count")(["a"]), "call adapt"),
        (lambda: nn.TextVectorization(split="comma"), "split to be one of"),
        (lambda: nn.TextVectorization(standardize="upper"), "standardize to be one of"),
        (
            lambda: nn.TextVectorization(output_mode="count", output_sequence_length=2),
            "output_sequence_length",
        ),
    ],
)
def test_says_which_options_do_not_fit(make: Any, message: str) -> None:
    with pytest.raises(nn.errors.ConfigError, match=message):
        make()


def test_says_which_data_do_not_fit() -> None:
    with pytest.raises(nn.errors.DataError, match="'c'"):
        nn.StringLookup(vocabulary=["a"], num_oov_indices=0)([["a", "c"]])
    with pytest.raises(nn.errors.ShapeError, match=r"\(1, 2\)"):
        nn.TextVectorization(vocabulary=["a"])([["a", "b"]])
    with pytest.raises(nn.errors.EmptyError):
        nn.TextVectorization().adapt(iter([]))
    layer = nn.StringLookup(output_mode="count")
    layer.adapt(["a", "b"])
    layer(nn.Input((3,), dtype="string"))
    with pytest.raises(nn.errors.ConfigError, match="put into a model"):
        layer.adapt(["a", "b", "c"])


@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "tf_idf"])
def test_texts_without_a_word_are_rows_of_zeros(mode: str) -> None:
    weights = {"idf_weights": [1.0, 2.0]} if mode == "tf_idf" else {}
    layer = nn.layers.TextVectorization(vocabulary=["a", "b"], output_mode=mode, **weights)
    for texts in (["!!"], ["", ""]):
        found = np.asarray(layer(texts))
        assert found.shape[0] == len(texts)
        assert not found.any()


TEXTS = [nn.StringLookup, nn.TextVectorization]
NONE = [None, {}, object(), float("nan"), [None], ["a", None], ["a", float("nan")], np.array([1j])]
MODES = ["int", "one_hot", "multi_hot", "count"]


@pytest.mark.parametrize("make", TEXTS)
@pytest.mark.parametrize("wrong", [*NONE[:-1], [["a"], ["b", "c"]], [["a", "b"]], b"ab", 5])
def test_what_is_no_text_is_no_token(make: Any, wrong: Any) -> None:
    """None and NaN, what is missing in a table, would be the words "None" and "nan"."""
    with pytest.raises(nn.errors.NNError, match="received"):
        make().set_vocabulary(wrong)
    layer = make(vocabulary=["a", "b"])
    if repr(wrong) in map(repr, NONE):
        for call in (layer, make().adapt):
            with pytest.raises(nn.errors.DataError, match="received"):
                call(wrong)


@pytest.mark.parametrize("wrong", [*NONE, [["a"], ["b", "c"]], "x", [1e300], [-np.inf]])
def test_what_is_no_whole_number_is_no_index(wrong: Any) -> None:
    """NaN would be the least number of 64 bits."""
    lookup = nn.IntegerLookup(vocabulary=[1, 2])
    inverse = [make(invert=True, vocabulary=[1, 2]) for make in (nn.StringLookup, nn.IntegerLookup)]
    for call in (lookup, nn.IntegerLookup().adapt, *inverse):
        with pytest.raises(nn.errors.NNError, match="received"):
            call(wrong)
    with pytest.raises((nn.errors.NNError, FileNotFoundError)):
        nn.IntegerLookup().set_vocabulary(wrong)


@pytest.mark.parametrize("wrong", [None, {}, object(), float("nan"), [None], [["a"], ["b", "c"]]])
@pytest.mark.parametrize("mode", MODES)
def test_only_texts_and_whole_numbers_are_hashed(mode: str, wrong: Any) -> None:
    with pytest.raises(nn.errors.ConfigError, match="expected texts or whole numbers, received"):
        nn.Hashing(5, output_mode=mode)(wrong)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("make", "token"),
    [
        (lambda mode: nn.StringLookup(vocabulary=["a", "b"], output_mode=mode), "b"),
        (lambda mode: nn.IntegerLookup(vocabulary=[7, 8], output_mode=mode), 8),
        (lambda mode: nn.Hashing(4, output_mode=mode), "b"),
        (lambda mode: nn.Discretization([0.0, 1.0], output_mode=mode), 0.5),
    ],
)
def test_a_token_on_its_own_is_encoded_as_in_a_row(make: Any, mode: str, token: Any) -> None:
    layer = make(mode)
    alone, row = np.asarray(layer(token)), np.asarray(layer(np.array([[token]])))
    assert alone.shape == (() if mode == "int" else row.shape[-1:])
    np.testing.assert_array_equal(alone.reshape(-1), row.reshape(-1))


@pytest.mark.parametrize("split", [None, "whitespace", "character"])
def test_no_texts_are_no_rows(split: Any) -> None:
    assert len(nn.TextVectorization(split=split, vocabulary=["a"])([])) == 0
