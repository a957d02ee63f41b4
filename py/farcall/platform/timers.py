"""Timers: later, at the end of this turn, and which time it is."""

import asyncio
import time

from farcall.platform.interpreter import BROWSER, MICROPYTHON
from farcall.platform.javascript import callback, create_proxy, forget, javascript, js

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from farcall.platform.javascript import JavaScript


def clock() -> float:
    """Seconds on a clock that only goes forward."""
    if MICROPYTHON:
        return float(javascript.now())
    return time.perf_counter()


# Seconds: JavaScript's timers have 31 bits of milliseconds, and run at once for more; above 30 bits
# MicroPython wraps its numbers on their way there.
LONGEST = 1_000_000


def seconds(value: "Any", unlimited: "Any" = None) -> "Any":
    """Return a time limit, checked to be a number; `unlimited` for None.

    Raises:
        TypeError, ValueError: it is no number.
    """
    error: "type[Exception]" = ValueError
    try:
        right = value is None or value < 0 or value >= 0
    except TypeError as exc:
        right, error = False, type(exc)
    if not right:
        raise error(f"expected seconds, or None for no limit, received {value!r}")
    return unlimited if value is None else value


class Timer:
    """Calls `function` once after `seconds`, LONGEST at most, unless cancelled."""

    def __init__(self, seconds: "float", function: "Callable[[], object]") -> None:
        if not 0 <= seconds <= LONGEST:
            seconds = LONGEST if seconds > 0 else 0
        if MICROPYTHON:
            self._handle: "Any" = js.setTimeout(create_proxy(function), int(seconds * 1000))
        else:
            self._handle = asyncio.get_running_loop().call_later(seconds, function)

    def cancel(self) -> None:
        """Do not call it; nothing happens when it has run already."""
        if MICROPYTHON:
            js.clearTimeout(self._handle)
        else:
            self._handle.cancel()


class Ticker:
    """Calls `function` at the end of the current turn, once for each `schedule()`.

    In a browser a microtask: it runs when Python has returned to JavaScript, before any other
    event, so what one step of a task sends travels together and costs no wait.
    """

    def __init__(self, function: "Callable[[], object]") -> None:
        self._function = function
        self.schedule: "Callable[[], object]" = self._call_soon
        if BROWSER:
            self._proxy: "JavaScript" = callback(function)
            self.schedule = javascript.ticker(self._proxy)
        else:  # not the running loop: asyncio.run cancels calls while no loop runs
            self._loop = asyncio.get_running_loop()

    def _call_soon(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon(self._function)

    def close(self) -> None:
        """A turn already asked for still comes; nothing else does."""
        if BROWSER:
            proxy, self._proxy, self.schedule = self._proxy, None, _nothing
            forget_later([proxy])


def _nothing() -> None:
    """What a closed Ticker does."""


def soon(function: "Callable[..., object]", *args: "object") -> None:
    """Call a function in a separate turn, after what is running now."""
    if MICROPYTHON:
        Timer(0, lambda: function(*args))
    else:
        asyncio.get_running_loop().call_soon(function, *args)


def pause(function: "Callable[[], object]") -> None:
    """Call a function when the page has handled what waits; sooner than a Timer often would."""
    if MICROPYTHON:
        javascript.pause(create_proxy(function))
    else:
        soon(function)


def forget_later(proxies: "Iterable[JavaScript]") -> None:
    """Free callbacks when none of them can be calling any more."""

    def free() -> None:
        for proxy in proxies:
            forget(proxy)

    Timer(1, free)
