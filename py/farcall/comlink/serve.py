"""Objects of this side that Comlink's peers use: one port each, closed when released."""

from farcall import errors, platform
from farcall.comlink import frames
from farcall.comlink.frames import number as unique
from farcall.comlink.gate import Gate
from farcall.comlink.requests import Requests
from farcall.comlink.values import Incoming, Marked, Outgoing, UndecodableError, transfer
from farcall.values.codec import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from typing import Any

    from farcall.comlink.ports import Port
    from farcall.comlink.realm import Options, Realm, Servant
    from farcall.comlink.requests import Fields
    from farcall.platform.buffers import Buffer
    from farcall.platform.javascript import JavaScript
    from farcall.proxies.remote import Value

    Number = str | int | float | None  # a request's id; None where there is no reply

# Everything that peers can use now, so that a test can show that nothing is left.
alive: "dict[int, Exposed]" = {}


class Running:
    """A call of the peer whose result is awaited; `awaitable` until its task has begun."""

    def __init__(self, awaitable: "Any") -> None:
        self.awaitable = awaitable
        self.task: "asyncio.Task[Any] | None" = None

    def stop(self) -> bool:
        """Cancel it; True if it had not begun."""
        awaitable, self.awaitable = self.awaitable, None
        if awaitable is not None:
            platform.discard(awaitable)
        if self.task is not None:
            self.task.cancel()
        return awaitable is not None


