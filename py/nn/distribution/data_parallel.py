"""Data parallelism: which group of workers shares the batches of a model."""

from __future__ import annotations

from typing import Any, Protocol

from nn.data.numeric import optional
from nn.errors import ConfigError
from nn.types import Array


class Group(Protocol):
    """Workers that train one network together, as each of them sees them.

    Attributes:
        rank: the number of this member, from 0; 0 is the leader.
        size: how many members there are.
    """

    rank: int
    size: int

    def all_reduce(self, array: Array) -> Any:
        """Replace the elements of `array` by their sums over all members.

        The array is contiguous, of float32 or float64, and all members get the same bits.

        Returns:
            None when that is done, or an awaitable.
        """


class Alone:
    """A group of one."""

    rank, size = 0, 1

    def __init__(self, why: str = "") -> None:
        self.why = why

    def all_reduce(self, array: Array) -> None:
        """Do nothing: the sum is there."""


_group: Any = None


def initialize(group: Any = None) -> None:
    """Set the group that a `DataParallel` without one uses (Keras' `distribution.initialize`).

    Raises:
        ConfigError: the object is no group.
    """
    global _group
    _group = None if group is None else _checked(group)


class DataParallel:
    """Shares each batch among the members of a group: all train the same network together.

    The losses are those of one worker up to the order of additions. Every member ends each batch
    with the same weights, bit for bit.

    Args:
        group: has `rank`, `size` and `all_reduce(array)`; see `Group`. By default that of
            `initialize`, or a group of one.
        shards: compute each batch in so many parts, whatever the number of members: then that
            number does not change the bits. It costs `shards` times the exchanged bytes, and
            memory for each part of a member.
        synchronized: whether batch normalization uses the statistics of the whole batch. False:
            of each part, as in PyTorch, unless a layer has `synchronized=True`.

    Raises:
        ConfigError: the object is no group, or `shards` is no positive number or less than the
            members.
    """

    def __init__(
        self, group: Any = None, shards: int | None = None, *, synchronized: bool = True
    ) -> None:
        self.group = _checked(group or _group or Alone())
        self.shards = optional(shards, "shards")
        self.synchronized = synchronized
        if self.shards is not None and self.shards < self.group.size:
            raise ConfigError(
                f"shards: expected at least one for each of {self.group.size} members, "
                f"received {shards}"
            )

    def __repr__(self) -> str:
        members = self.group.size
        way, why = getattr(self.group, "way", ""), getattr(self.group, "why", "")
        who = f"{members} workers" + f", {way}" * bool(way) if members > 1 else "1 worker"
        return who + f": {why}" * bool(why)


def _checked(group: Any) -> Any:
    missing = [name for name in ("rank", "size", "all_reduce") if not hasattr(group, name)]
    if missing:
        raise ConfigError(f"group: expected rank, size and all_reduce, received none of {missing}")
    if not 0 <= group.rank < group.size:
        raise ConfigError(
            f"group: expected a rank from 0 to {group.size - 1}, received {group.rank}"
        )
    return group
