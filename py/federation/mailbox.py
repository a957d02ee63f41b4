"""Messages of a node: fetched and sent, each with the objects that it consists of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nn.io.errors import CorruptError, LimitError, MissingEntryError

from federation import objects, wire
from federation.errors import FederationError
from federation.message import Message, Metadata

if TYPE_CHECKING:
    from federation.fleet import Call

__all__ = ["Letter", "Mailbox", "each"]

AT_ONCE = 4  # calls under way for the objects of a message; flwr's own node makes 2
KEPT = 64 << 20  # bytes
READING = 15.0  # seconds; server apps ask for answers every 3
TIMES = 3  # that an answer is announced
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds, for an object that the server app is still sending


@dataclass
class Letter:
    """An answer as it is sent: what is said of it, the tree of its objects, and these by id."""

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
        received = {name: self._known[name] for name in identifiers if name in self._known}
        size = sum(map(len, received.values()))

        async def pull(identifier: str) -> None:
            nonlocal size
            received[identifier] = await self._object(metadata.run_id, identifier)
            size += len(received[identifier])
            objects.LIMITS.check_total(size, "message")

        await each(pull, [name for name in identifiers if name not in received])
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
        for wait in (0.0, *WAITS):
            await asyncio.sleep(wait)
            found = await self._call(
                "pull-object", node=self._node, run_id=run_id, object_id=identifier
            )
            data = found["object_content"]
            with suppress(CorruptError):  # half of it came, or the server app still sends it
                return objects.verify(identifier, data)
        return objects.verify(identifier, data)

    def letter(self, reply: Message) -> Letter:
        """Return an answer as it is sent.

        Raises:
            Exception: of any kind: an app may put into records what cannot be written.
        """
        metadata = reply.metadata.sent(self._now()).fields()
        about: dict[str, Any] = {"metadata": metadata}
        children: list[objects.Tree] = []
        parts: dict[str, bytes] = {}
        if reply.has_error():
            about["error"] = {"code": reply.error.code, "reason": reply.error.reason or ""}
        else:
            content, parts = objects.deflate(reply.content)
            children = [content]
        tree = objects.pack("Message", wire.encode("Message", about), children, parts)
        metadata["message_id"] = tree["object_id"]
        if children:
            about["content"] = {}
        return Letter(about, tree, parts)

    async def send(self, letter: Letter, seconds: float) -> None:
        """Send an answer; `seconds` is what it took to make.

        Raises:
            LimitError: its message has ended, and the SuperLink takes no answer to it.
            MissingEntryError: it was announced three times, and never taken whole.
        """
        about = letter.about["metadata"]
        for _ in range(TIMES):
            answer = await self._call(
                "push-messages",
                node=self._node,
                messages_list=[letter.about],
                message_object_trees=[letter.tree],
                clientapp_runtime_list=[seconds],
            )
            if await self._pushed(letter, answer):
                break
        else:
            raise MissingEntryError(f"answer: expected it to be taken, sent {TIMES} times")
        self._sent = {"run_id": about["run_id"], "object_id": about["message_id"]}
        # The clock is right now: a call with a wrong one is 401.
        late = self._now() - about["created_at"] - about["ttl"]
        if late > 0:
            raise LimitError(f"answer: expected before its message ends, sent {late:.1f} s later")

    async def _pushed(self, letter: Letter, answer: dict[str, Any]) -> bool:
        """Send what was asked for; False if not all is taken, as by a gateway that was restarted
        meanwhile, or if the answer is none.
        """
        wanted = set(answer["objects_to_push"])
        names = [name for name in letter.parts if name in wanted]
        session = taken = answer["session_id"]

        async def push(identifier: str) -> None:
            nonlocal taken
            if taken:
                found = await self._call(
                    "push-object",
                    node=self._node,
                    run_id=letter.about["metadata"]["run_id"],
                    session_id=session,
                    object_id=identifier,
                    object_content=letter.parts[identifier],
                )
                taken = taken and found["stored"]

        await each(push, names[:-1])
        await each(push, names[-1:])  # the message itself last: with it, it can be read
        return bool(taken)

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


async def each(work: Callable[[str], Awaitable[None]], names: Iterable[str]) -> None:
    """Do some work for each name, four at a time; when one fails, those under way end by
    themselves (a call that is cancelled may leave its connection open), and it is raised.

    >>> await each(pull, identifiers)
    """
    left, failed = iter(names), []

    async def some() -> None:
        for name in left:
            try:
                await work(name)
            except Exception as error:
                failed.append(error)
            if failed:
                break

    await asyncio.gather(*[some() for _ in range(AT_ONCE)])
    if failed:
        raise failed[0]
