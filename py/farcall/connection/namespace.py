"""What `serve` was given, and what classes say of their instances: `exposed`.

A name that leads into the interpreter is none that a peer may use, whatever serves it.
"""

from farcall.connection.doors import DOORS, is_door
from farcall.platform import is_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from farcall.proxies.remote import Value


class Namespace:
    """What `serve` was given: names to modules, objects and functions."""

    def __init__(self, items: "dict[str, Value]") -> None:
        self.items = items
        # By id, with the module itself: one that is freed gives its id to another.
        self.modules = {id(m): (listed(m), m) for m in items.values() if is_module(m)}

    def add_submodules(self) -> None:
        """Modules named in the `__all__` of a served module are served as well.

        Those that are not imported yet (PEP 562) are when a peer asks for them. Of NumPy's and
        pandas' some have no `__all__`: these alone are refused, when a peer asks for them.
        """
        queue = [m for m in self.items.values() if is_module(m)]
        while queue:
            module = queue.pop()
            for name in self.modules[id(module)][0]:
                value = module.__dict__.get(name)
                new = is_module(value) and id(value) not in self.modules
                if new and hasattr(value, "__all__"):
                    self.modules[id(value)] = (listed(value), value)
                    queue.append(value)


def listed(module: "Any") -> "frozenset[str]":
    """The names that a served module lists.

    Raises:
        TypeError: it lists none.
    """
    names = getattr(module, "__all__", None)
    if names is None:
        raise TypeError(
            f"serve: module {module.__name__!r} has no __all__: list there what may be called, "
            "or serve its functions"
        )
    return frozenset(str(n) for n in names)


def namespace(served: "Value") -> "Value":
    """What `serve` accepts as a Namespace; any other object is served as itself.

    Raises:
        TypeError: a key is no public name, or a module has no `__all__`.
    """
    if not isinstance(served, dict):  # an object, or a Namespace already
        return served
    for name in served:
        if not isinstance(name, str) or not name or name[0] == "_" or "." in name:
            raise TypeError(f"serve: expected public names as keys, received {name!r}")
        if name in DOORS:
            raise TypeError(f"serve: {name!r} is a name of the interpreter's own: choose another")
    space = Namespace(dict(served))
    space.add_submodules()
    return space


def exposed(
    *names: "str", writable: "tuple[str, ...]" = (), concurrency: "int" = 0, queue: "int" = 1000
) -> "Any":
    """Class decorator: serve exactly `names` of its instances (all public ones if empty).

    Args:
        names: attributes, methods and operations ("len()", "iter()", "[]" for items, "()" for
            calls of the instance) that a peer may use.
        writable: attributes, or "[]" for items, that a peer may set and delete.
        concurrency: how many calls run at a time on each instance; 0 for no limit.
        queue: how many more may wait; LimitError beyond.
    """
    if names and isinstance(names[0], type):
        return exposed()(names[0])
    if isinstance(writable, str) or min(concurrency, queue) < 0:
        given = (writable, concurrency, queue)
        raise TypeError(f"exposed: expected a tuple of names, two counts, received {given}")

    def mark(cls: "Any") -> "Any":
        cls.__farcall__ = {
            "names": frozenset(names) or None,
            "writable": frozenset(writable),
            "concurrency": concurrency,
            "queue": queue,
        }
        return cls

    return mark


def marks(owner: "object") -> "dict[str, Any]":
    cls = owner if isinstance(owner, type) else type(owner)
    return getattr(cls, "__farcall__", None) or {}


def public_names(value: "object") -> "list[str]":
    """Names of `value` that pass the gate by their spelling."""
    try:
        return [n for n in dir(value) if n[:1] != "_" and not is_door(value, n)]
    except Exception:
        return []
