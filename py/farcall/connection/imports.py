"""Imported references: proxies of the peer's objects, by number, released when collected."""

from farcall import errors, messages, platform
from farcall.connection.streams import Flow, Stream
from farcall.proxies import remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from farcall.connection.channel import Channel
    from farcall.messages import Wire
    from farcall.proxies.remote import Connection, Reference


class Imports:
    """The imported references of one session.

    Args:
        channel: sends what was released, and has the limits.
        connection: what the proxies made here belong to.

    Attributes:
        held: number -> weak reference of the proxy, count, generation.
        awaited: stream -> the waiters for its next items.
    """

    def __init__(self, channel: "Channel", connection: "Connection") -> None:
        self._channel = channel
        self._connection = connection
        self.held: "dict[int, list[Any]]" = {}
        self.awaited: "dict[int, list[platform.Waiter]]" = {}
        self._generation = 0
        self._registry = platform.finalizers(self._collected)

    def arrived(self, wire: "list[Wire]") -> "remote.Remote":
        """The proxy of an object of the peer: always the same one for the same object."""
        _, number, kind, name = wire
        if type(number) is not int or number <= 0:
            raise ValueError(f"object id {number!r}")
        entry = self.held.get(number)
        proxy: "remote.Remote | None" = entry[0]() if entry is not None else None
        if entry is not None and proxy is not None:
            entry[1] += 1
            return proxy
        self._generation += 1
        generation = self._generation
        proxy = self._proxy(number, generation, str(kind), str(name))
        weak = platform.weak(proxy, lambda _: self._collected(number, generation))
        self.held[number] = [weak, (entry[1] if entry else 0) + 1, generation]
        return proxy

    def _proxy(self, number: "int", generation: "int", kind: "str", name: "str") -> "remote.Remote":
        ref = remote.Reference(self._connection, number)
        ref.kind, ref.name = kind, name
        if self._registry is not None:
            ref.token = platform.javascript.token(self._registry, number, generation)
        if kind != messages.KIND_STREAM:
            return remote.Remote(ref)
        ref.flow = Flow(self._channel, self.awaited, number, self._channel.limits["window"])
        return Stream(ref)

    def get(self, number: "object") -> "remote.Remote | None":
        """The live proxy of the peer's object under a number, or None."""
        entry = self.held.get(number)  # type: ignore[call-overload]
        return entry[0]() if entry is not None else None

    def _collected(self, number: "int", generation: "int") -> None:
        """A proxy was garbage-collected."""
        entry = self.held.get(number)
        if entry is not None and entry[2] == generation:
            self._free(number)

    def _free(self, number: "int") -> None:
        entry = self.held.pop(number, None)
        if entry is not None and self._channel.error is None:
            self._channel.send([messages.FREE, number, entry[1]])

    def release(self, ref: "Reference") -> None:
        """Give up the peer's object behind a proxy; calls under way still end."""
        if ref.released or ref.target <= 0 or ref.path:
            return
        ref.released = True
        if ref.flow is not None:
            ref.flow.leave(errors.ReleasedError(f"the stream {ref.name} was released"))
        self._free(ref.target)

    def streams(self) -> "list[Stream]":
        """The streams that this side consumes now."""
        found = [self.get(number) for number in list(self.held)]
        return [proxy for proxy in found if isinstance(proxy, Stream)]

    def clear(self) -> None:
        """Forget everything."""
        self.held.clear()
        self._registry = None
