"""The policy: what a peer may read, call, change or ask of an object of this side.

Every kind of message resolves its target here, one step of the path at a time. Default deny:
only what `serve` was given, and what its calls return, can be reached; of that, only public
names. Nothing is writable unless its class says so with `exposed(writable=...)`.
"""

from farcall import errors, platform
from farcall.connection.doors import changes, has_items, is_door
from farcall.connection.namespace import Namespace, listed, marks, namespace, public_names
from farcall.connection.operations import OPERATIONS, forwarded
from farcall.connection.operators import OPERATORS, STANDARD, apart, bounded, reflected, standard
from farcall.platform import is_module
from farcall.proxies.remote import Remote
from farcall.proxies.spelling import hint
from farcall.values.encoder import MARKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from farcall.messages import Wire
    from farcall.proxies.remote import Value

    Decode = Callable[[Wire], Value]

PATH_LENGTH = 32
_REMEMBERED = 10_000  # names of classes

# Types of the interpreter that no name, item or result may hand out.
_INNER = frozenset("module frame code traceback generator_frame cell".split())
_FUNCTIONS = frozenset(
    "function builtin_function_or_method method bound_method closure generator "
    "builtin_method method-wrapper wrapper_descriptor method_descriptor".split()
)
# Types that cross by value: of their methods MicroPython does not say whose they are.
_VALUES = (str, bytes, int, list, tuple, dict, set)
_WHOLE = "copy iter next len doc names enter exit".split()  # they look at no part
_BUILTIN = ("builtin_function_or_method", "builtin_method")
_CALLABLE = frozenset(("function", "method", "bound_method", "closure") + _BUILTIN)


