"""What a session sends through: something that carries a header and buffers, in order.

An endpoint has `start(receive, broken)`, `post(header, buffers) -> text of the failure or ""` and
`close()`. Where it has a true `boundary`, the peer is not this program: tracebacks stay here unless
asked for. It may have shorter ways for the commonest messages: `call(received, number, place,
*args) -> length, or text of the failure` sends a call with plain arguments, and `replied`, when the
session has set it, is called with (received, number, value, length) for a plain result.
"""

import asyncio

from farcall import platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Port:
    """Over a JavaScript MessagePort: of a MessageChannel, a worker, a SharedWorker."""

    def __init__(self, port: "Any") -> None:
        self._port = port
        self._poster = platform.javascript.poster(port, "")
        self._text = self._poster.text
        self.call = self._poster.call
        self.replied: "Any" = None
        self._source: "Any" = None
        self._origin = ""
        self._listens_on = port
        self._stop: "Any" = None
        self._callbacks: "list[Any]" = []

    def start(self, receive: "Any", broken: "Any") -> None:
        """Listen; messages that came before are delivered then."""
        keep = [
            platform.callback(receive),
            platform.callback(lambda header, data: receive(header, _buffers(data))),
            platform.callback(broken),
        ]
        if self.replied is not None:
            keep.append(platform.callback(self.replied))
        self._callbacks = keep
        replied = keep[3] if len(keep) > 3 else None
        self._stop = platform.javascript.open(
            self._listens_on, keep[0], keep[1], keep[2], replied, self._source, self._origin
        )

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
        self._hang_up()
        callbacks, self._callbacks = self._callbacks, []
        platform.forget_later(callbacks)

    def _hang_up(self) -> None:
        self._port.close()


class Met(Port):
    """Base of transports that everybody can talk on: the two ends must find each other first.

    A header is preceded by the ids of receiver and sender. Whoever starts asks for any peer
    ("?"), who hears it answers ("!"), and from then on each listens to the other only. What is
    sent earlier waits.
    """

    boundary = True

    def __init__(self, target: "Any") -> None:
        super().__init__(target)
        self.call = None  # the short ways know no addresses
        self._me = platform.random_id()
        self._peer = ""
        self._early: "list[Any]" = []
        self._receive: "Any" = None

    def start(self, receive: "Any", broken: "Any") -> None:
        """Listen, and look for the peer."""
        self._receive = receive
        self.replied = None
        super().start(self._heard, lambda received: None)  # others' messages are not ours to judge
        self._say("*", "?", [])

    def _say(self, to: "str", header: "str", buffers: "list[Any]") -> str:
        return self._deliver(f"{to} {self._me} {header}", buffers)

    def _deliver(self, text: "str", buffers: "list[Any]") -> str:
        return super().post(text, buffers)

    def post(self, header: "str", buffers: "list[Any]") -> str:
        """Send to the peer, or keep until there is one."""
        if not self._peer:
            self._early.append((header, buffers))
            return ""
        return self._say(self._peer, header, buffers)

    def _heard(self, text: "str", buffers: "Any" = ()) -> None:
        parts = text.split(" ", 2)
        if len(parts) != 3 or parts[1] == self._me or parts[0] not in ("*", self._me):
            return
        _, sender, header = parts
        if header in ("?", "!"):
            self._meet(sender, header)
        elif sender == self._peer:
            self._receive(header, buffers)

    def _meet(self, sender: "str", header: "str") -> None:
        if self._peer:
            return
        self._peer = sender
        if header == "?":
            self._say(sender, "!", [])
        early, self._early = self._early, []
        for message in early:
            self._say(sender, message[0], message[1])


class Window(Met):
    """Between a page and an iframe or another window: origin and source are checked both ways.

    Args:
        window: the other window: iframe.contentWindow, or window.parent.
        origin: the other's origin, such as "https://example.org". There is no "*".
    """

    def __init__(self, window: "Any", origin: "str") -> None:
        if not isinstance(origin, str) or "://" not in origin:
            raise ValueError(
                f"Window: expected an origin such as https://host, received {origin!r}"
            )
        super().__init__(window)
        self._poster = platform.javascript.poster(window, origin)
        self._text = self._poster.text
        self._listens_on = platform.js.globalThis
        self._source = window
        self._origin = origin

    def _hang_up(self) -> None:
        """A window is not ours to close."""


class Broadcast(Met):
    """Between two contexts of one origin over a BroadcastChannel; buffers are copied."""

    copies = True

    def __init__(self, name: "str") -> None:
        super().__init__(platform.js.BroadcastChannel.new(name))

    def _deliver(self, text: "str", buffers: "list[Any]") -> str:
        return str(self._poster.copies(text, _js_array(buffers)))


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
