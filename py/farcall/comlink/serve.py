"""Objects of this side that Comlink's peers use: one port each, closed when released."""

from farcall import errors, platform
from farcall.comlink import frames
from farcall.comlink.frames import number as unique
from farcall.comlink.gate import Gate, no_items, step, takes_keywords
from farcall.comlink.values import Incoming, Marked, Outgoing, proxy, received, transfer
from farcall.connection.policy import Namespace, describe
from farcall.values.codec import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# Everything that peers can use now, so that a test can show that nothing is left.
alive: "dict[int, Exposed]" = {}


class Options:
    """What an exposed object hands on to those that are reached through it."""

    def __init__(self, origins: "Any", traceback: "bool", limits: "Any", on_error: "Any") -> None:
        self.origins = None if origins is None else tuple(origins)
        self.traceback = traceback
        self.limits = dict(frames.LIMITS)
        self.limits.update(limits or {})
        self.on_error = on_error


class Running:
    """A call of the peer whose result is awaited; `awaitable` until its task has begun."""

    def __init__(self, awaitable: "Any") -> None:
        self.awaitable = awaitable
        self.task: "Any" = None

    def stop(self) -> bool:
        """Cancel it; True if it had not begun."""
        awaitable, self.awaitable = self.awaitable, None
        if awaitable is not None:
            _discard(awaitable)
        self.task.cancel()
        return awaitable is not None


def _discard(awaitable: "Any") -> None:
    if hasattr(awaitable, "close"):
        awaitable.close()


