"""JavaScript Comlink 4's wire, both ways: a page in JavaScript drives Python, Python drives it.

    farcall.comlink.expose(engine, port)             # const engine = Comlink.wrap(port)
    engine = farcall.comlink.wrap(worker)            # Comlink.expose(engine) in the worker
    await engine.train(10, callback)                 # functions go by reference, no proxy() needed

What a proxy does is farcall's `Remote`: await a path to read it, call it, assign to it. Classes
of the other side are constructed with `new`. Between two Pythons farcall's own protocol does more.
"""

from farcall import errors
from farcall.comlink import frames, ports, serve, wrapped
from farcall.comlink.frames import LIMITS
from farcall.comlink.gate import Gate
from farcall.comlink.ports import memory_pair
from farcall.comlink.realm import Options, Realm
from farcall.comlink.serve import Exposed
from farcall.comlink.values import Thrown, TransferHandler, proxy, transfer, transfer_handlers
from farcall.comlink.wrapped import Wrapped, adopted
from farcall.connection.namespace import public_names
from farcall.proxies import remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from farcall.comlink.ports import Port
    from farcall.comlink.realm import OnError
    from farcall.platform import Waiter
    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Remote, Value


def statistics() -> "dict[str, int]":
    """What is held now: objects that peers hold, proxies of theirs, calls each way."""
    served, proxies = serve.alive, wrapped.alive
    return {
        "exposed": len(served),
        "wrapped": len(proxies),
        "pending": sum([w.statistics()["pending"] for w in proxies.values()]),
        "serving": sum([len(e.running) for e in served.values()]),
    }


def expose(
    value: "Value",
    endpoint: "Port | JavaScript",
    *,
    origins: "Iterable[str] | None" = None,
    traceback: "bool" = True,
    limits: "dict[str, int] | None" = None,
    on_error: "OnError | None" = None,
) -> "Exposed":
    """Serve an object, function, class, module or dict of them to the peer behind `endpoint`.

    The gate is farcall's: public names only, nothing writable unless its class says so with
    `farcall.exposed(writable=...)`; a module serves its `__all__`. An object's `__finalizer__()`
    runs when the peer has released it.

    Args:
        value: what the peer gets.
        endpoint: a Worker, worker scope, MessagePort, BroadcastChannel, `window_endpoint`, or
            an end of `memory_pair`.
        origins: the only origins that are answered; needed for windows, empty for ports.
        traceback: whether errors carry their traceback to the peer.
        limits: overrides of LIMITS.
        on_error: called with exceptions that no caller can get; printed by default.
    """
    options = Options(origins, traceback, limits, on_error)
    realm = Realm(adopted, Exposed)
    return Exposed(value, ports.port_of(endpoint), options, Gate(value), realm)


def wrap(
    endpoint: "Port | JavaScript",
    target: "object" = None,
    *,
    timeout: "float | None" = None,
    limits: "dict[str, int] | None" = None,
    on_error: "OnError | None" = None,
) -> "Remote":
    """A proxy of what the peer behind `endpoint` exposes.

    Args:
        endpoint: as for `expose`.
        target: an object or class with the same public names: `dir()` and early AttributeError.
        timeout: seconds after which a call raises TimeoutError; None waits, since Comlink has
            no sign of a peer that will never answer.
        limits: overrides of LIMITS.
        on_error: called with exceptions of calls that were never awaited; printed by default.
    """
    names = None if target is None else frozenset(public_names(target))
    port = ports.port_of(endpoint)
    realm = _realm(ports.remembered(endpoint))
    return Wrapped(port, timeout, names, on_error, limits, realm).root()


def _realm(number: "int") -> "Realm":
    """What a second endpoint shares with the first: both end when their worker does."""
    for found in wrapped.alive.values():
        if number and found.realm.number == number:
            return found.realm
    return Realm(adopted, Exposed)


def _connection(proxy: "Remote", what: "str") -> "Wrapped":
    found = remote.reference(proxy, what).connection
    if not isinstance(found, Wrapped):
        raise TypeError(f"{what}: expected a proxy of comlink.wrap, received one of farcall's own")
    return found


def new(cls: "Remote", *args: "Value", **kwargs: "Value") -> "remote.Call":
    """Construct a class of the peer: JavaScript's `new cls(...)`."""
    return _connection(cls, "new").call(cls, args, kwargs, frames.CONSTRUCT)


def set(path: "Remote", value: "Value") -> "remote.Call":
    """Assign to what `path` leads to; awaiting it raises what the assignment raised."""
    return _connection(path, "set").assign(path, value)


def create_endpoint(proxy: "Remote") -> "remote.Call":
    """Ask for a second port to the object behind `proxy`; give it to `wrap`, or to a worker."""
    return _connection(proxy, "create_endpoint").endpoint(proxy)


def release(proxy: "Remote") -> "Waiter":
    """Give the object behind `proxy` up: its finalizer runs there. Calls under way raise."""
    return _connection(proxy, "release").release(proxy._farcall)


def close(proxy: "Remote") -> None:
    """End the connection of `proxy` here: pending calls raise SessionClosedError."""
    _connection(proxy, "close").close()


def terminate(proxy: "Remote") -> None:
    """Terminate the worker behind `proxy`: pending calls raise WorkerDiedError.

    Raises:
        TypeError: what was wrapped is no worker.
    """
    connection = _connection(proxy, "terminate")
    if not connection.port.terminate():
        raise TypeError("terminate: expected the proxy of a Worker")
    connection.realm.close(errors.WorkerDiedError("the worker was terminated"))


def window_endpoint(
    window: "JavaScript", origin: "str", context: "JavaScript" = None
) -> "JavaScript":
    """An endpoint to another window: only its messages, from that origin, are heard.

    Args:
        window: an iframe's contentWindow, parent, opener.
        origin: the only one that is sent to and heard; `"*"` must be written out.
        context: the window that listens; this one by default.
    """
    if not origin:
        raise TypeError("window_endpoint: expected the peer's origin")
    return ports.javascript.window(window, origin, context)


def node_endpoint(emitter: "JavaScript") -> "JavaScript":
    """An endpoint over an object with `on` and `off`, as Node's worker_threads have."""
    return ports.javascript.emitter(emitter)


__all__ = [
    "LIMITS",
    "Exposed",
    "Thrown",
    "TransferHandler",
    "close",
    "create_endpoint",
    "expose",
    "memory_pair",
    "new",
    "node_endpoint",
    "proxy",
    "release",
    "set",
    "statistics",
    "terminate",
    "transfer",
    "transfer_handlers",
    "window_endpoint",
    "wrap",
]
