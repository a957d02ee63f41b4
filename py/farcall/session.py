"""One connection: pending calls, tables of exports and imports, dispatch, close.

Everything sent in one turn travels as one message; everything that arrives is handled in order,
and only then are waiting tasks woken: a callback has run before the result that follows it is
seen. Sync functions run where their message is handled; coroutines become tasks.
"""

from . import errors, messages, platform, remote
from .codec import Codec, References, dumps, loads
from .policy import Policy, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIMITS = {
    "pending": 100_000,  # calls without a reply, ours
    "serving": 10_000,  # calls of the peer that run here
    "exports": 1_000_000,  # objects the peer may hold
    "header": 64 * 2**20,  # characters of JSON in a message
}
# A result is kept until the peer must have seen it, since calls on it may be under way. A peer
# with nothing else to say acknowledges after this long.
ACKNOWLEDGE_AFTER = 0.05
UNRETRIEVED_AFTER = 1.0


class Export:
    """An object of this side that the peer holds `count` times."""

    def __init__(self, value: "Any", key: "Any") -> None:
        self.value = value
        self.key = key
        self.count = 0


class Answer:
    """A call of the peer: running, or done and kept for calls that target its result."""

    def __init__(self) -> None:
        self.waiter = platform.Waiter()
        self.task: "Any" = None
        self.coroutine: "Any" = None  # until the task has begun


