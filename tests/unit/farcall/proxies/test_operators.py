"""Operators of proxies, against what Python gives of the objects themselves."""

import array
import asyncio
import collections
import collections.abc
import copy
import dataclasses
import datetime
import itertools
import operator
import pickle
import types
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import farcall
import numpy as np
import pytest
from farcall.connection.sizes import size
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance import served, suite
from tests.support.bounded import bounded
from tests.unit.farcall.connection.test_session import connected, quiet

NUMERIC = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift"
BINARY = {name: getattr(operator, f"__{name}__") for name in NUMERIC.split()}
BINARY |= {"divmod": divmod}
BINARY |= {name: getattr(operator, name) for name in ("lt", "le", "gt", "ge")}
UNARY = {"neg": operator.neg, "pos": operator.pos, "abs": abs, "invert": operator.inv}
UNARY |= {"round": round}


class Vector:
    """A user's class whose operators take what operators take, in both orders."""

    __array_ufunc__ = None

    def __init__(self, *parts: float) -> None:
        self.parts = parts

    def __add__(self, other: Any) -> Any:
        return ("add", *self.parts) if isinstance(other, int) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return ("radd", *self.parts)

    def __matmul__(self, other: Any) -> Any:
        return ("matmul", *self.parts)

    def __lt__(self, other: Any) -> Any:
        return len(self.parts) < 3


KINDS = {
    "int": 7,
    "float": 2.5,
    "complex": 1j,
    "str": "ab",
    "list": [1, 2],
    "dict": {"a": 1},
    "set": {1, 2},
    "array": np.array([1, 2]),
    "scalar": np.float64(2),
    "vector": Vector(1, 2),
    "fraction": Fraction(1, 3),
    "date": datetime.date(2026, 1, 2),
    "delta": datetime.timedelta(days=1),
}


class Far:
    """Gives the values by reference, and operates on proxies of a third side."""

    def of(self, kind: str) -> Any:
        return farcall.ref(KINDS[kind])

    async def ask(self, name: str, proxy: Any, *args: Any) -> Any:
        return await getattr(farcall, name)(proxy, *args)

    async def operate(self, name: str, *operands: Any) -> Any:
        return await (BINARY | UNARY)[name](*operands)

    async def change(self, name: str, proxy: Any, value: Any) -> Any:
        await farcall.set(getattr(proxy, name), value)
        await farcall.set(proxy[name], value)
        found = [await getattr(proxy, name), await proxy[name]]
        await farcall.delete(proxy[name])
        return found


def outcome(function: Callable[..., Any], *operands: Any) -> Any:
    """What the operator gives of local values, or the builtin class of what it raises."""
    try:
        return function(*operands)
    except Exception as exc:
        return raised(exc)


async def remote_outcome(function: Callable[..., Any], *operands: Any) -> Any:
    """As `outcome`, of proxies: awaited."""
    try:
        return await function(*operands)
    except Exception as exc:
        return raised(exc)


def raised(exc: Exception) -> Any:
    """The builtin class that an exception is of: NumPy's own are not known to every side."""
    return next(cls for cls in type(exc).__mro__ if cls.__module__ == "builtins")


