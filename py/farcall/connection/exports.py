"""Exported objects: those of this side that the peer holds, by number.

An object is exported under a number for as long as the peer holds it; each time it crosses
counts once more. The peer's `free` says how many of those are over: a release that crosses a
new export on its way cannot take it away.
"""

from farcall import errors, messages, platform
from farcall.connection.parts import nodes
from farcall.connection.producers import Producer, is_stream
from farcall.values.references import Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.connection.channel import Channel
    from farcall.connection.encoding import Encoding
    from farcall.messages import Buffers, Frame, Wire
    from farcall.proxies.remote import Value


# Types of bound methods; those of `list.append` and of MicroPython included.
_BOUND = ("method", "bound_method", "builtin_function_or_method", "method-wrapper")


class Export:
    """An object of this side that the peer holds `count` times."""

    def __init__(self, value: "Value", key: "object", source: "Value") -> None:
        self.value = value
        self.key = key
        self.source = source  # kept: what is freed gives its id, which is the key, to another
        self.count = 0


class Exports:
    """The exported objects of one session.

    Args:
        channel: has the limits; sends what an exported generator gives.
        encoding: the encoding that exports.
        admit: raises for what may not be exported.

    Attributes:
        held: what the peer holds.
    """

    def __init__(
        self, channel: "Channel", encoding: "Encoding", admit: "Callable[[Value], object]"
    ) -> None:
        self._channel = channel
        self._encoding = encoding
        self._admit = admit
        self.held: "dict[int, Export]" = {}
        self._numbers: "dict[object, int]" = {}
        self._last = 0

    def function(self, value: "Any", depth: "int" = 0) -> "list[Wire]":
        """Wire form of a plain function: a short cut of `add` for callbacks."""
        number = self._numbers.get(id(value))
        if number is None:
            number = self._new(value, id(value), value)
        self.held[number].count += 1
        self._encoding.exports.append(number)
        return [messages.OBJECT, number, messages.KIND_FUNCTION, value.__name__]

    def add(self, value: "Any", depth: "int" = 0) -> "list[Wire]":
        """Wire form of an object of this side; counts one more holder."""
        if isinstance(value, Ref):
            value = value.value
        self._admit(value)
        if isinstance(value, platform.JsProxy):
            raise TypeError("a JavaScript object cannot cross: send the values you need of it")
        platform.refuse_unawaited(value)
        key = _identity(value)
        kind = _kind(value)
        number = self._numbers.get(key)
        if number is None:
            made = value
            if kind == messages.KIND_STREAM:
                made = Producer(self._channel, self._encoding, self._last + 1, value)
            number = self._new(made, key, value)
        self.held[number].count += 1
        self._encoding.exports.append(number)
        return [messages.OBJECT, number, kind, _name(value, kind)]

    def _new(self, value: "Value", key: "object", source: "Value") -> int:
        limit = self._channel.limits["exports"]
        if len(self.held) >= limit:
            raise errors.LimitError(f"the peer holds {limit} objects of this side")
        number = self._last = self._last + 1
        self.held[number] = Export(value, key, source)
        self._numbers[key] = number
        return number

    def take_back(self, number: "int") -> None:
        """Take back one export, of an encoding that failed."""
        self._drop(number, 1)

    def unsent(self, frame: "Frame") -> None:
        """Take back what a frame exported that was not sent; a stream it was of has ended."""
        for wire in nodes(frame):
            if wire[0] == messages.OBJECT:
                self.take_back(wire[1])
        export = self.held.get(frame[1]) if frame[0] == messages.ITEMS else None
        if export is not None:
            export.value.stop()

    def on_free(self, frame: "Frame", buffers: "Buffers") -> None:
        """Handle a `free` frame: the peer gives up an object."""
        _, number, count = frame
        export = self.held.get(number)
        if export is None or type(count) is not int or not 0 < count <= export.count:
            raise errors.ProtocolError(f"release of object {number!r}, {count!r} times")
        self._drop(number, count)

    def _drop(self, number: "int", count: "int") -> None:
        export = self.held[number]
        export.count -= count
        if not export.count:
            del self.held[number]
            self._numbers.pop(export.key, None)
            if _streams(export.value):
                export.value.stop()

    def get(self, number: "object") -> "Value":
        """The object of this side under a number.

        Raises:
            ReleasedError: there is none.
        """
        export = self.held.get(number) if type(number) is int else None
        if export is None:
            raise errors.ReleasedError(f"object {number!r} was released, or never sent")
        return export.value

    def holds(self, value: "Value") -> bool:
        """Whether the peer holds the very object."""
        export = self.held.get(self._numbers.get(id(value), 0))
        return export is not None and export.value is value

    def producers(self) -> "list[Producer]":
        """The streams that this side produces now."""
        return [e.value for e in self.held.values() if _streams(e.value)]

    def clear(self) -> None:
        """Forget everything; what streamed is stopped."""
        producers = self.producers()
        self.held.clear()
        self._numbers.clear()
        for producer in producers:
            producer.stop()


def _streams(value: "object") -> bool:
    """Whether a value is a stream's; `isinstance` asks some for a class that they have not."""
    return type(value) is Producer  # a weak reference whose object is gone, say


def _identity(value: "Any") -> "object":
    """Equal for the same object, and for bound methods of the same object.

    Every access makes a new one: obj.method is obj.method is False. They are equal, and have the
    same hash, if object and function are the same.
    """
    return value if type(value).__name__ in _BOUND else id(value)


def _kind(value: "object") -> str:
    if isinstance(value, type):
        return messages.KIND_CLASS
    if is_stream(value):
        return messages.KIND_STREAM
    if platform.MICROPYTHON and platform.is_awaitable(value):
        return messages.KIND_AWAITABLE  # or a generator
    return messages.KIND_FUNCTION if callable(value) else messages.KIND_OBJECT


def _name(value: "object", kind: "str") -> str:
    own = type(value).__name__
    if kind in (messages.KIND_FUNCTION, messages.KIND_CLASS):
        return getattr(value, "__name__", own)
    return own
