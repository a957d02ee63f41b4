"""What published texts for Keras write beside layers and training, here and in Keras."""

from __future__ import annotations

import asyncio
from typing import Any

import keras
import nn
import numpy as np
import pytest

RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 3)).astype("float32")


def kind(value: Any) -> Any:
    """Return how outputs are held: by name, in a list, or one alone."""
    if isinstance(value, dict):
        return {name: kind(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(kind(one) for one in value)
    return tuple(value.shape)


ENDS: dict[str, Any] = {
    "one": lambda a, b: a,
    "a list of one": lambda a, b: [a],
    "a dict of one": lambda a, b: {"a": a},
    "a list of two": lambda a, b: [a, b],
    "a dict of two": lambda a, b: {"a": a, "b": b},
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_outputs_are_held_as_in_keras(ends: Any) -> None:
    held = []
    for library in (keras, nn):
        entry = library.Input((3,))
        model = library.Model(
            entry, ends(library.layers.Dense(2)(entry), library.layers.Dense(1)(entry))
        )
        again = type(model).from_config(model.get_config())
        predicted = model.predict(X) if library is nn else model.predict(X, verbose=0)
        held.append(
            [
                kind(asyncio.run(predicted) if library is nn else predicted),
                kind(model(X)),
                kind(model.predict_on_batch(X)),
                kind(again.predict_on_batch(X)),
                kind(model.output),
                kind(model(library.Input((3,)))),
                model.output_shape,
            ]
        )
    assert held[1] == held[0]
