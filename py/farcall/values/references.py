"""The interface for values that go by reference: what the codec asks of a session."""

from farcall import errors, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from farcall.messages import Wire

    Value = Any  # a value of the user's program


class Ref:
    """Marks a value to cross by reference."""

    def __init__(self, value: "Value") -> None:
        self.value = value


def ref(value: "Value") -> "Ref":
    """Send `value` by reference, though its type would be copied."""
    return Ref(value)


class References:
    """What the codec needs from a session for values that go by reference."""

    def export(self, value: "Value", depth: "int" = 0) -> "list[Wire]":
        """Wire form of an object of this side."""
        raise TypeError(f"a {type(value).__name__} can only cross in a session")

    def export_function(self, value: "Value", depth: "int" = 0) -> "list[Wire]":
        """Wire form of a plain function of this side."""
        return self.export(value)

    def outgoing(self, value: "Value") -> "list[Wire] | None":
        """Wire form of a proxy or an un-awaited call; None if it is neither."""
        return None

    def later(self, coroutine: "Any", wire: "list[Wire]") -> None:
        """Have `wire` filled with what an asynchronous `encode` gives, before it is sent."""
        coroutine.close()
        raise TypeError("an asynchronous encode can only be awaited in a session")

    def mark(self) -> "Any":
        """Where an attempt to encode a value begins."""

    def undo(self, mark: "Any") -> None:
        """Take back what was exported since `mark`: the value is encoded in another way."""

    def arrived(self, wire: "list[Wire]") -> "Value":
        """The proxy for an object of the peer."""
        raise errors.ProtocolError(f"a reference outside a session: {wire!r}")

    def abandon(self, wires: "Wire") -> None:
        """Take over the references of a value that could not be decoded."""

    def home(self, wire: "list[Wire]") -> "Value":
        """The object of this side that came back."""
        raise errors.ProtocolError(f"a reference outside a session: {wire!r}")

    def promise(self, wire: "list[Wire]") -> "Value":
        """The result of a call made earlier."""
        raise errors.ProtocolError(f"a promise outside a session: {wire!r}")


_REFERENCES = (messages.OBJECT, messages.HOME, messages.PROMISE)
_LEAVES = (messages.NODE, messages.ARRAY, messages.EXCEPTION)  # no references in them


def referring(wires: "list[Wire]") -> "Iterator[list[Wire]]":
    """The references in wire forms, at any depth; also those in the keys of their paths."""
    todo = list(wires)
    while todo:
        wire = todo.pop()
        if type(wire) is dict:
            todo.extend(wire.values())
        if type(wire) is not list or not wire:
            continue
        tag = wire[0]
        if tag in _REFERENCES and len(wire) > 1:
            yield wire
            if len(wire) > 2 and type(wire[2]) is list:
                todo.extend([step[0] for step in wire[2] if type(step) is list and step])
        elif tag not in _LEAVES:
            todo.extend(wire)
