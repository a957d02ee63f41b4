"""Messages between a server app and a client app, with the names of `flwr.app`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from federation.records import RecordDict

__all__ = ["DEFAULT_TTL", "Context", "Error", "Message", "MessageType", "Metadata"]

DEFAULT_TTL = 43_200  # seconds that Flower gives a message


class MessageType:
    """The categories of messages; a type may have an action after a dot."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    QUERY = "query"


@dataclass
class Error:
    """Why there is no content.

    Attributes:
        code: of `flwr.app`'s ErrorCode; 2 is an exception in the client app.
        reason: its text.
    """

    code: int
    reason: str | None = None


@dataclass
class Metadata:
    """Who wrote a message to whom, and in which run; times are seconds since 1970."""

    run_id: int = 0
    message_id: str = ""
    src_node_id: int = 0
    dst_node_id: int = 0
    reply_to_message_id: str = ""
    group_id: str = ""
    created_at: float = 0.0
    ttl: float = 0.0
    message_type: str = ""
    src_task_id: int | None = None
    dst_task_id: int | None = None

    def reply(self) -> Metadata:
        """Return the metadata of an answer; its times are the question's until it is sent."""
        return replace(
            self,
            message_id="",
            src_node_id=self.dst_node_id,
            dst_node_id=self.src_node_id,
            reply_to_message_id=self.message_id,
            src_task_id=self.dst_task_id,
            dst_task_id=self.src_task_id,
        )

    def sent(self, now: float) -> Metadata:
        """Return the same with the moment of sending, which is not outside the question's life: a
        clock that jumped says so, and a SuperLink takes no such answer, without a word.
        """
        end = self.created_at + self.ttl
        moment = now if self.created_at < now < end else self.created_at
        return replace(self, created_at=moment, ttl=end - moment)

    def fields(self) -> dict[str, Any]:
        """Return the fields of the wire; what is None is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Message:
    """A message from the server app, or a client app's answer to one.

    >>> Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    Args:
        content: records, or an Error.
        reply_to: the message that this one answers.
        error: in place of a content.
        metadata: of a message that was received.
    """

    def __init__(
        self,
        content: RecordDict | Error | None = None,
        *,
        reply_to: Message | None = None,
        error: Error | None = None,
        metadata: Metadata | None = None,
    ) -> None:
        if isinstance(content, Error):
            content, error = None, content
        if (content is None) == (error is None):
            raise TypeError("Message: expected a content or an error, received both or none")
        if reply_to is not None:
            metadata = reply_to.metadata.reply()
        if metadata is None:
            raise TypeError("Message: expected reply_to, as client apps only answer")
        self._content, self._error = content, error
        self.metadata: Metadata = metadata

    @property
    def content(self) -> RecordDict:
        """The records.

        Raises:
            ValueError: the message has an error instead.
        """
        if self._content is None:
            raise ValueError("Message: expected a content, received an error; see has_content()")
        return self._content

    @property
    def error(self) -> Error:
        """The error.

        Raises:
            ValueError: the message has a content instead.
        """
        if self._error is None:
            raise ValueError("Message: expected an error, received a content; see has_error()")
        return self._error

    def has_content(self) -> bool:
        """Whether there are records."""
        return self._content is not None

    def has_error(self) -> bool:
        """Whether there is an error in place of records."""
        return self._error is not None


@dataclass
class Context:
    """What a client app has beside a message.

    Attributes:
        run_id: of the run that asks.
        node_id: of this node.
        node_config: settings of this node, the same in all runs.
        state: records that the app keeps from one message of the run to the next, on this device.
        run_config: settings of the run: those of the app, and over them what `flwr run` was given.
        series_id: of the series that the run belongs to, which has one state; 0 if none.
    """

    run_id: int
    node_id: int
    node_config: dict[str, Any]
    state: RecordDict = field(default_factory=RecordDict)
    run_config: dict[str, Any] = field(default_factory=dict)
    series_id: int = 0
