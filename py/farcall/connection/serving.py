"""Runs incoming calls and sends replies.

A result stays addressable until the peer can no longer use it (see `answers`).
"""

from farcall import errors, messages, platform
from farcall.connection.contexts import Contexts
from farcall.platform import buffers as memory
from farcall.proxies.remote import Call
from farcall.values.bulk import LONG
from farcall.values.registered import cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.connection.answers import Answer, Answers
    from farcall.connection.channel import Channel
    from farcall.connection.policy import Policy
    from farcall.connection.references import Tables
    from farcall.messages import Buffers, Frame
    from farcall.proxies.remote import Value

    Run = Callable[[Frame, Any, Any], Value]

_VALUES = platform.VALUES
_PLAIN = (bool, type(None))
_SMALL = 2**30


class Serving:
    """What runs here for the peer of one session.

    Args:
        channel: sends the replies.
        tables: the session's reference tables.
        policy: decides what the peer may use.
        answers: the peer's calls by number.
    """

    def __init__(
        self, channel: "Channel", tables: "Tables", policy: "Policy", answers: "Answers"
    ) -> None:
        self._channel = channel
        self._tables = tables
        self._encoding = tables.encoding
        self._codec = tables.encoding.codec
        self._policy = policy
        self._answers = answers
        self._contexts = Contexts(policy.operate, channel.complain)
        self.running: "set[Answer]" = set()
        # How many fields a request has (its path and arguments are lists), and what runs it.
        self._requests: "dict[str, tuple[int, Run]]" = {
            messages.CALL: (6, self._call),
            messages.GET: (4, self._get),
            messages.SET: (5, self._set),
            messages.DEL: (4, self._del),
            messages.OP: (6, self._op),
        }

    # -- requests

    def on_request(self, frame: "Frame", buffers: "Buffers") -> None:
        """Run one request and reply; later if it is a coroutine or waits for an earlier call."""
        entries = self._contexts.entries
        if entries and not entries[-1].variables.entered:
            entries[-1].variables.run(self.on_request, frame, buffers)
            return
        number = frame[1]
        answer = self._answers.new(number)
        length, run = self._requests[frame[0]]
        try:
            args: "list[Value]" = []
            more: "Value" = None
            if len(frame) < length or not type(frame[3]) is type(frame[min(4, length - 1)]) is list:
                raise errors.ProtocolError(f"expected {length} fields, received {frame}")
            self._codec.arrived = buffers  # a key of the path may be bytes
            if len(frame) > length:
                result = self._building(run, frame, length, buffers)
            else:
                if length > 4:
                    args = self._codec.decode_all(frame[4], buffers)
                    more = frame[5] if length == 6 else None
                    if more and type(more) is not str:
                        more = self._codec.decode_with(more, buffers)
                result = run(frame, args, more)
            if type(result) not in _VALUES and platform.is_awaitable(result):
                self._later(number, answer, result)
                return
        except BaseException as exc:  # whatever a function raises is its caller's
            self._fail(number, answer, cause(exc))
            return
        self._reply(number, answer, result)

    def _building(self, run: "Run", frame: "Frame", length: "int", buffers: "Buffers") -> "Value":
        """Run a request that builds on calls or paths; a coroutine if a call still runs."""
        if frame[1] and frame[1] in frame[length]:  # it would wait for its own end
            raise errors.ProtocolError(f"call {frame[1]} builds on itself")
        waiting = self._owing(frame[length])
        self._tables.keep(frame)

        def decoded() -> "Value":
            self._codec.arrived = buffers
            args = self._codec.decode_all(frame[4], buffers) if length > 4 else []
            more = self._codec.decode_with(frame[5], buffers) if length == 6 else None
            return run(frame, args, more)

        return _when(waiting, decoded) if waiting else decoded()

    def _owing(self, dependencies: "list[object]") -> "list[Answer]":
        """Calls still running that this one builds on."""
        return [a for a in map(self._answers.get, filter(None, dependencies)) if not a.done]

    def _call(self, frame: "Frame", args: "list[Value]", kwargs: "Value") -> "Value":
        policy = self._policy
        parent, owner = policy.resolve(self._tables.owner(frame[2]), frame[3], self._codec.decode)
        function = policy.callable(owner, parent)
        marks = getattr(type(parent), "__farcall__", None)
        if marks and marks["concurrency"]:
            return _in_turn(parent, marks, function, args, kwargs or {})
        return function(*args, **kwargs) if kwargs else function(*args)

    def _get(self, frame: "Frame", args: "list[Value]", more: "Value") -> "Value":
        return self._tables.walk(self._tables.owner(frame[2]), frame[3])

    def _set(self, frame: "Frame", args: "list[Value]", more: "Value") -> "Value":
        owner = self._tables.walk(self._tables.owner(frame[2]), frame[3][:-1])
        return self._policy.set(owner, frame[3][-1], args[0], self._codec.decode)

    def _del(self, frame: "Frame", args: "list[Value]", more: "Value") -> "Value":
        owner = self._tables.walk(self._tables.owner(frame[2]), frame[3][:-1])
        return self._policy.delete(owner, frame[3][-1], self._codec.decode)

    def _op(self, frame: "Frame", args: "list[Value]", name: "object") -> "Value":
        owner = self._tables.walk(self._tables.owner(frame[2]), frame[3])
        return self._contexts.operate(frame[1], owner, name, args)

    # -- coroutines

    def _later(self, number: "int", answer: "Answer", coroutine: "Any") -> None:
        limit = self._channel.limits["serving"]
        if len(self.running) >= limit:
            _discard(coroutine)
            raise errors.LimitError(f"{limit} calls are running")
        answer.coroutine = coroutine
        self.running.add(answer)
        answer.task = platform.spawn(self._complete(number, answer))

    async def _complete(self, number: "int", answer: "Answer") -> None:
        coroutine, answer.coroutine = answer.coroutine, None
        try:
            result = await coroutine
        except platform.CancelledError:
            self._fail(number, answer, errors.RemoteError("the call was cancelled"))
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            self._fail(number, answer, exc)
        else:
            self._reply(number, answer, result)

    def on_cancel(self, frame: "Frame", buffers: "Buffers") -> None:
        """Handle a `cancel` frame: the peer's caller has gone."""
        answer = self._answers.known.get(frame[1])
        self._contexts.leave(frame[1], errors.RemoteError("the caller has gone"))
        if answer is not None and answer.task is not None and self._stop(answer):
            self._fail(frame[1], answer, errors.RemoteError("the call was cancelled"))

    def _stop(self, answer: "Answer") -> bool:
        """Cancel what runs; True if it had not begun, so that it will not reply itself."""
        waiting, answer.coroutine = answer.coroutine, None
        if waiting is not None:
            _discard(waiting)
        platform.cancel(answer.task)
        return waiting is not None

    # -- replies

    def _reply(self, number: "int", answer: "Answer", value: "Value") -> None:
        if answer.task is not None:
            self._ended(answer)
        if self._channel.error is not None or not number:
            return
        wire, size, kind = value, 0, type(value)
        small = -_SMALL < value < _SMALL if kind is int else kind in _PLAIN
        if not small and (kind is not str or len(value) >= LONG):
            mark = len(self._codec.buffers)
            try:
                wire = self._encoding.value(value)
            except BaseException as exc:
                self._fail(number, answer, exc)
                return
            size = memory.total(self._codec.buffers[mark:])
            value = self._tables.meant(value, wire) if type(wire) is list else value
        self._answered(answer, [messages.RET, number, wire], value, None, size)

    def _fail(self, number: "int", answer: "Answer", exc: "BaseException") -> None:
        if answer.task is not None:
            self._ended(answer)
        self._contexts.leave(number, exc)
        if self._channel.error is not None:
            return
        if not number:
            self._channel.complain(exc, "of a one-way call")
            return
        self._answered(answer, [messages.ERR, number, self._codec.encode_exception(exc)], None, exc)

    def _answered(
        self,
        answer: "Answer",
        frame: "Frame",
        value: "Value",
        error: "BaseException | None",
        size: "int" = 0,
    ) -> None:
        answer.end(value, error)
        self._channel.send(frame)
        self._answers.keep(self._channel.sent + 1, frame[1], size)

    def _ended(self, answer: "Answer") -> None:
        self.running.discard(answer)
        answer.task = None

    def clear(self) -> None:
        """Cancel what runs, forget the rest."""
        for answer in list(self.running):
            self._stop(answer)
        self.running.clear()
        self._answers.clear()
        self._contexts.clear(errors.again(self._channel.error))


def _in_turn(*call: "Any") -> "Value":
    # Few serve such a class: what predicts has no room for it (tools/bundle.py, STARTED).
    from farcall.connection.concurrency import in_turn

    return in_turn(*call)


def _discard(awaitable: "Any") -> None:
    """Give up what will not be awaited: a coroutine, or a call of the peer."""
    if isinstance(awaitable, Call):
        awaitable._farcall.waiter.cancel()
    else:
        platform.discard(awaitable)


async def _when(waiting: "list[Answer]", decoded: "Callable[[], Value]") -> "Value":
    """Run a request once the calls it builds on have ended."""
    for answer in waiting:
        await answer.ended()
    result = decoded()
    if platform.is_awaitable(result):
        result = await result
    return result
