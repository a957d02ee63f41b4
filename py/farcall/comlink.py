"""JavaScript Comlink 4's wire, both ways: a page in JavaScript drives Python, Python drives it.

    farcall.comlink.expose(engine, port)             # const engine = Comlink.wrap(port)
    engine = farcall.comlink.wrap(worker)            # Comlink.expose(engine) in the worker
    await engine.train(10, callback)                 # functions go by reference, no proxy() needed

What a proxy does is farcall's `Remote`: await a path to read it, call it, assign to it. Classes
of the other side are constructed with `new`. Between two Pythons farcall's own protocol does more.
"""

from . import comlink_ports, errors, platform, remote
from .codec import dumps
from .comlink_ports import memory_pair
from .comlink_values import (
    HANDLER,
    RAW,
    Incoming,
    Marked,
    Outgoing,
    Thrown,
    TransferHandler,
    proxy,
    received,
    transfer,
    transfer_handlers,
)
from .policy import Namespace, Policy, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GET, SET, APPLY, CONSTRUCT, ENDPOINT, RELEASE, CANCEL = (
    "GET",
    "SET",
    "APPLY",
    "CONSTRUCT",
    "ENDPOINT",
    "RELEASE",
    "CANCEL",  # ours: JavaScript's Comlink ignores types it does not know
)
REQUESTS = (GET, SET, APPLY, CONSTRUCT, ENDPOINT, RELEASE, CANCEL)
REPLIES = (RAW, HANDLER)

LIMITS = {
    "pending": 100_000,  # calls of ours without a reply
    "serving": 10_000,  # calls of the peer that run here, for one exposed object
    "exposed": 100_000,  # objects that peers hold, all together
    "arguments": 10_000,
    "id": 200,  # characters
}

# Everything alive, so that a test can show that nothing is left.
_exposed: "dict[int, Exposed]" = {}
_wrapped: "dict[int, Wrapped]" = {}
_last = 0


def _number() -> int:
    global _last
    _last += 1
    return _last


def statistics() -> "dict[str, int]":
    """What is held now: objects that peers hold, proxies of theirs, calls each way."""
    return {
        "exposed": len(_exposed),
        "wrapped": len(_wrapped),
        "pending": sum([len(w._pending) for w in _wrapped.values()]),
        "serving": sum([len(e._running) for e in _exposed.values()]),
    }


def _serve(value: "Any", parent: "Any") -> "Any":
    """The far end of a new channel that serves `value`."""
    near, far = parent.port.channel()
    child = Exposed(value, near, parent.options)
    parent.children.append(child)
    return far


class Options:
    """What an exposed object hands on to those that are reached through it."""

    def __init__(self, origins: "Any", traceback: "bool", limits: "Any", on_error: "Any") -> None:
        self.origins = None if origins is None else tuple(origins)
        self.traceback = traceback
        self.limits = dict(LIMITS)
        self.limits.update(limits or {})
        self.on_error = on_error


