"""Python's protocols as coroutines: `await farcall.len(obj)` and others.

A remote object cannot answer `len(obj)` in time; each of these asks for the same. The other side
runs the operation that the object's type defines, if its policy allows it:

    await farcall.set(engine.rows[3], "x")  # as `engine.rows[3] = "x"`, but raises its error
"""

from farcall import platform
from farcall.proxies import remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from typing import Any

    from farcall.proxies.remote import Call, Remote, Value


def _asking(name: "builtins.str", doc: "builtins.str") -> "Any":
    def ask(obj: "Remote", *args: "Value") -> "Any":
        return remote.reference(obj, name).connection.operate(obj, name, args)

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


def set(path: "Remote", value: "Value") -> "Call":
    """`path = value` there, to be awaited: obj.x = value whose error you get."""
    ref = remote.reference(path, "set")
    if not ref.path:
        raise TypeError("set: expected a path such as obj.name or obj[key]")
    return ref.connection.assign(path, value)


def delete(path: "Remote") -> "Call":
    """`del path` there, to be awaited."""
    ref = remote.reference(path, "delete")
    if not ref.path:
        raise TypeError("delete: expected a path such as obj.name or obj[key]")
    return ref.connection.remove(path)


def options(proxy: "Remote", **given: "Any") -> "Remote":
    """The same proxy with options for its calls: `options(obj.method, timeout=5)(x)`.

    Args:
        proxy: a proxy or a path.
        given: timeout (seconds, None waits), one_way (True: no reply, returns None).

    Raises:
        TypeError, ValueError: another option, or a timeout that is no number.
    """
    ref = remote.reference(proxy, "options")
    platform.seconds(given.get("timeout"))
    unknown = [name for name in given if name not in ("timeout", "one_way")]
    if unknown:
        raise TypeError(f"options: expected timeout or one_way, received {unknown}")
    copy = remote.Reference(ref.connection, ref.target)
    copy.owner = proxy if ref.owner is None else ref.owner
    copy.path, copy.named = ref.path, ref.named
    copy.kind, copy.name = ref.kind, ref.name
    copy.options = dict(ref.options or {})
    copy.options.update(given)
    return remote.Remote(copy)


def release(proxy: "Remote") -> None:
    """Give up the peer's object behind a proxy: it may be collected there. Idempotent."""
    ref = remote.reference(proxy, "release")
    ref.connection.release(ref)
