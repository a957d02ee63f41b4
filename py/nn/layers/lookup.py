"""Vocabularies: the number of each text or whole number, or rows that say which ones occur."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from nn.context import Context
from nn.data.adapting import raw_batches
from nn.data.numeric import numeric
from nn.errors import ConfigError, DataError
from nn.graph import SymbolicTensor
from nn.identifiers import expect_settings
from nn.keras_arguments import Explained, LeftOut
from nn.layers.base import Layer, one_of
from nn.layers.encoding import encode
from nn.layers.fingerprints import fingerprint
from nn.types import Array, Config, Shape

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
FORMER_NAMES = {"binary": "multi_hot", "tf-idf": "tf_idf"}
DROPPED = -1
"""The index of a masked token in an encoding."""


class IndexLookup(Layer):
    """Base of the layers with a vocabulary: tokens (n, ...) -> numbers of the same shape, or rows.

    The vocabulary is given, or `adapt` counts the tokens of data. Index 0 is that of the mask
    token, if there is one and the output is "int"; after it come those of tokens that are not in
    the vocabulary. A layer's configuration has its vocabulary, so every file keeps it.

    Args:
        max_tokens: the largest size of the vocabulary, special tokens included.
        num_oov_indices: how many indices tokens have that are not in the vocabulary; with 0 they
            are an error.
        mask_token: the token of index 0; rows drop it.
        oov_token: with `invert`, what an index outside the vocabulary becomes.
        vocabulary: the tokens, with or without the special ones before them.
        idf_weights: inverse document frequency of each token, for "tf_idf".
        invert: take indices and return tokens.
        output_mode: "int", "one_hot" (a row for each token), "multi_hot" (1 for each token of the
            last axis), "count", or "tf_idf" (counts times `idf_weights`).
        pad_to_max_tokens: rows have `max_tokens` columns, however many tokens there are.
    """

    reads_indices = True
    fields: tuple[str, ...] = (
        "max_tokens", "num_oov_indices", "mask_token", "oov_token", "vocabulary", "idf_weights",
        "invert", "output_mode", "pad_to_max_tokens",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = {"sparse": (False, "arrays are dense")}

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        mode = FORMER_NAMES.get(output_mode, output_mode)
        self.output_mode: str = one_of(mode, MODES, "output_mode", self.name)
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.pad_to_max_tokens = pad_to_max_tokens
        self._expect_options(idf_weights)
        self.given = vocabulary is not None
        self.tokens: list[Any] = []
        self.idf: list[float] = []
        self._indices: dict[Any, int] = {}
        self._settled: int | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _expect_options(self, idf_weights: Any) -> None:
        wrong = {
            f"max_tokens above 1, received {self.max_tokens}": (
                self.max_tokens is not None and self.max_tokens <= 1
            ),
            "max_tokens for pad_to_max_tokens, received None": (
                self.pad_to_max_tokens and self.max_tokens is None
            ),
            f"num_oov_indices of at least 0, received {self.num_oov_indices}": (
                self.num_oov_indices < 0
            ),
            f"output_mode 'int' for invert, received {self.output_mode!r}": (
                self.invert and self.output_mode != "int"
            ),
            f"idf_weights only for 'tf_idf', received {self.output_mode!r}": (
                idf_weights is not None and self.output_mode != "tf_idf"
            ),
        }
        for message, found in wrong.items():
            if found:
                raise ConfigError(f"{self.name}: expected {message}")

    # The vocabulary.

    @property
    def special(self) -> list[Any]:
        """The tokens before those of the vocabulary."""
        masks = [self.mask_token] if self._masks_by_index else []
        return [*masks, *[self.oov_token] * self.num_oov_indices]

    @property
    def _masks_by_index(self) -> bool:
        return self.mask_token is not None and self.output_mode == "int"

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Return the tokens in the order of their indices."""
        return [*(self.special if include_special_tokens else []), *self.tokens]

    def vocabulary_size(self) -> int:
        """Return the number of tokens, special ones included."""
        return len(self.special) + len(self.tokens)

    @property
    def vocabulary(self) -> list[Any] | None:
        """The vocabulary as it is given to the constructor, None without one."""
        return self.get_vocabulary() if self.tokens else None

    @property
    def idf_weights(self) -> list[float] | None:
        """The weights as they are given to the constructor, None without any."""
        return self.idf or None

    @classmethod
    def from_config(cls, settings: Config) -> Layer:
        """Create a layer from the settings that `get_config` returned.

        Raises:
            ConfigError: the vocabulary is a path: a model's file would have another file read.
        """
        expect_settings(cls, settings)
        found = settings.get("vocabulary")
        if isinstance(found, str | bytes):
            raise ConfigError(
                f"{cls.__name__}: expected the tokens of the vocabulary, received {found!r:.80}; "
                "call set_vocabulary with a path"
            )
        return super().from_config(settings)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the vocabulary, and the weights of its tokens for "tf_idf".

        Args:
            vocabulary: tokens, with or without the special ones before them; or a path of a file
                with one token a line.
            idf_weights: a number for each of `vocabulary`.

        Raises:
            ConfigError: a token is none or occurs twice, there are too many, or as many weights are
                missing.
        """
        with Explained(self.name, [vocabulary], {}, "a list of tokens, or the path of one"):
            tokens = self._read(vocabulary)
        given = [] if idf_weights is None else np.asarray(idf_weights, np.float64).tolist()
        if (self.output_mode == "tf_idf") != bool(given) or (given and len(given) != len(tokens)):
            raise ConfigError(
                f"{self.name}: expected {len(tokens)} idf_weights for 'tf_idf' and none for other "
                f"modes, received {len(given)} for {self.output_mode!r}"
            )
        special = self.special
        begins = len(special) and tokens[: len(special)] == special
        self._set(tokens[len(special) :] if begins else tokens)
        # What is not in the vocabulary weighs the mean of all.
        self.idf = given if begins or not given else [np.mean(given)] * len(special) + given

    def _read(self, vocabulary: Any) -> list[Any]:
        if isinstance(vocabulary, str):
            with open(vocabulary, encoding="utf-8") as lines:
                # `splitlines` would also part words at U+0085 or U+2028, which TensorFlow keeps.
                vocabulary = [line.rstrip("\n") for line in lines]
        if isinstance(vocabulary, bytes):
            raise TypeError("expected a list")
        given = vocabulary.tolist() if isinstance(vocabulary, np.ndarray) else list(vocabulary)
        return [self.token(token) for token in given]

    def _set(self, tokens: list[Any]) -> None:
        repeated = [token for token, count in Counter(tokens).items() if count > 1]
        kept = [self.mask_token, *([self.oov_token] if self.invert else [])]
        reserved = [token for token in kept if token is not None and token in tokens]
        if not tokens or repeated or reserved:
            raise ConfigError(
                f"{self.name}: expected tokens that occur once each and are not special "
                f"({self.special}), received {repeated or reserved or 'none'}"
            )
        size = len(self.special) + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ConfigError(
                f"{self.name}: expected at most {self.max_tokens} tokens, received {size}"
            )
        if self._settled not in (None, size):
            raise ConfigError(
                f"{self.name}: expected {self._settled} tokens, as when the layer was put into a "
                f"model, received {size}; pad_to_max_tokens=True keeps the size"
            )
        self.tokens = tokens
        start = len(self.special)
        self._indices = {token: start + i for i, token in enumerate(tokens)}

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Set the vocabulary to the tokens of data, the most frequent first.

        Tokens that are equally frequent come in falling order.

        Args:
            data: a list or an array of tokens, each or each row a document of its own, or batches
                of such, one after the other.
            steps: end after so many batches.

        Raises:
            ConfigError: the vocabulary was given.
            EmptyError: there are no batches.
        """
        if self.given:
            raise ConfigError(f"{self.name}: expected a layer without vocabulary, to adapt it")
        counts: Counter[Any] = Counter()
        documents: Counter[Any] = Counter()
        number = 0
        for step, batch in enumerate(raw_batches(data, self.name)):
            if steps is not None and step >= steps:
                break
            for row in self.documents(batch, batch is not data):
                counts.update(row)
                documents.update(set(row))
                number += 1
        for token in (self.mask_token, self.oov_token):
            counts.pop(token, None)
        ranked = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        room = None if self.max_tokens is None else self.max_tokens - len(self.special)
        self._set(ranked[:room])
        if self.output_mode == "tf_idf":
            idf = np.log(1 + number / (1 + np.array([documents[t] for t in self.tokens])))
            self.idf = [float(idf.mean())] * len(self.special) + idf.tolist()

    def documents(self, batch: Any, in_batches: bool) -> Iterable[Sequence[Any]]:
        """Return the tokens of each document of data for `adapt`."""
        tokens = self.array(batch)
        if tokens.ndim < 2:
            tokens = tokens.reshape(1, -1) if in_batches else tokens.reshape(-1, 1)
        rows: list[Any] = tokens.reshape(len(tokens), -1).tolist()
        return rows

    # Tokens.

    def token(self, value: Any) -> Any:
        """Return one token in the type of the vocabulary."""
        raise NotImplementedError

    def array(self, value: Any) -> Array:
        """Return an array of tokens."""
        raise NotImplementedError

    def look_up(self, tokens: Array) -> Array:
        """Return the output for an array of tokens, or of indices with `invert`."""
        if self.invert:
            vocabulary = dict(enumerate(self.get_vocabulary()))
            flat = [vocabulary.get(int(i), self.oov_token) for i in tokens.reshape(-1)]
            return np.array(flat, self.kind).reshape(tokens.shape)
        return self.encoded(self.numbers(tokens))

    kind: ClassVar[Any] = object
    """The type of an array of tokens."""

    def numbers(self, tokens: Array) -> Array:
        """Return the index of each token, DROPPED for masked ones that have none."""
        flat = tokens.reshape(-1).tolist()
        find = self._indices.get
        found = [find(token, DROPPED) for token in flat]
        masked = 0 if self._masks_by_index else DROPPED
        for place, index in enumerate(found):
            if index == DROPPED:
                token = flat[place]
                hidden = self.mask_token is not None and token == self.mask_token
                found[place] = masked if hidden else self._outside(token)
        return np.array(found, np.int64).reshape(tokens.shape)

    def _outside(self, token: Any) -> int:
        if not self.num_oov_indices:
            raise DataError(
                f"{self.name}: expected tokens of the vocabulary, as num_oov_indices is 0, "
                f"received {token!r:.80}"
            )
        return int(self._masks_by_index) + self.bucket(token)

    def bucket(self, token: Any) -> int:
        """Return which of the indices for tokens outside the vocabulary this one has."""
        return 0

    @property
    def columns(self) -> int:
        """The size of a row of an encoding."""
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        if not self.tokens:
            raise ConfigError(
                f"{self.name}: expected a vocabulary before output_mode={self.output_mode!r} is "
                "used: give one, call adapt, or set pad_to_max_tokens"
            )
        return self.vocabulary_size()

    def encoded(self, numbers: Array) -> Array:
        """Return indices as the output mode has them."""
        if self.output_mode == "int":
            return numbers
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        rows = encode(numbers, mode, self.columns, self.dtype)
        if self.output_mode == "tf_idf":
            rows[..., : len(self.idf)] *= np.array(self.idf, rows.dtype)
        return rows

    # Calling.

    def __call__(self, *inputs: Any, training: Any = None, mask: Any = None, **others: Any) -> Any:
        """Call the layer on a symbolic tensor, or on tokens: an array, nested lists, or one."""
        self.expect_none_of(others)
        if isinstance(inputs[0], SymbolicTensor):
            return super().__call__(*inputs, training=training, mask=mask)
        return self.look_up(self.taken(inputs[0]))

    def taken(self, value: Any) -> Array:
        """Return what the layer is called on as an array."""
        return integers(value, self.name) if self.invert else self.array(value)

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if self.output_mode == "int":
            return shape
        columns = self.columns
        if not self.pad_to_max_tokens:
            self._settled = columns
        kept = self.output_mode == "one_hot" and not (len(shape) > 1 and shape[-1] == 1)
        return (*(shape if kept else shape[:-1]), columns)

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = inputs[0].shape
        found = self.look_up(self.taken(inputs[0]))
        return found if self.invert and self.kind is object else found.astype(ctx.run.dtype)

    def backward(self, ctx: Context, dy: Any) -> Any:
        # Tokens have no gradient; zeros avoid a special case in the layer below.
        return np.zeros(ctx.saved, ctx.run.dtype)


