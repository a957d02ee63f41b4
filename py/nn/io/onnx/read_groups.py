"""Values of which several axes are one in the graph, the batch's among them: (n * windows, ...).

Such a value is the engine's tensor with the batch first, and for each axis of the graph the places
of the tensor that it consists of.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nn.graph import SymbolicTensor
from nn.io.errors import UnsupportedError
from nn.io.onnx import read_shapes
from nn.io.onnx.read_shapes import BATCH, Size
from nn.io.onnx.reader import Reader, Symbol


@dataclass(frozen=True)
class Turned:
    """A value with its axes in another order than the engine's, or together.

    Attributes:
        tensor: the engine's tensor, with the batch first.
        view: the sizes after the batch that the tensor has in the graph, in its own order.
        axes: for each axis of the graph its places in (batch, *view), none for a size of 1.
        turned: whether the graph itself moved the axes, see `Symbol`.
    """

    tensor: SymbolicTensor
    view: tuple[int | None, ...]
    axes: tuple[tuple[int, ...], ...]
    turned: bool = True

    @classmethod
    def ordered(
        cls,
        tensor: SymbolicTensor,
        view: Sequence[int | None],
        order: Sequence[int],
        turned: bool = True,
    ) -> Turned:
        """Return a value with one place for each axis of the graph."""
        return cls(tensor, tuple(view), tuple((place,) for place in order), turned)

    @property
    def sizes(self) -> list[Size]:
        """The sizes in the graph's order."""
        known: tuple[Size, ...] = (BATCH, *self.view)
        return [read_shapes.product([known[place] for place in places]) for places in self.axes]

    @property
    def joined(self) -> bool:
        """Whether the batch is one axis of the graph with others."""
        return (0,) not in self.axes

    def without(self, axes: Sequence[int]) -> Turned:
        """Return the value without some of the graph's axes, of size 1."""
        return replace(self, axes=tuple(p for at, p in enumerate(self.axes) if at not in axes))

    def with_axes(self, rank: int) -> Turned:
        """Return the value with so many axes: those that it lacks have size 1 and come first."""
        return replace(self, axes=((),) * (rank - len(self.axes)) + self.axes)

    def placed(self, axis: int) -> Turned:
        """Return the value with a place for an axis of the graph, also if its size is 1."""
        if self.axes[axis]:
            return self
        at = 1 + max((place for places in self.axes[:axis] for place in places), default=0)
        axes = [tuple(p + 1 if p >= at else p for p in places) for places in self.axes]
        axes[axis] = (at,)
        view = (*self.view[: at - 1], 1, *self.view[at - 1 :])
        return replace(self, view=view, axes=tuple(axes))

    def all_placed(self) -> Turned:
        """Return the value with a place for each axis of the graph."""
        value = self
        for axis in range(len(self.axes)):
            value = value.placed(axis)
        return value

    def squeezed(self) -> Turned:
        """Return the value with no size of 1 in its view."""
        kept = [0, *(place for place, size in enumerate(self.view, 1) if size != 1)]
        axes = tuple(tuple(kept.index(p) for p in some if p in kept) for some in self.axes)
        return replace(self, view=tuple(self.view[p - 1] for p in kept[1:]), axes=axes)

    def settled(self, reader: Reader) -> Turned:
        """Return the value with its places in the graph's order, but for the batch, and as few as
        there can be."""
        value = self.squeezed()
        order: list[int] = []
        view: list[int | None] = []
        axes: list[tuple[int, ...]] = []
        for places in value.axes:
            made: list[int] = []
            for inner, run in itertools.groupby(places, bool):
                some = [*run]
                if inner:
                    order += some
                    size = read_shapes.product([value.view[place - 1] for place in some])
                    view.append(size if isinstance(size, int) else None)
                made.append(len(view) if inner else 0)
            axes.append(tuple(made))
        x = Symbol(value.tensor)
        if order != sorted(order):
            x = reader.apply("Permute", reader.reshape(x, value.view), dims=order)
        return replace(value, tensor=x.tensor, view=tuple(view), axes=tuple(axes))

    def reshaped(self, reader: Reader) -> SymbolicTensor:
        """Return the tensor in the shape of the view."""
        return reader.reshape(Symbol(self.tensor), self.view).tensor

    def in_order(self, reader: Reader) -> Symbol:
        """Return the value with the batch first and the other axes in the graph's order.

        Raises:
            UnsupportedError: the batch is together with others.
        """
        if self.joined:
            raise UnsupportedError(f"expected axes apart, received {self.sizes}")
        value = self.settled(reader)
        sizes = [value.view[p[0] - 1] if p else 1 for p in value.axes if p != (0,)]
        return replace(reader.reshape(Symbol(value.tensor), sizes), turned=self.turned)

    def reshaped_to(self, target: Sequence[Size], *, alone: bool) -> Turned | None:
        """Return the value with other axes in the graph, None if they take elements apart.

        Args:
            target: the sizes; one may be -1.
            alone: whether the graph says that the batch is 1.
        """
        value = self.squeezed()
        known: tuple[Size, ...] = (BATCH, *value.view)
        parts = [_Part(known[place], (place,)) for places in value.axes for place in places]
        batch = next(at for at, part in enumerate(parts) if part.size == BATCH)
        hidden = alone and not any(read_shapes.factors(size)[1] for size in target if size != -1)
        groups = _grouped([*parts[:batch], *parts[batch + 1 :]] if hidden else parts, target)
        if not groups:
            return None
        if hidden:
            wild = groups[target.index(-1)] if -1 in target else []
            _add_batch(groups, wild, parts, batch)
        every = sorted((part for group in groups for part in group), key=lambda part: part.key)
        places = {part.key: at for at, part in enumerate(every)}
        view = tuple(part.size if isinstance(part.size, int) else None for part in every[1:])
        axes = tuple(tuple(places[part.key] for part in group) for group in groups)
        return replace(value, view=view, axes=axes)


