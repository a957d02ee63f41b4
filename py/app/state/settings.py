"""The settings of the page in one typed table, and their text in the URL.

The URL hash holds what differs from the defaults, so a link is short and gives everyone the same
curve. Unknown names and values out of range are ignored, so links from other versions still open.
"""

import math
from collections import OrderedDict

try:
    from typing import Any
except ImportError:  # MicroPython has no typing, and never evaluates an annotation.
    pass

from app import language
from app.language import tr
from app.page import numbers
from app.state import architectures

METRICS = ("val_accuracy", "val_loss", "accuracy", "loss")
SUBSETS = (500, 1000, 2500, 5000, 10000, 30000, 60000)
PANELS = (
    "data",
    "augmentation",
    "network",
    "training",
    "draw",
    "picture",
    "models",
    "analysis",
    "options",
    "history",
    "editor",
    "code-panel",
    "environment",
)

# The panels that are parts of others.
PARTS = {
    "augmentation": "data",
    "picture": "draw",
    "history": "training",
    "editor": "network",
    "code-panel": "network",
    "environment": "analysis",
}
COMPACT = ("draw", "training")  # what `compact` shows, without `history`

# name: (kind, default, lowest, highest or choices).
# Kinds: int, float, bool, choice, layers, list, name (letters, digits, - and _).
TABLE: "OrderedDict[str, tuple[Any, ...]]" = OrderedDict(
    [
        (
            "preset",
            ("choice", architectures.DEFAULT, None, tuple(architectures.PRESETS) + ("custom",)),
        ),
        ("layers", ("layers", None, None, None)),
        ("data", ("name", "mnist", None, None)),
        ("target", ("name", "", None, None)),
        ("table-epochs", ("int", 60, 1, 1000)),
        ("subset", ("int", 60000, 1, 60000)),
        ("optimizer", ("choice", "Adam", None, ("Adam", "AdamW", "SGD", "RMSprop"))),
        ("lr", ("float", 1e-3, 1e-5, 1.0)),
        ("schedule", ("choice", "constant", None, ("constant", "cosine", "step"))),
        ("batch", ("int", 128, 1, 2048)),
        ("epochs", ("int", 5, 1, 100)),
        ("l2", ("float", 0.0, 0.0, 0.1)),
        ("patience", ("int", 0, 0, 20)),
        ("shift", ("int", 0, 0, 6)),
        ("rotate", ("int", 0, 0, 45)),
        ("zoom", ("int", 0, 0, 40)),
        ("noise", ("int", 0, 0, 50)),
        ("seed", ("int", 1, 0, 999999)),
        ("device", ("choice", "cpu", None, ("cpu", "gpu", "auto"))),
        ("cores", ("int", 1, 1, 8)),
        ("smoothing", ("float", 0.9, 0.0, 0.99)),
        ("log", ("bool", False, None, None)),
        ("metric", ("choice", METRICS[0], None, METRICS)),
        ("hide", ("list", (), None, PANELS)),
        ("lesson", ("name", "", None, None)),
        ("lang", ("choice", "en", None, language.LANGUAGES)),
    ]
)

# Tables that a link can name, and their own settings: the column that is learned, '' for the usual
# one, and the epochs.
TABLES = ("iris", "penguins")
OF_TABLES = ("target", "table-epochs")
# The settings that decide no curve: they change what is seen of it.
SHOWN = ("smoothing", "log", "metric", "hide", "lesson", "lang")
# Those that decide that of images, for a given network.
DECISIVE = tuple(name for name in TABLE if name not in SHOWN + OF_TABLES + ("preset", "layers"))

# Random changes of training images; 0 is off.
CHANGES = ("shift", "rotate", "zoom", "noise")

# What a framing page may set, in the query: ?embed=1&theme=dark&hide=data
FRAME: "OrderedDict[str, tuple[Any, ...]]" = OrderedDict(
    [
        ("embed", ("bool", False, None, None)),
        ("theme", ("choice", "auto", None, ("auto", "light", "dark"))),
        ("hide", TABLE["hide"]),
        ("show", TABLE["hide"]),
        ("compact", ("bool", False, None, None)),
        ("host", ("origin", "", None, None)),
    ]
)
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.:[]")


def defaults() -> "dict[str, Any]":
    return {name: row[1] for name, row in TABLE.items()}


_KINDS = {"int": tr("a whole number"), "float": tr("a number")}


def _number(kind: str, text: str, low: float, high: float) -> Any:
    try:
        value = int(text) if kind == "int" else float(text)
    except ValueError:
        raise ValueError(f"expected {_KINDS[kind]}, got {text!r}") from None
    if not low <= value <= high:
        raise ValueError(f"expected {low} to {high}, got {text}")
    return value


def _origin(text: str) -> str:
    scheme, found, host = text.partition("://")
    if scheme not in ("http", "https") or not found or not host or set(host) - _HOST:
        raise ValueError(f"expected an origin such as https://docs.example.org, got {text!r}")
    return text


def _name(text: str) -> str:
    if len(text) > 40 or set(text) - _NAME:
        raise ValueError(f"expected a name of letters, digits, - and _, got {text!r}")
    return text


def _layers(text: str, shape: "Any") -> "list[Any]":
    layers = architectures.decode(text)
    try:
        architectures.plan(layers, architectures.CLASSES, tuple(shape))
    except architectures.LayerError as error:
        raise ValueError(f"Layer {error.index + 1}: {error}") from None
    return layers


