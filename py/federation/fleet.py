"""Calls of Flower's Fleet API: protobuf by POST, signed by the node's key.

The signature covers the time alone, and the SuperLink takes it for 300 s; so headers are signed
again after `SIGNED`, and the connection must be https where others could listen.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

from federation import wire
from federation.errors import FleetError, UnknownNodeError

__all__ = ["CALLS", "Answer", "Fleet", "Key", "Transport", "carried"]

if TYPE_CHECKING:
    Call = Callable[..., Awaitable[dict[str, Any]]]
    """Makes a call of the Fleet API: its name and fields -> the fields of the answer."""

PATH = "/v1/fleet/"
CALLS = {
    "register-node": "RegisterNodeFleet",
    "activate-node": "ActivateNode",
    "deactivate-node": "DeactivateNode",
    "send-node-heartbeat": "SendNodeHeartbeat",
    "get-run": "GetRun",
    "pull-messages": "PullMessages",
    "pull-object": "PullObject",
    "confirm-message-received": "ConfirmMessageReceived",
    "push-messages": "PushMessages",
    "push-object": "PushObject",
}
"""The ten calls of a node -> the kinds of their messages, less "Request" and "Response"."""

TOKEN = "x-join-token"  # header that a gateway may ask for
SIGNED = 120.0  # seconds
NEVER = float("-inf")
WRONG = 2.0  # seconds that clocks may differ without correction; the SuperLink allows 5
FAR = 3e9  # seconds: no clock is a century off, and after the year 9999 there is no time to sign


@dataclass
class Answer:
    """An answer of HTTP; `date` is its header, if it has one."""

    status: int
    body: bytes
    date: str | None


class Transport(Protocol):
    """How bytes travel."""

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Return the answer to a POST; raises UnreachableError where there was none."""


class Key(Protocol):
    """An EC key of a node; `public` is its public half as PEM. Beside it a note is kept: which
    message the node has in work.
    """

    public: bytes

    async def sign(self, data: bytes) -> bytes:
        """Return the DER of the ECDSA signature of the SHA-256 of `data`."""

    async def keep(self, note: bytes) -> None:
        """Keep a note in place of the last, for the next visit with this key too."""

    async def kept(self) -> bytes:
        """Return the note; b"" if there is none."""


class Fleet:
    """The Fleet API for one key.

    Args:
        transport: to the SuperLink, or the gateway before it.
        key: signs the calls.
        token: what a gateway asks of those who join.

    Raises:
        ValueError: no header carries the token.

    Attributes:
        calls: how many were answered.
        sent: bytes of their bodies.
        received: bytes of the answers' bodies.
    """

    def __init__(self, transport: Transport, key: Key, token: str = "") -> None:
        self.key = key
        self.calls = self.sent = self.received = 0
        self._transport, self._token = transport, carried(token)
        self._headers: dict[str, str] = {}
        self._signed = NEVER
        self._offset = 0.0  # of the SuperLink's clock to ours

    def now(self) -> float:
        """Return the time by the SuperLink's clock, as far as it is known."""
        return time.time() + self._offset

    async def call(self, name: str, **fields: Any) -> dict[str, Any]:
        """Return the fields of the answer to a call of `CALLS`.

        Raises:
            UnreachableError: no answer came.
            UnknownNodeError: the SuperLink does not know the node.
            FleetError: it refused.
            FormatError: the answer is no message of its kind.
        """
        body = wire.encode(f"{CALLS[name]}Request", fields)
        headers = await self._sign()
        answer = await self._post(name, body, headers)
        if answer.status == 401 and self._correct_clock(answer.date, headers):
            answer = await self._post(name, body, await self._sign())
        if answer.status == 200:
            return wire.decode(f"{CALLS[name]}Response", answer.body)
        kind = UnknownNodeError if answer.status == 401 else FleetError
        raise kind(name, answer.status, _reason(answer.body))

    async def prepared(self, name: str, **fields: Any) -> tuple[str, bytes, dict[str, str]]:
        """Return path, body and freshly signed headers of a call that something else sends."""
        self._signed = NEVER
        body = wire.encode(f"{CALLS[name]}Request", fields)
        return PATH + name, body, await self._sign()

    async def _post(self, name: str, body: bytes, headers: dict[str, str]) -> Answer:
        answer = await self._transport.post(PATH + name, body, headers)
        self.calls += 1
        self.sent += len(body)
        self.received += len(answer.body)
        return answer

    async def _sign(self) -> dict[str, str]:
        # The clock says how old headers are, as it does to the SuperLink: what counts seconds alone
        # may stand still while a device sleeps.
        now = time.time()
        if abs(now - self._signed) > SIGNED:
            moment = datetime.fromtimestamp(now + self._offset, UTC).isoformat()
            self._headers = {
                "content-type": "application/protobuf",
                "flwr-public-key": b64encode(self.key.public).decode(),
                "flwr-timestamp": moment,
                "flwr-signature": b64encode(await self.key.sign(moment.encode())).decode(),
                **({TOKEN: self._token} if self._token else {}),
            }
            self._signed = now
        return self._headers

    def _correct_clock(self, date: str | None, headers: dict[str, str]) -> bool:
        """Take the SuperLink's time where ours differs; False where that can't be the reason."""
        if headers is not self._headers:  # another call has taken it since these were signed
            return True
        if not date:
            return False
        try:
            there = parsedate_to_datetime(date).timestamp() + 0.5
        except (ValueError, OverflowError):
            return False
        if abs(there - self.now()) < WRONG or abs(there - time.time()) > FAR:
            return False
        self._offset = there - time.time()
        self._headers, self._signed = {}, NEVER
        return True


def carried(token: str) -> str:
    """Return a token that a header carries.

    Raises:
        ValueError: it is another.
    """
    if not (token.isascii() and token.isprintable()):
        raise ValueError(f"token: expected printable ASCII, received {token!r}")
    return token


def _reason(body: bytes) -> str:
    text = body[:500].decode("utf-8", "replace")
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return text
