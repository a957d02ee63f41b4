"""What a peer may do to a value that crosses as a copy, by a path that leads to it: read it."""

import array
import collections
import contextlib
import datetime
import decimal
import enum
import fractions
import itertools
import pathlib
import string
import uuid
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import farcall
import numpy as np
import pytest
from farcall.connection import takes_part
from farcall.connection.operators import OPERATORS
from farcall.connection.policy import Policy

from tests.unit.farcall.connection.test_session import connected

TOKEN = "-".join(["not", "for", "peers"])


class Rows(list):  # type: ignore[type-arg]
    """A list of the program's, with a method of its own."""

    def put(self, item: Any) -> None:
        self.append(item)


@farcall.exposed(writable=("[]",))
class Open(list):  # type: ignore[type-arg]
    """Says that its items may be changed."""


MAKE: dict[str, Callable[[], Any]] = {
    "list": lambda: [3, 1, 2],
    "dict": lambda: {"a": 1, 3: 4},
    "set": lambda: {1, 2},
    "bytearray": lambda: bytearray(b"cab"),
    "memoryview": lambda: memoryview(bytearray(b"cab")),
    "deque": lambda: collections.deque([3, 1, 2]),
    "OrderedDict": lambda: collections.OrderedDict(a=1, b=2),
    "Counter": lambda: collections.Counter("aab"),
    "defaultdict": lambda: collections.defaultdict(list, {"a": [1]}),
    "array": lambda: array.array("h", [3, 1, 2]),
    "ndarray": lambda: np.array([3, 1, 2]),
    "MaskedArray": lambda: np.ma.MaskedArray([3, 1, 2], [False, True, False]),
    "Rows": lambda: Rows([3, 1, 2]),
}
ARGUMENTS: list[tuple[Any, ...]] = [
    (),
    (1,),
    (0,),
    ("a",),
    ([9],),
    (b"x",),
    ({"a": 5},),
    (0, 9),
    ("a", 9),
    ([0], [9]),
    (9, "int16"),
    (False,),
    (True,),
]


def state(value: Any) -> str:
    masked = getattr(value, "_hardmask", None), getattr(value, "fill_value", None)
    flags = str(getattr(value, "flags", ""))
    shown = bytes(value) if isinstance(value, memoryview) else value
    return f"{shown!r} {masked} {flags} {getattr(value, 'mask', None)!r}"


@pytest.mark.promise(
    "farcall: what is refused",
    "Changes of a list, dict, set, array or other value that a path leads to, and files by way of "
    "a path or an array",
)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", MAKE)
async def test_no_method_changes_a_value_that_the_peer_has_a_copy_of(kind: str) -> None:
    value = MAKE[kind]()
    names = [n for n in dir(value) if n[0] != "_" and n != "put"]
    names += ["put"] if kind != "Rows" else []
    before = state(value)
    owner = type("Owner", (), {"value": value})()
    async with connected({"it": owner, "give": lambda: value}) as (engine, _):
        for name, arguments in itertools.product(names, ARGUMENTS):
            for path in (engine.it.value, engine.give()):
                with contextlib.suppress(Exception):
                    await getattr(path, name)(*arguments)
                assert state(value) == before, (name, arguments)
        for key in (0, "a", "new", 1):
            for path in (engine.it.value[key], engine.give()[key]):
                for act in (lambda p: farcall.set(p, 9), farcall.delete, lambda p: p):
                    with contextlib.suppress(Exception):
                        await act(path)
                    assert state(value) == before, key


@pytest.mark.filterwarnings("ignore")
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["list", "dict", "bytearray", "ndarray", "set"])
async def test_a_class_does_not_change_the_values_of_its_kind(kind: str) -> None:
    value = MAKE[kind]()
    names = [n for n in dir(value) if n[0] != "_"]
    before = state(value)
    served = {"cls": type(value), "it": type("Owner", (), {"value": value})()}
    async with connected(served) as (engine, _):
        for name, arguments in itertools.product(names, ARGUMENTS):
            with contextlib.suppress(Exception):
                await getattr(engine.cls, name)(engine.it.value, *arguments)
            assert state(value) == before, (name, arguments)


