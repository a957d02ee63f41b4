"""Python's operators of two operands, as a peer asks for them: that peer is never asked back.

Python asks both operands of `a + b`: `a.__add__`, and `b.__radd__` if that gives NotImplemented.
A proxy answers every operator by asking its side. So where the other operand is a proxy, only the
owner's own method is asked, else both sides would ask each other for ever.
"""

from farcall.proxies.remote import Remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Operator = Callable[..., Any]

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


def _operator(name: "str", symbol: "str", function: "Operator") -> "Operator":
    def operate(owner: "Any", other: "Any", *more: "Any") -> "Any":
        if not isinstance(other, Remote):
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
for _table in (_ARITHMETIC, _REFLECTED, _COMPARISONS):
    for _name, (_symbol, _function) in _table.items():
        OPERATORS[_name] = _operator(_name, _symbol, _function)
