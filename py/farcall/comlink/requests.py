"""What a Comlink peer's request asks of an exposed object: get, set, apply, construct."""

from farcall import errors
from farcall.comlink import frames
from farcall.comlink.gate import no_items, step, takes_keywords
from farcall.comlink.values import proxy, received
from farcall.connection.namespace import Namespace
from farcall.connection.policy import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.comlink.gate import Gate
    from farcall.messages import Wire
    from farcall.proxies.remote import Call, Remote, Value

    Fields = dict[str, Wire]  # of a message


class Requests:
    """Runs requests on one exposed object.

    Args:
        value: what is exposed.
        policy: decides what the peer may use of it.
        limit: how many arguments a call may have.
        adopt: gives the proxy of what a port of the peer serves.
    """

    def __init__(
        self, value: "Value", policy: "Gate", limit: "int", adopt: "Callable[[Value], Remote]"
    ) -> None:
        self._value = value
        self._policy = policy
        self._limit = limit
        self._adopt = adopt
        self._kinds: "dict[str, Callable[[Fields], Value]]" = {
            frames.GET: self._get,
            frames.SET: self._set,
            frames.APPLY: self._apply,
            frames.CONSTRUCT: self._construct,
        }

    def run(self, frame: "Fields") -> "Value":
        """The result of a request; it may have to be awaited."""
        return self._kinds[frame["type"]](frame)

    def _get(self, frame: "Fields") -> "Value":
        found = self._walk(_path(frame))
        return proxy(self._value) if isinstance(found, Namespace) else found

    def _set(self, frame: "Fields") -> "Value":
        path = _path(frame)
        if not path:
            raise errors.PolicyError("the exposed object itself cannot be replaced")
        owner = self._walk(path[:-1])
        value = received(frame.get("value"), self._adopt)
        changing = self._policy.change(owner, step(path[-1]), value)
        return True if changing is None else _changed(changing)

    def _apply(self, frame: "Fields") -> "Value":
        function = self._policy.callable(self._walk(_path(frame)))
        args, kwargs = self._arguments(frame, function)
        return function(*args, **kwargs)

    def _construct(self, frame: "Fields") -> "Value":
        cls = self._walk(_path(frame))
        if not isinstance(cls, type):
            raise TypeError(f"{describe(cls)} is not a class")
        args, kwargs = self._arguments(frame, cls)
        return proxy(self._policy.callable(cls)(*args, **kwargs))

    def _walk(self, path: "list[Wire]") -> "Value":
        return self._policy.walk(self._policy.root, [step(s) for s in path], no_items)

    def _arguments(
        self, frame: "Fields", function: "Callable[..., Any]"
    ) -> "tuple[list[Value], dict[str, Value]]":
        wires = frame.get("argumentList")
        if wires is None:
            return [], {}
        if not isinstance(wires, list) or len(wires) > self._limit:
            raise errors.ProtocolError("expected a list of arguments, not too many")
        args = [received(w, self._adopt) for w in wires]
        if not args or type(args[-1]) is not dict:
            return args, {}
        said = frame.get("py")  # JavaScript says nothing
        if said == frames.POSITIONAL:
            return args, {}
        if said == frames.KEYWORDS or takes_keywords(function, args):
            return args[:-1], args[-1]
        return args, {}


async def _changed(changing: "Call") -> bool:
    """The reply to a SET whose object lives on a third side."""
    await changing
    return True


def _path(frame: "Fields") -> "list[Wire]":
    path = frame.get("path")
    if path is None:
        return []
    if not isinstance(path, list):
        raise errors.ProtocolError(f"expected a path, received a {type(path).__name__}")
    return path
