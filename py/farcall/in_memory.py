"""Two endpoints in one interpreter, joined without a port: for tests and programs of CPython."""

from farcall import platform
from farcall.endpoints import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from farcall.endpoints import Broken, Receive
    from farcall.platform.buffers import Buffer


class Mailbox:
    """Messages to one end of an in-memory pair: kept until it listens, delivered in later turns."""

    def __init__(self) -> None:
        self.closed = False
        self._receive: "Receive | None" = None
        self._early: "list[tuple[Any, ...]]" = []

    def listen(self, receive: "Receive") -> None:
        """Have receive(*message) called for each message; those that came before are delivered."""
        self._receive = receive
        early, self._early = self._early, []
        for message in early:
            platform.soon(self._deliver, *message)

    def put(self, *message: "Any") -> None:
        """Deliver a message a turn later."""
        if self._receive is None:
            self._early.append(message)
        else:
            platform.soon(self._deliver, *message)

    def _deliver(self, *message: "Any") -> None:
        if not self.closed and self._receive is not None:
            self._receive(*message)


class Memory(Endpoint):
    """One end of an in-memory pair: what is posted arrives at the other end a turn later."""

    peer: "Memory"

    def __init__(self) -> None:
        self.inbox = Mailbox()

    def start(self, receive: "Receive", broken: "Broken") -> None:
        """Listen; messages that came before are delivered."""
        self.inbox.listen(receive)

    def post(self, header: "str", buffers: "list[Buffer]") -> str:
        """Hand over to the other end; the buffers are the receiver's from now on."""
        if not self.inbox.closed:
            self.peer.inbox.put(header, buffers)
        return ""

    def close(self) -> None:
        """Stop listening."""
        self.inbox.closed = True


def memory_pair() -> "tuple[Memory, Memory]":
    """Two connected endpoints in one interpreter."""
    a, b = Memory(), Memory()
    a.peer, b.peer = b, a
    return a, b
