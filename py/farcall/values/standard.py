"""The standard library's value types: dates, decimals, paths, enums, named tuples, containers.

Each crosses as the name of its type, a text and parts. It arrives as its type where that type
exists, else as a value that can be read and goes back as what it was: `Opaque`, a dict, a list.
No module is imported by a name from the wire: `_KINDS` lists them all, and members of an Enum and
named tuples need their class to be loaded here.

    ["v", "Decimal", "1.50"]     ["v", "deque", "", 1, 2]
    ["v", "Enum", "Color.RED", "colors", "Color", "RED", 1]
"""

import builtins

from farcall import errors, messages, platform
from farcall.values import arrays
from farcall.values.graphs import keys
from farcall.values.opaque import ENUM, DictOf, ListOf, NamedTuple, Opaque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.messages import Wire
    from farcall.values.references import Value

    Parts = list[Any]

TUPLE = "namedtuple"
SEQUENCE = "structseq"  # os.stat_result, time.struct_time: what C gives as a tuple with names
_PLAIN = (str, int, float)
OBJECTS = "ndarray"  # of objects
KEYED = "dict"  # one whose keys are attributes: scipy's OptimizeResult, sklearn's Bunch
DICTS = ("OrderedDict", "Counter", "defaultdict", KEYED)
_FIELDS = {"IsoCalendarDate": ("year", "week", "weekday")}
_FACTORIES = "list dict set int float str tuple bool frozenset bytes complex".split()
_DIGITS = 2**18  # bits of a Fraction's numbers, whose divisor takes the square of their time
_POWER = 2**20  # of ten in a Decimal, which `int` would write out
_MEMBERS = 10_000  # of a Flag, which keeps what it was once asked for
_LARGE = 2**4096  # Python makes no text of a number of some thousand digits
# Sizes of array's typecodes differ between interpreters: which one has as many bytes.
_TYPECODES = {("l", 8): "q", ("L", 8): "Q", ("l", 4): "i", ("L", 4): "I"}
_made: "dict[tuple[str, ...], Any]" = {}


# -- single types: (text, parts) of a value, and the value of them


def _date(value: "Any") -> "tuple[str, Parts]":
    zone, fold = getattr(value, "tzinfo", None), getattr(value, "fold", 0)
    if zone is not None and not _name(zone):
        raise TypeError(f"a {type(value).__name__} whose tzinfo is a {type(zone).__name__}")
    return value.isoformat(), [zone, fold] if zone is not None or fold else []


def _dated(cls: "Any", text: "str", parts: "Parts") -> "Any":
    value = cls.fromisoformat(text)
    if parts and hasattr(parts[0], "utcoffset"):
        return value.replace(tzinfo=parts[0], fold=parts[1])
    return value.replace(fold=parts[1]) if parts and parts[1] else value


def _timedelta(value: "Any") -> "tuple[str, Parts]":
    return str(value), [value.days, value.seconds, value.microseconds]


def _timezone(value: "Any") -> "tuple[str, Parts]":
    offset, name = value.utcoffset(None), value.tzname(None)
    default = type(value)(offset).tzname(None)
    parts = [offset.days, offset.seconds, offset.microseconds]
    return str(name), parts if name == default else parts + [name]


def _zoned(cls: "Any", text: "str", parts: "Parts") -> "Any":
    return cls(_class("timedelta")(*parts[:3]), *parts[3:])


def _zone(value: "Any") -> "tuple[str, Parts]":
    if value.key is None:
        raise TypeError("a ZoneInfo without a key cannot cross")
    return value.key, []


def _flat(value: "Any") -> "Parts":
    return [x for pair in value.items() for x in pair]


def _dict(value: "Any") -> "tuple[str, Parts]":
    factory = getattr(value, "default_factory", None)
    name = getattr(factory, "__name__", "")
    known = name in _FACTORIES and getattr(builtins, name) is factory
    # MicroPython's defaultdict keeps its items in `d`.
    return name if known else "", _flat(getattr(value, "d", value))


