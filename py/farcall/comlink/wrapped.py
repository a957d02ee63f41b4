"""Objects of a Comlink peer: one port each, released when the last proxy is gone."""

from farcall import errors, platform
from farcall.comlink import frames, ports
from farcall.comlink.calls import Call, Calls
from farcall.comlink.gate import Gate
from farcall.comlink.realm import Options
from farcall.comlink.values import Incoming, received
from farcall.proxies import remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from farcall.comlink.ports import Port
    from farcall.comlink.realm import OnError, Realm, Servant
    from farcall.platform.buffers import Buffer
    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Reference, Remote, Value

# Every connection now, so that a test can show that nothing is left.
alive: "dict[int, Wrapped]" = {}


class Target:
    """The names of the target given to `wrap`, if it was given one."""

    def __init__(self, names: "Collection[str] | None") -> None:
        self._names = names

    def foresee(self, ref: "Reference", name: "str") -> None:
        """Refuse names that the target lacks."""
        if self._names is not None and not ref.path and name not in self._names:
            raise AttributeError(f"the target given to wrap() has no {name!r}")

    def names(self, ref: "Reference") -> "list[str]":
        """Names for dir()."""
        return [] if self._names is None or ref.path else sorted(self._names)


class Wrapped:
    """The connection of one proxy to its peer; what proxies call a Connection.

    Args:
        port: what it talks through.
        timeout: seconds after which a call raises TimeoutError; None waits.
        names: what the peer serves, if `wrap` was given it.
        on_error: called with exceptions of calls that were never awaited.
        limits: overrides of LIMITS.
        realm: the connections to this peer.

    Attributes:
        name: what the peer is called in errors' texts.
        error: why it ended, or None.
        children: arguments that the peer holds.
    """

    def __init__(
        self,
        port: "Port",
        timeout: "float | None",
        names: "Collection[str] | None",
        on_error: "OnError | None",
        limits: "dict[str, int] | None",
        realm: "Realm",
    ) -> None:
        self.name = "Comlink's peer"
        self.error: "BaseException | None" = None
        self.port = port
        self.realm = realm
        self.children: "list[Servant]" = []
        self._timeout = timeout
        target = Target(names)
        self.foresee, self.names = target.foresee, target.names
        self._options = Options(None, True, limits, on_error)
        self._policy = Gate({})
        self._calls = Calls(port, self._serve, timeout, self._options)
        self.drop = self._calls.drop
        self._heard = False
        self._number = frames.number()
        alive[self._number] = self
        realm.members[self._number] = self
        port.listen(frames.REPLIES, self._on_frame, self._on_broken, self._on_gone)

    def root(self) -> "remote.Remote":
        """The proxy whose life is the connection's: when it is collected, the peer is released."""
        reference = remote.Reference(self, 0)
        number = self._number
        if _registry is not None:
            reference.token = platform.javascript.token(_registry, number, 0)
        proxy: "remote.Remote" = remote.Remote(reference)
        self._root = platform.weak(proxy, lambda _: _collected(number, 0))
        return proxy

    # -- what proxies ask for

    def call(
        self,
        proxy: "Remote",
        args: "tuple[Value, ...]",
        kwargs: "dict[str, Value]",
        kind: "str" = frames.APPLY,
    ) -> "remote.Call":
        """Send a call, or construct a class; keyword arguments travel as a trailing object."""
        values = list(args) + [dict(kwargs)] if kwargs else list(args)
        return self._calls.request(kind, proxy, values, bool(kwargs))

    def read(self, proxy: "Remote") -> "remote.Call":
        """Ask for the value at the end of a path."""
        return self._calls.request(frames.GET, proxy)

    def assign(self, proxy: "Remote", value: "Value") -> "remote.Call":
        """Send an assignment, in order with calls."""
        return self._calls.request(frames.SET, proxy, [value])

    def endpoint(self, proxy: "Remote") -> "remote.Call":
        """Ask for a second port to the same object."""
        return self._calls.request(frames.ENDPOINT, proxy)

    def remove(self, proxy: "Remote") -> "remote.Call":
        """Comlink cannot delete."""
        raise TypeError("Comlink has no message for `del`")

    def operate(self, proxy: "Remote", name: "str", args: "tuple[Value, ...]") -> "Any":
        """`async with` releases at its end; nothing else has a message in Comlink."""
        if name == "enter":
            return _given((False, proxy))
        raise TypeError(f"Comlink has no message for the operation {name!r}: call a function")

    def iterate(self, proxy: "Remote") -> "Any":
        """Comlink has no streams."""
        raise TypeError("Comlink has no streams: pass a callback that takes the items")

    def release(self, ref: "Reference") -> "platform.Waiter":
        """Give up the peer's object. Calls under way raise ReleasedError."""
        if ref.path:
            raise TypeError(f"{ref.text()} is a path: release what wrap() or a call gave")
        ref.released = True
        return self.leave(errors.ReleasedError("the proxy was released"))

    # -- arguments

    def _serve(self, value: "Value") -> "JavaScript":
        """The far end of a new channel that serves an argument to the peer."""
        near, far = self.port.channel()
        child = self.realm.expose(value, near, self._options, Gate(value, self._policy))
        self.children = [c for c in self.children if c.is_open()]
        self.children.append(child)
        return far

    # -- replies

    def _on_frame(
        self, text: "str", buffers: "list[Buffer]", refs: "list[JavaScript]", origin: "str"
    ) -> None:
        try:
            frame = Incoming().frame(text, buffers, refs)
        except errors.ProtocolError as exc:
            self._calls.undecodable(exc)
            return
        if frame.get("type") not in frames.REPLIES:
            return
        number = frame.get("id")
        waiter = self._calls.take(number) if isinstance(number, str) else None
        if not isinstance(waiter, Call):
            self._stray(frame)
            return
        self._heard = True
        try:
            value = received(frame, self._adopt)
            if waiter.kind == frames.ENDPOINT:
                ports.remember(value, self.realm.number)
        except BaseException as exc:
            self._calls.settle(waiter, None, exc)
        else:
            self._calls.settle(waiter, value)
        self._calls.wake()

    def _stray(self, frame: "dict[str, Any]") -> None:
        """Handle an unexpected reply (forged, duplicate or late): release what it carries."""
        port = frame.get("value")
        if frame.get("name") == "proxy" and ports.is_port(port):
            ref = self._adopt(port)._farcall
            ref.connection.release(ref)

    def _adopt(self, port: "Value") -> "remote.Remote":
        return self.realm.adopt(port, self._options.on_error, self._timeout)

    def _on_broken(self, number: "str", kind: "str", why: "str", memory: "bool" = False) -> None:
        refused: "type[Exception]" = MemoryError if memory else errors.ProtocolError
        error = refused(f"the peer's message was refused: {why}")
        if not self._calls.fail(number, error):
            self.fail_all(error)

    def _on_gone(self, why: "str", all_of_it: "bool" = False) -> None:
        """Worker error or port close: fail all pending calls, no reply can be relied on."""
        if self._heard:
            error: "Exception" = errors.WorkerDiedError(f"the peer failed: {why}")
        else:
            error = errors.WorkerBootError(f"the peer never answered: {why}")
        if all_of_it:
            self.realm.fail(error)
        else:
            self.fail_all(error)

    def fail_all(self, error: "Exception") -> None:
        """End every pending call; later ones may still be answered."""
        self._calls.fail_all(error)
        self._calls.wake()

    # -- the end

    def leave(self, error: "Exception") -> "platform.Waiter":
        """Tell the peer that its object is not needed, and end; pending calls raise `error`."""
        if self.error is None:
            self._calls.tell(frames.RELEASE)
            self.close(error)
        waiter = platform.Waiter()
        waiter.settle(None)
        return waiter

    def close(self, error: "Exception | None" = None) -> None:
        """End it without a word to the peer: pending calls raise `error`."""
        if self.error is not None:
            return
        self.error = error or errors.SessionClosedError("the connection was closed")
        self._calls.ended = self.error
        del alive[self._number]
        del self.realm.members[self._number]
        self._calls.fail_all(self.error)
        if not isinstance(self.error, errors.ReleasedError):
            for child in self.children:
                child.close()
        self.port.close()
        self._calls.wake_soon()

    def statistics(self) -> "dict[str, int]":
        """Calls without a reply, and arguments that the peer still holds."""
        held = [c for c in self.children if c.is_open()]
        return {"pending": len(self._calls.pending), "exports": len(held)}


async def _given(value: "Value") -> "Value":
    return value


def _collected(number: "int", generation: "int") -> None:
    connection = alive.get(number)
    if connection is not None:
        connection.leave(errors.ReleasedError("the proxy was collected"))


_registry = platform.finalizers(_collected)


def adopted(
    port: "Value", on_error: "OnError | None", timeout: "float | None", realm: "Realm"
) -> "remote.Remote":
    """The proxy of what a port serves."""
    if not ports.is_port(port):
        raise errors.ProtocolError(f"expected a port, received a {type(port).__name__}")
    return Wrapped(ports.port_of(port), timeout, None, on_error, None, realm).root()
