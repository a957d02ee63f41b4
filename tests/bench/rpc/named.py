"""PyScript's own way: names in __export__."""

import served
from pyodide.ffi import to_js

add = served.add
prepare = served.prepare


def give(megabytes):
    return to_js(served.give(megabytes))


__export__ = ["add", "give", "prepare"]
