"""Which names are private: those of the interpreter's own types, on those types only."""

import functools
import types
from typing import Any

import farcall
import pytest
from farcall.connection.namespace import namespace

from tests.unit.farcall.connection.test_session import connected

TEMPLATE = "{0.__class__}"


class Format:
    """A class whose public methods are named as some of str, type and BaseException."""

    template = TEMPLATE
    error = ValueError("x")

    def format(self, text: str) -> str:
        return text

    def format_map(self, text: str) -> str:
        return text

    def mro(self, text: str) -> str:
        return text

    def with_traceback(self, text: str) -> str:
        return text


NAMES = ("format", "format_map", "mro", "with_traceback")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", NAMES)
async def test_a_class_may_have_a_method_of_that_name(name: str) -> None:
    async with connected({"it": Format(), name: len}) as (engine, _):
        assert name in dir(engine.it)
        assert await getattr(engine.it, name)("text") == "text"
        assert await getattr(engine, name)([1]) == 1


@pytest.mark.asyncio
async def test_on_the_type_whose_name_it_is_it_is_private() -> None:
    async with connected({"it": Format(), "Format": Format, "text": TEMPLATE}) as (engine, _):
        paths = (engine.it.template.format, engine.text.format_map, engine.Format.mro)
        for path in (*paths, engine.it.error.with_traceback):
            with pytest.raises(farcall.PolicyError, match="is private"):
                await path(None)


@pytest.mark.parametrize("name", ["gi_frame", "f_globals", "tb_next"])
def test_the_interpreters_own_names_are_not_served(name: str) -> None:
    served: dict[str, Any] = {name: len}
    with pytest.raises(TypeError, match=f"'{name}' is a name of the interpreter's own"):
        namespace(served)


def add(first: int, second: int = 0) -> int:
    return first + second


class Cents(property):
    """A class of properties of its own."""


class Account:
    """Its class keeps one of each descriptor; an instance holds them too, as values."""

    __slots__ = ("_kept", "by_name", "slot")

    def __init__(self) -> None:
        self.by_name: dict[str, Any] = DESCRIPTORS

    @property
    def balance(self) -> int:
        return 7

    cents = Cents(lambda self: 700)
    getset = types.FunctionType.__code__


class Lazy:
    """As Account, for what needs a `__dict__`."""

    @functools.cached_property
    def once(self) -> int:
        return 1


DESCRIPTORS: dict[str, Any] = {
    "property": property(add),
    "a property's subclass": Cents(add),
    "cached_property": functools.cached_property(add),
    "classmethod": classmethod(add),
    "staticmethod": staticmethod(add),
    "partialmethod": functools.partialmethod(add, 1),
    "singledispatchmethod": functools.singledispatchmethod(add),
    "member_descriptor": vars(Account)["slot"],
    "getset_descriptor": vars(types.FunctionType)["__code__"],
}
WRAPPERS: dict[str, Any] = {
    "partial": functools.partial(add, 1),
    "a partial's subclass": type("Bound", (functools.partial,), {})(add, 1),
    "lru_cache": functools.lru_cache(add),
    "cache": functools.cache(add),
    "singledispatch": functools.singledispatch(add),
}
HELD = (
    *("fget", "fset", "fdel", "getter", "setter", "deleter", "func", "args", "keywords"),
    *("attrname", "dispatcher", "register", "dispatch", "registry"),
    *("cache_clear", "cache_info", "cache_parameters"),
)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", DESCRIPTORS)
async def test_a_descriptor_is_no_value_that_a_name_item_or_call_hands_out(kind: str) -> None:
    served = {"it": Account(), "found": DESCRIPTORS, "give": DESCRIPTORS.get, "one": None}
    async with connected(served | {"one": DESCRIPTORS[kind]}) as (engine, _):
        for path in (engine.found[kind], engine.it.by_name[kind]):
            with pytest.raises(farcall.PolicyError, match="is not served"):
                await path
        with pytest.raises(farcall.PolicyError, match=r"is not served"):
            await engine.give(kind)
        for name in HELD:
            with pytest.raises(farcall.PolicyError):
                await getattr(engine.one, name)


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["Account.balance", "Account.cents", "Account.slot", "Lazy.once"])
async def test_a_class_does_not_hand_out_what_its_properties_are_made_of(path: str) -> None:
    cls, name = path.split(".")
    async with connected({"Account": Account, "Lazy": Lazy, "it": Account()}) as (engine, _):
        for held in ("fget", "fset", "fdel", "func", "setter"):
            with pytest.raises(farcall.PolicyError, match="is not served"):
                await getattr(getattr(getattr(engine, cls), name), held)(engine.it)
        assert await engine.it.balance == 7


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", WRAPPERS)
async def test_a_function_that_holds_another_is_called_and_no_more(kind: str) -> None:
    async with connected({"add": WRAPPERS[kind], "all": WRAPPERS}) as (engine, _):
        assert await engine.add(2) in (2, 3)
        assert await engine.all[kind](2) in (2, 3)
        for name in HELD:
            for owner in (engine.add, engine.all[kind]):
                with pytest.raises(farcall.PolicyError, match="attributes of a function"):
                    await getattr(owner, name)


class Inner:
    """Has nothing."""


class Fails:
    """Raises AttributeErrors, each of another kind."""

    class Described:
        def __get__(self, instance: Any, owner: Any = None) -> Any:
            raise AttributeError("described: not set yet")

    def __init__(self) -> None:
        self.inner = Inner()

    described = Described()

    @property
    def own(self) -> Any:
        raise AttributeError("own: fit first")

    @property
    def inside(self) -> Any:
        return self.inner.missing  # type: ignore[attr-defined]

    @property
    def same(self) -> Any:
        return self.inner.same  # type: ignore[attr-defined]


class Dynamic(Fails):
    """Makes its attributes."""

    def __getattr__(self, name: str) -> Any:
        if name == "column":
            raise AttributeError(f"no column {name!r}: there are a, b")
        if name == "handed":
            return self.inner.missing  # type: ignore[attr-defined]
        raise AttributeError(name)


class Named(type):
    def __getattr__(cls, name: str) -> Any:
        raise AttributeError(f"{cls.__name__} knows no {name}: import its plugin")


class Plugin(metaclass=Named):
    """A class whose class has names."""


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["described", "own", "inside", "same", "column", "handed"])
async def test_an_attribute_error_of_the_program_s_own_keeps_its_text(name: str) -> None:
    here = Dynamic() if name in ("column", "handed") else Fails()
    async with connected({"it": here, "Plugin": Plugin}) as (engine, _):
        with pytest.raises(AttributeError) as expected:
            getattr(here, name)
        with pytest.raises(AttributeError) as found:
            await getattr(engine.it, name)
        assert str(found.value) == str(expected.value)


@pytest.mark.asyncio
async def test_a_missing_name_is_refused_by_what_is_served_instead() -> None:
    async with connected({"it": lambda: Dynamic(), "kept": Plugin}) as (engine, _):
        with pytest.raises(AttributeError, match="Dynamic serves no 'iner'; did you mean 'inner'"):
            await engine.it().iner
        with pytest.raises(AttributeError, match="Plugin knows no extra: import its plugin"):
            await (await engine.kept).extra
