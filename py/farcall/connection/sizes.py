"""How much an operator would make: the bits of a number, or the items or characters of a value."""

from farcall import platform
from farcall.values.arrays import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TEXTS = (str, bytes, bytearray)
_MODULAR = 2**24  # bits of an exponent, times those of its modulus
_UNKNOWN = 2**62


def size(name: "str", a: "Any", b: "Any") -> int:
    """What `a` and `b` become, in bits, items or characters; 0 where that is no more than they are.

    Args:
        name: of the operator, not reflected.
        a: the operand on its left.
        b: the one on its right.
    """
    if name == "mod":
        return _width(a, b) if isinstance(a, _texts()) else 0
    if name == "add" and isinstance(a, _sequences()) and isinstance(b, _sequences()):
        return len(a) + len(b)
    if name == "pow" and type(b).__name__ == "Fraction" and b.denominator == 1:
        b = b.numerator
    left, right = whole(a), whole(b)
    if name == "lshift" and left is not None and right is not None:
        return _bits(left) + right
    if name == "pow" and right is not None:
        exact = left is not None or type(a).__name__ == "Fraction"
        return _bits(a if left is None else left) * abs(right) if exact else 0
    return _product(a, b, left, right) if name == "mul" else 0


def _product(a: "Any", b: "Any", left: "int | None", right: "int | None") -> int:
    if left is not None and right is not None:
        return _bits(left) + _bits(right)
    for times, value in ((left, b), (right, a)):
        if times is not None and isinstance(value, _sequences()):
            return len(value) * times
    return 0


def _texts() -> "tuple[Any, ...]":
    return _TEXTS + platform.classes("collections.UserString")


def _sequences() -> "tuple[Any, ...]":
    more = platform.classes("collections.deque", "array.array", "collections.UserList")
    return _texts() + (list, tuple) + more


def _bits(value: "Any") -> int:
    if type(value).__name__ == "Fraction":
        return max(_bits(value.numerator), _bits(value.denominator))
    return 4 * len(hex(abs(value))) if abs(value) > 1 else 0  # MicroPython has no bit_length


def _width(text: "Any", operand: "Any") -> int:
    """Characters that a format makes, besides those of a tuple's items, which are used once.

    More than any bound where an operand would say a width.
    """
    text = getattr(text, "data", text)
    made, item = 0, 0
    if isinstance(operand, dict):  # an item of it may be used often
        item = max([len(v) if hasattr(v, "__len__") else 0 for v in operand.values()] or [0])
    for piece in (text if isinstance(text, str) else text.decode("latin-1")).split("%")[1:]:
        if piece[:1] == "(":
            piece = piece[piece.find(")") + 1 :]
            made += item
        found = 0
        for character in piece.lstrip("#- +"):
            if character == "*":
                return _UNKNOWN
            if character not in "0123456789.":
                break
            if character == ".":
                made += found
                found = 0
            else:
                found = found * 10 + int(character)
        made += found
    return made


def power(a: "Any", b: "Any", modulus: "Any") -> int:
    """As `size`, of pow() with a modulus, whose time is that of such numbers."""
    if modulus is None:
        return size("pow", a, b)
    numbers = [whole(value) for value in (a, b, modulus)]
    if None in numbers:
        return 0
    base, exponent, most = [_bits(number) for number in numbers]
    return base if exponent * most <= _MODULAR else exponent * most
