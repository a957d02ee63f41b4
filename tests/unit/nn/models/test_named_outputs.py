"""Models whose inputs and outputs are a dict: their names in data, losses, logs and files."""

from __future__ import annotations

import asyncio
from typing import Any

import nn
import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
TARGETS = {"size": np.ones((6, 3)), "kind": np.ones((6, 2))}


def named() -> nn.Model:
    nn.set_random_seed(1)
    x = nn.Input((4,), name="x")
    ends = {"size": nn.Dense(3, name="first")(x), "kind": nn.Dense(2, name="second")(x)}
    return nn.Model({"given": x}, ends)


def test_a_dict_of_outputs_keeps_its_names() -> None:
    model = named()
    model.compile("sgd", {"size": "mse", "kind": "mae"}, metrics={"size": ["mae"]})
    history = asyncio.run(model.fit({"given": X}, TARGETS, validation_data=(X, TARGETS)))
    expected = {"loss", "size_loss", "kind_loss", "size_mae"}
    assert set(history.history) == expected | {f"val_{name}" for name in expected}
    found = asyncio.run(model.predict({"given": X}))
    assert {name: y.shape for name, y in found.items()} == {"kind": (6, 2), "size": (6, 3)}
    for other in (model.predict_on_batch(X), model(X), model({"given": X})):
        assert sorted(other) == ["kind", "size"]
        assert np.allclose(other["size"], found["size"], atol=1e-6)


def test_one_output_in_a_dict_is_a_dict() -> None:
    x = nn.Input((4,))
    model = nn.Model(x, {"only": nn.Dense(3)(x)})
    model.compile("sgd", {"only": "mse"}, metrics=["mae"])
    asyncio.run(model.fit(X, {"only": TARGETS["size"]}))
    assert list(asyncio.run(model.predict(X))) == ["only"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"size": TARGETS["size"], "kinds": TARGETS["kind"]}, r"of \['kind', 'size'\], received"),
        ({"first": TARGETS["size"]}, r"of \['kind', 'size'\], received \['first'\]"),
        ({"size": TARGETS["size"]}, r"expected targets .*'kind', received none"),
        (None, r"expected targets .*, received none"),
    ],
)
def test_wrong_names_of_targets_are_named(data: Any, what: str) -> None:
    model = named()
    model.compile("sgd", "mse")
    with pytest.raises(nn.errors.ShapeError, match=what):
        asyncio.run(model.fit(X, data))


@pytest.mark.parametrize("format", ["npz", "keras", "safetensors"])
def test_files_keep_the_names(format: str) -> None:
    model = named()
    again = nn.io.load(nn.io.save(model, format))
    assert again.output_names == ["kind", "size"]
    for name, y in again.predict_on_batch({"given": X}).items():
        assert np.array_equal(y, model.predict_on_batch(X)[name])


def test_a_model_of_names_is_a_layer_of_names() -> None:
    inner = named()
    x = nn.Input((4,))
    found = inner({"given": x})
    outer = nn.Model(x, nn.Concatenate()([found["size"], found["kind"]]))
    expected = inner.predict_on_batch(X)
    both = np.concatenate([expected["size"], expected["kind"]], axis=-1)
    assert np.allclose(outer.predict_on_batch(X), both, atol=1e-6)
    again = nn.io.load(nn.io.save(outer))
    assert np.allclose(again.predict_on_batch(X), both, atol=1e-6)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("beside", [False, True])
def test_each_output_of_one_model_inside_has_its_loss_in_the_logs(count: int, beside: bool) -> None:
    """Keras lists all of them, [loss, a, b], and shows one under their common name."""
    x = nn.Input((4,))
    inner = nn.Model(x, [nn.Dense(2)(x) for _ in range(count)], name="inner")
    made = inner(x)
    model = nn.Model(x, [*made, nn.Dense(2, name="beside")(x)] if beside else made)
    model.compile("sgd", ["mse"] * (count + beside), metrics=[["mae"]] * (count + beside))
    targets = [np.full((6, 2), i) for i in range(count + beside)]
    total, *others = model.test_on_batch(X, targets)
    losses = others[: count + beside]
    parts = [np.mean((y - i) ** 2) for i, y in enumerate(model.predict_on_batch(X))]
    np.testing.assert_allclose([total, *losses], [sum(parts), *parts], rtol=1e-5)
    assert len(others) == 2 * (count + beside)
    history = asyncio.run(model.fit(X, targets, verbose=0)).history
    numbered = [f"_{i}" if i else "" for i in range(count)]
    expected = {f"inner_{kind}{end}" for kind in ("loss", "mae") for end in numbered}
    more = {"beside_loss", "beside_mae"} if beside else set()
    assert set(history) == {"loss"} | expected | more
