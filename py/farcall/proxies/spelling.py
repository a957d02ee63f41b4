"""The name that was probably meant, for errors about a name that does not exist.

difflib does this too, but MicroPython has none.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def hint(name: "str", names: "Iterable[str]") -> str:
    """`; did you mean ...?` where a name is near, else nothing."""
    near = nearest(name, names)
    return f"; did you mean {near!r}?" if near else ""


def nearest(name: "str", names: "Iterable[str]") -> "str | None":
    """The name that differs least from `name`, if by at most a third of its letters."""
    best: "str | None" = None
    distance = len(name) // 3 + 2
    for candidate in sorted(names):
        if abs(len(candidate) - len(name)) < distance:
            edits = _edits(name.lower(), candidate.lower())
            if edits < distance:
                best, distance = candidate, edits
    return best


def _edits(a: "str", b: "str") -> int:
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        last, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            last, row[j + 1] = row[j + 1], min(last + (x != y), row[j] + 1, row[j + 1] + 1)
    return row[-1]
