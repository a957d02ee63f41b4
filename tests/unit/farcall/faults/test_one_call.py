"""Whatever one call does, it ends, its neighbours are answered, and nothing stays behind.

Hypothesis draws messages of several calls that raise, operate on objects of both sides, build on
each other, are too large or are refused by the transport. Each example ends within so many turns
of the event loop, with the notes between those calls taken in their order.
"""

import asyncio
import gc
import operator
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import farcall
import pytest
from farcall.in_memory import Memory
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.raised import EXCEPTIONS, Abort

MOST = 150  # examples
TURNS = 3000  # of the event loop, within which everything ends
HELD = ("pending", "serving", "exports", "imports", "streams")
LIMITS = {"header": 4000, "buffers": 4000}
REFUSED = b"refused"  # bytes that begin so cannot be sent


class Strict(Memory):
    """Refuses some buffers, as a browser refuses memory that was transferred before."""

    def post(self, header: str, buffers: list[Any]) -> str:
        if any(bytes(buffer[: len(REFUSED)]) == REFUSED for buffer in buffers):
            return "DataCloneError"
        return super().post(header, buffers)


class Encoded:
    """Its `encode` or `decode` raises, at once or when awaited."""

    def __init__(self, error: BaseException, later: bool, here: bool) -> None:
        self.error, self.later, self.here = error, later, here

    @staticmethod
    def fail(value: "Encoded") -> Any:
        if not value.later:
            raise value.error
        return raises_later(value.error)


PARCELS: dict[int, Encoded] = {}  # that a `decode` finds again


def encode(value: Encoded) -> Any:
    if value.here:
        return Encoded.fail(value)
    PARCELS[id(value)] = value
    return id(value)


def decode(key: int) -> Any:
    return Encoded.fail(PARCELS.pop(key))


farcall.register(Encoded, encode=encode, decode=decode)