class Session(References):
    """A connection to a peer over an endpoint, from hello to close.

    Args:
        endpoint: has start(receive, broken), post(header, buffers) -> error text, close().
        served: what the peer may use; see `farcall.serve`.
        name: of the peer, for errors' texts.
        timeout: seconds after which a call of ours raises TimeoutError; None waits.
        on_error: called with an exception nobody else can get, and a text saying whence.
        limits: overrides of LIMITS.
    """

    def __init__(
        self,
        endpoint: "Any",
        served: "Any" = None,
        *,
        name: "str" = "",
        timeout: "float | None" = None,
        on_error: "Any" = None,
        limits: "dict[str, int] | None" = None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.on_error = on_error
        self.error: "Any" = None
        self.on_close: "list[Any]" = []
        self.policy = Policy({} if served is None else served)
        self.description: "dict[str, Any]" = {}
        self.ready = platform.Waiter()
        self._limits = dict(LIMITS)
        self._limits.update(limits or {})
        self._codec = Codec(self)
        self._endpoint = endpoint
        self._pending: "dict[int, Any]" = {}
        self._answers: "dict[int, Answer]" = {}
        self._settled: "list[Any]" = []
        self._exports: "dict[int, Export]" = {}
        self._export_ids: "dict[Any, int]" = {}
        self._imports: "dict[int, list[Any]]" = {}
        self._dependencies: "list[int]" = []
        self._exported: "list[int]" = []
        self._unresolved: "list[Answer]" = []
        self._out: "list[str]" = []
        self._woken: "list[Any]" = []
        self._last_call = 0
        self._last_export = 0
        self._generation = 0
        self._sent = 0
        self._received = 0
        self._acknowledged = 0
        self._owes_ack = False
        self._ack_timer: "Any" = None
        self._bytes_sent = 0
        self._bytes_received = 0
        self._receiving = False
        self._scheduled = False
        self._registry = platform.finalizers(self._collected)
        self._ticker = platform.Ticker(self._flush)
        self._handlers = {
            messages.HELLO: self._on_hello,
            messages.CALL: self._on_call,
            messages.GET: self._on_get,
            messages.SET: self._on_set,
            messages.DEL: self._on_del,
            messages.RET: self._on_ret,
            messages.ERR: self._on_err,
            messages.CANCEL: self._on_cancel,
            messages.FREE: self._on_free,
            messages.BYE: self._on_bye,
        }
        root = remote.Reference(self, messages.SERVED, name="")
        self.root = remote.Remote(root)
        endpoint.start(self._receive, self._broken)
        self._send([messages.HELLO, messages.VERSION, self.policy.description()])

    # -- sending

    def _send(self, frame: "Any") -> None:
        self._out.append(dumps(frame))
        if not self._scheduled and not self._receiving:
            self._scheduled = True
            self._ticker.schedule()

    def _flush(self) -> None:
        self._scheduled = False
        if not self._out or self.error is not None:
            return
        header = "[" + str(self._received) + "," + ",".join(self._out) + "]"
        buffers = self._codec.buffers
        self._out = []
        self._codec.buffers = []
        self._post(header, buffers)

    def _post(self, header: "str", buffers: "list[Any]") -> None:
        self._sent += 1
        self._acknowledged = self._received
        self._owes_ack = False
        self._bytes_sent += len(header)
        failure = self._endpoint.post(header, buffers)
        if failure:
            self.close(errors.ProtocolError(f"a message could not be sent: {failure}"))

    def _acknowledge(self) -> None:
        self._ack_timer = None
        if self._owes_ack and self.error is None:
            self._post("[" + str(self._received) + "]", [])

    # -- calls of ours

    def call(self, proxy: "Any", args: "Any", kwargs: "dict[str, Any]") -> "Any":
        """Send a call of what `proxy` leads to; gives the remote.Call."""
        return self._request(messages.CALL, proxy, args, kwargs)

    def read(self, proxy: "Any") -> "Any":
        """Ask for the value at the end of the proxy's path; gives a waiter."""
        return self._request(messages.GET, proxy)._farcall.waiter

    def assign(self, proxy: "Any", value: "Any") -> "Any":
        """Send an assignment to the last step of the proxy's path; gives a remote.Call."""
        return self._request(messages.SET, proxy, (value,))

    def remove(self, proxy: "Any") -> "Any":
        """Send a deletion of the last step of the proxy's path; gives a remote.Call."""
        return self._request(messages.DEL, proxy)

    def _request(self, kind: "str", proxy: "Any", *values: "Any") -> "Any":
        ref = proxy._farcall
        self._check_open(ref)
        del self._dependencies[:]
        target = self._target(ref)
        fields = self._carefully(self._fields, (ref.path, values))
        number = self._last_call = self._last_call + 1
        frame = [kind, number, target] + fields  # noqa: RUF005
        if self._dependencies:
            frame.append(list(self._dependencies))
        self._send(frame)
        return self._awaiting(number, ref, proxy)

    def _waiter(self, ref: "Any") -> "Any":
        """The waiter of the call that `ref` is, or leads on from."""
        return (ref.owner._farcall if ref.path else ref).waiter

    def _fields(self, content: "Any") -> "list[Any]":
        """Wire forms of a path, then of each value; args are a plain JSON array."""
        path, values = content
        encode = self._codec.encode
        fields: "list[Any]" = [self._path(path)]
        for value in values:
            if type(value) is tuple:
                fields.append([encode(v) for v in value])
            else:
                fields.append(encode(value))
        return fields

    def _check_open(self, ref: "Any") -> None:
        if self.error is not None:
            raise _again(self.error)
        remote.usable(ref)
        if len(self._pending) >= self._limits["pending"]:
            raise errors.FarcallError(f"more than {self._limits['pending']} calls are pending")

    def _target(self, ref: "Any") -> int:
        """The wire's target: a call that was answered stands for its result, if an object."""
        if ref.target >= 0:
            return int(ref.target)
        waiter = self._waiter(ref)
        if waiter.done and waiter.error is None and isinstance(waiter.value, remote.Remote):
            inner = waiter.value._farcall
            if inner.session is self and not inner.path:
                remote.usable(inner)
                return int(inner.target)
        if waiter.done:
            raise TypeError(f"the call gave {waiter.result()!r}: await it and use that")
        self._dependencies.append(-ref.target)
        return int(ref.target)

    def _carefully(self, encode: "Any", value: "Any") -> "Any":
        """encode(value); when that fails no buffer and no export of the attempt is left behind."""
        mark = len(self._codec.buffers)
        del self._exported[:]
        try:
            return encode(value)
        except Exception:
            del self._codec.buffers[mark:]
            for number in self._exported:
                self._release_export(number, 1)
            raise

    def _awaiting(self, number: "int", ref: "Any", proxy: "Any") -> "Any":
        waiter = platform.Waiter()
        waiter.on_cancel = lambda: self._cancelled(number)
        self._pending[number] = (waiter, proxy)
        result = remote.Reference(self, -number, name=ref.text() + "()")
        result.waiter = waiter
        seconds = self.timeout if ref.options is None else ref.options.get("timeout", self.timeout)
        if seconds is not None:
            platform.Timer(seconds, lambda: self._timed_out(number, seconds, result.name))
        return remote.Call(result)

    def _cancelled(self, number: "int") -> None:
        if number in self._pending and self.error is None:
            self._send([messages.CANCEL, number])

    def _timed_out(self, number: "int", seconds: "float", name: "str") -> None:
        entry = self._pending.get(number)
        if entry is None or entry[0].done:
            return
        waiter = entry[0]
        if waiter.settle(None, errors.TimeoutError(f"{name} took more than {seconds} s")):
            self._woken.append(waiter)
        self._cancelled(number)
        self._wake()

    # -- receiving

    def _receive(self, header: "str", buffers: "Any") -> None:
        """Handle a message; the endpoint calls this outside any task."""
        if self.error is not None:
            return
        self._receiving = True
        try:
            self._handle(header, buffers)
        except Exception as exc:
            self.close(_protocol(exc))
        finally:
            self._receiving = False
        self._wake()

    def _handle(self, header: "str", buffers: "Any") -> None:
        if len(header) > self._limits["header"]:
            raise errors.ProtocolError(f"a header of {len(header)} characters")
        self._bytes_received += len(header)
        batch = loads(header)
        self._received += 1
        self._forget(batch[0])
        for index in range(1, len(batch)):
            frame = batch[index]
            self._handlers[frame[0]](frame, buffers)
            if self.error is not None:
                return

    def _forget(self, seen: "int") -> None:
        """Drop results that the peer has seen; every call on them has arrived by now."""
        settled = self._settled
        while settled and settled[0][0] <= seen:
            self._answers.pop(settled.pop(0)[1], None)

    def _wake(self) -> None:
        """Step what replies made ready, then send what those steps had to say."""
        while self._woken:
            woken, self._woken = self._woken, []
            self._scheduled = True  # sends of the woken tasks wait for the flush below
            for waiter in woken:
                waiter.wake()
            platform.drain()
        self._flush()
        if self._owes_ack and self._ack_timer is None:
            self._ack_timer = platform.Timer(ACKNOWLEDGE_AFTER, self._acknowledge)

    def _broken(self, received: "str") -> None:
        self.close(errors.ProtocolError(f"expected [header, buffer...], received {received}"))

    def _on_hello(self, frame: "Any", buffers: "Any") -> None:
        if frame[1] != messages.VERSION:
            text = f"expected farcall's protocol {messages.VERSION}, the peer speaks {frame[1]!r}"
            raise errors.ProtocolError(text)
        self.description = {str(name): about for name, about in frame[2].items()}
        if self.ready.settle(self.root):
            self._woken.append(self.ready)

    def _on_bye(self, frame: "Any", buffers: "Any") -> None:
        self.close(errors.SessionClosedError(f"the other side closed: {frame[1]}"), tell=False)

    # -- replies to calls of ours

    def _on_ret(self, frame: "Any", buffers: "Any") -> None:
        waiter = self._replied(frame[1])
        self._owes_ack = True
        try:
            value, error = self._codec.decode_with(frame[2], buffers), None
        except Exception as exc:
            value, error = None, exc
        if waiter.settle(value, error):
            self._woken.append(waiter)

    def _on_err(self, frame: "Any", buffers: "Any") -> None:
        waiter = self._replied(frame[1])
        self._owes_ack = True
        error = self._codec.decode_with(frame[2], buffers)
        if not isinstance(error, Exception):
            error = errors.ProtocolError(f"expected an exception, received {error!r}")
        if waiter.settle(None, error):
            self._woken.append(waiter)
        elif platform.MICROPYTHON and waiter.error is error:
            platform.Timer(UNRETRIEVED_AFTER, lambda: self._unless_retrieved(waiter))

    def _replied(self, number: "Any") -> "Any":
        entry = self._pending.pop(number, None)
        if entry is None:
            raise errors.ProtocolError(f"a reply to call {number!r}, which is not pending")
        return entry[0]

    def _unless_retrieved(self, waiter: "Any") -> None:
        if not waiter.retrieved:
            self.complain(waiter.error, "of a call that nobody awaited")

    def unretrieved(self, ref: "Any", error: "Any") -> None:
        """A call was dropped whose error nobody has seen."""
        if not isinstance(error, platform.CancelledError):
            self.complain(error, f"of {ref.name}, which nobody awaited")

    def complain(self, error: "Any", whence: "str") -> None:
        """Hand an error that no caller can get to `on_error`, or print it."""
        try:
            if self.on_error is not None:
                self.on_error(error, whence)
            else:
                text = getattr(error, "remote_traceback", "") or platform.traceback_text(error)
                platform.report(f"farcall: {type(error).__name__}: {error}, {whence}\n{text}")
        except Exception as exc:
            platform.report(f"farcall: on_error failed: {platform.traceback_text(exc)}")

    # -- calls of the peer

    def _on_call(self, frame: "Any", buffers: "Any") -> None:
        self._serve(frame, buffers, 6, self._run_call)

    def _on_get(self, frame: "Any", buffers: "Any") -> None:
        self._serve(frame, buffers, 4, self._run_get)

    def _on_set(self, frame: "Any", buffers: "Any") -> None:
        self._serve(frame, buffers, 5, self._run_set)

    def _on_del(self, frame: "Any", buffers: "Any") -> None:
        self._serve(frame, buffers, 4, self._run_del)

    def _serve(self, frame: "Any", buffers: "Any", length: "int", run: "Any") -> None:
        """Run one request and reply; later if it is a coroutine or waits for an earlier call."""
        number = frame[1]
        if type(number) is not int or number < 0 or number in self._answers:
            raise errors.ProtocolError(f"call id {number!r}")
        answer = Answer()
        if number:
            self._answers[number] = answer
        try:
            del self._unresolved[:]
            values = [self._codec.decode_with(w, buffers) for w in self._plain(frame, length)]
            if len(frame) > length:
                if self._owing(frame[length]):
                    waiting = list(self._unresolved)
                    self._later(number, answer, _when_resolved(waiting, frame, values, run))
                    return
                values = _substituted(values)
            result = run(frame, values)
            if platform.is_awaitable(result):
                self._later(number, answer, result)
                return
        except Exception as exc:
            self._fail(number, answer, exc)
            return
        self._reply(number, answer, result)

    def _plain(self, frame: "Any", length: "int") -> "list[Any]":
        """Wire forms of the frame's values: args, and kwargs last; or one value to set."""
        if len(frame) < length or (length > 4 and type(frame[4]) is not list):
            raise errors.ProtocolError(f"expected {length} fields, received {frame!r}")
        if length == 6:
            return frame[4] + [frame[5]]  # type: ignore[no-any-return]
        return frame[4] if length == 5 else []  # type: ignore[no-any-return]

    def _owing(self, dependencies: "Any") -> bool:
        """Whether a call this one builds on is still running."""
        for number in dependencies:
            if number == 0:  # a path on an object: to be walked, not waited for
                continue
            answer = self._answers.get(number)
            if answer is None:
                raise errors.ProtocolError(f"call {number!r} is not known any more")
            if not answer.waiter.done:
                self._unresolved.append(answer)
        return bool(self._unresolved)

    def _run_call(self, frame: "Any", values: "Any") -> "Any":
        target = self.policy.walk(self._owner(frame[2]), frame[3], self._codec.decode)
        function = self.policy.callable(target)
        kwargs = values[-1]
        return function(*values[:-1], **kwargs) if kwargs else function(*values[:-1])

    def _run_get(self, frame: "Any", values: "Any") -> "Any":
        return self.policy.walk(self._owner(frame[2]), frame[3], self._codec.decode)

    def _run_set(self, frame: "Any", values: "Any") -> "Any":
        owner = self.policy.walk(self._owner(frame[2]), frame[3][:-1], self._codec.decode)
        self.policy.set(owner, frame[3][-1], values[0], self._codec.decode)

    def _run_del(self, frame: "Any", values: "Any") -> "Any":
        owner = self.policy.walk(self._owner(frame[2]), frame[3][:-1], self._codec.decode)
        self.policy.delete(owner, frame[3][-1], self._codec.decode)

    def _owner(self, target: "Any") -> "Any":
        if type(target) is not int:
            raise errors.ProtocolError(f"expected an id as target, received {target!r}")
        if target == messages.SERVED:
            return self.policy.root
        if target < 0:
            return self._known_answer(-target).waiter.result()
        return self._known_export(target).value

    def _known_answer(self, number: "int") -> "Answer":
        answer = self._answers.get(number)
        if answer is None:
            raise errors.ProtocolError(f"call {number} is not known any more")
        return answer

    def _known_export(self, number: "int") -> "Export":
        export = self._exports.get(number)
        if export is None:
            raise errors.ReleasedError(f"object {number} was released, or never sent")
        return export

    def _later(self, number: "int", answer: "Answer", coroutine: "Any") -> None:
        if len(self._answers) > self._limits["serving"]:
            _discard(coroutine)
            raise errors.FarcallError(f"more than {self._limits['serving']} calls are running")
        answer.coroutine = coroutine
        answer.task = platform.spawn(self._complete(number, answer))

    async def _complete(self, number: "int", answer: "Answer") -> None:
        coroutine, answer.coroutine = answer.coroutine, None
        try:
            result = await coroutine
        except platform.CancelledError:
            self._fail(number, answer, errors.RemoteError("the call was cancelled"))
        except Exception as exc:
            self._fail(number, answer, exc)
        else:
            self._reply(number, answer, result)

    def _reply(self, number: "int", answer: "Answer", value: "Any") -> None:
        answer.task = None
        if self.error is not None:
            return
        if not number:
            return
        try:
            del self._dependencies[:]
            wire = self._carefully(self._result, value)
        except Exception as exc:
            self._fail(number, answer, exc)
            return
        self._finish(answer, value, None)
        self._send([messages.RET, number, wire])
        self._settled.append((self._sent + 1, number))

    def _result(self, value: "Any") -> "Any":
        wire = self._codec.encode(value)
        if self._dependencies:
            raise TypeError("the result holds a remote path or an un-awaited call: await it first")
        return wire

    def _fail(self, number: "int", answer: "Answer", exc: "BaseException") -> None:
        answer.task = None
        if self.error is not None:
            return
        if not number:
            self.complain(exc, "of a one-way call")
            return
        self._finish(answer, None, exc)
        self._send([messages.ERR, number, self._codec.encode_exception(exc)])
        self._settled.append((self._sent + 1, number))

    def _finish(self, answer: "Answer", value: "Any", error: "Any") -> None:
        """Settle an answer; calls that build on it wait in tasks, woken in a turn of their own."""
        if answer.waiter.settle(value, error):
            platform.Timer(0, lambda: self._resume(answer.waiter))

    def _resume(self, waiter: "Any") -> None:
        waiter.wake()
        platform.drain()

    def _on_cancel(self, frame: "Any", buffers: "Any") -> None:
        answer = self._answers.get(frame[1])
        if answer is None or answer.task is None:
            return
        if self._stop(answer):
            self._fail(frame[1], answer, errors.RemoteError("the call was cancelled"))

    def _stop(self, answer: "Answer") -> bool:
        """Cancel what runs; True if it had not begun, so that it will not reply itself."""
        begun = answer.coroutine is None
        if not begun:
            _discard(answer.coroutine)
            answer.coroutine = None
        answer.task.cancel()
        return not begun

    # -- objects of this side

    def export(self, value: "Any") -> "list[Any]":
        """Wire form of an object of this side; counts one more holder."""
        self.policy.admit(value)
        if isinstance(value, platform.JsProxy):
            raise TypeError("a JavaScript object cannot cross: send the values you need of it")
        key = _identity(value)
        number = self._export_ids.get(key)
        if number is None:
            number = self._new_export(value, key)
        self._exports[number].count += 1
        self._exported.append(number)
        return [messages.OBJECT, number, _kind(value), _name(value)]

    def _new_export(self, value: "Any", key: "Any") -> int:
        if len(self._exports) >= self._limits["exports"]:
            raise errors.FarcallError(f"the peer holds {self._limits['exports']} objects")
        number = self._last_export = self._last_export + 1
        self._exports[number] = Export(value, key)
        self._export_ids[key] = number
        return number

    def _on_free(self, frame: "Any", buffers: "Any") -> None:
        _, number, count = frame
        export = self._exports.get(number)
        if export is None or type(count) is not int or not 0 < count <= export.count:
            raise errors.ProtocolError(f"release of object {number!r}, {count!r} times")
        self._release_export(number, count)

    def _release_export(self, number: "int", count: "int") -> None:
        export = self._exports[number]
        export.count -= count
        if not export.count:
            del self._exports[number]
            self._export_ids.pop(export.key, None)

    def home(self, wire: "list[Any]") -> "Any":
        """The object of this side that came back, or what a path on it leads to."""
        if len(wire) > 2:
            return Promised(self, self._owner(wire[1]), wire[2])
        return self._known_export(wire[1]).value

    # -- objects of the peer

    def outgoing(self, value: "Any") -> "list[Any] | None":
        """Wire form of a proxy of this session, or of a call on its way."""
        if not isinstance(value, remote.Remote):
            return None
        ref = value._farcall
        if ref.session is not self:
            return None  # another session's: exported as the object it is here
        remote.usable(ref)
        target = ref.target
        if target < 0:
            waiter = self._waiter(ref)
            if waiter.done and not ref.path:
                wire: "list[Any]" = self._codec.encode(waiter.result())
                return wire
            target = self._target(ref)
        kind, number = (messages.HOME, target) if target >= 0 else (messages.PROMISE, -target)
        if not ref.path:
            return [kind, number]
        self._dependencies.append(0)
        return [kind, number, self._path(ref.path)]

    def _path(self, path: "Any") -> "list[Any]":
        encode = self._codec.encode
        return [p if type(p) is str else [encode(p[0])] for p in path]

    def arrived(self, wire: "list[Any]") -> "Any":
        """The proxy of an object of the peer: always the same one for the same object."""
        _, number, kind, name = wire
        if type(number) is not int or number <= 0:
            raise ValueError(f"object id {number!r}")
        entry = self._imports.get(number)
        proxy = entry[0]() if entry is not None else None
        if entry is not None and proxy is not None:
            entry[1] += 1
            return proxy
        self._generation += 1
        generation = self._generation
        proxy = self._proxy(number, generation, str(kind), str(name))
        weak = platform.weak(proxy, lambda _: self._collected(number, generation))
        self._imports[number] = [weak, (entry[1] if entry else 0) + 1, generation]
        return proxy

    def _proxy(self, number: "int", generation: "int", kind: "str", name: "str") -> "Any":
        ref = remote.Reference(self, number, kind=kind, name=name)
        if self._registry is not None:
            ref.token = platform.javascript.token(self._registry, number, generation)
        return remote.Remote(ref)

    def _collected(self, number: "int", generation: "int") -> None:
        """A proxy was garbage-collected."""
        entry = self._imports.get(number)
        if entry is not None and entry[2] == generation:
            self._free(number)

    def _free(self, number: "int") -> None:
        entry = self._imports.pop(number, None)
        if entry is not None and self.error is None:
            self._send([messages.FREE, number, entry[1]])

    def release(self, ref: "Any") -> None:
        """Give up the peer's object behind a proxy; calls under way still end."""
        if ref.released or ref.target <= 0 or ref.path:
            return
        ref.released = True
        self._free(ref.target)

    def promise(self, wire: "list[Any]") -> "Any":
        """Placeholder for the result of a call made earlier; `_substituted` puts it in."""
        return Promised(self, self._known_answer(wire[1]), wire[2] if len(wire) > 2 else [])

    # -- metadata

    def foresee(self, ref: "Any", name: "str") -> None:
        """Refuse at once what the handshake says does not exist.

        Raises:
            AttributeError: the peer serves no such name.
        """
        if ref.target != messages.SERVED or len(ref.path) > 1 or not self.description:
            return
        names: "Any" = self.description
        if ref.path:
            about = self.description.get(ref.path[0] if isinstance(ref.path[0], str) else "")
            if not about or about[0] != "module":
                return
            names = about[2]
        if name not in names:
            near = nearest(name, names)
            hint = f"; did you mean {near!r}?" if near else ""
            where = ref.text() or self.name or "the peer"
            raise AttributeError(f"{where} serves no {name!r}{hint}")

    def names(self, ref: "Any") -> "list[str]":
        """For dir(): what the handshake says is there."""
        if ref.target != messages.SERVED:
            return []
        if not ref.path:
            return sorted(self.description)
        about = self.description.get(ref.path[0]) if len(ref.path) == 1 else None
        return list(about[2] or []) if about else []

    # -- the end

    def close(self, error: "Any" = None, tell: "bool" = True) -> None:
        """End the session: every pending call raises, every running one is cancelled.

        Args:
            error: what they raise; SessionClosedError by default.
            tell: whether the peer gets to know.
        """
        if self.error is not None:
            return
        if tell:
            self._out.append(dumps([messages.BYE, str(error or "closed")]))
            self._flush()
        self.error = error or errors.SessionClosedError(f"the session {self.name} was closed")
        self._endpoint.close()
        self._ticker.close()
        self._abandon()
        for function in self.on_close:
            function(self.error)
        platform.Timer(0, self._wake_closed)

    def _abandon(self) -> None:
        for waiter, _ in list(self._pending.values()):
            waiter.retrieved = True  # on_close tells once; not each dropped call again
            if waiter.settle(None, _again(self.error)):
                self._woken.append(waiter)
        if self.ready.settle(None, _again(self.error)):
            self._woken.append(self.ready)
        for answer in list(self._answers.values()):
            if answer.task is not None:
                self._stop(answer)
        for table in (self._pending, self._answers, self._exports, self._export_ids, self._imports):
            table.clear()  # type: ignore[attr-defined]
        del self._settled[:]

    def _wake_closed(self) -> None:
        woken, self._woken = self._woken, []
        for waiter in woken:
            waiter.wake()
        platform.drain()

    def statistics(self) -> "dict[str, int]":
        """Counts of what is held for this session now, and of what has crossed so far.

        `pending`: calls of ours without a reply; `serving`: calls of the peer that run here;
        `answers`: results kept until the peer has seen them; `exports`, `imports`: objects held
        by the peer, of the peer; `streams`: open ones. Sums: messages and header characters.
        """
        return {
            "pending": len(self._pending),
            "serving": len([a for a in self._answers.values() if not a.waiter.done]),
            "answers": len(self._answers),
            "exports": len(self._exports),
            "imports": len(self._imports),
            "streams": 0,
            "messages_sent": self._sent,
            "messages_received": self._received,
            "characters_sent": self._bytes_sent,
            "characters_received": self._bytes_received,
        }


class Promised:
    """Stands in decoded arguments for the result of an earlier call, or the end of a path."""

    def __init__(self, session: "Session", source: "Any", path: "Any") -> None:
        self._session = session
        self._source = source
        self._path = path

    def value(self) -> "Any":
        """The result, or what the path leads to from it; raises the call's error."""
        owner = self._source
        if isinstance(owner, Answer):
            owner = owner.waiter.result()
        return self._session.policy.walk(owner, self._path, self._session._codec.decode)


def _substituted(value: "Any") -> "Any":
    """`value` with the results in place of what was promised."""
    if isinstance(value, Promised):
        return value.value()
    if type(value) is list:
        return [_substituted(v) for v in value]
    if type(value) is tuple:
        return tuple([_substituted(v) for v in value])
    if type(value) is dict:
        return {key: _substituted(v) for key, v in value.items()}
    return value


async def _when_resolved(waiting: "Any", frame: "Any", values: "Any", run: "Any") -> "Any":
    for answer in waiting:
        await _outcome(answer.waiter)
    result = run(frame, _substituted(values))
    if platform.is_awaitable(result):
        result = await result
    return result


def _discard(coroutine: "Any") -> None:
    if hasattr(coroutine, "close"):
        coroutine.close()


async def _outcome(waiter: "Any") -> None:
    """Wait for a waiter without raising its error."""
    try:
        await Settled(waiter)
    except platform.CancelledError:
        raise
    except Exception:
        return


class Settled:
    """Makes a waiter awaitable on every interpreter, without cancelling it."""

    def __init__(self, waiter: "Any") -> None:
        self._waiter = waiter

    def _await(self) -> "Any":
        return (yield from self._waiter.wait())

    if platform.MICROPYTHON:
        __iter__ = _await
    else:
        __await__ = _await


def _again(error: "Any") -> "Any":
    """A fresh exception like `error`: raising one object twice piles up its traceback."""
    try:
        copy = type(error)(*error.args)
        copy.remote_traceback = getattr(error, "remote_traceback", "")
        return copy
    except Exception:
        return error


def _protocol(exc: "Exception") -> "Exception":
    if isinstance(exc, errors.ProtocolError):
        return exc
    return errors.ProtocolError(f"a malformed message: {exc!r}")


def _identity(value: "Any") -> "Any":
    """Equal for the same object, and for bound methods of the same object."""
    owner = getattr(value, "__self__", None) if type(value).__name__ == "method" else None
    if owner is not None:
        return (id(owner), id(value.__func__))
    return id(value)


def _kind(value: "Any") -> str:
    if isinstance(value, type):
        return messages.KIND_CLASS
    return messages.KIND_FUNCTION if callable(value) else messages.KIND_OBJECT


def _name(value: "Any") -> str:
    if _kind(value) == messages.KIND_OBJECT:
        return type(value).__name__
    return getattr(value, "__name__", type(value).__name__)
