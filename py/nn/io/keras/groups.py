"""Groups of a weights file: which is a layer's, and its arrays.

Keras 3 stores the name of its layer with each group. Where there is none, the groups of a class are
numbered in the order of the layers; Keras 2.12 and 2.13 count some twice: dense, dense_2, dense_4.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


class Groups:
    """The groups and arrays of a weights file.

    Args:
        arrays: the arrays by path.
        names: the name of the layer of each group, None if it has none.
    """

    def __init__(self, arrays: Mapping[str, Array], names: Mapping[str, Any]) -> None:
        self.arrays = {plain_path(path): array for path, array in arrays.items()}
        self._paths = sorted(self.arrays)
        self._named: dict[tuple[str, str], str] = {}
        numbered: dict[str, list[tuple[int, str]]] = {}
        for path, name in names.items():
            group = plain_path(path)
            kind, number = _numbered(group)
            numbered.setdefault(kind, []).append((number, group))
            owner = group.removesuffix("/vars")
            if owner != group and isinstance(name, str):
                self._named.setdefault((owner.rpartition("/")[0], name), owner)
        self._ordered = {kind: [g for _, g in sorted(found)] for kind, found in numbered.items()}

    def of(self, path: str, name: str) -> str:
        """Return the group of a layer.

        Args:
            path: where Keras 3 would put it: "layers/dense_1".
            name: the layer's name.
        """
        found = self._named.get((path.rpartition("/")[0], name))
        return found or self._at(path)

    def _at(self, path: str) -> str:
        place = ""
        for step in path.split("/"):
            kind, index = _numbered(f"{place}{step}")
            found = self._ordered.get(kind, [])
            place = f"{found[index] if index < len(found) else f'{place}{step}'}/"
        return place[:-1]

    def inside(self, group: str) -> list[Array]:
        """Return the arrays of a group: its own in order, then those of the groups in it."""
        start = bisect_left(self._paths, f"{group}/")
        found = []
        while start < len(self._paths) and self._paths[start].startswith(f"{group}/"):
            found.append(self._paths[start])
            start += 1
        own = {path for path in found if path.startswith(f"{group}/vars/")}
        rest = [path for path in found if path not in own and "seed_generator" not in path]
        return [self.arrays[path] for path in [*sorted(own, key=_order), *sorted(rest, key=_order)]]


def plain_path(path: str) -> str:
    """Return a path as Keras 3 writes it; Keras 2.12 and 2.13 call the layers otherwise.

    On Windows they put backslashes between the parts.
    """
    parts = path.replace("\\", "/").split("/")
    return "/".join(
        "layers" if part == "_layer_checkpoint_dependencies" else part for part in parts
    )


def _numbered(group: str) -> tuple[str, int]:
    """Return a group's path without the number at its end, and the number, 0 if it has none."""
    kind, _, number = group.rpartition("_")
    return (kind, int(number)) if number.isdecimal() and len(number) < 10 else (group, 0)


def _order(path: str) -> tuple[str, int, str]:
    group, _, number = path.rpartition("/")
    return group, int(number) if number.isdecimal() and len(number) < 10 else -1, number
