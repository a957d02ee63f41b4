"""Python that computes and never gives way."""

import farcall


def spin():
    count = 0
    while True:
        count += 1


def square(x):
    return x * x


farcall.serve({"spin": spin, "square": square})
