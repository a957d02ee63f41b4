"""What crosses, as it crosses: `with farcall.trace(engine) as log: ...`.

Costs nothing until it is asked for: then every header is parsed once more.
"""

import json

from farcall import messages, platform
from farcall.connection.channel import Channel
from farcall.platform.buffers import total
from farcall.proxies import remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from farcall.messages import Buffers, Frame

    Event = dict[str, Any]

_REPLIES = (messages.RET, messages.ERR)
_REQUESTS = (messages.CALL, messages.GET, messages.SET, messages.DEL, messages.OP)


class Trace:
    """A log of messages.

    Attributes:
        events: a dict for each frame: time (seconds), direction ("in", "out"), message (number),
            kind, id, label, bytes (of its whole message).
        slow: seconds after which a finished call is reported at once; None for never.
    """

    def __init__(self, channel: "Channel", slow: "float | None" = None) -> None:
        self._channel = channel
        self._begun: "dict[tuple[str, object], Event]" = {}
        self._start = platform.clock()
        self.slow = slow
        self.events: "list[Event]" = []
        self.calls: "list[Event]" = []

    def __enter__(self) -> "Trace":
        self._channel.tracer = self
        return self

    def __exit__(self, kind: "object", exc: "object", traceback: "object") -> None:
        self._channel.tracer = None

    def message(self, direction: "str", number: "int", header: "str", buffers: "Buffers") -> None:
        """Take down a message; the session calls this."""
        now = platform.clock() - self._start
        length = len(header) + total(buffers)
        for frame in json.loads(header)[1:]:
            self._frame(now, direction, number, frame, length)

    def _frame(
        self, now: "float", direction: "str", number: "int", frame: "Frame", length: "int"
    ) -> None:
        kind = str(frame[0])
        event = {
            "time": now,
            "direction": direction,
            "message": number,
            "kind": kind,
            "id": frame[1] if len(frame) > 1 else None,
            "label": _label(frame),
            "bytes": length,
        }
        self.events.append(event)
        if kind in _REQUESTS:
            self._begun[(direction, frame[1])] = event
        elif kind in _REPLIES:
            self._ended(now, "in" if direction == "out" else "out", frame)

    def _ended(self, now: "float", direction: "str", frame: "Frame") -> None:
        request = self._begun.pop((direction, frame[1]), None)
        if request is None:
            return
        call = dict(request)
        call["seconds"] = now - request["time"]
        call["failed"] = frame[0] == messages.ERR
        self.calls.append(call)
        if self.slow is not None and call["seconds"] > self.slow:
            platform.report(f"farcall: {call['label']} took {call['seconds']:.3f} s")

    def chrome(self) -> str:
        """The log as JSON for chrome://tracing or Perfetto: a span a call, a mark a frame."""
        spans = [
            _chrome(c, "X", "calls " + c["direction"], dur=c["seconds"] * 1e6) for c in self.calls
        ]
        marks = [_chrome(e, "i", "frames " + e["direction"], s="t") for e in self.events]
        return json.dumps({"traceEvents": spans + marks})


def _chrome(event: "Event", phase: "str", thread: "str", **more: "object") -> "Event":
    entry = {
        "name": event["label"],
        "cat": event["kind"],
        "ph": phase,
        "ts": event["time"] * 1e6,
        "pid": 1,
        "tid": thread,
        "args": {"id": event["id"], "message": event["message"], "bytes": event["bytes"]},
    }
    entry.update(more)
    return entry


def _label(frame: "Frame") -> str:
    kind = str(frame[0])
    if kind not in _REQUESTS or len(frame) < 4:
        return kind
    path = "".join(["." + s if isinstance(s, str) else str(s) for s in frame[3]])
    operation = f" {frame[5]}" if kind == messages.OP else ""
    return f"{kind}{operation} #{frame[2]}{path}"


def trace(proxy: "remote.Remote", slow: "float | None" = None) -> "Trace":
    """A context manager that logs all messages of a proxy's session.

    Args:
        proxy: any proxy of the session.
        slow: report calls that take longer than these seconds at once.
    """
    session = remote.reference(proxy, "trace").connection
    if not isinstance(session, Channel):
        raise TypeError("trace: expected a proxy of a farcall session")
    return Trace(session, slow)
