"""What the soak's programs use: everything is either checked against a model or fails on demand."""

import asyncio


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