def read(
    name: str, text: str, table: "Any" = TABLE, shape: "Any" = architectures.INPUT_SHAPE
) -> Any:
    """Return the value of an option from its text. Raises ValueError: expected, received."""
    kind, _, low, high = table[name]
    if kind in ("int", "float"):
        return _number(kind, text, low, high)
    if kind == "bool":
        if text not in ("0", "1"):
            raise ValueError(f"expected 0 or 1, got {text!r}")
        return text == "1"
    if kind == "origin":
        return _origin(text)
    if kind == "layers":
        return _layers(text, shape)
    if kind == "name":
        return _name(text)
    if kind == "list":
        return tuple(word for word in text.split(",") if word in high)
    if text not in high:
        raise ValueError(f"expected one of {', '.join(high)}, got {text!r}")
    return text


def expected(name: str) -> str:
    """Return in words what a number may be: 'a whole number from 1 to 100'."""
    kind, _, low, high = TABLE[name]
    low, high = [numbers.local(f"{limit:g}") for limit in (low, high)]
    return tr("{kind} from {low} to {high}", kind=_KINDS[kind], low=low, high=high)


def value(name: str, given: Any) -> Any:
    """Return the value of an option given by a program, in Python, JSON or the URL's text.

    Raises:
        ValueError: no such option, or not a value for it: expected, received.
    """
    if name not in TABLE:
        raise ValueError(f"options: expected some of {', '.join(TABLE)}; received {name!r}")
    kind = TABLE[name][0]
    if kind == "int" and isinstance(given, float) and given == given // 1:
        given = int(given)
    if kind in ("list", "layers") and isinstance(given, (list, tuple)):
        given = write(name, given)
    if isinstance(given, bool):
        given = "1" if given else "0"
    try:
        return read(name, str(given))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def write(name: str, value: Any, table: "Any" = TABLE) -> str:
    """Return the text of a value, which `read` reads."""
    kind = table[name][0]
    if kind == "bool":
        return "1" if value else "0"
    if kind == "layers":
        return architectures.encode(value)
    if kind == "list":
        return ",".join(value)
    if kind == "float":
        return f"{value:.6g}"
    return str(value)


def from_hash(text: str, shape: "Any" = architectures.INPUT_SHAPE) -> "dict[str, Any]":
    """Return the options in a URL hash ('#lr=0.01&batch=64'), defaults for the rest.

    Args:
        text: the hash.
        shape: of what the layers read; those that cannot are left out.
    """
    values = defaults()
    for pair in text.lstrip("#").split("&"):
        name, _, value = pair.partition("=")
        if name not in TABLE:
            continue
        try:
            values[name] = read(name, value, TABLE, shape)
        except ValueError:
            continue
    if values["layers"] is None and values["preset"] == "custom":
        values["preset"] = architectures.DEFAULT
    return values


def decides(text: str) -> bool:
    """Return whether a URL hash has an option that decides a curve."""
    for pair in text.lstrip("#").split("&"):
        name, _, value = pair.partition("=")
        if name in TABLE and name not in SHOWN:
            try:
                read(name, value)
            except ValueError:
                continue
            return True
    return False


def framed(get: "Any") -> "dict[str, Any]":
    """Return the FRAME options in a query, defaults for what is missing or wrong.

    Args:
        get: returns the decoded text of a name, or None.
    """
    values = {name: row[1] for name, row in FRAME.items()}
    for name in FRAME:
        text = get(name)
        try:
            values[name] = values[name] if text is None else read(name, text, FRAME)
        except ValueError:
            continue
    return values


def hidden(link: "tuple[str, ...]", frame: "dict[str, Any]") -> "list[str]":
    """Return the panels to hide.

    Args:
        link: those that the link hides.
        frame: the FRAME options. `show` names the only ones to show, with what they are parts of.
    """
    found = list(link) + list(frame["hide"])
    shown = frame["show"] or (COMPACT if frame["compact"] else ())
    if shown:
        whole = set(shown) | {PARTS.get(name) for name in shown}
        found += [name for name in PANELS if name not in PARTS and name not in whole]
    if frame["compact"]:
        found.append("history")
    return found


def to_hash(values: "dict[str, Any]") -> str:
    """Return the hash of all values that differ from the defaults, without '#'."""
    kept = [name for name, row in TABLE.items() if values[name] != row[1]]
    return "&".join(f"{name}={write(name, values[name])}" for name in kept)


def to_link(values: "dict[str, Any]") -> str:
    """Return a hash as `to_hash`, which says at least the network: what is kept is not opened."""
    text = to_hash(values)
    if decides(text):
        return text
    return f"preset={values['preset']}" + ("&" + text if text else "")


def learning_rate(position: float) -> float:
    """Return the rate at a position (0 to 100) of the slider: 1e-5 to 1, in two digits."""
    return float(f"{10 ** (position / 20 - 5):.1e}")


def slider(rate: float) -> float:
    """Return the position of the slider for a rate."""
    return 20 * (math.log10(rate) + 5)


def subset_position(images: int) -> int:
    """Return the position of the subset slider for a number of images."""
    for index, size in enumerate(SUBSETS):
        if images <= size:
            return index
    return len(SUBSETS) - 1
