"""Python's operators of two operands, as a peer asks for them: that peer is never asked back.

Python asks both operands of `a + b`: `a.__add__`, and `b.__radd__` if that gives NotImplemented.
A proxy answers every operator by asking its side. So where the other operand is a proxy, only the
owner's own method is asked, else both sides would ask each other for ever.

`7 << 2**40`, `"a" * 10**12` and the like would take all memory of the side that serves a number or
a text: what an operator makes of them has a bound.
"""

from farcall import errors, platform
from farcall.proxies.remote import Remote
from farcall.values import registered
from farcall.values.arrays import whole
from farcall.values.encoder import is_copied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Operator = Callable[..., Any]

MOST = 2**20
"""The bits of a whole number, or the items or characters, that an operator makes for a peer."""
_CONTAINERS = (list, tuple, dict, set, frozenset, slice, BaseException)
_MAKING = "ljust rjust center zfill expandtabs to_bytes repeat".split()
_WALKING = ("lt", "le", "gt", "ge", "mod", "rmod")
# What the classes of these modules do with an argument is no program's own choice.
STANDARD = ("collections", "fractions", "numpy", "pathlib")
_GROWING = ("add", "mul", "mod", "pow", "lshift")  # those that make more than there was

_ARITHMETIC: "dict[str, tuple[str, Operator]]" = {
    "add": ("+", lambda a, b: a + b),
    "sub": ("-", lambda a, b: a - b),
    "mul": ("*", lambda a, b: a * b),
    "truediv": ("/", lambda a, b: a / b),
    "floordiv": ("//", lambda a, b: a // b),
    "mod": ("%", lambda a, b: a % b),
    "divmod": ("divmod()", divmod),
    "pow": ("**", pow),
    "matmul": ("@", lambda a, b: a @ b),
    "and": ("&", lambda a, b: a & b),
    "or": ("|", lambda a, b: a | b),
    "xor": ("^", lambda a, b: a ^ b),
    "lshift": ("<<", lambda a, b: a << b),
    "rshift": (">>", lambda a, b: a >> b),
}
_COMPARISONS: "dict[str, tuple[str, Operator]]" = {
    "lt": ("<", lambda a, b: a < b),
    "le": ("<=", lambda a, b: a <= b),
    "gt": (">", lambda a, b: a > b),
    "ge": (">=", lambda a, b: a >= b),
}


_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def reflected(name: "str") -> str:
    """The operator that the other operand is asked for."""
    if name in _COMPARISONS:
        return _MIRRORED[name]
    return name[1:] if name in _REFLECTED else "r" + name


def light(*values: "Any") -> None:
    """Refuse what meets its parts too often to be compared or written: parts may be shared.

    Raises:
        LimitError: it has more than `MOST` containers, each counted as often as it is met.
    """
    guarded(values, None)


def guarded(values: "Any", seen: "dict[int, Any] | None") -> "list[Any]":
    """The instances of classes with `exposed` in `values`, and in what these hold.

    Args:
        values: any.
        seen: where to note containers, each of which is looked at once; None for those of `light`.
    """
    arrays = platform.classes("numpy.ndarray", "numpy.void")
    kinds = _CONTAINERS + platform.classes("collections.deque") + arrays

    def having(parts: "Any") -> "list[Any]":
        found.extend([p for p in parts if hasattr(type(p), "__farcall__")])
        return [p for p in parts if isinstance(p, kinds) or type(p) in registered.names]

    left = MOST
    found: "list[Any]" = []
    todo = having(values)
    while todo:
        value = todo.pop()
        if seen is None:
            left -= 1
        elif id(value) in seen:
            continue
        else:
            seen[id(value)] = value  # itself: one that is freed gives its id to another
        if left < 0:
            raise errors.LimitError(f"a value that meets more than {MOST} containers")
        todo.extend(having(_parts(value, arrays)))
    return found


def _parts(value: "Any", arrays: "Any") -> "Any":
    if type(value) in registered.names:
        found = registered.split(value)
        return [] if found is None else found[1].values()
    if isinstance(value, slice):
        return [value.start, value.stop, value.step]
    if isinstance(value, BaseException):
        return value.args
    if isinstance(value, arrays):
        return [value.tolist()] if value.dtype.hasobject else []
    return list(value) + list(value.values()) if isinstance(value, dict) else value


def bounded(function: "Any", parent: "Any" = None) -> "Any":
    """A value's method, which would make, look at or ask too much for a peer.

    Args:
        function: the method.
        parent: what it was read of, which MicroPython's does not say.
    """
    owner, name = getattr(function, "__self__", parent), getattr(function, "__name__", "method")
    if owner is None or platform.is_module(owner):
        return function
    array = hasattr(owner, "dtype") and not isinstance(owner, type)

    def call(*args: "Any", **kwargs: "Any") -> "Any":
        apart("." + name, owner, list(args) + list(kwargs.values()))
        if array:  # it may write into `out`
            args = tuple([_own(name, value) for value in args])
            kwargs = {key: _own(name, value) for key, value in kwargs.items()}
        elif name in _MAKING and not isinstance(owner, type):
            for value in args + tuple(kwargs.values()):
                _own(name, value)
        elif name in ("count", "index") and args:
            findable(owner, args[0])
        return function(*args, **kwargs)

    return call


def _own(name: "str", value: "Any") -> "Any":
    made = whole(value)
    if made is not None and made > MOST:
        raise errors.LimitError(f"{name}(): expected at most {MOST}, received {made}")
    array = getattr(value, "ndim", 0) and not isinstance(value, type)
    return value.copy() if array else value


def apart(name: "str", owner: "Any", values: "list[Any]") -> None:
    """Refuse what a value does with instances whose class does not list what it would ask.

    Args:
        name: of the operation; "[]" for an item, ".name" for a method.
        owner: the value.
        values: the owner and operands, or the arguments.
    """
    found = guarded(values, {})
    if found and (isinstance(owner, type) or is_copied(owner) or standard(type(owner))):
        # Few serve such a class: what predicts has no room for it (tools/bundle.py, STARTED).
        from farcall.connection.takes_part import refuse

        refuse(name, owner, values, found)


def standard(cls: "type") -> bool:
    """Whether a class is of a module of data types, and not of a program."""
    return (getattr(cls, "__module__", None) or "").split(".")[0] in STANDARD


def hashable(keys: "list[Any]") -> None:
    """Refuse keys of a dict or set that ask an instance whose class does not list `equals()`."""
    apart("keys", {}, keys)


def findable(owner: "Any", item: "Any") -> "Any":
    """What is looked for in a range: of a fraction, Python would look at each of its numbers."""
    if type(owner) is range and whole(item) is None and len(owner) > MOST:
        raise errors.LimitError(f"expected a whole number, received {item!r}")
    return item


def _operator(name: "str", symbol: "str", function: "Operator") -> "Operator":
    def operate(owner: "Any", other: "Any", *more: "Any") -> "Any":
        if not isinstance(other, Remote):
            if name in _WALKING:
                light(owner, other)
            operands = (other, owner) if name in _REFLECTED else (owner, other)
            made, plain = 0, name[name in _REFLECTED :]
            if plain in _GROWING:
                # Few programs ask for these; predict.zip has no room (tools/bundle.py, STARTED).
                from farcall.connection.sizes import power, size

                if not more:
                    made = size(plain, *operands)
                elif len(more) == 1:
                    made = power(*operands, *more)
            if made > MOST:
                raise errors.LimitError(
                    f"{symbol}: would make {made} bits or items, at most {MOST} for the other side"
                )
            return function(owner, other, *more)
        method = getattr(type(owner), f"__{name}__", None)
        result = NotImplemented if method is None else method(owner, other)
        if result is NotImplemented:
            kinds = [f"'{type(owner).__name__}'", f"'{other._farcall.name or 'Remote'}'"]
            if name in _REFLECTED:
                kinds.reverse()
            text = f"{kinds[0]} and {kinds[1]}, which is on the other side"
            raise TypeError(f"unsupported operand type(s) for {symbol}: {text}")
        return result

    return operate


def _swapped(function: "Operator") -> "Operator":
    return lambda a, b: function(b, a)


_REFLECTED = {"r" + name: (symbol, _swapped(f)) for name, (symbol, f) in _ARITHMETIC.items()}

OPERATORS: "dict[str, Operator]" = {}
_WRITTEN = {"neg": "-{}", "pos": "+{}", "invert": "~{}"}
for _table in (_ARITHMETIC, _REFLECTED, _COMPARISONS):
    for _name, (_symbol, _function) in _table.items():
        OPERATORS[_name] = _operator(_name, _symbol, _function)
        _sides = ["{}", "..."] if _table is not _REFLECTED else ["...", "{}"]
        _call = _symbol[-1] == ")"
        _WRITTEN[_name] = f"divmod({', '.join(_sides)})" if _call else f" {_symbol} ".join(_sides)


def written(name: "Any") -> str:
    """An operation as programs write it, with `{}` for its object."""
    return _WRITTEN.get(name) or f"{name}({{}})"
