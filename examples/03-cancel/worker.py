import asyncio

import farcall

ended = asyncio.Future()


async def count(on_tick):
    """Count until cancelled; the cancellation arrives here as an exception."""
    ticks = 0
    try:
        while True:
            ticks += 1
            on_tick(ticks)
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        ended.set_result(ticks)
        raise


async def ending():
    """How far the cancelled count got."""
    return await ended


farcall.serve({"count": count, "ending": ending})
