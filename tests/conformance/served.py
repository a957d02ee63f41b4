"""What the far side of every conformance run serves. Runs on CPython and Pyodide."""

import array
import asyncio
import collections
import datetime
import decimal
import enum
import fractions
import gc
import pathlib
import time
import uuid
from typing import NamedTuple

import farcall


class Counter:
    """An object with state."""

    step = 1

    def __init__(self, start=0):
        self.value = start

    def add(self, amount=1):
        self.value += amount
        return self.value

    def itself(self):
        return self

    async def slowly(self, amount):
        await asyncio.sleep(0.001)
        return self.add(amount)

    def _hidden(self):
        return "never"


@farcall.exposed(writable=("name", "[]"))
class Settings:
    """Attributes and items that a peer may set."""

    def __init__(self):
        self.name = "unset"
        self.fixed = 1
        self._items = {}

    def __getitem__(self, key):
        return self._items[key] if not isinstance(key, slice) else [key.start, key.stop, key.step]

    def __setitem__(self, key, value):
        self._items[key] = value

    def __delitem__(self, key):
        del self._items[key]

    def __len__(self):
        return len(self._items)

    def __contains__(self, key):
        return key in self._items

    def __iter__(self):
        return iter(self._items)

    def __add__(self, other):
        return ["sum", other]

    def __int__(self):
        return 42


@farcall.exposed("enter_order", "work", concurrency=1, queue=2)
class Queued:
    """One call at a time, two may wait; nothing else is served."""

    def __init__(self):
        self.order = []

    async def work(self, name):
        self.order.append(name + " in")
        await asyncio.sleep(0)
        self.order.append(name + " out")

    def enter_order(self):
        return self.order

    def other(self):
        return "never"


class Managed:
    """A context manager that remembers."""

    def __init__(self):
        self.log = []

    async def __aenter__(self):
        self.log.append("entered")
        return self

    async def __aexit__(self, kind, exc, traceback):
        self.log.append(f"left with {exc!r}")
        return kind is ValueError

    def seen(self):
        return self.log


class Point:
    """Crosses by value."""

    def __init__(self, x, y):
        self.x = x
        self.y = y


class Length:
    """Crosses as a number of millimetres, by coroutines of both sides."""

    def __init__(self, metres):
        self.metres = metres


async def length_to_wire(length):
    await asyncio.sleep(0)
    if length.metres < 0:
        raise ValueError("no such length", length.metres)
    return {"millimetres": [length.metres * 1000]}


