"""WebAssembly's binary format, as far as it says which vectors a function keeps over its calls.

The numbers are those of https://webassembly.github.io/spec/core/binary/index.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VECTOR = 0x7B  # the type v128
TYPES, FUNCTIONS, CODE = 1, 3, 10  # sections
STOP, BLOCK, LOOP, IF, ELSE, END = 0x00, 0x02, 0x03, 0x04, 0x05, 0x0B
BRANCH, BRANCH_IF, BRANCH_TABLE, RETURN = 0x0C, 0x0D, 0x0E, 0x0F
CALL, CALL_INDIRECT = 0x10, 0x11
GET, SET, TEE = 0x20, 0x21, 0x22
SHORT, LONG = 0x43, 0x44  # constants of four and eight bytes
BULK, SIMD = 0xFC, 0xFD  # prefixes
# Instructions by how many numbers follow them, and those of SIMD that have bytes after these.
ONE = {BLOCK, LOOP, IF, BRANCH, BRANCH_IF, CALL, *range(GET, 0x27), 0x3F, 0x40, 0x41, 0x42}
TWO = {CALL_INDIRECT, *range(0x28, 0x3F)}
BULK_TWO = {8, 10, 12, 14}
SIMD_TWO = {*range(12), *range(84, 94)}
SIMD_BYTES = {12: 16, 13: 16} | dict.fromkeys([*range(21, 35), *range(84, 92)], 1)


class Bytes:
    """A place in a module."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def skip(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        """A number in LEB128, as if it had no sign."""
        value = shift = 0
        while True:
            byte = self.skip(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def numbers(self) -> list[int]:
        return [self.number() for _ in range(self.number())]

    def instructions(self, end: int) -> Iterator[tuple[int, list[int]]]:
        """Each instruction's code with the numbers after it."""
        while self.at < end:
            code = self.skip(1)[0]
            if code == BRANCH_TABLE:
                yield code, [*self.numbers(), self.number()]
                continue
            count = (code in ONE) + 2 * (code in TWO)
            if code in (BULK, SIMD):
                part = self.number()
                count = 1 + (part in BULK_TWO) if code == BULK else 2 * (part in SIMD_TWO)
            given = [self.number() for _ in range(count)]
            if code == SIMD:
                self.skip(SIMD_BYTES.get(part, 0))
            self.skip({SHORT: 4, LONG: 8}.get(code, 0))
            yield code, given


@dataclass
class Function:
    """A function: the types of its parameters and locals, and its instructions."""

    types: list[int]
    code: list[tuple[int, list[int]]]

    def following(self) -> list[list[int]]:
        """For each instruction, those that may come next."""
        ends, elses = self._partners()
        last = len(self.code) - 1
        open_blocks: list[int] = []
        found: list[list[int]] = []
        for i, (code, given) in enumerate(self.code):
            # A branch goes back to a loop's start, or to the end of another block.
            targets = [last, *(b if self.code[b][0] == LOOP else ends[b] for b in open_blocks)]
            jumps = [targets[max(-1 - depth, -len(targets))] for depth in given]
            if code in (BLOCK, LOOP, IF):
                open_blocks.append(i)
            if code in (BRANCH, BRANCH_TABLE):
                found.append(jumps)
            elif code == BRANCH_IF:
                found.append([i + 1, *jumps])
            elif code == IF:
                found.append([i + 1, elses[i] + 1 if i in elses else ends[i]])
            elif code == ELSE:
                found.append([ends[open_blocks[-1]]])
            else:
                found.append([] if code in (STOP, RETURN) or i == last else [i + 1])
            if code == END and open_blocks:
                open_blocks.pop()
        return found

    def _partners(self) -> tuple[dict[int, int], dict[int, int]]:
        """The END and the ELSE of each block."""
        ends: dict[int, int] = {}
        elses: dict[int, int] = {}
        open_blocks: list[int] = []
        for i, (code, _) in enumerate(self.code):
            if code in (BLOCK, LOOP, IF):
                open_blocks.append(i)
            elif code == ELSE:
                elses[open_blocks[-1]] = i
            elif code == END and open_blocks:
                ends[open_blocks.pop()] = i
        return ends, elses

    def vectors_over_calls(self) -> int:
        """The most vectors that are read after a call and were written before it."""
        calls = [i for i, (code, _) in enumerate(self.code) if code in (CALL, CALL_INDIRECT)]
        if not calls or VECTOR not in self.types:
            return 0
        bit = {n: 1 << n for n, kind in enumerate(self.types) if kind == VECTOR}
        following = self.following()
        before: list[list[int]] = [[] for _ in self.code]
        for i, nexts in enumerate(following):
            for after in nexts:
                before[after].append(i)
        alive = [0] * len(self.code)
        waiting = list(range(len(self.code)))
        while waiting:
            i = waiting.pop()
            code, given = self.code[i]
            now = 0
            for after in following[i]:
                now |= alive[after]
            if code in (SET, TEE):
                now &= ~bit.get(given[0], 0)
            elif code == GET:
                now |= bit.get(given[0], 0)
            if now != alive[i]:
                alive[i] = now
                waiting += before[i]
        return max(alive[i].bit_count() for i in calls)


def functions(module: bytes) -> Iterator[Function]:
    """Read a module's functions."""
    whole = Bytes(module, 8)
    types: list[list[int]] = []
    kinds: list[int] = []
    while whole.at < len(module):
        section, end = whole.skip(1)[0], whole.number()
        end += whole.at
        if section == TYPES:
            for _ in range(whole.number()):
                whole.skip(1)
                types.append(list(whole.skip(whole.number())))
                whole.skip(whole.number())
        elif section == FUNCTIONS:
            kinds = whole.numbers()
        elif section == CODE:
            whole.number()
            for kind in kinds:
                last = whole.number()
                last += whole.at
                local = list(types[kind])
                for _ in range(whole.number()):
                    count = whole.number()
                    local += count * list(whole.skip(1))
                yield Function(local, list(whole.instructions(last)))
        whole.at = end
