"""Types for what a worker serves (CPython): Protocols in which all is awaitable, as of a proxy.

    python -m farcall.stubs csv_worker.py > remote_types.py     # all that a worker's script serves
    python -m farcall.stubs shop.orders:Order shop.orders:Cart  # classes

Annotate with a Protocol, and an editor completes through the wire and mypy checks it:

    engine: "Served" = await farcall.connect("engine")
    loss: float = await engine.model.fit(x, epochs=3)
"""

from __future__ import annotations

import argparse
import builtins
import collections.abc
import enum
import functools
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from farcall.workers import worker

HEAD = '''"""Remote types; made by `python -m farcall.stubs`."""

from __future__ import annotations

IMPORTS
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable
from typing import Any, Literal, Protocol, TypeVar

_T = TypeVar("_T", covariant=True)


class Call(Awaitable[_T], Protocol[_T]):
    """A call on its way; farcall.Call."""


class Stream(AsyncIterator[_T], Protocol[_T]):
    """A remote iterator; farcall.Stream."""

    def __await__(self) -> Generator[Any, Any, Stream[_T]]: ...
    async def asend(self, value: Any) -> _T: ...
    async def athrow(self, exc: BaseException) -> _T: ...
    async def aclose(self) -> None: ...
'''
# What arrives as a stream, and what may be sent where one is expected.
_STREAMS = (
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterator,
    collections.abc.Generator,
    collections.abc.Iterator,
)
_ITERABLES = (*_STREAMS, collections.abc.AsyncIterable, collections.abc.Iterable)
_AWAITABLES = (collections.abc.Awaitable, collections.abc.Coroutine)
# Modules of types that cross by value.
_BY_VALUE = ("datetime", "decimal", "fractions", "pathlib", "uuid")
_BARE = {
    list: "list[Any]",
    tuple: "tuple[Any, ...]",
    dict: "dict[Any, Any]",
    set: "set[Any]",
    frozenset: "frozenset[Any]",
    type: "type[Any]",
}
_UNIONS = (typing.Union, types.UnionType)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def protocols(classes: Iterable[type]) -> str:
    """Source of a module with a Protocol for each class, `Remote` before its name."""
    return Stubs(classes).source()


def served(items: Mapping[str, Any]) -> str:
    """Source of a module with a Protocol `Served`: what `farcall.serve` was given."""
    stubs = Stubs(())
    stubs.serve("Served", items)
    return stubs.source()