def same(a: Any, b: Any) -> bool:
    """Whether two outcomes are equal in type and value."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) == isinstance(b, np.ndarray) and np.array_equal(a, b)
    return type(a) is type(b) and (a == b or repr(a) == repr(b))


@pytest.mark.promise("farcall: features", "len, contains, operators, conversions")
@pytest.mark.asyncio
async def test_an_operator_of_two_proxies_gives_what_it_gives_of_their_objects() -> None:
    async with connected({"far": Far()}) as (engine, _):
        proxies = {kind: await engine.far.of(kind) for kind in KINDS}
        for (name, function), a, b in itertools.product(BINARY.items(), KINDS, KINDS):
            expected = outcome(function, KINDS[a], KINDS[b])
            found = await remote_outcome(function, proxies[a], proxies[b])
            assert same(found, expected), (a, name, b, found, expected)


# Types that answer for any operand: a text formats it, a fraction makes itself a float for it.
BY_ITSELF = {("str", "mod"), ("fraction", "pow")}


@pytest.mark.promise("farcall: features", "len, contains, operators, conversions")
@pytest.mark.asyncio
async def test_an_operator_of_a_value_and_a_proxy_gives_what_it_gives_of_both() -> None:
    values = {kind: value for kind, value in KINDS.items() if kind != "vector"}
    async with connected({"far": Far()}) as (engine, _):
        proxies = {kind: await engine.far.of(kind) for kind in KINDS}
        for (name, function), a, b in itertools.product(BINARY.items(), values, proxies):
            found = await remote_outcome(function, proxies[b], values[a])
            expected = outcome(function, KINDS[b], values[a])
            assert same(found, expected), (b, name, a, found, expected)
            if (a, name) not in BY_ITSELF:
                found = await remote_outcome(function, values[a], proxies[b])
                expected = outcome(function, values[a], KINDS[b])
                assert same(found, expected), (a, name, b, found, expected)


@pytest.mark.asyncio
async def test_an_operator_of_one_proxy_gives_what_it_gives_of_its_object() -> None:
    async with connected({"far": Far()}) as (engine, _):
        for (name, function), kind in itertools.product(UNARY.items(), KINDS):
            found = await remote_outcome(function, await engine.far.of(kind))
            assert same(found, outcome(function, KINDS[kind])), (name, kind, found)


@pytest.mark.asyncio
async def test_in_place_operators_give_the_call_of_the_plain_one() -> None:
    async with connected({"far": Far()}) as (engine, _):
        for name in NUMERIC.split():
            in_place = getattr(operator, f"__i{name}__")
            for kind in ("int", "float", "set"):
                found = await remote_outcome(in_place, await engine.far.of(kind), 2)
                assert same(found, outcome(BINARY[name], KINDS[kind], 2)), (name, kind, found)


@pytest.mark.asyncio
async def test_an_operator_takes_calls_that_have_no_result_yet() -> None:
    async with connected({"far": Far()}) as (engine, _):
        array = await engine.far.of("array")
        assert (await ((array > 1) & (array < 3))).tolist() == [False, True]
        assert await (engine.far.of("int") // 2 % 2) == 1
        assert await pow(engine.far.of("int"), 2, 5) == 4
        assert await round(engine.far.of("float"), 1) == 2.5


# -- what an operator may make for a peer

NUMBERS = st.integers(-3000, 3000) | st.booleans() | st.fractions(-9, 9, max_denominator=9)
FORMATS = st.text("%0123456789.-+#dsx", max_size=6).map(lambda text: "%" + text)
FORMATS |= st.lists(st.sampled_from(["%(a)s", "%(a)9s", "%s", "%12d", "%%", "x"])).map("".join)
PLAIN = (
    NUMBERS
    | st.integers(-300, 300).map(np.int64)
    | st.lists(st.integers(0, 9), max_size=9).map(collections.deque)
    | st.lists(st.integers(0, 9), max_size=9).map(collections.UserList)
    | st.text("ab", max_size=9).map(collections.UserString)
    | st.lists(st.integers(0, 9), max_size=9).map(lambda items: array.array("h", items))
    | st.dictionaries(st.just("a"), st.text("ab", max_size=40), max_size=1)
    | st.text("ab", max_size=9)
    | st.binary(max_size=9)
    | st.lists(st.none(), max_size=9)
)


def extent(value: Any) -> int:
    """How large a value is: in bits, items or characters."""
    if isinstance(value, Fraction):
        return max(extent(value.numerator), extent(value.denominator))
    if isinstance(value, int):
        return value.bit_length()
    if isinstance(value, dict):
        return len(str(value))
    return len(value) if isinstance(value, collections.abc.Sequence) else 0


@given(name=st.sampled_from(sorted(BINARY)), a=PLAIN | FORMATS, b=PLAIN)
def test_no_operator_makes_more_than_was_reckoned(name: str, a: Any, b: Any) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = BINARY[name](a, b)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return
    own = 8 * (extent(a) + extent(b)) + 99
    assert max(map(extent, found if isinstance(found, tuple) else [found])) <= own + max(
        size(name, a, b), 0
    )


HUGE: list[tuple[str, Any, Any]] = [
    ("lshift", 7, 2**40),
    ("lshift", 0, 2**40),
    ("pow", 7, 10**12),
    ("pow", -2, 2**21),
    ("pow", Fraction(1, 3), 10**9),
    ("pow", Fraction(1, 3), -(10**9)),
    ("mul", "ab", 10**12),
    ("mul", [1], 2**40),
    ("mul", 2**40, (1,)),
    ("mul", 2 ** (2**19), 2 ** (2**19)),
    ("add", "a" * 2**20, "b"),
    ("mod", "%9999999d", 1),
    ("mod", "%.9999999f", 0.5),
    ("mod", b"%-9999999d", 1),
    ("mod", "%*d", (2**31 - 1, 1)),
    ("mod", "%(a)1500000000d", {"a": 1}),
    ("mod", "%1000000d" * 400, (1,) * 400),
    ("mod", "%(a)s" * 3000, {"a": "x" * 1000}),
    ("mod", collections.UserString("%9999999d"), 1),
    ("pow", 7, Fraction(10**9)),
    ("pow", Fraction(7, 3), Fraction(10**8)),
    ("mul", "abc", np.int64(500_000_000)),
    ("mul", collections.deque([1]), 10**8),
    ("mul", array.array("d", [1.0]), 10**8),
    ("mul", collections.UserList([1]), 10**8),
    ("mul", collections.UserString("ab"), 10**8),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "a", "b"), HUGE, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(HUGE)]
)
@pytest.mark.parametrize("asked", ["the left", "the right"])
async def test_an_operator_that_would_take_all_memory_is_refused(
    name: str, a: Any, b: Any, asked: str
) -> None:
    made = {"left": lambda: farcall.ref(a), "right": lambda: farcall.ref(b)}
    async with connected(made) as (engine, _):
        if asked == "the left" and isinstance(b, (collections.UserList, collections.UserString)):
            return
        right = b if asked == "the left" else await engine.right()
        left = await engine.left()
        with pytest.raises(farcall.LimitError, match="bits or items, at most 1048576"):
            await BINARY[name](left, right)
        assert await farcall.bool(left) == bool(a)


@pytest.mark.asyncio
async def test_rounding_to_a_billion_digits_is_refused() -> None:
    async with connected({"far": Far()}) as (engine, _):
        for digits in (10**9, -(10**9)):
            with pytest.raises(farcall.LimitError, match="expected at most 1048576 digits"):
                await round(await engine.far.of("int"), digits)


# -- a proxy that was handed on to a third side


ASKED: dict[str, list[tuple[str, tuple[Any, ...]]]] = {
    "list": [("len", ()), ("bool", ()), ("contains", (2,)), ("copy", ()), ("doc", ())],
    "str": [("str", ()), ("repr", ()), ("names", ()), ("int", ()), ("len", ())],
    "float": [("int", ()), ("float", ()), ("equals", (2.5,)), ("len", ()), ("copy", ())],
    "vector": [("bool", ()), ("names", ()), ("doc", ()), ("copy", ()), ("int", ())],
}


@pytest.mark.asyncio
async def test_what_is_asked_of_a_proxy_that_was_handed_on_is_asked_of_its_object() -> None:
    async with connected({"far": Far()}) as (first, _), connected({"far": Far()}) as (second, _):
        for kind, asked in ASKED.items():
            proxy = await first.far.of(kind)
            for name, args in asked:
                expected = await remote_outcome(getattr(farcall, name), proxy, *args)
                found = await remote_outcome(second.far.ask, name, proxy, *args)
                assert same(found, expected), (name, found, expected)
            assert await second.far.ask("equals", proxy, proxy) is True


@pytest.mark.asyncio
async def test_operators_of_a_proxy_that_was_handed_on_are_those_of_its_object() -> None:
    async with connected({"far": Far()}) as (first, _), connected({"far": Far()}) as (second, _):
        for kind in ("int", "float", "set", "list", "array"):
            proxy = await first.far.of(kind)
            for name, function in BINARY.items():
                for operands in ((proxy, 2), (2, proxy), (proxy, proxy)):
                    local = [KINDS[kind] if x is proxy else x for x in operands]
                    found = await remote_outcome(second.far.operate, name, *operands)
                    assert same(found, outcome(function, *local)), (name, kind, found)
            for name, function in UNARY.items():
                found = await remote_outcome(second.far.operate, name, proxy)
                assert same(found, outcome(function, KINDS[kind])), (name, kind, found)


@pytest.mark.asyncio
async def test_a_proxy_that_was_handed_on_is_assigned_to_where_its_class_allows() -> None:
    settings_of = {"Settings": served.Settings}
    async with connected(settings_of) as (first, _), connected({"far": Far()}) as (second, _):
        settings = await first.Settings()
        assert await second.far.change("name", settings, 3) == [3, 3]
        assert await farcall.len(settings) == 0
        with pytest.raises(farcall.PolicyError, match="read-only"):
            await second.far.change("fixed", settings, 3)


class Reader:
    """Takes some of the items that it is given."""

    async def some(self, items: Any, count: int) -> list[Any]:
        found: list[Any] = []
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
        return found


LOOPED: dict[str, Callable[[], Any]] = {
    "list": lambda: farcall.ref([0, 1, 2, 3]),
    "deque": lambda: farcall.ref(collections.deque(range(4))),
    "map": lambda: map(int, "0123"),
    "zip": lambda: itertools.chain([0], (1, 2, 3)),
    "object": lambda: Numbers(4),
}


class Numbers:
    """An asynchronous iterator."""

    def __init__(self, count: int) -> None:
        self.left = list(range(count))

    def __aiter__(self) -> "Numbers":
        return self

    async def __anext__(self) -> int:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)


@pytest.mark.promise("farcall: features", "Of an iterator, as a file, no item is taken ahead")
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", LOOPED)
async def test_no_item_is_taken_ahead_of_an_iterator_that_was_handed_on(kind: str) -> None:
    async with (
        connected({"make": LOOPED[kind]}) as (first, one),
        connected({"reader": Reader()}) as (second, other),
    ):
        items = await first.make()
        assert await second.reader.some(items, 2) == [0, 1]
        left = [0, 1, 2, 3] if kind in ("list", "deque") else [2, 3]
        assert await second.reader.some(items, 9) == left
        assert await second.reader.some(items, 9) == (left if len(left) == 4 else [])
        del items
        await quiet(second, other)
        await quiet(first, one)


class Generators:
    """Gives generators, and says which have ended."""

    def __init__(self) -> None:
        self.ended = 0

    def sync(self) -> Any:
        got = 0
        try:
            for i in range(4):
                got = (yield i + (got or 0)) or 0
        except KeyError as exc:
            yield exc.args[0]
        finally:
            self.ended += 1

    async def later(self) -> Any:
        got = 0
        try:
            for i in range(4):
                await asyncio.sleep(0)
                got = (yield i + (got or 0)) or 0
        except KeyError as exc:
            yield exc.args[0]
        finally:
            self.ended += 1


class Uses:
    """What a worker does with a generator that it is given."""

    async def loop(self, items: Any) -> Any:
        return [item async for item in items]

    async def some(self, items: Any) -> Any:
        async for item in items:
            if item == 1:
                break
        return item

    async def next(self, items: Any) -> Any:
        return [await anext(items), await anext(items)]

    async def send(self, items: Any) -> Any:
        return [await items.asend(None), await items.asend(10), await items.asend(20)]

    async def throw(self, items: Any) -> Any:
        return [await items.asend(None), await items.athrow(KeyError("caught"))]

    async def close(self, items: Any) -> Any:
        first = await anext(items)
        await items.aclose()
        return first

    async def hand_back(self, items: Any) -> Any:
        return items


@pytest.mark.promise("farcall: features", "Streams both ways")
@pytest.mark.asyncio
@pytest.mark.parametrize("use", ["loop", "some", "next", "send", "throw", "close"])
@pytest.mark.parametrize("kind", ["sync", "later"])
@pytest.mark.parametrize("awaited", [True, False])
async def test_a_generator_that_was_handed_on_is_one_there_too(
    use: str, kind: str, awaited: bool
) -> None:
    made, alone = Generators(), Generators()
    async with (
        connected({"made": made}) as (first, one),
        connected({"uses": Uses()}) as (second, other),
        connected({"uses": Uses()}) as (third, another),
    ):
        expected = await getattr(third.uses, use)(getattr(alone, kind)())
        stream = getattr(first.made, kind)()
        if awaited:
            stream = await stream
            assert await second.uses.hand_back(stream) is stream
        assert await getattr(second.uses, use)(stream) == expected
        del stream
        for engine, session in ((second, other), (first, one), (third, another)):
            await quiet(engine, session)
        assert made.ended == alone.ended == 1


# -- what Python asks of a proxy by itself


@dataclasses.dataclass
class State:
    """A program's state that holds a proxy."""

    proxy: Any


