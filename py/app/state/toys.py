"""The playground's options in one table, and their text in the address: a link is a curve."""

from collections import OrderedDict

try:
    from typing import Any
except ImportError:  # MicroPython has no typing, and never evaluates an annotation.
    pass

from app.state import settings

TOYS = ("circle", "moons", "xor", "spiral", "slope", "own")
REGRESSIONS = ("slope",)  # that learn values, not classes
FEATURES = ("x", "y", "x2", "y2", "xy", "sinx", "siny")
LAYERS = 6  # hidden, at most
UNITS = 8  # of a layer, at most
OWN = 300  # custom points, at most
REACH = 6.0  # of the plane from its middle
PLACES = 100  # that a custom point may have on an axis

# name: (kind, default, lowest, highest or choices), as in `settings.TABLE`; "points" is known here
TABLE: "OrderedDict[str, tuple[Any, ...]]" = OrderedDict(
    [
        ("toy", ("choice", "circle", None, TOYS)),
        ("own", ("points", (), None, None)),
        ("noise", ("int", 0, 0, 50)),
        ("test", ("int", 30, 0, 90)),
        ("features", ("list", ("x", "y"), None, FEATURES)),
        ("hidden", ("list", ("4", "3"), None, tuple(str(n + 1) for n in range(UNITS)))),
        ("activation", ("choice", "tanh", None, ("tanh", "relu", "sigmoid", "linear"))),
        ("lr", ("float", 0.03, 1e-5, 10.0)),
        ("optimizer", ("choice", "SGD", None, ("SGD", "Adam"))),
        ("batch", ("int", 10, 1, 100)),
        ("penalty", ("choice", "none", None, ("none", "L1", "L2"))),
        ("strength", ("float", 0.001, 0.0, 10.0)),
        ("seed", ("int", 1, 0, 999999)),
        ("discretise", ("bool", False, None, None)),
        ("lang", settings.TABLE["lang"]),
    ]
)
SHOWN = ("discretise",)  # what changes no network


def defaults() -> "dict[str, Any]":
    return {name: row[1] for name, row in TABLE.items()}


def read(name: str, text: str) -> "Any":
    """Return the value of an option from its text. Raises ValueError: expected, received."""
    if name == "own":
        return decode(text)
    value = settings.read(name, text, TABLE)
    if name == "features":
        value = tuple(feature for feature in FEATURES if feature in value) or TABLE[name][1]
    return value[:LAYERS] if name == "hidden" else value


def write(name: str, value: "Any") -> str:
    """Return the text of a value, which `read` reads."""
    return encode(value) if name == "own" else settings.write(name, value, TABLE)


def from_hash(text: str) -> "dict[str, Any]":
    """Return the options in the address, defaults for what is missing or wrong."""
    values = defaults()
    for pair in text.lstrip("#").split("&"):
        name, _, value = pair.partition("=")
        if name in TABLE:
            try:
                values[name] = read(name, value)
            except ValueError:
                continue
    return values


def to_hash(values: "dict[str, Any]") -> str:
    """Return the text of all that differs from the defaults, without '#'."""
    kept = [name for name, row in TABLE.items() if values[name] != row[1]]
    return "&".join([f"{name}={write(name, values[name])}" for name in kept])


def for_worker(values: "dict[str, Any]") -> "dict[str, Any]":
    """Return the options as `app.lab.playground` takes them."""
    sent = dict(values)
    sent["hidden"] = [int(units) for units in values["hidden"]]
    sent["features"] = list(values["features"])
    middle = PLACES / 2 - 0.5
    sent["own"] = [
        [(column - middle) * 2 * REACH / PLACES, (middle - row) * 2 * REACH / PLACES, blue]
        for column, row, blue in values["own"]
    ]
    return sent


# -- custom points: (column, row, class), both from the top left ------------------------


def encode(points: "Any") -> str:
    """Return points as text: 'b' (blue, class 1) or 'r', then two digits for column and row."""
    return "".join(["rb"[blue] + f"{column:02d}{row:02d}" for column, row, blue in points])


def decode(text: str) -> "tuple[Any, ...]":
    """Return the points of a text. Raises ValueError: it is none."""
    if len(text) > 5 * OWN:
        raise ValueError(f"expected at most {OWN} points, got {len(text)} characters")
    points = []
    for start in range(0, len(text), 5):
        word = text[start : start + 5]
        digits = word[1:]
        if word[0] not in "rb" or len(digits) != 4 or not digits.isdigit():
            raise ValueError(f"expected r or b and four digits, got {word!r}")
        points.append((int(digits[:2]), int(digits[2:]), "rb".index(word[0])))
    return tuple(points)
