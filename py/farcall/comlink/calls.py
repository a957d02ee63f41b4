"""Calls through one Comlink port: pending until the reply, a time-out or the connection's end."""

from farcall import errors, platform
from farcall.comlink import frames
from farcall.comlink.values import Outgoing, UndecodableError
from farcall.connection.pending import Pending, PendingCalls
from farcall.proxies import remote
from farcall.values.codec import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.comlink.ports import Port
    from farcall.comlink.realm import Options
    from farcall.connection.pending import Key
    from farcall.messages import Wire
    from farcall.proxies.remote import Reference, Remote, Step, Value


class Call(Pending):
    """What a call waits for; `kind` is that of its request."""

    kind = ""

    def name(self) -> str:
        """What was called, for errors' texts."""
        return f"{self.proxy._farcall.text() or 'the peer'}()"


class Calls(PendingCalls):
    """The pending calls of one connection.

    Args:
        port: what they are sent through.
        serve: gives the port, as it travels, that serves an argument.
        timeout: seconds after which a call raises TimeoutError; None waits.
        options: the limits, and what takes an error that no caller can get.
    """

    def __init__(
        self,
        port: "Port",
        serve: "Callable[[Value], Any]",
        timeout: "float | None",
        options: "Options",
    ) -> None:
        super().__init__([], options.complain)
        self._port = port
        self._serve = serve
        self._timeout = platform.seconds(timeout)
        self._limit = options.limits["pending"]
        self._prefix = platform.random_id()
        self._last = 0
        self.ended: "BaseException | None" = None

    def request(
        self,
        kind: "str",
        proxy: "Remote",
        values: "list[Value] | None" = None,
        keywords: "bool" = False,
    ) -> "remote.Call":
        """Send a request; gives the Call of its reply.

        Args:
            kind: one of frames.REQUESTS.
            proxy: leads to the target.
            values: arguments, or the one that is assigned.
            keywords: whether the last argument is keyword arguments.

        Raises:
            TypeError: a value cannot cross.
        """
        ref = proxy._farcall
        self._check(ref)
        frame = Outgoing(self._serve)
        fields: "dict[str, Wire]" = {"type": kind, "path": ["l"] + [_text(s) for s in ref.path]}
        if values is not None:
            if kind == frames.SET:
                fields["value"] = frame.wire(values[0])
            else:
                fields["argumentList"] = ["l"] + [frame.wire(v) for v in values]
                fields["py"] = frames.KEYWORDS if keywords else frames.POSITIONAL
        self._last += 1
        number = f"{self._prefix}-{self._last}"
        fields["id"] = number
        failure = self._port.post(dumps(fields), frame.buffers, frame.refs, frame.transfers)
        if failure:
            raise TypeError(f"an argument cannot cross: {failure}")
        waiter = Call(self, number, proxy)
        waiter.kind = kind
        self.pending[number] = waiter
        if self._timeout is not None:
            self.time(waiter, self._timeout, lambda: self._late(waiter))
        result = remote.Reference(ref.connection, -self._last)
        result.via = ref
        result.waiter = waiter
        return remote.Call(result)

    def _check(self, ref: "Reference") -> None:
        if self.ended is not None:
            raise errors.again(self.ended)
        if ref.target:
            raise TypeError(f"await {ref.text()} first: Comlink cannot use a result on its way")
        remote.usable(ref)
        if len(self.pending) >= self._limit:
            raise errors.LimitError(f"{len(self.pending)} calls are pending")

    def tell(self, kind: "str", number: "Key | None" = None) -> None:
        """Send a message that has no reply."""
        key = f"{self._prefix}-0" if number is None else number
        self._port.post(dumps({"type": kind, "id": key}), [], [], [])

    def cancel(self, key: "Key") -> None:
        """Forget a call and tell the peer, should it understand."""
        if self.take(key) is not None and self.ended is None:
            self.tell(frames.CANCEL, key)

    def _late(self, waiter: "Call") -> None:
        if waiter.key in self.pending:
            self.cancel(waiter.key)
            error = errors.TimeoutError(f"{waiter.name()} took {self._timeout} s")
            self.settle(waiter, None, error)
            self.wake()

    def fail(self, key: "Key", error: "BaseException") -> bool:
        """End one call with an error; False if it is not pending."""
        waiter = self.take(key)
        if waiter is not None:
            self.settle(waiter, None, error)
            self.wake()
        return waiter is not None

    def undecodable(self, error: "errors.ProtocolError") -> None:
        """End the call whose reply holds what is no value; all of them if it names none."""
        if not isinstance(error, UndecodableError):
            self.fail_all(error)
            self.wake()
            return
        key = error.fields.get("id")
        refused = errors.ProtocolError(str(error))
        if not isinstance(key, str) or not self.fail(key, refused):
            self._complain(refused, "of a reply")

    def wake(self) -> None:
        """Wake what was settled; called where no task runs: in a port's event, or a timer's."""
        woken = list(self._woken)
        del self._woken[:]
        for waiter in woken:
            waiter.wake()
        platform.drain()

    def wake_soon(self) -> None:
        """Wake what was settled in a separate turn: safe inside a task."""
        if self._woken:
            platform.Timer(0, self.wake)


def _text(step: "Step") -> str:
    if isinstance(step, str):
        return step
    key = step[0]
    if type(key) in (int, str):
        return str(key)
    raise TypeError(f"Comlink's paths are texts: expected an int or str as key, received {key!r}")
