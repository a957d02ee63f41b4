"""Data adapters: arrays, Datasets, dicts and streams as a source of batches for one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.source import ArraySource, Batch, StreamSource
from nn.errors import ConfigError, ShapeError
from nn.models.model import Model
from nn.models.signature import as_list, is_stream
from nn.types import Array


def open_source(
    model: Model,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: dict[int, float] | None,
    batch_size: int,
    steps: int | None,
) -> Any:
    """Return a source of batches of any kind of data; build the model from their shape if it is
    not built."""
    if is_stream(x):

        def adapt(item: Any) -> Batch:
            x_, y_, w_ = (
                (*item, None, None)[:3] if isinstance(item, tuple | list) else (item, None, None)
            )
            return one_batch(model, x_, y_, w_, class_weight)

        return StreamSource(x, adapt, steps)
    model.build_from(as_list(x))
    if isinstance(x, Dataset) and y is None:
        y = x.y
    data, _ = model.signature.sources(x)
    targets = _targets(model, y)
    weights = _weights(model, sample_weight, class_weight, targets)
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, received {batch_size}")
    return ArraySource(data, model.signature.dtypes, targets, weights, batch_size, steps)


def one_batch(
    model: Model, x: Any, y: Any, sample_weight: Any, class_weight: dict[int, float] | None
) -> Batch:
    """Return one batch from arrays."""
    if isinstance(x, Dataset):
        y = x.y if y is None else y
        out = np.empty((len(x), *x.shape), model.inputs[0].dtype)
        x = x.batch(np.arange(len(x)), out)
    model.build_from(as_list(x))
    signature = model.signature
    arrays, _ = signature.arrays(signature.by_name(x) if isinstance(x, dict) else as_list(x))
    targets = _targets(model, y)
    weights = _weights(model, sample_weight, class_weight, targets)
    size = len(arrays[0])
    for array in [*targets, *weights]:
        if array is not None and len(array) != size:
            raise ShapeError(f"expected {size} samples in every array, received {len(array)}")
    return Batch(arrays, targets, weights, size)


def open_validation(model: Model, data: Any, batch_size: int, steps: int | None) -> Any:
    if isinstance(data, tuple | list) and not is_stream(data):
        x, y, w = (*data, None)[:3]
        return open_source(model, x, y, w, None, batch_size, steps)
    return open_source(model, data, None, None, None, batch_size, steps)


def split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Any, Any, Any, Any]:
    """Take the last `fraction` of the samples away, as Keras does, before any shuffling."""
    if not 0 < fraction < 1:
        raise ConfigError(f"validation_split must be between 0 and 1, received {fraction}")
    if is_stream(x):
        raise ConfigError("validation_split needs arrays or a Dataset, received a generator")
    count = len(as_list(x)[0]) if not isinstance(x, dict) else len(next(iter(x.values())))
    start = int(count * (1 - fraction))
    if start in (0, count):
        raise ConfigError(f"validation_split={fraction} leaves one side of {count} samples empty")
    front = [_slice(v, 0, start) for v in (x, y, sample_weight)]
    back = tuple(_slice(v, start, count) for v in (x, y, sample_weight))
    return front[0], front[1], front[2], back


def _slice(value: Any, start: int, stop: int) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        return {k: _slice(v, start, stop) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_slice(v, start, stop) for v in value]
    return value.slice(start, stop) if isinstance(value, Dataset) else value[start:stop]


def _targets(model: Model, y: Any) -> list[Any]:
    count = len(model.outputs)
    if y is None:
        return [None] * count
    if isinstance(y, dict):
        return [None if y.get(n) is None else np.asarray(y[n]) for n in model.output_names]
    if count == 1:
        one = y[0] if isinstance(y, list | tuple) and len(y) == 1 and np.ndim(y[0]) else y
        return [np.asarray(one)]
    if not isinstance(y, list | tuple) or len(y) != count:
        raise ShapeError(f"{model.name}: expected {count} targets, received {type(y).__name__}")
    return [None if t is None else np.asarray(t) for t in y]


def _weights(
    model: Model, sample_weight: Any, class_weight: Any, targets: Sequence[Any]
) -> list[Any]:
    count = len(targets)
    if isinstance(sample_weight, dict):
        weights = [sample_weight.get(n) for n in model.output_names]
    elif isinstance(sample_weight, list | tuple) and count > 1:
        weights = list(sample_weight)
    else:
        weights = [sample_weight] * count
    weights = [None if w is None else np.asarray(w, model.dtype) for w in weights]
    if class_weight is None:
        return weights
    return [
        _by_class(w, t, class_weight, model.dtype) for w, t in zip(weights, targets, strict=True)
    ]


def _by_class(weight: Any, target: Array, class_weight: dict[Any, float], dtype: str) -> Array:
    labels = target.argmax(-1) if target.ndim > 1 and target.shape[-1] > 1 else target.reshape(-1)
    factors = np.ones(max(int(labels.max()), *map(int, class_weight)) + 1, dtype)
    for label, factor in class_weight.items():
        factors[int(label)] = factor
    found: Array = factors[labels.astype(np.intp)]
    return found if weight is None else found * weight
