"""All connections that lead to one Comlink peer, and how they make more of each other.

An argument of a wrapped object may be exposed to the peer, and an argument of an exposed object
may be wrapped here: each needs the other. The realm knows how to make both, so that neither
module imports the other.
"""

from farcall import platform
from farcall.comlink import frames
from farcall.comlink.frames import number
from farcall.limits import overridden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from farcall.comlink.gate import Gate
    from farcall.comlink.ports import Port
    from farcall.proxies.remote import Remote, Value

    class Member(Protocol):
        """The connection of one proxy of the peer's objects."""

        def fail_all(self, error: "Exception") -> None: ...
        def close(self, error: "Exception | None" = None) -> None: ...

    class Servant(Protocol):
        """The connection of one object of this side that the peer holds."""

        def is_open(self) -> bool: ...
        def close(self) -> None: ...

    OnError = Callable[[BaseException], object]
    Adopt = Callable[[Value, OnError | None, float | None, "Realm"], Remote]
    Expose = Callable[[Value, Port, "Options", Gate, "Realm"], Servant]


class Options:
    """What an exposed object hands on to those that are reached through it.

    Args:
        origins: the only origins that are answered; None for all.
        traceback: whether errors carry their traceback to the peer.
        limits: overrides of LIMITS.
        on_error: called with exceptions that no caller can get.
    """

    def __init__(
        self,
        origins: "Iterable[str] | None",
        traceback: "bool",
        limits: "dict[str, int] | None",
        on_error: "OnError | None",
    ) -> None:
        if isinstance(origins, str):
            raise TypeError(f"origins: expected a tuple of texts, received {origins!r}")
        self.origins = None if origins is None else tuple(origins)
        self.traceback = traceback
        self.limits = overridden(frames.LIMITS, limits)
        self.on_error = on_error

    def complain(self, error: "BaseException", whence: "str" = "") -> None:
        """Hand an error that no caller can get to `on_error`, or print it."""
        try:
            if self.on_error is not None:
                self.on_error(error)
            else:
                text = f"{error}, {whence}" if whence else str(error)
                platform.report(f"farcall.comlink: {type(error).__name__}: {text}")
        except BaseException as exc:
            platform.report(f"farcall.comlink: on_error failed: {platform.traceback_text(exc)}")


class Realm:
    """The connections to one peer: each proxy has its own port, but all end together.

    A port does not say that its far end died (measured: Chromium fires no `close` for a terminated
    worker's ports), so the worker that the first of them went to speaks for all.

    Args:
        adopt: makes the proxy of what a port serves: adopt(port, on_error, timeout, realm).
        expose: serves a value: expose(value, port, options, gate, realm).
    """

    def __init__(self, adopt: "Adopt", expose: "Expose") -> None:
        self._adopt = adopt
        self._expose = expose
        self.members: "dict[int, Member]" = {}
        self.served: "dict[int, Servant]" = {}
        self.number = number()

    def adopt(
        self, port: "Value", on_error: "OnError | None", timeout: "float | None" = None
    ) -> "Remote":
        """The proxy of what a port of the peer serves."""
        return self._adopt(port, on_error, timeout, self)

    def adopter(self, on_error: "OnError | None") -> "Callable[[Value], Remote]":
        """`adopt` with this `on_error`."""
        return lambda port: self.adopt(port, on_error)

    def expose(self, value: "Value", port: "Port", options: "Options", gate: "Gate") -> "Servant":
        """Serve a value to the peer through a port."""
        return self._expose(value, port, options, gate, self)

    def fail(self, error: "Exception") -> None:
        """End every pending call: no reply can be relied on."""
        for member in list(self.members.values()):
            member.fail_all(error)

    def close(self, error: "Exception") -> None:
        """The peer is no more."""
        for member in list(self.members.values()):
            member.close(error)
        for exposed in list(self.served.values()):
            exposed.close()
