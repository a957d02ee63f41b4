"""Python's operators of two operands, as a peer asks for them: that peer is never asked back.

Python asks both operands of `a + b`: `a.__add__`, and `b.__radd__` if that gives NotImplemented.
A proxy answers every operator by asking its side. So where the other operand is a proxy, only the
owner's own method is asked, else both sides would ask each other for ever.

`7 << 2**40`, `"a" * 10**12` and the like would take all memory of the side that serves a number or
a text: what an operator makes of them has a bound.
"""

from farcall import errors
from farcall.proxies.remote import Remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Operator = Callable[..., Any]

MOST = 2**20
"""The bits of a whole number, or the items or characters, that an operator makes for a peer."""
_TEXTS = (str, bytes, bytearray)
_SEQUENCES = _TEXTS + (list, tuple)

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


def size(name: "str", a: "Any", b: "Any") -> int:
    """What `a` and `b` become, in bits, items or characters; 0 where that is no more than they are.

    Args:
        name: of the operator, not reflected.
        a: the operand on its left.
        b: the one on its right.
    """
    if isinstance(b, int):
        if name == "lshift" and isinstance(a, int):
            return _bits(a) + b
        if name == "pow" and (isinstance(a, int) or type(a).__name__ == "Fraction"):
            return _bits(a) * abs(b)
    if name == "mul":
        times, value = (a, b) if isinstance(a, int) else (b, a)
        if isinstance(times, int) and isinstance(value, _SEQUENCES):
            return len(value) * times
        if isinstance(times, int) and isinstance(value, int):
            return _bits(times) + _bits(value)
    if name == "add" and isinstance(a, _SEQUENCES) and isinstance(b, _SEQUENCES):
        return len(a) + len(b)
    return _width(a) if name == "mod" and isinstance(a, _TEXTS) else 0


def _bits(value: "Any") -> int:
    if type(value).__name__ == "Fraction":
        return max(_bits(value.numerator), _bits(value.denominator))
    return 4 * len(hex(abs(value))) if abs(value) > 1 else 0  # MicroPython has no bit_length


def _width(text: "Any") -> int:
    """The largest width or precision in a format; more than `MOST` where an operand would say."""
    found, most = 0, 0
    for piece in (text if isinstance(text, str) else text.decode("latin-1")).split("%")[1:]:
        for character in piece.lstrip("#- +"):
            if character == "*":
                return MOST + 1
            found = found * 10 + int(character) if character in "0123456789" else 0
            most = max(most, found)
            if character not in "0123456789.":
                break
        found = 0
    return most


def _operator(name: "str", symbol: "str", function: "Operator") -> "Operator":
    def operate(owner: "Any", other: "Any", *more: "Any") -> "Any":
        if not isinstance(other, Remote):
            operands = (other, owner) if name in _REFLECTED else (owner, other)
            made = 0 if more else size(name[name in _REFLECTED :], *operands)
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
for _table in (_ARITHMETIC, _REFLECTED, _COMPARISONS):
    for _name, (_symbol, _function) in _table.items():
        OPERATORS[_name] = _operator(_name, _symbol, _function)
