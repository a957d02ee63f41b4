"""What a client may send, and how often."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

from federation.fleet import CALLS

__all__ = ["BODIES", "Bucket", "Limits"]

KIB, MIB = 1 << 10, 1 << 20
BODIES = dict.fromkeys(CALLS, 4 * KIB) | {"push-messages": 256 * KIB, "push-object": 6 * MIB}
"""Bytes of a request's body, by call. Flower's objects have at most 5 MiB."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a gateway.

    Attributes:
        objects: in one reply.
        reply: bytes of one reply.
        held: bytes of all replies that are not complete.
        seconds: in which a reply must become complete, and any one request arrive.
        rate: registrations in a second from one address, after a burst of 20.
    """

    objects: int = 2000
    reply: int = 64 * MIB
    held: int = 512 * MIB
    seconds: float = 180.0
    rate: float = 1.0


class Bucket:
    """A token bucket for each address."""

    BURST, MOST = 20.0, 10_000

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> bool:
        """Whether one more is allowed now."""
        now = time.monotonic()
        left, since = self._filled.pop(address, (self.BURST, now))
        left = min(self.BURST, left + (now - since) * self._rate)
        allowed = left >= 1
        self._filled[address] = (left - allowed, now)
        while len(self._filled) > self.MOST:
            self._filled.popitem(last=False)
        return allowed
