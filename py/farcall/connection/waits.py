"""Messages that wait: for an asynchronous `encode` before they leave, `decode` once they are here.

On MicroPython, which mostly runs on the main thread, a message with long lists waits too, while
they are decoded a few milliseconds a turn. Everything behind a message that waits waits as well:
the order of messages stays. So such a function may make no calls of its session, which would wait
for it, and has a limited time.
"""

from farcall import errors, messages, platform
from farcall.proxies.remote import Call
from farcall.values import bulk, registered
from farcall.values.references import referring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.connection.channel import Channel
    from farcall.connection.encoding import Encoding
    from farcall.messages import Buffers, Frame, Wire
    from farcall.values.references import Value

    Then = Callable[[Value, BaseException | None], object]

SLICE = 0.016  # seconds of decoding in a turn: a frame of the screen
_CONTAINERS = (
    messages.LIST,
    messages.TUPLE,
    messages.SET_,
    messages.FROZENSET,
    messages.DICT,
    messages.SLICE,
    messages.VALUE,
    messages.PARTS,
    messages.MAPPING,
)


class Waits:
    """What one session's messages wait for.

    Args:
        channel: sends nothing while an `encode` runs.
        encoding: gives the codec; set once it exists.
        resume: takes a message whose values are decoded.
        receive: takes a message that was behind it.

    Attributes:
        held: messages behind one that is being decoded; None while there is none.
    """

    encoding: "Encoding"

    def __init__(
        self,
        channel: "Channel",
        resume: "Callable[[list[Frame], Buffers], object]",
        receive: "Callable[[str, Buffers], object]",
    ) -> None:
        self._channel = channel
        self._resume = resume
        self._receive = receive
        self.held: "list[tuple[str, Buffers]] | None" = None
        self._hooks: "dict[object, Hook]" = {}  # by the marks of their tasks

    def _begin(self, awaitable: "Any", then: "Then") -> None:
        """Run an `encode` or `decode`; then(value, error) at its end, or when its time is over."""
        owner: "Any" = awaitable._farcall.connection if isinstance(awaitable, Call) else None
        if owner is self._channel:
            awaitable._farcall.waiter.retrieved = True  # its result is not waited for
            awaitable = _refused()
        hook = Hook(awaitable, self._hooks, then, self._channel.limits["hook"])
        self._hooks[hook.mark] = hook
        self._channel.room = 0

    def _ended(self) -> None:
        if not self._hooks:
            self._channel.room = self._channel.limits["pending"]

    def refuse(self) -> None:
        """Refuse a call that an `encode` or `decode` makes: it would wait for its own end.

        Raises:
            RuntimeError: one that runs makes it.
        """
        for mark in platform.marks():
            if mark in self._hooks:
                raise RuntimeError(_REFUSAL)

    # -- out

    def later(self, coroutine: "Any", wire: "list[Wire]") -> None:
        """Fill `wire` with what an `encode` gives; nothing is sent before."""
        channel = self._channel
        channel.encoding += 1

        def encoded(value: "Value", error: "BaseException | None") -> None:
            try:
                if error is not None:
                    raise error
                if channel.error is None:
                    wire[2] = self.encoding.value(value)
            except BaseException as exc:
                wire[:] = [messages.FAILED, self.encoding.codec.encode_exception(exc)]
            channel.encoding -= 1
            self._ended()
            if not channel.encoding:
                channel.flush_soon()

        self._begin(coroutine, encoded)

    # -- in

    def hold(self, header: "str", batch: "list[Frame]", buffers: "Buffers") -> bool:
        """Whether a message must wait; it is handed back when it need not any more."""
        waiting: "list[tuple[list[Wire], Any]]" = []
        if registered.decoded and '"' + messages.DATACLASS + '"' in header:
            for wire in reversed(_tagged(batch, messages.DATACLASS)):  # inner ones first
                if _decoded(wire):
                    made = self._make(wire, buffers)
                    if made is not None:
                        waiting.append((wire, made))
                        if len(waiting) == 1:
                            self.held = []
        if waiting:
            self._decode(waiting, batch, buffers)
            return True
        if platform.MICROPYTHON and buffers and '"' + messages.PARTS + '"' in header:
            parts = [w for w in _tagged(batch, messages.PARTS) if all(_is_json(p) for p in w[2:])]
            found: "list[tuple[list[Wire], list[Any]]]" = [(wire, []) for wire in parts]
            return not self._unpacked(found, batch, buffers)
        return False

    def _unpacked(
        self,
        found: "list[tuple[list[Wire], list[Any]]]",
        batch: "list[Frame]",
        buffers: "Buffers",
    ) -> bool:
        """Decode parts of long lists for one turn; whether all are done."""
        end = platform.clock() + SLICE
        while found and platform.clock() < end:
            wire, lists = found[-1]
            try:
                if len(lists) < len(wire) - 2:
                    part = wire[len(lists) + 2]
                    lists.append(self.encoding.codec.decode_with(part, buffers))
                    continue
                made = registered.Made(bulk.container(wire[1], lists), None)
            except BaseException as exc:
                made = registered.Made(None, registered.cause(exc))
            wire[:] = [messages.DATACLASS, "", made]
            found.pop()
        platform.collect_garbage(not found)
        if found:
            self.held = self.held or []
            platform.pause(lambda: self._unpack(found, batch, buffers))
        return not found

    def _unpack(self, found: "Any", batch: "list[Frame]", buffers: "Buffers") -> None:
        if self._channel.error is not None:
            platform.collect_garbage(True)
        elif self._unpacked(found, batch, buffers):
            self._release(batch, buffers)

    def _make(self, wire: "list[Wire]", buffers: "Buffers") -> "Any":
        """Decode one node; its coroutine if it must be awaited."""
        try:
            content = self.encoding.codec.decode_with(wire[2], buffers)
            value = registered.registered(wire[1]).decode(content)  # type: ignore[misc]
            if platform.is_awaitable(value):
                return value
            wire[2] = registered.Made(value, None)
        except BaseException as exc:
            wire[2] = registered.Made(None, registered.cause(exc))
        return None

    def _decode(
        self, waiting: "list[tuple[list[Wire], Any]]", batch: "list[Frame]", buffers: "Buffers"
    ) -> None:
        wire, coroutine = waiting.pop(0)

        def decoded(value: "Value", error: "BaseException | None") -> None:
            wire[2] = registered.Made(value, error)
            self._ended()
            if waiting:
                self._decode(waiting, batch, buffers)
            else:
                platform.Timer(0, lambda: self._release(batch, buffers))

        self._begin(coroutine, decoded)

    def _release(self, batch: "list[Frame]", buffers: "Buffers") -> None:
        """Hand the message on, and those behind it until one waits again."""
        held, self.held = self.held or [], None
        self._resume(batch, buffers)
        for index in range(len(held)):
            self._receive(held[index][0], held[index][1])
            if self.held is not None:
                self.held.extend(held[index + 1 :])
                return

    def clear(self) -> None:
        """The session is over: cancel what is under way."""
        self.held = None
        hooks, self._hooks = self._hooks, {}
        for hook in hooks.values():
            hook.stop()


