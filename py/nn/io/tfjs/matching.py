"""Names of weights in layers-models, which differ between converters.

TensorFlow.js writes "lstm/kernel". TensorFlow since 2.2 adds the cell, "lstm/lstm_cell/kernel",
Keras 3 the models around the layer, "sequential/lstm/kernel", and some files the suffix ":0".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TypeVar

T = TypeVar("T")

_ALIASES = {"kernel": "depthwise_kernel", "depthwise_kernel": "kernel"}
_MOST = 8  # parts of a name: each subset of them is tried


def rename(arrays: Mapping[str, T], wanted: Mapping[str, object]) -> dict[str, T]:
    """Return the arrays by the wanted names, where a name with some parts left out is one.

    A name that is wanted, or for which there is no match, or a match for two names, stays.
    """
    free = {name for name in wanted if name not in arrays}
    matches: dict[str, list[str]] = {}
    for name in arrays:
        if name not in wanted:
            found = next((short for short in _shorter(name) if short in free), name)
            matches.setdefault(found, []).append(name)
    new = {names[0]: short for short, names in matches.items() if len(names) == 1}
    return {new.get(name, name): array for name, array in arrays.items()}


def _shorter(name: str) -> Iterator[str]:
    """Yield the names with parts before the last left out, the longest first."""
    *folders, last = name.removesuffix(":0").split("/")
    if len(folders) >= _MOST:
        return
    for count in range(len(folders), 0, -1):
        for kept in combinations(folders, count):
            for end in (last, _ALIASES.get(last, last)):
                yield "/".join([*kept, end])
