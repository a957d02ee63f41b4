"""Objects of a Comlink peer: one port each, released when the last proxy is gone."""

from farcall import errors, platform
from farcall.comlink import frames, ports
from farcall.comlink.frames import number as unique
from farcall.comlink.gate import Gate
from farcall.comlink.serve import Exposed, Options
from farcall.comlink.values import Incoming, Outgoing, received
from farcall.proxies import remote
from farcall.values.codec import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# MicroPython cannot tell when a call is dropped: an error that nobody has awaited by then is told.
UNRETRIEVED_AFTER = 1.0
# Every connection now, so that a test can show that nothing is left.
alive: "dict[int, Wrapped]" = {}


class Pending(platform.Waiter):
    """What a call waits for."""

    timer: "Any" = None
    dropped = False  # nobody can await it any more

    def __init__(self, calls: "Wrapped", number: "str", proxy: "Any", kind: "str") -> None:
        self._calls = calls
        self._number = number
        self.kind = kind
        self.proxy = proxy  # keeps the peer from being released while the call is under way

    @property
    def name(self) -> str:
        """What was called, for errors' texts."""
        return f"{self.proxy._farcall.text() or 'the peer'}()"

    def cancelled(self) -> None:
        """The awaiting task was cancelled: so is the call."""
        self._calls.cancel(self._number)


