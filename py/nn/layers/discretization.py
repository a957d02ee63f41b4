"""Discretization: numbers to the index of the range in which each lies."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nn.context import Context
from nn.data.adapting import batches
from nn.errors import ConfigError
from nn.keras_arguments import LeftOut
from nn.layers.base import Layer, one_of
from nn.layers.encoding import encode
from nn.types import Array, Config, Shape

MODES = ("int", "one_hot", "multi_hot", "count")


class Discretization(Layer):
    """The index of the range of each number: boundaries 0 and 1 make (-inf, 0), [0, 1), [1, inf).

    Args:
        bin_boundaries: the boundaries, in rising order.
        num_bins: how many ranges `adapt` makes, of equally many numbers; then without boundaries.
        epsilon: how exactly `adapt` finds them: the share of the numbers by which one may be off.
        output_mode: "int", "one_hot", "multi_hot" or "count", see `CategoryEncoding`.
    """

    fields: tuple[str, ...] = ("bin_boundaries", "num_bins", "epsilon", "output_mode")
    left_out: ClassVar[LeftOut] = {"sparse": (False, "arrays are dense")}

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if (bin_boundaries is None) == (num_bins is None):
            raise ConfigError(
                f"{self.name}: expected bin_boundaries or num_bins, received both or none"
            )
        if num_bins is not None and num_bins < 1:
            raise ConfigError(f"{self.name}: num_bins must be at least 1, received {num_bins}")
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode: str = one_of(output_mode, MODES, "output_mode", self.name)
        self.bin_boundaries = None if bin_boundaries is None else self._rising(bin_boundaries)

    def _rising(self, boundaries: Any) -> list[float]:
        found = np.asarray(boundaries, np.float64)
        if found.ndim != 1 or not np.all(found[1:] >= found[:-1]):
            raise ConfigError(
                f"{self.name}: expected boundaries in rising order, received {boundaries!r:.80}"
            )
        made: list[float] = found.tolist()
        return made

    @classmethod
    def from_config(cls, config: Config) -> Discretization:
        """Create the layer; one that was adapted has both boundaries and their number."""
        found = dict(config)
        boundaries = found.get("bin_boundaries")
        if found.get("num_bins") is not None:
            found["bin_boundaries"] = None
        layer = cls(**found)
        if boundaries is not None:
            layer.bin_boundaries = layer._rising(boundaries)
        return layer

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Set the boundaries so that equally many numbers of the data lie between them.

        Args:
            data: an array, a Dataset, or batches one after the other.
            steps: end after so many batches.

        Raises:
            ConfigError: the boundaries were given.
            EmptyError: there are no batches.
        """
        if self.num_bins is None:
            raise ConfigError(f"{self.name}: expected a layer with num_bins, to adapt it")
        summary: Array = np.empty((2, 0), np.float32)
        for step, batch in enumerate(batches(data, self.name)):
            if steps is not None and step >= steps:
                break
            merged = np.concatenate((_summary(batch, self.epsilon), summary), axis=1)
            summary = _shortened(merged[:, np.argsort(merged[0])], self.epsilon)
        self.bin_boundaries = _shortened(summary, 1 / self.num_bins)[0, :-1].tolist()

    @property
    def _columns(self) -> int:
        known = self.bin_boundaries
        return len(known) + 1 if known is not None else self.num_bins or 0

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if self.output_mode == "int":
            return shape
        kept = self.output_mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1)
        return (*(shape if kept else shape[:-1]), self._columns)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        ctx.saved = x.shape
        if self.bin_boundaries is None:
            raise ConfigError(f"{self.name}: expected adapt before the layer is called")
        places = np.searchsorted(np.asarray(self.bin_boundaries, x.dtype), x, side="right")
        if self.output_mode == "int":
            return places.astype(ctx.run.dtype)
        return encode(places, self.output_mode, self._columns, ctx.run.dtype)

    def backward(self, ctx: Context, dy: Any) -> Any:
        # An index has no gradient; zeros avoid a special case in the layer below.
        return np.zeros(ctx.saved, dy.dtype)


def _summary(values: Array, epsilon: float) -> Array:
    """Return some of the numbers in rising order, and how many each is one of: (2, k)."""
    ordered = np.sort(values.astype(np.float32).reshape(-1))
    step = max(ordered.size * epsilon, 1)
    kept = ordered[int(step - 1) :: int(step)]
    return np.stack([kept, np.full_like(kept, step)])


def _shortened(summary: Array, epsilon: float) -> Array:
    """Return a summary of at most about 1 / epsilon numbers."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    counts = summary[1].cumsum()
    numbers = np.interp(shares, counts / counts[-1], summary[0])
    counts = np.interp(shares, counts / counts[-1], counts)
    return np.stack([numbers, np.diff(counts, prepend=0)]).astype(np.float32)
