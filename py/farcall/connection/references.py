"""Reference tables: what the codec asks of a session for values that go by reference.

Objects go out as exports (ours) and come in as imports (the peer's). An own object that comes back
is itself again; a proxy that goes out, and a call that was not awaited, are what they lead to.
"""

from farcall import errors, messages
from farcall.connection.encoding import Encoding
from farcall.connection.exports import Exports
from farcall.connection.imports import Imports
from farcall.connection.namespace import Namespace
from farcall.connection.operators import hashable
from farcall.connection.producers import Producer
from farcall.proxies import remote
from farcall.values.encoder import MARKS
from farcall.values.graphs import keys
from farcall.values.references import References, referring
from farcall.values.registered import Failure, cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.connection.answers import Answer, Answers
    from farcall.connection.channel import Channel
    from farcall.connection.policy import Policy
    from farcall.messages import Frame, Wire
    from farcall.proxies.remote import Connection, Reference, Value


class Held:
    """In a frame that waits: an object of this side or a call of the peer, whatever happens then.

    Attributes:
        value: the object.
        answer: the call, or None.
    """

    def __init__(self, value: "Value", answer: "Answer | None" = None) -> None:
        self.value = value
        self.answer = answer

    def result(self) -> "Value":
        """The object, or the call's result; raises its error."""
        return self.value if self.answer is None else self.answer.result()