@pytest.mark.promise(
    "farcall: what is refused",
    "Changes of a list, dict, set, array or other value that a path leads to, and files by way of "
    "a path or an array",
)
@pytest.mark.asyncio
async def test_a_value_is_changed_where_the_program_gives_it_by_reference_or_says_so() -> None:
    value, rows, items = [3, 1, 2], Rows(), Open([1])
    served = {"give": lambda: farcall.ref(value), "rows": rows, "items": items, "plain": value}
    async with connected(served) as (engine, _):
        with pytest.raises(farcall.PolicyError, match=r"'append': the other side has no more than"):
            await engine.plain.append(4)
        with pytest.raises(farcall.PolicyError, match=r"change of an item: .* farcall\.ref"):
            await farcall.set(engine.plain[0], 4)
        held = await engine.give()
        await held.append(4)
        await farcall.set(held[0], 5)
        await farcall.delete(held[1])
        await engine.give().append(6)
        assert value == [5, 2, 4, 6]
        await engine.rows.put(7)
        await engine.items.append(8)
        await farcall.set(engine.items[0], 9)
        assert (rows, items) == ([7], [9, 8])


@pytest.mark.asyncio
async def test_a_method_of_an_array_writes_into_no_other_array() -> None:
    a, b = np.arange(3), np.zeros(3, int)
    owner = type("Owner", (), {"a": a, "b": b})()
    async with connected({"it": owner}) as (engine, _):
        assert (await engine.it.a.cumsum(out=engine.it.b)).tolist() == [0, 1, 3]
        assert (await engine.it.a.cumsum(0, None, engine.it.b)).tolist() == [0, 1, 3]
        with pytest.raises(farcall.LimitError):
            await engine.it.a.repeat(10**9)
    assert b.tolist() == [0, 0, 0]


@pytest.mark.asyncio
async def test_a_served_function_has_a_path_s_object_itself_and_a_copy_of_what_was_awaited() -> (
    None
):
    owner = type("Owner", (), {"a": np.arange(3), "b": np.zeros(3, int)})()
    async with connected({"it": owner, "copyto": np.copyto}) as (engine, _):
        await engine.copyto(await engine.it.b, engine.it.a)
        assert owner.b.tolist() == [0, 0, 0]
        await engine.copyto(engine.it.b, engine.it.a)
        assert owner.b.tolist() == [0, 1, 2]


def snapshot(folder: pathlib.Path) -> list[str]:
    return sorted(f"{p.name} {p.stat().st_mode}" for p in folder.rglob("*"))


@pytest.mark.promise(
    "farcall: what is refused",
    "Changes of a list, dict, set, array or other value that a path leads to, and files by way of "
    "a path or an array",
)
@pytest.mark.asyncio
async def test_a_path_that_the_peer_has_a_copy_of_leads_to_no_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "secret.txt").write_text(TOKEN)
    owner = type("Files", (), {"folder": tmp_path / "shared", "rows": np.arange(3)})()
    served = {"files": owner, "where": lambda: owner.folder, "by": lambda: farcall.ref(tmp_path)}
    before = snapshot(tmp_path)
    disk = [n for n in dir(pathlib.Path) if n[0] != "_" and not hasattr(pathlib.PurePath, n)]
    assert {"read_text", "unlink", "home", "iterdir"} <= set(disk)
    async with connected(served) as (engine, _):
        for name in disk:
            for path in (
                lambda: engine.files.folder,
                lambda: engine.where().parent,
                engine.where,
            ):
                with pytest.raises(farcall.PolicyError, match="no more than a copy"):
                    await getattr(path(), name)()
                with pytest.raises(farcall.PolicyError, match="no more than a copy"):
                    await getattr(path().joinpath("secret.txt"), name)()
        for name in ("tofile", "dump", "dumps"):
            with pytest.raises(farcall.PolicyError):
                await getattr(engine.files.rows, name)(str(tmp_path / "new"))
        assert snapshot(tmp_path) == before
        assert await engine.files.folder.parent.joinpath("x").name == "x"
        assert await engine.where().parent == tmp_path
        assert await (await engine.by()).is_dir()


class Color(enum.StrEnum):
    RED = "red"


class Shape:
    def draw(self) -> str:
        return TOKEN