class Policy:
    """Decides for one session what its peer may use of `root`."""

    def __init__(self, root: "Value") -> None:
        self.root = namespace(root)
        # (class, name) that passed: the verdict is the class's.
        self._allowed: "set[tuple[type, str]]" = set()
        self.holds: "Callable[[Value], bool]" = lambda value: False  # by reference: the peer
        self._modules = self.root.modules if isinstance(self.root, Namespace) else {}

    # -- what may be read

    def check(self, owner: "Value", name: "object") -> None:
        """Refuse attribute `name` of `owner` unless a peer may read it.

        Raises:
            PolicyError: it may not.
        """
        if type(name) is not str:
            raise errors.PolicyError(f"expected a name as path step, received {name!r}")
        if name[:1] == "_" or not name or is_door(owner, name):
            raise errors.PolicyError(f"{name!r} of {describe(owner)} is private")
        if _is_function(owner) or isinstance(owner, platform.DESCRIPTORS):
            raise errors.PolicyError(f"attributes of a function are not served: {name!r}")
        if isinstance(owner, platform.JsProxy):
            raise errors.PolicyError(f"JavaScript objects are not served: {name!r}")
        names = self._names(owner)
        if names is not None:
            if name not in names:
                raise errors.PolicyError(_missing(owner, name, names))
        elif changes(owner, name):
            self._changeable(owner, repr(name))
            return  # this object may be; the class's others may not
        if not isinstance(owner, (Namespace, type)) and not is_module(owner):
            if len(self._allowed) >= _REMEMBERED:  # a class may have any name
                self._allowed.clear()
            self._allowed.add((type(owner), name))

    def _names(self, owner: "Value") -> "frozenset[str] | None":
        if isinstance(owner, Namespace):
            return frozenset(owner.items)
        if is_module(owner):
            return self._modules[id(owner)][0] if id(owner) in self._modules else frozenset()
        found: "frozenset[str] | None" = marks(owner).get("names")
        return found

    def read(self, owner: "Value", name: "Any") -> "Value":
        """Attribute `name` of `owner`, if a peer may read it."""
        if (type(owner), name) not in self._allowed:
            self.check(owner, name)
            if isinstance(owner, Namespace):
                return owner.items[name]
        try:
            value = getattr(owner, name)
        except AttributeError as exc:
            if _says_more(exc, owner, name):
                raise
            raise AttributeError(_missing(owner, name, public_names(owner))) from None
        kind = type(value).__name__
        if kind in _INNER or isinstance(value, platform.DESCRIPTORS):
            if is_module(value) and is_module(owner) and id(value) not in self._modules:
                self._modules[id(value)] = (listed(value), value)  # imported just now
            self.admit(value)
        return value

    def admit(self, value: "object") -> None:
        """Refuse values that no peer may hold a reference to, whatever led to them."""
        kind = type(value).__name__
        inner = kind in _INNER and not (kind == "module" and id(value) in self._modules)
        if inner or isinstance(value, platform.DESCRIPTORS):
            raise errors.PolicyError(f"a {kind} is not served")

    def item(self, owner: "Value", key: "Value") -> "Value":
        """Item `key` of `owner`."""
        cls = isinstance(owner, type) and not hasattr(type(owner), "__getitem__")  # no Enum
        if cls or isinstance(owner, Namespace) or is_module(owner):
            raise errors.PolicyError(f"{describe(owner)} has no items")
        _listed(owner, "[]", "items")
        makes = isinstance(owner, dict) and hasattr(owner, "default_factory")
        if makes and key not in owner and not self.holds(owner):
            raise KeyError(key)  # else the dict would keep it
        apart("[]", owner, [key])
        value = owner[key]
        self.admit(value)
        return value

    def walk(self, owner: "Value", path: "Wire", decode: "Decode") -> "Value":
        """What `path` leads to; steps are names, or `[key]` for items."""
        return self.resolve(owner, path, decode)[1]

    def resolve(self, owner: "Value", path: "Wire", decode: "Decode") -> "tuple[Value, Value]":
        """What all steps of `path` but the last lead to, and what the whole leads to."""
        if type(path) is not list or len(path) > PATH_LENGTH:
            raise errors.ProtocolError(f"expected a path of at most {PATH_LENGTH}, received {path}")
        parent = owner
        for step in path:
            parent = owner = owner.value if type(owner) in MARKS else owner
            if type(step) is list:
                owner = self.item(owner, decode(step[0]))
            elif type(owner) is Namespace and type(step) is str and step in owner.items:
                owner = owner.items[step]
            else:
                owner = self.read(owner, step)
        return parent, owner

    def callable(self, value: "Value", parent: "Value" = None) -> "Callable[..., Any]":
        """`value` if it may be called; `parent` is what it was read of."""
        kind = type(value).__name__
        own = kind in _BUILTIN or (kind == "bound_method" and type(parent) in _VALUES)
        if kind in _CALLABLE:
            own = own or (kind == "method" and (value.__module__ or "").split(".")[0] in STANDARD)
        elif isinstance(value, (Namespace, platform.JsProxy)) or not callable(value):
            raise TypeError(f"{describe(value)} is not callable")
        elif isinstance(value, type):
            own = standard(type(parent))  # as the `default_factory` of a dict
        else:
            _listed(value, "()", "calls")
        return bounded(value, parent) if own else value  # type: ignore[no-any-return]

    def operate(self, owner: "Value", name: "Any", args: "list[Value]") -> "Value":
        """Run one of OPERATIONS on `owner`: what its type defines, names permitting."""
        operation = OPERATIONS.get(name)
        if operation is None:
            raise errors.ProtocolError(f"operation {name!r}")
        if isinstance(owner, Remote) and forwarded(name):
            return owner._farcall.connection.operate(owner, name, tuple(args))
        if isinstance(owner, (Namespace, platform.JsProxy)):
            raise errors.PolicyError(f"{describe(owner)} has no {name}()")
        if is_module(owner) and name not in ("doc", "names"):
            raise errors.PolicyError(f"{describe(owner)} has no {name}()")
        if name not in ("doc", "names"):
            _listed(owner, ("iter" if name == "next" else name) + "()")
        for operand in args if name in OPERATORS else ():  # Python asks it too
            _listed(operand, reflected(name) + "()")
        if name not in _WHOLE:
            apart(name, owner, [owner] + args)
        if name == "names":
            own = self._names(owner)
            return sorted(public_names(owner) if own is None else own)
        result = operation(owner, *args)
        self.admit(result)
        return result

    # -- changes: opt-in

    def set(self, owner: "Value", step: "Wire", value: "Value", decode: "Decode") -> "Value":
        """Set an attribute or item that the owner's class declares writable.

        Gives a call to be awaited if the owner is a proxy: its own side decides.
        """
        key = self._key(owner, step, decode)
        if isinstance(owner, Remote):
            return owner._farcall.connection.assign(_beyond(owner, step, key), value)
        if type(step) is not list:
            return setattr(owner, key, value)
        if isinstance(key, slice):
            apart("[]", owner, [value])
        owner[key] = value
        return None

    def delete(self, owner: "Value", step: "Wire", decode: "Decode") -> "Value":
        """Delete an attribute or item that the owner's class declares writable; as `set`."""
        key = self._key(owner, step, decode)
        if isinstance(owner, Remote):
            return owner._farcall.connection.remove(_beyond(owner, step, key))
        if type(step) is not list:
            return delattr(owner, key)
        del owner[key]
        return None

    def _key(self, owner: "Value", step: "Wire", decode: "Decode") -> "Any":
        """The name or key of a step that may be changed."""
        item = type(step) is list
        key = decode(step[0]) if item else step
        if item:
            apart("[]", owner, [key])
        else:
            self.check(owner, key)
        if item and has_items(owner):
            self._changeable(owner, "change of an item")
        elif not isinstance(owner, Remote):
            _writable(owner, "[]" if item else key)
        return key

    def _changeable(self, owner: "Value", what: "str") -> None:
        """Refuse a change of a value that the peer does not hold, unless its class says so."""
        held = owner is self.root or self.holds(owner)
        if not held and "[]" not in marks(owner).get("writable", ()):
            raise errors.PolicyError(
                f"{what}: the other side has no more than a copy of {describe(owner)}, unless "
                "it is given the object itself by farcall.ref"
            )

    # -- metadata

    def description(self) -> "dict[str, list[Wire]]":
        """Of what is served: name -> [kind, first line of its docs, names of its members]."""
        if not isinstance(self.root, Namespace):
            return {}
        return {name: _about(v, self._names(v)) for name, v in self.root.items.items()}