async def raises_later(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


class Operand:
    """Goes by reference; knows its own kind only."""

    def __add__(self, other: object) -> Any:
        return 1 if type(other) is Operand else NotImplemented

    def __rsub__(self, other: object) -> Any:
        return 2 if isinstance(other, int) else NotImplemented

    def __lt__(self, other: object) -> Any:
        raise Abort("not to be compared")


class Bare:
    """Goes by reference, and knows no operator."""


class Valued:
    """Crosses by value, and knows some operators."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __mul__(self, other: object) -> Any:
        return self.n

    __radd__ = __mul__


farcall.register(Valued, fields=("n",))

BINARY: list[Callable[[Any, Any], Any]] = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.matmul,
    operator.and_,
    operator.or_,
    operator.xor,
    operator.lshift,
    operator.rshift,
    divmod,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.contains,
]
OPERANDS: list[Callable[[], Any]] = [
    Operand,
    Bare,
    lambda: Valued(3),
    lambda: 5,
    lambda: "text",
    lambda: [1, 2],
    lambda: farcall.ref([1, 2]),
    lambda: {"k": Bare()},
    lambda: Operand,
]


class Far:
    """What is served: one method for each place in which something may go wrong."""

    def __init__(self) -> None:
        self.noted: list[int] = []
        self.error: BaseException = Abort("unset")

    def note(self, n: int) -> int:
        self.noted.append(n)
        return n

    # -- places where an exception is raised; the test holds the exceptions itself

    def function(self, k: int) -> None:
        raise ERRORS[k]

    async def coroutine(self, k: int) -> None:
        await asyncio.sleep(0)
        raise ERRORS[k]

    def callback(self, function: Any, k: int) -> Any:
        return function(k)

    def generator(self, k: int) -> Iterator[int]:
        yield 1
        raise ERRORS[k]

    async def async_generator(self, k: int) -> Any:
        yield 1
        await asyncio.sleep(0)
        raise ERRORS[k]

    def result(self, k: int, later: bool, here: bool) -> Any:
        return [Encoded(ERRORS[k], later, here)]

    def items(self, k: int, later: bool, here: bool) -> Iterator[Any]:
        yield 1
        yield Encoded(ERRORS[k], later, here)

    def value(self, k: int) -> BaseException:
        return ERRORS[k]

    # -- the rest

    def echo(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args else None

    def operand(self, index: int) -> Any:
        return OPERANDS[index]()

    def operate(self, index: int, a: Any, b: Any) -> Any:
        return BINARY[index](a, b)

    def box(self) -> "Far":
        return Far()

    async def later(self) -> int:
        await asyncio.sleep(0)
        return 1

    def text(self, size: int) -> str:
        return "x" * size

    def data(self, size: int) -> bytes:
        return b"x" * size

    def refused(self) -> bytes:
        return REFUSED

    def texts(self, sizes: list[int]) -> Iterator[str]:
        for size in sizes:
            yield "x" * size

    def call(self, function: Any) -> Any:
        return function()


ERRORS: list[BaseException] = []
Step = Callable[[Any], Any]  # of the proxy of a Far; gives what is awaited


async def everything(stream: Any) -> list[Any]:
    return [item async for item in await stream]


def local(k: int) -> None:
    raise ERRORS[k]


async def local_later(k: int) -> None:
    await asyncio.sleep(0)
    raise ERRORS[k]


def local_generator(k: int) -> Iterator[int]:
    yield 1
    raise ERRORS[k]


@st.composite
def raising(draw: st.DrawFn) -> Step:
    k = len(ERRORS)
    ERRORS.append(draw(EXCEPTIONS))
    later, here = draw(st.booleans()), draw(st.booleans())
    steps: list[Step] = [
        lambda far: far.function(k),
        lambda far: far.coroutine(k),
        lambda far: far.callback(local, k),
        lambda far: far.callback(local_later, k),
        lambda far: everything(far.generator(k)),
        lambda far: everything(far.async_generator(k)),
        lambda far: far.result(k, later, here),
        lambda far: everything(far.items(k, later, here)),
        lambda far: far.echo({"in": [Encoded(ERRORS[k], later, here)]}),
        lambda far: far.echo([Bare(), Encoded(ERRORS[k], later, here), lambda: 1]),
        lambda far: far.call(lambda: [Bare(), Encoded(ERRORS[k], later, here)]),
        lambda far: far.value(k),
        lambda far: far.echo(ERRORS[k]),
        lambda far: far.call(lambda: local_generator(k)),
        lambda far: within(far, ERRORS[k]),
    ]
    return draw(st.sampled_from(steps))


async def within(far: Any, error: BaseException) -> None:
    """An exception leaves `async with`, and nothing else is raised for it."""
    box = await far.box()
    try:
        async with box:
            raise error
    except BaseException as exc:
        if exc is not error:
            raise


@st.composite
def operating(draw: st.DrawFn) -> Step:
    index = draw(st.integers(0, len(BINARY) - 1))
    sides = draw(st.tuples(st.booleans(), st.booleans()))
    kinds = draw(st.tuples(*[st.integers(0, len(OPERANDS) - 1)] * 2))
    there = draw(st.booleans())

    async def step(far: Any) -> Any:
        a, b = [
            await far.operand(kind) if remote else OPERANDS[kind]()
            for kind, remote in zip(kinds, sides, strict=True)
        ]
        if there:
            return await far.operate(index, a, b)
        result = BINARY[index](a, b)
        return await result if isinstance(result, farcall.Remote) else result

    return step


@st.composite
def promising(draw: st.DrawFn) -> Step:
    first: Step = draw(
        st.sampled_from(
            [
                lambda far: far.later(),
                lambda far: far.box(),
                lambda far: far.echo([1, "k"]),
                lambda far: far.function(0),
                lambda far: far.box().note,
            ]
        )
    )
    use: Callable[[Any, Any], Any] = draw(
        st.sampled_from(
            [
                lambda far, p: far.echo(p),
                lambda far, p: far.echo(key=p),
                lambda far, p: far.echo([p, (p, {"k": p})]),
                lambda far, p: far.echo({p: 1}),
                lambda far, p: far.echo({p}),
                lambda far, p: far.echo(slice(p, 3)),
                lambda far, p: far.echo(Valued(p)),
                lambda far, p: p.box().note(1),
                lambda far, p: p(7),
                lambda far, p: far.box()[p],
                lambda far, p: p + p,
                lambda far, p: far.echo(p + 1),
            ]
        )
    )

    async def step(far: Any) -> Any:
        return await use(far, first(far))

    return step


SIZES = st.integers(0, 3) | st.integers(3900, 4100) | st.integers(1000, 9000)


@st.composite
def too_large(draw: st.DrawFn) -> Step:
    size = draw(SIZES)
    sizes = draw(st.lists(SIZES, max_size=8))
    steps: list[Step] = [
        lambda far: far.text(size),
        lambda far: far.data(size),
        lambda far: far.echo("x" * size),
        lambda far: far.echo([b"x" * size, lambda: 1]),
        lambda far: far.echo(b"x" * size, Bare()),
        lambda far: everything(far.texts(sizes)),
        lambda far: far.echo(["x" * n for n in sizes]),
        lambda far: far.call(lambda: "x" * size),
        lambda far: far["x" * size],
        lambda far: far.echo(**{"x" * size: 1}),
        lambda far: farcall.options(far.echo, one_way=True)("x" * size),
        lambda far: far.echo("x" * size).box(),
    ]
    return draw(st.sampled_from(steps))


REFUSALS: list[Step] = [
    lambda far: far.echo(REFUSED),
    lambda far: far.echo([Bare(), REFUSED, lambda: 1]),
    lambda far: far.refused(),
    lambda far: far.call(lambda: REFUSED),
    lambda far: everything(far.echo(farcall.ref([1, REFUSED, 3]))),
    lambda far: farcall.options(far.echo, one_way=True)(REFUSED),
    lambda far: far.echo(asyncio.sleep),
    lambda far: far.echo(asyncio.get_running_loop().create_future()),
    lambda far: far.echo(REFUSED).box(),
    lambda far: far[REFUSED],
]
STEPS = st.one_of(
    raising(), operating(), promising(), too_large(), st.sampled_from(REFUSALS)
)  # fmt: skip


PASSED = (TypeError, ValueError, AttributeError, farcall.FarcallError)


async def ended(awaitable: Any) -> Any:
    """What it gives or raises, as a value."""
    try:
        return await awaitable
    except BaseException as exc:
        return exc


async def turns(condition: Callable[[], bool], most: int = TURNS) -> bool:
    """Whether it comes about in so many turns of the event loop."""
    for _ in range(most):
        if condition():
            return True
        await asyncio.sleep(0)
    return condition()


def started(far: Any, steps: list[Step]) -> tuple[list[Awaitable[Any]], list[Awaitable[Any]]]:
    """Start all steps in one turn, a note after each: what to await of both."""
    calls, notes = [], []
    for n, step in enumerate(steps):
        try:
            calls.append(step(far))
        except BaseException as exc:  # refused where it is passed
            if not isinstance(exc, PASSED) and exc not in ERRORS:
                raise
        notes.append(far.note(n))
    return [c for c in calls if c is not None], notes


async def run(steps: list[Step]) -> None:
    near_end, far_end = Strict(), Strict()
    near_end.peer, far_end.peer = far_end, near_end
    served = Far()
    heard: list[BaseException] = []
    options: dict[str, Any] = {"limits": LIMITS, "on_error": lambda exc, whence: heard.append(exc)}
    far = farcall.Session(far_end, {"far": served}, **options)
    near = farcall.Session(near_end, **options)
    engine = await near.ready
    calls, notes = started(engine.far, steps)
    everything_ended = asyncio.gather(*[ended(call) for call in calls + notes])
    assert await turns(everything_ended.done), f"not ended: {near.statistics()}"
    assert (near.error, far.error) == (None, None)
    assert everything_ended.result()[len(calls) :] == served.noted == list(range(len(steps)))
    del calls, notes, everything_ended
    for _ in range(2):  # each side learns that the results have arrived, and forgets them
        await engine.far.echo(None)
    for error in ERRORS:
        error.__traceback__ = error.__context__ = None  # whose frames hold proxies

    def left() -> list[dict[str, int]]:
        held = [session.statistics() for session in (near, far)]
        return [{k: found[k] for k in HELD if found[k]} for found in held]

    assert await turns(lambda: not gc.collect() and left() == [{}, {}], 100), f"held: {left()}"
    near.close()
    await asyncio.sleep(0)
    far.close()


@pytest.fixture
def _little_garbage() -> Iterator[None]:
    """Collecting looks at what the examples made only."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.promise(
    "farcall: every await ends",
    "A function, callback, generator or converter raises a BaseException: a RemoteError of its "
    "name, to the caller; the rest of the message runs",
)
@pytest.mark.promise(
    "farcall: every await ends",
    "An operator between objects of both sides that neither knows: TypeError; the peer is never "
    "asked back",
)
@pytest.mark.usefixtures("_little_garbage")
@settings(max_examples=MOST, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=6))
def test_one_call_s_fault_leaves_the_others_alone(steps: list[Step]) -> None:
    asyncio.run(run(steps))
    ERRORS.clear()
    PARCELS.clear()
