"""Names the peer serves. Used by `dir()` and to reject misspelled names before sending."""

from farcall import messages
from farcall.proxies.spelling import hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from farcall.proxies.remote import Reference

    About = tuple[str, str, list[str] | None]  # kind, first line of the docs, names of the members


class PeerNames:
    """The peer's description of what it serves, by name."""

    def __init__(self) -> None:
        self._known: "dict[str, About]" = {}

    def learn(self, description: "dict[str, About]") -> None:
        """Take the description of the peer's hello."""
        self._known = {str(name): about for name, about in description.items()}

    def foresee(self, ref: "Reference", name: "str") -> None:
        """Refuse a name that the peer's description shows not to exist.

        Raises:
            AttributeError: the peer serves no such name.
        """
        if ref.target != messages.SERVED or not self._known:
            return
        names: "Collection[str] | None" = self._known
        if ref.path:
            about = self._about(ref)
            names = about[2] if about and about[0] == "module" else None
        if names is not None and name not in names:
            where = ref.text() or ref.connection.name or "the peer"
            raise AttributeError(f"{where} serves no {name!r}{hint(name, names)}")

    def _about(self, ref: "Reference") -> "About | None":
        if ref.target != messages.SERVED or len(ref.path) != 1:
            return None
        return self._known.get(ref.path[0]) if isinstance(ref.path[0], str) else None

    def names(self, ref: "Reference") -> "list[str]":
        """Names for dir(), as far as the description has them."""
        if ref.target == messages.SERVED and not ref.path:
            return sorted(self._known)
        about = self._about(ref)
        return list(about[2] or []) if about else []