TEMPLATE = "{0.draw.__globals__[TOKEN]}"


class Kept(collections.UserString):
    """A template of the program's."""


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [str, Color, collections.UserString, Kept, string.Formatter])
async def test_no_class_of_templates_walks_attributes_for_a_peer(kind: Any) -> None:
    made = kind("red") if kind is not string.Formatter else kind()
    async with connected({"kind": kind, "it": Shape(), "made": made}) as (engine, _):
        for owner in (engine.kind, engine.made):
            for name in ("format", "format_map", "vformat", "get_field"):
                for arguments in ((TEMPLATE, engine.it), (TEMPLATE, [engine.it], {}), (TEMPLATE,)):
                    with pytest.raises((farcall.PolicyError, AttributeError)):
                        await getattr(owner, name)(*arguments)


@contextlib.contextmanager
def opened(password: str) -> Iterator[int]:
    yield len(password)


@contextlib.asynccontextmanager
async def opened_later(password: str) -> AsyncIterator[int]:
    yield len(password)


@pytest.mark.asyncio
@pytest.mark.parametrize("make", [opened, opened_later])
async def test_a_context_manager_keeps_what_it_was_called_with(make: Any) -> None:
    async with connected({"open": lambda: make(TOKEN)}) as (engine, _):
        for name in ("args", "kwds", "func", "gen"):
            with pytest.raises(farcall.PolicyError, match="is private"):
                await getattr(engine.open(), name)
        async with engine.open() as found:
            assert found == len(TOKEN)


@pytest.mark.asyncio
async def test_a_finalizer_and_a_view_keep_what_they_are_of() -> None:
    shape = Shape()
    final = weakref.finalize(shape, print, TOKEN)
    whole = memoryview(bytearray(b"all of it"))
    owner = type("Owner", (), {"part": whole[:3], "rows": np.arange(9)[:2]})()
    async with connected({"final": final, "it": owner}) as (engine, _):
        for path in (
            engine.final.peek,
            engine.final.detach,
            engine.it.part.obj,
            engine.it.rows.base,
        ):
            with pytest.raises(farcall.PolicyError, match="is private"):
                await path()
    final.detach()


@farcall.exposed("name", "radd()")
class Vault:
    """Serves a name, and adding."""

    name = "vault"

    def __getitem__(self, key: object) -> str:
        return TOKEN

    def __call__(self) -> str:
        return TOKEN

    def __radd__(self, other: object) -> str:
        return "added"

    def __rmul__(self, other: object) -> str:
        return TOKEN

    def __lt__(self, other: object) -> str:
        return TOKEN

    __gt__ = __lt__


@farcall.exposed("[]", "()")
class Safe(Vault):
    """Serves what the other does not."""


@pytest.mark.promise("farcall: what is refused", "Names that a class or module does not list")
@pytest.mark.asyncio
async def test_a_class_that_lists_its_names_serves_no_items_calls_or_operands_besides() -> None:
    async with connected({"v": Vault(), "safe": Safe(), "Vault": Vault, "n": 1}) as (engine, _):
        with pytest.raises(farcall.PolicyError, match="a Vault serves no items"):
            await engine.v["key"]
        with pytest.raises(farcall.PolicyError, match="a Vault serves no calls"):
            await engine.v()
        operate = farcall.session(engine)._calls.operate
        for name, refused in (("mul", "rmul"), ("lt", "gt"), ("mod", "rmod")):
            with pytest.raises(farcall.PolicyError, match=rf"a Vault serves no {refused}\(\)"):
                await operate(engine.n, name, (engine.v,))
        assert await operate(engine.n, "add", (engine.v,)) == "added"
        assert await (await engine.Vault()).name == "vault"
        assert [await engine.safe["key"], await engine.safe()] == [TOKEN, TOKEN]


def test_a_policy_remembers_no_more_names_than_a_program_has() -> None:
    class Dynamic:
        def __getattr__(self, name: str) -> str:
            return name

    policy = Policy({})
    owner = Dynamic()
    for number in range(30_000):
        assert policy.read(owner, f"n{number}") == f"n{number}"
    assert len(policy._allowed) <= 10_000


