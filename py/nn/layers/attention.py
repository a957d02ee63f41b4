"""Attention: each step of one sequence reads from all steps of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn import kernels
from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.graph import SymbolicTensor
from nn.keras_arguments import LeftOut
from nn.layers import padding as pads
from nn.layers.base import Layer, positive
from nn.layers.constant import constant
from nn.types import Array, Config, Shape
from nn.variables import Variable


class ScoredAttention(Layer):
    """Base of attention layers: masks, softmax and dropout of the scores."""

    several_inputs = True
    supports_masking = True
    dropout: float
    rng: np.random.Generator | None
    use_causal_mask = False
    masks_queries: ClassVar[bool] = True
    """Whether a masked step of the query also has no scores."""
    call_settings: ClassVar[tuple[str, ...]] = ("use_causal_mask",)
    """What calls settle, not the constructor: True in the configuration where it is so."""

    def _fraction(self, dropout: float) -> float:
        if not 0 <= dropout <= 1:
            raise ConfigError(f"{self.name}: dropout must be between 0 and 1, received {dropout}")
        return dropout

    def build(self, *input_shapes: Shape) -> None:
        if len(input_shapes) not in (2, 3) or any(len(s) != 3 for s in input_shapes):
            raise ShapeError(
                f"{self.name}: expected query, value and perhaps key of 3 axes, received "
                f"{list(input_shapes)}"
            )

    def __call__(self, *inputs: Any, use_causal_mask: bool | None = None, **options: Any) -> Any:
        """Call the layer; see `Layer.__call__`.

        Args:
            inputs: as the class says.
            use_causal_mask: a step reads from no later step. All calls of a layer have one value,
                False if the first gives none.
            options: `training` and `mask`.

        Raises:
            ConfigError: the layer was called with another `use_causal_mask` before.
        """
        if use_causal_mask is not None:
            if self.built and use_causal_mask != self.use_causal_mask:
                raise ConfigError(
                    f"{self.name}: expected use_causal_mask={self.use_causal_mask} as in the call "
                    f"before, received {use_causal_mask}"
                )
            self.use_causal_mask = use_causal_mask
        return super().__call__(*inputs, **options)

    def get_config(self) -> Config:
        return super().get_config() | {
            key: True for key in self.call_settings if getattr(self, key)
        }

    @classmethod
    def from_config(cls, settings: Config) -> Layer:
        settings = dict(settings)
        called = {key: bool(settings.pop(key, False)) for key in cls.call_settings}
        layer = cls(**settings)
        vars(layer).update(called)
        return layer

    @property
    def zeroes(self) -> bool:
        """Whether a masked weight is 0, as in Keras' Softmax, also where a step has no other."""
        return False

    def mask_of(self, ctx: Context, shape: tuple[int, ...]) -> Array | None:
        """Return which scores count, to be broadcast to `shape` (n, ..., t, s); None for all."""
        parts = []
        for place, mask in enumerate(ctx.masks):
            if mask is not None and (place or self.masks_queries):
                ones = (1,) * (len(shape) - 3)
                ends = (shape[-2], 1) if place == 0 else (1, shape[-1])
                parts.append(np.asarray(mask, bool).reshape(shape[0], *ones, *ends))
        if self.use_causal_mask:
            parts.append(np.tri(*shape[-2:], dtype=bool))
        return np.logical_and.reduce(np.broadcast_arrays(*parts)) if parts else None

    def attend(
        self, ctx: Context, scores: Array, low: Any, training: bool, factor: float = 1.0
    ) -> Array:
        """Return the weights: softmax over the last axis of `scores` times `factor`.

        It may overwrite `scores`.
        """
        kept = self.mask_of(ctx, scores.shape)
        if kept is not None:
            np.copyto(scores, low(scores), where=~kept)
        weights = kernels.softmax(scores, ctx.buffer("weights", scores.shape), factor)
        if kept is not None and self.zeroes:
            weights *= kept
        drop = None
        if training and self.dropout:
            drop = ctx.draw(self.rng, scores.size)
        ctx.child("weights").saved = weights, drop, kept
        return weights if drop is None else kernels.drop(weights, drop, self.dropout)

    def scores_gradient(
        self, ctx: Context, dw: Array, factor: float = 1.0, more: Array | None = None
    ) -> Array:
        """Return the gradient of the scores from that of the weights, which it overwrites.

        `more` is a gradient of the weights before dropout.
        """
        weights, drop, kept = ctx.child("weights").saved
        if drop is not None:
            kernels.drop(dw, drop, self.dropout, dw)
        if more is not None:
            dw += more
        kernels.softmax_gradient(dw, weights, dw, factor)
        return dw if kept is None else dw * self.through(kept)

    def through(self, kept: Array) -> Any:
        """Return the share of a masked score's gradient that reaches what it was made of."""
        return kept


