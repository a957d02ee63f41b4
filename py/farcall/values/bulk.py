"""Long texts and long containers: in buffers, apart from the header.

MicroPython's json takes a time quadratic in the length of a text, and a step of Python for each
item of a list is slow on both interpreters. So a text from LONG characters on is UTF-8 in a
buffer; a list from MANY items on comes in parts, each as JSON in a buffer where its items are
plain, and rows, which are dicts with the same keys or sequences of one length, go by columns: the
keys once, and no step for each value.

    >>> from farcall.values.codec import Codec
    >>> codec = Codec()
    >>> codec.encode([{"x": i, "y": True} for i in range(200)])
    ['+', 'l', ['T', 'd', ['l', 'x', 'y'], ['j', 0]]]
    >>> codec.encode("a" * 10_000)
    ['u', 1]
"""

from farcall import messages, platform
from farcall.platform import buffers as memory
from farcall.values.graphs import keys
from farcall.values.json_text import plain_dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.messages import Wire
    from farcall.platform.buffers import Buffer

    Encode = Callable[[Any, int], Wire]

LONG = 4096  # characters
MANY = 128  # items
NEVER = 2**30  # instead of these: everything stays in the text
PART = 4096  # values: what a MicroPython page takes in a few milliseconds
FIRST = 4  # columns with whose values a row is made
COLUMNS = 64  # wider rows are long lists themselves
_ATOMS = {str, int, float, bool, type(None)}
_ROWS: "dict[type, str]" = {dict: messages.DICT, list: messages.LIST, tuple: messages.TUPLE}


class Bulk:
    """Encodes long texts and containers into `buffers`; `encode` is for what else they hold."""

    def __init__(self, buffers: "list[Buffer]", encode: "Encode") -> None:
        self._buffers = buffers
        self._encode = encode

    def text(self, value: "str") -> "list[Wire]":
        """Wire form of a long text."""
        return self._attach(messages.TEXT, value)

    def parts(self, tag: "str", values: "list[Any]", depth: "int") -> "list[Wire]":
        """Wire form of the items of a container, whose tag is `tag`."""
        wire: "list[Wire]" = [messages.PARTS, tag]
        first = values[0]
        width = len(first) if type(first) in _ROWS and len(first) <= COLUMNS else 1
        step = PART // (width or 1)
        for start in range(0, len(values), step):
            wire.append(self._part(values[start : start + step], depth))
        return wire

    def _part(self, values: "list[Any]", depth: "int") -> "list[Wire]":
        kinds = set(map(type, values))
        kind = type(values[0])
        if len(kinds) > 1 or kind not in _ROWS:
            return self._items(values, kinds, depth)
        keys = _keys(values, kind)
        if keys is None:
            return self._items(values, kinds, depth)
        columns = [[row[key] for row in values] for key in keys]
        names = [messages.LIST] + (keys if kind is dict else [])
        return [messages.TABLE, _ROWS[kind], names, self._columns(columns, depth)]

    def _columns(self, columns: "list[list[Any]]", depth: "int") -> "list[Wire]":
        kinds = [set(map(type, column)) for column in columns]
        if all(k <= _ATOMS for k in kinds):
            wire = self._json(columns, columns)
            if wire is not None:
                return wire
        each = [self._items(column, k, depth) for column, k in zip(columns, kinds)]
        return [messages.LIST] + each  # type: ignore[operator]

    def _items(self, values: "list[Any]", kinds: "set[type]", depth: "int") -> "list[Wire]":
        if kinds <= _ATOMS:
            wire = self._json(values, [values])
            if wire is not None:
                return wire
        encode = self._encode
        return [messages.LIST] + [encode(value, depth) for value in values]

    def _json(self, value: "list[Any]", lists: "list[list[Any]]") -> "list[Wire] | None":
        """Wire form of lists of atoms; None where one is not what JSON can say, or is long."""
        text = plain_dumps(value, lists, LONG)
        return None if text is None else self._attach(messages.JSON, text)

    def _attach(self, tag: "str", text: "str") -> "list[Wire]":
        self._buffers.append(memory.from_text(text))
        return [tag, len(self._buffers) - 1]


def _keys(rows: "list[Any]", kind: "type") -> "list[Any] | None":
    """What all rows have in common: keys in their order, or indices; None where they differ."""
    width = len(rows[0])
    if not 0 < width <= COLUMNS or set(map(len, rows)) != {width}:
        return None
    if kind is not dict:
        return list(range(width))
    keys = list(rows[0])
    if any(type(key) is not str for key in keys):
        return None
    if platform.MICROPYTHON:  # whose dicts have no order
        same = all(key in row for row in rows for key in keys)
    else:
        same = len(set(map(tuple, rows))) == 1
    return keys if same else None


def table(wire: "list[Wire]", decode: "Callable[[Wire], Any]") -> "list[Any]":
    """The rows of a table's columns.

    Raises:
        ValueError: the columns are not of one length, or not as many as the keys.
    """
    _, tag, names, content = wire
    columns = decode(content)
    count = len(columns[0])
    if any(type(c) is not list or len(c) != count for c in columns):
        raise ValueError("columns of several lengths")
    if tag == messages.DICT:
        return _dicts(decode(names), columns)
    if tag not in (messages.LIST, messages.TUPLE):
        raise ValueError(f"rows of kind {tag!r}")
    rows: "list[Any]" = [[] for _ in columns[0]]
    for column in columns:
        for index in range(count):
            rows[index].append(column[index])
    return rows if tag == messages.LIST else list(map(tuple, rows))


def _dicts(names: "list[str]", columns: "list[list[Any]]") -> "list[Any]":
    if len(names) != len(columns) or any(type(name) is not str for name in names):
        raise ValueError(f"{len(columns)} columns of {names!r}")
    rows = _begun(names, columns)
    for name, column in zip(names[FIRST:], columns[FIRST:]):
        for index in range(len(rows)):  # MicroPython makes a tuple for each step of zip
            rows[index][name] = column[index]
    return rows


def _begun(names: "list[str]", columns: "list[list[Any]]") -> "list[Any]":
    """Dicts of the first columns: made with their items, in half the time of setting them."""
    if len(names) < FIRST:
        return _begun(names * FIRST, columns * FIRST)
    j, k, m, n = names[:FIRST]
    a, b, c, d = columns[:FIRST]
    return [{j: a[i], k: b[i], m: c[i], n: d[i]} for i in range(len(a))]


_KINDS: "dict[str, Callable[[list[Any]], Any]]" = {
    messages.LIST: lambda values: values,
    messages.TUPLE: tuple,
    messages.SET_: set,
    messages.FROZENSET: frozenset,
}


def container(tag: "str", lists: "list[list[Any]]") -> "Any":
    """A container of the items of lists."""
    made = lists[0][:0]
    for more in lists:
        if type(more) is not list:
            raise TypeError(f"a part of type {type(more).__name__}")
        made.extend(more)
    return _KINDS[tag](keys.light(made) if tag in (messages.SET_, messages.FROZENSET) else made)
