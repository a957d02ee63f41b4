"""One connection, from hello to close.

Everything sent in one turn travels as one message (see `channel`); everything that arrives is
handled in order (see `duplex`), and only then are waiting tasks woken: a callback has run before
the result that follows it is seen. Sync functions run where their message is handled; coroutines
become tasks.
"""

from farcall import errors, messages, platform
from farcall.connection import parts
from farcall.connection.answers import Answers
from farcall.connection.calls import Calls
from farcall.connection.duplex import Duplex
from farcall.connection.flow_control import Streams
from farcall.connection.policy import Policy
from farcall.connection.producers import WINDOW_BYTES
from farcall.connection.references import Tables
from farcall.connection.serving import Serving
from farcall.connection.streams import WINDOW, Iteration
from farcall.connection.waits import Waits
from farcall.limits import overridden
from farcall.platform import buffers as memory
from farcall.proxies import remote
from farcall.proxies.peer_names import PeerNames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.endpoints import Endpoint
    from farcall.messages import Buffers, Frame

LIMITS = {
    "pending": 100_000,  # calls of ours without a reply
    "serving": 10_000,  # calls of the peer that run here
    "exports": 1_000_000,  # objects that the peer may hold
    "header": 64 * 2**20,  # characters of JSON in a message
    "buffers": 4 * 2**30,  # bytes of the buffers of a message
    "hook": 60,  # seconds of an asynchronous `encode` or `decode`, for which messages wait
    "window": WINDOW,  # items of a stream that may be on their way
    "window_bytes": WINDOW_BYTES,  # bytes of their buffers, not counting the last
}

_open: "list[Session]" = []


def _leave() -> None:
    """Close all sessions: the page is going, but frames, windows and shared workers outlive it."""
    for session in _open:
        session.close(errors.SessionClosedError("the page is gone"))


if platform.on_page():
    platform.javascript.onLeave(platform.callback(_leave))


def _mismatch(theirs: "object", peer: "str") -> str:
    """What to do about a peer of another version."""
    ours = messages.VERSION
    older = peer if type(theirs) is int and theirs < ours else "this side"
    return (
        f"expected farcall's protocol {ours}, {peer} speaks {theirs!r}: update farcall on {older}"
    )


