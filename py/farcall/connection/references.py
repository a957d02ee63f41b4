"""Who holds what: objects of this side that the peer holds, and the other way round.

An object is exported under a number for as long as the peer holds it; each time it crosses
counts once more. The peer's `free` says how many of those are over: a release that crosses a
renewed export on its way cannot take it away.
"""

from farcall import errors, messages, platform
from farcall.connection import streams
from farcall.proxies import remote
from farcall.values.codec import References

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Ref:
    """Marks a value to cross by reference."""

    def __init__(self, value: "Any") -> None:
        self.value = value


def ref(value: "Any") -> "Ref":
    """Send `value` by reference, though its type would be copied."""
    return Ref(value)


class Export:
    """An object of this side that the peer holds `count` times."""

    def __init__(self, value: "Any", key: "Any") -> None:
        self.value = value
        self.key = key
        self.count = 0


class Promised:
    """Stands in decoded arguments for the result of an earlier call, or the end of a path."""

    def __init__(self, session: "Any", source: "Any", path: "Any") -> None:
        self._session = session
        self._source = source
        self._path = path

    def value(self) -> "Any":
        """The result, or what the path leads to from it; raises the call's error."""
        owner = self._source
        if isinstance(owner, platform.Waiter):
            owner = owner.result()
        return self._session.policy.walk(owner, self._path, self._session.codec.decode)


def substituted(value: "Any") -> "Any":
    """`value` with results in place of what was promised."""
    if isinstance(value, Promised):
        return value.value()
    if type(value) is list:
        return [substituted(v) for v in value]
    if type(value) is tuple:
        return tuple([substituted(v) for v in value])
    if type(value) is dict:
        return {key: substituted(v) for key, v in value.items()}
    return value


