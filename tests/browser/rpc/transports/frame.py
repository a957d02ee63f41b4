"""Serves its parent alone, which must have this page's origin."""

import farcall
from js import location, window


def greet(name):
    return "hello " + name


async def relay(function, value):
    return await function(value)


async def fail():
    raise ValueError("asked")


session = farcall.Session(
    farcall.endpoints.Window(window.parent, location.origin),
    {"greet": greet, "relay": relay, "fail": fail},
)