def _deque(value: "Any") -> "tuple[str, Parts]":
    longest = getattr(value, "maxlen", None)
    return "" if longest is None else str(longest), list(value)


def _array(value: "Any") -> "tuple[str, Parts]":
    raw = bytes(memoryview(value))
    return _typecode(value), [raw, len(raw) // len(value) if len(value) else 0]


def _typecode(value: "Any") -> str:
    return str(getattr(value, "typecode", None) or repr(value)[7:8])  # array('h', [1])


def _raw(part: "Any") -> bytes:
    """The bytes that came: of a number, `bytes` would make so many."""
    if not isinstance(part, (bytes, bytearray)) and not hasattr(part, "__bytes__"):
        raise TypeError(f"expected bytes, received a {type(part).__name__}")
    return bytes(part)


def _arrayed(cls: "Any", text: "str", parts: "Parts") -> "Any":
    raw, size = _raw(parts[0]), parts[1]
    if type(size) is not int or not 0 <= size <= 16:
        raise ValueError(f"expected the bytes of an item, received {size!r}")
    if size and len(cls(text, bytes(size))) != 1:
        text = _TYPECODES[text, size]
    return cls(text, raw)


def _view(value: "Any") -> "tuple[str, Parts]":
    kind = getattr(value, "format", "B").lstrip("@")
    if len(kind) != 1:
        raise TypeError(f"a memoryview of format {kind!r} cannot cross: send bytes of it")
    shape = list(value.shape) if getattr(value, "ndim", 1) != 1 and len(value.tobytes()) else None
    size = getattr(value, "itemsize", 1)
    return kind, [bytes(value), size, shape, getattr(value, "readonly", False)]


def _viewed(cls: "Any", text: "str", parts: "Parts") -> "Any":
    raw, size, shape, readonly = _raw(parts[0]), parts[1], parts[2], parts[3]
    view = cls(raw if readonly else bytearray(raw))
    if text == "B" and shape is None:
        return view
    if size != view[:0].cast(text).itemsize:
        text = _TYPECODES[text, size]
    return view.cast(text) if shape is None else view.cast(text, shape)


def _fraction(value: "Any") -> "tuple[str, Parts]":
    small = max(abs(value.numerator), value.denominator) < _LARGE
    return str(value) if small else "", [value.numerator, value.denominator]


def _divided(cls: "Any", text: "str", parts: "Parts") -> "Any":
    for part in parts:
        if type(part) is not int:
            raise TypeError(f"expected whole numbers, received a {type(part).__name__}")
        if abs(part) >> _DIGITS:
            raise errors.LimitError(f"a Fraction of numbers of more than {_DIGITS} bits")
    return cls(*parts)


def _decimal(cls: "Any", text: "str", parts: "Parts") -> "Any":
    value = cls(text)
    if abs(value.adjusted()) > _POWER:
        raise errors.LimitError(f"a Decimal of more than {_POWER} digits")
    return value


def _dtype(value: "Any") -> "tuple[str, Parts]":
    kind: "Any" = _kind(value)
    return kind.str, [kind is not value]


def _kind(value: "Any") -> "Any":
    """The dtype that a dtype or a scalar type of NumPy is; None if its text does not say it."""
    numpy: "Any" = platform.loaded("numpy")
    kind = value
    if isinstance(value, type) and value in numpy.sctypeDict.values():
        kind = numpy.dtype(value)
    if not isinstance(kind, numpy.dtype) or kind.hasobject or kind.names:
        return None
    return kind if numpy.dtype(kind.str) == kind else None


def _typed(cls: "Any", text: "str", parts: "Parts") -> "Any":
    kind = cls(text)
    if kind.hasobject or kind.names or kind.str != text:
        raise ValueError(f"dtype {text!r} holds references or fields")
    return kind.type if parts[0] else kind


def _text(value: "Any") -> "tuple[str, Parts]":
    return str(value), []


def _from_text(cls: "Any", text: "str", parts: "Parts") -> "Any":
    return cls(text)


def _from_parts(cls: "Any", text: "str", parts: "Parts") -> "Any":
    return cls(*parts)


if TYPE_CHECKING:
    Write = Callable[[Any], tuple[str, Parts]]
    Make = Callable[[Any, str, Parts], Any]

_KINDS: "dict[str, tuple[str, Write | None, Make | None]]" = {
    "date": ("datetime", _date, _dated),
    "time": ("datetime", _date, _dated),
    "datetime": ("datetime", _date, _dated),
    "timedelta": ("datetime", _timedelta, _from_parts),
    "timezone": ("datetime", _timezone, _zoned),
    "ZoneInfo": ("zoneinfo", _zone, _from_text),
    "Decimal": ("decimal", _text, _decimal),
    "Fraction": ("fractions", _fraction, _divided),
    "UUID": ("uuid", _text, _from_text),
    "PurePosixPath": ("pathlib", _text, _from_text),
    "PureWindowsPath": ("pathlib", _text, _from_text),
    "PosixPath": ("pathlib", _text, _from_text),
    "WindowsPath": ("pathlib", _text, _from_text),
    "OrderedDict": ("collections", _dict, None),
    "Counter": ("collections", _dict, None),
    "defaultdict": ("collections", _dict, None),
    "deque": ("collections", _deque, None),
    "array": ("array", _array, _arrayed),
    "memoryview": ("builtins", _view, _viewed),
    "MaskedArray": ("numpy.ma", None, None),  # of these `odd_arrays` has the functions
    "MaskedConstant": ("numpy.ma.core", None, None),
    OBJECTS: ("numpy", None, None),
    "void": ("numpy", None, None),
    "dtype": ("numpy", _dtype, _typed),
}


def _functions(name: "str") -> "tuple[Write, Make | None]":
    """What writes values of a kind, and what makes them; None for containers."""
    _, write, make = _KINDS[name]
    return (write, make) if write is not None else _odd(name).KINDS[name]


def _odd(name: "str") -> "Any":
    found = platform.imported("farcall.values.odd_arrays")
    if found is None:  # in a worker that only predicts
        raise TypeError(f"a {name} of this kind cannot cross here: send lists or plain arrays")
    return found


# MicroPython's defaultdict is no dict, its deque has a length that it does not tell.
_LACKING = ("defaultdict", "deque") if platform.MICROPYTHON else ()


def _class(name: "str") -> "Any":
    """The class of a kind; None where there is none."""
    if name in _LACKING:
        return None
    return getattr(platform.imported(_KINDS[name][0]), name, None)


def _name(value: "Value") -> str:
    """The kind of a value; "" if it is of none."""
    name = type(value).__name__
    if platform.MICROPYTHON and name == "Path":
        return "PosixPath" if type(value).__module__ == "pathlib" else ""
    if (name == "type" or name[-5:] == "DType") and platform.loaded("numpy"):
        return "" if _kind(value) is None else "dtype"
    if arrays.is_numpy(value) and not hasattr(value, "mask"):
        return "void" if value.dtype.names else OBJECTS if value.dtype.hasobject else ""
    kind = _KINDS.get(name)
    module = None if kind is None else platform.imported(kind[0])
    return name if getattr(module, name, None) is type(value) else ""


# -- any of them: what it crosses as, and back


def split(value: "Value") -> "tuple[list[Wire], Parts] | None":
    """The head of a value's wire form, and its parts; None if it is of no kind."""
    if isinstance(value, Opaque):
        return [messages.VALUE, value.type, value.text], value.parts
    if isinstance(value, (DictOf, ListOf)):
        parts = list(value) if isinstance(value, ListOf) else _flat(value)
        if value.kept[0] == OBJECTS:
            parts = [_odd(OBJECTS).flat(parts, value.kept[1])]
        return [messages.VALUE] + value.kept, parts
    name = _name(value)
    if name:
        text, parts = _functions(name)[0](value)
        return [messages.VALUE, name, text], parts
    if isinstance(value, dict) and hasattr(type(value), "__getattr__"):
        return [messages.VALUE, KEYED, ""], _flat(value)
    enum = platform.loaded("enum")
    if enum is not None and isinstance(value, enum.Enum):
        cls = type(value)
        plain = next((base for base in _PLAIN if isinstance(value, base)), None)
        held = value._value_ if plain is None else platform.exact(plain, value)
        member = [cls.__module__, cls.__qualname__, value._name_, held, plain is not None]
        text = f".{value._name_}" if value._name_ else f"({held!r})"  # flags without a name
        return [messages.VALUE, ENUM, cls.__name__ + text], member
    if isinstance(value, tuple):
        return _named(value)
    return None


def plain(value: "Value") -> "Value":
    """What other languages have of a value: a dict, list, bytes or text; else the value itself."""
    found = split(value)
    if found is None:
        return value
    if found[0][1] == ENUM:
        return found[1][3]
    if found[0][1:] == ["Fraction", ""]:
        raise TypeError("a Fraction of so many digits has no text")
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, tuple):
        return tuple(value)
    if isinstance(value, list) or found[0][1] == "deque":
        return list(value)
    if arrays.is_numpy(value) and not hasattr(value, "mask"):
        return value.tolist()
    if isinstance(value, memoryview):
        return bytes(value)
    return found[0][2]


