"""Vocabularies that a `.keras` file has apart from its configuration.

Keras writes those of layers that were adapted to data as `assets/<path>/vocabulary.txt`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nn.identifiers import snake_case
from nn.io.archive import Archive
from nn.io.errors import CorruptError
from nn.registry import models as MODELS

LOOKUPS = ("IntegerLookup", "StringLookup", "TextVectorization")
Json = dict[str, Any]


def fill(topology: Json, archive: Archive, weights: Callable[[], Mapping[str, Any]]) -> None:
    """Add the vocabularies of an archive to a configuration in the engine's form.

    Args:
        topology: ``{"class_name", "config"}`` of a model.
        archive: the file.
        weights: returns the arrays of the file by path, which have `idf_weights`.

    Raises:
        CorruptError: a vocabulary is not text.
    """
    for path, config in _lookups(topology, ""):
        member = f"assets/{path}/vocabulary.txt"
        if config.get("vocabulary") is not None or member not in archive:
            continue
        try:
            # `splitlines`, with which Keras reads it, would also part words, as at U+2028.
            tokens = archive.read(member).decode().replace("\r\n", "\n").split("\n")
        except UnicodeDecodeError as error:
            raise CorruptError(f"{member}: expected UTF-8, received {error}") from error
        while tokens and not tokens[-1]:
            tokens.pop()
        config["vocabulary"] = tokens
        if config.get("output_mode") == "tf_idf":
            config["idf_weights"] = weights().get(f"{path}/vars/idf_weights")


def _lookups(model: Json, prefix: str) -> Iterator[tuple[str, Json]]:
    """Yield (path, settings) of the layers with vocabularies, with paths as Keras names them."""
    used: dict[str, int] = {}
    for item in model["config"]["layers"]:
        kind, config = item["class_name"], item["config"]
        name = "functional" if kind == "Model" else snake_case(kind)
        used[name] = used.get(name, -1) + 1
        path = f"{prefix}layers/{name}_{used[name]}" if used[name] else f"{prefix}layers/{name}"
        if kind in MODELS:
            yield from _lookups(item, f"{path}/")
        elif kind in LOOKUPS:
            yield path, config
