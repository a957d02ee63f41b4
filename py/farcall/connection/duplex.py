"""Both halves of a session: handles what comes in, each message in a turn that sends replies.

`_receive` is the way of every message in. `_replied` is a short cut of it for the commonest one,
a single plain result, which JavaScript has parsed.
"""

from farcall import errors, messages, platform
from farcall.connection import parts
from farcall.connection.channel import Channel
from farcall.platform import buffers as memory
from farcall.values import registered
from farcall.values.codec import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from farcall.connection.answers import Answers
    from farcall.connection.pending import Key, Pending
    from farcall.connection.waits import Waits
    from farcall.messages import Buffers, Frame, Wire
    from farcall.platform.buffers import Buffer
    from farcall.values.codec import Codec


class Duplex(Channel):
    """Handles messages in their order; its parts are set by the session that is one.

    Attributes:
        answers: calls of the peer, forgotten when it has seen the reply.
        waits: holds back messages behind one whose values must be awaited.
        pending: calls of this side.
        codec: decodes values.
        unsent: takes back what a frame exported that was not sent.
        handlers: what takes a frame, by its kind.
    """

    answers: "Answers"
    waits: "Waits"
    pending: "dict[Key, Pending]"
    codec: "Codec"
    unsent: "Callable[[Frame], object]"
    handlers: "dict[str, Callable[[Frame, Buffers], object]]"
    bytes_received = 0

    def _receive(self, header: "str", buffers: "Buffers" = ()) -> None:
        """Handle a message; the endpoint calls this outside any task."""
        if self.error is not None:
            return
        if self.waits.held is not None:
            self.waits.held.append((header, buffers))
            return
        self._scheduled = True  # what is sent meanwhile goes out with `_settled`
        try:
            batch = self._parsed(header, buffers)
            plain = not registered.decoded and not (platform.MICROPYTHON and buffers)
            if plain or not self.waits.hold(header, batch, buffers):
                self._dispatch(batch, buffers)
        except BaseException as exc:
            self._broke(exc)
        finally:
            self._settled(buffers)

    def _resume(self, batch: "list[Wire]", buffers: "Buffers") -> None:
        """Dispatch a message whose asynchronous values have been decoded."""
        if self.error is None:
            self._scheduled = True
            try:
                self._dispatch(batch, buffers)
            except BaseException as exc:
                self._broke(exc)
            finally:
                self._settled(buffers)

    def _broke(self, exc: "BaseException") -> None:
        """End the session over a message that cannot be handled."""
        if not isinstance(exc, errors.ProtocolError):
            self.close(errors.ProtocolError(f"a malformed message: {exc!r}"))
        else:
            self.close(exc)
        if not isinstance(exc, Exception):  # an interrupt, in farcall's own code
            raise exc

    def _parsed(self, header: "str", buffers: "Buffers") -> "list[Wire]":
        """The frames of a message, after the number of messages that the peer has received."""
        size = len(header)
        if size > self.limits["header"]:
            raise errors.ProtocolError(f"a header of {size} characters")
        if buffers:
            more = memory.total(buffers)
            if more > self.limits["buffers"]:
                raise errors.ProtocolError(f"buffers of {more} bytes")
            size += more
        self.bytes_received += size
        if self.tracer is not None:
            self.tracer.message("in", self.received + 1, header, buffers)
        try:
            batch: "Wire" = loads(header)
        except MemoryError:
            batch = parts.loaded(header)
        if type(batch) is not list or not batch or type(batch[0]) is not int:
            raise errors.ProtocolError("expected a count and frames")
        return batch  # type: ignore[no-any-return]

    def _dispatch(self, batch: "list[Wire]", buffers: "Buffers") -> None:
        self.received += 1  # not before: the peer forgets what we cannot ask for any more
        if self.answers.settled:
            self.answers.forget(batch[0])
        handlers = self.handlers
        for index in range(1, len(batch)):
            frame = batch[index]
            handlers[frame[0]](frame, buffers)
            if self.error is not None:
                return

    def _replied(self, seen: "int", number: "int", value: "object", length: "int") -> None:
        """Handle a message that is one plain result, parsed in JavaScript."""
        waiter = self.pending.get(number)
        special = self.tracer is not None or self.waits.held is not None or self.error
        if waiter is None or waiter.timer is not None or special:
            self._receive(dumps([seen, [messages.RET, number, value]]))
            return
        self._scheduled = True
        self.bytes_received += length
        self.received += 1
        if self.answers.settled:
            self.answers.forget(seen)
        del self.pending[number]
        self.owes_ack = True
        if waiter.settle(value):
            waiter.wake()
            platform.drain()
        self._settled(())

    def _settled(self, buffers: "Buffers") -> None:
        """End the turn: wake tasks, send what was sent meanwhile, acknowledge with it or later."""
        if buffers and self.waits.held is None:
            # Free now what was transferred: its memory is reused.
            self.codec.arrived = ()
        if self.woken:
            self._wake()
        self._scheduled = False
        if self._out:
            self._flush()
        if self.owes_ack:
            self._acknowledge_later()

    def _wake(self) -> None:
        """Let the tasks run whose waiters are settled, and those that they settle."""
        while self.woken:
            woken = list(self.woken)
            del self.woken[:]
            for waiter in woken:
                waiter.wake()
            platform.drain()

    # -- messages that cannot leave as they are

    def _in_parts(
        self, frames: "list[Frame]", buffers: "list[Buffer]", failure: "Exception"
    ) -> None:
        """Send frames as several messages; one that cannot be sent alone costs its call only."""
        first = self.sent + 1
        divided = parts.halves(frames)
        if len(divided) == 1:
            self._refused(frames[0], buffers, failure)
        else:
            for part in divided:
                own = parts.taken(part, buffers)
                reason = self._sent(part, own) if self.error is None else None
                if reason is not None:
                    self._in_parts(part, own, reason)
        self.answers.postpone(first, self.sent)

    def _refused(self, frame: "Frame", buffers: "list[Buffer]", failure: "Exception") -> None:
        """Send the error in the place of a frame that cannot be sent."""
        if frame[0] == messages.BACK:
            return  # the memory stays here
        if not buffers and not isinstance(failure, errors.LimitError):
            self._unsent(failure)  # no text can be sent: it is not this frame's fault
            return
        error = type(failure)(f"{parts.subject(frame)} {failure}")
        instead = parts.substitute(frame, self.codec.encode_exception(error))
        if instead is None:
            self._unsent(failure)
            return
        self.unsent(frame)
        if not instead[1]:
            self.complain(error, "of a one-way call")
            return
        reason = self._sent([instead], [])
        if reason is not None:
            self._unsent(reason)
