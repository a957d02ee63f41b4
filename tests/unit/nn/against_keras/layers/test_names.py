"""Keras' second names of classes, and its modules' functions, are here where their classes are."""

from __future__ import annotations

import asyncio
from typing import Any

import keras
import nn
import numpy as np
import pytest

FAMILIES = (
    "activations", "constraints", "initializers", "layers", "losses", "metrics", "optimizers",
    "regularizers",
)  # fmt: skip
ADDED = {"deserialize", "serialize", "get", "schedules"}


def public(module: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name[0] != "_"}


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_a_class_has_all_the_names_that_keras_gives_it(family: str) -> None:
    ours, theirs = getattr(nn, family), public(getattr(keras, family))
    classes = [v for v in theirs.values() if isinstance(v, type) and hasattr(ours, v.__name__)]
    assert classes
    for kind in classes:
        first = getattr(ours, kind.__name__)
        for name, value in theirs.items():
            if value is kind:
                assert getattr(ours, name) is first, name


def test_nn_and_its_layers_have_the_same_layers() -> None:
    for names in nn.layers.HOMES.values():
        assert [getattr(nn, name) for name in names] == [getattr(nn.layers, n) for n in names]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_the_functions_of_its_module(family: str) -> None:
    names = public(getattr(keras, family)).keys() & ADDED - {"get" * (family == "layers")}
    assert len(names) > 1
    assert [name for name in names if not hasattr(getattr(nn, family), name)] == []


@pytest.mark.parametrize(
    ("family", "made"),
    [
        ("layers", lambda: nn.Dense(3)), ("losses", lambda: nn.losses.Huber(0.5)),
        ("metrics", lambda: nn.metrics.AUC(50)), ("optimizers", lambda: nn.Adam(0.1)),
        ("initializers", lambda: nn.initializers.Constant(2.0)),
        ("regularizers", lambda: nn.regularizers.L1L2(0.1, 0.2)),
        ("constraints", lambda: nn.constraints.MaxNorm(3)),
        ("activations", lambda: nn.activations.relu),
    ],
)  # fmt: skip
def test_what_a_family_serializes_it_deserializes(family: str, made: Any) -> None:
    module = getattr(nn, family)
    settings = module.serialize(made())
    assert module.serialize(module.deserialize(settings)) == settings


def test_the_functions_of_metrics_are_those_of_losses() -> None:
    names = [n for n, v in public(keras.metrics).items() if v is getattr(keras.losses, n, None)]
    functions = [n for n in names if n.islower() and n not in ADDED]
    assert len(functions) > 10
    for name in functions:
        if hasattr(nn.losses, name):
            assert getattr(nn.metrics, name) is getattr(nn.losses, name)


@pytest.mark.parametrize("name", ["Poolinging2D", "MaxPool", "AvgPool4D", "Convolution9D"])
def test_a_name_that_neither_has_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(nn.layers, name)


def test_a_class_of_batches_by_number_trains_as_in_keras() -> None:
    x, y = np.random.default_rng(0).random((2, 40, 3)).astype("float32")
    losses = []
    for library in (nn, keras):

        class Batches(library.utils.PyDataset):  # type: ignore[misc, name-defined]
            def __len__(self) -> int:
                return 5

            def __getitem__(self, index: int) -> Any:
                return x[8 * index : 8 * index + 8], y[8 * index : 8 * index + 8]

        model = library.Sequential([library.Input((3,)), library.layers.Dense(3)])
        model.set_weights([np.eye(3), np.zeros(3)])
        model.compile("sgd", "mse")
        data = Batches(workers=1, use_multiprocessing=False)
        fit = model.fit(data, epochs=2, shuffle=False, verbose=0)
        losses.append((asyncio.run(fit) if library is nn else fit).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_a_base_of_batches_says_what_a_subclass_must_define() -> None:
    for ask in (len, lambda data: data[0]):
        with pytest.raises(NotImplementedError, match="PyDataset must define __"):
            ask(nn.utils.PyDataset())
