"""What the peer said it serves: for dir(), and for refusing typing errors before they travel."""

from farcall import messages
from farcall.connection.policy import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Directory:
    """The peer's description: name -> [kind, first line of its docs, names of its members]."""

    def __init__(self) -> None:
        self._known: "dict[str, Any]" = {}

    def learn(self, description: "Any") -> None:
        """Take the description of the peer's hello."""
        self._known = {str(name): about for name, about in description.items()}

    def foresee(self, ref: "Any", name: "str") -> None:
        """Refuse at once what the handshake says does not exist.

        Raises:
            AttributeError: the peer serves no such name.
        """
        names = self._complete(ref)
        if names is None or name in names:
            return
        near = nearest(name, names)
        hint = f"; did you mean {near!r}?" if near else ""
        where = ref.text() or ref.session.name or "the peer"
        raise AttributeError(f"{where} serves no {name!r}{hint}")

    def _complete(self, ref: "Any") -> "Any":
        """All the names there are, where that is known: of the root and of modules."""
        if ref.target != messages.SERVED or not self._known:
            return None
        if not ref.path:
            return self._known
        about = self._about(ref)
        return about[2] if about and about[0] == "module" else None

    def _about(self, ref: "Any") -> "Any":
        if ref.target != messages.SERVED or len(ref.path) != 1:
            return None
        return self._known.get(ref.path[0]) if isinstance(ref.path[0], str) else None

    def names(self, ref: "Any") -> "list[str]":
        """For dir(): what the handshake says is there."""
        if ref.target == messages.SERVED and not ref.path:
            return sorted(self._known)
        about = self._about(ref)
        return list(about[2] or []) if about else []

    def doc(self, ref: "Any") -> "str | None":
        """First line of the docs, if the handshake told it."""
        about = self._about(ref)
        return about[1] if about else None
