"""The heap of a page's interpreter, before what it holds is counted."""

import asyncio
import gc

import js


async def occupy():
    """Let the false references of MicroPython's collector hold empty lists, and no call's stream.

    It takes every word of its heap for a reference. The numbers of two names beside each other in
    a module's table of names are one word, at times the address of what belongs to a call: that
    stays for ever. Lists fill the heap once, of one block each: where such an address was free,
    one stays.
    """
    await collected()  # what is garbage by now gives its addresses free
    last = None
    for _ in range(20_000):
        last = [last]
    while last:
        before = last[0]
        last.clear()  # or the one that stays would hold all before it
        last = before
    await collected()


async def collected():
    """Collect garbage, JavaScript's too where the browser lets us."""
    gc.collect()
    if hasattr(js, "gc"):
        js.gc()
    await asyncio.sleep(0.01)
    gc.collect()
