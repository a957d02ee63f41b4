"""How members of a team reach each other: calls, ports, shared memory.

In a browser arrays go from one Python's memory to another's by JavaScript alone (line.js).
"""

import json

from farcall import errors, platform
from farcall.proxies.operations import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Remote, Value

    Hear = Callable[[int, str, int, Value], object]

BLOCKED = 20
"""Milliseconds for which a member waits for shared memory before its event loop has a turn."""


class _Arrivals:
    """The terms of the arrays that came, in their order."""

    def __init__(self) -> None:
        self._terms: "list[int]" = []

    def arrived(self, term: "int") -> bool:
        """Whether an array of this term came; those of earlier ones are dropped."""
        terms = self._terms
        while terms and terms[0] < term:
            terms.pop(0)
            self._drop()
        return bool(terms) and terms[0] == term

    def _drop(self) -> None:
        """Forget the array that came first."""


class Calls(_Arrivals):
    """How to reach another member by farcall's calls: where there is no browser.

    Args:
        hear: its `hear`, called one way.
        place: the number of this member.
    """

    def __init__(self, hear: "Remote", place: "int") -> None:
        super().__init__()
        self._hear = hear
        self._place = place
        self._arrays: "list[Any]" = []

    def post(self, kind: "str", term: "int", content: "Value") -> None:
        """Send a value; one that has ended does not hear it, as at a port."""
        try:
            self._hear(self._place, kind, term, content)
        except errors.SessionClosedError:
            return  # who watches the session says so

    def put(self, term: "int", array: "Any") -> None:
        """Send an array to sum."""
        self.post("array", term, array)

    def keep(self, term: "int", array: "Any") -> None:
        """Keep an array that came until it is taken."""
        self._terms.append(term)
        self._arrays.append(array)

    def _drop(self) -> None:
        self._arrays.pop(0)

    def fetch(self, out: "Any") -> None:
        """Copy the array that came first."""
        self._terms.pop(0)
        out[...] = self._arrays.pop(0)

    def close(self) -> None:
        """The session is closed."""


class Line(_Arrivals):
    """How to reach another member over a port.

    Args:
        port: what it is at the other end of.
        peer: its number.
        hear: called with it, and the kind, term and content of each message.
        came: called when an array to sum has come.
    """

    def __init__(
        self, port: "JavaScript", peer: "int", hear: "Hear", came: "Callable[[], object]"
    ) -> None:
        super().__init__()
        self._peer = peer
        self._heard, self._came = hear, came
        self._callbacks = [platform.callback(self._hear), platform.callback(self._keep)]
        self._line = _javascript().line(port, *self._callbacks)
        self._send, self._read = self._line.send, self._line.read
        self._put, self._fetch = self._line.put, self._line.fetch
        self._own, self._other = _Place(), _Place()

    def post(self, kind: "str", term: "int", content: "Value") -> None:
        """Send a value of dicts, lists, numbers, texts and NumPy arrays."""
        places = [0]
        text = json.dumps([kind, term, _packed(content, places)])
        self._send(text, *places)

    def put(self, term: "int", array: "Any") -> None:
        """Send an array to sum."""
        self._put(term, self._own.of(array), array.nbytes)

    def _keep(self, term: "int") -> None:
        self._terms.append(term)
        self._came()

    def _drop(self) -> None:
        self._line.drop()

    def fetch(self, out: "Any") -> None:
        """Copy the array that came first.

        Raises:
            ValueError: it has another size.
        """
        self._terms.pop(0)
        if not self._fetch(self._other.of(out), out.nbytes):
            raise ValueError(f"expected {out.nbytes} bytes of a member's array")

    def share(self, term: "int", memory: "JavaScript", most: "int", turn: "int") -> None:
        """Send shared memory, as a message of the kind "memory"."""
        self._line.share(json.dumps(["memory", term, [most, turn]]), memory)

    def _hear(self, text: "str") -> None:
        try:
            kind, term, content = json.loads(text)
            if kind == "memory":
                content = (self._line.shared(), *content)
            else:
                content = self._unpacked(content)
            self._heard(self._peer, kind, term, content)
        except Exception as exc:
            platform.report(platform.traceback_text(exc))

    def _unpacked(self, value: "Any") -> "Any":
        if isinstance(value, list):
            return [self._unpacked(x) for x in value]
        if not isinstance(value, dict):
            return value
        if "" not in value:
            return {key: self._unpacked(x) for key, x in value.items()}
        offset, dtype, shape = value[""]
        array = _numpy().empty(shape, dtype)
        if array.nbytes and not self._read(offset, _address(array), array.nbytes):
            raise ValueError(f"expected {array.nbytes} bytes for an array of a member's message")
        return array

    def close(self) -> None:
        """Hear nothing more."""
        self._line.close()
        callbacks, self._callbacks = self._callbacks, []
        platform.forget_later(callbacks)