class Wrapped:
    """The calls through one port; what `Remote` asks of a session.

    Attributes:
        name: what the peer is called in errors' texts.
        error: why it ended, or None.
    """

    def __init__(
        self,
        port: "Any",
        timeout: "float | None",
        names: "Any",
        on_error: "Any",
        limits: "Any",
        realm: "Any" = None,
    ) -> None:
        self.name = "Comlink's peer"
        self.error: Any = None
        self.port = port
        self.timeout = timeout
        self._names = names
        self._on_error = on_error
        self._limits = dict(frames.LIMITS)
        self._limits.update(limits or {})
        self._prefix = platform.random_id()
        self._calls = 0
        self._heard = False
        self._pending: dict[str, Any] = {}
        self._woken: list[Any] = []
        self.children: list[Exposed] = []
        self.policy = Gate({})
        self.options = Options(None, True, limits, on_error)
        # What Remote asks of a session's parts, one object does here.
        self.directory = self.calls = self.streams = self.tables = self
        self._number = unique()
        alive[self._number] = self
        self.realm = realm or frames.Realm()
        self.realm.members[self._number] = self
        port.listen(frames.REPLIES, self._on_frame, self._on_broken, self._on_gone)

    def root(self) -> "remote.Remote":
        """The proxy whose life is the connection's: when it is collected, the peer is released."""
        reference = remote.Reference(self, 0)
        number = self._number
        if _registry is not None:
            reference.token = platform.javascript.token(_registry, number, 0)
        proxy = remote.Remote(reference)
        self._root = platform.weak(proxy, lambda _: _collected(number, 0))
        return proxy

    # -- what Remote asks for

    def foresee(self, ref: "Any", name: "str") -> None:
        """Refuse names that the target given to `wrap` lacks."""
        if self._names is not None and not ref.path and name not in self._names:
            raise AttributeError(f"the target given to wrap() has no {name!r}")

    def names(self, ref: "Any") -> "list[str]":
        """For dir(): of the target given to `wrap`."""
        return [] if self._names is None or ref.path else sorted(self._names)

    def call(self, proxy: "Any", args: "Any", kwargs: "dict[str, Any]") -> "remote.Call":
        """Send a call; keyword arguments travel as a trailing object."""
        extra = {"py": frames.KEYWORDS} if kwargs else {}
        values = list(args) + [dict(kwargs)] if kwargs else list(args)
        return self._request(frames.APPLY, proxy, values, extra)

    def construct(self, proxy: "Any", args: "Any", kwargs: "dict[str, Any]") -> "remote.Call":
        """As `call`, for JavaScript's `new`."""
        extra = {"py": frames.KEYWORDS} if kwargs else {}
        values = list(args) + [dict(kwargs)] if kwargs else list(args)
        return self._request(frames.CONSTRUCT, proxy, values, extra)

    def read(self, proxy: "Any") -> "remote.Call":
        """Ask for the value at the end of a path."""
        return self._request(frames.GET, proxy, None, {})

    def assign(self, proxy: "Any", value: "Any") -> "remote.Call":
        """Send an assignment, in order with calls."""
        return self._request(frames.SET, proxy, [value], {})

    def endpoint(self, proxy: "Any") -> "remote.Call":
        """Ask for a second port to the same object."""
        return self._request(frames.ENDPOINT, proxy, None, {})

    def remove(self, proxy: "Any") -> "Any":
        """Comlink cannot delete."""
        raise TypeError("Comlink has no message for `del`")

    def operate(self, proxy: "Any", name: "str", args: "Any") -> "Any":
        """`async with` releases at its end; nothing else has a message in Comlink."""
        if name == "enter":
            return _given((False, proxy))
        raise TypeError(f"Comlink has no message for the operation {name!r}: call a function")

    def iterate(self, proxy: "Any") -> "Any":
        """Comlink has no streams."""
        raise TypeError("Comlink has no streams: pass a callback that takes the items")

    def complain(self, error: "Any", whence: "str") -> None:
        """Hand on an error that nobody else can get."""
        if self._on_error is not None:
            self._on_error(error)
        else:
            platform.report(f"farcall.comlink: {type(error).__name__}: {error}, {whence}")

    def drop(self, waiter: "Any") -> None:
        """The last reference to a call is gone: its error is `on_error`'s."""
        waiter.dropped = True
        if waiter.error is not None:
            self._tell(waiter)

    def _tell(self, waiter: "Pending") -> None:
        if not waiter.retrieved:
            waiter.retrieved = True
            self.complain(waiter.error, f"of {waiter.name}, which nobody awaited")

    # -- requests

    def _request(
        self, kind: "str", proxy: "Any", values: "Any", extra: "dict[str, Any]"
    ) -> "remote.Call":
        ref = proxy._farcall
        self._check(ref)
        frame = Outgoing(self.serve)
        path = [_text(s) for s in ref.path]
        fields: dict[str, Any] = {"type": kind, "path": ["l"] + path}
        if kind == frames.SET:
            fields["value"] = frame.wire(values[0])
        elif values is not None:
            fields["argumentList"] = ["l"] + [frame.wire(v) for v in values]
        fields.update(extra)
        return self._send(ref, proxy, fields, frame)

    def _check(self, ref: "Any") -> None:
        if self.error is not None:
            raise errors.again(self.error)
        if ref.target:
            raise TypeError(f"await {ref.text()} first: Comlink cannot use a result on its way")
        remote.usable(ref)
        if len(self._pending) >= self._limits["pending"]:
            raise errors.LimitError(f"{len(self._pending)} calls are pending")

    def _send(
        self, ref: "Any", proxy: "Any", fields: "dict[str, Any]", frame: "Outgoing"
    ) -> "remote.Call":
        self._calls += 1
        number = f"{self._prefix}-{self._calls}"
        fields["id"] = number
        failure = self.port.post(dumps(fields), frame.buffers, frame.refs, frame.transfers)
        if failure:
            raise TypeError(f"an argument cannot cross: {failure}")
        waiter = self._pending[number] = Pending(self, number, proxy, fields["type"])
        if self.timeout is not None:
            waiter.timer = platform.Timer(self.timeout, lambda: self._timed_out(number))
        result = remote.Reference(self, -self._calls)
        result.via = ref
        result.waiter = waiter
        return remote.Call(result)

    def cancel(self, number: "str") -> None:
        """Forget a call and tell the peer, should it understand."""
        if self._pop(number) is not None and self.error is None:
            self.port.post(dumps({"type": frames.CANCEL, "id": number}), [], [], [])

    def _timed_out(self, number: "str") -> None:
        waiter = self._pending.get(number)
        if waiter is not None:
            self.cancel(number)
            self._settle(waiter, None, errors.TimeoutError(f"{waiter.name} took {self.timeout} s"))
            self._wake()

    def _pop(self, number: "Any") -> "Any":
        waiter = self._pending.pop(number, None) if isinstance(number, str) else None
        if waiter is not None and waiter.timer is not None:
            waiter.timer.cancel()
        return waiter

    def serve(self, value: "Any") -> "Any":
        """The far end of a new channel that serves an argument to the peer."""
        near, far = self.port.channel()
        child = Exposed(value, near, self.options, Gate(value, self.policy), self.realm)
        self.children = [c for c in self.children if c.is_open()]
        self.children.append(child)
        return far

    # -- replies

    def _on_frame(self, text: "str", buffers: "Any", refs: "Any", origin: "str") -> None:
        try:
            frame = Incoming().frame(text, buffers, refs)
        except errors.ProtocolError as exc:
            self.fail_all(exc)
            return
        if frame.get("type") not in frames.REPLIES:
            return
        waiter = self._pop(frame.get("id"))
        if waiter is None:
            self._stray(frame)
            return
        self._heard = True
        try:
            value, error = received(frame, self._adopt), None
            if waiter.kind == frames.ENDPOINT:
                ports.remember(value, self.realm.number)
        except Exception as exc:
            value, error = None, exc
        self._settle(waiter, value, error)
        self._wake()

    def _stray(self, frame: "dict[str, Any]") -> None:
        """A reply nobody waits for, forged, repeated or late: give back what it brought."""
        value = frame.get("value")
        if frame.get("name") == "proxy" and ports.is_port(value):
            self._adopt(value)._farcall.session.leave(errors.ReleasedError("nobody waits for it"))

    def _adopt(self, value: "Any") -> "Any":
        return adopted(value, self._on_error, self.timeout, self.realm)

    def _on_broken(self, number: "str", kind: "str", why: "str") -> None:
        error = errors.ProtocolError(f"the peer's message was refused: {why}")
        waiter = self._pop(number)
        if waiter is None:
            self.fail_all(error)
        else:
            self._settle(waiter, None, error)
            self._wake()

    def _on_gone(self, why: "str", all_of_it: "bool" = False) -> None:
        """The worker reported an error, or the port its end: nothing says what still comes."""
        if self._heard:
            error: Exception = errors.WorkerDiedError(f"the peer failed: {why}")
        else:
            error = errors.WorkerBootError(f"the peer never answered: {why}")
        if all_of_it:
            self.realm.fail(error)
        else:
            self.fail_all(error)

    def fail_all(self, error: "Exception") -> None:
        """End every pending call; later ones may still be answered."""
        for number in list(self._pending):
            self._settle(self._pop(number), None, errors.again(error))
        self._wake()

    def _settle(self, waiter: "Any", value: "Any", error: "Any") -> None:
        if waiter.settle(value, error):
            self._woken.append(waiter)
        elif error is not None and waiter.error is error:
            self._unheard(waiter)

    def _unheard(self, waiter: "Pending") -> None:
        """An error came that nobody waits for yet."""
        if waiter.dropped:
            self._tell(waiter)
        elif platform.MICROPYTHON:
            platform.Timer(UNRETRIEVED_AFTER, lambda: self._tell(waiter))

    def _wake(self) -> None:
        """Called where no task runs: a port's event, or a timer's."""
        woken, self._woken = self._woken, []
        for waiter in woken:
            waiter.wake()
        platform.drain()

    # -- the end

    def release(self, ref: "Any") -> "Any":
        """Give the peer's object up. Calls under way raise ReleasedError."""
        if ref.path:
            raise TypeError(f"{ref.text()} is a path: release what wrap() or a call gave")
        ref.released = True
        return self.leave(errors.ReleasedError("the proxy was released"))

    def leave(self, error: "Exception") -> "Any":
        """Tell the peer that its object is not needed, and end; pending calls raise `error`."""
        if self.error is None:
            fields = {"type": frames.RELEASE, "id": self._prefix + "-0"}
            self.port.post(dumps(fields), [], [], [])
            self.close(error)
        waiter = platform.Waiter()
        waiter.settle(None)
        return waiter

    def close(self, error: "Any" = None) -> None:
        """End it without a word to the peer: pending calls raise `error`."""
        if self.error is not None:
            return
        self.error = error or errors.SessionClosedError("the connection was closed")
        del alive[self._number]
        del self.realm.members[self._number]
        for number in list(self._pending):
            self._settle(self._pop(number), None, errors.again(self.error))
        if not isinstance(self.error, errors.ReleasedError):
            for child in self.children:
                child.close()
        self.port.close()
        if self._woken:
            platform.Timer(0, self._wake)

    def statistics(self) -> "dict[str, int]":
        """Calls without a reply, and arguments that the peer still holds."""
        held = len([c for c in self.children if c.is_open()])
        return {"pending": len(self._pending), "exports": held}


async def _given(value: "Any") -> "Any":
    return value


def _text(step: "Any") -> str:
    if isinstance(step, str):
        return step
    key = step[0]
    if type(key) in (int, str):
        return str(key)
    raise TypeError(f"Comlink's paths are texts: expected an int or str as key, received {key!r}")


def _collected(number: "int", generation: "int") -> None:
    connection = alive.get(number)
    if connection is not None:
        connection.leave(errors.ReleasedError("the proxy was collected"))


_registry = platform.finalizers(_collected)


def adopted(
    value: "Any", on_error: "Any", timeout: "float | None" = None, realm: "Any" = None
) -> "remote.Remote":
    """The proxy of what a port serves."""
    if not ports.is_port(value):
        raise errors.ProtocolError(f"expected a port, received a {type(value).__name__}")
    return Wrapped(ports.port_of(value), timeout, None, on_error, None, realm).root()
