"""Layers around another layer: once for each step, or forwards and backwards."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.layers.base import Layer, serialize
from nn.layers.fusion import penalized
from nn.layers.recurrent import with_states
from nn.registry import deserialize
from nn.types import Array, Shape


class TimeDistributed(Layer):
    """Apply a layer to each step: (n, steps, ...) -> (n, steps, ...).

    All steps go through the layer at once, as one batch of n * steps samples, each with its part
    of the mask. So batch normalization inside it takes its moments over all steps, where Keras goes
    from step to step.
    """

    several_inputs = True
    supports_masking = True
    fields: tuple[str, ...] = ("layer",)
    inner_fields: tuple[str, ...] = ("layer",)

    def __init__(self, layer: Layer, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(layer, Layer):
            raise ConfigError(f"{self.name}: expected a layer, received {layer!r}")
        self.layer = layer

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.layer,)

    def build(self, *input_shapes: Shape) -> None:
        self.layer.ensure_built(self._step(input_shapes[0]))

    def _step(self, shape: Shape) -> Shape:
        if len(shape) < 3:
            raise ShapeError(f"{self.name}: expected (n, steps, ...), received shape {shape}")
        return (shape[0], *shape[2:])

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        made = self.layer.compute_output_shape(self._step(input_shapes[0]))
        if isinstance(made, list):
            raise ConfigError(f"{self.name}: {self.layer.name} has several outputs, expected one")
        return (made[0], input_shapes[0][1], *made[1:])

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        (x,) = inputs
        n, steps, *rest = x.shape
        ctx.saved = n, steps
        inner = ctx.child("layer")
        inner.mask = mask = self._mask_of_steps(ctx.mask, n, steps)
        inner.masks = [mask]
        y = self.layer.forward(inner, x.reshape(-1, *rest), training=training)
        return np.asarray(y.reshape(n, steps, *y.shape[1:]))

    def _mask_of_steps(self, mask: Any, n: int, steps: int) -> Any:
        """Return the mask (n, steps, ...) as that of n * steps samples; None for none."""
        if mask is None:
            return None
        if mask.shape[:2] != (n, steps):
            raise ShapeError(
                f"{self.name}: expected a mask of shape {(n, steps)}, received {mask.shape}"
            )
        return mask.reshape(-1, *mask.shape[2:])

    def backward(self, ctx: Context, dy: Any) -> Any:
        inner = ctx.child("layer")
        inner.needs_input_gradient = ctx.needs_input_gradient
        dx = self.layer.backward(inner, dy.reshape(-1, *dy.shape[2:]))
        return None if dx is None else dx.reshape(*ctx.saved, *dx.shape[1:])


class Bidirectional(Layer):
    """Run a recurrent layer forwards and a copy of it backwards (Schuster and Paliwal 1997).

    Args:
        layer: an LSTM, GRU, SimpleRNN or RNN.
        merge_mode: "concat", "sum", "mul", "ave", or None for both outputs.
        weights: initial weights, those of the forward layer first.
        backward_layer: the layer that runs backwards, with `go_backwards=True`.
    """

    several_inputs = True
    supports_masking = True
    fields: tuple[str, ...] = ("merge_mode", "layer", "backward_layer")
    inner_fields: tuple[str, ...] = ("layer", "backward_layer")

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if merge_mode not in ("concat", "sum", "mul", "ave", None):
            raise ConfigError(
                f"{self.name}: merge_mode must be concat, sum, mul, ave or None, "
                f"received {merge_mode!r}"
            )
        self.merge_mode = merge_mode
        self.layer = self.forward_layer = self._copy(layer, "forward", layer.go_backwards)
        if backward_layer is None:
            backward_layer = self._copy(layer, "backward", not layer.go_backwards)
        self.backward_layer = backward_layer
        self.initial = weights
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        for one in (self.forward_layer, self.backward_layer):
            one.zero_output_for_mask = one.return_sequences
        for key in ("return_sequences", "return_state", "stateful"):
            if getattr(self.backward_layer, key) != getattr(layer, key):
                raise ConfigError(f"{self.name}: expected one {key} of both layers")
        if self.forward_layer.go_backwards == self.backward_layer.go_backwards:
            raise ConfigError(f"{self.name}: expected go_backwards of one of both layers")

    @staticmethod
    def _copy(layer: Layer, side: str, go_backwards: bool) -> Any:
        plain = layer.name.removeprefix("forward_").removeprefix("backward_")
        settings = serialize(layer)
        settings["config"] |= {"name": f"{side}_{plain}", "go_backwards": go_backwards}
        return deserialize(settings)

    @property
    def sublayers(self) -> tuple[Layer, ...]:
        return (self.forward_layer, self.backward_layer)

    def build(self, *input_shapes: Shape) -> None:
        sequence, *states = input_shapes
        half = len(states) // 2
        self.forward_layer.ensure_built(sequence, *states[:half])
        self.backward_layer.ensure_built(sequence, *states[half:])
        if self.initial is not None:
            self.set_weights(self.initial)

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        sides = [layer.compute_output_shape(input_shapes[0]) for layer in self.sublayers]
        (first, *before), (second, *after) = map(self.outputs_of, sides)
        if self.merge_mode == "concat":
            first = (*first[:-1], first[-1] + second[-1])
        outputs = [first] if self.merge_mode else [first, second]
        made = [*outputs, *before, *after]
        return made if len(made) > 1 else first

    def __call__(self, *inputs: Any, initial_state: Any = None, **options: Any) -> Any:
        """Call the layer; see `Layer.__call__`. `initial_state` holds the forward layer's states,
        then the backward layer's."""
        return super().__call__(*with_states(inputs, initial_state), **options)

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        mask = masks[0] if self.return_sequences else None
        count = len(self.outputs_of(self.compute_output_shape(inputs[0].shape)))
        first = 1 if self.merge_mode else 2
        return mask if count == 1 else [mask] * first + [None] * (count - first)

    def only_kernels(self, ctx: Context) -> bool:
        simple = self.merge_mode == "concat" and not self.return_sequences
        return simple and all(s.recordable(ctx.child(s)) for s in self.sublayers)

    @staticmethod
    def outputs_of(value: Any) -> list[Any]:
        """Return several outputs as a list, and one in a list."""
        return value if isinstance(value, list) else [value]

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        x, *given = inputs
        half = len(given) // 2
        sides = []
        for layer, states in zip(self.sublayers, (given[:half], given[half:]), strict=True):
            inner = ctx.child(layer)
            inner.mask = ctx.mask
            y = penalized(layer).forward(inner, x, *states, training=training)
            sides.append(self.outputs_of(y))
        (first, *before), (second, *after) = sides
        if self.return_sequences:
            second = second[:, ::-1]
        ctx.saved = first, second, len(given)
        return self._together(first, second, [*before, *after])

    def _together(self, first: Array, second: Array, states: list[Array]) -> Any:
        if self.merge_mode is None:
            return [first, np.ascontiguousarray(second), *states]
        if self.merge_mode == "concat":
            y = kernels.concatenate([first, second])
        elif self.merge_mode == "mul":
            y = first * second
        else:
            y = first + second
            y = y / 2 if self.merge_mode == "ave" else y
        return [y, *states] if states else y

    def backward(self, ctx: Context, dy: Any) -> Any:
        first, second, given = ctx.saved
        several = isinstance(dy, list | tuple)
        outputs = 1 if self.merge_mode else 2
        parts, states = (dy[:outputs], dy[outputs:]) if several else ([dy], ())
        dfirst, dsecond = self._apart(parts, first, second)
        if self.return_sequences and dsecond is not None:
            dsecond = dsecond[:, ::-1]
        half = len(states) // 2
        # The last that ran comes first: the caches still have the end of what it left.
        backward = self._back(ctx, self.backward_layer, dsecond, states[half:])
        forward = self._back(ctx, self.forward_layer, dfirst, states[:half])
        sides = [d if given else (d,) for d in (forward, backward) if d is not None]
        inputs = [side[0] for side in sides if side[0] is not None]
        dx = functools.reduce(kernels.add, inputs) if inputs else None
        return (dx, *(s for side in sides for s in side[1:])) if given else dx

    def _apart(self, parts: Any, first: Array, second: Array) -> Any:
        """Return the gradients of both layers' outputs."""
        if self.merge_mode is None:
            return parts
        (d,) = parts
        if d is None:
            return None, None
        if self.merge_mode == "concat":
            size = first.shape[-1]
            return d[..., :size], d[..., size:]
        if self.merge_mode == "mul":
            return d * second, d * first
        return (d / 2, d / 2) if self.merge_mode == "ave" else (d, d)

    def _back(self, ctx: Context, layer: Layer, d: Any, states: Any) -> Any:
        if d is None and all(s is None for s in states) and not layer.activity_regularizer:
            return None
        inner = ctx.child(layer)
        inner.needs_input_gradient = ctx.needs_input_gradient
        return penalized(layer).backward(inner, (d, *states) if self.return_state else d)

    def reset_state(self) -> None:
        """Start the next batch with zero states."""
        for layer in (self.forward_layer, self.backward_layer):
            layer.reset_state()

    reset_states = reset_state