@dataclass(frozen=True)
class _Part:
    """A part of an axis, with a key that says where it lies in the tensor."""

    size: Size
    key: tuple[int, ...]

    def split(self, size: int, inner: bool) -> tuple[_Part, _Part]:
        """Return a part of a size and the rest; the part is the inner or the outer one."""
        assert isinstance(self.size, int)
        part, rest = (1, 0) if inner else (0, 1)
        return (
            _Part(size, (*self.key, part)),
            _Part(self.size // size, (*self.key, rest)),
        )


def _grouped(parts: Sequence[_Part], target: Sequence[Size]) -> list[list[_Part]] | None:
    """Return the parts that are each axis of the target, None if there are none such."""
    left = [*parts]
    at = target.index(-1) if -1 in target else len(target)
    before: list[list[_Part]] = []
    for size in target[:at]:
        taken = _taken(left, size, last=False)
        if taken is None:
            return None
        before.append(taken)
    after: list[list[_Part]] = []
    for size in target[at + 1 :][::-1]:
        taken = _taken(left, size, last=True)
        if taken is None:
            return None
        after.insert(0, taken)
    if at < len(target):
        return [*before, left, *after]
    return None if left else before


def _taken(left: list[_Part], size: Size, *, last: bool) -> list[_Part] | None:
    """Take the parts of an axis from the first, or the last, of those that are left."""
    count, batch, unknown = read_shapes.factors(size)
    taken: list[_Part] = []
    while count > 1 or batch or unknown:
        if not left:
            return None
        part = left.pop(-1 if last else 0)
        if part.size == BATCH and batch:
            batch = False
        elif part.size is None and unknown:
            unknown = False
        elif not isinstance(part.size, int) or not part.size:
            return None
        elif count % part.size == 0:
            count //= part.size
        elif part.size % count == 0 and count > 1:
            part, rest = part.split(count, inner=last)
            left.insert(len(left) if last else 0, rest)
            count = 1
        else:
            return None
        taken.insert(0 if last else len(taken), part)
    return taken


def _add_batch(
    groups: list[list[_Part]], wild: list[_Part], parts: Sequence[_Part], batch: int
) -> None:
    """Add a batch of 1, which the target does not name, between the parts beside it.

    It goes to the axis of the target that is -1 if that is beside it, to an axis of size 1 that
    stands there, or else to the part that follows it.
    """
    if batch and wild and wild[-1].key[0] == parts[batch - 1].key[0]:
        wild.append(parts[batch])
        return
    following = {part.key[0] for part in parts[batch + 1 : batch + 2]}
    for at, group in enumerate(groups):
        place = next((i for i, part in enumerate(group) if part.key[0] in following), None)
        if place is not None:
            empty = [*itertools.takewhile(lambda i: not groups[i], range(at - 1, -1, -1))]
            if empty and not place and group is not wild:
                groups[empty[-1]].append(parts[batch])
            else:
                group.insert(place, parts[batch])
            return
    groups[-1].append(parts[batch])
