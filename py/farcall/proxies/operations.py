"""Python's protocols as coroutines: `await farcall.len(obj)` and friends, on both sides.

A remote object cannot answer `len(obj)` in time; each of these asks for the same thing. The far
side runs what the object's type defines; which of them it may is policy's business.
"""

import builtins as _builtins

from farcall.connection.streams import Producer, Streamed, is_stream
from farcall.proxies import remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from typing import Any

_VALUES = (list, tuple, dict, _builtins.set, frozenset, bytes, bytearray)


def _iter(owner: "Any") -> "Any":
    """A stream of the items of anything iterable; of itself if it is one already."""
    if isinstance(owner, Producer) or is_stream(owner):
        return owner.source if isinstance(owner, Producer) else owner
    if not hasattr(owner, "__aiter__"):
        iter(owner)  # TypeError now, not at the first item
    return Streamed(owner)


def _enter(owner: "Any") -> "Any":
    """(True, what `with` gives), or (False, the object itself) if it is no context manager."""
    if hasattr(owner, "__aenter__"):
        return _entered(owner)
    if hasattr(owner, "__enter__"):
        return True, owner.__enter__()
    return False, owner


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
    if isinstance(owner, _VALUES):
        return owner
    state = getattr(owner, "__farcall_copy__", None)
    if state is None:
        raise TypeError(f"a {type(owner).__name__} has no value to copy: register its class")
    return state()


def _lock_step(name: "builtins.str") -> "Any":
    def step(owner: "Any", *args: "Any") -> "Any":
        if not isinstance(owner, Producer):
            raise TypeError(f"{name} is for streams")
        return getattr(owner, name)(*args)

    return step


OPERATIONS: "dict[builtins.str, Any]" = {
    "len": _builtins.len,
    "bool": _builtins.bool,
    "int": _builtins.int,
    "float": _builtins.float,
    "str": _builtins.str,
    "repr": _builtins.repr,
    "iter": _iter,
    "contains": lambda owner, item: item in owner,
    "equals": lambda owner, other: _builtins.bool(owner == other),
    "enter": _enter,
    "exit": _exit,
    "copy": _copy,
    "doc": lambda owner: getattr(owner, "__doc__", None) or "",
    "names": lambda owner: [],  # policy answers this one itself
    "asend": _lock_step("asend"),
    "athrow": _lock_step("athrow"),
    "aclose": _lock_step("aclose"),
    "add": lambda a, b: a + b,
    "radd": lambda a, b: b + a,
    "sub": lambda a, b: a - b,
    "rsub": lambda a, b: b - a,
    "mul": lambda a, b: a * b,
    "rmul": lambda a, b: b * a,
    "truediv": lambda a, b: a / b,
    "rtruediv": lambda a, b: b / a,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "matmul": lambda a, b: a @ b,
    "neg": lambda a: -a,
    "abs": abs,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def _asking(name: "builtins.str", doc: "builtins.str") -> "Any":
    def ask(obj: "Any", *args: "Any") -> "Any":
        ref = remote.reference(obj, name)
        return ref.session.calls.operate(obj, name, args)

    try:
        ask.__doc__ = doc
        ask.__name__ = name
    except AttributeError:  # functions take no attributes on MicroPython
        return ask
    return ask


len = _asking("len", "`len(obj)` there.")
bool = _asking("bool", "`bool(obj)` there.")
int = _asking("int", "`int(obj)` there.")
float = _asking("float", "`float(obj)` there.")
str = _asking("str", "`str(obj)` there.")
repr = _asking("repr", "`repr(obj)` there; `repr` of a proxy itself is local.")
contains = _asking("contains", "`item in obj` there.")
equals = _asking("equals", "`obj == other` there; `==` of proxies is identity.")
copy = _asking("copy", "The object by value, though it was sent by reference.")
doc = _asking("doc", "The object's docs, whole.")
names = _asking("names", "Names that may be used of the object: dir() there.")


def set(path: "Any", value: "Any") -> "Any":
    """`path = value` there, to be awaited: obj.x = value whose error you get."""
    ref = remote.reference(path, "set")
    if not ref.path:
        raise TypeError("set: expected a path such as obj.name or obj[key]")
    return ref.session.calls.assign(path, value)


def delete(path: "Any") -> "Any":
    """`del path` there, to be awaited."""
    ref = remote.reference(path, "delete")
    if not ref.path:
        raise TypeError("delete: expected a path such as obj.name or obj[key]")
    return ref.session.calls.remove(path)


def options(proxy: "Any", **given: "Any") -> "Any":
    """The same proxy with options for its calls: `options(obj.method, timeout=5)(x)`.

    Args:
        proxy: a proxy or a path.
        given: timeout (seconds, None waits), one_way (True: no reply, returns None).
    """
    ref = remote.reference(proxy, "options")
    unknown = [name for name in given if name not in ("timeout", "one_way")]
    if unknown:
        raise TypeError(f"options: expected timeout or one_way, received {unknown}")
    owner = proxy if ref.owner is None else ref.owner
    copy = remote.Reference(ref.session, ref.target, ref.path, owner, ref.kind, ref.name)
    copy.options = dict(ref.options or {})
    copy.options.update(given)
    return remote.Remote(copy)


def release(proxy: "Any") -> None:
    """Give up the peer's object behind a proxy: it may be collected there. Idempotent."""
    ref = remote.reference(proxy, "release")
    ref.session.tables.release(ref)
