"""Locks by which a page or worker learns that another is gone.

Death raises no event: whoever wants to know queues for the other's lock, and gets it when its
holder is gone, for whatever reason. There is no heartbeat: Python at work cannot answer one. Over
a port, as pages have to a SharedWorker and workers to each other, each side tells the other the
name of its lock:

    session = watched(Session(Port(port), served))  # the peer will notice when this side is gone
"""

from farcall import messages, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from farcall.connection.session import Session


class Life:
    """A lock that this page or worker holds as long as it lives, for its peers to watch.

    Args:
        decided: called once it is known whether the lock is held.
    """

    def __init__(self, decided: "Callable[[], object] | None" = None) -> None:
        self.name = "farcall-" + platform.random_id()
        self.held: "bool | None" = None  # None: not known yet
        self._then = decided
        self._waiting: "list[Session]" = []
        self._keep = platform.callback(self._decided)
        platform.javascript.holdLock(self.name, self._keep)

    def _decided(self, held: "bool") -> None:
        self.held = held
        if self._then is not None:
            self._then()
        waiting, self._waiting = self._waiting, []
        for session in waiting:
            self.tell(session)

    def tell(self, session: "Session") -> None:
        """Let the peer know which lock to watch."""
        if self.held is None:
            self._waiting.append(session)
        elif self.held and session.error is None:
            session.send([messages.ALIVE, self.name])


_lives: "list[Life]" = []


def watched(session: "Session") -> "Session":
    """The session, whose peer will notice when this page or worker is gone."""
    if platform.BROWSER:
        if not _lives:
            _lives.append(Life())
        _lives[0].tell(session)
    return session


def hold(life: "Life") -> None:
    """Have `watched` use a lock that exists already."""
    _lives.append(life)
