"""What a session sends through: something that carries a header and buffers, in order.

An endpoint has `start(receive, broken)`, `post(header, buffers) -> text of the failure or ""` and
`close()`.
"""

import asyncio

from . import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Port:
    """Over a JavaScript MessagePort, or anything with its methods: a Worker, a worker's self."""

    def __init__(self, port: "Any") -> None:
        self._port = port
        self._poster = platform.javascript.poster(port, "")
        self._text = self._poster.text
        self._stop: "Any" = None
        self._callbacks: "list[Any]" = []

    def start(self, receive: "Any", broken: "Any") -> None:
        """Listen; messages that came before are delivered then."""
        keep = [
            platform.callback(receive),
            platform.callback(lambda header, data: receive(header, _buffers(data))),
            platform.callback(broken),
        ]
        self._callbacks = keep
        self._stop = platform.javascript.open(self._port, keep[0], keep[1], keep[2], None)

    def post(self, header: "str", buffers: "list[Any]") -> str:
        """Send; the buffers' memory goes along."""
        if not buffers:
            return self._text(header)  # type: ignore[no-any-return]
        return str(self._poster.buffers(header, _js_array(buffers)))

    def close(self) -> None:
        """Stop listening, close the port."""
        if self._stop is not None:
            self._stop()
            self._stop = None
        if hasattr(self._port, "close"):
            self._port.close()
        callbacks, self._callbacks = self._callbacks, []
        platform.Timer(1, lambda: [platform.forget(c) for c in callbacks])


def _buffers(data: "Any") -> "list[Any]":
    return [data[i] for i in range(1, data.length)]


def _js_array(items: "list[Any]") -> "Any":
    array = platform.js.Array.new()
    for item in items:
        array.push(item)
    return array


class Memory:
    """One end of an in-memory pair: what is posted arrives at the other end a turn later."""

    def __init__(self) -> None:
        self.peer: "Memory | None" = None
        self._receive: "Any" = None
        self._early: "list[Any]" = []
        self._closed = False

    def start(self, receive: "Any", broken: "Any") -> None:
        """Listen; messages that came before are delivered."""
        self._receive = receive
        early, self._early = self._early, []
        for message in early:
            self._deliver(message)

    def post(self, header: "str", buffers: "list[Any]") -> str:
        """Hand over to the other end; the buffers are the receiver's from now on."""
        if self.peer is not None and not self._closed:
            self.peer._arrive((header, buffers))
        return ""

    def _arrive(self, message: "Any") -> None:
        if self._receive is None:
            self._early.append(message)
        else:
            self._deliver(message)

    def _deliver(self, message: "Any") -> None:
        if platform.MICROPYTHON:
            platform.Timer(0, lambda: self._hand(message))
        else:
            asyncio.get_running_loop().call_soon(self._hand, message)

    def _hand(self, message: "Any") -> None:
        if not self._closed:
            self._receive(message[0], message[1])

    def close(self) -> None:
        """Nothing arrives here any more."""
        self._closed = True


def memory_pair() -> "tuple[Memory, Memory]":
    """Two connected endpoints in one interpreter."""
    a, b = Memory(), Memory()
    a.peer, b.peer = b, a
    return a, b
