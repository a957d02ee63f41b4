"""TextVectorization: texts as the numbers of their words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from string import ascii_lowercase, ascii_uppercase, punctuation
from typing import Any, ClassVar

import numpy as np

from nn.context import Context
from nn.data.numeric import optional, whole
from nn.errors import ConfigError, ShapeError
from nn.keras_arguments import LeftOut
from nn.layers.base import one_of
from nn.layers.lookup import DROPPED, StringLookup
from nn.types import Array, Shape, prod

# Letters and spaces of ASCII alone, as in TensorFlow's functions of bytes.
LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
UNPUNCTUATED = str.maketrans("", "", punctuation)
SPACES = re.compile("[ \t\n\v\f\r]+")


class TextVectorization(StringLookup):
    """Split texts into words and number these: (n,) or (n, 1) of text -> (n, words), or rows.

    `adapt` makes the vocabulary. Index 0 fills up short texts, 1 is that of unknown words.

    Args:
        max_tokens: the largest size of the vocabulary, special tokens included.
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation", None, or a
            function of an array of text.
        split: "whitespace", "character", None for texts that are words (n, words), or a function
            that returns the words of each text of an array.
        ngrams: also take so many words together, or exactly the numbers of a tuple.
        output_mode: as that of `StringLookup`.
        output_sequence_length: the number of words of "int"; by default that of the longest text.
        pad_to_max_tokens: rows have `max_tokens` columns, however many words there are.
        vocabulary: the words, if they are known.
        idf_weights: inverse document frequency of each word, for "tf_idf".
        encoding: how `bytes` are decoded.
    """

    fields: tuple[str, ...] = (
        "max_tokens", "standardize", "split", "ngrams", "output_mode", "output_sequence_length",
        "pad_to_max_tokens", "vocabulary", "idf_weights", "encoding",
    )  # fmt: skip
    left_out: ClassVar[LeftOut] = {"ragged": (False, "arrays are rectangular")}

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[[Array], Array] | None = "lower_and_strip_punctuation",
        split: str | Callable[[Array], Any] | None = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        *,
        encoding: str = "utf-8",
        **options: Any,
    ) -> None:
        super().__init__(
            max_tokens, mask_token="", vocabulary=vocabulary, idf_weights=idf_weights,
            output_mode=output_mode, pad_to_max_tokens=pad_to_max_tokens, encoding=encoding,
            **options,
        )  # fmt: skip
        known = (None, "lower_and_strip_punctuation", "lower", "strip_punctuation")
        self.standardize = _function(standardize, known, "standardize", self.name)
        self.split = _function(split, (None, "whitespace", "character"), "split", self.name)
        if isinstance(ngrams, list | tuple):
            self.ngrams: Any = tuple(whole(n, f"{self.name}: ngrams") for n in ngrams)
        else:
            self.ngrams = optional(ngrams, f"{self.name}: ngrams")
        if output_sequence_length is not None and self.output_mode != "int":
            raise ConfigError(
                f"{self.name}: expected output_sequence_length only for output_mode 'int', "
                f"received {output_sequence_length} for {self.output_mode!r}"
            )
        self.output_sequence_length = optional(
            output_sequence_length, f"{self.name}: output_sequence_length"
        )

    def words(self, texts: Array) -> list[list[str]]:
        """Return the words of each text, and what `ngrams` makes of them."""
        plain = self._standardized(texts)
        if self.split is None:
            rows = plain.reshape(len(plain), prod(plain.shape[1:])).tolist()
        else:
            if plain.ndim > 2 or (plain.ndim == 2 and plain.shape[1] != 1):
                raise ShapeError(
                    f"{self.name}: expected texts (n,) or (n, 1), received {plain.shape}"
                )
            rows = self._split(plain.reshape(-1))
        return rows if self.ngrams is None else [self._together(row) for row in rows]

    def _standardized(self, texts: Array) -> Array:
        if callable(self.standardize):
            return self.array(self.standardize(texts.astype(str)))
        kind = self.standardize or ""
        table = (LOWER if "lower" in kind else {}) | (UNPUNCTUATED if "strip" in kind else {})
        changed = np.empty(texts.size, object)
        changed[:] = [text.translate(table) for text in texts.reshape(-1)]
        return changed.reshape(texts.shape)

    def _split(self, texts: Array) -> list[list[str]]:
        if callable(self.split):
            return [[self.token(word) for word in row] for row in self.split(texts)]
        if self.split == "character":
            return [list(text) for text in texts]
        return [[word for word in SPACES.split(text) if word] for text in texts]

    def _together(self, words: list[str]) -> list[str]:
        """Return the words of one text joined by each number of them."""
        counts = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams or ()
        return [
            " ".join(words[start : start + count])
            for count in counts
            for start in range(len(words) - count + 1)
        ]

    def documents(self, batch: Any, in_batches: bool) -> Iterable[Sequence[Any]]:
        return self.words(self._listed(self.array(batch)))

    def _listed(self, texts: Array) -> Array:
        return texts if texts.ndim else texts.reshape(1)

    def look_up(self, tokens: Array) -> Array:
        rows = self.words(self._listed(tokens))
        longest = max(map(len, rows), default=0)
        width = self.output_sequence_length if self.output_mode == "int" else longest
        width = longest if width is None else width
        fill = 0 if self.output_mode == "int" else DROPPED
        numbers = np.full((len(rows), width), fill, np.int64)
        for row, words in zip(numbers, rows, strict=True):
            given = np.array(words[:width], object)
            row[: len(given)] = self.numbers(given)
        found = self.encoded(numbers)
        return found if tokens.ndim else found[0]

    def compute_output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if self.output_mode == "int":
            return (shape[0], self.output_sequence_length)
        return super().compute_output_shape((shape[0], None))

    def forward(self, ctx: Context, *inputs: Array, training: bool = False) -> Array:
        ctx.saved = inputs[0].shape
        return self.look_up(self.array(inputs[0])).astype(ctx.run.dtype)


def _function(value: Any, known: Sequence[Any], what: str, layer: str) -> Any:
    return value if callable(value) else one_of(value, known, what, layer)