class MultiHeadAttention(ScoredAttention):
    """Attention of several heads (Vaswani et al. 2017): (n, t, d), (n, s, d) -> (n, t, d).

    Call it as layer(query, value) or layer(query, value, key). Masks of the inputs, as of
    `Embedding(mask_zero=True)`, leave out steps, and so does `attention_mask`, (n, t, s) or what
    can be broadcast to (n, num_heads, t, s). With `return_attention_scores=True` it also returns
    the weights of the values, (n, num_heads, t, s). Weights are those of Keras: query and key (d,
    num_heads, key_dim), value (d, num_heads, value_dim), output (num_heads, value_dim, d).

    Args:
        num_heads: number of heads.
        key_dim: size of queries and keys of each head.
        value_dim: size of values of each head; `key_dim` by default.
        dropout: fraction of the weights of the values to drop in training.
        output_shape: size of the output's last axis; that of the query by default.
    """

    fields: tuple[str, ...] = (
        "num_heads", "key_dim", "value_dim", "dropout", "use_bias", "output_shape",
        "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
        "kernel_constraint", "bias_constraint", "seed",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = {
        "attention_axes": (None, "attention goes along the one axis of steps"),
        "sliding_window": (None, "every step reads from all steps"),
        "flash_attention": (None, "there is one way to compute it"),
        "use_gate": (False, "there is no gate"),
    }
    call_settings = ("use_causal_mask", "attention_mask", "return_attention_scores")
    attention_mask = False
    """Whether the last input in a graph is the mask of the scores."""
    return_attention_scores = False
    given_mask: Any = None

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        *,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        self.num_heads = positive(num_heads, "num_heads", self.name)
        self.key_dim = positive(key_dim, "key_dim", self.name)
        self.value_dim = positive(
            key_dim if value_dim is None else value_dim, "value_dim", self.name
        )
        self.dropout = self._fraction(dropout)
        self.use_bias = use_bias
        wanted = output_shape if isinstance(output_shape, list | tuple) else [output_shape]
        if len(wanted) != 1:
            raise ConfigError(f"{self.name}: output_shape must be one size, received {wanted}")
        self.output_shape = wanted[0]
        self.set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.seed = seed
        self.rng = np.random.default_rng(seed) if seed is not None else None

    def __call__(
        self,
        *inputs: Any,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        **options: Any,
    ) -> Any:
        """Call the layer; see `ScoredAttention.__call__`.

        Args:
            inputs: query, value and perhaps key, in this order or by these names.
            attention_mask: which scores count; in a graph one of its tensors, or an array that is
                the same for each sample where it has no batch axis.
            return_attention_scores: return a list of the output and the scores.
            options: `use_causal_mask`, `training` and `mask`.

        Raises:
            ConfigError: a tensor of a graph as mask of arrays, or a graph's calls of this layer
                differ in these settings.
        """
        for name in ("query", "value", "key")[len(inputs) :]:
            given = options.pop(name, None)
            if given is None:
                break
            inputs += (given,)
        graph = any(isinstance(i, SymbolicTensor) for i in inputs)
        masked = attention_mask is not None
        symbolic = isinstance(attention_mask, SymbolicTensor)
        if symbolic and not graph:
            raise ConfigError(
                f"{self.name}: expected attention_mask to be an array like the inputs, "
                f"received {attention_mask!r:.80}"
            )
        asked = {
            "attention_mask": masked and graph,
            "return_attention_scores": return_attention_scores,
        }
        kept = {key: getattr(self, key) for key in asked}
        if graph and self._nodes and asked != kept:
            raise ConfigError(
                f"{self.name}: expected {kept} as in the call before, received {asked}"
            )
        vars(self).update(asked)
        if graph:
            if masked and not symbolic:
                rank = max(3, np.ndim(attention_mask))
                attention_mask = constant(attention_mask, inputs, self.name, rank)
            return super().__call__(*inputs, *[attention_mask][:masked], **options)
        self.given_mask = attention_mask
        try:
            return super().__call__(*inputs, **options)
        finally:  # arrays change nothing of a graph
            vars(self).update(kept, given_mask=None)

    def connect(self, *tensors: Any) -> Any:
        """Call the layer on the inputs of one of its calls, as the configuration lists them."""
        inputs, mask = (tensors[:-1], tensors[-1]) if self.attention_mask else (tensors, None)
        scores = self.return_attention_scores
        return self(*inputs, attention_mask=mask, return_attention_scores=scores)

    def _sequences(self, given: Sequence[Any]) -> Sequence[Any]:
        """Return the inputs, or their shapes, without the mask of the scores."""
        return given[:-1] if self.attention_mask else given

    def ensure_built(self, *input_shapes: Shape) -> None:
        super().ensure_built(*self._sequences(input_shapes))

    def expect_fitting(self, *input_shapes: Shape) -> None:
        super().expect_fitting(*self._sequences(input_shapes))

    def _sizes_for(self, input_shapes: tuple[Shape, ...]) -> list[Shape] | None:
        mask: tuple[Shape, ...] = ((),) if self.attention_mask else ()
        return super()._sizes_for((*input_shapes, *mask))

    def build(self, *input_shapes: Shape) -> None:
        super().build(*input_shapes)
        query, value, key = (s[-1] for s in (*input_shapes, input_shapes[1])[:3])
        heads, size = self.num_heads, self.output_shape or query
        self.query = self._projection("query", (query, heads, self.key_dim))
        self.key = self._projection("key", (key, heads, self.key_dim))
        self.value = self._projection("value", (value, heads, self.value_dim))
        self.output_projection = self._projection("attention_output", (heads, self.value_dim, size))

    def _projection(self, name: str, shape: Any) -> tuple[Variable, Variable | None]:
        kernel = self.add_named("kernel", shape)
        kernel.name = f"{name}/kernel"
        if not self.use_bias:
            return kernel, None
        bias = self.add_named("bias", shape[-1:] if name == "attention_output" else shape[1:])
        bias.name = f"{name}/bias"
        return kernel, bias

    def compute_output_shape(self, *input_shapes: Shape) -> Any:
        (n, t, size), value = input_shapes[:2]
        if self.attention_mask:
            self._expect_mask(input_shapes[-1], (self.num_heads, t, value[1]))
        shape = (n, t, self.output_shape or size)
        return [shape, (n, self.num_heads, t, value[1])] if self.return_attention_scores else shape

    def _expect_mask(self, mask: Shape, sizes: Shape) -> None:
        """Raise ShapeError unless a mask of a graph can be broadcast to (n, *sizes)."""
        wanted = sizes if len(mask) == 4 else sizes[1:]
        pairs = zip(mask[1:], wanted, strict=False)
        if len(mask) > 4 or any(None not in pair and pair[0] not in (1, pair[1]) for pair in pairs):
            raise ShapeError(
                f"{self.name}: expected attention_mask of (n, t, s) or what can be broadcast to "
                f"{(None, *sizes)}, received shape {mask}"
            )

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        mask = super().mask_after(inputs, masks)
        return [mask, None] if self.return_attention_scores else mask

    def mask_of(self, ctx: Context, shape: tuple[int, ...]) -> Array | None:
        kept, given = super().mask_of(ctx, shape), ctx.child("attention_mask").saved
        if given is None:
            return kept
        mask = np.asarray(given).astype(bool)
        while 2 <= mask.ndim < 4:
            mask = np.expand_dims(mask, -3)  # (n, t, s) is that of all heads
        try:
            mask = np.broadcast_to(mask, shape)
        except ValueError:
            raise ShapeError(
                f"{self.name}: expected attention_mask of (n, t, s) or what can be broadcast to "
                f"{shape}, received shape {np.shape(given)}"
            ) from None
        return mask if kept is None else mask & kept

    @property
    def cpu_only(self) -> str:
        """What the GPU lacks, in words, or "" for nothing."""
        if self.seed is not None and self.dropout:
            return "kernels for a seed of its own"
        found = next((key for key in self.call_settings[1:] if getattr(self, key)), "")
        return found and f"kernels for {found}"

    @property
    def factor(self) -> float:
        """What the scores are multiplied by: 1 / sqrt(key_dim)."""
        return float(self.key_dim**-0.5)

    def only_kernels(self, ctx: Context) -> bool:
        return not (self.dropout or any(getattr(self, key) for key in self.call_settings))

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Any:
        ctx.child("attention_mask").saved = inputs[-1] if self.attention_mask else self.given_mask
        inputs = tuple(self._sequences(inputs))
        ctx.masks = ctx.masks[: len(inputs)]
        query, value, key = (*inputs, inputs[1])[:3]
        q = self._project(ctx, "query", query, self.query)
        k = self._project(ctx, "key", key, self.key)
        v = self._project(ctx, "value", value, self.value)
        scores = ctx.buffer("scores", (*q.shape[:3], k.shape[2]))
        kernels.batch_matmul(q, k.transpose(0, 1, 3, 2), scores)
        weights = self.attend(ctx, scores, self._lowest, training, self.factor)
        n, t = query.shape[:2]
        read = ctx.buffer("read", (n, t, self.num_heads, self.value_dim))
        kernels.batch_matmul(weights, v, read.transpose(0, 2, 1, 3))
        ctx.saved = query, value, key, q, k, v, weights, read, len(inputs)
        kernel, bias = self.output_projection
        matrix = kernel.value.reshape(-1, kernel.shape[-1])
        flat = read.reshape(n * t, len(matrix))
        out = ctx.buffer("y", (n * t, matrix.shape[1]))
        y = kernels.matmul(flat, matrix, out, bias=bias.value if bias else None)
        y = y.reshape(n, t, matrix.shape[1])
        return [y, ctx.child("weights").saved[0]] if self.return_attention_scores else y

    @property
    def zeroes(self) -> bool:
        return bool(self.dropout or self.return_attention_scores)

    @staticmethod
    def _lowest(scores: Array) -> Any:
        return -0.7 * np.finfo(scores.dtype).max  # jax.nn.dot_product_attention's

    def _project(self, ctx: Context, name: str, x: Array, weights: Any) -> Array:
        """Return x times the weights: (n, heads, steps, size)."""
        kernel, bias = weights
        n, steps, size = x.shape
        out = ctx.buffer(name, (n * steps, kernel.value[0].size))
        kernels.matmul(
            x.reshape(n * steps, size),
            kernel.value.reshape(size, -1),
            out,
            bias=bias.value.reshape(-1) if bias else None,
        )
        return out.reshape(n, steps, *kernel.shape[1:]).transpose(0, 2, 1, 3)

    def backward(self, ctx: Context, dy: Any) -> Any:
        query, value, key, q, k, v, weights, read, count = ctx.saved
        n, t, heads, size = read.shape
        dy, more = dy if self.return_attention_scores else (dy, None)
        if dy is None:
            dy = np.zeros((n, t, self.output_projection[0].shape[-1]), read.dtype)
        dread = self._project_back(
            ctx, "read", read.reshape(n, t, -1), dy, self.output_projection, True
        )
        dread = dread.reshape(n, t, heads, size).transpose(0, 2, 1, 3)
        dweights = ctx.buffer("dweights", weights.shape)
        kernels.batch_matmul(dread, v.transpose(0, 1, 3, 2), dweights)
        dv = self._steps_first(ctx, "dv", v)
        kernels.batch_matmul(weights.transpose(0, 1, 3, 2), dread, dv.transpose(0, 2, 1, 3))
        scores = self.scores_gradient(ctx, dweights, self.factor, more)
        dq, dk = self._steps_first(ctx, "dq", q), self._steps_first(ctx, "dk", k)
        kernels.batch_matmul(scores, k, dq.transpose(0, 2, 1, 3))
        kernels.batch_matmul(scores.transpose(0, 1, 3, 2), q, dk.transpose(0, 2, 1, 3))
        wanted = ctx.needs_input_gradient
        dquery = self._project_back(ctx, "query", query, dq, self.query, wanted)
        dvalue = self._project_back(ctx, "value", value, dv, self.value, wanted)
        dkey = self._project_back(ctx, "key", key, dk, self.key, wanted)
        if not wanted:
            return None
        return (dquery, dvalue, dkey) if count == 3 else (dquery, kernels.add(dvalue, dkey))

    @staticmethod
    def _steps_first(ctx: Context, name: str, x: Array) -> Array:
        n, heads, steps, size = x.shape
        return ctx.buffer(name, (n, steps, heads, size))

    def _project_back(
        self, ctx: Context, name: str, x: Array, dy: Array, weights: Any, wanted: bool
    ) -> Any:
        """Add the gradients of a projection's weights; return that of its input if wanted."""
        kernel, bias = weights
        rows = x.reshape(-1, x.shape[-1])
        d = dy.reshape(len(rows), -1)
        matrix = kernel.value.reshape(rows.shape[1], -1)
        if ctx.trains(kernel):
            out = ctx.gradient(kernel, overwrite=True)
            kernels.matmul(rows.T, d, out.reshape(matrix.shape))
        if bias and ctx.trains(bias):
            kernels.column_sums(d, ctx.gradient(bias, overwrite=True).reshape(-1))
        if not wanted:
            return None
        return kernels.matmul(d, matrix.T, ctx.buffer(f"d{name}", rows.shape)).reshape(x.shape)


class Attention(ScoredAttention):
    """Attention without projections (Luong et al. 2015): (n, t, d), (n, s, d) -> (n, t, d).

    Call it as layer([query, value]) or layer([query, value, key]).

    Args:
        use_scale: train a factor of the scores.
        score_mode: "dot", or "concat": tanh(query + key), summed over the features.
        dropout: fraction of the weights of the values to drop in training.
    """

    fields: tuple[str, ...] = ("use_scale", "score_mode", "dropout", "seed")
    masks_queries = False

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.use_scale = use_scale
        self.score_mode = pads.check(score_mode, self.name, ("dot", "concat"))
        self.dropout = self._fraction(dropout)
        self.seed = seed
        self.rng = np.random.default_rng(seed) if seed is not None else None

    def build(self, *input_shapes: Shape) -> None:
        super().build(*input_shapes)
        self.scale = self.add_weight("scale", (), "ones") if self.use_scale else None
        concat = self.score_mode == "concat"
        self.weight = self.add_weight("concat_score_weight", (), "ones") if concat else None

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        return (*input_shapes[0][:-1], input_shapes[1][-1])

    def mask_after(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Any:
        return masks[0]

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        query, value, key = (*inputs, inputs[1])[:3]
        factor = self.scale.value if self.scale else query.dtype.type(1)
        if self.weight is None:
            sums, raw = None, kernels.batch_matmul(query, key.transpose(0, 2, 1))
            scores = raw * factor
        else:
            sums = query[:, :, None] + key[:, None]
            raw = np.tanh(sums * factor)
            scores = raw.sum(axis=-1) * self.weight.value
        weights = self.attend(ctx, scores, lambda s: s - s.dtype.type(1e9), training)
        ctx.saved = query, value, key, sums, raw, weights, len(inputs)
        y = kernels.batch_matmul(weights, value)
        return y if not ctx.masks or ctx.masks[0] is None else y * ctx.masks[0][..., None]

    def through(self, kept: Array) -> Any:
        return 1  # a masked score is lowered, not replaced

    def backward(self, ctx: Context, dy: Any) -> Any:
        query, value, key, sums, raw, weights, count = ctx.saved
        if ctx.masks and ctx.masks[0] is not None:
            dy = dy * ctx.masks[0][..., None]
        dvalue = kernels.batch_matmul(weights.transpose(0, 2, 1), dy)
        d = self.scores_gradient(ctx, kernels.batch_matmul(dy, value.transpose(0, 2, 1)))
        if self.weight is None:
            factor = self.scale.value if self.scale else d.dtype.type(1)
            self._keep(ctx, self.scale, (d * raw).sum())
            dquery = kernels.batch_matmul(d, key) * factor
            dkey = kernels.batch_matmul(d.transpose(0, 2, 1), query) * factor
        else:
            dquery, dkey = self._concat_gradient(ctx, d, sums, raw)
        return (dquery, dvalue, dkey) if count == 3 else (dquery, kernels.add(dvalue, dkey))

    def _concat_gradient(
        self, ctx: Context, d: Array, sums: Array, raw: Array
    ) -> tuple[Array, Array]:
        assert self.weight is not None
        self._keep(ctx, self.weight, (d * raw.sum(axis=-1)).sum())
        inner = d[..., None] * self.weight.value * (1 - raw * raw)
        if self.scale:
            self._keep(ctx, self.scale, (inner * sums).sum())
            inner = inner * self.scale.value
        return inner.sum(axis=2), inner.sum(axis=1)

    @staticmethod
    def _keep(ctx: Context, variable: Variable | None, gradient: Any) -> None:
        if variable and ctx.trains(variable):
            ctx.gradient(variable, overwrite=True)[...] = gradient
