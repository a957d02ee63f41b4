"""Public names that a peer may not use, of types that are not the program's own.

Some lead into the interpreter, whatever serves them. Others change a value that crosses by value,
or use it to reach the disk: of such a value a peer gets a copy, and through a path to it only what
reads it. What the program gives by reference (`farcall.ref`) it gives to be used.
"""

from farcall import platform
from farcall.connection.producers import Producer, Streamed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Frames, code, globals.
DOORS = frozenset(
    (
        "gi_frame gi_code gi_yieldfrom cr_frame cr_code cr_await cr_origin ag_frame ag_code "
        "ag_await tb_frame tb_next tb_lasti f_globals f_locals f_builtins f_back f_code co_code "
        "co_consts func_globals func_code"
    ).split()
)
# Those of one type only, or of a class of a module, if that is loaded: bases, the setter of a
# traceback, templates that walk attributes, and what functions were called with.
_DOORS_OF: "tuple[tuple[Any, str], ...]" = (
    (type, "mro"),
    (BaseException, "with_traceback"),
    (str, "format format_map"),
    ("collections.UserString", "format format_map"),
    ("string.Formatter", "format vformat get_field"),
    ("contextlib._GeneratorContextManagerBase", "args kwds func gen"),
    ("weakref.finalize", "peek detach"),
    (memoryview, "obj"),
    ("numpy.ndarray", "base ctypes"),
)
# A class stands before its base, some of whose methods it overrides.
_CHANGES: "tuple[tuple[Any, str], ...]" = (
    ("collections.OrderedDict", "clear move_to_end pop popitem setdefault update"),
    ("collections.Counter", "subtract update"),
    (
        "numpy.ma.MaskedArray",
        "harden_mask partition put resize set_fill_value shrink_mask soften_mask sort tofile "
        "unshare_mask",
    ),
    (list, "append clear extend insert pop remove reverse sort"),
    (dict, "clear pop popitem setdefault update"),
    (
        set,
        "add clear difference_update discard intersection_update pop remove "
        "symmetric_difference_update update",
    ),
    (bytearray, "append clear extend insert pop remove resize reverse"),
    (memoryview, "release"),
    (
        "collections.deque",
        "append appendleft clear extend extendleft insert pop popleft remove reverse rotate",
    ),
    (
        "array.array",
        "append byteswap clear extend frombytes fromfile fromlist fromunicode insert pop remove "
        "reverse tofile",
    ),
    (
        "numpy.ndarray",
        "byteswap dump dumps fill itemset partition put resize setfield setflags sort tofile",
    ),
    ("numpy.generic", "dump dumps tofile"),
    ("numpy.memmap", "flush"),
)
_WITH_ITEMS = (list, dict, bytearray, memoryview)
_MORE_WITH_ITEMS = (
    "collections.OrderedDict collections.Counter collections.defaultdict collections.deque "
    "array.array numpy.ndarray numpy.ma.MaskedArray numpy.memmap numpy.matrix"
).split()


def _class(kind: "Any") -> "Any":
    """The class of a table's row; None where nothing has loaded it."""
    if type(kind) is not str:
        return kind
    module, name = kind.rsplit(".", 1)
    return getattr(platform.loaded(module), name, None)


def _having(table: "tuple[tuple[Any, str], ...]", owner: "Any", name: "str") -> "Any":
    """The first class with that name in its row that `owner` is of; None if there is none.

    A class is of it too: `str.format(template, ...)`.
    """
    for kind, names in table:
        if name in names.split(" "):
            cls = _class(kind)
            if cls is not None and (
                isinstance(owner, cls) or (isinstance(owner, type) and issubclass(owner, cls))
            ):
                return cls
    return None


def is_door(owner: "Any", name: "str") -> bool:
    """Whether a public name of `owner` leads into the interpreter, or behind a stream."""
    if isinstance(owner, (Producer, Streamed)):
        return name not in ("asend", "athrow", "aclose")
    return name in DOORS or _having(_DOORS_OF, owner, name) is not None


def changes(owner: "Any", name: "str") -> bool:
    """Whether a method is one of a value's own type that changes it, or reaches the disk."""
    cls = _having(_CHANGES, owner, name)
    if cls is not None and _is_own(owner, cls, name):
        return True
    path, pure = _class("pathlib.Path"), _class("pathlib.PurePath")
    if path is None or not isinstance(owner, path) or not _is_own(owner, path, name):
        return False
    # MicroPython has no PurePath.
    return not (hasattr(pure, name) if pure else name in ("parent", "name", "stem", "suffix"))


def has_items(owner: "Any") -> bool:
    """Whether it is a value whose items a peer may change that holds the very object."""
    kind = type(owner)
    return kind in _WITH_ITEMS or any(_class(name) is kind for name in _MORE_WITH_ITEMS)


def _is_own(owner: "Any", cls: "Any", name: "str") -> bool:
    """Whether the name is the type's, and not of a class of the program that derives from it."""
    kind = owner if isinstance(owner, type) else type(owner)
    if kind is cls or not hasattr(cls, name):
        return hasattr(cls, name)
    found, own = getattr(kind, name, None), getattr(cls, name)
    return bool(getattr(found, "__func__", found) == getattr(own, "__func__", own))
