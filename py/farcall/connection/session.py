"""One connection, from hello to close: what goes out in a turn, what comes in, in which order.

Everything sent in one turn travels as one message; everything that arrives is handled in order,
and only then are waiting tasks woken: a callback has run before the result that follows it is
seen. Sync functions run where their message is handled; coroutines become tasks.
"""

from farcall import errors, messages, platform
from farcall.connection.calls import Calls
from farcall.connection.policy import Policy
from farcall.connection.references import Tables
from farcall.connection.serving import Serving
from farcall.connection.streams import WINDOW, Streams
from farcall.proxies import remote
from farcall.proxies.peer_names import Directory
from farcall.values import arrays
from farcall.values.codec import Codec, dumps, loads
from farcall.values.registered import Waits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIMITS = {
    "pending": 100_000,  # calls of ours without a reply
    "serving": 10_000,  # calls of the peer that run here
    "exports": 1_000_000,  # objects that the peer may hold
    "header": 64 * 2**20,  # characters of JSON in a message
    "buffers": 4 * 2**30,  # bytes of the buffers of a message
    "window": WINDOW,  # items of a stream that may be on their way
}
# A result is kept until the peer must have seen it, since calls on it may be under way. A peer
# with nothing else to say acknowledges after this long.
ACKNOWLEDGE_AFTER = 0.05

_open: "list[Session]" = []


def _leave() -> None:
    """The page is going: frames, windows and shared workers outlive it, and get to know."""
    for session in _open:
        session.close(errors.SessionClosedError("the page is gone"))


if platform.BROWSER and not platform.javascript.isWorker:
    platform.javascript.onLeave(platform.callback(_leave))


