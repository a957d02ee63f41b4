"""The messages of Comlink's wire, and how many of everything there may be."""

from farcall.comlink.values import HANDLER, RAW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GET, SET, APPLY, CONSTRUCT, ENDPOINT, RELEASE, CANCEL = (
    "GET",
    "SET",
    "APPLY",
    "CONSTRUCT",
    "ENDPOINT",
    "RELEASE",
    "CANCEL",  # ours: JavaScript's Comlink ignores types it does not know
)
REQUESTS = (GET, SET, APPLY, CONSTRUCT, ENDPOINT, RELEASE, CANCEL)
REPLIES = (RAW, HANDLER)
KEYWORDS = "kwargs"  # `py` of a request whose last argument is our keyword arguments

LIMITS = {
    "pending": 100_000,  # calls of ours without a reply
    "serving": 10_000,  # calls of the peer that run here, for one exposed object
    "exposed": 100_000,  # objects that peers hold, all together
    "arguments": 10_000,
    "id": 200,  # characters
}


class Realm:
    """All connections that lead to one peer: each proxy has a port of its own, but they die as one.

    A port does not say that its far end died (measured: Chromium fires no `close` for a terminated
    worker's ports), so the worker that the first of them went to speaks for all.
    """

    def __init__(self) -> None:
        self.members: dict[int, Any] = {}  # proxies of the peer's objects
        self.served: dict[int, Any] = {}  # objects of this side that the peer holds
        self.number = number()

    def fail(self, error: "Exception") -> None:
        """Nothing says what still comes: every pending call raises."""
        for member in list(self.members.values()):
            member.fail_all(error)

    def close(self, error: "Exception") -> None:
        """The peer is no more."""
        for member in list(self.members.values()):
            member.close(error)
        for exposed in list(self.served.values()):
            exposed.close()


_last = 0


def number() -> int:
    """A number that nothing else has."""
    global _last
    _last += 1
    return _last