class Stubs:
    """The Protocols of one module of stubs.

    Args:
        classes: those whose objects stay on their side.
    """

    def __init__(self, classes: Iterable[type]) -> None:
        self._known: dict[Any, str] = {}
        self._cls: Any = None  # whose Protocol is written: what `Self` means
        for cls in classes:
            self._know(cls)
        self._namespaces: dict[str, Mapping[str, Any]] = {}
        self._imports: set[str] = set()  # of modules whose types are met

    def serve(self, name: str, items: Mapping[str, Any]) -> None:
        """Add the Protocol of a namespace, and of the classes and modules in it."""
        self._namespaces[name] = items
        for value in items.values():
            if inspect.ismodule(value):
                self._module(value)
            elif isinstance(value, type) or _is_instance(value):
                self._know(value if isinstance(value, type) else type(value))

    def _know(self, cls: type) -> None:
        """Name the Protocol of a class; several classes may have one name."""
        if cls not in self._known:
            name, number = "Remote" + cls.__name__, 1
            while name in self._known.values():
                number += 1
                name = f"Remote{cls.__name__}{number}"
            self._known[cls] = name

    def _module(self, module: types.ModuleType) -> None:
        name = _module_name(module)
        if name not in self._namespaces:
            self.serve(name, {n: getattr(module, n) for n in module.__all__})

    def source(self) -> str:
        """The module's text."""
        found = [self._namespace(name, items) for name, items in self._namespaces.items()]
        found += [self._protocol(cls) for cls in self._known]
        imports = "".join(f"import {name}\n" for name in sorted(self._imports))
        return HEAD.replace("IMPORTS\n", imports) + "".join("\n\n" + text for text in found)

    def _namespace(self, name: str, items: Mapping[str, Any]) -> str:
        lines = [f"class {name}(Protocol):", '    """What the other side serves."""']
        for member, value in sorted(items.items()):
            lines += self._served(member, value)
        return "\n".join(lines) + "\n"

    def _served(self, name: str, value: Any) -> list[str]:
        if inspect.ismodule(value):
            return ["", f"    {name}: {_module_name(value)}"]
        if isinstance(value, _FUNCTIONS):
            return ["", self._method(name, value, 0)]
        if isinstance(value, type):
            return ["", self._constructor(name, value)]
        return ["", self._attribute(name, type(value))]

    def _protocol(self, cls: type) -> str:
        name = self._known[cls]
        self._cls = cls
        lines = [f"class {name}(Protocol):", f'    """{cls.__name__}, on the other side."""']
        hints = _hints(cls)
        exposed = (getattr(cls, "__farcall__", None) or {}).get("names")
        public = sorted(n for n in hints if not n.startswith("_") and _in(exposed, n))
        lines += [self._attribute(n, hints[n]) for n in public]
        for member, value in _members(cls):
            if member not in public and _in(exposed, member):
                lines += self._member(member, value)
        return "\n".join([*lines, "", *self._awaited(cls)]) + "\n"

    def _awaited(self, cls: type) -> list[str]:
        """An object is what a call for it gives: it can be used before the call has ended."""
        enter = getattr(cls, "__aenter__", None) or getattr(cls, "__enter__", None)
        text = self._text(_hints(enter).get("return", Any) if enter else cls)
        return [
            f"    def __await__(self) -> Generator[Any, Any, {self._known[cls]}]: ...",
            f"    async def __aenter__(self) -> {text}: ...",
            "    async def __aexit__(self, *exc: object) -> None: ...",
        ]

    def _member(self, name: str, value: Any) -> list[str]:
        if isinstance(value, property):
            return ["", self._attribute(name, _hints(value.fget).get("return", Any))]
        if isinstance(value, functools.cached_property):
            return ["", self._attribute(name, _hints(value.func).get("return", Any))]
        if isinstance(value, type):
            return ["", self._constructor(name, value)]
        function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        if isinstance(function, functools._lru_cache_wrapper):
            function = function.__wrapped__
        if not isinstance(function, types.FunctionType):
            return []
        return ["", self._method(name, function, 0 if isinstance(value, staticmethod) else 1)]

    def _attribute(self, name: str, kind: Any) -> str:
        kind = self._cls if kind is typing.Self else kind
        if kind in self._known:
            return f"    {name}: {self._known[kind]}"
        if typing.get_origin(kind) is type:
            return self._constructor(name, typing.get_args(kind)[0])
        return f"    @property\n    def {name}(self) -> Awaitable[{self._text(kind)}]: ..."

    def _constructor(self, name: str, cls: Any) -> str:
        result = self._known.get(cls, "Call[Any]")
        init = getattr(cls, "__init__", None)
        if not isinstance(init, types.FunctionType):
            return f"    def {name}(self, *args: Any, **kwargs: Any) -> {result}: ..."
        return f"    def {name}{self._signature(init, 1)} -> {result}: ..."

    def _method(self, name: str, function: Any, bound: int) -> str:
        return f"    def {name}{self._signature(function, bound)} -> {self._result(function)}: ..."

    def _signature(self, function: Any, bound: int) -> str:
        """Parameters after the first `bound`, with `self` before them."""
        hints = _hints(function)
        shown = [
            p.replace(annotation=_Text(self._argument(hints.get(p.name, Any))), default=_default(p))
            for p in list(inspect.signature(function).parameters.values())[bound:]
        ]
        free = "self" if all(p.name != "self" for p in shown) else "_self"
        return str(inspect.Signature([inspect.Parameter(free, _POSITIONAL), *shown]))

    def _result(self, function: Any) -> str:
        kind = _hints(function).get("return", Any)
        kind = self._cls if kind is typing.Self else kind
        arguments = typing.get_args(kind)
        generates = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        if generates or typing.get_origin(kind) in _STREAMS:
            return f"Stream[{self._text(arguments[0]) if arguments else 'Any'}]"
        if typing.get_origin(kind) in _AWAITABLES:
            kind = arguments[-1]
        return self._known.get(kind, f"Call[{self._text(kind)}]")

    def _argument(self, kind: Any) -> str:
        """What may be sent where the other side expects `kind`."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is collections.abc.Callable and arguments:
            return self._callback(*arguments)
        if origin in _ITERABLES and arguments:
            item = self._text(arguments[0])
            return f"Iterable[{item}] | AsyncIterable[{item}]"
        if origin in _UNIONS:
            return " | ".join(self._argument(k) for k in arguments)
        return self._text(kind)

    def _callback(self, parameters: Any, result: Any) -> str:
        """A function that the other side calls; a coroutine function does as well."""
        taken = "..." if parameters is ... else f"[{', '.join(map(self._text, parameters))}]"
        if typing.get_origin(result) in _AWAITABLES:
            result = typing.get_args(result)[-1]
        text = "object" if result in (None, types.NoneType) else self._text(result)
        gives = text if text in ("object", "Any") else f"{text} | Awaitable[{text}]"
        return f"Callable[{taken}, {gives}]"

    def _text(self, kind: Any) -> str:
        if kind in (None, types.NoneType):
            return "None"
        kind = self._cls if kind is typing.Self else kind
        if kind in self._known:
            return self._known[kind]
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in _UNIONS:
            return " | ".join(self._text(k) for k in arguments)
        if origin is typing.Literal:
            if any(isinstance(k, enum.Enum) for k in arguments):
                return "Any"  # as of the Enum itself
            return f"Literal[{', '.join(map(repr, arguments))}]"
        if origin in (list, tuple, dict, set, frozenset):
            inner = ["..." if k is ... else self._text(k) for k in arguments]
            return f"{origin.__name__}[{', '.join(inner) or '()'}]"
        if kind in _BARE:
            return _BARE[kind]
        home = getattr(kind, "__module__", "")
        if home in _BY_VALUE and isinstance(kind, type):
            self._imports.add(home)
            return f"{home}.{kind.__qualname__}"
        return kind.__name__ if home == "builtins" else "Any"


class _Text:
    """Prints as the text itself in a signature."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _default(parameter: inspect.Parameter) -> Any:
    empty = parameter.default is inspect.Parameter.empty
    return inspect.Parameter.empty if empty else _Text("...")