ASKED: list[str] = []  # the methods of a Witness that ran


class Witness:
    """Notes what is asked of it; its class lists its name alone."""

    name = "witness"


def noting(special: str, answer: Any) -> Any:
    def run(self: object, *args: object) -> Any:
        ASKED.append(special)
        return answer() if callable(answer) else answer

    return run


ANSWERS: dict[str, Any] = {
    **dict.fromkeys(("__getitem__", "__str__", "__repr__", "__call__"), TOKEN),
    **dict.fromkeys(("__add__", "__radd__", "__gt__", "__lt__", "__rmul__", "__neg__"), TOKEN),
    "__len__": 1,
    "__index__": 1,
    "__eq__": True,
    "__hash__": 7,
    "__iter__": lambda: iter([TOKEN]),
}
for _special, _answer in ANSWERS.items():
    setattr(Witness, _special, noting(_special, _answer))
LISTED = ("[]", "str()", "repr()", "()", "add()", "radd()", "gt()", "lt()", "rmul()", "neg()")
LISTED += ("len()", "int()", "equals()", "iter()")


@farcall.exposed("name")
class Silent(Witness):
    """Lists nothing of what a value asks."""

    __fspath__ = noting("__fspath__", TOKEN)
    __bytes__ = noting("__bytes__", TOKEN.encode())
    __array__ = noting("__array__", lambda: np.array([1, 2, 3]))


@farcall.exposed("name", *LISTED)
class Talking(Witness):
    """Lists all that a value asks."""


@farcall.exposed("name")
class Quiet:
    """Has nothing that a value could ask."""

    name = "quiet"


class Shop:
    """What is served: values of each kind, some of which hold what is guarded."""

    def __init__(self, guarded: Any) -> None:
        self.guarded = guarded
        self.text, self.raw, self.number, self.part = "a%sb", b"x", 5, 1.5
        self.words, self.pair, self.marks, self.range = [1], (1, 2), {1}, range(9)
        self.table, self.line = {"a": 1}, collections.deque([1])
        self.day, self.folder = datetime.date(2026, 1, 1), pathlib.PurePosixPath("a")
        self.array, self.count = np.arange(3), collections.Counter("ab")
        self.held, self.by_name = [guarded], {"g": guarded}
        self.failed = ValueError(guarded)


# Each is an expression of a Shop `s` and what it guards, `g`, whose methods Python runs for it.
USES = """
    s.text % (g,)
    s.text % {"k": g}
    s.text.join(g)
    s.text.translate(g)
    s.text.center(g)
    s.text.split("a", g)
    s.raw.join(g)
    s.number.to_bytes(g, "big")
    s.number.from_bytes(g, "big")
    s.words.index(g)
    s.words.count(g)
    s.words[g]
    s.words[g:]
    s.words < [g]
    s.pair.index(g)
    s.range.index(g)
    s.marks.union(g)
    s.marks.isdisjoint(g)
    s.table.fromkeys(g)
    s.table.get(g)
    s.table[g]
    s.line.count(g)
    s.day.replace(day=g)
    s.day.fromordinal(g)
    s.folder.joinpath(g)
    s.count.most_common(g)
    s.words.count({g})
    s.words.count({g: 1})
    s.words.count([frozenset([(1, (g,))])])
    s.array.dot(g)
    s.array.take([g])
    s.array[g]
    s.array * [g]
    round(s.part, g)
    str(s.held)
    repr(s.by_name)
    str(s.failed)
    [1] == s.held
    1 in s.held
"""


def used(expression: str, shop: Any, far: bool) -> Any:
    """What the expression gives, or a call that gives it."""
    names: dict[str, Any] = {"s": shop, "g": shop.guarded}
    if far:
        names |= {"str": farcall.str, "repr": farcall.repr}
        words = expression.split()
        if words[1:2] in (["=="], ["in"]):
            function = farcall.equals if words[1] == "==" else farcall.contains
            return function(shop.held, eval(words[0]))
    return eval(expression, names)


