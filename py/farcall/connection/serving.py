"""Calls of the peer: run here, answered in any order, kept until calls on them cannot come."""

import builtins

from farcall import errors, messages, platform
from farcall.connection.concurrency import Turnstiles
from farcall.connection.references import substituted
from farcall.values.registered import cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# What a call may raise and its caller gets; a KeyboardInterrupt is farcall.interrupt's doing.
_GROUP = getattr(builtins, "BaseExceptionGroup", Exception)
_CAUGHT = (Exception, SystemExit, KeyboardInterrupt, _GROUP)


class Answer(platform.Waiter):
    """A call of the peer: running, or done and kept for calls that target its result."""

    task: "Any" = None
    coroutine: "Any" = None  # until the task has begun


class Serving:
    """What runs here for the peer of one session."""

    def __init__(self, session: "Any") -> None:
        self._session = session
        self.answers: "dict[int, Answer]" = {}
        self.running: "set[Any]" = set()
        self.settled: "list[tuple[int, int]]" = []  # number of the message, of the call
        self._turnstiles = Turnstiles()

    # -- requests

    def on_call(self, frame: "Any", buffers: "Any") -> None:
        """Call what a path leads to."""
        self._serve(frame, buffers, 6, self._call)

    def on_get(self, frame: "Any", buffers: "Any") -> None:
        """Read what a path leads to."""
        self._serve(frame, buffers, 4, self._get)

    def on_set(self, frame: "Any", buffers: "Any") -> None:
        """Assign to the last step of a path."""
        self._serve(frame, buffers, 5, self._set)

    def on_del(self, frame: "Any", buffers: "Any") -> None:
        """Delete the last step of a path."""
        self._serve(frame, buffers, 4, self._del)

    def on_op(self, frame: "Any", buffers: "Any") -> None:
        """An operation of policy.OPERATIONS on what a path leads to."""
        self._serve(frame, buffers, 6, self._op)

    def _serve(self, frame: "Any", buffers: "Any", length: "int", run: "Any") -> None:
        """Run one request and reply; later if it is a coroutine or waits for an earlier call."""
        number = frame[1]
        if type(number) is not int or number < 0 or number in self.answers:
            raise errors.ProtocolError(f"call id {number!r}")
        answer = Answer()
        if number:
            self.answers[number] = answer
        try:
            args, more = self._values(frame, buffers, length)
            if len(frame) > length:
                waiting = self._owing(frame[length])
                if waiting:
                    self._later(number, answer, _when(waiting, run, frame, args, more))
                    return
                args, more = substituted(args), substituted(more)
            result = run(frame, args, more)
            if platform.is_awaitable(result):
                self._later(number, answer, result)
                return
        except _CAUGHT as exc:
            self._fail(number, answer, cause(exc))
            return
        self._reply(number, answer, result)

    def _values(self, frame: "Any", buffers: "Any", length: "int") -> "tuple[Any, Any]":
        """The frame's arguments, and keyword arguments or operation."""
        if len(frame) < length or (length > 4 and type(frame[4]) is not list):
            raise errors.ProtocolError(f"expected {length} fields, received {frame!r}")
        if length == 4:
            return (), None
        codec = self._session.codec
        args = codec.decode_all(frame[4], buffers)
        more = frame[5] if length == 6 else None
        return args, codec.decode_with(more, buffers) if more else more

    def _owing(self, dependencies: "Any") -> "list[Answer]":
        """Calls still running that this one builds on."""
        known = [self.answer(n) for n in dependencies if n != 0]
        return [answer for answer in known if not answer.done]

    def answer(self, number: "Any") -> "Answer":
        """The call of the peer under a number.

        Raises:
            ProtocolError: there is none, or none any more.
        """
        answer = self.answers.get(number) if type(number) is int else None
        if answer is None:
            raise errors.ProtocolError(f"call {number!r} is not known (any more)")
        return answer

    def owner(self, target: "Any") -> "Any":
        """What a frame's target stands for."""
        if target == messages.SERVED:
            return self._session.policy.root
        if type(target) is int and target < 0:
            return self.answer(-target).result()
        return self._session.tables.export_of(target)

    def _call(self, frame: "Any", args: "Any", kwargs: "Any") -> "Any":
        policy = self._session.policy
        path = frame[3]
        parent = owner = self.owner(frame[2])
        if path:
            decode = self._session.codec.decode
            parent = policy.walk(owner, path[:-1], decode)
            owner = policy.walk(parent, path[-1:], decode)
        function = policy.callable(owner)
        turns = self._turnstiles.of(parent)
        if turns is not None:
            return turns.through(function, args, kwargs or {})
        return function(*args, **kwargs) if kwargs else function(*args)

    def _get(self, frame: "Any", args: "Any", more: "Any") -> "Any":
        policy = self._session.policy
        return policy.walk(self.owner(frame[2]), frame[3], self._session.codec.decode)

    def _set(self, frame: "Any", args: "Any", more: "Any") -> None:
        decode = self._session.codec.decode
        policy = self._session.policy
        owner = policy.walk(self.owner(frame[2]), frame[3][:-1], decode)
        policy.set(owner, frame[3][-1], args[0], decode)

    def _del(self, frame: "Any", args: "Any", more: "Any") -> None:
        decode = self._session.codec.decode
        policy = self._session.policy
        owner = policy.walk(self.owner(frame[2]), frame[3][:-1], decode)
        policy.delete(owner, frame[3][-1], decode)

    def _op(self, frame: "Any", args: "Any", name: "Any") -> "Any":
        policy = self._session.policy
        owner = policy.walk(self.owner(frame[2]), frame[3], self._session.codec.decode)
        return policy.operate(owner, name, args)

    # -- coroutines

    def _later(self, number: "int", answer: "Answer", coroutine: "Any") -> None:
        limit = self._session.limits["serving"]
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
        except _CAUGHT as exc:
            self._fail(number, answer, exc)
        else:
            self._reply(number, answer, result)

    def on_cancel(self, frame: "Any", buffers: "Any") -> None:
        """The peer's caller has gone."""
        answer = self.answers.get(frame[1])
        if answer is None or answer.task is None:
            return
        if self._stop(answer):
            self._fail(frame[1], answer, errors.RemoteError("the call was cancelled"))

    def _stop(self, answer: "Answer") -> bool:
        """Cancel what runs; True if it had not begun, so that it will not reply itself."""
        waiting = answer.coroutine
        answer.coroutine = None
        if waiting is not None:
            _discard(waiting)
        answer.task.cancel()
        return waiting is not None

    # -- replies

    def _reply(self, number: "int", answer: "Answer", value: "Any") -> None:
        self.running.discard(answer)
        answer.task = None
        session = self._session
        if session.error is not None or not number:
            return
        mark = len(session.codec.buffers)
        del session.tables.attempted[:]
        del session.tables.dependencies[:]
        try:
            wire = session.codec.encode(value)
            if session.tables.dependencies:
                raise TypeError("a result holds a path or an un-awaited call: await it first")
        except Exception as exc:
            del session.codec.buffers[mark:]
            session.tables.undo()
            self._fail(number, answer, exc)
            return
        answer.settle_soon(value)
        session.send([messages.RET, number, wire])
        self.settled.append((session.sent + 1, number))

    def _fail(self, number: "int", answer: "Answer", exc: "BaseException") -> None:
        self.running.discard(answer)
        answer.task = None
        session = self._session
        if session.error is not None:
            return
        if not number:
            session.complain(exc, "of a one-way call")
            return
        answer.settle_soon(None, exc)
        session.send([messages.ERR, number, session.codec.encode_exception(exc)])
        self.settled.append((session.sent + 1, number))

    def forget(self, seen: "int") -> None:
        """Drop results that the peer has seen; every call on them has arrived by now."""
        settled = self.settled
        while settled and settled[0][0] <= seen:
            self.answers.pop(settled.pop(0)[1], None)

    def clear(self) -> None:
        """Cancel what runs, forget the rest."""
        for answer in list(self.running):
            self._stop(answer)
        self.running.clear()
        self.answers.clear()
        del self.settled[:]


async def _when(waiting: "Any", run: "Any", frame: "Any", args: "Any", more: "Any") -> "Any":
    """Run a request once the calls it builds on have ended."""
    for answer in waiting:
        try:
            await answer
        except platform.CancelledError:
            raise
        except Exception:
            continue
    result = run(frame, substituted(args), substituted(more))
    if platform.is_awaitable(result):
        result = await result
    return result


def _discard(coroutine: "Any") -> None:
    if hasattr(coroutine, "close"):
        coroutine.close()
