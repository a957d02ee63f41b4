"""NumPy's arrays that are no plain memory: masked, of objects, with fields; scalars with fields.

`KINDS` has what writes each and what makes it again; `standard` says what becomes of them. In a
bundle that only predicts this module is missing.

    ["v", "ndarray", "2,1", ["l", "a", None]]     ["v", "void", "", 1, ["l", "x"], ["a", 0, ...]]
"""

from farcall import platform
from farcall.values.opaque import ListOf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Parts = list[Any]

OBJECTS = "ndarray"


def _masked(value: "Any") -> "tuple[str, Parts]":
    return "", [value.data, value.mask, value.fill_value] + [True] * value.hardmask


def _unmasked(cls: "Any", text: "str", parts: "Parts") -> "Any":
    for part in parts:  # of a range, NumPy would make an array
        if not isinstance(part, (bool, int, float, complex, str, bytes)) and not hasattr(
            part, "dtype"
        ):
            raise TypeError(f"expected an array, received a {type(part).__name__}")
    return cls(parts[0], mask=parts[1], fill_value=parts[2], hard_mask=len(parts) > 3)


def _constant(value: "Any") -> "tuple[str, Parts]":
    return "--", []


def _constants(cls: "Any", text: "str", parts: "Parts") -> "Any":
    return cls(*parts)


def _objects(value: "Any") -> "tuple[str, Parts]":
    return ",".join([str(n) for n in value.shape]), [value.reshape(-1).tolist()]


def _of_objects(cls: "Any", text: "str", parts: "Parts") -> "Any":
    shape, (items,) = [int(n) for n in text.split(",")] if text else [], parts
    if type(items) is not list:
        raise TypeError(f"expected a list, received a {type(items).__name__}")
    if cls is None:  # there is no NumPy here
        for n in reversed(shape[1:]) if items else ():
            items = [items[i : i + n] for i in range(0, len(items), n)]
        lists = ListOf(items)
        lists.kept = [OBJECTS, text]
        return lists
    result: "Any" = cls(len(items), "O")
    for index, item in enumerate(items):  # each may be a list or an array
        result[index] = item
    return result.reshape(shape)


def flat(lists: "Parts", text: "str") -> "Parts":
    """The items of an array of objects, given as lists of lists.

    Args:
        lists: what `KINDS` made where there is no NumPy.
        text: of the array's shape.
    """
    for _ in text.split(",")[1:]:
        lists = [item for row in lists for item in row]
    return lists


def _structured(value: "Any") -> "tuple[str, Parts]":
    numpy: "Any" = platform.loaded("numpy")
    array = numpy.asarray(value)
    names = list(array.dtype.names)
    axes = None if isinstance(value, numpy.void) else array.ndim
    return "", [axes, names] + [array[name] for name in names]


def _of_fields(cls: "Any", text: "str", parts: "Parts") -> "Any":
    numpy: "Any" = platform.loaded("numpy")
    axes, names, fields = parts[0] or 0, parts[1], parts[2:]
    shapes = [field.shape for field in fields if isinstance(field, numpy.ndarray)]
    if len(shapes) < len(fields) or any(s[:axes] != shapes[0][:axes] for s in shapes):
        raise ValueError("expected arrays of one shape as fields")
    kinds = [(n, f.dtype, f.shape[axes:]) for n, f in zip(names, fields)]
    result: "Any" = numpy.empty(shapes[0][:axes], kinds)
    for name, field in zip(names, fields):
        result[name] = field
    return result[()] if parts[0] is None else result


KINDS: "dict[str, tuple[Any, Any]]" = {
    "MaskedArray": (_masked, _unmasked),
    "MaskedConstant": (_constant, _constants),
    OBJECTS: (_objects, _of_objects),
    "void": (_structured, _of_fields),
}
