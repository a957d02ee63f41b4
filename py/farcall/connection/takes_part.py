"""What a text, number, list or array does for a peer with instances of classes that list names.

`", ".join(vault)` loops over the vault, `"%s" % (vault,)` writes it and `numbers.dot([vault])`
reads its items, whatever `exposed(names)` of its class says: Python asks the vault, not the gate.
So an instance takes part only where its class lists all that could be asked of it, or has none.
"""

from farcall import errors, platform
from farcall.values import arrays

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Of a class, what a value may ask of its instance, by the name that `exposed` has for it.
_ASKED = {"__getitem__": "[]", "__call__": "()", "keys": "iter()", "__index__": "int()"}
for _name in "iter next len bool int float str repr contains neg pos abs invert round".split():
    _ASKED[f"__{_name}__"] = f"{_name}()"
OPERATORS = "lt le gt ge".split()
for _name in "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift".split():
    OPERATORS += [_name, "r" + _name]
for _name in OPERATORS:
    _ASKED[f"__{_name}__"] = f"{_name}()"
for _name in "eq ne hash".split():
    _ASKED[f"__{_name}__"] = "equals()"
for _name in "complex bytes fspath format array array_interface array_struct".split():
    _ASKED[f"__{_name}__"] = f"__{_name}__"  # `exposed` has no name for it
# What only keeps an instance, what looks at none, and what only compares it.
_KEEP = ("add", ".append", ".appendleft", ".insert")
_WHOLE = ("bool", "int", "float", "mul", "rmul", "radd")
_COMPARE = "contains equals .count .index .remove .add .setdefault".split()


def refuse(name: "str", owner: "Any", values: "list[Any]", found: "list[Any]") -> None:
    """Refuse an operation, or a method, of a value that asks instances for what they do not list.

    Args:
        name: of the operation; "[]" for an item, ".name" for a method.
        owner: the value.
        values: the owner and operands, or the arguments.
        found: instances of classes with `exposed`, there or in what these hold.

    Raises:
        PolicyError: it does.
    """
    array = arrays.is_numpy(owner)
    keeping = (list, tuple) + platform.classes("collections.deque", "collections.UserList")
    index = name == ".insert" and any(value is values[0] for value in found)
    if name in _KEEP and isinstance(owner, keeping) and not index:
        return
    if name in _WHOLE and not array:
        return
    if name in OPERATORS and not array:  # policy has asked for these
        found = [value for value in found if not any(value is v for v in values)]
    only: "tuple[str, ...]" = ()
    if not array:
        only = ("str()", "repr()") if name in ("str", "repr") else only
        only = ("equals()", "int()") if name in _COMPARE else only
        only = ("equals()",) if name == "keys" else only
    for value in found:
        if value is owner:
            continue
        names = type(value).__farcall__["names"]
        missing = set() if names is None else _asked(type(value)) - names
        missing = {n for n in missing if not only or n in only}
        if missing:
            raise errors.PolicyError(
                f"a {type(value).__name__} serves no {', '.join(sorted(missing))}, which "
                f"{name.lstrip('.')} of a {type(owner).__name__} could use"
            )


def _asked(cls: "type") -> "set[str]":
    """The names of all that its instances can be asked."""
    found = set()
    for special, name in _ASKED.items():
        method = getattr(cls, special, None)
        own = method is not getattr(object, special, None)
        if own and getattr(method, "__self__", None) is not cls:  # else its metaclass has it
            found.add(name)
    return found