@pytest.mark.asyncio
async def test_a_copy_of_a_proxy_refers_to_the_same_object() -> None:
    async with connected({"far": Far()}) as (engine, _):
        proxy = await engine.far.of("list")
        assert copy.copy(proxy) is proxy
        assert copy.deepcopy({"a": [proxy]})["a"][0] is proxy
        assert dataclasses.asdict(State(proxy)) == {"proxy": proxy}
        assert dataclasses.replace(State(proxy)).proxy is proxy


@pytest.mark.asyncio
async def test_what_cannot_wait_for_the_other_side_says_what_to_write() -> None:
    async with connected({"far": Far()}) as (engine, _):
        proxy = await engine.far.of("list")
        attempts: list[Callable[[], Any]] = [
            lambda: pickle.dumps(proxy),
            lambda: np.asarray(proxy),
            lambda: np.array(proxy),
            lambda: np.dot(proxy, proxy),
            lambda: complex(proxy),
            lambda: bytes(proxy),
            lambda: f"{proxy:>10}",
            lambda: [1][proxy],
            lambda: list(proxy),
            lambda: sorted(proxy),
            lambda: 1 < proxy < 3,
            lambda: {**proxy},
            lambda: dict(proxy),
            lambda: dict(**proxy),
            lambda: [*proxy],
            lambda: ",".join(proxy),
        ]
        for attempt in attempts:
            with pytest.raises(TypeError, match=r"await|async for"):
                attempt()
        with pytest.raises(TypeError, match=r"complex\(\) cannot wait"):
            complex(proxy)
        for name, method in vars(farcall.Remote).items():
            if getattr(method, "__name__", "") == "refuse":
                with pytest.raises(TypeError, match="cannot wait for the other side: write"):
                    getattr(proxy, name)(1, given="by name")  # as NumPy gives `copy`
        assert f"{proxy}" == repr(proxy)
        # Its class has the methods that say what to write, which is all that these ask for.
        assert isinstance(proxy, collections.abc.Sized)
        assert not isinstance(proxy, collections.abc.Sequence)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [bool, int, float, complex])