def _named(value: "Any") -> "tuple[list[Wire], Parts] | None":
    cls = type(value)
    if hasattr(cls, "n_sequence_fields"):
        return _sequence(value)
    fields = getattr(cls, "_fields", None) or _FIELDS.get(cls.__name__)
    if platform.MICROPYTHON and fields is None:
        fields = tuple([n for n in dir(value) if n[:2] != "__"])
        if [getattr(value, n) for n in fields] != list(value):
            return None
    if not isinstance(fields, tuple) or len(fields) != len(value):
        return None
    own = (getattr(cls, "__module__", ""), getattr(cls, "__qualname__", cls.__name__))
    kept, more = list(getattr(cls, "_kept", own)), getattr(value, "__dict__", None) or {}
    more = {name: more[name] for name in more if _is_state(cls, name)}
    if more:
        return [messages.VALUE, SEQUENCE, " ".join(fields)], kept + [more] + list(value)
    return [messages.VALUE, TUPLE, " ".join(fields)], kept + list(value)


def _is_state(cls: "Any", name: "str") -> bool:
    """Whether an instance may be given what it has besides its items: no method of its class."""
    return name[:1] != "_" and not callable(getattr(cls, name, None))


def _sequence(value: "Any") -> "tuple[list[Wire], Parts]":
    """Of a tuple that C gives names: they, its items, and the fields that are no items."""
    cls = type(value)
    more = value.__reduce__()[1][1]
    # The times of a stat_result have no names as items: those of the fields.
    fields = list(cls.__match_args__) + list(more)[: cls.n_unnamed_fields]
    head = [messages.VALUE, SEQUENCE, " ".join(fields)]
    return head, [cls.__module__, cls.__qualname__, more] + list(value)


