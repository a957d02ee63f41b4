"""Windows of a time series (`keras.utils.timeseries_dataset_from_array`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import config
from nn.data.numeric import numeric, optional, whole
from nn.errors import ConfigError
from nn.keras_arguments import checked
from nn.types import Array
from nn.utils.py_dataset import PyDataset


@checked
def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Windows:
    """Return batches of windows (n, sequence_length, ...) of a series, each with its target.

    Args:
        data: (steps, ...), one row for each moment.
        targets: `targets[i]` is that of the window that begins at moment i; None for none.
        sequence_length: moments in a window.
        sequence_stride: moments between the beginnings of two windows.
        sampling_rate: moments between two in a window.
        batch_size: windows in a batch; None for single windows without a batch axis.
        shuffle: draw the order of the windows.
        seed: of that order.
        start_index: the moment where the first window begins, 0 by default.
        end_index: the moment before which the last window ends, by default the end.

    Raises:
        ConfigError: a number is none, or lies outside the series.
    """
    rows = numeric(data, "timeseries_dataset_from_array: data")
    if not rows.ndim:
        raise ConfigError(f"timeseries_dataset_from_array: expected a series, received {data!r}")
    steps, last = rows.shape[0], max(rows.shape[0] - 1, 1)
    length = _between(sequence_length, "sequence_length", 1, steps)
    stride = _between(sequence_stride, "sequence_stride", 1, last)
    rate = _between(sampling_rate, "sampling_rate", 1, last)
    start = _between(start_index or 0, "start_index", 0, last)
    end = steps if end_index is None else _between(end_index, "end_index", start + 1, steps)
    rows, count = rows[start:end], end - start - (length - 1) * rate
    wanted = None
    if targets is not None:
        wanted = numeric(targets, "timeseries_dataset_from_array: targets")[start:end]
        count = min(count, len(wanted))
    first = np.arange(0, count, stride)
    if shuffle:
        config.generator(seed).shuffle(first)
    size = optional(batch_size, "timeseries_dataset_from_array: batch_size")
    return Windows(rows, wanted, first, np.arange(length) * rate, size)


def _between(value: Any, name: str, least: int, most: int) -> int:
    found = whole(value, f"timeseries_dataset_from_array: {name}", least)
    if found > most:
        raise ConfigError(
            f"timeseries_dataset_from_array: expected {name} from {least} to {most}, "
            f"received {value!r}"
        )
    return found


class Windows(PyDataset):
    """Batches of windows by number; a window is copied when its batch is asked for.

    Args:
        rows: the series (steps, ...).
        targets: one for the beginning of each window, or None.
        first: where the windows begin.
        moments: those of a window, from its beginning.
        batch_size: windows in a batch; None for single ones.
    """

    def __init__(
        self, rows: Array, targets: Array | None, first: Array, moments: Array, batch_size: Any
    ) -> None:
        super().__init__()
        self.rows, self.targets, self.first, self.moments = rows, targets, first, moments
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.first) // (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"expected a batch below {len(self)}, received {index}")
        size = self.batch_size
        first = self.first[index] if size is None else self.first[index * size :][:size]
        x = self.rows[np.add.outer(first, self.moments)]
        return x if self.targets is None else (x, self.targets[first])