async def test_numpy_says_what_to_write_in_place_of_a_class_of_the_other_side(kind: Any) -> None:
    array = np.arange(3.0)
    async with connected({"array": lambda: farcall.ref(array)}) as (engine, _):
        held = await engine.array()
        with pytest.raises(TypeError, match="Of a dtype send the name, as 'int64'"):
            await held.astype(kind)
        assert (await held.astype(np.dtype(kind).name)).dtype == kind


@pytest.mark.asyncio
async def test_a_bound_method_that_is_sent_twice_is_held_once() -> None:
    async with connected({"bus": served.Bus()}) as (engine, _):
        heard: list[int] = []
        for _ in range(3):
            await engine.bus.subscribe(heard.append)
        assert farcall.statistics(engine)["exports"] == 1
        assert await engine.bus.publish(1) == 3


# -- asyncio


@pytest.mark.asyncio
async def test_what_asyncio_offers_takes_a_call_or_says_what_to_write() -> None:
    async with connected({"far": Far()}) as (engine, _):

        def call() -> Any:
            return engine.far.of("int")

        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(call())
        errors = list(caught.value.exceptions)
        for attempt in (asyncio.create_task, lambda c: asyncio.wait_for(asyncio.wait([c]), 5)):
            with pytest.raises(TypeError) as refused:
                await attempt(call())
            errors.append(refused.value)
        for error in errors:
            assert "asyncio.ensure_future(call)" in str(error)
        one, two = await engine.far.of("int"), await engine.far.of("float")
        assert await asyncio.shield(one + 1) == 8
        assert sorted([await x for x in asyncio.as_completed([one + 1, two + 1])]) == [3.5, 8]
        done, _ = await asyncio.wait([asyncio.ensure_future(one + 1)])
        assert done.pop().result() == 8


