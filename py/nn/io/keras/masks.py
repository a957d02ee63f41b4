"""Masks in the graphs of Keras 3.15: the operations that compute one are layers of the file, and
each layer that takes a mask names it.

Layers here hand masks on by themselves, so both are left out of what is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nn.io.errors import UnsupportedError
from nn.io.keras.read_config import COMPARING, handles

Json = dict[str, Any]
Source = tuple[Any, ...]
SHAPES = ("OnesLike", "ZerosLike")
"""Operations of which the file needs their input's shape alone."""


def left_out(layers: list[Any], outputs: Any) -> list[Any]:
    """Return the layers of a functional model without its masks.

    Args:
        layers: the settings of all layers; the calls of those that take a mask are changed.
        outputs: the model's `output_layers`.

    Raises:
        UnsupportedError: a layer takes another mask than an Embedding or a Masking before it makes.
    """
    graph = _Graph([item for item in layers if isinstance(item, dict)], outputs)
    graph.leave_out()
    return [i for i in layers if not (isinstance(i, dict) and _name(i) in graph.masks)]


class _Graph:
    """The layers of a functional model, by name.

    Attributes:
        masks: the operations whose results are masks, or become part of one.
    """

    def __init__(self, layers: list[Json], outputs: Any) -> None:
        self.layers = {_name(item): item for item in layers}
        self.masks = {n for n, item in self.layers.items() if handles(item)}
        others = [name for name in self.layers if name not in self.masks]
        others += self._not_of_a_mask(source[0] for source in _addresses(outputs))
        while others:
            others += self._not_of_a_mask(self._reads(others.pop()))

    def _not_of_a_mask(self, names: Iterable[str]) -> set[str]:
        """Strike out operations, as something else reads them; return which were struck out."""
        found = self.masks.intersection(names)
        self.masks -= found
        return found

    def _reads(self, name: str) -> Iterator[str]:
        """Yield what a layer reads for another purpose than a mask."""
        for call in _calls(self.layers[name]):
            kept = {key: value for key, value in _kwargs(call).items() if key != "mask"}
            yield from (source[0] for source in _sources([call.get("args"), kept]))

    def leave_out(self) -> None:
        """Leave each layer's mask out of its calls."""
        for name, item in self.layers.items():
            for call in _calls(item):
                given = [source[0] for source in _sources(_kwargs(call).get("mask"))]
                if not given or not self.masks.issuperset(given):
                    continue
                if not self._compared(given) <= self._made(name):
                    raise UnsupportedError(
                        f"topology, layer {name!r}: expected the mask of an Embedding or a Masking "
                        f"before it, received that of {given[0]!r}"
                    )
                del call["kwargs"]["mask"]

    def _made(self, name: str) -> set[Any]:
        """Return what the masking layers before a layer compare, and with which number."""
        waiting, seen, made = [name], {name}, set[Any]()
        while waiting:
            item = self.layers.get(waiting.pop(), {})
            config = _part(item, "config", dict)
            number = 0 if config.get("mask_zero") else config.get("mask_value")
            for source in _read_by(item):
                if number is not None:
                    made.add((source, _plain(number)))
                if source[0] not in seen:
                    seen.add(source[0])
                    waiting.append(source[0])
        return made

    def _compared(self, names: list[str]) -> set[Any]:
        """Return what operations of a mask compare, and with which number, or read otherwise."""
        waiting, seen, found = list(names), set(names), set[Any]()
        while waiting:
            item = self.layers[waiting.pop()]
            kind = item.get("class_name")
            numbers = [args[1] for call in _calls(item) if (args := _part(call, "args", list))[1:]]
            for source in _read_by(item) if kind not in SHAPES else ():
                if source[0] not in self.masks:
                    number = numbers[0] if kind in COMPARING and numbers else None
                    found.add((source, _plain(number)))
                elif source[0] not in seen:
                    seen.add(source[0])
                    waiting.append(source[0])
        return found


def _read_by(item: Json) -> list[Source]:
    return [source for call in _calls(item) for source in _sources(call.get("args"))]


def _plain(number: Any) -> Any:
    return number if isinstance(number, int | float) else "no number"


def _part(item: Any, key: str, kind: type) -> Any:
    """Return a part of a document, or an empty one where it has another type: reading says so."""
    value = item.get(key) if isinstance(item, dict) else None
    return value if isinstance(value, kind) else kind()


def _name(item: Json) -> str:
    return str(item.get("name") or _part(item, "config", dict).get("name"))


def _calls(item: Json) -> list[Json]:
    return [call for call in _part(item, "inbound_nodes", list) if isinstance(call, dict)]


def _kwargs(call: Json) -> Json:
    found: Json = _part(call, "kwargs", dict)
    return found


def _sources(value: Any) -> Iterator[Source]:
    """Yield the tensors among a call's arguments: layer, call, output."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield from _addresses(_part(_part(value, "config", dict), "keras_history", list))
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _sources(inner)


def _addresses(value: Any) -> Iterator[Source]:
    """Yield each [layer, call, output] in lists or dicts of them."""
    if isinstance(value, list) and value and isinstance(value[0], str):
        yield tuple(part for part in value if isinstance(part, str | int))
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _addresses(inner)
