"""Every argument of a model's methods, of any kind: it is used, or refused by type."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
from collections.abc import Callable
from typing import Any

import nn
import numpy as np
import pytest
from nn.errors import NNError

VALUES: list[Any] = [
    None, -1, 0, 1, 1.5, math.nan, "x", "", b"x", [], [None], ["x"], [[1.0]], {}, {"a": 1}, (1, 2),
    True, object(), np.array("x"), 10**400,
]  # fmt: skip
X, Y = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)
GIVEN: dict[str, dict[str, Any]] = {
    "fit": {"x": X, "y": Y, "verbose": 0},
    "evaluate": {"x": X, "y": Y, "verbose": 0},
    "predict": {"x": X, "verbose": 0},
    "train_on_batch": {"x": X, "y": Y},
    "test_on_batch": {"x": X, "y": Y},
    "predict_on_batch": {"x": X},
    "compile": {"optimizer": "sgd", "loss": "mse"},
    "set_weights": {},
    "add": {},
    "get_layer": {},
}
NOT_DRAWN = ("self", "hooks", "others", "verbose", "epochs")  # a number of epochs may be any
ARGUMENTS = [
    (method, name)
    for method in GIVEN
    for name in inspect.signature(getattr(nn.Sequential, method)).parameters
    if name not in NOT_DRAWN
]


def model() -> nn.Sequential:
    made = nn.Sequential([nn.Input((3,)), nn.Dense(2), nn.Dense(1)])
    made.compile("sgd", "mse")
    return made


def called(method: Callable[..., Any], options: dict[str, Any]) -> None:
    made = method(**options)
    if inspect.iscoroutine(made):
        asyncio.run(made)


@pytest.mark.parametrize(("method", "name"), ARGUMENTS, ids="-".join)
@pytest.mark.filterwarnings("ignore")
def test_an_argument_of_any_kind_is_used_or_refused_by_type(method: str, name: str) -> None:
    for value in VALUES:
        with contextlib.suppress(NNError):
            called(getattr(model(), method), {**GIVEN[method], name: value})


OTHERS: dict[str, Callable[[Any], Any]] = {
    "layer.set_weights": lambda value: model().layers[0].set_weights(value),
    "layer": lambda value: nn.Dense(2)(value),
    "layer.from_config": nn.Dense.from_config,
    "Sequential": nn.Sequential,
    "Model": lambda value: nn.Model(value, value),
    "Input": nn.Input,
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_layer_or_model_of_anything_is_made_or_refused_by_type(kind: str) -> None:
    for value in VALUES:
        if kind == "layer.from_config" and isinstance(value, dict):
            continue  # units are missing, as in a call
        with contextlib.suppress(NNError):
            OTHERS[kind](value)
