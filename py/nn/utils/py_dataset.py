"""PyDataset: data that give their batches by number."""

from __future__ import annotations

from typing import Any


class PyDataset:
    """Base of data whose batches are asked for by number, as Keras' `keras.utils.PyDataset`.

    Subclasses define `__len__`, the number of batches, and `__getitem__(index)`, which returns
    (x, y) or (x, y, weights) of one batch. `fit` shuffles the numbers.

    Args:
        workers, use_multiprocessing, max_queue_size: accepted, and without effect: a batch is made
            when it is needed; see `prefetch` of `fit`.
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__")

    def on_epoch_begin(self) -> None:
        """Do nothing; called before the first batch of each epoch."""

    def on_epoch_end(self) -> None:
        """Do nothing; called after the last batch of each epoch."""


Sequence = PyDataset  # Keras' second name
