"""Values that hold themselves, share parts, or nest deeper than the codec recurses.

>>> from farcall.values.codec import Codec
>>> loop = []
>>> loop.append(loop)
>>> Codec().encode(loop)
['g', ['@', 0], [['l', ['@', 0]]]]
"""

from farcall import errors, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from farcall.messages import Wire

    Parts = list[Any] | dict[str, Any]
    Split = Callable[[Any], "tuple[list[Wire], Parts] | None"]

NODES = 1_000_000  # containers and instances in one value


class Graph:
    """Values with parts as numbered nodes: cycles, shared parts and any depth, without recursion.

    Args:
        split: gives the head of a value's wire form and its parts, or None if it has none.
        encode: gives the wire form of a value without parts.
    """

    def __init__(self, split: "Split", encode: "Callable[[Any], Wire]") -> None:
        self._split = split
        self._encode = encode
        self._numbers: "dict[int, int]" = {}
        self._kept: "list[Any]" = []  # their ids are not given to others meanwhile
        self._found: "list[tuple[list[Wire], Parts]]" = []

    def encode(self, value: "object") -> "list[Wire]":
        """Wire form of a value.

        Raises:
            LimitError: it has more than NODES parts with parts of their own.
        """
        root = self._part(value)
        nodes: "list[Wire]" = []
        while len(nodes) < len(self._found):  # grows while its parts are visited
            head, parts = self._found[len(nodes)]
            if isinstance(parts, dict):
                nodes.append(head + [{key: self._part(part) for key, part in parts.items()}])
            else:
                nodes.append(head + [self._part(part) for part in parts])
        return [messages.GRAPH, root, nodes]

    def _part(self, value: "Any") -> "Wire":
        number = self._numbers.get(id(value))
        if number is None:
            found = self._split(value)
            if found is None:
                return self._encode(value)
            number = self._numbers[id(value)] = len(self._found)
            if number >= NODES:
                raise errors.LimitError(f"a value of more than {NODES} containers")
            self._kept.append(value)
            self._found.append(found)
        return [messages.NODE, number]


class GraphReader:
    """The values of a graph's nodes.

    Args:
        decode: gives the value of a wire form.
        empty: gives a value of a node's kind to be filled later, or None if it is made whole.
        fill: fills it with its parts.
    """

    def __init__(
        self,
        decode: "Callable[[Wire], Any]",
        empty: "Callable[[list[Wire]], Any]",
        fill: "Callable[[Any, list[Wire]], object]",
    ) -> None:
        self._decode = decode
        self._empty = empty
        self._fill = fill
        self._made: "dict[int, Any]" = {}

    def decode(self, wire: "list[Wire]") -> "Any":
        """The value. A node is made when all of its parts are.

        In a circle one of them is empty at first, and filled in the end: a container, or an
        instance of a registered class.

        Raises:
            ValueError: nothing in a circle can be empty at first: Python could not build it.
        """
        _, root, nodes = wire
        late: "list[int]" = []
        for index in range(len(nodes)):
            self._make(nodes, index, late)
        for whole in (False, True):  # a dict or set may need the hash of an instance
            for index in late:
                if isinstance(self._made[index], (dict, set)) is whole:
                    self._fill(self._made[index], self._whole(nodes[index]))
        return self._decode(self._here(root))

    def _make(self, nodes: "list[Wire]", first: "int", late: "list[int]") -> None:
        """Make a node and all that it needs, depth first."""
        made = self._made
        if first in made:
            return
        stack = [(first, _needs(nodes[first], len(nodes)))]
        under = {first: 0}  # in the making -> its place in the stack
        while stack:
            index, needs = stack[-1]
            need = next(needs, None)
            if need is None:
                stack.pop()
                del under[index]
                if index not in made:
                    made[index] = self._decode(self._whole(nodes[index]))
            elif need in under and need not in made:
                opened = self._open(nodes, [i for i, _ in stack[under[need] :]])
                late.append(opened)
                place = under[opened]
                while len(stack) > place:  # what is above it is made later
                    del under[stack.pop()[0]]
            elif need not in made:
                under[need] = len(stack)
                stack.append((need, _needs(nodes[need], len(nodes))))

    def _open(self, nodes: "list[Wire]", circle: "list[int]") -> int:
        """Make one node of a circle empty: a container rather than an instance."""
        for index in sorted(circle, key=lambda i: bool(nodes[i][0] == messages.DATACLASS)):
            value = self._empty(nodes[index])
            if value is not None:
                self._made[index] = value
                return index
        raise ValueError("a value that holds itself, which Python could not build")

    def _whole(self, node: "list[Wire]") -> "list[Wire]":
        """A node with values in place of the nodes that it needs."""
        here = self._here
        return [
            {key: here(part) for key, part in item.items()} if type(item) is dict else here(item)
            for item in node
        ]

    def _here(self, part: "Wire") -> "Wire":
        if type(part) is list and part and part[0] == messages.NODE:
            return [messages.HERE, self._made[part[1]]]
        return part


def _needs(node: "list[Wire]", count: "int") -> "Iterator[int]":
    """Numbers of the nodes that a node needs."""
    for item in node:
        for part in item.values() if type(item) is dict else (item,):
            if type(part) is list and part and part[0] == messages.NODE:
                if type(part[1]) is not int or not 0 <= part[1] < count:
                    raise ValueError(f"node {part[1]!r} of {count}")
                yield part[1]


def short(value: "object", length: "int" = 200) -> str:
    """A value's repr for an error's text, cut where it is long."""
    try:
        text = repr(value)
    except Exception:  # nested too deep, or an instance without its fields yet
        text = f"a {type(value).__name__}"
    return text if len(text) <= length else text[:length] + "..."
