"""Workspaces that layers share: memory is free again once no later layer reads what is in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nn.context import Context, Run
from nn.types import Array, aligned, prod


class Pool:
    """Blocks of memory, each used or free."""

    def __init__(self) -> None:
        self.blocks: list[Array] = []
        self._used: list[bool] = []

    @property
    def nbytes(self) -> int:
        """The bytes of all blocks."""
        return sum(block.nbytes for block in self.blocks)

    def take(self, nbytes: int) -> Array:
        """Return the smallest free block of at least so many bytes, or a new one."""
        fitting = [
            (block.nbytes, i)
            for i, block in enumerate(self.blocks)
            if not self._used[i] and block.nbytes >= nbytes
        ]
        if fitting:
            _, i = min(fitting)
        else:
            i = len(self.blocks)
            self.blocks.append(aligned(nbytes, np.dtype(np.uint8)))
            self._used.append(True)
        self._used[i] = True
        return self.blocks[i]

    def keep_only(self, values: Iterable[Any]) -> None:
        """Free the blocks that hold none of `values`."""
        arrays = [v for v in values if isinstance(v, np.ndarray)]
        for i, block in enumerate(self.blocks):
            self._used[i] = any(np.may_share_memory(block, a) for a in arrays)

    def close(self) -> None:
        """Free no block any more: what is taken from now on is new."""
        self._used = [True] * len(self._used)


class SharingContext(Context):
    """The context of a layer that writes its whole workspaces at each call, in memory of a pool."""

    __slots__ = ("_pool",)

    def __init__(self, run: Run, pool: Pool) -> None:
        super().__init__(run)
        self._pool = pool

    def _new_view(self, key: tuple[Any, ...]) -> Array:
        _, shape, dtype = key
        kind = np.dtype(dtype or self.run.dtype)
        nbytes = prod(shape) * kind.itemsize
        view = self._pool.take(nbytes)[:nbytes].view(kind).reshape(shape)
        self._views[key] = view
        return view

    def child(self, key: Any) -> Context:
        context = self._children.get(key)
        if context is None:
            context = self._children[key] = SharingContext(self.run, self._pool)
        return context
