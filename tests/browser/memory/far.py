"""Values of drawn sizes, from a worker."""

import farcall


def nested(count):
    """Lists in lists, which no buffer takes: all of it is in the message's header."""
    return [[n, [n]] for n in range(count)]


class Far:
    def nested(self, count):
        return nested(count)

    def echo(self, value):
        return value

    def size(self, value):
        return len(value)

    async def hand(self, callback, count):
        return await callback(nested(count), Far())

    async def stream(self, count):
        yield nested(2)
        yield nested(count)


farcall.serve(Far())
