"""Types for what a worker serves: `python -m farcall.stubs package.module:Class ...` (CPython).

Prints a module of Protocols in which every method and attribute is awaitable, as a proxy's is.
Annotate with one and an editor completes through the wire:

    engine: "RemoteEngine" = await farcall.connect("engine")
    loss: float = await engine.model.fit(x, epochs=3)
"""

from __future__ import annotations

import importlib
import inspect
import sys
import types
import typing
from collections.abc import Iterable
from typing import Any

HEAD = '''"""Remote types; made by `python -m farcall.stubs`."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Protocol, TypeVar

_T = TypeVar("_T", covariant=True)


class Call(Awaitable[_T], Protocol[_T]):
    """A call on its way; farcall.Call."""
'''


def protocols(classes: Iterable[type]) -> str:
    """Source of a module with a Protocol for each class, `Remote` before its name."""
    known = {cls: "Remote" + cls.__name__ for cls in classes}
    return HEAD + "".join("\n\n" + _protocol(cls, known) for cls in known)


def _protocol(cls: type, known: dict[type, str]) -> str:
    lines = [f"class {known[cls]}(Protocol):", f'    """{cls.__name__}, on the other side."""']
    public = sorted(n for n in _annotations(cls) if not n.startswith("_"))
    lines += [_attribute(name, _annotations(cls)[name], known) for name in public]
    for name, value in sorted(vars(cls).items()):
        if not name.startswith("_"):
            lines += _member(name, value, known)
    return "\n".join(lines) + "\n"


def _annotations(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _member(name: str, value: Any, known: dict[type, str]) -> list[str]:
    if isinstance(value, property):
        hints = typing.get_type_hints(value.fget) if value.fget else {}
        return ["", _attribute(name, hints.get("return", Any), known)]
    function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
    if not isinstance(function, types.FunctionType):
        return []
    return ["", _method(name, function, isinstance(value, staticmethod), known)]


def _attribute(name: str, kind: Any, known: dict[type, str]) -> str:
    if kind in known:
        return f"    {name}: {known[kind]}"
    return f"    @property\n    def {name}(self) -> Awaitable[{_text(kind, known)}]: ..."


def _method(name: str, function: Any, static: bool, known: dict[type, str]) -> str:
    hints = typing.get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())
    shown = [
        p.replace(annotation=_Text(_text(hints.get(p.name, Any), known)), default=_default(p))
        for p in (parameters if static else parameters[1:])
    ]
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = str(inspect.Signature([own, *shown]))
    return f"    def {name}{signature} -> {_result(function, hints, known)}: ..."


class _Text:
    """Prints as the text itself in a signature."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _default(parameter: inspect.Parameter) -> Any:
    empty = parameter.default is inspect.Parameter.empty
    return inspect.Parameter.empty if empty else _Text("...")


def _result(function: Any, hints: dict[str, Any], known: dict[type, str]) -> str:
    kind = hints.get("return", Any)
    arguments = typing.get_args(kind)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return f"AsyncIterator[{_text(arguments[0], known) if arguments else 'Any'}]"
    return f"Call[{_text(kind, known)}]"


def _text(kind: Any, known: dict[type, str]) -> str:
    if kind in known:
        return known[kind]
    if kind is type(None) or kind is None:
        return "None"
    if kind is Any or not isinstance(kind, type) or typing.get_args(kind):
        text = str(kind).replace("typing.", "")
        return text if text.isidentifier() or "." not in text else "Any"
    return kind.__name__ if kind.__module__ == "builtins" else "Any"


def main(names: list[str]) -> None:
    """Print the Protocols of `module:Class` names."""
    found = [name.split(":") for name in names]
    classes = [getattr(importlib.import_module(module), cls) for module, cls in found]
    sys.stdout.write(protocols(classes))


if __name__ == "__main__":
    main(sys.argv[1:])
