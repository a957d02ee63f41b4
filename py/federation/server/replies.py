"""Replies on their way to a SuperLink: held until they are complete, and looked at whole.

flwr 1.42 holds up a whole round, for 180 s and more, at a reply that was announced and whose
objects do not come: a tab was closed while it sent. So the SuperLink hears of complete ones only.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any

from nn.io.errors import FormatError, LimitError

from federation import objects, wire
from federation.server.limits import Limits

__all__ = ["Refusal", "Replies", "Reply"]


class Refusal(Exception):
    """A request that is answered with an error.

    Attributes:
        status: of HTTP.
        reason: what the client is shown.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status, self.reason = status, reason


@dataclass
class Reply:
    """A reply of which objects are still coming; `body` is its push-messages request, `delivery`
    is there while it is passed on."""

    key: str
    body: bytes
    metadata: dict[str, Any]
    root: str
    needed: set[str]
    since: float = field(default_factory=time.monotonic)
    parts: dict[str, bytes] = field(default_factory=dict)
    delivery: asyncio.Task[Any] | None = None

    @property
    def size(self) -> int:
        return len(self.body) + sum(map(len, self.parts.values()))

    @property
    def message(self) -> str:
        """The id of what it answers."""
        return str(self.metadata["reply_to_message_id"])

    @property
    def complete(self) -> bool:
        return len(self.parts) == len(self.needed)

    def check(self, limits: Limits) -> None:
        """Look at a complete reply as the server app will; an object counts each time it is named.

        Raises:
            Refusal: it is not what was announced, or is damaged: flwr's server app would end; or
                it is above the limits.
        """
        most = replace(objects.LIMITS, total=limits.reply, entries=limits.objects)
        try:
            kind, children, body = objects.split(self.parts[self.root])
            inside = wire.decode("Message", body)
            if kind != "Message" or inside.get("metadata") != self.metadata | {"message_id": ""}:
                raise Refusal(403, "a reply that says something else inside")
            if "error" in inside:
                return
            for record in objects.inflate(children[0], self.parts, most).array_records.values():
                record.to_numpy_ndarrays()
        except LimitError as error:
            raise Refusal(413, f"reply: {error}"[:300]) from error
        except (FormatError, IndexError, TypeError) as error:
            raise Refusal(400, f"damaged reply: {error}"[:300]) from error


class Replies:
    """The replies that are not complete, by session.

    All replies of one node together take no more than one may: its older ones go first. So a node
    that announces and never sends leaves room for the others.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._replies: dict[str, Reply] = {}

    @property
    def held(self) -> int:
        """Bytes of all of them."""
        return sum(reply.size for reply in self._replies.values())

    def announce(self, key: str, body: bytes) -> tuple[str, list[str]]:
        """Return a session and the ids of the objects to send.

        Raises:
            Refusal: no single reply of the node that sends it, or above the limits.
        """
        pushed = decoded("PushMessagesRequest", body)
        metadata, tree = self._one(pushed)
        wanted = objects.identifiers(tree)
        if len(wanted) > self._limits.objects:
            raise Refusal(413, f"at most {self._limits.objects} objects a reply")
        self._expire()
        if self.held + len(body) > self._limits.held:
            raise Refusal(503, "too many replies at once")
        session = secrets.token_hex(16)
        self._replies[session] = Reply(key, body, metadata, tree["object_id"], set(wanted))
        return session, wanted

    def confirm(self, session: str) -> None:
        """Let older replies of the same node go for this one, now that it is known to be the
        node's own: who merely names its key must not be able to drop them. One to the same message
        goes in any case: it was announced without an answer, or refused."""
        reply = self._replies.get(session)
        if reply is None:
            return
        older = [(s, r) for s, r in self._replies.items() if r.key == reply.key and r is not reply]
        size = reply.size + sum(r.size for _, r in older)
        for at, one in older:
            if size > self._limits.reply or one.message == reply.message:
                self.drop(at)
                size -= one.size

    def _one(self, pushed: dict[str, Any]) -> tuple[dict[str, Any], objects.Tree]:
        try:
            [message], [tree] = pushed["messages_list"], pushed["message_object_trees"]
            metadata, node = message["metadata"], pushed["node"]["node_id"]
        except (ValueError, KeyError):
            raise Refusal(400, "expected one reply of a node") from None
        if metadata["src_node_id"] != node:
            raise Refusal(403, "a reply of another node")
        if metadata["message_id"] != tree["object_id"]:
            raise Refusal(400, "a reply under another id")
        return metadata, tree

    def come(self, key: str, pushed: dict[str, Any]) -> Reply | None:
        """Keep an object and return the reply that it belongs to; None if it belongs to none.

        Raises:
            Refusal: the reply is above the limits, or of another key.
        """
        self._expire()
        session, identifier = pushed["session_id"], pushed["object_id"]
        reply = self._replies.get(session)
        if reply is None or identifier not in reply.needed:
            return None
        if reply.key != key:
            raise Refusal(403, "a reply of another node")
        try:
            reply.parts[identifier] = objects.verify(identifier, pushed["object_content"])
        except FormatError:
            return None
        if reply.size > self._limits.reply:
            self.drop(session)
            raise Refusal(413, f"at most {self._limits.reply} bytes a reply")
        self.confirm(session)
        if self.held > self._limits.held:
            self.drop(session)
            raise Refusal(413, "too many replies at once")
        return reply

    def drop(self, session: str) -> None:
        """Forget a reply."""
        self._replies.pop(session, None)

    def _expire(self) -> None:
        oldest = time.monotonic() - self._limits.seconds
        for session, reply in list(self._replies.items()):
            if reply.since < oldest:
                self.drop(session)


def decoded(kind: str, body: bytes) -> dict[str, Any]:
    """Return a request's fields.

    Raises:
        Refusal: the body is no such message.
    """
    try:
        return wire.decode(kind, body)
    except LimitError as error:
        raise Refusal(413, str(error)) from error
    except FormatError as error:
        raise Refusal(400, str(error)) from error