class _Place:
    """The address of an array, kept as long as it is the same."""

    _array: "Any" = None
    _address = 0

    def of(self, array: "Any") -> int:
        if array is not self._array:
            self._array, self._address = array, _address(array)
        return self._address


def line_to(
    peer: "int", hear: "Remote", port: "JavaScript", own: "Hear", reduction: "Any"
) -> "Any":
    """How a member reaches another one: over a port, or else by calls of its `hear`."""
    if port is None:
        return Calls(options(hear, one_way=True), reduction.roster.place)
    return Line(port, peer, own, reduction.heard)


class Memory:
    """Memory that all members share.

    Args:
        shared: the memory, the bytes of the largest array, and the number of exchanges so far.
        place, count: the number of this member, and how many share.
    """

    def __init__(self, shared: "Any", place: "int", count: "int") -> None:
        memory, most, turn = shared
        self.most, self.turn = int(most), int(turn)
        self._meeting = _javascript().meeting(memory, place, count, self.most)
        self._came, self._meet = self._meeting.came, self._meeting.meet
        self._own, self._other = _Place(), _Place()

    def meet(self, array: "Any", part: "Any", others: "list[int]") -> bool:
        """Leave an array for the others, and begin an exchange; whether they have left theirs by
        now. `part` is then the array of the only other, if there is only one."""
        self.turn += 1
        places = self._own.of(array), array.nbytes, self._other.of(part)
        return bool(self._meet(self.turn, *places, BLOCKED, *others))

    def came(self, turn: "int", others: "Iterable[int]", most: "int" = BLOCKED) -> bool:
        """Whether the others have left theirs, now or within so many milliseconds."""
        return bool(self._came(turn, most, *others))

    def read(self, member: "int", out: "Any") -> None:
        """Copy another member's array."""
        self._meeting.read(member, self.turn, self._other.of(out), out.nbytes)


_made: "list[JavaScript]" = []


def _javascript() -> "JavaScript":
    """What line.js gives, made when it is first asked for."""
    if not _made:
        make = platform.evaluate(platform.beside(__file__, "line.js"))
        _made.append(make(platform.pyodide_module()))
    return _made[0]


def shared(count: "int", most: "int") -> "JavaScript":
    """Memory for arrays of so many members; None where the page is not isolated."""
    if not platform.PYODIDE or not _javascript().canShare():
        return None
    return _javascript().reserve(count, most)


def _numpy() -> "Any":
    import numpy

    return numpy


def _packed(value: "Any", places: "list[int]") -> "Any":
    """The value as JSON has it, a dict with the key "" for each array.

    Args:
        value: what is sent.
        places: the number of bytes so far; then offset, address and length of each array.
    """
    if isinstance(value, dict):
        return {key: _packed(x, places) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [_packed(x, places) for x in value]
    if not hasattr(value, "__array_interface__"):
        return value
    if not value.flags.c_contiguous:
        raise ValueError("expected a contiguous array")
    offset = places[0]
    places[0] += value.nbytes + -value.nbytes % 8
    places += [offset, _address(value), value.nbytes]
    return {"": [offset, value.dtype.str, value.shape]}


def _address(array: "Any") -> int:
    return int(array.__array_interface__["data"][0])
