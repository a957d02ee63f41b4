"""The outgoing half of a session: frames gather in a turn, and leave as one message.

`send` is the way; `send_call` is a short cut of it for the commonest message, a call with plain
arguments that is alone in its turn: its text is made in JavaScript.
"""

from farcall import errors, messages, platform
from farcall.connection import parts
from farcall.platform import buffers as memory
from farcall.values.codec import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from farcall.endpoints import Endpoint
    from farcall.messages import Buffers, Frame
    from farcall.platform.buffers import Buffer

    class Tracer(Protocol):
        """What logs messages; see `trace`."""

        def message(
            self, direction: "str", number: "int", header: "str", buffers: "Buffers"
        ) -> None: ...


# A result is kept until the peer must have seen it, since calls on it may be under way. A peer
# with nothing else to say acknowledges after this long.
ACKNOWLEDGE_AFTER = 0.05
# Limits of a message: each side tells the other its own.
SIZES = ("header", "buffers", "window_bytes")


class Channel:
    """Sends frames over an endpoint, and counts messages both ways.

    Args:
        endpoint: carries the messages.
        name: of the peer, for errors' texts.
        timeout: seconds after which a call raises TimeoutError; None waits.
        on_error: called with an exception that no caller can get, and a text saying of what.
        limits: how many of everything there may be.

    Attributes:
        most: characters and bytes of a message or stream that neither side finds too many.
        error: what ended the session, or None.
        tracer: logs messages while `farcall.trace` is on.
        woken: waiters settled by the message being handled.
        buffers: of the frames that have not left yet.
        emptied: buffers of the peer that go back to it with the next message.
        encoding: how many values wait for an asynchronous `encode`; nothing leaves before.
        room: how many calls may be pending; 0 while each must be looked at, see `Waits.refuse`.
        sent, received: numbers of messages.
        owes_ack: whether the peer still has to learn how many messages arrived.
    """

    def __init__(
        self,
        endpoint: "Endpoint",
        name: "str",
        timeout: "float | None",
        on_error: "Callable[[BaseException, str], object] | None",
        limits: "dict[str, int]",
    ) -> None:
        self.name = name
        self.timeout = platform.seconds(timeout)
        self.on_error = on_error
        self.limits = limits
        self.most = {name: limits[name] for name in SIZES}
        self.error: "BaseException | None" = None
        self.tracer: "Tracer | None" = None
        self.woken: "list[platform.Waiter]" = []
        self.buffers: "list[Buffer]" = []
        self.emptied: "list[Buffer]" = []
        self.encoding = 0
        self.room = limits["pending"]
        self.sent = 0
        self.received = 0
        self.bytes_sent = 0
        self.owes_ack = False
        self._acknowledgement: "platform.Timer | None" = None
        self._out: "list[Frame]" = []
        # What was received when the first of those was sent. A reply that came since is not
        # acknowledged with them: they may use its result by the call's number.
        self._seen = 0
        self._scheduled = False
        self._place: "str | None" = None  # of the only frame of this turn, a call
        self._endpoint = endpoint
        self._ticker = platform.Ticker(self._flush)
        self._short = getattr(endpoint, "call", None)

    def send(self, frame: "Frame") -> None:
        """Send a frame with the others of this turn; the caller must not change it any more."""
        if not self._out:
            self._seen = self.received
        self._out.append(frame)
        if not self._scheduled:
            self._scheduled = True
            self._ticker.schedule()

    def send_call(self, frame: "Frame", place: "str | None") -> None:
        """Send a call; `place` is its target and path as JSON if its arguments are plain."""
        out = self._out
        self._place = None if out or self._short is None else place
        if not out:
            self._seen = self.received
        out.append(frame)
        if not self._scheduled:
            self._scheduled = True
            self._ticker.schedule()

    def flush_soon(self) -> None:
        """Send what waited, at the end of this turn."""
        if self._out and not self._scheduled:
            self._scheduled = True
            self._ticker.schedule()

    def _flush(self, alone: "bool" = False) -> None:
        """Send what waits; `alone`, a message even if nothing does."""
        self._scheduled = False
        frames = self._out
        if not (frames or alone) or self.error is not None or self.encoding:
            return
        self._out = []
        if not frames:
            self._seen = self.received
        place, self._place = self._place, None
        if self.emptied:
            frames = frames + self._back()
        elif place is not None and len(frames) == 1 and self.tracer is None:
            self._post_call(frames[0], place)
            return
        buffers = list(self.buffers)  # not the list itself, which goes on being filled
        del self.buffers[:]
        failure = self._sent(frames, buffers)
        if failure is not None:
            self._in_parts(frames, buffers, failure)

    def _sent(self, frames: "list[Frame]", buffers: "list[Buffer]") -> "Exception | None":
        """Send frames as one message; gives what prevents it."""
        try:
            header = dumps([self._seen] + frames)
        except BaseException as exc:
            return errors.LimitError(f"does not fit in memory: {exc!r}")
        size = len(header)
        if size > self.most["header"]:
            return parts.too_large(size, "characters of JSON", "header", self.most)
        if buffers:
            more = memory.total(buffers)
            if more > self.most["buffers"]:
                return parts.too_large(more, "bytes of buffers", "buffers", self.most)
            size += more
            if len(buffers) > 1 < len(frames) and memory.risky(buffers):
                return TypeError("moves several things at once")
        if self.tracer is not None:
            self.tracer.message("out", self.sent + 1, header, buffers)
        try:
            failure = self._endpoint.post(header, buffers)
        except MemoryError as exc:
            return errors.LimitError(f"does not fit in memory: {exc!r}")
        except BaseException as exc:  # of an endpoint that is not farcall's
            failure = repr(exc)
        if failure:
            return TypeError(f"cannot be sent: {failure}")
        self.sent += 1
        self._acknowledged()
        self.bytes_sent += size
        return None

    def _in_parts(
        self, frames: "list[Frame]", buffers: "list[Buffer]", failure: "Exception"
    ) -> None:
        """Send frames as several messages; see `Duplex`."""
        raise NotImplementedError

    def _back(self) -> "list[Frame]":
        """Return emptied buffers to the peer with the next outgoing message."""
        first, count = len(self.buffers), len(self.emptied)
        self.buffers.extend(self.emptied)
        del self.emptied[:]
        return [[messages.BACK, first, count]]

    def _post_call(self, frame: "Frame", place: "str") -> None:
        self.sent += 1
        self._acknowledged()
        size = self._short(self._seen, frame[1], place, *frame[4])  # type: ignore[misc]
        if type(size) is str:
            self._unsent(f"cannot be sent: {size}")
        else:
            self.bytes_sent += size

    def _acknowledged(self) -> None:
        if self._seen == self.received:
            self.owes_ack = False

    def _unsent(self, failure: "object") -> None:
        self.close(errors.ProtocolError(f"a message {failure}"), tell=False)

    def _acknowledge_later(self) -> None:
        """Have the peer learn what arrived, with other frames or after a while without any."""
        if self._acknowledgement is None and self.error is None:
            self._acknowledgement = platform.Timer(ACKNOWLEDGE_AFTER, self._acknowledge)

    def _acknowledge(self) -> None:
        self._acknowledgement = None
        if self.owes_ack and not self._out:
            self._flush(alone=True)

    def complain(self, error: "BaseException", whence: "str") -> None:
        """Hand an error that no caller can get to `on_error`, or print it."""
        _complain(self.on_error, error, whence)

    def close(self, error: "BaseException | None" = None, tell: "bool" = True) -> None:
        """End the session; see `Session.close`."""
        raise NotImplementedError

    def _say_last(self, farewell: "Frame | None") -> None:
        """Send what waited, and a last frame; None drops what waited."""
        out, self._out = self._out, []
        if farewell is None:
            return
        if not out:
            self._seen = self.received
        if self.encoding or self._sent(out + [farewell], list(self.buffers)) is not None:
            self._sent([farewell], [])

    def _hang_up(self) -> None:
        self._endpoint.close()
        self._ticker.close()
        if self._acknowledgement is not None:
            self._acknowledgement.cancel()


def _complain(
    on_error: "Callable[[BaseException, str], object] | None",
    error: "BaseException",
    whence: "str",
) -> None:
    try:
        if on_error is not None:
            on_error(error, whence)
        else:
            text = getattr(error, "remote_traceback", "") or platform.traceback_text(error)
            platform.report(f"farcall: {type(error).__name__}: {error}, {whence}\n{text}")
    except BaseException as exc:
        platform.report(f"farcall: on_error failed: {platform.traceback_text(exc)}")
