"""Messages on their way to nodes: held until a node has said that it has them.

flwr 1.42 hands each message out once: an answer that is lost on its way to a node leaves a message
without a reply, and the round waits for its time-out. So the gateway hands it out again, until the
node confirms or answers it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from nn.io.errors import FormatError

from federation import wire
from federation.server.limits import MIB

__all__ = ["Deliveries"]

HELD = 64 * MIB  # of all answers that are held: the oldest go first
TIMES = 8  # that a message is handed out: a node may be unable to read it


@dataclass
class Delivery:
    """What a SuperLink answered to a node that asked for messages."""

    key: str
    body: bytes
    times: int = 1


class Deliveries:
    """The messages that nodes have not confirmed yet, by id."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Delivery] = OrderedDict()
        self.held = 0  # bytes

    def out(self, key: str, body: bytes) -> bytes:
        """Keep an answer to pull-messages that has a message, and return it; where it has none,
        return that of a message which the node was given and has not confirmed.
        """
        if identifier := _identifier(body):
            self._drop(identifier)  # whoever has it twice has it by another key
            self._held[identifier] = Delivery(key, body)
            self.held += len(body)
            while self.held > HELD:
                self._drop(next(iter(self._held)))
            return body
        for identifier, found in list(self._held.items()):
            if found.key == key:
                found.times += 1
                self._held.move_to_end(identifier)
                if found.times >= TIMES:
                    self._drop(identifier)
                return found.body
        return body

    def arrived(self, key: str, identifier: str) -> None:
        """Forget a message that the node with this key has."""
        if identifier in self._held and self._held[identifier].key == key:
            self._drop(identifier)

    def _drop(self, identifier: str) -> None:
        if found := self._held.pop(identifier, None):
            self.held -= len(found.body)


def _identifier(body: bytes) -> str:
    """Return the id of the message in an answer; "" if it has none, or cannot be read."""
    try:
        found: list[dict[str, Any]] = wire.decode("PullMessagesResponse", body)["messages_list"]
    except FormatError:
        return ""
    return str(found[0]["metadata"]["message_id"]) if found and "metadata" in found[0] else ""
