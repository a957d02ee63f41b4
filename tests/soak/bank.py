"""What the soak's programs use: everything is either checked against a model or fails on demand."""

import asyncio
import builtins

import standard


class Account:
    """A total that shows the order of calls."""

    def __init__(self, total=0):
        self.total = total

    def add(self, amount):
        self.total += amount
        return self.total

    def child(self, total):
        return Account(total)


class Refused(ValueError):
    """Raised on demand."""


class Unprintable(Exception):
    """Its text cannot be had."""

    def __str__(self):
        raise RuntimeError("no text")


class Abort(BaseException):
    """No Exception."""


def kinds():
    """Every builtin class of exceptions, and those of tasks and of a program's own."""
    found = [getattr(builtins, name) for name in dir(builtins)]
    found = [k for k in found if isinstance(k, type) and issubclass(k, BaseException)]
    return found + [asyncio.CancelledError, Abort]


def made(kind, args):
    """An exception of the class; a TypeError where it takes other arguments."""
    try:
        return kind(*args)
    except Exception as exc:
        return exc


def operators():
    """Those of two operands that every interpreter has."""
    return (
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: a // b,
        lambda a, b: a % b,
        lambda a, b: a**b,
        lambda a, b: a & b,
        lambda a, b: a | b,
        lambda a, b: a ^ b,
        lambda a, b: a << b,
        lambda a, b: a >> b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
    )


KINDS = kinds()
OPERATORS = operators()


class Bank:
    """The root of what the programs use."""

    def __init__(self):
        self.accounts = Account
        self.running = 0

    def echo(self, value):
        return value

    async def later(self, value, seconds):
        self.running += 1
        try:
            await asyncio.sleep(seconds)
            return value
        finally:
            self.running -= 1

    async def tell(self, callback, count, awaited):
        for n in range(count):
            answer = callback(n)
            if awaited:
                await answer
        return count

    def refuse(self, text):
        raise Refused(text)

    def unencodable(self):
        return {"module": asyncio}

    def unprintable(self):
        raise Unprintable

    # -- drawn faults

    def raises(self, index, args):
        raise made(KINDS[index % len(KINDS)], args)

    async def raises_later(self, index, args):
        await asyncio.sleep(0)
        raise made(KINDS[index % len(KINDS)], args)

    def streams(self, index, args):
        yield 1
        raise made(KINDS[index % len(KINDS)], args)

    def operate(self, index, a, b):
        return OPERATORS[index](a, b)

    def text(self, size):
        return "x" * size

    def texts(self, sizes):
        for size in sizes:
            yield "x" * size

    # -- values of the standard library

    def make(self, recipe):
        return standard.make(recipe)

    def make_all(self, recipes):
        for recipe in recipes:
            yield standard.make(recipe)

    def difference(self, recipe, value):
        return standard.difference(recipe, value)

    def shown(self, recipe):
        value = standard.make(recipe)
        return [type(value).__name__, str(value)]

    async def hand(self, callback, recipe):
        return standard.difference(recipe, await callback(standard.make(recipe)))

    def raise_with(self, recipe):
        raise ValueError(standard.make(recipe))
