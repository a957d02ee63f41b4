"""Messages of a node: fetched and sent, each with the objects that it consists of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nn.io.errors import LimitError, MissingEntryError

from federation import objects, wire
from federation.errors import FederationError
from federation.message import Message, Metadata

__all__ = ["Call", "Letter", "Mailbox"]

Call = Callable[..., Awaitable[dict[str, Any]]]
"""Makes a call of the Fleet API: its name and fields -> the fields of the answer."""
KEPT = 64 << 20  # bytes
READING = 15.0  # seconds; server apps ask for answers every 3
TIMES = 3  # that an answer is announced
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds, for an object that the server app is still sending


@dataclass
class Letter:
    """An answer as it is sent: what is said of it, the tree of its objects, and these by id."""

    run_id: int
    about: dict[str, Any]
    tree: objects.Tree
    parts: dict[str, bytes]


class Mailbox:
    """The mailbox of one node; it keeps the last message's objects, which the next has often.

    Args:
        call: makes a call of the Fleet API.
        node_id: whose.
        now: the SuperLink's time.
    """

    def __init__(self, call: Call, node_id: int, now: Callable[[], float]) -> None:
        self._call, self._now = call, now
        self._node = {"node_id": node_id}
        self._sent: dict[str, Any] = {}  # of the last answer: its run and object
        self._known: dict[str, bytes] = {}  # the last message: what is evaluated is trained next

    async def look(self) -> tuple[Metadata, objects.Tree] | None:
        """Return what the next message is about, and the tree of its objects; None if none.

        Raises:
            FormatError: it does not say what it is about.
        """
        found = await self._call("pull-messages", node=self._node)
        if not found["messages_list"] or not found["message_object_trees"]:
            return None
        if "metadata" not in found["messages_list"][0]:
            raise MissingEntryError("message: expected its metadata, received none")
        metadata = Metadata(**found["messages_list"][0]["metadata"])
        return metadata, found["message_object_trees"][0]

    async def fetch(self, metadata: Metadata, tree: objects.Tree) -> Message:
        """Return a message with its content.

        Raises:
            FormatError: an object is damaged, missing, or above the limits.
        """
        identifiers = objects.identifiers(tree)
        objects.LIMITS.check_entries(len(identifiers), "message")
        received: dict[str, bytes] = {}
        size = 0
        for identifier in identifiers:
            data = self._known.get(identifier)
            received[identifier] = data or await self._object(metadata.run_id, identifier)
            size += len(received[identifier])
            if size > objects.LIMITS.total:
                raise LimitError(f"message: expected at most {objects.LIMITS.total} bytes")
        self._known = received if size <= KEPT else {}
        await self._call(
            "confirm-message-received",
            node=self._node,
            run_id=metadata.run_id,
            message_object_id=metadata.message_id,
        )
        _, children, _ = objects.split(received[tree["object_id"]])
        if not children:
            raise MissingEntryError("message: expected a content, received none")
        return Message(objects.inflate(children[0], received), metadata=metadata)

    async def _object(self, run_id: int, identifier: str) -> bytes:
        for wait in (*WAITS, None):
            found = await self._call(
                "pull-object", node=self._node, run_id=run_id, object_id=identifier
            )
            if found["object_available"]:
                return objects.verify(identifier, found["object_content"])
            if not found["object_found"] or wait is None:
                break
            await asyncio.sleep(wait)
        raise MissingEntryError(f"message: expected object {identifier}, the SuperLink has none")

    def letter(self, reply: Message) -> Letter:
        """Return an answer as it is sent.

        Raises:
            Exception: of any kind: an app may put into records what cannot be written.
        """
        metadata = reply.metadata.sent(self._now()).fields()
        failure: dict[str, Any] = {}
        children: list[objects.Tree] = []
        parts: dict[str, bytes] = {}
        if reply.has_error():
            error = reply.error
            failure = {"error": {"code": error.code, "reason": error.reason or ""}}
        else:
            content, parts = objects.deflate(reply.content)
            children = [content]
        body = wire.encode("Message", {"metadata": metadata, **failure})
        tree = objects.pack("Message", body, children, parts)
        metadata["message_id"] = tree["object_id"]
        about = {"metadata": metadata, **(failure or {"content": {}})}
        return Letter(metadata["run_id"], about, tree, parts)

    async def send(self, letter: Letter, seconds: float) -> None:
        """Send an answer; `seconds` is what it took to make.

        Raises:
            LimitError: its message has ended, and the SuperLink takes no answer to it.
        """
        for _ in range(TIMES):
            answer = await self._call(
                "push-messages",
                node=self._node,
                messages_list=[letter.about],
                message_object_trees=[letter.tree],
                clientapp_runtime_list=[seconds],
            )
            wanted = set(answer["objects_to_push"])
            ordered = [name for name in objects.identifiers(letter.tree) if name in wanted]
            fields = {"run_id": letter.run_id, "session_id": answer["session_id"]}
            if await self._pushed(fields, {name: letter.parts[name] for name in ordered}):
                break
        self._sent = {"run_id": letter.run_id, "object_id": letter.tree["object_id"]}
        times = letter.about["metadata"]  # the clock is right now: a call with a wrong one is 401
        late = self._now() - times["created_at"] - times["ttl"]
        if late > 0:
            raise LimitError(f"answer: expected before its message ends, sent {late:.1f} s later")

    async def _pushed(self, fields: dict[str, Any], parts: dict[str, bytes]) -> bool:
        """Send objects; False if one is not taken, as by a gateway that was restarted meanwhile."""
        for identifier, data in parts.items():
            found = await self._call(
                "push-object",
                node=self._node,
                object_id=identifier,
                object_content=data,
                **fields,
            )
            if not found["stored"]:
                return False
        return True

    async def until_read(self, pause: float) -> None:
        """Wait until the server app has read the answer, for 15 s at most; look every `pause` s.

        Flower says "Node Unavailable" in place of an answer whose node has left: flwr 1.42 asks
        which nodes are there before it looks for their answers. It deletes what was read.
        """
        end = time.monotonic() + READING
        while self._sent and time.monotonic() < end:
            try:
                found = await self._call("pull-object", node=self._node, **self._sent)
                if not found["object_found"]:
                    break
            except FederationError as error:
                if not error.passing:  # the run is over, or the SuperLink was restarted
                    raise
            await asyncio.sleep(pause)
