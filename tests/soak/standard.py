"""Values of the standard library's types, made from recipes: both sides make the same value of one.

A recipe is a list: a kind, then numbers, texts or recipes. MicroPython and Pyodide; `HERE` has the
kinds that this interpreter can make.
"""

import array
import collections
import random

from farcall import platform

SECONDS = 86_400


def module(name):
    """A module of the standard library; None where there is none."""
    try:
        return __import__(name)
    except ImportError:
        return None


datetime = module("datetime")
decimal = module("decimal")
enum = module("enum")
fractions = module("fractions")
pathlib = module("pathlib")
uuid = module("uuid")

Point = collections.namedtuple("Point", ("x", "y"))
MEMBERS = {}
if enum is not None:

    class Colour(enum.Enum):
        RED = 1
        GREEN = ("g", 2)

    class Word(str, enum.Enum):  # its text is its name
        YES = "yes"

    class Level(enum.IntEnum):
        LOW = 1

    class Right(enum.Flag):
        READ = enum.auto()
        WRITE = enum.auto()

    found = [list(kind) for kind in (Colour, Word, Level, Right)]
    for member in sum(found, [Right.READ | Right.WRITE, Right(0)]):
        MEMBERS[str(len(MEMBERS))] = member

MEMBER_COUNT = 8