class Exposed:
    """An object that a peer uses through one port, until the peer releases it or `close`."""

    def __init__(
        self, value: "Value", port: "Port", options: "Options", policy: "Gate", realm: "Realm"
    ) -> None:
        if len(alive) >= options.limits["exposed"]:
            raise errors.LimitError(f"peers hold {len(alive)} objects")
        policy.admit(value)
        self.value, self.policy = value, policy
        self.port = port
        self.realm = realm
        self.options = options
        self.children: "list[Servant]" = []
        self.refused = 0
        self.running: "dict[object, Running]" = {}
        adopt = realm.adopter(options.on_error)
        self._requests = Requests(value, policy, options.limits["arguments"], adopt)
        self._leaving: "Number" = None
        self._number = unique()
        alive[self._number] = self
        realm.served[self._number] = self
        port.listen(frames.REQUESTS, self._on_frame, self._on_broken, self._on_gone)

    # -- requests

    def _on_frame(
        self, text: "str", buffers: "list[Buffer]", refs: "list[JavaScript]", origin: "str"
    ) -> None:
        if not self.is_open():
            return
        if self.options.origins is not None and origin not in self.options.origins:
            self.refused += 1
            return
        number: "Number" = None
        try:
            frame: "Fields" = Incoming().frame(text, buffers, refs)
            number = self._valid_id(frame)
            if number is not None:
                self._request(number, frame)
        except UndecodableError as exc:
            self._fail(self._valid_id(exc.fields), errors.ProtocolError(str(exc)))
        except BaseException as exc:  # whatever a function raises is its caller's
            self._fail(number, exc)
        platform.drain()

    def _valid_id(self, frame: "Fields") -> "Number":
        """The id to reply to; None for what is no request of Comlink's."""
        if frame.get("type") not in frames.REQUESTS:
            return None
        number = frame.get("id")
        if isinstance(number, str) and 0 < len(number) <= self.options.limits["id"]:
            return number
        finite = type(number) in (int, float) and number - number == 0  # type: ignore[operator]
        if finite and number:  # JSON could not repeat an infinite one or a NaN in the reply
            return number  # type: ignore[no-any-return]
        if frame["type"] != frames.CANCEL:
            self.refused += 1
        return None

    def _request(self, number: "Number", frame: "Fields") -> None:
        kind = frame["type"]
        if kind == frames.CANCEL:
            self._cancel(number)
        elif kind == frames.RELEASE:
            self._release(number)
        elif kind == frames.ENDPOINT:
            near, far = self.port.channel()
            self.children.append(self.realm.expose(self.value, near, self.options, self.policy))
            self._reply(number, transfer(far, []))
        else:
            self._run(number, frame)

    def _run(self, number: "Number", frame: "Fields") -> None:
        result = self._requests.run(frame)
        if not platform.is_awaitable(result):
            self._reply(number, result)
            return
        if len(self.running) >= self.options.limits["serving"]:
            platform.discard(result)
            raise errors.LimitError(f"{len(self.running)} calls are running")
        key = number if number not in self.running else (number, unique())
        run = self.running[key] = Running(result)
        run.task = platform.spawn(self._later(number, key, run))

    async def _later(self, number: "Number", key: "object", run: "Running") -> None:
        awaitable, run.awaitable = run.awaitable, None
        try:
            self._reply(number, await awaitable)
        except platform.CancelledError:
            self._fail(number, errors.RemoteError("the call was cancelled"))
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            self._fail(number, exc)
        finally:
            self.running.pop(key, None)
            self._leave()

    def serve(self, value: "Value") -> "JavaScript":
        """The far end of a new channel that serves `value` under this object's gate."""
        near, far = self.port.channel()
        child = self.realm.expose(value, near, self.options, Gate(value, self.policy))
        self.children = [c for c in self.children if c.is_open()]
        self.children.append(child)
        return far

    # -- replies

    def _reply(self, number: "Number", value: "Value") -> None:
        if not self.is_open():
            return
        frame = Outgoing(self.serve)
        frame.traceback = self.options.traceback
        try:
            if not isinstance(value, Marked):
                self.policy.admit(value)
            failure = self._post(number, frame, frame.wire(value))
        except errors.PolicyError as exc:
            self._fail(number, exc)
            return
        except BaseException as exc:
            failure = str(exc)
        if failure:
            self._fail(number, TypeError(f"Unserializable return value: {failure}"))

    def _fail(self, number: "Number", exc: "BaseException") -> None:
        if number is None:
            self.options.complain(exc)
            return
        if not self.is_open():
            return
        frame = Outgoing(self.serve)
        try:
            wire = frame.thrown(exc, self.options.traceback)
        except BaseException as why:
            wire = frame.thrown(errors.uncrossable(exc, why), self.options.traceback)
        if self._post(number, frame, wire):
            self.options.complain(exc)

    def _post(self, number: "Number", frame: "Outgoing", wire: "Fields") -> str:
        wire["id"] = number
        return str(self.port.post(dumps(wire), frame.buffers, frame.refs, frame.transfers))

    # -- the end

    def _cancel(self, number: "Number") -> None:
        run = self.running.get(number)
        if run is not None and run.stop():  # it had not begun: it will not reply itself
            del self.running[number]
            self._fail(number, errors.RemoteError("the call was cancelled"))
            self._leave()

    def _release(self, number: "Number") -> None:
        """Reply and leave once the calls that came before are answered."""
        self._leaving = number
        self._leave()

    def _leave(self) -> None:
        if self._leaving is None or self.running or not self.is_open():
            return
        number, self._leaving = self._leaving, None
        self._reply(number, None)
        self._end()
        finalize = getattr(self.value, "__finalizer__", None)
        if finalize is not None:
            try:
                finalize()
            except BaseException as exc:
                self.options.complain(exc)

    def _on_broken(self, number: "str", kind: "str", why: "str", memory: "bool" = False) -> None:
        refused: "type[Exception]" = MemoryError if memory else errors.ProtocolError
        self._fail(number or None, refused(f"{kind or 'a'} message refused: {why}"))

    def _on_gone(self, why: "str", all_of_it: "bool" = False) -> None:
        self.close()
        if all_of_it:
            self.realm.fail(errors.WorkerDiedError(f"the peer failed: {why}"))

    def is_open(self) -> bool:
        """Whether the peer can still use it."""
        return self._number in alive

    def _end(self) -> None:
        del alive[self._number]
        del self.realm.served[self._number]
        self.port.close()

    def close(self) -> None:
        """Serve no more; what was reached through it neither. Calls that run are cancelled."""
        if self.is_open():
            self._end()
        for run in list(self.running.values()):
            run.stop()
        self.running.clear()
        for child in self.children:
            child.close()
        del self.children[:]