@pytest.mark.promise("farcall: what is refused", "Names that a class or module does not list")
@pytest.mark.asyncio
async def test_no_value_asks_an_instance_for_what_its_class_does_not_list() -> None:
    async with connected(Shop(Silent())) as (engine, _):
        for expression in USES.strip().split("\n"):
            ASKED.clear()
            with pytest.raises(farcall.PolicyError, match="a Silent serves no") as caught:
                await used(expression.strip(), engine, far=True)
            assert (expression, ASKED) == (expression, [])
            assert TOKEN not in str(caught.value)


# A value of each type of data, each of whose methods a peer may call with an instance.
DATA: list[Any] = [
    *("a%sb", b"x", bytearray(b"x"), 5, 1.5, 1j, [1], (1, 2), {1}, frozenset({1}), {"a": 1}),
    *(range(9), memoryview(b"ab"), array.array("i", [1]), slice(1), ValueError("x")),
    *(collections.deque([1]), collections.Counter("ab"), collections.OrderedDict(a=1)),
    *(collections.defaultdict(int), collections.ChainMap({"a": 1}), collections.UserList([1])),
    *(collections.UserDict(a=1), collections.UserString("a"), pathlib.PurePosixPath("a")),
    *(datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1), datetime.timedelta(1)),
    *(datetime.time(1), decimal.Decimal(1), fractions.Fraction(1, 2), uuid.UUID(int=1)),
    *(np.arange(3), np.float64(1), np.int32(2), np.zeros(2, object), np.dtype("f4")),
    np.ma.array([1, 2]),
]


@pytest.mark.promise("farcall: what is refused", "Names that a class or module does not list")
@pytest.mark.asyncio
@pytest.mark.parametrize("value", DATA, ids=lambda value: type(value).__name__)
async def test_no_method_of_any_value_asks_an_instance_for_what_its_class_does_not_list(
    value: Any,
) -> None:
    async with connected({"value": farcall.ref(value), "g": Silent()}) as (engine, _):
        g, mine = engine.g, await engine.value
        for name in [name for name in dir(type(value)) if not name.startswith("_")]:
            for arguments in ((g,), (1, g), (g, g), ([g],), ({"k": [g]},), ("a", g)):
                ASKED.clear()
                try:
                    given: Any = await getattr(mine, name)(*arguments)
                except Exception as error:
                    given = error
                assert (name, ASKED) == (name, [])
                assert TOKEN not in repr(given)


@pytest.mark.asyncio
@pytest.mark.parametrize("guarded", [Talking, Quiet])
async def test_a_value_asks_an_instance_for_what_its_class_lists_or_lacks(guarded: Any) -> None:
    async def outcome(shop: Any, expression: str, far: bool) -> Any:
        try:
            found = used(expression, shop, far)
            return str(await found if far else found).replace("Remote ", "")
        except Exception as error:
            return type(error).__name__

    local = Shop(guarded())
    async with connected(local) as (engine, _):
        for expression in map(str.strip, USES.strip().split("\n")):
            expected = await outcome(local, expression, far=False)
            assert (expression, await outcome(engine, expression, far=True)) == (
                expression,
                expected,
            )


@pytest.mark.asyncio
async def test_a_container_keeps_an_instance_whatever_its_class_lists() -> None:
    assert sorted(takes_part.OPERATORS) == sorted(OPERATORS)
    guarded, words = Silent(), [1]
    shop = {"g": guarded, "words": farcall.ref(words), "shop": Shop(guarded), "size": len}
    shop["tools"] = {"type": lambda value: type(value).__name__}
    async with connected(shop) as (engine, _):
        ASKED.clear()
        mine = await engine.words
        await mine.append(engine.g)
        await mine.insert(0, engine.g)
        more = [engine.g]
        assert len(await (engine.shop.words + more)) == 2
        assert [type(item) for item in words] == [Silent, int, Silent]
        with pytest.raises(farcall.PolicyError, match=r"iter.*extend of a list"):
            await mine.extend(engine.g)
        assert await engine.size([engine.g, await engine.g]) == 2
        assert await engine.tools["type"](engine.g) == "Silent"
        for given in ({engine.g}, {await engine.g: 1}, [{(1, engine.shop.guarded)}, {2}]):
            with pytest.raises(farcall.PolicyError, match=r"no equals\(\), which keys of a dict"):
                await engine.size(given)
        assert ASKED == []