def _hints(owner: Any) -> dict[str, Any]:
    """The types that a function's or class's annotations name; Any for what cannot be found.

    That is what a module imports for type checkers alone.
    """
    if isinstance(owner, types.FunctionType):
        return _found(owner.__annotations__, owner.__globals__)
    found: dict[str, Any] = {}
    for base in reversed(owner.__mro__ if isinstance(owner, type) else ()):
        module = vars(sys.modules.get(base.__module__, builtins))
        found.update(_found(vars(base).get("__annotations__", {}), {**module, **vars(base)}))
    return found


def _found(annotations: Mapping[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in annotations.items():
        one = types.SimpleNamespace(__annotations__={name: kind})
        try:
            found.update(typing.get_type_hints(one, names, names))
        except (NameError, AttributeError, TypeError):
            found[name] = Any
    return found


def _in(exposed: Iterable[str] | None, name: str) -> bool:
    """Whether a class serves a name; None if it serves all that are public."""
    return exposed is None or name in exposed


def _members(cls: type) -> list[tuple[str, Any]]:
    """Public members of a class and its bases, but those of builtin types."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ != "builtins":
            found.update(vars(base))
    return sorted((n, v) for n, v in found.items() if not n.startswith("_"))


def _is_instance(value: Any) -> bool:
    return type(value).__module__ != "builtins"


def _module_name(module: types.ModuleType) -> str:
    return "Remote" + module.__name__.rpartition(".")[2].title().replace("_", "")


class _Recorder:
    """Takes the place of a worker's host while its script is imported here."""

    items: Mapping[str, Any] | None = None

    def serve(self, space: Any, options: object) -> None:
        """Note what `farcall.serve` was given."""
        self.items = space.items


def _imported(name: str) -> tuple[types.ModuleType, Mapping[str, Any] | None]:
    """A module or a worker's script, and what it serves.

    Raises:
        SystemExit: it cannot be imported here.
    """
    recorder = _Recorder()
    worker.host = typing.cast(Any, recorder)
    path = Path(name)
    sys.dont_write_bytecode = True  # a folder that a page is served from gets no __pycache__
    sys.path.insert(0, str(path.parent) if path.suffix == ".py" else "")
    try:
        module = importlib.import_module(path.stem if path.suffix == ".py" else name)
    except ModuleNotFoundError as exc:
        hint = (
            "set PYTHONPATH, or keep what you serve in a module that imports nothing of a browser"
        )
        raise SystemExit(f"farcall.stubs: {name}: {exc}: {hint}") from None
    return module, recorder.items


def _all_of(name: str) -> str:
    """Source of the stubs for all that a script or module serves."""
    module, items = _imported(name)
    if items is not None:
        return served(items)
    if not hasattr(module, "__all__"):
        text = f"{name} neither calls farcall.serve nor has an __all__: write {name}:Class"
        raise SystemExit(f"farcall.stubs: {text}")
    return served({name.rpartition(".")[2]: module})


def _class(name: str) -> type:
    module, _, cls = name.partition(":")
    found = getattr(_imported(module)[0], cls, None)
    if not isinstance(found, type):
        raise SystemExit(f"farcall.stubs: expected module:Class, received {name}")
    return found


def main(arguments: list[str] | None = None) -> None:
    """Print the stubs that the command line asks for."""
    about, _, examples = (__doc__ or "").partition("\n\n")
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m farcall.stubs", description=about, epilog=examples, formatter_class=layout
    )
    what = "module:Class; or one script or module alone: all that it serves"
    parser.add_argument("names", nargs="+", metavar="NAME", help=what)
    names = parser.parse_args(arguments).names
    if len(names) == 1 and ":" not in names[0]:
        sys.stdout.write(_all_of(names[0]))
    else:
        sys.stdout.write(protocols([_class(name) for name in names]))


if __name__ == "__main__":
    main()
