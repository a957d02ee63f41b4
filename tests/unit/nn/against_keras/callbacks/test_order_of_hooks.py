"""The hooks of callbacks: which are called, with which numbers, in Keras' order."""

from __future__ import annotations

import asyncio
from typing import Any

import keras
import nn
import numpy as np

X, Y = np.random.default_rng(0).random((2, 10, 3)).astype("float32")
PLAIN = ("epoch_begin", "epoch_end")
HOOKS = (
    *(f"on_{kind}" for kind in PLAIN),
    *(f"on_{kind}_{at}" for kind in ("train", "test", "predict") for at in ("begin", "end")),
    *(f"on_{k}_batch_{at}" for k in ("train", "test", "predict") for at in ("begin", "end")),
)


def heard(library: Any) -> list[tuple[str, Any, bool]]:
    """Return each call: the hook, the number of the epoch or batch, whether logs came with it."""
    calls: list[tuple[str, Any, bool]] = []

    def hook(name: str) -> Any:
        def numbered(self: Any, number: int, logs: Any = None) -> None:
            calls.append((name, number, bool(logs)))

        def plain(self: Any, logs: Any = None) -> None:
            calls.append((name, None, bool(logs)))

        return numbered if "epoch" in name or "batch" in name else plain

    kind = type("Heard", (library.callbacks.Callback,), {name: hook(name) for name in HOOKS})
    model = library.Sequential([library.Input((3,)), library.layers.Dense(3)])
    model.compile("sgd", "mse")
    options: dict[str, Any] = {"batch_size": 4, "verbose": 0, "callbacks": [kind()]}
    for made in (
        lambda: model.fit(X, Y, epochs=2, validation_data=(X, Y), **options),
        lambda: model.evaluate(X, Y, **options),
        lambda: model.predict(X, **options),
    ):
        result = made()
        if library is nn:
            asyncio.run(result)
    return calls


def test_every_hook_is_called_in_the_order_of_keras() -> None:
    ours = heard(nn)
    assert {name for name, _, _ in ours} == set(HOOKS)
    assert ours == heard(keras)
