"""Values of types that do not exist here: they can be read, and go back as what they were."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Parts = list[Any]

ENUM = "Enum"


class Opaque:
    """A value whose type does not exist here. It shows its text, and goes back as what it was.

    Attributes:
        type: name of its type.
        text: what `str` of it gave there.
        parts: what it is made of.
    """

    def __init__(self, kind: "str", text: "str", parts: "Parts") -> None:
        self.type = kind
        self.text = text
        self.parts = parts

    @property
    def name(self) -> "Any":
        """Of an Enum's member: its name."""
        return self._member(2)

    @property
    def value(self) -> "Any":
        """Of an Enum's member: its value."""
        return self._member(3)

    def _member(self, index: "int") -> "Any":
        if self.type != ENUM:
            raise AttributeError(f"a {self.type} is no member of an Enum")
        return self.parts[index]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{self.type} {self.text}>"

    def __eq__(self, other: "object") -> bool:
        if not isinstance(other, Opaque):
            return False
        same = self.type == other.type and self.text == other.text
        return bool(same and self.parts == other.parts)

    def __hash__(self) -> int:
        return hash((self.type, self.text))


class DictOf(dict):  # type: ignore[type-arg]
    """A Counter or defaultdict where there is none, or a dict whose keys are attributes, as they
    are of all of these; `kept` says which."""

    kept: "list[str]"

    def __getattr__(self, name: "str") -> "Any":
        if name not in self:
            raise AttributeError(f"no key or attribute {name!r}")
        return self[name]


class ListOf(list):  # type: ignore[type-arg]
    """A deque where there is none that knows its length, or an array of objects; `kept` says so."""

    kept: "list[str]"


class NamedTuple(tuple):  # type: ignore[type-arg]
    """A named tuple whose class is not known here: its fields can be read by their names."""

    _kept: "tuple[str, ...]" = ()  # module, qualified name
    _fields: "tuple[str, ...]" = ()

    def __getattr__(self, name: "str") -> "Any":
        if name not in self._fields:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")
        return self[self._fields.index(name)]

    def __repr__(self) -> str:
        pairs = [f"{name}={self[n]!r}" for n, name in enumerate(self._fields)]
        return f"{type(self).__name__}({', '.join(pairs)})"