def test_asyncio_run_ends_while_a_call_is_pending() -> None:
    cancelled: list[str] = []

    async def main() -> None:
        near, far = farcall.endpoints.memory_pair()
        farcall.Session(far, served.far(lambda: None))
        engine = await farcall.connect(near, timeout=5)

        async def wait() -> None:
            try:
                await engine.far.forever()
            except asyncio.CancelledError:
                cancelled.append("here")
                raise

        waiting.append(asyncio.create_task(wait()))
        await engine.far.echo(1)

    waiting: list[Any] = []
    asyncio.run(main())
    assert cancelled == ["here"]
    assert waiting[0].cancelled()


def test_the_suite_names_every_operator() -> None:
    assert suite.OPERATORS.keys() | suite.UNARY.keys() == set(served.Operand.names.split())


class Kept:
    """What a peer asks too much of."""

    number = 7
    text = "abc"
    fraction = 1.5
    span = range(10**12)


@pytest.mark.asyncio
@pytest.mark.parametrize("exponent", [(10**9, None), (10**9,), (2**20000, 2**20000 + 1)])
async def test_a_power_with_a_modulus_has_a_bound_too(exponent: Any) -> None:
    async with connected({"it": Kept(), "seven": lambda: farcall.ref(7)}) as (engine, _):
        with bounded(), pytest.raises(farcall.LimitError):
            await farcall.session(engine)._calls.operate(engine.it.number, "pow", exponent)
        assert await pow(await engine.seven(), 2**300, 11) == pow(7, 2**300, 11)


