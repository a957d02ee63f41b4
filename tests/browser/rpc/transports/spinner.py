"""Python that computes and never gives way."""

import farcall
import js

begun = js.BroadcastChannel.new("begun")


def spin():
    begun.postMessage("spin")  # leaves at once, unlike an answer
    count = 0
    while True:
        count += 1


def square(x):
    return x * x


farcall.serve({"spin": spin, "square": square})
