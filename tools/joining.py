"""Minification of statements: each is on one line in modules that are packed as text."""

from __future__ import annotations

import io
import keyword
import tokenize

PAIRS = {"(": ")", "[": "]", "{": "}"}
Edit = tuple[int, int, str]  # from, to, what stands there instead


def joined(source: str) -> str:
    """Return a module with each statement on the line on which it begins, and empty lines in place
    of its others: a traceback names where a statement begins. Texts of several lines stay.

    Args:
        source: without comments.
    """
    edits, made, last = _edits(source), [], 0
    for start, stop, instead in edits:
        made += [source[last:start], instead]
        last = stop
    return "".join([*made, source[last:]])


def _edits(source: str) -> list[Edit]:
    firsts = [0]
    for line in source.splitlines(keepends=True):
        firsts.append(firsts[-1] + len(line))
    found = _Found(source)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        found.see(token, firsts[token.start[0] - 1] + token.start[1])
    return sorted(found.edits)


class _Found:
    """What is to be edited, as far as the tokens of a module were seen."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.edits: list[Edit] = []
        self.open: list[_Bracket] = []
        self.lines = self.within = 0  # that are to follow the statement; f-strings
        self.comma, self.before = -1, ""

    def see(self, token: tokenize.TokenInfo, at: int) -> None:
        kind, text = tokenize.tok_name[token.type], token.string
        self.within += (kind == "FSTRING_START") - (kind == "FSTRING_END")
        if kind == "NEWLINE":
            self.edits.append((at, at, "\n" * self.lines))
            self.lines = 0
        elif kind == "NL" and self.open and not self.within:
            after = self.source[at + 1 : at + 2]
            parts = _is_word(self.before[-1:]) and (_is_word(after) or after in "'\"")
            self.edits.append((at, at + 1, " " if parts else ""))
            self.lines += 1
            return
        elif kind == "OP" and not self.within:
            self._sign(text, at)
        elif text == "lambda" and self.open:
            self.open[-1].lambdas = True
        self.before = text or self.before

    def _sign(self, text: str, at: int) -> None:
        if text in PAIRS:
            self.open.append(_Bracket(text, self.before))
        elif text == "," and self.open:
            self.comma = at
            self.open[-1].commas += 1
        elif text in PAIRS.values():
            without = self.open.pop().closes_without_comma()
            if self.before == "," and without:
                self.edits.append((self.comma, self.comma + 1, ""))


class _Bracket:
    """A bracket that is open.

    Attributes:
        commas: of its own so far.
        lambdas: whether some of them may be those of a lambda's arguments.
    """

    commas, lambdas = 0, False

    def __init__(self, text: str, before: str) -> None:
        value = bool(before) and (_is_word(before[-1]) or before[-1] in ")]}'\"")
        self.follows = value and not keyword.iskeyword(before)
        self.text = text

    def closes_without_comma(self) -> bool:
        """Return whether the comma before its end may go: it may make a tuple of one element."""
        makes = self.follows if self.text == "[" else self.text == "(" and not self.follows
        return not makes or (self.commas > 1 and not self.lambdas)


def _is_word(text: str) -> bool:
    return text.isalnum() or text == "_"
