"""The worker's side: serve modules and objects to the page.

    import farcall              # first: from then on the page learns why a start fails
    import engine

    farcall.serve({"engine": engine})   # the last line

The worker speaks on its default channel, which only its page hears:

    "serving" detail: name of the lock that the worker holds for life
    "failed"  detail: the traceback that ended the script before it served
    "port"    detail: what the page asked with; a MessagePort for a session
"""

from farcall import platform
from farcall.connection.namespace import Namespace, namespace
from farcall.connection.session import Session
from farcall.endpoints import Port
from farcall.workers.life import Life, hold, watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Value


class Host:
    """This worker's side: answers the page's questions, opens a session for each port."""

    def __init__(self) -> None:
        self.served: "Value" = None
        self.options: "dict[str, Any]" = {}
        self.sessions: "list[Session]" = []
        self._team: "Value" = None
        self._signal = platform.interruptible()
        self._keep = platform.callback(self._on_control)
        self._channel = platform.javascript.broadcasts()
        platform.javascript.listenControl(self._channel, self._keep)
        self._life = Life(self._announce)
        self.lock = self._life.name
        hold(self._life)

    def serve(self, served: "Value", options: "dict[str, Any]") -> None:
        """Serve from now on, and say so."""
        self.served = served
        self.options = options
        self._announce()

    def _announce(self) -> None:
        if self.served is not None and self._life.held is not None:
            self._say("serving", self.lock + (" locked" if self._life.held else ""), self._signal)

    def _say(self, kind: "str", detail: "str", thing: "JavaScript") -> None:
        platform.javascript.sendControl(platform.js.globalThis, kind, detail, thing)

    def _on_control(self, kind: "str", detail: "str", port: "JavaScript") -> None:
        try:
            self._handle(kind, detail)
        except Exception as exc:
            platform.report(platform.traceback_text(exc))

    def _handle(self, kind: "str", detail: "str") -> None:
        if kind in ("open", "member") and detail.split(" ")[0] == self.lock:
            self._open(detail, self.served if kind == "open" else self._member())
        elif kind == "status" and self.served is None:
            self._say("failed", platform.last_exception_text(), None)
        elif kind == "status":
            self._announce()

    def _member(self) -> "Value":
        """What the page and other members of a team may use: this worker's place in it."""
        if self._team is None:
            from farcall.workers.teams.member import Member

            self._team = namespace({"member": Member(self._join)})
        return self._team

    def _join(self, member: "Value") -> None:
        """Give its place in a team to what is served, if that has a use for it."""
        served = self.served.items.values() if isinstance(self.served, Namespace) else [self.served]
        for value in served:
            join = getattr(value, "__join_team__", None)
            if join is not None:
                join(member)

    def _open(self, detail: "str", served: "Value") -> None:
        channel = platform.js.MessageChannel.new()
        session = watched(Session(Port(channel.port1), served, name="page", **self.options))
        self.sessions.append(session)
        session.on_close.append(lambda _: self.sessions.remove(session))
        self._say("port", detail, channel.port2)


host: "Host | None" = None
if platform.in_worker():
    host = Host()


def serve(served: "Value", **options: "Any") -> None:
    """Let the page use `served`: the worker's last line.

    Args:
        served: names to modules (what their `__all__` names), objects and functions (their public
            names); or one object. Nothing else can be reached, but through what these return.
        options: of the sessions: timeout, on_error, limits, traceback.

    Raises:
        TypeError: a module without `__all__`, or a name that is not public.
        RuntimeError: not in a worker.
    """
    if host is None:
        raise RuntimeError("serve: this is no worker; give `connect` a `serve=` argument instead")
    host.serve(namespace(served), options)


def serve_shared(served: "Value", **options: "Any") -> None:
    """In a SharedWorker: a session for every page that connects, until that page is gone.

    On the page: `await farcall.connect(js.SharedWorker.new(url))`. Either side keeps its tracebacks
    unless it has `traceback=True`.
    """
    options.setdefault("traceback", False)
    space = namespace(served)
    sessions: "list[Session]" = []

    def connected(event: "JavaScript") -> None:
        session = watched(Session(Port(event.ports[0]), space, name="page", **options))
        sessions.append(session)
        session.on_close.append(lambda _: sessions.remove(session))

    platform.js.addEventListener("connect", platform.callback(connected))
