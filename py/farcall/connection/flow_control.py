"""Frames of streams: credit for ours, items and ends of the peer's."""

from farcall import errors
from farcall.connection.producers import Producer
from farcall.connection.streams import Stream
from farcall.values.registered import cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from farcall.connection.references import Tables
    from farcall.messages import Buffers, Frame


class Streams:
    """The frames of one session's streams, both ways."""

    def __init__(self, tables: "Tables") -> None:
        self._tables = tables
        self._codec = tables.encoding.codec

    def on_pull(self, frame: "Frame", buffers: "Buffers") -> None:
        """Handle a `pull` frame: the peer grants credit."""
        _, number, credit = frame
        if type(credit) is not int or not 0 < credit <= 1_000_000:
            raise errors.ProtocolError(f"credit {credit!r} for stream {number!r}")
        export = self._tables.exports.held.get(number)
        if export is None or not isinstance(export.value, Producer):
            raise errors.ProtocolError(f"credit for {number!r}, which is no stream")
        export.value.pull(credit)

    def on_items(self, frame: "Frame", buffers: "Buffers") -> None:
        """Handle an `items` frame; the items go back when the stream was released meanwhile."""
        proxy = self._tables.imports.get(frame[1])
        if not isinstance(proxy, Stream):
            self._tables.abandon({"": [[wire] for wire in frame[2]]})
            return
        try:
            items = self._codec.decode_all(frame[2], buffers)
        except BaseException as exc:  # of a class that is registered here: the stream's error
            proxy._farcall.flow.end(cause(exc))
        else:
            proxy._farcall.flow.feed(items)

    def on_end(self, frame: "Frame", buffers: "Buffers") -> None:
        """Handle an `end` frame."""
        proxy = self._tables.imports.get(frame[1])
        wire = frame[2]
        if isinstance(proxy, Stream):
            error = None if wire is None else self._codec.decode_error(wire, buffers)
            proxy._farcall.flow.end(error)

    def abandon(self, error: "BaseException | None") -> None:
        """End every consumed stream with `error`."""
        for stream in self._tables.imports.streams():
            stream._farcall.flow.end(errors.again(error))
