import farcall


def square(number):
    return number * number


farcall.serve({"square": square})
