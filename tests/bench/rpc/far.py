"""The farcall worker."""

import farcall  # noqa: I001 - first, so that an error in what follows reaches the page

import asyncio

import served


class Bench:
    """Calls, callbacks, streams and arrays."""

    add = staticmethod(served.add)
    prepare = staticmethod(served.prepare)
    give = staticmethod(served.give)
    prepare_text = staticmethod(served.prepare_text)
    text = staticmethod(served.text)
    raw = staticmethod(served.raw)
    rows = staticmethod(served.rows)

    @staticmethod
    async def call_back(function, count, wave):
        """Call a function of the page `count` times, `wave` in flight."""
        for first in range(0, count, wave):
            await asyncio.gather(*[function(first + i) for i in range(wave)])

    @staticmethod
    def numbers(count):
        """Return a stream."""
        yield from range(count)


farcall.serve({"bench": Bench()})
