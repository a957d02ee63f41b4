"""PyScript's own way: names in __export__."""

import js
import served
from pyodide.ffi import to_js

add = served.add
prepare = served.prepare
prepare_text = served.prepare_text
text = served.text


def give(megabytes):
    return to_js(served.give(megabytes))


def rows(count):
    return to_js(served.rows(count), dict_converter=js.Object.fromEntries)


__export__ = ["add", "give", "prepare", "prepare_text", "rows", "text"]