class Session:
    """A connection to a peer over an endpoint.

    Args:
        endpoint: has start(receive, broken), post(header, buffers) -> error text, close().
        served: what the peer may use; see `farcall.serve`.
        name: of the peer, for errors' texts.
        timeout: seconds after which a call of ours raises TimeoutError; None waits.
        on_error: called with an exception nobody else can get, and a text saying whence.
        limits: overrides of LIMITS.
        traceback: whether exceptions that go to the peer carry their traceback and causes; None
            keeps them back from a boundary: a window, an iframe, another tab.

    Attributes:
        root: the proxy of what the peer serves.
        ready: settled with `root` by the peer's hello.
        error: what ended the session, or None.
        on_close: functions called with that error when it ends.
    """

    def __init__(
        self,
        endpoint: "Any",
        served: "Any" = None,
        *,
        name: "str" = "",
        timeout: "float | None" = None,
        on_error: "Any" = None,
        limits: "dict[str, int] | None" = None,
        traceback: "bool | None" = None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.on_error = on_error
        self.error: "Any" = None
        self.on_close: "list[Any]" = []
        self.worker: "Any" = None
        self.tracer: "Any" = None
        self.limits = dict(LIMITS)
        self.limits.update(limits or {})
        self.policy = Policy({} if served is None else served)
        self.directory = Directory()
        self.ready = platform.Waiter()
        self.tables = Tables(self)
        self.codec = Codec(self.tables)
        shown = not getattr(endpoint, "boundary", False) if traceback is None else traceback
        self.codec.traceback = shown
        self.codec.returns = platform.PYODIDE and not getattr(endpoint, "copies", False)
        self.calls = Calls(self)
        self.serving = Serving(self)
        self.streams = Streams(self)
        self.waits = Waits(self)
        self.woken: "list[Any]" = []  # waiters settled by the message being handled
        self.sent = 0
        self.received = 0
        self.owes_ack = False
        self._ack_timer: "Any" = None
        self._bytes_sent = 0
        self._bytes_received = 0
        self._out: "list[Any]" = []
        self._scheduled = False
        self._place: "str | None" = None  # of the only frame of this turn, a call
        self._endpoint = endpoint
        self._watch: "Any" = None
        self._ticker = platform.Ticker(self._flush)
        self._handlers = self._kinds()
        self.root = remote.Remote(remote.Reference(self, messages.SERVED))
        self._short: "Any" = getattr(endpoint, "call", None)
        if self._short is not None:
            endpoint.replied = self._replied
        _open.append(self)
        endpoint.start(self._receive, self._broken)
        self.send([messages.HELLO, messages.VERSION, self.policy.description()])

    def _kinds(self) -> "dict[str, Any]":
        return {
            messages.HELLO: self._on_hello,
            messages.CALL: self.serving.on_call,
            messages.GET: self.serving.on_get,
            messages.SET: self.serving.on_set,
            messages.DEL: self.serving.on_del,
            messages.OP: self.serving.on_op,
            messages.CANCEL: self.serving.on_cancel,
            messages.RET: self.calls.on_ret,
            messages.ERR: self.calls.on_err,
            messages.FREE: self.tables.on_free,
            messages.PULL: self.streams.on_pull,
            messages.ITEMS: self.streams.on_items,
            messages.END: self.streams.on_end,
            messages.BACK: self._on_back,
            messages.ALIVE: self._on_alive,
            messages.BYE: self._on_bye,
        }

    # -- out

    def send(self, frame: "Any") -> None:
        """Send a frame with the others of this turn; the caller gives it up."""
        self._out.append(frame)
        if not self._scheduled:
            self._scheduled = True
            self._ticker.schedule()

    def send_call(self, frame: "Any", place: "Any") -> None:
        """Send a call; `place` is its target and path as JSON if its arguments are plain."""
        out = self._out
        self._place = None if out or self._short is None else place
        out.append(frame)
        if not self._scheduled:
            self._scheduled = True
            self._ticker.schedule()

    def _flush(self) -> None:
        self._scheduled = False
        if self._out and self.error is None and not self.waits.encoding:
            out, self._out = self._out, []
            self._post(out)

    def _post(self, frames: "list[Any]") -> None:
        place, self._place = self._place, None
        if self.codec.emptied:
            frames = frames + self._back()
        elif place is not None and len(frames) == 1 and self.tracer is None:
            self._post_call(frames[0], place)
            return
        header = dumps([self.received] + frames)
        buffers = self.codec.buffers
        size = len(header)
        if buffers:
            self.codec.buffers = []
            size += _total(buffers)
        self.sent += 1
        self.owes_ack = False
        self._bytes_sent += size
        if self.tracer is not None:
            self.tracer.message("out", self.sent, header, buffers)
        failure = self._endpoint.post(header, buffers)
        if failure:
            self.close(errors.ProtocolError(f"a message could not be sent: {failure}"), tell=False)

    def _back(self) -> "list[Any]":
        """Give back what was copied out of, with what goes out anyway."""
        emptied, self.codec.emptied = self.codec.emptied, []
        buffers = self.codec.buffers
        first = len(buffers)
        buffers.extend(emptied)
        return [[messages.BACK, first, len(emptied)]]

    def _on_back(self, frame: "Any", buffers: "Any") -> None:
        _, first, count = frame
        if type(first) is not int or type(count) is not int or first < 0 or count < 1:
            raise errors.ProtocolError(f"buffers {first!r}, {count!r} of them, came back")
        for buffer in buffers[first : first + count]:
            arrays.spare(buffer)

    def _post_call(self, frame: "Any", place: "str") -> None:
        """A call alone with plain arguments: its text is made in JavaScript."""
        self.sent += 1
        self.owes_ack = False
        size = self._short(self.received, frame[1], place, *frame[4])
        if type(size) is str:
            self.close(errors.ProtocolError(f"a message could not be sent: {size}"), tell=False)
        else:
            self._bytes_sent += size

    def _acknowledge(self) -> None:
        self._ack_timer = None
        if self.owes_ack and self.error is None and not self._out:
            self._post([])

    def encode_late(self, value: "Any") -> "Any":
        """Wire form of what an asynchronous `encode` gave, for a frame that waits for it.

        Raises:
            TypeError: it holds a call that was not awaited.
        """
        del self.tables.dependencies[:]
        wire = self.codec.encode(value)
        if self.tables.dependencies:
            raise TypeError("an encode gave a path or an un-awaited call: await it first")
        return wire

    def flush_soon(self) -> None:
        """Send what waited, at the end of this turn."""
        if self._out and not self._scheduled:
            self._scheduled = True
            self._ticker.schedule()

    # -- in

    def _receive(self, header: "str", buffers: "Any" = ()) -> None:
        """Handle a message; the endpoint calls this outside any task."""
        if self.error is not None:
            return
        if self.waits.held is not None:
            self.waits.held.append((header, buffers))
            return
        self._turn(self._handle, header, buffers)

    def resume(self, batch: "list[Any]", buffers: "Any") -> None:
        """Handle a message that waited for what it holds."""
        if self.error is None:
            self._turn(self._dispatch, batch, buffers)

    def _turn(self, handle: "Any", message: "Any", buffers: "Any") -> None:
        self._scheduled = True  # what is sent meanwhile goes out with `_settled`
        try:
            handle(message, buffers)
        except Exception as exc:
            self.close(_protocol(exc))
        if buffers and self.waits.held is None:
            self.codec.arrived = ()  # free now what was transferred: its memory is reused
        if self.woken:
            self._wake()
        self._settled()

    def _replied(self, seen: "int", number: "int", value: "Any", length: "int") -> None:
        """Handle a message that is one plain result, parsed in JavaScript."""
        waiter = self.calls.pending.get(number)
        special = self.tracer is not None or self.waits.held is not None or self.error
        if waiter is None or waiter.timer is not None or special:
            self._receive(dumps([seen, [messages.RET, number, value]]))
            return
        self._scheduled = True
        self._bytes_received += length
        self.received += 1
        if self.serving.settled:
            self.serving.forget(seen)
        del self.calls.pending[number]
        self.owes_ack = True
        if waiter.settle(value):
            waiter.wake()
            platform.drain()
        self._settled()

    def _settled(self) -> None:
        """What was sent meanwhile goes out; an acknowledgement goes with it, or later."""
        self._scheduled = False
        if self._out:
            self._flush()
        if self.owes_ack and self._ack_timer is None and self.error is None:
            self._ack_timer = platform.Timer(ACKNOWLEDGE_AFTER, self._acknowledge)

    def _handle(self, header: "str", buffers: "Any") -> None:
        size = len(header)
        if size > self.limits["header"]:
            raise errors.ProtocolError(f"a header of {size} characters")
        if buffers:
            size += self._size(buffers)
        self._bytes_received += size
        if self.tracer is not None:
            self.tracer.message("in", self.received + 1, header, buffers)
        batch = loads(header)
        if type(batch) is not list or not batch or type(batch[0]) is not int:
            raise errors.ProtocolError("expected a count and frames")
        if not self.waits.hold(header, batch, buffers):
            self._dispatch(batch, buffers)

    def _dispatch(self, batch: "list[Any]", buffers: "Any") -> None:
        self.received += 1  # not before: the peer forgets what we cannot ask for any more
        if self.serving.settled:
            self.serving.forget(batch[0])
        handlers = self._handlers
        for index in range(1, len(batch)):
            frame = batch[index]
            handlers[frame[0]](frame, buffers)
            if self.error is not None:
                return

    def _size(self, buffers: "Any") -> int:
        size = _total(buffers)
        if size > self.limits["buffers"]:
            raise errors.ProtocolError(f"buffers of {size} bytes")
        return size

    def _wake(self) -> None:
        """Step what replies made ready; what those steps send goes out together."""
        while self.woken:
            woken, self.woken = self.woken, []
            for waiter in woken:
                waiter.wake()
            platform.drain()

    def _broken(self, received: "str") -> None:
        self.close(errors.ProtocolError(f"expected [header, buffer...], received {received}"))

    def _on_hello(self, frame: "Any", buffers: "Any") -> None:
        _, version, description = frame
        if version != messages.VERSION:
            text = f"expected farcall's protocol {messages.VERSION}, the peer speaks {version!r}"
            raise errors.ProtocolError(text)
        self.directory.learn(description)
        if self.ready.settle(self.root):
            self.woken.append(self.ready)

    def _on_bye(self, frame: "Any", buffers: "Any") -> None:
        self.close(errors.SessionClosedError(f"the other side closed: {frame[1]}"), tell=False)

    def _on_alive(self, frame: "Any", buffers: "Any") -> None:
        """The peer can be watched; a worker that we hold is watched already."""
        lock = frame[1]
        if type(lock) is not str or lock[:8] != "farcall-":
            raise errors.ProtocolError(f"expected the name of a farcall lock, received {lock!r}")
        if platform.BROWSER and self.worker is None and self._watch is None:
            self._watch = platform.Watch(lock, self._gone)

    def _gone(self) -> None:
        self.close(errors.WorkerDiedError(f"{self.name or 'the other side'} is gone"), tell=False)

    def complain(self, error: "Any", whence: "str") -> None:
        """Hand an error that no caller can get to `on_error`, or print it."""
        try:
            if self.on_error is not None:
                self.on_error(error, whence)
            else:
                text = getattr(error, "remote_traceback", "") or platform.traceback_text(error)
                platform.report(f"farcall: {type(error).__name__}: {error}, {whence}\n{text}")
        except Exception as exc:
            platform.report(f"farcall: on_error failed: {platform.traceback_text(exc)}")

    # -- the end

    def close(self, error: "Any" = None, tell: "bool" = True) -> None:
        """End the session: every pending call raises, every running one is cancelled.

        Args:
            error: what they raise; SessionClosedError by default.
            tell: whether the peer gets to know.
        """
        if self.error is not None:
            return
        if tell:
            frames = [[messages.BYE, str(error or "closed")]]
            if not self.waits.encoding:
                frames = self._out + frames
            self._endpoint.post(dumps([self.received] + frames), self.codec.buffers)
        self._out = []
        self.error = error or errors.SessionClosedError(f"the session {self.name} was closed")
        _open.remove(self)
        self._endpoint.close()
        self._ticker.close()
        if self._watch is not None:
            self._watch.stop()
        if self._ack_timer is not None:
            self._ack_timer.cancel()
        self._abandon()
        for function in list(self.on_close):
            function(self.error)

    def _abandon(self) -> None:
        self.woken += self.calls.abandon(self.error)
        self.streams.abandon(self.error)
        if self.ready.settle(None, errors.again(self.error)):
            self.woken.append(self.ready)
        self.serving.clear()
        self.waits.clear()
        self.tables.clear()
        platform.Timer(0, self._wake_closed)

    def _wake_closed(self) -> None:
        woken, self.woken = self.woken, []
        for waiter in woken:
            waiter.wake()
        platform.drain()

    def statistics(self) -> "dict[str, int]":
        """What is held for this session now, and what has crossed so far.

        `pending`: calls of ours without a reply; `serving`: calls of the peer that run here;
        `answers`: results kept until the peer has seen them; `exports`, `imports`: objects held
        by the peer, of the peer; `streams`: those produced here. Sums: buffers whose memory was
        reused, by all sessions here; messages, and bytes of their headers (as characters) and
        buffers.
        """
        return {
            "pending": len(self.calls.pending),
            "serving": len(self.serving.running),
            "answers": len(self.serving.answers),
            "exports": len(self.tables.exports),
            "imports": len(self.tables.imports),
            "streams": self.streams.open(),
            "reused": arrays.reused(),
            "messages_sent": self.sent,
            "messages_received": self.received,
            "bytes_sent": self._bytes_sent,
            "bytes_received": self._bytes_received,
        }


def _total(buffers: "Any") -> int:
    return sum([arrays.size(b) for b in buffers])


def _protocol(exc: "Exception") -> "Exception":
    if isinstance(exc, errors.ProtocolError):
        return exc
    return errors.ProtocolError(f"a malformed message: {exc!r}")
