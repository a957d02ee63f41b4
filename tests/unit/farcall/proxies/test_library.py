"""Classes of the standard library and NumPy behind proxies do what they do in the hand.

`library.txt` is the table: a row is a name, a program that makes objects, and programs that use
them as one uses local objects. Python runs them on such objects here. farcall runs them as
`awaiting` writes them for proxies. Results, errors, and what becomes of the objects are the same;
where `=>` says so, farcall refuses, by a text that says what to write.
"""

import abc
import collections
import contextlib
import dataclasses
import enum
import functools
import html.parser
import importlib
import inspect
import json
import re
import typing
import warnings
from pathlib import Path
from typing import Any

import farcall
import numpy as np
import pytest
from farcall.values.opaque import DictOf

from tests.support import awaiting
from tests.unit.farcall.connection.test_session import connected, quiet

# The modules that programs name.
MODULES = """
    argparse array asyncio bisect collections configparser contextlib csv dataclasses datetime
    decimal difflib fractions functools graphlib hashlib heapq hmac io ipaddress itertools json
    logging math operator os pathlib queue random re sqlite3 statistics string struct tempfile time
    types urllib.parse uuid weakref zipfile zoneinfo
"""


class Color(enum.Enum):
    RED = 1
    GREEN = 2

    @property
    def loud(self) -> str:
        return self.name + "!"

    def describe(self) -> str:
        return f"{self.name} is {self.value}"


class Perm(enum.Flag):
    R = 1
    W = 2
    X = 4


class Pt(typing.NamedTuple):
    x: int
    y: int = 0

    def norm(self) -> float:
        return float((self.x**2 + self.y**2) ** 0.5)

    @classmethod
    def origin(cls) -> "Pt":
        return cls(0, 0)


@dataclasses.dataclass(order=True)
class DC:
    a: int
    b: list[int] = dataclasses.field(default_factory=list, compare=False)


@dataclasses.dataclass(frozen=True)
class FZ:
    a: int
    b: str = "b"


@farcall.exposed(writable=("a",))
@dataclasses.dataclass(slots=True)
class SL:
    a: int
    b: str = "b"


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self) -> float: ...

    @property
    def double(self) -> float:
        return 2 * self.area()

    @staticmethod
    def unit() -> str:
        return "m2"

    @classmethod
    def make(cls, *args: Any) -> "Shape":
        return cls(*args)


class Sq(Shape):
    def __init__(self, s: float) -> None:
        self.s = s

    def area(self) -> float:
        return self.s**2


class Found(dict[str, Any]):
    """Its keys are attributes, as those of scipy's OptimizeResult and sklearn's Bunch."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        return self[name]


class Measured(collections.namedtuple("Measured", "statistic pvalue")):
    """Has more than its items, as scipy's results of tests have."""

    def __new__(cls, statistic: float, pvalue: float, df: int) -> "Measured":
        made = super().__new__(cls, statistic, pvalue)
        made.__dict__["df"] = df
        return made

    @property
    def df(self) -> Any:
        return self.__dict__["df"]

    def describe(self) -> str:
        return f"{self.pvalue} of {self.df}"

    def __repr__(self) -> str:
        return f"Measured({self.statistic}, {self.pvalue}, {self.df})"


class Cached:
    def __init__(self) -> None:
        self.calls = 0

    @functools.cached_property
    def v(self) -> int:
        self.calls += 1
        return self.calls


