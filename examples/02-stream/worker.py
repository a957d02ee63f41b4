import asyncio

import farcall


async def primes():
    """Prime numbers without end: the page decides when it has enough."""
    number = 2
    while True:
        if all(number % divisor for divisor in range(2, int(number**0.5) + 1)):
            yield number
        number += 1
        await asyncio.sleep(0)


farcall.serve({"primes": primes})