class Hook:
    """An `encode` or `decode` that runs.

    Args:
        awaitable: gives its value.
        hooks: those that run, which it leaves at its end.
        then: called once with its value or error.
        seconds: after which its error is a TimeoutError: all that is behind it waits.
    """

    def __init__(
        self, awaitable: "Any", hooks: "dict[object, Hook]", then: "Then", seconds: "float"
    ) -> None:
        self._hooks = hooks
        self._then: "Then | None" = then
        self._timer = platform.Timer(seconds, lambda: self._late(seconds))
        self.mark, self._task = platform.spawn_marked(self._run(awaitable))

    async def _run(self, awaitable: "Any") -> None:
        value, error = None, None
        try:
            value = await awaitable
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            error = exc
        self._end(value, error)

    def _end(self, value: "Value", error: "BaseException | None") -> None:
        then, self._then = self._then, None
        if then is not None:
            self._timer.cancel()
            del self._hooks[self.mark]
            then(value, error)

    def _late(self, seconds: "float") -> None:
        text = f"an encode or decode of farcall.register took more than {seconds} s"
        self._end(None, errors.TimeoutError(text))
        platform.cancel(self._task)

    def stop(self) -> None:
        """Cancel it; nothing follows."""
        self._then = None
        self._timer.cancel()
        platform.cancel(self._task)


_REFUSAL = (
    "an encode or decode of farcall.register calls the session whose messages wait for it: "
    "call another session, or do it before"
)


async def _refused() -> None:
    raise RuntimeError(_REFUSAL)


def _tagged(batch: "list[Frame]", tag: "str") -> "list[list[Wire]]":
    """All nodes of a batch with a tag, outer ones first."""
    found: "list[list[Wire]]" = []
    todo: "list[Wire]" = [part for frame in batch[1:] for part in _values(frame)]
    while todo:
        wire = todo.pop()
        if type(wire) is dict:
            todo.extend(wire.values())
            continue
        if type(wire) is not list or not wire:
            continue
        if wire[0] == tag and len(wire) > 2:
            found.append(wire)
        if wire[0] in _CONTAINERS:
            todo.extend(wire[1:])
        elif wire[0] == messages.TABLE:
            todo.append(wire[-1])
        elif wire[0] == messages.GRAPH and len(wire) == 3 and type(wire[2]) is list:
            todo.append(wire[1])
            # Parts of an instance that is a node are in the graph: it is made with them.
            for node in wire[2]:
                instance = type(node) is list and len(node) == 3 and node[0] == messages.DATACLASS
                todo.append(node[2] if instance else node)
        elif wire[0] == messages.DATACLASS and len(wire) == 3:
            todo.append(wire[2])
    return found


def _decoded(wire: "list[Wire]") -> bool:
    """Whether an instance is made before its message is handled.

    If it refers to calls it is made when they have ended.
    """
    known = type(wire[1]) is str and wire[1] in registered.decoded
    return known and all(w[0] == messages.OBJECT for w in referring([wire[2]]))


def _is_json(part: "list[Wire]") -> bool:
    """Whether part of a long list holds nothing that refers to the session."""
    if part[0] == messages.TABLE:
        part = part[-1]
    return bool(part[0] == messages.JSON)


def _values(frame: "Frame") -> "list[Wire]":
    """The wire forms in a frame: arguments, keyword arguments, results, items."""
    if type(frame) is not list or len(frame) < 3:
        return []
    kind = frame[0]
    if kind == messages.RET:
        return [frame[2]]
    if kind == messages.ITEMS and type(frame[2]) is list:
        return list(frame[2])
    if kind in (messages.CALL, messages.SET, messages.OP) and len(frame) > 4:
        args = frame[4] if type(frame[4]) is list else []
        return args + frame[5:6]
    return []