def make_time(seconds, microseconds, offset):
    hours, rest = divmod(seconds, 3600)
    return datetime.time(hours, rest // 60, rest % 60, microseconds, zone(offset))


def make_datetime(day, seconds, microseconds, offset):
    at = make_time(seconds, microseconds, None)
    return datetime.datetime.combine(datetime.date.fromordinal(day), at).replace(
        tzinfo=zone(offset)
    )


def zone(minutes):
    """A time zone that many minutes from UTC; None for None."""
    if minutes is None:
        return None
    return datetime.timezone(datetime.timedelta(0, 60 * minutes))


def pairs(items):
    return [(make(items[n]), make(items[n + 1])) for n in range(0, len(items), 2)]


def made_default(factory, *items):
    found = collections.defaultdict({"list": list, "int": int}.get(factory))
    for key, value in pairs(items):
        found[key] = value
    return found


def ordered(*items):
    return collections.OrderedDict(pairs(items))


MAKERS = {
    "plain": lambda value: value,
    "date": lambda day: datetime.date.fromordinal(day),
    "time": make_time,
    "datetime": make_datetime,
    "timedelta": lambda *parts: datetime.timedelta(*parts),
    "timezone": zone,
    "Decimal": lambda text: decimal.Decimal(text),
    "Fraction": lambda above, below: fractions.Fraction(above, below),
    "UUID": lambda text: uuid.UUID(text),
    "PurePosixPath": lambda text: pathlib.PurePosixPath(text),
    "PureWindowsPath": lambda text: pathlib.PureWindowsPath(text),
    "Enum": lambda name: MEMBERS[name],
    "array": lambda code, items: array.array(code, items),
    "memoryview": lambda items: memoryview(bytearray(items)),
    "Point": lambda x, y: Point(make(x), make(y)),
    "list": lambda *items: [make(item) for item in items],
    "tuple": lambda *items: tuple([make(item) for item in items]),
    "dict": lambda *items: dict(pairs(items)),
    "OrderedDict": ordered,
    "defaultdict": made_default,
    "Counter": lambda *items: collections.Counter([make(item) for item in items]),
    "deque": lambda size, *items: collections.deque([make(item) for item in items], size),
    "set": lambda *items: {make(item) for item in items},
}


def make(recipe):
    """The value of a recipe."""
    return MAKERS[recipe[0]](*recipe[1:])


# -- recipes


def natural(bits):
    """Below 2**bits; MicroPython draws 30 bits at most."""
    found = 0
    for _ in range(bits // 10):
        found = (found << 10) + random.randrange(1024)
    return found


def integer(bits=60):
    return natural(bits) - (1 << bits - 1)


def letters():
    return "".join([chr(random.randrange(33, 0x2FF)) for _ in range(random.randrange(9))])


def offset():
    return random.choice((None, 0, 90, -725))


def numbers_of(code):
    """Numbers that an array of this type holds, as they come out of it."""
    count = random.randrange(9)
    if code in "fd":
        return [random.randrange(2000) / 8 - 100 for _ in range(count)]
    return [random.randrange(100) for _ in range(count)]


def drawn_array():
    code = random.choice("bBhHiIqQfd")
    return [code, numbers_of(code)]


SCALARS = {
    "plain": lambda: [random.choice((None, True, integer(), random.random(), letters()))],
    "date": lambda: [random.randrange(1, 3_652_060)],
    "time": lambda: [random.randrange(SECONDS), random.randrange(10**6), offset()],
    "datetime": lambda: [
        random.randrange(2, 3_652_059),
        random.randrange(SECONDS),
        random.randrange(10**6),
        offset(),
    ],
    "timedelta": lambda: [integer(20), integer(16), integer(30)],
    "timezone": lambda: [random.randrange(-1439, 1440)],
    "Decimal": lambda: [random.choice(("NaN", "-0", "1E+400", f"{integer()}.{abs(integer(20))}"))],
    "Fraction": lambda: [integer(random.choice((20, 90, 900))), 1 + natural(40)],
    "UUID": lambda: ["".join([random.choice("0123456789abcdef") for _ in range(32)])],
    "PurePosixPath": lambda: [letters()],
    "PureWindowsPath": lambda: [letters()],
    "Enum": lambda: [str(random.randrange(MEMBER_COUNT))],
    "array": drawn_array,
    "memoryview": lambda: [[random.randrange(256) for _ in range(random.randrange(9))]],
}
NO_KEYS = ("array", "memoryview", "timezone", "plain")
DICTS = ("dict", "OrderedDict", "defaultdict", "Counter")
CONTAINERS = ("Point", "list", "tuple", "set", "deque") + DICTS


def scalar(kinds):
    kind = random.choice(kinds)
    return [kind] + SCALARS[kind]()


def keys(kinds):
    """Recipes of keys, all of one kind: MicroPython's dates raise when compared with others."""
    kind = random.choice([k for k in kinds if k not in NO_KEYS])
    found = [[kind] + SCALARS[kind]() for _ in range(random.randrange(4))]
    return [key for key in found if key != ["Decimal", "NaN"]]


def draw(depth=3, among=None):
    """A random recipe of kinds that are `among` these; all there are by default."""
    kinds = [k for k in SCALARS if among is None or k in among]
    boxes = [k for k in CONTAINERS if among is None or k in among]
    if depth == 0 or random.randrange(3) == 0:
        return scalar(kinds)
    kind = random.choice(boxes)
    if kind in DICTS[:3]:
        start = [kind, random.choice(("list", "int", ""))] if kind == "defaultdict" else [kind]
        for key in keys(kinds):
            start += [key, draw(depth - 1, among)]
        return start
    if kind == "set":
        return [kind] + keys(kinds)
    if kind == "Counter":
        return [kind] + keys(kinds) * 2
    count = 2 if kind == "Point" else random.randrange(4)
    items = [draw(depth - 1, among) for _ in range(count)]
    return [kind, random.choice((7, 20))] + items if kind == "deque" else [kind] + items


def possible():
    """The kinds that this interpreter makes, found by making one of each."""
    found = []
    for kind in MAKERS:
        samples = {"Point": [["plain", 1]] * 2, "deque": [3], "defaultdict": ["int"]}
        args = SCALARS[kind]() if kind in SCALARS else samples.get(kind, [])
        try:
            MAKERS[kind](*args)
        except (AttributeError, KeyError, TypeError):
            continue
        found.append(kind)
    return found


HERE = possible()
# What can be sent whole: MicroPython's deque does not tell its length.
SENT = [k for k in HERE if k != "deque" or not platform.MICROPYTHON]
# Kinds that arrive as what they are: the rest can be shown, and goes back as what it was.
ARRIVE = [k for k in HERE if not platform.MICROPYTHON or k not in ("deque", "defaultdict")]


def has(recipe, kinds):
    """Whether a recipe and those in it are of these kinds."""
    if recipe[0] not in kinds:
        return False
    inner = recipe[1:] if recipe[0] in CONTAINERS else []
    return all(has(item, kinds) for item in inner if isinstance(item, list))


# -- comparison


def difference(recipe, arrived):
    """What is wrong with what arrived; "" if it is equal, in value and type, to what is made."""
    expected = make(recipe)
    return "" if same(expected, arrived) else f"expected {expected!r}, received {arrived!r}"[:300]


def same(a, b):
    """Equality of values, and of all the types in them."""
    if enum is not None and isinstance(a, enum.Enum):
        return a == b if isinstance(a, (int, str)) else a is b
    if type(a).__name__ != type(b).__name__:
        return False
    for kinds, equal in COMPARED:
        if isinstance(a, kinds):
            return equal(a, b)
    return a == b or repr(a) == repr(b)


def same_items(a, b):
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))


def same_pairs(a, b):
    if isinstance(a, collections.OrderedDict) and list(a) != list(b):
        return False
    factories = [getattr(x, "default_factory", None) for x in (a, b)]
    there = len(a) == len(b) and factories[0] is factories[1]
    return there and all(key in b and same(a[key], b[key]) for key in a)


def same_memory(a, b):
    return bytes(a) == bytes(b) and getattr(a, "format", "") == getattr(b, "format", "")


def same_deque(a, b):
    return getattr(a, "maxlen", 0) == getattr(b, "maxlen", 0) and same_items(list(a), list(b))


COMPARED = (
    (memoryview, same_memory),
    (array.array, lambda a, b: repr(a) == repr(b)),
    (collections.deque, same_deque),
    (dict, same_pairs),
    ((list, tuple), same_items),
)