def _about(value: "Value", names: "frozenset[str] | None") -> "list[Wire]":
    """Kind, first line of its docs, and members: `names`, or all public ones."""
    if names is None and is_plain(value):
        return ["value", "", None]
    members = sorted(public_names(value) if names is None else names)
    kind = "module" if is_module(value) else "class" if isinstance(value, type) else "object"
    if _is_function(value):
        return ["function", first_line(value), []]
    return [kind, first_line(value), members]


def _beyond(proxy: "Remote", step: "Wire", key: "Any") -> "Remote":
    """The proxy of what a step leads to."""
    return proxy[key] if type(step) is list else getattr(proxy, key)  # type: ignore[no-any-return]


def _writable(owner: "Value", name: "str") -> None:
    if name not in marks(owner).get("writable", ()):
        what = "items" if name == "[]" else repr(name)
        raise errors.PolicyError(
            f"{what} of {describe(owner)} is read-only: its class, or one that derives from it, "
            f"can declare @farcall.exposed(writable=({name!r},))"
        )


def _listed(owner: "Value", name: "str", what: "str" = "") -> None:
    """Refuse what the class of `owner` does not list by `exposed`, if that lists anything."""
    marked = marks(owner)
    names = marked.get("names")
    if names is not None and name not in names and name not in marked["writable"]:
        raise errors.PolicyError(f"{describe(owner)} serves no {what or name}")


def _is_function(value: "object") -> bool:
    return type(value).__name__ in _FUNCTIONS or isinstance(value, platform.WRAPPERS)


def is_plain(value: "object") -> bool:
    """Whether it crosses by value, so that a peer never reads its attributes."""
    return type(value) in (str, bytes, int, float, bool, complex, type(None))


def first_line(value: "object") -> str:
    """First line of the docs; MicroPython keeps none."""
    doc = getattr(value, "__doc__", None)
    return doc.strip().split("\n")[0] if isinstance(doc, str) and doc.strip() else ""


def describe(value: "Value") -> str:
    """What the value is, for an error's text."""
    if isinstance(value, Namespace):
        return "what is served"
    if is_module(value):
        return f"module {value.__name__!r}"
    if isinstance(value, type):
        return f"class {value.__name__!r}"
    return f"a {type(value).__name__}"


def _says_more(exc: "AttributeError", owner: "Value", name: "str") -> bool:
    """Whether it comes from inside a property or `__getattr__`."""
    usual = str(exc) == name or str(exc).endswith(f"has no attribute {name!r}")
    return not usual or (hasattr(type(owner), name) and not platform.MICROPYTHON)


def _missing(owner: "Value", name: "str", names: "Iterable[str]") -> str:
    return f"{describe(owner)} serves no {name!r}{hint(name, names)}"
