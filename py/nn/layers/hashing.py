"""Numbers for texts and whole numbers without a vocabulary, those of Keras on TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from nn.context import Context
from nn.errors import ConfigError, ShapeError
from nn.graph import SymbolicTensor
from nn.keras_arguments import Explained, LeftOut
from nn.layers.base import Layer, one_of, positive
from nn.layers.encoding import encode
from nn.layers.fingerprints import fingerprint, joined, keyed
from nn.types import Array, Shape

_CROSSING = 0xDECAFCAFFE  # TensorFlow's first hash of a crossing


class Hashed(Layer):
    """Base of the layers that hash: tokens (n, ...) -> numbers below `num_bins`, or rows.

    A call takes arrays or nested lists of texts or whole numbers too.
    """

    left_out: ClassVar[LeftOut] = {"sparse": (False, "arrays are dense")}
    reads_indices = True
    modes: tuple[str, ...] = ("int", "one_hot", "multi_hot", "count")

    def __init__(self, num_bins: int, output_mode: str = "int", **options: Any) -> None:
        if options.get("dtype") in ("int32", "int64"):  # Keras' name of the numbers' type
            options.pop("dtype")
        super().__init__(**options)
        self.num_bins = positive(num_bins, "num_bins", self.name)
        self.output_mode: str = one_of(output_mode, self.modes, "output_mode", self.name)

    def __call__(self, *inputs: Any, training: Any = None, mask: Any = None, **others: Any) -> Any:
        """Call the layer on symbolic tensors, or on tokens."""
        self.expect_none_of(others)
        given = inputs
        if self.several_inputs and len(inputs) == 1 and isinstance(inputs[0], list | tuple):
            given = tuple(inputs[0])
        if any(isinstance(one, SymbolicTensor) for one in given):
            return super().__call__(*given, training=training, mask=mask)
        with Explained(self.name, given, {}, "texts or whole numbers"):
            return self._taken(given)

    def _taken(self, tokens: Sequence[Any]) -> Array:
        return self._encoded([np.asarray(one) for one in tokens])

    def numbers(self, *tokens: Array) -> Array:
        """Return the number of each token, or of each group of tokens."""
        raise NotImplementedError

    def _encoded(self, tokens: Sequence[Array]) -> Array:
        found = self.numbers(*tokens)
        if self.output_mode == "int":
            return found
        return encode(found, self.output_mode, self.num_bins, self.dtype)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        shape = input_shapes[0]
        if self.output_mode == "int":
            return shape
        kept = self.output_mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1)
        return (*(shape if kept else shape[:-1]), self.num_bins)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = [tokens.shape for tokens in inputs]
        return self._encoded(inputs).astype(ctx.run.dtype)

    def backward(self, ctx: Context, dy: Any) -> Any:
        # Tokens have no gradient; zeros avoid a special case in the layers below.
        zeros = [np.zeros(shape, ctx.run.dtype) for shape in ctx.saved]
        return zeros[0] if len(zeros) == 1 else tuple(zeros)


class Hashing(Hashed):
    """The number of each text or whole number by its hash; other numbers lose their fraction.

    Args:
        num_bins: how many numbers there are, with that of the mask.
        mask_value: the token of number 0.
        salt: one or two whole numbers, the key of another hash (SipHash).
        output_mode: "int", "one_hot", "multi_hot" or "count", see `CategoryEncoding`.
    """

    fields: tuple[str, ...] = ("num_bins", "mask_value", "salt", "output_mode")

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        **options: Any,
    ) -> None:
        super().__init__(num_bins, output_mode, **options)
        self.mask_value = mask_value
        self.salt = [salt, salt] if isinstance(salt, int) else salt and list(salt)
        if self.salt is not None and [type(part) for part in self.salt] != [int, int]:
            raise ConfigError(
                f"{self.name}: salt must be one or two whole numbers, received {salt!r}"
            )

    def numbers(self, *tokens: Array) -> Array:
        (given,) = tokens
        masked = self.mask_value is not None and self.num_bins > 1
        bins = self.num_bins - masked
        flat = [self._hash(token) % bins + masked for token in given.reshape(-1).tolist()]
        found = np.array(flat, np.int64).reshape(given.shape)
        return np.where(given == self.mask_value, 0, found) if masked else found

    def _hash(self, token: Any) -> int:
        data = encoded(token)
        return fingerprint(data) if self.salt is None else keyed(data, tuple(self.salt))


class HashedCrossing(Hashed):
    """The number of two or more tokens together: shapes (n,) or (n, 1), of texts and whole numbers.

    Args:
        num_bins: how many numbers there are.
        output_mode: "int", or "one_hot" for rows.
    """

    several_inputs = True
    fields: tuple[str, ...] = ("num_bins", "output_mode")
    modes = ("int", "one_hot")

    def build(self, *input_shapes: Shape) -> None:
        self._expect([tuple(shape) for shape in input_shapes])

    def _expect(self, shapes: Sequence[Shape]) -> None:
        fit = all(len(shape) == 1 or shape[1:] == (1,) for shape in shapes)
        if len(shapes) < 2 or len(set(shapes)) > 1 or not fit:
            raise ShapeError(
                f"{self.name}: expected two or more inputs of shape (n,) or (n, 1), received "
                f"{list(shapes)}"
            )

    def numbers(self, *tokens: Array) -> Array:
        self._expect([array.shape for array in tokens])
        flat = [array.ravel().tolist() for array in tokens]
        made = [self._cross(group) for group in zip(*flat, strict=True)]
        return np.array(made, np.int64).reshape(tokens[0].shape)

    def _cross(self, group: Sequence[Any]) -> int:
        total = _CROSSING
        for token in group:
            text = isinstance(token, str | bytes)
            total = joined(total, fingerprint(encoded(token)) if text else int(token) % (1 << 64))
        return total % self.num_bins


def encoded(token: Any) -> bytes:
    """Return the bytes of a token that are hashed: of a number its decimal digits."""
    if isinstance(token, bytes):
        return token
    return (token if isinstance(token, str) else str(int(token))).encode()
