"""One encoding: a frame's values become wire forms, or nothing is left of the attempt.

While values are encoded, buffers are set aside, objects are exported and calls are noted that the
frame builds on. When one value cannot cross, all of that is undone, here and nowhere else.
"""

from farcall.values.bulk import LONG
from farcall.values.codec import Codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.messages import Wire
    from farcall.platform.buffers import Buffer
    from farcall.proxies.remote import Value
    from farcall.values.references import References

_SMALL = 2**30


class Encoding:
    """Encodes for one session.

    Args:
        buffers: of the message that is being gathered.
        emptied: buffers of the peer that go back to it.
        references: exports objects, and knows proxies.

    Attributes:
        codec: encodes and decodes values.
        exports: numbers of the objects that the encoding under way exported.
        dependencies: calls that it builds on; 0 for a path without one.
        unexport: takes back one export of an object's number.
    """

    def __init__(
        self, buffers: "list[Buffer]", emptied: "list[Buffer]", references: "References"
    ) -> None:
        self.codec = Codec(references, buffers, emptied)
        self.exports: "list[int]" = []
        self.dependencies: "list[int]" = []
        self.unexport: "Callable[[int], object]" = _nothing

    def attempt(self, write: "Callable[..., Any]", *args: "Any") -> "Any":
        """Give write(*args); when it raises, undo what it encoded so far."""
        buffers = self.codec.buffers
        mark = len(buffers)
        outer = self.exports, self.dependencies  # an `encode` of the user's may send a call
        self.exports, self.dependencies = [], []
        try:
            return write(*args)
        except BaseException:
            del buffers[mark:]
            self.undo(0, 0)
            raise
        finally:
            self.exports, self.dependencies = outer

    def undo(self, exports: "int", dependencies: "int") -> None:
        """Take back all exports and dependencies but so many."""
        for number in self.exports[exports:]:
            self.unexport(number)
        del self.exports[exports:]
        del self.dependencies[dependencies:]

    def item(self, value: "Value") -> "Wire":
        """Wire form of an item of a stream.

        Raises:
            TypeError: it cannot cross.
        """
        kind = type(value)
        if (kind is int and -_SMALL < value < _SMALL) or (kind is str and len(value) < LONG):
            return value  # a short cut for the commonest items
        return self.attempt(self.codec.encode, value)

    def value(self, value: "Value") -> "Wire":
        """Wire form of a value that nothing else must wait for.

        Raises:
            TypeError: it cannot cross, or holds a path or a call that was not awaited.
        """
        return self.attempt(self._settled, value)

    def _settled(self, value: "Value") -> "Wire":
        wire = self.codec.encode(value)
        if self.dependencies:
            raise TypeError("a result holds a path or an un-awaited call: await it first")
        return wire


def _nothing(number: "int") -> None:
    """Take nothing back: nothing can be exported yet."""