class Parser(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.log: list[Any] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.log.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.log.append(data)


class Enc(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return sorted(o) if isinstance(o, set) else super().default(o)


@farcall.exposed(writable=("[]",))
class UD(collections.UserDict[str, Any]):
    def __missing__(self, key: str) -> str:
        return key.upper()


def generate() -> Any:
    """A generator that is sent to, and that catches."""
    got = None
    for i in range(3):
        try:
            got = yield (i, got)
        except KeyError as exc:
            got = exc.args[0]
    return 7


@contextlib.contextmanager
def managed(log: list[Any], value: int) -> Any:
    log.append("in")
    try:
        yield value * 2
    except ValueError as exc:
        log.append(repr(exc))
    finally:
        log.append("out")


SCOPE: dict[str, Any] = {name.split(".")[0]: __import__(name) for name in MODULES.split()}
SCOPE |= {"np": np, "ET": importlib.import_module("xml.etree.ElementTree")}
SCOPE |= {f.__name__: f for f in (generate, managed)}
SCOPE |= {c.__name__: c for c in (Color, Perm, Pt, DC, FZ, SL, Shape, Sq, Cached, Parser, Enc, UD)}
SCOPE |= {"Found": Found, "Measured": Measured}
VIEWS = (type({}.keys()), type({}.values()), type({}.items()))
OBJECTS = ("x", "y", "C")


class Row(typing.NamedTuple):
    """Of the table: how its objects are made, and what is done with them."""

    made: str
    programs: list[tuple[str, str]]
    """Each with what farcall's refusal says, or nothing."""


def _table() -> dict[str, Row]:
    rows: dict[str, Row] = {}
    text = Path(__file__).with_name("library.txt").read_text()
    for block in text.split("\n\n")[1:]:
        name, made, *lines = block.strip().split("\n")
        found = [p for line in lines for p in line.strip().split(" ;; ")]
        split = [p.partition(" => ") for p in found]
        programs = [(p.replace("¶", "\n"), says) for p, _, says in split]
        rows[name] = Row(made.strip().replace("¶", "\n"), programs)
    return rows


ROWS = _table()


def objects(name: str) -> dict[str, Any]:
    """The objects of a row, and what its programs can name."""
    scope = dict(SCOPE)
    exec(ROWS[name].made, scope)
    return scope


class Far:
    def __init__(self) -> None:
        self.scope: dict[str, Any] = {}

    def make(self, name: str) -> list[Any]:
        """The objects of a row, by reference."""
        self.scope = objects(name)
        return [farcall.ref(self.scope.get(key)) for key in OBJECTS]


def written(value: Any) -> str:
    """A text of a value, without addresses."""
    return re.sub(r"0x[0-9a-fA-F]+", "0x", repr(value))


async def here(value: Any) -> Any:
    """What arrives of a local value, and of a remote one what is there: in comparable form."""
    if isinstance(value, farcall.Stream) or inspect.isgenerator(value):
        return "a generator"
    if isinstance(value, farcall.Remote):
        found = re.sub(r"0x[0-9a-fA-F]+", "0x", await farcall.repr(value))
        return [value._farcall.name, found]
    if isinstance(value, VIEWS):
        value = list(value)
    if isinstance(value, (np.matrix, np.memmap)):
        value = np.asarray(value)
    if type(value) in (list, tuple):
        return [type(value).__name__, *[await here(item) for item in value]]
    if type(value) in (set, frozenset):
        return [type(value).__name__, sorted(map(repr, value))]
    if type(value) in (dict, Found, DictOf):
        return ["dict", *[await here(item) for item in value.items()]]
    return [getattr(value, "__name__", type(value).__name__), written(value)]


def left(scope: dict[str, Any]) -> str:
    """What remains of a row's objects."""
    return written(scope["state"]() if "state" in scope else scope["x"])


async def outcome(program: str, scope: dict[str, Any], remote: bool) -> Any:
    """What a program gives, or what it raises."""
    try:
        found = await awaiting.run(program, scope, remote)
        return await here(await found if inspect.isawaitable(found) else found)
    except Exception as exc:
        return [type(exc).__name__, str(exc)]


def same(found: Any, expected: Any) -> bool:
    """Whether two outcomes are one; of a missing name farcall says what is served instead."""
    missing = found[0] == expected[0] == "AttributeError"
    return bool(missing or found == expected)


@pytest.mark.promise("farcall: features", "Objects by reference, by value on request")
@pytest.mark.asyncio
@pytest.mark.parametrize("name", ROWS)
async def test_a_class_of_the_library_behind_a_proxy_does_what_it_does_here(name: str) -> None:
    far = Far()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of overflows, of numpy.matrix
        local = objects(name) | {"copy": lambda value: value}
        async with connected({"far": far}) as (engine, session):
            remote = dict(SCOPE) | awaiting.GIVEN
            remote |= dict(zip(OBJECTS, await engine.far.make(name), strict=True))
            for program, refusal in ROWS[name].programs:
                found = await outcome(program, remote, True)
                if refusal:
                    assert refusal in str(found), (program, found)
                else:
                    expected = await outcome(program, local, False)
                    assert same(found, expected), (program, found, expected)
            assert left(far.scope) == left(local)
            far.scope = {}
            remote.clear()
            await quiet(engine, session)
