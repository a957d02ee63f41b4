"""The messages of Comlink's wire, and resource limits."""

from farcall.comlink.values import HANDLER, RAW

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
# `py` of a request of ours: whether its last argument is keyword arguments.
KEYWORDS, POSITIONAL = "kwargs", "args"

LIMITS = {
    "pending": 100_000,  # calls of ours without a reply
    "serving": 10_000,  # calls of the peer that run here, for one exposed object
    "exposed": 100_000,  # objects that peers hold, all together
    "arguments": 10_000,
    "id": 200,  # characters
}

_last = 0


def number() -> int:
    """A number that nothing else has."""
    global _last
    _last += 1
    return _last
