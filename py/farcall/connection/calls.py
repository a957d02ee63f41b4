"""Calls of this side: pending until the reply, a time-out, a cancellation or the session's end.

`request` is the way of every call, read, assignment and operation: it encodes the frame, sends it
and notes the call as pending. The first half of `call` is a short cut of it for the commonest
call, with plain arguments along a path of names: half of MicroPython's time for one.
"""

from farcall import errors, messages
from farcall.connection.operators import written
from farcall.connection.pending import Pending, PendingCalls
from farcall.proxies import remote
from farcall.values.bulk import LONG
from farcall.values.codec import dumps
from farcall.values.registered import cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.connection.channel import Channel
    from farcall.connection.pending import Key
    from farcall.connection.references import Tables
    from farcall.messages import Buffers, Frame
    from farcall.proxies.remote import Reference, Remote, Value

_TAGGED = (list, dict)
_WRITTEN = {messages.GET: "{}", messages.SET: "{} = ...", messages.DEL: "del {}"}


class Calls(PendingCalls):
    """The pending calls of one session.

    Args:
        channel: sends the frames.
        tables: the session's reference tables.
        refuse: refuses a call of those functions that the session's messages wait for.
    """

    def __init__(self, channel: "Channel", tables: "Tables", refuse: "Callable[[], None]") -> None:
        super().__init__(channel.woken, channel.complain)
        self._channel = channel
        self._tables = tables
        self._encoding = tables.encoding
        self._decode_with = tables.encoding.codec.decode_with
        self._refuse_hooks = refuse
        self._last = 0

    # -- requests

    def call(self, proxy: "Remote", args: "tuple[Value, ...]", kwargs: "dict[str, Value]") -> "Any":
        """Send a call of what `proxy` leads to; gives the Call, or None if it is one-way."""
        ref = proxy._farcall
        plain = 0 if kwargs or ref.options is not None or ref.target < 0 else _plain(args)
        if not plain or not ref.named:
            one_way = ref.options is not None and ref.options.get("one_way")
            return self.request(messages.CALL, proxy, args, kwargs, bool(one_way))
        channel = self._channel
        pending = self.pending
        owner = ref.owner
        if channel.error is not None or len(pending) >= channel.room:
            self._refuse()
        if (ref if owner is None else owner._farcall).released:
            remote.usable(ref)
        number = self._last = self._last + 1
        place = ref.place
        if place is None and plain == _SHORT:
            place = self._place(ref)
        frame = [messages.CALL, number, ref.target, ref.wire or list(ref.path), args, {}]
        channel.send_call(frame, place if plain == _SHORT else None)
        return self._sent(number, proxy, ref, channel.timeout)

    def _place(self, ref: "Reference") -> "str | None":
        """Target and path as JSON, from the second call of a proxy on."""
        if ref.wire is None:
            ref.wire = list(ref.path)
            return None
        ref.place = f"{ref.target},{dumps(ref.wire)}"
        return ref.place

    def read(self, proxy: "Remote") -> "remote.Call":
        """Ask for the value at the end of the proxy's path."""
        return self.request(messages.GET, proxy)  # type: ignore[no-any-return]

    def assign(self, proxy: "Remote", value: "Value") -> "remote.Call":
        """Send an assignment to the last step of the proxy's path."""
        return self.request(messages.SET, proxy, (value,))  # type: ignore[no-any-return]

    def remove(self, proxy: "Remote") -> "remote.Call":
        """Send a deletion of the last step of the proxy's path."""
        return self.request(messages.DEL, proxy)  # type: ignore[no-any-return]

    def operate(self, proxy: "Remote", name: "str", args: "tuple[Value, ...]") -> "remote.Call":
        """Ask for one of `operations.OPERATIONS` on what `proxy` leads to."""
        return self.request(messages.OP, proxy, args, name)  # type: ignore[no-any-return]

    def request(
        self,
        kind: "str",
        proxy: "Remote",
        args: "tuple[Value, ...] | None" = None,
        more: "dict[str, Value] | str | None" = None,
        one_way: "bool" = False,
    ) -> "Any":
        """Send a request; gives the Call, or None if it is one-way.

        Args:
            kind: of the frame.
            proxy: leads to the target.
            args: arguments, or the value to assign.
            more: keyword arguments, or the operation's name.
            one_way: whether nothing comes back.
        """
        ref = proxy._farcall
        if self._channel.error is not None or len(self.pending) >= self._channel.room:
            self._refuse()
        owner = ref.owner
        if (ref if owner is None else owner._farcall).released:
            remote.usable(ref)
        frame = self._encoding.attempt(self._frame, kind, ref, args, more)
        if one_way:
            self._channel.send(frame)
            return None
        number = frame[1] = self._last = self._last + 1  # an `encode` may have sent a call
        self._channel.send(frame)
        seconds = self._channel.timeout
        if ref.options is not None:
            seconds = ref.options.get("timeout", seconds)
        call = self._sent(number, proxy, ref, seconds)
        if kind != messages.CALL:
            call._farcall.asked = _WRITTEN.get(kind) or written(more)
        return call

    def _frame(
        self,
        kind: "str",
        ref: "Reference",
        args: "tuple[Value, ...] | None",
        more: "dict[str, Value] | str | None",
    ) -> "Frame":
        encoding = self._encoding
        path = ref.wire
        if path is None:
            path = self._tables.path(ref)
            if ref.named:  # keys are encoded each time: they may hold objects, bytes and calls
                ref.wire = path
        target = ref.target if ref.target >= 0 else self._tables.target(ref)
        frame: "Frame" = [kind, 0, target, path]
        if args is not None:
            frame.append(encoding.codec.encode_all(args))
        if more is not None:
            frame.append(encoding.codec.encode(more) if more else {})
        if encoding.dependencies:
            frame.append(encoding.dependencies)
        return frame

    def _sent(
        self, number: "int", proxy: "Remote", via: "Reference", seconds: "float | None"
    ) -> "remote.Call":
        waiter = self.pending[number] = Pending(self, number, proxy)
        if seconds is not None:
            self.time(waiter, seconds, lambda: self._late(waiter, result, seconds))
        result = remote.Reference(via.connection, -number)
        result.waiter = waiter
        result.via = via
        return remote.Call(result)

    def _refuse(self) -> None:
        error = self._channel.error
        if error is not None:
            raise errors.again(error)
        if len(self.pending) >= self._channel.limits["pending"]:
            raise errors.LimitError(f"{len(self.pending)} calls are pending")
        self._refuse_hooks()

    # -- ends

    def on_ret(self, frame: "Frame", buffers: "Buffers") -> None:
        """Handle a `ret` frame: the pending call has its result."""
        number = frame[1]
        value = frame[2]
        waiter = self._replied(number)
        if type(value) in _TAGGED:
            try:
                value = self._decode_with(value, buffers)
            except BaseException as exc:
                self._channel.send([messages.CANCEL, number])  # so that what it entered is left
                self.settle(waiter, None, cause(exc))
                return
        if waiter.settle(value):
            self._woken.append(waiter)

    def on_err(self, frame: "Frame", buffers: "Buffers") -> None:
        """Handle an `err` frame: the pending call raises the exception that it holds."""
        number = frame[1]
        wire = frame[2]  # before the call is taken out: a short frame ends the session, and it
        waiter = self._replied(number)
        self.settle(waiter, None, self._encoding.codec.decode_error(wire, buffers))

    def _replied(self, number: "object") -> "Pending":
        """The pending call that a reply names."""
        waiter = self.pending.pop(number, None) if type(number) is int else None
        if waiter is None:
            raise errors.ProtocolError(f"a reply to call {number!r}, which is not pending")
        if waiter.timer is not None:
            waiter.timer.cancel()
        self._channel.owes_ack = True
        return waiter

    def cancel(self, key: "Key") -> None:
        """Send a `cancel` frame: the caller has gone."""
        if key in self.pending and self._channel.error is None:
            self._channel.send([messages.CANCEL, key])

    def _late(self, waiter: "Pending", asked: "Reference", seconds: "float") -> None:
        if not waiter.done:
            error = errors.TimeoutError(f"{asked.text()} took more than {seconds} s")
            self.cancel(waiter.key)
            waiter.settle_now(None, error)


_SHORT = 2


def _plain(args: "tuple[Value, ...]") -> int:
    """0 unless all arguments are their own wire form, _SHORT if JavaScript's as well.

    MicroPython wraps integers above 2**30 on their way to JavaScript.
    """
    found = _SHORT
    for value in args:
        kind = type(value)
        if kind is int:
            if -1_000_000_000 < value < 1_000_000_000:
                continue
            found = 1
            if not -(2**63) <= value < 2**63:
                return 0
        elif kind is str:
            if len(value) >= LONG:
                return 0
            found = 1
        elif kind is not bool and value is not None:
            return 0
    return found