class Tables(References):
    """The reference tables of one session."""

    def __init__(self, session: "Any") -> None:
        self._session = session
        self.exports: "dict[int, Export]" = {}
        self.imports: "dict[int, list[Any]]" = {}  # weak reference, count, generation
        self.dependencies: "list[int]" = []  # calls that the values being encoded build on
        self.attempted: "list[int]" = []  # exports of the encoding under way
        self._numbers: "dict[Any, int]" = {}
        self._last = 0
        self._generation = 0
        self._registry = platform.finalizers(self._collected)

    # -- objects of this side

    def export(self, value: "Any") -> "list[Any]":
        """Wire form of an object of this side; counts one more holder."""
        if isinstance(value, Ref):
            value = value.value
        self._session.policy.admit(value)
        if isinstance(value, platform.JsProxy):
            raise TypeError("a JavaScript object cannot cross: send the values you need of it")
        key = _identity(value)
        number = self._numbers.get(key)
        if number is None:
            number = self._new(value, key)
        self.exports[number].count += 1
        self.attempted.append(number)
        return [messages.OBJECT, number, _kind(value), _name(value)]

    def _new(self, value: "Any", key: "Any") -> int:
        limit = self._session.limits["exports"]
        if len(self.exports) >= limit:
            raise errors.LimitError(f"the peer holds {limit} objects of this side")
        number = self._last = self._last + 1
        if streams.is_stream(value):
            value = self._session.streams.producer(number, value)
        self.exports[number] = Export(value, key)
        self._numbers[key] = number
        return number

    def undo(self) -> None:
        """Take back the exports of an encoding that failed."""
        for number in self.attempted:
            self._drop(number, 1)

    def on_free(self, frame: "Any", buffers: "Any") -> None:
        """The peer gives up an object."""
        _, number, count = frame
        export = self.exports.get(number)
        if export is None or type(count) is not int or not 0 < count <= export.count:
            raise errors.ProtocolError(f"release of object {number!r}, {count!r} times")
        self._drop(number, count)

    def _drop(self, number: "int", count: "int") -> None:
        export = self.exports[number]
        export.count -= count
        if not export.count:
            del self.exports[number]
            self._numbers.pop(export.key, None)
            if isinstance(export.value, streams.Producer):
                export.value.stop()

    def export_of(self, number: "Any") -> "Any":
        """The object of this side under a number.

        Raises:
            ReleasedError: there is none.
        """
        export = self.exports.get(number) if type(number) is int else None
        if export is None:
            raise errors.ReleasedError(f"object {number!r} was released, or never sent")
        return export.value

    def home(self, wire: "list[Any]") -> "Any":
        """The object of this side that came back, or the promise of what a path leads to."""
        if len(wire) > 2:
            return Promised(self._session, self._session.serving.owner(wire[1]), wire[2])
        value = self.export_of(wire[1])
        return value.source if isinstance(value, streams.Producer) else value

    def promise(self, wire: "list[Any]") -> "Any":
        """Placeholder for the result of a call made earlier; `substituted` puts it in."""
        answer = self._session.serving.answer(wire[1])
        return Promised(self._session, answer, wire[2] if len(wire) > 2 else [])

    # -- objects of the peer

    def later(self, coroutine: "Any", wire: "list[Any]") -> None:
        """Have `wire` filled before it is sent."""
        self._session.waits.later(coroutine, wire)

    def outgoing(self, value: "Any") -> "list[Any] | None":
        """Wire form of a proxy of this session, or of a call on its way."""
        if not isinstance(value, remote.Remote):
            return None
        ref = value._farcall
        if ref.session is not self._session:
            return None  # another session's: exported as the object it is here
        remote.usable(ref)
        target = ref.target
        if target < 0:
            waiter = remote.holder(ref).waiter
            if waiter.done and not ref.path:
                wire: "list[Any]" = self._session.codec.encode(waiter.result())
                return wire
            target = self._session.calls.target(ref)
        kind, number = (messages.HOME, target) if target >= 0 else (messages.PROMISE, -target)
        if not ref.path:
            return [kind, number]
        self.dependencies.append(0)
        return [kind, number, self.path(ref.path)]

    def path(self, path: "Any") -> "list[Any]":
        """Wire form of a path."""
        encode = self._session.codec.encode
        return [p if type(p) is str else [encode(p[0])] for p in path]

    def arrived(self, wire: "list[Any]") -> "Any":
        """The proxy of an object of the peer: always the same one for the same object."""
        _, number, kind, name = wire
        if type(number) is not int or number <= 0:
            raise ValueError(f"object id {number!r}")
        entry = self.imports.get(number)
        proxy = entry[0]() if entry is not None else None
        if entry is not None and proxy is not None:
            entry[1] += 1
            return proxy
        self._generation += 1
        generation = self._generation
        proxy = self._proxy(number, generation, str(kind), str(name))
        weak = platform.weak(proxy, lambda _: self._collected(number, generation))
        self.imports[number] = [weak, (entry[1] if entry else 0) + 1, generation]
        return proxy

    def _proxy(self, number: "int", generation: "int", kind: "str", name: "str") -> "Any":
        ref = remote.Reference(self._session, number, kind=kind, name=name)
        if self._registry is not None:
            ref.token = platform.javascript.token(self._registry, number, generation)
        if kind == messages.KIND_STREAM:
            return self._session.streams.consumer(ref)
        return remote.Remote(ref)

    def import_of(self, number: "Any") -> "Any":
        """The live proxy of the peer's object under a number, or None."""
        entry = self.imports.get(number)
        return entry[0]() if entry is not None else None

    def _collected(self, number: "int", generation: "int") -> None:
        """A proxy was garbage-collected."""
        entry = self.imports.get(number)
        if entry is not None and entry[2] == generation:
            self._free(number)

    def _free(self, number: "int") -> None:
        entry = self.imports.pop(number, None)
        if entry is not None and self._session.error is None:
            self._session.send([messages.FREE, number, entry[1]])

    def release(self, ref: "Any") -> None:
        """Give up the peer's object behind a proxy; calls under way still end."""
        if ref.released or ref.target <= 0 or ref.path:
            return
        ref.released = True
        self._free(ref.target)

    def clear(self) -> None:
        """Forget everything; what streamed is stopped."""
        exports = list(self.exports.values())
        self.exports.clear()
        self.imports.clear()
        self._numbers.clear()
        self._registry = None
        for export in exports:
            if isinstance(export.value, streams.Producer):
                export.value.stop()


def _identity(value: "Any") -> "Any":
    """Equal for the same object, and for bound methods of the same object."""
    owner = getattr(value, "__self__", None) if type(value).__name__ == "method" else None
    if owner is not None:
        return (id(owner), id(value.__func__))
    return id(value)


def _kind(value: "Any") -> str:
    if isinstance(value, type):
        return messages.KIND_CLASS
    if streams.is_stream(value):
        return messages.KIND_STREAM
    return messages.KIND_FUNCTION if callable(value) else messages.KIND_OBJECT


def _name(value: "Any") -> str:
    if _kind(value) in (messages.KIND_FUNCTION, messages.KIND_CLASS):
        return getattr(value, "__name__", type(value).__name__)
    return type(value).__name__
