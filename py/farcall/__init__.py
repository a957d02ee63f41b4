"""Python objects that live in a worker, used as if they were local.

    # worker
    farcall.serve({"nn": nn})
    # page
    engine = await farcall.connect("engine")
    model = await engine.nn.Sequential([...])
"""

from . import endpoints, platform
from .arrays import Array, array
from .codec import register
from .errors import (
    FarcallError,
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
from .policy import exposed
from .remote import Call, Remote
from .session import Session
from .workers import connect, serve, terminate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def session(proxy: "Any") -> "Session":
    """The session a proxy belongs to."""
    from .remote import reference

    found: "Session" = reference(proxy, "session").session
    return found


def release(proxy: "Any") -> None:
    """Give up the peer's object behind a proxy: it may be collected there. Idempotent."""
    from .remote import reference

    ref = reference(proxy, "release")
    ref.session.release(ref)


def statistics(proxy: "Any") -> "dict[str, int]":
    """`session(proxy).statistics()`."""
    return session(proxy).statistics()


__all__ = [
    "Array",
    "Call",
    "FarcallError",
    "PolicyError",
    "ProtocolError",
    "ReleasedError",
    "Remote",
    "RemoteError",
    "Session",
    "SessionClosedError",
    "TimeoutError",
    "WorkerBootError",
    "WorkerDiedError",
    "WorkerError",
    "array",
    "connect",
    "endpoints",
    "exposed",
    "platform",
    "register",
    "register_exception",
    "release",
    "serve",
    "session",
    "statistics",
    "terminate",
]