class Exposed:
    """An object that a peer uses through one port, until the peer releases it or `close`."""

    def __init__(
        self, value: "Any", port: "Any", options: "Options", policy: "Gate", realm: "Any" = None
    ) -> None:
        if len(alive) >= options.limits["exposed"]:
            raise errors.LimitError(f"peers hold {len(alive)} objects")
        policy.admit(value)
        self.policy = policy
        self.value = value
        self.port = port
        self.realm = realm or frames.Realm()
        self.options = options
        self.children: list[Exposed] = []
        self.refused = 0
        self.running: dict[Any, Any] = {}
        self._leaving: Any = None
        self._number = unique()
        alive[self._number] = self
        self.realm.served[self._number] = self
        port.listen(frames.REQUESTS, self._on_frame, self._on_broken, self._on_gone)

    # -- requests

    def _on_frame(self, text: "str", buffers: "Any", refs: "Any", origin: "str") -> None:
        if not self.is_open():
            return
        if self.options.origins is not None and origin not in self.options.origins:
            self.refused += 1
            return
        frame: dict[str, Any] = {}
        number: Any = None
        try:
            frame = Incoming().frame(text, buffers, refs)
            number = self._valid_id(frame)
            if number is not None:
                self._request(number, frame)
        except (Exception, SystemExit) as exc:
            self._fail(number, exc)
        platform.drain()

    def _valid_id(self, frame: "dict[str, Any]") -> "Any":
        """The id to reply to; None for what is no request of Comlink's."""
        if frame.get("type") not in frames.REQUESTS:
            return None
        number = frame.get("id")
        if isinstance(number, str) and 0 < len(number) <= self.options.limits["id"]:
            return number
        if type(number) in (int, float) and number:
            return number
        if frame["type"] != frames.CANCEL:
            self.refused += 1
        return None

    def _request(self, number: "Any", frame: "dict[str, Any]") -> None:
        kind = frame["type"]
        if kind == frames.CANCEL:
            self._cancel(number)
        elif kind == frames.RELEASE:
            self._release(number)
        elif kind == frames.ENDPOINT:
            near, far = self.port.channel()
            self.children.append(Exposed(self.value, near, self.options, self.policy, self.realm))
            self._reply(number, transfer(far, []))
        else:
            self._run(number, getattr(self, "_" + kind.lower()), frame)

    def _run(self, number: "Any", handler: "Any", frame: "dict[str, Any]") -> None:
        result = handler(frame)
        if not platform.is_awaitable(result):
            self._reply(number, result)
            return
        if len(self.running) >= self.options.limits["serving"]:
            _discard(result)
            raise errors.LimitError(f"{len(self.running)} calls are running")
        key = number if number not in self.running else (number, unique())
        run = self.running[key] = Running(result)
        run.task = platform.spawn(self._later(number, key, run))

    async def _later(self, number: "Any", key: "Any", run: "Running") -> None:
        awaitable, run.awaitable = run.awaitable, None
        try:
            self._reply(number, await awaitable)
        except platform.CancelledError:
            self._fail(number, errors.RemoteError("the call was cancelled"))
        except (Exception, SystemExit) as exc:
            self._fail(number, exc)
        finally:
            self.running.pop(key, None)
            self._leave()

    def _get(self, frame: "dict[str, Any]") -> "Any":
        found = self._walk(self._path(frame))
        return proxy(self.value) if isinstance(found, Namespace) else found

    def _set(self, frame: "dict[str, Any]") -> bool:
        path = self._path(frame)
        if not path:
            raise errors.PolicyError("the exposed object itself cannot be replaced")
        owner = self._walk(path[:-1])
        value = received(frame.get("value"), self._adopt)
        self.policy.change(owner, step(path[-1]), value)
        return True

    def _apply(self, frame: "dict[str, Any]") -> "Any":
        function = self.policy.callable(self._walk(self._path(frame)))
        args, kwargs = self._arguments(frame, function)
        return function(*args, **kwargs)

    def _construct(self, frame: "dict[str, Any]") -> "Any":
        cls = self._walk(self._path(frame))
        if not isinstance(cls, type):
            raise TypeError(f"{describe(cls)} is not a class")
        args, kwargs = self._arguments(frame, cls)
        return proxy(self.policy.callable(cls)(*args, **kwargs))

    def _path(self, frame: "dict[str, Any]") -> "list[Any]":
        path = frame.get("path")
        if path is None:
            return []
        if not isinstance(path, list):
            raise errors.ProtocolError(f"expected a path, received a {type(path).__name__}")
        return path

    def _walk(self, path: "list[Any]") -> "Any":
        return self.policy.walk(self.policy.root, [step(s) for s in path], no_items)

    def _arguments(self, frame: "dict[str, Any]", function: "Any") -> "Any":
        wires = frame.get("argumentList")
        if wires is None:
            return [], {}
        if not isinstance(wires, list) or len(wires) > self.options.limits["arguments"]:
            raise errors.ProtocolError("expected a list of arguments, not too many")
        args = [received(w, self._adopt) for w in wires]
        if not args or type(args[-1]) is not dict:
            return args, {}
        if frame.get("py") == frames.KEYWORDS or takes_keywords(function, args):
            return args[:-1], args[-1]
        return args, {}

    def _adopt(self, value: "Any") -> "Any":
        from farcall.comlink.calls import adopted

        return adopted(value, self.options.on_error, None, self.realm)

    def serve(self, value: "Any") -> "Any":
        """The far end of a new channel that serves `value` under this object's gate."""
        near, far = self.port.channel()
        child = Exposed(value, near, self.options, Gate(value, self.policy), self.realm)
        self.children = [c for c in self.children if c.is_open()]
        self.children.append(child)
        return far

    # -- replies

    def _reply(self, number: "Any", value: "Any") -> None:
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
        except Exception as exc:
            failure = str(exc)
        if failure:
            self._fail(number, TypeError(f"Unserializable return value: {failure}"))

    def _fail(self, number: "Any", exc: "BaseException") -> None:
        if number is None:
            self._complain(exc)
            return
        if not self.is_open():
            return
        frame = Outgoing(self.serve)
        try:
            wire = frame.thrown(exc, self.options.traceback)
        except TypeError as why:
            wire = frame.thrown(why, self.options.traceback)
        if self._post(number, frame, wire):
            self._complain(exc)

    def _post(self, number: "Any", frame: "Any", wire: "dict[str, Any]") -> str:
        wire["id"] = number
        return str(self.port.post(dumps(wire), frame.buffers, frame.refs, frame.transfers))

    def _complain(self, exc: "BaseException") -> None:
        if self.options.on_error is not None:
            self.options.on_error(exc)
        else:
            platform.report(f"farcall.comlink: {type(exc).__name__}: {exc}")

    # -- the end

    def _cancel(self, number: "Any") -> None:
        run = self.running.get(number)
        if run is not None and run.stop():  # it had not begun: it will not reply itself
            del self.running[number]
            self._fail(number, errors.RemoteError("the call was cancelled"))
            self._leave()

    def _release(self, number: "Any") -> None:
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
            except Exception as exc:
                self._complain(exc)

    def _on_broken(self, number: "str", kind: "str", why: "str") -> None:
        exc = errors.ProtocolError(f"{kind or 'a'} message refused: {why}")
        self._fail(number or None, exc)

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
