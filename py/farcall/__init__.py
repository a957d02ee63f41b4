"""Python objects that live in a worker, used as if they were local.

# worker
farcall.serve({"nn": nn})
# page
engine = await farcall.connect("engine")
model = await engine.nn.Sequential([...])
"""

from . import endpoints, platform
from .arrays import Array, array, transfer
from .errors import (
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
from .handlers import register
from .operations import (
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
from .policy import exposed
from .pool import Pool, Worker
from .remote import Call, Remote, reference
from .session import Session
from .streams import Stream, stream
from .tables import ref
from .trace import trace
from .workers import connect, interrupt, port, serve, serve_shared, terminate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def session(proxy: "Any") -> "Session":
    """The session a proxy belongs to."""
    found: "Session" = reference(proxy, "session").session
    return found


def statistics(proxy: "Any") -> "Any":
    """`session(proxy).statistics()`."""
    return session(proxy).statistics()


__all__ = [
    "Array",
    "Call",
    "FarcallError",
    "LimitError",
    "PolicyError",
    "Pool",
    "ProtocolError",
    "ReleasedError",
    "Remote",
    "RemoteError",
    "Session",
    "SessionClosedError",
    "Stream",
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
