"""Calls of this side: on their way until the reply, a time-out, a cancellation or the end."""

from farcall import errors, messages, platform
from farcall.proxies import remote
from farcall.values.codec import dumps
from farcall.values.registered import cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# MicroPython cannot tell when a call is dropped: an error that nobody has awaited by then is told.
UNRETRIEVED_AFTER = 1.0
_TAGGED = (list, dict)


class Pending(platform.Waiter, remote.Reference):
    """A call on its way: what its remote.Call stands for, and what awaiting that waits for."""

    timer: "Any" = None
    dropped = False  # nobody can await it any more
    path: "Any" = ()
    owner: "Any" = None
    kind = messages.KIND_OBJECT
    name = ""

    def __init__(self, proxy: "Any", target: "int") -> None:
        self.proxy = proxy  # keeps its target from being released while the call is under way
        self.target = target  # minus the call's number

    @property
    def via(self) -> "Any":  # type: ignore[override]
        """The reference that was called."""
        return self.proxy._farcall

    @property
    def session(self) -> "Any":  # type: ignore[override]
        """Its session."""
        return self.proxy._farcall.session

    @property
    def waiter(self) -> "Any":  # type: ignore[override]
        """Itself."""
        return self

    def cancelled(self) -> None:
        """The awaiting task was cancelled: so is the call."""
        self.session.calls.cancel(-self.target)


