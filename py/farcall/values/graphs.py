"""Containers that hold themselves, share parts, or nest deeper than the codec recurses.

>>> from farcall.values.codec import Codec
>>> loop = []
>>> loop.append(loop)
>>> Codec().encode(loop)
['g', ['@', 0], [['l', ['@', 0]]]]
"""

from farcall import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.messages import Wire

    Container = list[Any] | dict[Any, Any] | set[Any] | tuple[Any, ...]

NODES = 1_000_000


class Graph:
    """Containers as numbered nodes: cycles, shared parts and any depth, without recursion."""

    def __init__(self, encode: "Callable[[Any, int], Wire]") -> None:
        self._encode = encode
        self._numbers: "dict[int, int]" = {}
        self._containers: "list[Container]" = []

    def encode(self, value: "object") -> "list[Wire]":
        """Wire form of a value whose lists, dicts and sets become nodes."""
        root = self._part(value)
        nodes: "list[Wire]" = []
        while len(nodes) < len(self._containers):  # grows while its parts are visited
            nodes.append(self._node(self._containers[len(nodes)]))
        return [messages.GRAPH, root, nodes]

    def _part(self, value: "Any") -> "Wire":
        if isinstance(value, (list, dict, set, tuple)) and type(value) in (list, dict, set, tuple):
            return [messages.NODE, self._number(value)]
        return self._encode(value, 0)

    def _number(self, value: "Container") -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._containers)
            self._containers.append(value)
            if number > NODES:
                raise ValueError(f"a value of more than {NODES} containers")
        return number

    def _node(self, value: "Container") -> "list[Wire]":
        if isinstance(value, dict):
            flat = [self._part(x) for pair in value.items() for x in pair]
            return [messages.DICT] + flat
        tags: "dict[type, str]" = {list: messages.LIST, tuple: messages.TUPLE, set: messages.SET_}
        tag = tags[type(value)]
        return [tag] + [self._part(x) for x in value]


class GraphReader:
    """The containers of a graph's nodes."""

    def __init__(self, decode: "Callable[[Wire], Any]") -> None:
        self._decode = decode

    def decode(self, wire: "list[Wire]") -> "Any":
        """The value: empty containers first, then their parts.

        Tuples cannot be filled later: they are made last to first, which is the order in which
        nothing is needed before it exists, unless a tuple holds itself through tuples only,
        which Python cannot build either.
        """
        _, root, nodes = wire
        made: "list[Any]" = [{"l": [], "d": {}, "s": set()}.get(n[0]) for n in nodes]
        for index in range(len(nodes) - 1, -1, -1):
            self._tuple(nodes, made, index)
        for node, container in zip(nodes, made):
            self._fill(container, node, made)
        return self._value(root, made)

    def _tuple(self, nodes: "list[Wire]", made: "list[Any]", index: "int") -> None:
        stack = [index]
        while stack:
            if len(stack) > len(nodes):
                raise ValueError("a tuple that holds itself")
            top = stack[-1]
            missing = [] if made[top] is not None else self._missing(nodes[top], made)
            if missing:
                stack.extend(missing)
                continue
            if made[top] is None:
                made[top] = tuple([self._value(part, made) for part in nodes[top][1:]])
            stack.pop()

    def _missing(self, node: "list[Wire]", made: "list[Any]") -> "list[int]":
        if node[0] != messages.TUPLE:
            raise ValueError(f"node {short(node)}")
        return [
            p[1]
            for p in node[1:]
            if type(p) is list and p[0] == messages.NODE and made[p[1]] is None
        ]

    def _fill(self, container: "Any", node: "list[Wire]", made: "list[Any]") -> None:
        if node[0] == messages.TUPLE:
            return
        parts = [self._value(part, made) for part in node[1:]]
        if node[0] == messages.LIST:
            container.extend(parts)
        elif node[0] == messages.SET_:
            container.update(parts)
        else:
            container.update(zip(parts[::2], parts[1::2]))

    def _value(self, part: "Wire", made: "list[Any]") -> "Any":
        if type(part) is list and part and part[0] == messages.NODE:
            if type(part[1]) is not int or not 0 <= part[1] < len(made):
                raise ValueError(f"node {part[1]!r} of {len(made)}")
            return made[part[1]]
        return self._decode(part)


def short(value: "object", length: "int" = 200) -> str:
    """A value's repr for an error's text, cut where it is long."""
    text = repr(value)
    return text if len(text) <= length else text[:length] + "..."