class Exposed:
    """An object that a peer uses through one port, until the peer releases it or `close`."""

    def __init__(self, value: "Any", port: "Any", options: "Options") -> None:
        if len(_exposed) >= options.limits["exposed"]:
            raise errors.FarcallError(f"peers hold {len(_exposed)} objects")
        self.policy = Policy(value)
        self.policy.admit(value)
        self.value = value
        self.port = port
        self.options = options
        self.children: "list[Exposed]" = []
        self.refused = 0
        self._running: "dict[Any, Any]" = {}
        self._leaving: "Any" = None
        self._number = _number()
        _exposed[self._number] = self
        port.listen(REQUESTS, self._on_frame, self._on_broken, self._on_gone)

    # -- requests

    def _on_frame(self, text: "str", buffers: "Any", refs: "Any", origin: "str") -> None:
        if not self._is_open():
            return
        if self.options.origins is not None and origin not in self.options.origins:
            self.refused += 1
            return
        frame: "dict[str, Any]" = {}
        number: "Any" = None
        try:
            frame = Incoming().frame(text, buffers, refs)
            number = self._valid_id(frame)
            if number is not None:
                self._request(number, frame)
        except Exception as exc:
            self._fail(number, exc)
        platform.drain()

    def _valid_id(self, frame: "dict[str, Any]") -> "Any":
        """The id to reply to; None for what is no request of Comlink's."""
        if frame.get("type") not in REQUESTS:
            return None
        number = frame.get("id")
        if isinstance(number, str) and 0 < len(number) <= self.options.limits["id"]:
            return number
        if type(number) in (int, float) and number:
            return number
        if frame["type"] != CANCEL:
            self.refused += 1
        return None

    def _request(self, number: "Any", frame: "dict[str, Any]") -> None:
        kind = frame["type"]
        if kind == CANCEL:
            self._cancel(number)
        elif kind == RELEASE:
            self._release(number)
        elif kind == ENDPOINT:
            near, far = self.port.channel()
            Exposed(self.value, near, self.options)
            self._reply(number, transfer(far, []))
        else:
            self._run(number, getattr(self, "_" + kind.lower()), frame)

    def _run(self, number: "Any", handler: "Any", frame: "dict[str, Any]") -> None:
        result = handler(frame)
        if not platform.is_awaitable(result):
            self._reply(number, result)
            return
        if len(self._running) >= self.options.limits["serving"]:
            raise errors.FarcallError(f"{len(self._running)} calls are running already")
        key = number if number not in self._running else (number, _number())
        self._running[key] = None
        self._running[key] = platform.spawn(self._later(number, key, result))

    async def _later(self, number: "Any", key: "Any", awaitable: "Any") -> None:
        try:
            self._reply(number, await awaitable)
        except platform.CancelledError:
            self._fail(number, errors.RemoteError("the call was cancelled"))
        except Exception as exc:
            self._fail(number, exc)
        finally:
            self._running.pop(key, None)
            self._leave()

    def _get(self, frame: "dict[str, Any]") -> "Any":
        return self._walk(self._path(frame))

    def _set(self, frame: "dict[str, Any]") -> bool:
        path = self._path(frame)
        if not path:
            raise errors.PolicyError("the exposed object itself cannot be replaced")
        owner = self._walk(path[:-1])
        value = received(frame.get("value"), self._adopt)
        _set(self.policy, owner, path[-1], value)
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
        return self.policy.walk(self.policy.root, [_step(s) for s in path], _key(self.policy))

    def _arguments(self, frame: "dict[str, Any]", function: "Any") -> "Any":
        wires = frame.get("argumentList")
        if wires is None:
            return [], {}
        if not isinstance(wires, list) or len(wires) > self.options.limits["arguments"]:
            raise errors.ProtocolError("expected a list of arguments, not too many")
        args = [received(w, self._adopt) for w in wires]
        if args and type(args[-1]) is dict and self._are_keywords(frame, function, args):
            return args[:-1], args[-1]
        return args, {}

    def _are_keywords(self, frame: "Any", function: "Any", args: "list[Any]") -> bool:
        if frame.get("py") == "kwargs":
            return True
        return _takes_keywords(function, args)

    def _adopt(self, value: "Any") -> "Any":
        return _adopted(value, self.options.on_error)

    # -- replies

    def _reply(self, number: "Any", value: "Any") -> None:
        if not self._is_open():
            return
        frame = Outgoing(lambda v: _serve(v, self))
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
        if not self._is_open():
            return
        frame = Outgoing(lambda v: _serve(v, self))
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
        task = self._running.get(number)
        if task is not None:
            task.cancel()

    def _release(self, number: "Any") -> None:
        """Reply and leave once the calls that came before are answered."""
        self._leaving = number
        self._leave()

    def _leave(self) -> None:
        if self._leaving is None or self._running or not self._is_open():
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

    def _on_gone(self, why: "str") -> None:
        self.close()

    def _is_open(self) -> bool:
        return self._number in _exposed

    def _end(self) -> None:
        del _exposed[self._number]
        self.port.close()

    def close(self) -> None:
        """Serve no more; what was reached through it neither. Calls that run are cancelled."""
        if self._is_open():
            self._end()
        for task in list(self._running.values()):
            task.cancel()
        for child in self.children:
            child.close()
        del self.children[:]


def _step(step: "Any") -> "Any":
    if type(step) is not str:
        raise errors.PolicyError(f"expected a name as path step, received {step!r}")
    return step


class _Walker(Policy):
    """Comlink's path steps: a JavaScript peer says `list.0`, `list.length` and `dict.key`."""

    def read(self, owner: "Any", name: "Any") -> "Any":
        """One step, gate passed."""
        if type(owner) in (list, tuple):
            return self._element(owner, name)
        if type(owner) is dict:
            self.check(owner, name)
            if name not in owner:
                return None
            return self.item(owner, name)
        return super().read(owner, name)

    def _element(self, owner: "Any", name: "Any") -> "Any":
        if name == "length":
            return len(owner)
        if not name.isdigit() or len(name) > 15:
            raise AttributeError(f"a {type(owner).__name__} has no {name!r}: indices and length")
        return self.item(owner, int(name)) if int(name) < len(owner) else None