class Tables(References):
    """The reference tables of one session.

    Args:
        channel: sends the session's frames.
        connection: what the proxies made here belong to.
        policy: decides what may be exported, and walks paths.
        answers: calls of the peer, whose results are targets too.
        later: has a wire form filled with what a coroutine gives, before it is sent.

    Attributes:
        exports: objects of this side.
        imports: objects of the peer.
        encoding: encodes for the session.
    """

    def __init__(
        self,
        channel: "Channel",
        connection: "Connection",
        policy: "Policy",
        answers: "Answers",
        later: "Callable[[Any, list[Wire]], object]",
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._answers = answers
        self._later = later
        self.imports = Imports(channel, connection)
        self.encoding = Encoding(channel.buffers, channel.emptied, self)
        self.exports = Exports(channel, self.encoding, policy.admit)
        self.encoding.unexport = self.exports.take_back
        policy.holds = self.exports.holds

    def owner(self, target: "object") -> "Value":
        """The object that a frame's target names.

        Raises:
            ReleasedError: there is none.
        """
        if target == messages.SERVED:
            return self._policy.root
        if type(target) is Held:
            return target.result()
        if type(target) is int and target < 0:
            return self._answers.get(-target).result()
        return self.exports.get(target)

    def walk(self, owner: "Value", path: "Wire") -> "Value":
        """The end of a path from `owner`, if the policy allows it."""
        return self._policy.walk(owner, path, self.encoding.codec.decode)

    def meant(self, value: "Value", wire: "list[Wire]") -> "Value":
        """What calls on a result mean."""
        value = value.value if type(value) in MARKS else value
        return self.exports.get(wire[1]) if wire[0] == messages.OBJECT else value

    # -- what the codec asks

    def export(self, value: "Value", depth: "int" = 0) -> "list[Wire]":
        """Wire form of an object of this side."""
        return self.exports.add(value)

    def export_function(self, value: "Value", depth: "int" = 0) -> "list[Wire]":
        """Wire form of a plain function of this side."""
        return self.exports.function(value)

    def mark(self) -> "tuple[int, int]":
        """Where an attempt to encode a value begins."""
        return len(self.encoding.exports), len(self.encoding.dependencies)

    def undo(self, mark: "tuple[int, int]") -> None:
        """Take back what was exported since `mark`."""
        self.encoding.undo(*mark)

    def arrived(self, wire: "list[Wire]") -> "remote.Remote":
        """The proxy of an object of the peer. Its wire form is used up."""
        proxy = self.imports.arrived(wire)
        del wire[1:]  # `abandon` leaves it out
        return proxy

    def later(self, coroutine: "Any", wire: "list[Wire]") -> None:
        """Have `wire` filled before it is sent."""
        self._later(coroutine, wire)

    def home(self, wire: "list[Wire]") -> "Value":
        """The object of this side that came back, or what a path leads to from it."""
        keys.refuse = hashable
        if len(wire) > 2:
            return self._reached(wire)
        held = wire[1]
        if held == messages.SERVED:
            root = self._policy.root
            return root.items if type(root) is Namespace else root
        value = held.value if type(held) is Held else self.exports.get(held)
        return _own(value)

    def promise(self, wire: "list[Wire]") -> "Value":
        """The result of a call made earlier, or what a path leads to from it."""
        keys.refuse = hashable
        held = wire[1]
        answer = held.answer if type(held) is Held else self._answers.get(held)
        if answer is None or not answer.done:
            raise errors.ProtocolError(f"call {held!r} has not ended")
        return self._reached([wire[0], Held(None, answer)] + wire[2:])

    def _reached(self, wire: "list[Wire]") -> "Value":
        try:
            return _own(self.walk(self.owner(wire[1]), wire[2] if len(wire) > 2 else []))
        except BaseException as exc:  # of an earlier call, or of a path: its caller's all the same
            raise Failure(cause(exc)) from None

    def keep(self, frame: "Frame") -> None:
        """Note now what a frame refers to: what it leads to may be given up before it is used.

        Raises:
            ReleasedError: an object was already.
            ProtocolError: a call is not known.
        """
        path = [step[0] for step in frame[3] if type(step) is list and step]
        found = list(referring(path + list(frame[4:6])))
        for wire in found:
            if wire[0] == messages.OBJECT:
                wire[:] = [messages.HERE, self.imports.arrived(wire)]
        for wire in found:
            if wire[0] == messages.PROMISE:
                wire[1] = Held(None, self._answers.get(wire[1]))
            elif wire[0] == messages.HOME and wire[1] != messages.SERVED:
                wire[1] = Held(self.exports.get(wire[1]))
        target = frame[2]
        if target != messages.SERVED:
            call = type(target) is int and target < 0
            held = (None, self._answers.get(-target)) if call else (self.exports.get(target), None)
            frame[2] = Held(*held)

    def abandon(self, wires: "Wire") -> None:
        """Have the proxies of a value that could not be decoded, so that they can be released."""
        for wire in referring([wires]):
            if wire[0] == messages.OBJECT:
                try:
                    self.arrived(wire)
                except Exception:
                    continue  # it is no reference

    def outgoing(self, value: "Value") -> "list[Wire] | None":
        """Wire form of a proxy of this session, or of a call on its way."""
        if not isinstance(value, remote.Remote):
            return None
        ref = value._farcall
        if ref.connection is not self._connection:
            return None  # another session's: exported as the object it is here
        remote.usable(ref)
        target = ref.target
        if target < 0:
            waiter = remote.holder(ref).waiter
            if waiter.done and not ref.path:
                wire: "list[Wire]" = self.encoding.codec.encode(waiter.result())
                return wire
            target = self.target(ref)
        kind, number = (messages.HOME, target) if target >= 0 else (messages.PROMISE, -target)
        if not ref.path:
            return [kind, number]
        self.encoding.dependencies.append(0)
        return [kind, number, self.path(ref)]

    def path(self, ref: "Reference") -> "list[Wire]":
        """Wire form of a reference's path."""
        if ref.named:
            return list(ref.path)
        encode = self.encoding.codec.encode
        return [p if isinstance(p, str) else [encode(p[0])] for p in ref.path]

    def target(self, ref: "Reference") -> int:
        """The wire's target of a call's result; the result itself once it is here.

        Raises:
            TypeError: the call gave a plain value.
        """
        waiter = remote.holder(ref).waiter
        if waiter is None:
            return ref.target
        if waiter.done and waiter.error is None and isinstance(waiter.value, remote.Remote):
            inner = waiter.value._farcall
            if inner.connection is self._connection and not inner.path:
                remote.usable(inner)
                return inner.target
        if waiter.done:
            raise TypeError(f"the call gave {waiter.result()!r}: await it and use that")
        waiter.retrieved = True  # its error, if any, comes back from what is built on it
        self.encoding.dependencies.append(-ref.target)
        return ref.target

    def clear(self) -> None:
        """Forget everything; what streamed is stopped."""
        self.exports.clear()
        self.imports.clear()


def _own(value: "Value") -> "Value":
    """An object of this side as this side has it: of a stream the generator."""
    if not isinstance(value, Producer):
        return value
    value.taken = True
    return value.source
