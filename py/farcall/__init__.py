"""Python objects that live in a worker, used as if they were local.

    # worker
    farcall.serve({"nn": nn})
    # page
    engine = await farcall.connect("engine")
    model = await engine.nn.Sequential([...])

Both sides are Python: CPython, Pyodide or MicroPython.
"""

import sys

from farcall import endpoints, platform
from farcall.connection.namespace import exposed
from farcall.connection.producers import stream
from farcall.connection.session import Session
from farcall.connection.streams import Stream
from farcall.errors import (
    FarcallError,
    LimitError,
    PolicyError,
    ProtocolError,
    ReleasedError,
    RemoteError,
    SessionClosedError,
    TimeoutError,
    WorkerBootError,
    WorkerDiedError,
    WorkerError,
    register_exception,
)
from farcall.proxies.operations import (
    bool,
    contains,
    copy,
    delete,
    doc,
    equals,
    float,
    int,
    len,
    names,
    options,
    release,
    repr,
    set,
    str,
)
from farcall.proxies.remote import Call, Remote, reference
from farcall.values.arrays import Array, array, transfer
from farcall.values.opaque import Opaque
from farcall.values.references import ref
from farcall.values.registered import register
from farcall.workers import connect, interrupt, port, serve, serve_shared, terminate

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins

    from farcall.connection.trace import trace
    from farcall.workers.pool import Pool
    from farcall.workers.started import Worker
    from farcall.workers.teams.team import Team


def __getattr__(name: "builtins.str") -> "object":
    """Import what most pages have no use for when it is first asked for."""
    if name == "Team":
        from farcall.workers.teams.team import Team

        return Team
    if name == "trace":
        from farcall.connection.trace import trace

        return trace
    if name == "Worker":
        from farcall.workers.started import Worker

        return Worker
    if name == "Pool":
        from farcall.workers.pool import Pool

        return Pool
    if name == "comlink":  # MicroPython asks here before it imports a module of the package
        __import__("farcall.comlink")
        return sys.modules["farcall.comlink"]
    raise AttributeError(f"module 'farcall' has no attribute {name!r}")


def session(proxy: "Remote") -> "Session":
    """The session a proxy belongs to."""
    found = reference(proxy, "session").connection
    if not isinstance(found, Session):
        raise TypeError("session: expected a proxy of farcall's own, received one of Comlink's")
    return found


def statistics(proxy: "Remote") -> "dict[builtins.str, builtins.int]":
    """`session(proxy).statistics()`."""
    return session(proxy).statistics()


__all__ = [
    "Array",
    "Call",
    "FarcallError",
    "LimitError",
    "Opaque",
    "PolicyError",
    "Pool",
    "ProtocolError",
    "ReleasedError",
    "Remote",
    "RemoteError",
    "Session",
    "SessionClosedError",
    "Stream",
    "Team",
    "TimeoutError",
    "Worker",
    "WorkerBootError",
    "WorkerDiedError",
    "WorkerError",
    "array",
    "bool",
    "connect",
    "contains",
    "copy",
    "delete",
    "doc",
    "endpoints",
    "equals",
    "exposed",
    "float",
    "int",
    "interrupt",
    "len",
    "names",
    "options",
    "platform",
    "port",
    "ref",
    "reference",
    "register",
    "register_exception",
    "release",
    "repr",
    "serve",
    "serve_shared",
    "session",
    "set",
    "statistics",
    "str",
    "stream",
    "terminate",
    "trace",
    "transfer",
]
