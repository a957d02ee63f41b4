"""Web Locks: one is held for life, and who waits for it learns when its holder is gone."""

from farcall.platform.interpreter import BROWSER
from farcall.platform.javascript import callback, javascript
from farcall.platform.timers import forget_later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from farcall.platform.javascript import JavaScript


class Watch:
    """Calls `gone` when the holder of a lock is gone."""

    def __init__(self, lock: "str", gone: "Callable[[], object]") -> None:
        self._lock = lock
        self._gone: "Callable[[], object] | None" = gone
        self._abort: "JavaScript" = None
        self._asked = True
        self._keep = [callback(self._held), callback(self._ended)]
        javascript.isHeld(lock, self._keep[0])

    def _held(self, held: "bool") -> None:
        self._asked = False
        if self._gone is None:
            self._free()
        elif held:
            self._abort = javascript.watchLock(self._lock, self._keep[1])

    def _ended(self) -> None:
        if self._gone is not None:
            self._gone()

    def stop(self) -> None:
        """Stop watching."""
        self._gone = None
        if self._abort is not None:
            self._abort()
        if not self._asked:
            self._free()

    def _free(self) -> None:
        self._abort = None
        keep, self._keep = self._keep, []
        forget_later(keep)


def watch(lock: "str", gone: "Callable[[], object]") -> "Watch | None":
    """Watch the holder of a lock; None outside a browser, where there are no locks."""
    return Watch(lock, gone) if BROWSER else None