class Session(Duplex):
    """A connection to a peer over an endpoint; what proxies call a Connection.

    Args:
        endpoint: carries the messages; see `farcall.endpoints.Endpoint`.
        served: what the peer may use; see `farcall.serve`.
        name: of the peer, for errors' texts.
        timeout: seconds after which a call of ours raises TimeoutError; None waits.
        on_error: called with an exception that no caller can get, and a text saying of what.
        limits: overrides of LIMITS.
        traceback: whether exceptions that go to the peer carry their traceback and causes; None
            keeps them back from a boundary: a window, an iframe, another tab.

    Attributes:
        root: the proxy of what the peer serves.
        ready: settled with `root` by the peer's hello.
        error: what ended the session, or None.
        on_close: functions called with that error when it ends.
        worker: the worker behind the endpoint, where this page started it.
    """

    def __init__(
        self,
        endpoint: "Endpoint",
        served: "Any" = None,
        *,
        name: "str" = "",
        timeout: "float | None" = None,
        on_error: "Callable[[BaseException, str], object] | None" = None,
        limits: "dict[str, int] | None" = None,
        traceback: "bool | None" = None,
    ) -> None:
        super().__init__(endpoint, name, timeout, on_error, overridden(LIMITS, limits))
        self.on_close: "list[Callable[[BaseException], object]]" = []
        self.worker: "Any" = None
        self.ready = platform.Shared()
        self._watch: "platform.Watch | None" = None
        self._assemble({} if served is None else served)
        shown = not getattr(endpoint, "boundary", False) if traceback is None else traceback
        self.codec.traceback = shown
        self.codec.returns = memory.RETURNED and not getattr(endpoint, "copies", False)
        self.handlers = self._kinds()
        self.root: "remote.Remote" = remote.Remote(remote.Reference(self, messages.SERVED))
        if self._short is not None:
            endpoint.replied = self._replied
        _open.append(self)
        endpoint.start(self._receive, self._broken)
        hello = [messages.HELLO, messages.VERSION, self._policy.description(), dict(self.most)]
        self.send(hello)

    def _assemble(self, served: "object") -> None:
        """Make the parts, each with the parts that it uses; lend proxies what they ask for."""
        self._policy = Policy(served)
        self._names = PeerNames()
        self.answers = Answers()
        self.waits = Waits(self, self._resume, self._receive)
        self.tables: "Tables" = Tables(self, self, self._policy, self.answers, self.waits.later)
        self.waits.encoding = self.tables.encoding
        self.codec = self.tables.encoding.codec
        self._calls = Calls(self, self.tables, self.waits.refuse)
        self.pending = self._calls.pending
        self._serving = Serving(self, self.tables, self._policy, self.answers)
        self._streams = Streams(self.tables)
        self.unsent = self.tables.exports.unsent
        # Of the Connection that proxies know; not methods: one function less on every call.
        self.foresee = self._names.foresee
        self.names = self._names.names
        self.call = self._calls.call
        self.read = self._calls.read
        self.assign = self._calls.assign
        self.remove = self._calls.remove
        self.operate = self._calls.operate
        self.drop = self._calls.drop
        self.iterate = Iteration
        self.release = self.tables.imports.release

    def _kinds(self) -> "dict[str, Callable[[Frame, Buffers], object]]":
        return {
            messages.HELLO: self._on_hello,
            messages.CALL: self._serving.on_request,
            messages.GET: self._serving.on_request,
            messages.SET: self._serving.on_request,
            messages.DEL: self._serving.on_request,
            messages.OP: self._serving.on_request,
            messages.CANCEL: self._serving.on_cancel,
            messages.RET: self._calls.on_ret,
            messages.ERR: self._calls.on_err,
            messages.FREE: self.tables.exports.on_free,
            messages.PULL: self._streams.on_pull,
            messages.ITEMS: self._streams.on_items,
            messages.END: self._streams.on_end,
            messages.BACK: self._on_back,
            messages.ALIVE: self._on_alive,
            messages.BYE: self._on_bye,
            messages.LARGE: self._on_large,
        }

    # -- frames

    def _broken(self, received: "str") -> None:
        self.close(errors.ProtocolError(f"expected [header, buffer...], received {received}"))

    def _on_hello(self, frame: "Frame", buffers: "Buffers") -> None:
        version = frame[1]
        if version != messages.VERSION:
            raise errors.ProtocolError(_mismatch(version, self.name or "the other side"))
        self._names.learn(frame[2])
        for name, most in (frame[3] if len(frame) > 3 else {}).items():
            if name in self.most and type(most) is int and most > 0:
                self.most[name] = min(self.most[name], most)
        if self.ready.settle(self.root):
            self.woken.append(self.ready)

    def _on_back(self, frame: "Frame", buffers: "Buffers") -> None:
        """Keep the memory of buffers that the peer has copied out of."""
        _, first, count = frame
        if type(first) is not int or type(count) is not int or first < 0 or count < 1:
            raise errors.ProtocolError(f"buffers {first!r}, {count!r} of them, came back")
        for buffer in buffers[first : first + count]:
            memory.spare(buffer)

    def _on_bye(self, frame: "Frame", buffers: "Buffers") -> None:
        self.close(errors.SessionClosedError(f"the other side closed: {frame[1]}"), tell=False)

    def _on_alive(self, frame: "Frame", buffers: "Buffers") -> None:
        """Watch the peer's lock; a worker that we hold is watched already."""
        lock = frame[1]
        if type(lock) is not str or lock[:8] != "farcall-":
            raise errors.ProtocolError(f"expected the name of a farcall lock, received {lock!r}")
        if self.worker is None and self._watch is None:
            self._watch = platform.watch(lock, self._gone)

    def _on_large(self, frame: "Frame", buffers: "Buffers") -> None:
        """Handle what is left of a frame for which there was no memory: the error of its call."""
        instead = parts.unread(frame, self.codec)
        self.tables.abandon(frame[4])
        self.handlers[instead[0]](instead, ())

    def _gone(self) -> None:
        self.close(errors.WorkerDiedError(f"{self.name or 'the other side'} is gone"), tell=False)

    # -- the end

    def close(self, error: "BaseException | None" = None, tell: "bool" = True) -> None:
        """End the session: every pending call raises, every running one is cancelled.

        Args:
            error: what they raise; SessionClosedError by default.
            tell: whether to send the peer a `bye` frame.
        """
        if self.error is not None:
            return
        farewell = [messages.BYE, str(error or "closed")] if tell else None
        self._say_last(farewell)
        self.error = error or errors.SessionClosedError(f"the session {self.name} was closed")
        _open.remove(self)
        self._hang_up()
        if self._watch is not None:
            self._watch.stop()
        self._abandon(self.error)
        for function in list(self.on_close):
            try:
                function(self.error)
            except BaseException as exc:
                self.complain(exc, "of an on_close function")

    def _abandon(self, error: "BaseException") -> None:
        """Settle whatever waits for the peer, and forget it."""
        self._calls.fail_all(error, heard=True)  # on_close hears it once, not each dropped call
        self._streams.abandon(error)
        if self.ready.settle(None, errors.again(error)):
            self.woken.append(self.ready)
        self._serving.clear()
        self.waits.clear()
        self.tables.clear()
        platform.Timer(0, self._wake)

    def statistics(self) -> "dict[str, int]":
        """What is held for this session now, and what has crossed so far.

        `pending`: calls of ours without a reply; `serving`: calls of the peer that run here;
        `answers`: results kept until the peer has seen them; `exports`, `imports`: objects held
        by the peer, of the peer; `streams`: those produced here. Sums: buffers whose memory all
        sessions here reused; messages, and bytes of their headers (characters) and buffers.
        """
        return {
            "pending": len(self.pending),
            "serving": len(self._serving.running),
            "answers": len(self.answers.known),
            "exports": len(self.tables.exports.held),
            "imports": len(self.tables.imports.held),
            "streams": len(self.tables.exports.producers()),
            "reused": memory.reused(),
            "messages_sent": self.sent,
            "messages_received": self.received,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
        }