def empty(name: "str", text: "str") -> "Any":
    """A container of a kind, to be filled; None for what is made whole."""
    if name in DICTS:
        cls = None if name == KEYED else _class(name)
        if cls is None:
            return _kept(DictOf(), name, text)
        if name == "defaultdict":
            return cls(getattr(builtins, text) if text in _FACTORIES else None)
        return cls()
    if name == "deque":
        cls = _class(name)
        return _kept(ListOf(), name, text) if cls is None else cls((), int(text) if text else None)
    return None


def _kept(value: "Any", name: "str", text: "str") -> "Any":
    value.kept = [name, text]
    return value


def fill(container: "Any", parts: "Parts") -> "Any":
    """Put the parts into a container that `empty` gave."""
    if not isinstance(container, dict):
        container.extend(parts)
        return container
    keys.light(parts[::2])
    for index in range(0, len(parts) - 1, 2):
        container[parts[index]] = parts[index + 1]
    return container


def join(name: "Any", text: "Any", parts: "Parts") -> "Any":
    """The value of a wire form.

    Raises:
        ValueError: it is of no kind, or no value of its kind.
    """
    if type(name) is not str or type(text) is not str:
        raise ValueError(f"expected a type's name and a text, received {name!r}, {text!r}")
    if name == ENUM:
        return _member(text, parts)
    if name == TUPLE:
        return _tuple(text, parts)
    if name == SEQUENCE:
        return _tuple(text, parts[:2] + parts[3:], parts[2])
    container = empty(name, text)
    if container is not None:
        return fill(container, parts)
    if name not in _KINDS:
        raise ValueError(f"no type of the standard library is called {name!r} here")
    cls, make = _class(name), _functions(name)[1]
    if (cls is None and name != OBJECTS) or make is None:
        return Opaque(name, text, parts)
    try:
        return make(cls, text, parts)
    except _ABSENT:
        return Opaque(name, text, parts)
    except (ArithmeticError, OSError) as exc:  # of a Decimal's text, of a time zone's name
        raise ValueError(f"{text!r} is no {name}") from exc