TOO_MUCH: dict[str, Callable[[Any], Any]] = {
    "contains": lambda it: farcall.contains(it.span, 0.5),
    "count": lambda it: it.span.count(0.5),
    "index": lambda it: it.span.index(0.5),
    "center": lambda it: it.text.center(10**9),
    "ljust": lambda it: it.text.ljust(np.int64(10**9)),
    "zfill": lambda it: it.text.zfill(10**9),
    "to_bytes": lambda it: it.number.to_bytes(10**9),
    "to_bytes by name": lambda it: it.number.to_bytes(length=10**9, byteorder="big"),
    "round": lambda it: farcall.session(it)._calls.operate(it.number, "round", (np.int64(10**9),)),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", TOO_MUCH)
async def test_a_method_of_a_value_makes_no_more_than_an_operator(name: str) -> None:
    async with connected({"it": Kept()}) as (engine, _):
        with bounded(), pytest.raises(farcall.LimitError):
            await TOO_MUCH[name](engine.it)
        assert await engine.it.text.center(9) == "abc".center(9)
        assert await farcall.contains(engine.it.span, 5)
        assert await engine.it.span.index(3) == 3


def objects(values: list[Any]) -> Any:
    array = np.empty(len(values), object)
    for index, value in enumerate(values):
        array[index] = value
    return array


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, list) for name in ("str", "repr", "equals", "contains", "lt", "rmod")],
        ("equals", collections.deque),
        ("equals", objects),
    ],
)
async def test_what_shares_its_parts_is_not_written_or_compared_part_by_part(
    name: str, kind: Any
) -> None:
    def made() -> Any:
        value: Any = [1]
        for _ in range(64):
            value = [value, value]
        return kind(value)

    one, other = made(), made()
    more = {"str": (), "repr": (), "contains": (other[0],), "rmod": ("%s",)}.get(name, (other,))
    async with connected({"one": lambda: farcall.ref(one)}) as (engine, _):
        held = await engine.one()
        with bounded(), pytest.raises(farcall.LimitError, match="meets more than 1048576"):
            await farcall.session(engine)._calls.operate(held, name, more)
        assert await farcall.len(held) == 2


WRITTEN: dict[str, Callable[[Any], Any]] = {
    "count < ...": lambda root: root.count < 3,
    "... - count": lambda root: 1 - root.count,
    "divmod(..., count)": lambda root: divmod(9, root.count),
    "-count": lambda root: -root.count,
    "abs(rows[0].size())": lambda root: abs(root.rows[0].size()),
    "len(rows)": lambda root: farcall.len(root.rows),
    "rows[0].name = ...": lambda root: farcall.set(root.rows[0].name, 2),
    "del rows[0].name": lambda root: farcall.delete(root.rows[0].name),
    "rows[0].size()": lambda root: root.rows[0].size(),
    "rows[0].size() + ...": lambda root: root.rows[0].size() + 1,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("written", WRITTEN)
async def test_an_error_names_what_was_not_awaited_as_it_was_written(written: str) -> None:
    async with connected({"count": 5, "rows": [Vector()]}) as (engine, _):
        call = WRITTEN[written](engine)
        with pytest.raises(TypeError) as caught:
            bool(call)
        assert f"It is what {written} gives" in str(caught.value)
        await asyncio.gather(call, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_time_out_names_the_path_that_was_read_as_it_was_written() -> None:
    class Slow:
        rows = property(lambda self: asyncio.sleep(9))

    async with connected({"it": Slow()}) as (engine, _):
        with pytest.raises(TimeoutError, match=r"^it\.rows took more than 0\.01 s$"):
            await farcall.options(engine.it.rows, timeout=0.01)


@pytest.mark.asyncio
async def test_a_class_of_the_other_side_is_no_base_and_says_what_to_do() -> None:
    async with connected({"Vector": Vector}) as (engine, _):
        for far in (engine.Vector, await engine.Vector, engine.Vector(1)):
            with pytest.raises(TypeError, match="no base here: derive there, and serve that"):
                types.new_class("Own", (far,))
            for ask in (isinstance, issubclass):
                with pytest.raises(TypeError, match="takes no class of the other side: serve a"):
                    ask(Vector, (int, far))
