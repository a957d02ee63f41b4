"""Predictions, batch by batch, with the event loop's turn in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.source import ArraySource, Batch, StreamSource, each
from nn.errors import EmptyError
from nn.lazy import load
from nn.models.inputs import as_list, inputs, is_stream
from nn.types import Array

if TYPE_CHECKING:
    from nn.models.model import Model

BATCH = 128


async def predict(
    model: Model,
    x: Any,
    batch_size: int | None = None,
    verbose: Any = 0,
    steps: int | None = None,
    callbacks: Any = None,
) -> Any:
    """Return the outputs for `x`: (n, ...), or one output where `x` is one sample without batch
    axis.

    Other work on the event loop gets its turn between batches.
    """
    model._build_for(as_list(x))
    results: list[list[Array]] = []
    if isinstance(x, Dataset) or not is_stream(x):
        data, single = inputs(model, x)
        source: Any = ArraySource(
            data, [t.dtype for t in model.inputs], [], [], batch_size or BATCH
        )
    else:
        single = False
        source = StreamSource(x, lambda item: Batch(_adapted(model, item), [], [], 0), steps)
    calls = _listeners(model, as_list(callbacks), source.steps)
    await calls.call("on_predict_begin", {})
    async for batch in each(source.batches(None)):
        await calls.call_batch("on_predict_batch_begin", len(results), {})
        results.append([y.copy() for y in model.run(batch.inputs)])
        await calls.call_batch("on_predict_batch_end", len(results) - 1, {"outputs": results[-1]})
        await asyncio.sleep(0)
    await calls.land()
    await calls.call("on_predict_end", {})
    if not results:
        raise EmptyError(f"{model.name}: the data gave no batch to predict")
    outputs = [
        np.concatenate(parts) if len(parts) > 1 else parts[0]
        for parts in zip(*results, strict=True)
    ]
    outputs = [y[0] for y in outputs] if single else outputs
    return outputs[0] if model._single_output else outputs


def predict_on_batch(model: Model, x: Any) -> Any:
    """Return the outputs for one batch, as one array (a list for several outputs)."""
    model._build_for(as_list(x))
    arrays, _ = model.adapt(as_list(x))
    outputs = [y.copy() for y in model.run(arrays)]
    return outputs[0] if model._single_output else outputs


class Unheard:
    """Stands for the callbacks where there are none; those that there are come with training."""

    async def call(self, name: str, *arguments: Any) -> None:
        """Call nobody."""

    async def call_batch(self, name: str, batch: int, logs: dict[str, Any]) -> None:
        """Call nobody."""

    async def land(self) -> None:
        """Wait for nobody."""


def _listeners(model: Model, callbacks: list[Any], steps: int | None) -> Any:
    if not callbacks:
        return Unheard()
    return load("nn.callbacks").CallbackList(callbacks, model, {"steps": steps})


def _adapted(model: Model, item: Any) -> list[Array]:
    inputs = item[0] if isinstance(item, tuple) and len(item) in (2, 3) else item
    return model.adapt(as_list(inputs))[0]
