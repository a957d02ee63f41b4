"""What a hostile peer tries, as data: run through every kind of message of both dialects.

Each entry is data of the wire, so that a page in JavaScript could send it as well. What is
expected of all of them: an error of one of REFUSALS as reply, the victim unchanged, and nothing
of `secret()` on the wire.
"""

import math
import sys

import farcall


def secret() -> str:
    """Written nowhere as such: a traceback that shows source lines does not show it."""
    return "-".join(["not", "for", "peers"])


REFUSALS = ("PolicyError", "AttributeError", "TypeError", "ProtocolError", "ReleasedError")


class Victim:
    """An ordinary object with everything that a peer might hope for."""

    def __init__(self) -> None:
        self.public = 1
        self.template = "{0}"
        self.error = ValueError("an exception with a traceback")
        self.library = sys
        self.numbers = self.count()
        self._private = secret()
        self.__mangled = secret()
        self.touched: list[str] = []
        try:
            raise self.error
        except ValueError:
            pass

    def count(self):
        hidden = secret()
        yield len(hidden)

    def greet(self, name: str = "you") -> str:
        return f"hello {name}"

    def module(self) -> object:
        return sys

    def frame(self) -> object:
        return sys._getframe()

    def code(self) -> object:
        return self.greet.__func__.__code__  # type: ignore[attr-defined]

    def trace(self) -> object:
        return self.error.__traceback__

    def remember(self, what: str) -> None:
        self.touched.append(what)


@farcall.exposed("name", writable=("name",))
class Guarded:
    """Says what may be used; `public` is not in the list."""

    name = "guarded"
    public = 1


def path(*steps: object) -> list[object]:
    return list(steps)


# Names that lead from any object to the interpreter, or to JavaScript's prototype chain.
PATHS = {
    "class": path("__class__"),
    "bases of the class": path("__class__", "__mro__"),
    "subclasses": path("__class__", "__base__", "__subclasses__"),
    "globals of a method": path("greet", "__globals__"),
    "globals through the function": path("greet", "__func__", "__globals__"),
    "owner of a method": path("greet", "__self__"),
    "globals of the constructor": path("__init__", "__globals__"),
    "attributes as a dict": path("__dict__"),
    "attribute access itself": path("__getattribute__"),
    "reduction": path("__reduce_ex__"),
    "module name": path("__module__"),
    "code of a method": path("greet", "func_code"),
    "code by its new name": path("greet", "__code__"),
    "frame of a generator": path("numbers", "gi_frame"),
    "code of a generator": path("numbers", "gi_code"),
    "traceback of an exception": path("error", "__traceback__"),
    "frame of a traceback": path("error", "__traceback__", "tb_frame"),
    "replacing a traceback": path("error", "with_traceback"),
    "private attribute": path("_private"),
    "mangled attribute": path("_Victim__mangled"),
    "dots in a step": path("greet.__globals__"),
    "dots to a private name": path("public._private"),
    "format of a template": path("template", "format"),
    "format_map of a template": path("template", "format_map"),
    "a module as attribute": path("library"),
    "beyond a module": path("library", "modules"),
    "prototype": path("__proto__"),
    "polluted prototype": path("__proto__", "polluted"),
    "constructor": path("constructor"),
    "Function by constructors": path("greet", "constructor", "constructor"),
    "prototype of a class": path("prototype"),
    "an empty name": path(""),
    "a name that is only an underscore": path("_"),
    "a name with a null byte": path("public\0"),
    "a name that looks alike": path("\uff50ublic"),
}

# Calls of public methods whose result must not cross.
RESULTS = ("module", "frame", "code", "trace")

# Steps and paths of the wrong shape.
SHAPES = {
    "a number as step": path(0),
    "a fraction as step": path(1.5),
    "nothing as step": path(None),
    "truth as step": path(True),
    "a dict as step": path({"a": 1}),
    "a path too long": path(*["public"] * 10_000),
    "text as path": "public",
    "a number as path": 7,
    "a dict as path": {"0": "public"},
}

# What no call, object or buffer can have as its number.
FORGED_IDS = (-1, 0.5, math.nan, math.inf, "__proto__", "1", None, True, [], {}, 2**70, 10**6)