class Calls:
    """The pending calls of one session."""

    def __init__(self, session: "Any") -> None:
        self._session = session
        self.pending: "dict[int, Pending]" = {}
        self._limit = session.limits["pending"]
        self._last = 0

    # -- requests

    def call(self, proxy: "Any", args: "Any", kwargs: "dict[str, Any]") -> "Any":
        """Send a call of what `proxy` leads to; gives the remote.Call, or None if one-way."""
        ref = proxy._farcall
        plain = 0 if kwargs or ref.options is not None or ref.target < 0 else _plain(args)
        if not plain or (ref.wire is None and not _names(ref.path)):
            return self._call(ref, proxy, args, kwargs)
        # The same for the commonest call, straight: half of MicroPython's time for one.
        session = self._session
        pending = self.pending
        owner = ref.owner
        if session.error is not None or len(pending) >= self._limit:
            self._refuse()
        if (ref if owner is None else owner._farcall).released:
            remote.usable(ref)
        number = self._last = self._last + 1
        place = ref.place
        if place is None and plain == _SHORT:
            place = self._place(ref)
        frame = [messages.CALL, number, ref.target, ref.wire or list(ref.path), args, {}]
        session.send_call(frame, place if plain == _SHORT else None)
        waiter = pending[number] = Pending(proxy, -number)
        if session.timeout is not None:
            self._time(number, waiter, session.timeout)
        return remote.Call(waiter)

    def _call(self, ref: "Any", proxy: "Any", args: "Any", kwargs: "dict[str, Any]") -> "Any":
        if ref.options is not None and ref.options.get("one_way"):
            self._send(messages.CALL, 0, ref, args, kwargs)
            return None
        return self._request(messages.CALL, ref, proxy, args, kwargs)

    def _place(self, ref: "Any") -> "Any":
        """Target and path as JSON, from the second call of a proxy on."""
        if ref.wire is None:
            ref.wire = list(ref.path)
            return None
        ref.place = f"{ref.target},{dumps(ref.wire)}"
        return ref.place

    def read(self, proxy: "Any") -> "Any":
        """Ask for the value at the end of the proxy's path."""
        return self._request(messages.GET, proxy._farcall, proxy)

    def assign(self, proxy: "Any", value: "Any") -> "Any":
        """Send an assignment to the last step of the proxy's path."""
        return self._request(messages.SET, proxy._farcall, proxy, (value,))

    def remove(self, proxy: "Any") -> "Any":
        """Send a deletion of the last step of the proxy's path."""
        return self._request(messages.DEL, proxy._farcall, proxy)

    def operate(self, proxy: "Any", name: "str", args: "Any") -> "Any":
        """Ask for one of policy.OPERATIONS on what `proxy` leads to."""
        return self._request(messages.OP, proxy._farcall, proxy, args, name)

    def _request(
        self, kind: "str", ref: "Any", proxy: "Any", args: "Any" = None, more: "Any" = None
    ) -> "Any":
        number = self._last + 1
        self._send(kind, number, ref, args, more)
        self._last = number
        waiter = self.pending[number] = Pending(proxy, -number)
        seconds = self._session.timeout
        if ref.options is not None:
            seconds = ref.options.get("timeout", seconds)
        if seconds is not None:
            self._time(number, waiter, seconds)
        return remote.Call(waiter)

    def _time(self, number: "int", waiter: "Pending", seconds: "float") -> None:
        waiter.timer = platform.Timer(seconds, lambda: self._late(number, seconds, waiter))

    def _send(self, kind: "str", number: "int", ref: "Any", args: "Any", more: "Any") -> None:
        """Write the frame; when a value cannot be encoded nothing of the attempt is left."""
        session = self._session
        if session.error is not None or len(self.pending) >= self._limit:
            self._refuse()
        remote.usable(ref)
        tables = session.tables
        mark = len(session.codec.buffers)
        if tables.attempted:
            del tables.attempted[:]
        if tables.dependencies:
            del tables.dependencies[:]
        try:
            target = ref.target if ref.target >= 0 else self.target(ref)
            frame = self._frame([kind, number, target, self._path(ref)], args, more)
        except Exception:
            del session.codec.buffers[mark:]
            tables.undo()
            raise
        session.send(frame)

    def _path(self, ref: "Any") -> "Any":
        if ref.wire is None:
            ref.wire = self._session.tables.path(ref.path)
        return ref.wire

    def _frame(self, frame: "list[Any]", args: "Any", more: "Any") -> "list[Any]":
        codec = self._session.codec
        if args is not None:
            frame.append(codec.encode_all(args))
        if more is not None:
            frame.append(codec.encode(more) if more else {})
        dependencies = self._session.tables.dependencies
        if dependencies:
            frame.append(list(dependencies))
        return frame

    def _refuse(self) -> None:
        error = self._session.error
        if error is not None:
            raise errors.again(error)
        raise errors.LimitError(f"{len(self.pending)} calls are pending")

    def target(self, ref: "Any") -> int:
        """The wire's target of a call's result; the result itself once it is here.

        Raises:
            TypeError: the call gave a plain value.
        """
        waiter = remote.holder(ref).waiter
        if waiter is None:
            return int(ref.target)
        if waiter.done and waiter.error is None and isinstance(waiter.value, remote.Remote):
            inner = waiter.value._farcall
            if inner.session is self._session and not inner.path:
                remote.usable(inner)
                return int(inner.target)
        if waiter.done:
            raise TypeError(f"the call gave {waiter.result()!r}: await it and use that")
        waiter.retrieved = True  # its error, if any, comes back from what is built on it
        self._session.tables.dependencies.append(-ref.target)
        return int(ref.target)

    # -- ends

    def on_ret(self, frame: "Any", buffers: "Any") -> None:
        """A result."""
        number = frame[1]
        value = frame[2]
        waiter = self.pending.pop(number, None) if type(number) is int else None
        if waiter is None or waiter.timer is not None:
            waiter = self._replied(number, waiter)
        self._session.owes_ack = True
        if type(value) in _TAGGED:
            try:
                value = self._session.codec.decode_with(value, buffers)
            except Exception as exc:
                self._settle(waiter, None, cause(exc))
                return
        if waiter.settle(value):
            self._session.woken.append(waiter)

    def on_err(self, frame: "Any", buffers: "Any") -> None:
        """Handle an `err` frame: the pending call raises the exception that it holds."""
        number = frame[1]
        wire = frame[2]  # before the call is taken out: a short frame ends the session, and it
        waiter = self.pending.pop(number, None) if type(number) is int else None
        waiter = self._replied(number, waiter)
        try:
            error = self._session.codec.decode_with(wire, buffers)
        except Exception as exc:
            error = cause(exc)
        if not isinstance(error, Exception):
            error = errors.ProtocolError(f"expected an exception, received {error!r}")
        self._settle(waiter, None, error)

    def _replied(self, number: "Any", waiter: "Any") -> "Pending":
        if waiter is None:
            raise errors.ProtocolError(f"a reply to call {number!r}, which is not pending")
        if waiter.timer is not None:
            waiter.timer.cancel()
        self._session.owes_ack = True
        found: "Pending" = waiter
        return found

    def _settle(self, waiter: "Pending", value: "Any", error: "Any") -> None:
        if waiter.settle(value, error):
            self._session.woken.append(waiter)
        elif error is not None and waiter.error is error:
            self._unheard(waiter)

    def _unheard(self, waiter: "Pending") -> None:
        """An error came that nobody waits for yet."""
        if waiter.dropped:
            self._tell(waiter)
        elif platform.MICROPYTHON:
            platform.Timer(UNRETRIEVED_AFTER, lambda: self._tell(waiter))

    def _tell(self, waiter: "Pending") -> None:
        if not waiter.retrieved:
            waiter.retrieved = True
            name = waiter.via.text()
            self._session.complain(waiter.error, f"of a call of {name!r} that nobody awaited")

    def drop(self, waiter: "Pending") -> None:
        """The last reference to a call is gone: its error is `on_error`'s."""
        waiter.dropped = True
        if waiter.error is not None:
            self._tell(waiter)

    def cancel(self, number: "int") -> None:
        """Tell the peer that nobody waits for a call any more."""
        if number in self.pending and self._session.error is None:
            self._session.send([messages.CANCEL, number])

    def _late(self, number: "int", seconds: "float", ref: "Any") -> None:
        waiter = self.pending.get(number)
        if waiter is None or waiter.done:
            return
        error = errors.TimeoutError(f"{ref.text()} took more than {seconds} s")
        self.cancel(number)
        waiter.settle_now(None, error)

    def abandon(self, error: "Any") -> "list[Any]":
        """End every pending call with `error`; gives the waiters to wake."""
        pending = list(self.pending.values())
        self.pending.clear()
        woken = []
        for waiter in pending:
            if waiter.timer is not None:
                waiter.timer.cancel()
            waiter.retrieved = True  # the session's on_close tells once, not each dropped call
            if waiter.settle(None, errors.again(error)):
                woken.append(waiter)
        return woken


_SHORT = 2


def _plain(args: "Any") -> int:
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
            found = 1
        elif kind is not bool and value is not None:
            return 0
    return found


def _names(path: "Any") -> bool:
    return all(type(step) is str for step in path)
