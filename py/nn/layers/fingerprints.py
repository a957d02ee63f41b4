"""Hashes of bytes, as TensorFlow's: FarmHash's fingerprint, SipHash with a key, and their joining.

Sources: Pike and Alakuijala's FarmHash (farmhashna, whose values never change), Aumasson and
Bernstein 2012.
"""

from __future__ import annotations

_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_JOIN = 0xC6A4A7935BD1E995
_ALL = (1 << 64) - 1


def fingerprint(data: bytes) -> int:
    """Return FarmHash's 64 bits of a text."""
    size = len(data)
    if size > 64:
        return _long(data)
    mul = _K2 + 2 * size
    if size > 16:
        first = _word(data, 0) * (_K1 if size <= 32 else _K2)
        return (_up_to_32 if size <= 32 else _up_to_64)(data, first & _ALL, mul)
    if size >= 8:
        a, b = _word(data, 0) + _K2, _word(data, size - 8)
        return _mixed(_turned(b, 37) * mul + a, (_turned(a, 25) + b) * mul, mul)
    if size >= 4:
        ends = (int.from_bytes(data[i : i + 4], "little") for i in (0, size - 4))
        first, last = ends
        return _mixed(size + (first << 3), last, mul)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _shifted((y * _K2 ^ z * _K0) & _ALL) * _K2 & _ALL
    return _K2


def keyed(data: bytes, key: tuple[int, int]) -> int:
    """Return SipHash-2-4 of a text, 64 bits, under a key of two."""
    one, two = (part & _ALL for part in key)
    state = [
        one ^ 0x736F6D6570736575, two ^ 0x646F72616E646F6D,
        one ^ 0x6C7967656E657261, two ^ 0x7465646279746573,
    ]  # fmt: skip
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for place in range(0, len(padded), 8):
        word = _word(padded, place)
        state[3] ^= word
        _rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def joined(first: int, second: int) -> int:
    """Return one hash of two, in this order."""
    made = (first ^ _JOIN) ^ _shifted(second * _JOIN & _ALL) * _JOIN & _ALL
    made = made * _JOIN & _ALL
    return _shifted(_shifted(made) * _JOIN & _ALL)


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "little")


def _turned(value: int, bits: int) -> int:
    """Return 64 bits turned to the right."""
    value &= _ALL
    return (value >> bits | value << (64 - bits)) & _ALL


def _shifted(value: int) -> int:
    return value ^ value >> 47


def _mixed(u: int, v: int, mul: int) -> int:
    u, v = u & _ALL, v & _ALL
    a = _shifted((u ^ v) * mul & _ALL)
    return _shifted((v ^ a) * mul & _ALL) * mul & _ALL


def _up_to_32(data: bytes, a: int, mul: int) -> int:
    b, c, d = _word(data, 8), _word(data, len(data) - 8) * mul, _word(data, len(data) - 16) * _K2
    u = _turned(a + b, 43) + _turned(c, 30) + d
    return _mixed(u, a + _turned(b + _K2, 18) + c, mul)


def _up_to_64(data: bytes, a: int, mul: int) -> int:
    size = len(data)
    b, c, d = _word(data, 8), _word(data, size - 8) * mul, _word(data, size - 16) * _K2
    y = _turned(a + b, 43) + _turned(c, 30) + d
    z = _mixed(y, a + _turned(b + _K2, 18) + c, mul)
    e, f = _word(data, 16) * mul, _word(data, 24)
    g, h = (y + _word(data, size - 32)) * mul, (z + _word(data, size - 24)) * mul
    u = _turned(e + f, 43) + _turned(g, 30) + h
    return _mixed(u, e + _turned(f + a, 18) + g, mul)


def _weak(data: bytes, place: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(data, place + 8 * i) for i in range(4))
    a += w
    b = _turned(b + a + z, 21)
    c = a
    a += x + y
    b += _turned(a, 44)
    return (a + z) & _ALL, (b + c) & _ALL


def _long(data: bytes) -> int:
    y = 81 * _K1 + 113
    z = _shifted((y * _K2 + 113) & _ALL) * _K2
    x = 81 * _K2 + _word(data, 0)
    v, w = (0, 0), (0, 0)
    rest = (len(data) - 1) % 64
    whole = range(0, len(data) - 1 - rest, 64)
    for place in (*whole, None):
        mul, times = _K1, 1
        if place is None:  # the last 64 bytes, some of them for the second time
            place, mul, times = len(data) - 64, _K1 + ((z & 0xFF) << 1), 9
            w = w[0] + rest, w[1]
            v = v[0] + w[0], v[1]
            w = w[0] + v[0], w[1]
        x = _turned(x + y + v[0] + _word(data, place + 8), 37) * mul
        y = _turned(y + v[1] + _word(data, place + 48), 42) * mul
        x = (x ^ w[1] * times) & _ALL
        y += v[0] * times + _word(data, place + 40)
        z = _turned(z + w[0], 33) * mul
        v = _weak(data, place, v[1] * mul, x + w[0])
        w = _weak(data, place + 32, z + w[1], y + _word(data, place + 16))
        z, x = x & _ALL, z & _ALL
    first = _mixed(v[0], w[0], mul) + _shifted(y & _ALL) * _K0 + z
    return _mixed(first, _mixed(v[1], w[1], mul) + x, mul)


def _rounds(state: list[int], count: int) -> None:
    a, b, c, d = state
    for _ in range(count):
        a, c = (a + b) & _ALL, (c + d) & _ALL
        b, d = _turned(b, 51) ^ a, _turned(d, 48) ^ c
        a = _turned(a, 32)
        c, a = (c + b) & _ALL, (a + d) & _ALL
        b, d = _turned(b, 47) ^ c, _turned(d, 43) ^ a
        c = _turned(c, 32)
    state[:] = a, b, c, d