class StringLookup(IndexLookup):
    """The number of each text in a vocabulary; the arguments are those of `IndexLookup`.

    Args:
        encoding: how `bytes` are decoded.
    """

    fields: tuple[str, ...] = (*IndexLookup.fields, "encoding")
    left_out: ClassVar[LeftOut] = {
        "oov_method": ("floormod", "numbers have it, texts are hashed"),
        "salt": (None, "unknown tokens are hashed without a key"),
    }

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        *,
        encoding: str = "utf-8",
        **options: Any,
    ) -> None:
        self.encoding = encoding
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert,
            output_mode, pad_to_max_tokens, **options,
        )  # fmt: skip

    def token(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return value.decode(self.encoding)
        # A list, None or NaN has a text, too, which is no token of anybody's.
        if not isinstance(value, str | Real | np.generic) or value != value:
            raise DataError(f"{self.name}: expected texts, received {value!r:.80}")
        return str(value)

    def bucket(self, token: Any) -> int:
        return fingerprint(token.encode(self.encoding)) % self.num_oov_indices

    def array(self, value: Any) -> Array:
        given = np.asarray(value, object)
        texts = [self.token(item) for item in given.reshape(-1)]
        made = np.empty(len(texts), object)
        made[:] = texts
        return made.reshape(given.shape)


class IntegerLookup(IndexLookup):
    """The number of each whole number in a vocabulary; the arguments are those of `IndexLookup`.

    Numbers outside the vocabulary share `num_oov_indices` by their remainder.
    """

    left_out: ClassVar[LeftOut] = {
        "vocabulary_dtype": ("int64", "there is no other"),
        "oov_method": ("floormod", "numbers are not hashed"),
        "salt": (None, "unknown tokens are hashed without a key"),
    }
    kind = np.int64

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert,
            output_mode, pad_to_max_tokens, **options,
        )  # fmt: skip

    def token(self, value: Any) -> Any:
        # A line of a file, or of a vocabulary that a `.keras` file has apart, is a text.
        return integers(int(value) if isinstance(value, str) else value, self.name).item()

    def array(self, value: Any) -> Array:
        return integers(value, self.name)

    def bucket(self, token: Any) -> int:
        return int(token % self.num_oov_indices)


def integers(value: Any, where: str) -> Array:
    """Return an array of numbers as whole ones; fractions are cut off.

    Raises:
        DataError: one is no number, NaN, or too large.
    """
    numbers = numeric(value, where)
    if numbers.dtype.kind == "f" and not np.all(np.abs(numbers) < 2**63):
        raise DataError(f"{where}: expected whole numbers, received {value!r:.80}")
    return numbers.astype(np.int64)