# A Windows path elsewhere, a time zone without its data, a method that MicroPython's type lacks.
_ABSENT = (NotImplementedError, AttributeError, LookupError)


def _known(module: "Any", path: "Any") -> "Any":
    """The class of a module that is loaded here, under its qualified name; None if there is none.

    Looked up in dictionaries: no attribute's code runs, nothing is imported.
    """
    found: "Any" = platform.loaded(module) if type(module) is str else None
    for name in path.split(".") if type(path) is str else ():
        found = getattr(found, "__dict__", {}).get(name)
    return found if isinstance(found, type) else None


def _member(text: "str", parts: "Parts") -> "Any":
    """The member of an Enum that is loaded here; else its text or number, or an Opaque."""
    module, path, name, value, plain = parts
    enum = platform.loaded("enum")
    cls = None if enum is None else _known(module, path)
    if enum is not None and cls is not None and issubclass(cls, enum.Enum):
        if name in cls.__members__:
            return cls.__members__[name]
        if issubclass(cls, enum.Flag) and type(value) is int:
            known: "Any" = cls._value2member_map_
            if value not in known and len(known) >= _MEMBERS:
                raise errors.LimitError(f"{cls.__name__} has {_MEMBERS} members already")
            return cls(value)
    return value if plain is True else Opaque(ENUM, text, parts)


def _tuple(text: "str", parts: "Parts", more: "Any" = None) -> "Any":
    """A named tuple, of its class if that is loaded here and has these fields.

    Args:
        text: names of the fields.
        parts: module and name of the class, and the items.
        more: what it has by name that is no item.
    """
    fields = tuple(text.split(" ")) if text else ()
    module, path, values = parts[0], parts[1], parts[2:]
    cls = _known(module, path)
    if cls is None or not issubclass(cls, tuple):
        cls = tuple
    if type(getattr(cls, "n_sequence_fields", None)) is int:
        return cls(values, more or {})
    if getattr(cls, "_fields", None) != fields:
        if len(fields) != len(values):
            raise ValueError(f"a named tuple with fields {fields} of {len(values)} values")
        cls = _made_up((str(module), str(path)), fields)
    made = cls(values) if platform.MICROPYTHON else tuple.__new__(cls, values)
    for name, value in dict(more or {}).items():
        if platform.MICROPYTHON:
            setattr(made, name, value)
        elif hasattr(made, "__dict__") and _is_state(cls, name):
            made.__dict__[name] = value
    return made


def _made_up(place: "tuple[str, ...]", fields: "tuple[str, ...]") -> "Any":
    cls = _made.get(place + fields)
    if cls is None:
        if len(_made) > 1000:  # names come from the peer: bound what it can make us keep
            _made.clear()
        members = {"_fields": fields, "_kept": place}
        cls = _made[place + fields] = type(place[1].split(".")[-1], (NamedTuple,), members)
    return cls