async def length_from_wire(wire):
    await asyncio.sleep(0)
    if wire["millimetres"] == [13000]:
        raise LookupError("unlucky")
    return Length(wire["millimetres"][0] // 1000)


def register():
    """Let both classes cross; where the suite runs in one process with this, it registers its."""
    farcall.register(Point, fields=("x", "y"))
    farcall.register(Length, encode=length_to_wire, decode=length_from_wire)


def text(value):
    """What arrived, so that both sides can compare it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(text(v) for v in value) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(text(v) for v in value) + ")"
    return f"{value.metres} m" if hasattr(value, "metres") else str(value)


class Colour(enum.Enum):
    """Known to this side only, where the near side is MicroPython."""

    RED = 1


class Word(str, enum.Enum):  # noqa: UP042 # its text is its name
    YES = "yes"


class Pair(NamedTuple):
    a: int
    b: int


def standard():
    """A value of each type of the standard library and NumPy that crosses by value."""
    import numpy

    zone = datetime.timezone(datetime.timedelta(hours=1))
    return {
        "date": datetime.date(2026, 1, 2),
        "time": datetime.time(3, 4, 5, 6),
        "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, 6, zone),
        "timedelta": datetime.timedelta(1, 2, 3),
        "decimal": decimal.Decimal("1.50"),
        "fraction": fractions.Fraction(1, 3),
        "uuid": uuid.UUID(int=1),
        "path": pathlib.PurePosixPath("a/b"),
        "enum": Colour.RED,
        "word": Word.YES,
        "pair": Pair(1, 2),
        "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
        "counter": collections.Counter("aab"),
        "defaultdict": collections.defaultdict(list, k=[1]),
        "deque": collections.deque([1, 2], 3),
        "array": array.array("h", [1, -2]),
        "memoryview": memoryview(bytearray(b"ab")),
        "slice": slice(1, 2),
        "moment": time.gmtime(0),
        "masked": numpy.ma.array([1, 2], mask=[0, 1]),
        "dtype": numpy.dtype("f4"),
        "scalar type": numpy.int8,
    }


class HttpError(Exception):
    """Its constructor takes other arguments than it is raised with."""

    def __init__(self, status, url):
        super().__init__(f"{status} of {url}")
        self.status = status
        self.url = url


class Custom(LookupError):
    """An exception the near side does not know."""


class Mine(ExceptionGroup):
    """A group that the near side does not know."""


class Operand:
    """Gives the operator's name and its other operand; `Operand.with_operators` has them all."""

    names = (
        "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift divmod "
        "lt le gt ge neg pos abs invert round"
    )

    @classmethod
    def with_operators(cls):
        """An instance whose class has every operator, reflected ones too."""
        for name in cls.names.split():
            for prefix in ("", "r"):
                setattr(cls, f"__{prefix}{name}__", cls._answering(prefix + name))
        return cls()

    @staticmethod
    def _answering(name):
        return lambda self, *others: [name, *others]


class Bus:
    """Functions that subscribe, and unsubscribe."""

    def __init__(self):
        self._listeners = []

    def subscribe(self, function):
        self._listeners.append(function)

    def unsubscribe(self, function):
        self._listeners.remove(function)

    def publish(self, value):
        for function in self._listeners:
            function(value)
        return len(self._listeners)


class Abort(BaseException):
    """No Exception: as what ends a task or a program."""


class Faulty:
    """Raises whatever there is, and meets operands that it does not know."""

    kinds = (
        ValueError,
        asyncio.CancelledError,
        GeneratorExit,
        KeyboardInterrupt,
        SystemExit,
        Abort,
    )

    def __init__(self):
        self.notes = []

    def note(self, value):
        self.notes.append(value)
        return value

    def raises(self, index):
        raise self.kinds[index]("as asked")

    async def raises_later(self, index):
        await asyncio.sleep(0)
        raise self.kinds[index]("as asked")

    def streams(self, index):
        yield 1
        raise self.kinds[index]("as asked")

    def plus(self, other):
        return self + other

    def added_to(self, other):
        return other + self

    def less(self, other):
        return self < other

    async def awaits(self, value):
        return await value


def _differ(a, b):
    if type(a) is not type(b):
        return True
    return bytes(a) != bytes(b) if isinstance(a, memoryview) else repr(a) != repr(b)


class Far:
    """The root's members: one method for each behaviour."""

    Counter = Counter

    def __init__(self, session):
        self._session = session
        self.events = []
        self.logged = []
        self.nested = {"deep": {"list": [1, 2, {"x": "found"}]}}

    def echo(self, *args, **kwargs):
        return [list(args), kwargs] if kwargs else args[0] if len(args) == 1 else list(args)

    @staticmethod
    def named(self=0, *, args=0):
        return [self, args]

    def faulty(self):
        return Faulty()

    def standard(self):
        return standard()

    def itself(self):
        return self

    def standard_by_reference(self):
        return {name: farcall.ref(value) for name, value in standard().items()}

    def lines(self):
        return iter(["a", "b", "c", "d"])

    async def first_and_others(self, items):
        async for _first in items:
            break
        return [_first, await items.__anext__(), [item async for item in items]]

    def changed(self, values):
        """Names of those that are not equal to mine in value and type."""
        own = standard()
        return [name for name in values if _differ(values[name], own[name])]

    def is_red(self, value):
        return value is Colour.RED

    def is_none(self, value):
        return value is None

    def open_missing(self):
        return open("/no/such/file.csv")

    def decode(self, data):
        return bytes(data).decode()

    def http_error(self):
        raise HttpError(404, "/data")

    async def content(self, value):
        """Name of a JavaScript value's class, and what it holds."""
        name = str(value.constructor.name)
        if name in ("File", "Blob"):
            return [name, str(await value.text())]
        if name == "ReadableStream":
            chunk = await value.getReader().read()
            return [name, str(chunk.value)]
        fields = {"Map": "size", "Date": "toISOString", "ImageData": "width", "Object": "size"}
        held = getattr(value, fields.get(name, "width"))
        return [name, held() if name == "Date" else held]

    def make_text(self, characters):
        return "x" * characters

    def make_rows(self, count):
        return [{"id": i, "name": f"row {i}", "value": i * 0.5} for i in range(count)]

    def log(self, *args, **kwargs):
        self.logged.append(text(args[0] if args else kwargs))

    def take_logged(self):
        logged, self.logged = self.logged, []
        return logged

    def make_length(self, metres):
        return Length(metres)

    def group(self):
        try:
            error = ValueError("first")
            error.add_note("of the first")
            raise error
        except ValueError as exc:
            group = ExceptionGroup("both", [exc, Mine("inner", [Custom("second")])])
            group.add_note("a note")
            raise group from None

    def call(self, function, *args):
        return function(*args)

    async def call_all(self, functions, value):
        return {name: await f(value) for name, f in functions.items()}

    def notify(self, function, count):
        for i in range(count):
            function(i)
        return "done"

    def fail(self, text):
        raise ValueError(text, 7)

    async def fail_later(self, text):
        await asyncio.sleep(0)
        raise Custom(text)

    def returns_lock(self):
        return asyncio.Lock

    async def forever(self):
        self.events.append("started")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise

    def take_events(self):
        events, self.events = self.events, []
        return events

    def describe(self, value):
        kind = type(value).__name__
        return [kind, str(getattr(value, "dtype", "")), list(getattr(value, "shape", []))]

    def total(self, array):
        return float(array.sum())

    def array(self, n):
        import numpy

        return numpy.arange(n, dtype=numpy.float32).reshape(2, -1)

    def large(self, first):
        import numpy

        return numpy.arange(first, first + 250_000, dtype=numpy.float32)

    def ends(self, array):
        return [float(array[0]), float(array[-1])]

    def hold(self, value):
        self._held = value

    def give_back(self):
        held, self._held = self._held, None
        return held

    def same(self, a, b):
        return a is b

    def unsendable(self):
        import sys

        return sys

    def count(self, n):
        """Counts to n."""
        try:
            yield from range(n)
        finally:
            self.events.append("closed")

    async def count_later(self, n):
        try:
            for i in range(n):
                await asyncio.sleep(0)
                yield i
        finally:
            self.events.append("closed")

    async def gated(self):
        self.gate = asyncio.Event()
        yield 1
        await self.gate.wait()
        yield 2

    def open_gate(self):
        self.gate.set()

    def failing_stream(self):
        yield 1
        raise ValueError("mid-stream")

    def running_total(self):
        total = 0
        while True:
            try:
                total += yield total
            except KeyError:
                total = 0

    async def sum_stream(self, stream):
        return sum([item async for item in stream])

    def settings(self):
        return Settings()

    def queued(self):
        return Queued()

    def managed(self):
        return Managed()

    def operand(self):
        return Operand.with_operators()

    def bus(self):
        return Bus()

    def slow_callback(self, function):
        return function(1)

    def move(self, point):
        return Point(point.x + 1, point.y)

    def list_by_reference(self):
        return farcall.ref([1, 2, 3])

    def chained(self):
        try:
            raise KeyError("inner")
        except KeyError as exc:
            error = RuntimeError("outer")
            if hasattr(error, "add_note"):
                error.add_note("a note")
            raise error from exc

    def exits(self):
        raise SystemExit(3)

    def statistics(self):
        gc.collect()
        return self._session().statistics()


def far(session):
    """What to serve; `session` gives the far side's session."""
    return {"far": Far(session), "Counter": Counter, "text": "plain", "Settings": Settings}
