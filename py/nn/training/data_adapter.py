"""Data adapters: arrays, Datasets, dicts and streams as a source of batches for one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nn.data.dataset import Dataset
from nn.data.numeric import numeric
from nn.data.source import ArraySource, Batch, IndexedSource, StreamSource
from nn.errors import ConfigError, ShapeError
from nn.models.model import Model
from nn.models.signature import data_items, is_indexed, is_stream
from nn.training.compiled_outputs import per_output
from nn.types import Array


def open_source(
    model: Model,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Mapping[int, float] | None,
    batch_size: int,
    steps: int | None,
) -> Any:
    """Return a source of batches of any kind of data; build the model from their shape if it is
    not built."""
    if is_stream(x):

        def adapt(item: Any) -> Batch:
            x_, y_, w_ = (*item, None, None)[:3] if _is_pair(item) else (item, None, None)
            return one_batch(model, x_, y_, w_, class_weight)

        return (IndexedSource if is_indexed(x) else StreamSource)(x, adapt, steps)
    model.build_from(x)
    if isinstance(x, Dataset) and y is None:
        y = x.y
    data, _ = model.signature.sources(x)
    targets = _targets(model, y, len(data[0]))
    weights = _weights(model, sample_weight, class_weight, targets)
    return ArraySource(data, model.signature.dtypes, targets, weights, batch_size, steps)


def _is_pair(item: Any) -> bool:
    """Return whether a stream's item is (x, y) or (x, y, weights)."""
    return isinstance(item, tuple) or (isinstance(item, list) and len(item) in (2, 3))


def one_batch(
    model: Model, x: Any, y: Any, sample_weight: Any, class_weight: Mapping[int, float] | None
) -> Batch:
    """Return one batch from arrays."""
    kind = _kind(model, x, y) if sample_weight is None and class_weight is None else None
    if kind is not None and kind == model.fitting:
        return Batch([x], [y], [None], len(x))
    batch = _adapted(model, x, y, sample_weight, class_weight)
    if kind is not None and batch.inputs[0] is x and batch.targets[0] is y:
        model.fitting = _kind(model, x, y)  # the first batch may have built the model
    return batch


def _kind(model: Model, x: Any, y: Any) -> Any:
    """Return all that decides whether an array and its labels are a batch as they are, or None
    where they are no plain arrays."""
    if type(x) is np.ndarray is type(y):
        return model._graph, x.shape, x.dtype, y.shape, y.dtype
    return None


def _adapted(
    model: Model, x: Any, y: Any, sample_weight: Any, class_weight: Mapping[int, float] | None
) -> Batch:
    if isinstance(x, Dataset):
        y = x.y if y is None else y
        out = np.empty((len(x), *x.shape), model.signature.dtypes[0])
        x = x.batch(np.arange(len(x)), out)
    model.build_from(x)
    arrays, _ = model.signature.arrays(x)
    size = len(arrays[0])
    targets = _targets(model, y, size)
    weights = _weights(model, sample_weight, class_weight, targets)
    for array in [*targets, *weights]:
        if array is not None and len(array) != size:
            raise ShapeError(f"expected {size} samples in every array, received {len(array)}")
    return Batch(arrays, targets, weights, size)


def open_validation(model: Model, data: Any, batch_size: int, steps: int | None) -> Any:
    if isinstance(data, tuple | list) and not is_stream(data):
        if len(data) not in (2, 3):
            raise ShapeError(
                f"validation_data: expected (x, y) or (x, y, weights), received {len(data)} items"
            )
        x, y, w = (*data, None)[:3]
        return open_source(model, x, y, w, None, batch_size, steps)
    return open_source(model, data, None, None, None, batch_size, steps)


def split(
    model: Model, x: Any, y: Any, sample_weight: Any, fraction: float
) -> tuple[Any, Any, Any, Any]:
    """Take the last `fraction` of the samples away, as Keras does, before any shuffling."""
    if not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise ConfigError(f"validation_split must be between 0 and 1, received {fraction!r}")
    if is_stream(x):
        raise ConfigError("validation_split needs arrays or a Dataset, received a generator")
    model.build_from(x)
    data, _ = model.signature.sources(x)
    count = len(data[0])
    start = int(count * (1 - fraction))
    if start in (0, count):
        raise ConfigError(f"validation_split={fraction} leaves one side of {count} samples empty")
    targets = _targets(model, y, count)
    weights = _weights(model, sample_weight, None, targets)
    parts = [None if all(v is None for v in values) else values for values in (targets, weights)]
    front, *more = [_slice(v, 0, start) for v in (data, *parts)]
    back = tuple(_slice(v, start, count) for v in (data, *parts))
    return front, more[0], more[1], back


