"""What a layer or a model is called with, and what classes define, is used or refused by name."""

from __future__ import annotations

from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import ConfigError, ShapeError
from nn.layers import CLASSES

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
MADE = {
    "Attention": ({}, 2), "BatchNormalization": ({}, 1), "Bidirectional": ({}, 1),
    "Concatenate": ({}, 2), "Conv1D": ({"filters": 2, "kernel_size": 2}, 1),
    "Dense": ({"units": 2}, 1), "Dropout": ({"rate": 0.5}, 1), "GlobalAveragePooling1D": ({}, 1),
    "GRU": ({"units": 2}, 1), "Hashing": ({"num_bins": 3}, 1), "LSTM": ({"units": 2}, 1),
    "MultiHeadAttention": ({"num_heads": 1, "key_dim": 2}, 2), "Softmax": ({}, 1),
    "StringLookup": ({"vocabulary": ["a"]}, 1),
}  # fmt: skip


def made(kind: str) -> Any:
    options, count = MADE[kind]
    inner = {"layer": nn.LSTM(2)} if kind == "Bidirectional" else {}
    return CLASSES[kind](**options, **inner), count


def called(layer: Any, inputs: list[Any], **options: Any) -> Any:
    apart = isinstance(layer, CLASSES["MultiHeadAttention"])
    return layer(*inputs, **options) if apart or len(inputs) == 1 else layer(inputs, **options)


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("argument", ["attention_mask", "return_attention_scores", "count_weights"])
@pytest.mark.parametrize("graph", [False, True])
def test_an_argument_that_a_layer_does_not_take_is_refused_by_name(
    kind: str, argument: str, graph: bool
) -> None:
    layer, count = made(kind)
    if kind == "MultiHeadAttention" and argument != "count_weights":
        argument = "query_mask"  # it takes the others
    inputs = [nn.Input((4, 3)) if graph else X for _ in range(count)]
    with pytest.raises(ConfigError, match=f"expected training and mask, received {argument}"):
        called(layer, inputs, **{argument: True})


@pytest.mark.parametrize("kind", MADE)
def test_a_mask_in_a_graph_is_refused_where_it_would_be_left_out(kind: str) -> None:
    layer, count = made(kind)
    inputs = [nn.Input((4, 3)) for _ in range(count)]
    with pytest.raises(ConfigError, match=r"no mask in a graph.*Masking"):
        called(layer, inputs, mask=nn.Input((4,)))
    assert called(made(kind)[0], inputs, mask=None) is not None


def test_a_list_of_masks_goes_to_the_inputs_of_a_layer() -> None:
    keep = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    query, value = X[:, :2], X
    received = nn.Attention()([query, value], mask=[None, keep])
    for row, count in enumerate((2, 1)):
        alone = nn.Attention()([query[row : row + 1], value[row : row + 1, :count]])
        np.testing.assert_allclose(received[row : row + 1], alone, rtol=1e-5)


@pytest.mark.parametrize("base", [nn.Layer, nn.Dense, nn.Model, nn.Sequential])
@pytest.mark.parametrize(
    "name",
    [
        "call", "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics",
        "make_train_function",
    ],
)  # fmt: skip
def test_a_class_written_for_keras_is_refused_where_it_would_not_be_called(
    base: Any, name: str
) -> None:
    with pytest.raises(ConfigError, match=f"Mine: {name} is not called here"):
        type("Mine", (base,), {name: lambda self, *given: None})
    assert type("Both", (base,), {name: lambda self: None, "forward": lambda self: None})


def test_a_cropping_that_leaves_nothing_of_an_unknown_size_is_refused() -> None:
    model = nn.Sequential([nn.Input((None, 3)), CLASSES["Cropping1D"](2)])
    assert model.predict_on_batch(np.zeros((1, 5, 3))).shape == (1, 1, 3)
    with pytest.raises(ShapeError, match="leaves nothing"):
        model.predict_on_batch(np.zeros((1, 4, 3)))
    with pytest.raises(ShapeError, match="leaves nothing"):
        CLASSES["Cropping2D"](1)(np.zeros((1, 2, 5, 3)))
    with pytest.raises(ConfigError, match="interpolation to be one of"):
        CLASSES["UpSampling2D"](interpolation="bicubic")


def test_classes_are_not_counted_of_labels_below_0() -> None:
    with pytest.raises(ShapeError, match="labels from 0 on, received -1"):
        nn.data.Dataset(X[:, 0], np.array([0, -1])).class_counts()


def of_inputs(count: int, outputs: str, nested: bool) -> nn.Model:
    """A model of some inputs with one output, a list or a dict of two; or one around it."""
    inputs = [nn.Input((4, 3), name=f"x{i}") for i in range(count)]
    both = nn.Concatenate()(inputs) if count > 1 else inputs[0]
    ends: dict[str, Any] = {"a": nn.Dense(2)(both), "b": nn.LSTM(3)(both)}
    made = {"one": ends["a"], "list": [*ends.values()], "dict": ends}[outputs]
    inner = nn.Model(inputs, made)
    return nn.Model(inputs, inner(inputs)) if nested else inner


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("outputs", ["one", "list", "dict"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_model_called_on_arrays_gives_what_it_predicts(
    count: int, outputs: str, nested: bool
) -> None:
    model = of_inputs(count, outputs, nested)
    xs = [X + i for i in range(count)]
    expected = model.predict_on_batch(xs if count > 1 else X)
    named = {f"x{i}": x for i, x in enumerate(xs)}
    for given in ([xs], xs, [tuple(xs)], [named]):
        found = model(*given)
        assert type(found) in (type(expected), tuple)
        np.testing.assert_equal(flat(found), flat(expected))
    with pytest.raises(ShapeError, match="expected inputs"):
        model([*xs, X])


def flat(found: Any) -> list[Any]:
    made = [*found.values()] if isinstance(found, dict) else found
    return [*made] if isinstance(made, list | tuple) else [made]
