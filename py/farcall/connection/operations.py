"""What a peer may ask of an object: len(), iter(), contains and other operations of its type.

`OPERATIONS` maps the name in an `op` frame to a function of the object. Which of them a peer may
use of which object is decided by policy.
"""

from farcall import errors, platform
from farcall.connection.operators import MOST, OPERATORS, findable, light
from farcall.connection.producers import Producer, Streamed, is_stream
from farcall.proxies.remote import Remote
from farcall.values.arrays import whole
from farcall.values.encoder import is_copied
from farcall.values.references import Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _iter(owner: "Any") -> "Any":
    """A stream of the items of anything iterable; of itself if it is one already.

    An iterator, as a file, is used after a loop was left: no item of it may be taken ahead. The
    peer has a reference to it, and asks for each by `next`.
    """
    if isinstance(owner, Producer) or is_stream(owner):
        return owner.sent if isinstance(owner, Producer) else owner
    if isinstance(owner, Remote) and owner._farcall.flow is None:
        return _iter_beyond(owner)
    # TypeError now, not at the first item.
    items = owner.__aiter__() if hasattr(owner, "__aiter__") else iter(owner)
    generator = type(owner).__name__ == "generator"  # MicroPython's: it ends with the loop
    return Ref(owner) if items is owner and not generator else Streamed(items)


async def _iter_beyond(owner: "Remote") -> "Any":
    """As `_iter`, of what a proxy leads to: its own side knows whether that is an iterator."""
    found = await owner._farcall.connection.operate(owner, "iter", ())
    return found if found._farcall.flow is None else Streamed(found)


def _next(owner: "Any") -> "Any":
    if isinstance(owner, Producer):
        return owner.asend(None)
    if hasattr(owner, "__anext__"):
        return owner.__anext__()
    try:
        return next(owner)
    except StopIteration:
        raise StopAsyncIteration from None


def _enter(owner: "Any") -> "Any":
    """(True, what `with` gives), or (False, the object itself) if it is no context manager."""
    if hasattr(owner, "__aenter__"):
        return _entered(owner)
    if hasattr(owner, "__enter__"):
        return True, owner.__enter__()
    return False, Ref(owner)


async def _entered(owner: "Any") -> "Any":
    return True, await owner.__aenter__()


def _exit(owner: "Any", exc: "Any") -> "Any":
    kind = type(exc) if exc is not None else None
    if hasattr(owner, "__aexit__"):
        return owner.__aexit__(kind, exc, None)
    return owner.__exit__(kind, exc, None)


def _copy(owner: "Any") -> "Any":
    """The object by value.

    Raises:
        TypeError: objects of its type have none.
    """
    if not is_copied(owner):
        raise TypeError(f"a {type(owner).__name__} has no value to copy: register its class")
    return owner


def _await(owner: "Any") -> "Any":
    if not platform.is_awaitable(owner):
        raise TypeError(f"a {type(owner).__name__} cannot be awaited")
    return owner


def _contains(owner: "Any", item: "Any") -> bool:
    light(owner, item)
    return findable(owner, item) in owner


def _equals(owner: "Any", other: "Any") -> "Any":
    light(owner, other)
    return owner == other  # of arrays: an array


def _text(function: "Any") -> "Any":
    def write(owner: "Any") -> str:
        light(owner)
        return str(function(owner))

    return write


def _round(owner: "Any", *digits: "Any") -> "Any":
    most = whole(digits[0]) if digits else None
    if most is not None and abs(most) > MOST:  # it makes 10**digits
        raise errors.LimitError(f"round(): expected at most {MOST} digits, received {digits[0]}")
    return round(owner, *digits)


def _lock_step(name: "str") -> "Any":
    def step(owner: "Any", *args: "Any") -> "Any":
        if not isinstance(owner, Producer):
            raise TypeError(f"{name} is for streams")
        return getattr(owner, name)(*args)

    return step


def forwarded(name: "str") -> bool:
    """Whether an operation on a proxy is asked of the object behind it, and not of the proxy."""
    return name not in ("iter", "enter", "exit", "asend", "athrow", "aclose")


OPERATIONS: "dict[str, Any]" = {
    "len": len,
    "bool": bool,
    "int": int,
    "float": float,
    "str": _text(str),
    "repr": _text(repr),
    "iter": _iter,
    "next": _next,
    "contains": _contains,
    "equals": _equals,
    "enter": _enter,
    "exit": _exit,
    "copy": _copy,
    "doc": lambda owner: getattr(owner, "__doc__", None) or "",
    "names": lambda owner: [],  # policy answers this one itself
    "await": _await,
    "asend": _lock_step("asend"),
    "athrow": _lock_step("athrow"),
    "aclose": _lock_step("aclose"),
    "neg": lambda a: -a,
    "pos": lambda a: +a,
    "abs": abs,
    "invert": lambda a: ~a,
    "round": _round,
}
OPERATIONS.update(OPERATORS)