def _slice(values: list[Any] | None, start: int, stop: int) -> Any:
    if values is None:
        return None
    return [
        v.slice(start, stop) if isinstance(v, Dataset) else None if v is None else v[start:stop]
        for v in values
    ]


def _targets(model: Model, y: Any, size: int) -> list[Any]:
    """Return the target of each output, of `size` samples, None where there is none."""
    names = model.output_names
    if y is None:
        return [None] * len(names)
    if isinstance(y, dict):
        unknown = sorted(set(y) - set(names))
        if unknown:
            raise ShapeError(f"{model.name}: expected targets (y) of {names}, received {sorted(y)}")
        items = [y.get(name) for name in names]
    else:
        items = data_items(y, len(names))
        if len(items) < len(names) and model.compiled:
            losses = per_output(model.trainer.settings["loss"], names, "loss")
            if len(items) == len(names) - losses.count(None):  # those of the outputs with a loss
                given = iter(items)
                items = [None if loss is None else next(given) for loss in losses]
    if len(items) != len(names):
        raise ShapeError(
            f"{model.name}: expected targets (y) of {len(names)} outputs, received {len(items)}"
        )
    return [
        None if item is None else _target(item, f"{model.name}: target {name!r}", size)
        for item, name in zip(items, names, strict=True)
    ]


def _target(item: Any, where: str, size: int) -> Array:
    array = numeric(item, where)
    if isinstance(item, list | tuple) and len(array) == 1 != size and array.ndim > 1:
        return np.asarray(array[0])  # a list of the one target
    if not array.ndim:
        raise ShapeError(f"{where}: expected {size} samples, received a single number")
    return array


def _weights(
    model: Model, sample_weight: Any, class_weight: Any, targets: Sequence[Any]
) -> list[Any]:
    names = model.output_names
    if isinstance(sample_weight, dict):
        unknown = sorted(set(sample_weight) - set(names))
        if unknown:
            raise ShapeError(
                f"{model.name}: expected sample_weight of {names}, received {sorted(sample_weight)}"
            )
        given = [sample_weight.get(name) for name in names]
    else:
        given = data_items(sample_weight, len(names))
        given = given * len(names) if len(given) == 1 else given or [None] * len(names)
    if len(given) != len(names):
        raise ShapeError(
            f"{model.name}: expected sample_weight of {len(names)} outputs, received {len(given)}"
        )
    weights = [
        None if w is None else numeric(w, "sample_weight").astype(model.dtype, copy=False)
        for w in given
    ]
    if any(w is not None and not w.ndim for w in weights):
        raise ShapeError(f"{model.name}: expected sample_weight of each sample, received a number")
    if class_weight is None:
        return weights
    factors = _ClassWeights(class_weight, model.dtype)
    return [w if t is None else factors.of(t, w) for w, t in zip(weights, targets, strict=True)]


class _ClassWeights:
    """The factor of each class, looked up by the label: any whole number, 1 where it is not listed.

    Raises:
        ConfigError: a class is not a whole number, or a factor is not a number.
    """

    def __init__(self, factors: Any, dtype: str) -> None:
        try:
            pairs = sorted((int(label), float(f)) for label, f in factors.items())
            whole = all(int(label) == float(label) for label in factors)
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigError(
                "class_weight: expected a dict of numbers by whole number, as {0: 1.0, 1: 5.0}, "
                f"received {factors!r}"
            ) from error
        if not whole:
            raise ConfigError(
                f"class_weight: expected whole numbers as classes, received {list(factors)}"
            )
        self.labels = np.array([label for label, _ in pairs], np.float64)
        self.factors = np.array([*(f for _, f in pairs), 1.0], dtype)

    def of(self, target: Array, weight: Array | None) -> Array:
        """Return the weight of each sample: its class's factor, times its own weight."""
        one_hot = target.ndim > 1 and target.shape[-1] > 1
        single = target[..., 0] if target.ndim > 1 else target
        labels = target.argmax(-1) if one_hot else np.rint(single)
        place = np.searchsorted(self.labels, labels)
        listed = np.append(self.labels, np.nan)[place] == labels
        found: Array = self.factors[np.where(listed, place, -1)]
        if weight is None:
            return found
        if weight.ndim > found.ndim:
            found = found.reshape(*found.shape, *[1] * (weight.ndim - found.ndim))
        elif weight.ndim < found.ndim:
            weight = weight.reshape(*weight.shape, *[1] * (found.ndim - weight.ndim))
        try:
            return np.asarray(found * weight)
        except ValueError as error:
            raise ShapeError(
                f"sample_weight: expected one for each of {found.shape} labels, "
                f"received {weight.shape}"
            ) from error
