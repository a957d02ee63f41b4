"""Messages in parts: a frame that does not fit, or that is refused, costs no other frame.

A message is split into halves until each fits; then the frame that does not is sent as the error
of its call or stream. One that came and does not fit in memory here is that as well.
"""

from farcall import errors, messages, platform
from farcall.platform import buffers as memory
from farcall.values.codec import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from farcall.messages import Frame, Wire
    from farcall.platform.buffers import Buffer
    from farcall.values.codec import Codec

_REQUESTS = (messages.CALL, messages.GET, messages.SET, messages.DEL, messages.OP)
_ENDS = (messages.RET, messages.ERR, messages.END)
_SUBJECTS = {
    messages.RET: "a result",
    messages.ERR: "an exception",
    messages.END: "an exception",
    messages.ITEMS: "an item of a stream",
}
# Forms without values inside.
_LEAVES = (messages.OBJECT, messages.NODE, messages.ARRAY, messages.RANGE)


def halves(frames: "list[Frame]") -> "list[list[Frame]]":
    """The frames in two parts, in their order; the same list alone if it cannot be divided."""
    if len(frames) > 1:
        middle = len(frames) // 2
        return [frames[:middle], frames[middle:]]
    kind, number, *rest = frames[0]
    if kind != messages.ITEMS or len(rest[0]) < 2:
        return [frames]
    items = rest[0]
    middle = len(items) // 2
    return [[[kind, number, items[:middle]]], [[kind, number, items[middle:]]]]


def loaded(header: "str") -> "Wire":
    """What a header says; a `large` frame in the place of each that memory does not suffice for."""
    while True:
        try:
            return loads(header)
        except MemoryError:
            if not platform.BROWSER:
                raise
            less = memory.to_text(platform.javascript.reduced(header, len(header) // 4))
            if not 0 < len(less) < len(header):
                raise
            header = less


def taken(frames: "list[Frame]", buffers: "list[Buffer]") -> "list[Buffer]":
    """The buffers that belong to the frames, which refer to them by their new numbers."""
    own: "list[Buffer]" = []
    for frame in frames:
        if frame[0] == messages.BACK:
            returned = buffers[frame[1] : frame[1] + frame[2]]
            frame[1] = len(own)
            own.extend(returned)
        for wire in nodes(frame):
            if wire[0] in messages.BUFFERED:
                own.append(buffers[wire[1]])
                wire[1] = len(own) - 1
    return own


def substitute(frame: "Frame", error: "Wire") -> "Frame | None":
    """A frame that gives the error to whom the one that was not sent is for; None if to no call.

    A request still reaches the other side, which replies with the error: so do the requests that
    are built on it.
    """
    kind, number = frame[0], frame[1]
    failed = [messages.FAILED, error]
    if kind in (messages.GET, messages.DEL):
        return [kind, number, messages.SERVED, [[failed], [failed]]]
    if kind in _REQUESTS:
        return [kind, number, messages.SERVED, [], [failed]] + [{}] * (kind != messages.SET)
    if kind in (messages.RET, messages.ERR):
        return [messages.ERR, number, error]
    if kind in (messages.ITEMS, messages.END):
        return [messages.END, number, error]
    return None


def unread(frame: "Frame", codec: "Codec") -> "Frame":
    """The frame to handle in place of one for which there was no memory: its call's error."""
    _, kind, number, size, _ = frame
    text = f"{subject(frame[1:])} of {size} characters of JSON does not fit in memory"
    instead = substitute([kind, number], codec.encode_exception(MemoryError(text)))
    if instead is None:
        raise errors.ProtocolError(f"{kind!r}: {text}")
    return instead


def too_large(
    size: "int", unit: "str", limit: "str", limits: "dict[str, int]"
) -> "errors.LimitError":
    """What is wrong with a message of that size."""
    most = limits[limit]
    text = f"takes {size} {unit}, a message holds at most {most} (limits={{{limit!r}: ...}})"
    return errors.LimitError(text)


def subject(frame: "Frame") -> str:
    """What a frame carries, as the subject of an error's text."""
    return _SUBJECTS.get(frame[0], "an argument")


def nodes(frame: "Frame") -> "Iterator[list[Wire]]":
    """All forms with a tag in the values of a frame."""
    todo = _values(frame)
    while todo:
        wire = todo.pop()
        if type(wire) is dict:
            todo.extend(wire.values())
        if type(wire) is not list or not wire:
            continue
        tag = wire[0]
        if type(tag) is str:
            yield wire
        if tag in (messages.HOME, messages.PROMISE):
            todo.extend(_keys(wire[2]) if len(wire) > 2 else [])
        elif tag == messages.EXCEPTION:
            todo.extend(wire[2] + wire[6:])
        elif tag not in _LEAVES:
            todo.extend(wire)


def _values(frame: "Frame") -> "list[Wire]":
    """The wire forms in a frame: keys of its path, arguments, results, items."""
    kind = frame[0]
    if kind in _ENDS:
        return [frame[2]]
    if kind == messages.ITEMS:
        return list(frame[2])
    if kind not in _REQUESTS:
        return []
    args = list(frame[4]) if len(frame) > 4 else []
    return _keys(frame[3]) + args + frame[5:6]


def _keys(path: "list[Wire]") -> "list[Wire]":
    return [step[0] for step in path if type(step) is list]
