"""Endpoints: what a session sends through. Write another one by subclassing `Endpoint`.

class Socket(farcall.endpoints.Endpoint):
    def start(self, receive, broken): self.receive = receive; ...
    def post(self, header, buffers): ...; return ""
    def close(self): ...

engine = await farcall.connect(Socket(url))
"""

import sys

from farcall import platform
from farcall.platform import buffers as memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.messages import Buffers
    from farcall.platform.buffers import Buffer
    from farcall.platform.javascript import JavaScript

    Receive = Callable[..., object]  # (header, buffers=())
    Broken = Callable[[str], object]


LONG_HEADER = 8192  # characters, from which on a header crosses as UTF-8, ahead of the buffers


class Endpoint:
    """Carries messages, each a header and buffers, to one peer: complete, once, and in order.

    Attributes:
        boundary: whether the peer is another program than this: tracebacks stay here then,
            unless asked for. A subclass that sets no such attribute is no boundary.
        copies: whether buffers are copied on their way, so that they need not be given back.
        call: None, or a shorter way for a call with plain arguments: call(received, number,
            place, *args) sends it, and gives the length of its header, or a text that says what
            went wrong.
        replied: where `call` is not None, the session sets this before `start`: a function to
            call with (received, number, value, length) for a message that is one plain result.
    """

    call: "Callable[..., int | str] | None" = None
    replied: "Callable[[int, int, Any, int], object] | None" = None

    def start(self, receive: "Receive", broken: "Broken") -> None:
        """Listen; messages that came before are delivered then.

        Args:
            receive: takes the header and the list of buffers, outside any task.
            broken: takes a description of what came and is no message.
        """
        raise NotImplementedError

    def post(self, header: "str", buffers: "list[Buffer]") -> str:
        """Send; the buffers are the peer's from now on. Gives what went wrong, or ""."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening; nothing is sent or received any more."""
        raise NotImplementedError


class Port(Endpoint):
    """Over a JavaScript MessagePort: of a MessageChannel, a worker, a SharedWorker."""

    def __init__(self, port: "JavaScript") -> None:
        self._port = port
        self._poster = platform.javascript.poster(port, "")
        self._text = self._poster.text
        self.call = self._poster.call
        self.replied = None
        self._source: "JavaScript" = None
        self._origin = ""
        self._listens_on = port
        self._stop: "JavaScript" = None
        self._callbacks: "list[JavaScript]" = []

    def start(self, receive: "Receive", broken: "Broken") -> None:
        """Listen; messages that came before are delivered then."""
        keep = [
            platform.callback(receive),
            platform.callback(lambda header, data: self._arrived(header, data, receive, broken)),
            platform.callback(broken),
        ]
        if self.replied is not None:
            keep.append(platform.callback(self.replied))
        self._callbacks = keep
        replied = keep[3] if len(keep) > 3 else None
        self._stop = platform.javascript.open(
            self._listens_on, keep[0], keep[1], keep[2], replied, self._source, self._origin
        )

    def _arrived(
        self, header: "str", data: "JavaScript", receive: "Receive", broken: "Broken"
    ) -> None:
        buffers = platform.from_array(data, 1)
        try:
            text = header or memory.to_header(buffers.pop(0))
        except (IndexError, MemoryError, TypeError, ValueError) as exc:
            broken(f"a header that cannot be read: {exc!r}")
        else:
            receive(text, buffers)

    def post(self, header: "str", buffers: "list[Buffer]") -> str:
        """Send; the buffers' memory goes along."""
        if len(header) >= LONG_HEADER:
            header, buffers = "", [memory.from_text(header)] + buffers
        if not buffers:
            return self._text(header)  # type: ignore[no-any-return]
        return str(self._poster.buffers(header, platform.to_array(buffers)))

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
    """Base of transports that anyone can talk on: the two ends must find each other first.

    A header is preceded by the ids of receiver and sender. Whoever starts asks for any peer
    ("?"), who hears it answers ("!"), and from then on each listens to the other only. What is
    sent earlier waits.
    """

    boundary = True

    def __init__(self, target: "JavaScript") -> None:
        super().__init__(target)
        self.call = None  # the shorter way knows no addresses
        self._me = platform.random_id()
        self._peer = ""
        self._early: "list[tuple[str, list[Buffer]]]" = []
        self._receive: "Receive" = platform.report

    def start(self, receive: "Receive", broken: "Broken") -> None:
        """Listen, and look for the peer."""
        self._receive = receive
        self.replied = None
        super().start(self._heard, lambda received: None)  # others' messages are not ours to judge
        self._say("*", "?", [])

    def _say(self, to: "str", header: "str", buffers: "list[Buffer]") -> str:
        return self._deliver(f"{to} {self._me} {header}", buffers)

    def _deliver(self, text: "str", buffers: "list[Buffer]") -> str:
        return super().post(text, buffers)

    def post(self, header: "str", buffers: "list[Buffer]") -> str:
        """Send to the peer, or keep until there is one."""
        if not self._peer:
            self._early.append((header, buffers))
            return ""
        return self._say(self._peer, header, buffers)

    def _heard(self, text: "str", buffers: "Buffers" = ()) -> None:
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

    def __init__(self, window: "JavaScript", origin: "str") -> None:
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

    def _deliver(self, text: "str", buffers: "list[Buffer]") -> str:
        return str(self._poster.copies(text, platform.to_array(buffers)))


if TYPE_CHECKING:

    def memory_pair() -> "tuple[Endpoint, Endpoint]":
        """Two connected endpoints in one interpreter."""


def __getattr__(name: "str") -> "Any":
    """Import the in-memory pair when it is asked for: no page that only predicts has it."""
    if name == "memory_pair":
        __import__("farcall.in_memory")
        return sys.modules["farcall.in_memory"].memory_pair
    raise AttributeError(name)
