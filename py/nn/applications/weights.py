"""Weights of a network: those that this site publishes, a file's, an address's, or new ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from nn import config
from nn.applications.published import published
from nn.errors import ConfigError
from nn.lazy import load

if TYPE_CHECKING:
    from nn.models.model import Model

IMAGENET = "imagenet"
TOP = "predictions/"
"""What the paths of the classifier's weights begin with."""


async def filled(make: Callable[[], Model], weights: Any, file: str | None) -> Model:
    """Return the model that `make` returns, with weights.

    Args:
        make: returns a new model.
        weights: "imagenet", bytes of a file that `nn.io.load_weights` reads, its address, or None
            for new ones.
        file: the published file of "imagenet"; None where there is none.

    Raises:
        ConfigError: `weights` is something else.
        FetchError: a file cannot be downloaded.
        FormatError: a file is damaged, or its weights do not fit the model.
    """
    data = await _bytes(weights, file)
    with nullcontext() if data is None else config.later_weights():
        model = make()
    if data is not None:
        _fill(model, data)
    return model


async def _bytes(weights: Any, file: str | None) -> bytes | None:
    if weights is None:
        return None
    if isinstance(weights, bytes | bytearray | memoryview):
        return bytes(weights)
    if weights == IMAGENET and file is not None:
        return await published(file)
    if isinstance(weights, str) and weights != IMAGENET:
        data: bytes = await load("nn.io.fetch").fetch(weights)
        return data
    known = f"{IMAGENET!r}, " if file is not None else ""
    raise ConfigError(
        f"weights: expected {known}bytes of a file, an address or None, received {weights!r:.80}"
    )


def _fill(model: Model, data: bytes) -> None:
    """Copy the weights of a file; those of a classifier that the model lacks are left out."""
    if load("nn.io.formats").sniff(data) != "npz":
        load("nn.io.weights").load_weights(model, data)
        return
    snapshot = load("nn.io.snapshot")
    arrays = snapshot.expect(load("nn.io.npz").decode(data), "weights", dict, "npz")
    paths = snapshot.weight_paths(model)
    own = {p: a for p, a in arrays.items() if p in paths or not p.startswith(TOP)}
    snapshot.assign(paths, own)
