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
    from collections.abc import Callable
    from typing import Any

    from farcall.messages import Wire

    Parts = list[Any] | dict[str, Any]
    Split = Callable[[Any], "tuple[list[Wire], Parts] | None"]

NODES = 1_000_000  # containers and instances in one value
KEY_PARTS = 100_000  # of the keys of a message that has graphs, each counted as often as it is met


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


def few(value: "Any", split: "Split", most: "int") -> bool:
    """Whether a value has no more than so many parts with parts of their own."""
    found: "dict[int, Any]" = {}
    todo = [value]
    while todo and len(found) <= most:
        part = todo.pop()
        inner = None if id(part) in found else split(part)
        if inner is not None:
            found[id(part)] = part  # held: its id is not given to another meanwhile
            todo.extend(inner[1].values() if isinstance(inner[1], dict) else inner[1])
    return len(found) <= most


class Keys:
    """What the keys of a message cost to hash: a tuple of tuples that are one is many to `hash`.

    Attributes:
        left: parts that the keys of this message may still have.
        refuse: refuses keys where the message brought an object of this side.
    """

    refuse: "Callable[[Any], object] | None" = None

    def __init__(self) -> None:
        self.left = KEY_PARTS
        self.shared = False

    def begin(self) -> None:
        """A message begins."""
        self.refuse = None
        if self.shared:
            self.left, self.shared = KEY_PARTS, False

    def light(self, keys: "Any") -> "Any":
        """The keys, if they are not too many when parts that they share count each time.

        Raises:
            LimitError: they are.
        """
        if self.refuse is not None:
            self.refuse(keys)
        todo = [key for key in keys if isinstance(key, tuple)] if self.shared else []
        while todo:
            key = todo.pop()
            self.left -= len(key)
            if self.left < 0:
                raise errors.LimitError(f"keys of more than {KEY_PARTS} parts")
            todo.extend([part for part in key if isinstance(part, tuple)])
        return keys


keys = Keys()  # messages are decoded one at a time


class Box:
    """Holds a node's value in a wire form: the text of an error shows none of its parts."""

    def __init__(self, value: "Any") -> None:
        self.value = value


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
        self._late: "list[int]" = []

    def decode(self, wire: "list[Wire]") -> "Any":
        """The value. A node is made when all of its parts are.

        In a circle containers are empty at first, and filled in the end. If that is not enough,
        so are instances of registered classes, whose constructors run in the end.

        Raises:
            ValueError: a circle of others: Python could not build it.
        """
        _, root, nodes = wire
        keys.shared = True
        for group in _Groups(nodes).found:
            if _is_circle(nodes, group):
                self._circle(nodes, group)
            else:
                self._make(nodes, group[0])
        # A dict or set may need the hash of an instance, an instance what is in a list.
        for rank in (0, 1, 2):
            for index in self._late:
                if _rank(self._made[index], nodes[index]) == rank:
                    self._fill(self._made[index], self._whole(nodes[index]))
        return self._decode(self._here(root))

    def _circle(self, nodes: "list[Wire]", group: "list[int]") -> None:
        """Make nodes that reach each other."""
        rest = group
        for instances in (False, True):
            left = []
            for index in rest:
                is_instance = nodes[index][0] == messages.DATACLASS
                value = self._empty(nodes[index]) if is_instance is instances else None
                if value is None:
                    left.append(index)
                else:
                    self._made[index] = value
                    self._late.append(index)
            rest = left
            order = _Groups(nodes, rest).found
            if not any(_is_circle(nodes, one) for one in order):
                for one in order:
                    self._make(nodes, one[0])
                return
        raise ValueError("a value that holds itself, which Python could not build")

    def _make(self, nodes: "list[Wire]", index: "int") -> None:
        self._made[index] = self._decode(self._whole(nodes[index]))

    def _whole(self, node: "list[Wire]") -> "list[Wire]":
        """A node with values in place of the nodes that it needs."""
        here = self._here
        return [
            {key: here(part) for key, part in item.items()} if type(item) is dict else here(item)
            for item in node
        ]

    def _here(self, part: "Wire") -> "Wire":
        if type(part) is list and part and part[0] == messages.NODE:
            return [messages.HERE, Box(self._made[part[1]])]
        return part


def _is_circle(nodes: "list[Wire]", group: "list[int]") -> bool:
    return len(group) > 1 or group[0] in _needs(nodes[group[0]], len(nodes))


def _rank(value: "Any", node: "list[Wire]") -> int:
    """When a node that was made empty is filled."""
    if node[0] == messages.DATACLASS:
        return 1
    return 2 if isinstance(value, (dict, set)) else 0


class _Groups:
    """Nodes that reach each other, group by group; a group behind those that it needs.

    Tarjan's algorithm, without recursion: a time linear in the number of references.
    """

    def __init__(self, nodes: "list[Wire]", among: "list[int] | None" = None) -> None:
        self.found: "list[list[int]]" = []
        self._nodes = nodes
        self._among = None if among is None else set(among)
        self._number: "dict[int, int]" = {}
        self._low: "dict[int, int]" = {}  # the first that a node reaches of those in no group
        self._reached: "list[int]" = []  # and in no group
        self._grouped: "set[int]" = set()
        for first in range(len(nodes)) if among is None else among:
            if first not in self._number:
                self._visit(first)

    def _begin(self, index: "int") -> "tuple[int, Any]":
        self._number[index] = self._low[index] = len(self._number)
        self._reached.append(index)
        return index, iter(_needs(self._nodes[index], len(self._nodes)))

    def _visit(self, first: "int") -> None:
        low, stack = self._low, [self._begin(first)]
        while stack:
            index, needs = stack[-1]
            need = next(needs, None)
            if need is None:
                stack.pop()
                self._end(index)
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[index])
            elif need in self._number:
                if need not in self._grouped:
                    low[index] = min(low[index], self._number[need])
            elif self._among is None or need in self._among:
                stack.append(self._begin(need))

    def _end(self, index: "int") -> None:
        if self._low[index] == self._number[index]:
            group: "list[int]" = []
            while not group or group[-1] != index:
                group.append(self._reached.pop())
            self._grouped.update(group)
            self.found.append(group)


def _needs(node: "list[Wire]", count: "int") -> "list[int]":
    """Numbers of the nodes that a node needs."""
    found = []
    for item in node:
        for part in item.values() if type(item) is dict else (item,):
            if type(part) is list and part and part[0] == messages.NODE:
                if type(part[1]) is not int or not 0 <= part[1] < count:
                    raise ValueError(f"node {part[1]!r} of {count}")
                found.append(part[1])
    return found


def short(value: "object", length: "int" = 200) -> str:
    """A value's repr for an error's text, cut where it is long."""
    try:
        text = repr(value)
    except Exception:  # nested too deep, or an instance without its fields yet
        text = f"a {type(value).__name__}"
    return text if len(text) <= length else text[:length] + "..."
