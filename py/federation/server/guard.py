"""A guard around any of Flower's strategies: for clients whom you do not know.

>>> strategy = Guard(FedAvg(min_train_nodes=2), most_change=10.0)
>>> strategy.start(grid, initial_arrays, num_rounds=3)

Flower 1.42's own strategies end the run at a reply with a wrong shape, name or metric, make the
model NaN at one NaN, broadcast one number over an array, and weigh by whatever number of examples
a client claims. The guard drops such replies, and the round stands with those that are left.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from logging import WARNING
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.common.logger import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedXgbBagging, FedXgbCyclic, Strategy
from numpy.typing import NDArray

__all__ = ["Guard"]


class Guard(Strategy):
    """A strategy that gets only the replies that are what was asked for.

    Args:
        strategy: aggregates them.
        most_examples: weight that one client can claim at most, 1 or more; what is above is cut.
        most_change: L2 distance from the parameters sent beyond which a reply is dropped. Without
            it only changes are whose square is no number of the parameters' type. Give it to
            strategies that remember the squares of changes (FedAdam, FedAdagrad, FedYogi): one
            huge change makes all later ones small.
        weighted_by_key: the metric that weighs; by default the strategy's.

    Raises:
        ValueError: a bound is not above zero.
        TypeError: the strategy's model grows, as trees do, so that no reply has the shape sent.

    Attributes:
        dropped: (round, node, reason) of each reply that was.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        most_examples: float = 100_000,
        most_change: float = math.inf,
        weighted_by_key: str | None = None,
    ) -> None:
        if not (most_examples >= 1 and most_change > 0):
            raise ValueError(
                "expected most_examples of at least 1 and most_change above 0, "
                f"received {most_examples} and {most_change}"
            )
        if isinstance(strategy, FedXgbBagging | FedXgbCyclic):
            received = type(strategy).__name__
            raise TypeError(
                f"expected a strategy of arrays that keep their shape, received {received}"
            )
        self.strategy = strategy
        self.most_examples, self.most_change = most_examples, most_change
        while not hasattr(strategy, "weighted_by_key") and hasattr(strategy, "strategy"):
            strategy = strategy.strategy  # that adds noise to another
        usual = str(getattr(strategy, "weighted_by_key", "num-examples"))
        self.weighted_by_key = weighted_by_key or usual
        self.dropped: list[tuple[int, int, str]] = []
        self._sent: dict[str, NDArray[Any]] = {}
        self._first: dict[str, np.dtype[Any]] = {}  # that were sent: those of the clients' models

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return the strategy's messages."""
        self._sent = {name: array.numpy() for name, array in arrays.items()}
        self._first = {name: array.dtype for name, array in self._sent.items()} | self._first
        return self.strategy.configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Return what the strategy makes of the good replies; without one it is not asked, since
        those that adapt their clipping die of none.
        """
        kept = self._kept(server_round, replies, True)
        if any(reply.has_content() for reply in kept):
            return self.strategy.aggregate_train(server_round, kept)
        for reply in kept:
            node, reason = reply.metadata.src_node_id, reply.error.reason
            log(WARNING, "round %s: error of node %s: %s", server_round, node, reason)
        return None, None

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Return the strategy's messages."""
        return self.strategy.configure_evaluate(server_round, arrays, config, grid)

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return what the strategy makes of the good replies."""
        kept = self._kept(server_round, replies, False)
        return self.strategy.aggregate_evaluate(server_round, kept)

    def summary(self) -> None:
        """Log the strategy's settings."""
        self.strategy.summary()

    def _kept(self, server_round: int, replies: Iterable[Message], trained: bool) -> list[Message]:
        errors, good = [], []
        for reply in replies:
            if reply.has_error():
                errors.append(reply)
            elif fault := self._fault(reply, trained):
                self._drop(server_round, reply, fault)
            else:
                good.append(reply)
        forms = [_form(reply, trained) for reply in good]
        usual = Counter(forms).most_common(1)[0][0] if forms else None  # Flower wants one for all
        kept = []
        for reply, form in zip(good, forms, strict=True):
            if form == usual:
                kept.append(reply)
            else:
                self._drop(server_round, reply, f"other records or metrics: {form}")
        return [*errors, *kept]

    def _drop(self, server_round: int, reply: Message, fault: str) -> None:
        node = reply.metadata.src_node_id
        self.dropped.append((server_round, node, fault))
        log(WARNING, "round %s: dropped the reply of node %s: %s", server_round, node, fault)

    def _fault(self, reply: Message, trained: bool) -> str:
        """Return what is wrong with a reply, "" if nothing."""
        content = reply.content
        if len(content.metric_records) != 1 or (trained and len(content.array_records) != 1):
            return f"records {sorted(content)}"
        [metrics] = content.metric_records.values()
        if fault := self._wrong_metrics(metrics):
            return fault
        if not trained:
            return ""
        [arrays] = content.array_records.values()
        try:
            return self._wrong_arrays(arrays)
        except Exception as error:  # whatever NumPy finds in damaged bytes
            return f"{type(error).__name__}: {error}"

    def _wrong_metrics(self, metrics: MetricRecord) -> str:
        count = metrics.get(self.weighted_by_key)
        if not isinstance(count, int | float) or not 0 < count < math.inf:
            return f"{self.weighted_by_key} {count!r}"
        values = [one for value in metrics.values() for one in _items(value)]
        if not all(math.isfinite(value) for value in values):
            return f"metrics {dict(metrics)}"
        if count > self.most_examples:
            metrics[self.weighted_by_key] = type(count)(self.most_examples)
        return ""

    def _wrong_arrays(self, arrays: ArrayRecord) -> str:
        if list(arrays) != list(self._sent):
            return f"arrays {list(arrays)[:8]}, expected {list(self._sent)[:8]}"
        square = 0.0
        for name, sent in self._sent.items():
            array = arrays[name].numpy()
            first = self._first[name]  # FedAdam makes float64 of it, and a mean of whole numbers
            if array.shape != sent.shape or array.dtype not in (sent.dtype, first):
                return f"array {name}: {array.dtype}{array.shape}, expected {first}{sent.shape}"
            if not np.isfinite(array).all():
                return f"array {name}: not finite"
            moved = float(np.square(array.astype(np.float64) - sent).sum())
            if sent.dtype.kind == "f" and moved > np.finfo(sent.dtype).max:
                return f"array {name}: moved by {math.sqrt(moved):.3g}, too far for {sent.dtype}"
            square += moved
        if not math.sqrt(square) <= self.most_change:
            return f"moved by {math.sqrt(square):.3g}, allowed {self.most_change:.3g}"
        return ""


def _items(value: float | list[int] | list[float]) -> Iterable[float]:
    return value if isinstance(value, list) else [value]


def _form(reply: Message, trained: bool) -> Hashable:
    """The names that have to be the same in all replies of a round, which are in any order."""
    content = reply.content
    [(place, metrics)] = content.metric_records.items()
    lengths = {name: len(value) for name, value in metrics.items() if isinstance(value, list)}
    arrays = content.array_records if trained else ()
    return (*arrays, place, *sorted(metrics), *sorted(lengths.items()))
