"""Context managers that a peer has entered: it leaves them, or this side does when it is gone.

A lock that a page holds in `async with worker.lock` is free again when the page is closed, and
when its task was cancelled while the lock's answer was on its way.
"""

from farcall import errors, platform
from farcall.connection.operations import OPERATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.connection.answers import Answer, Answers

    Entry = tuple[int, Answer, Any]  # the number of the call that enters, the call, and what


class Contexts:
    """What the peer of one session has entered and not left.

    Args:
        answers: the peer's calls by number.
        complain: takes an error of leaving one, and a text saying of what.
    """

    def __init__(
        self, answers: "Answers", complain: "Callable[[BaseException, str], object]"
    ) -> None:
        self._answers = answers
        self._complain = complain
        self._entered: "list[Entry]" = []

    def follow(self, number: "int", owner: "Any", name: "object") -> None:
        """Note what an operation enters or leaves.

        Args:
            number: of its call, which is not done yet; 0 if nothing comes back.
            owner: what the operation is of.
            name: of the operation.
        """
        if name == "exit":
            self._entered = [e for e in self._entered if e[2] is not owner]
        elif name == "enter" and number:
            self._entered = [e for e in self._entered if not e[1].done or _entered(e[1])]
            self._entered.append((number, self._answers.known[number], owner))

    def leave(self, number: "int") -> None:
        """Leave what a call has entered, if it did: its caller has gone and does not know of it."""
        for entry in self._entered:
            if entry[0] == number:
                self._entered.remove(entry)
                self._exit(entry, errors.RemoteError("the caller has gone"))
                return

    def clear(self, error: "BaseException") -> None:
        """Leave all, the last first: the peer is gone."""
        while self._entered:
            self._exit(self._entered.pop(), error)

    def _exit(self, entry: "Entry", error: "BaseException") -> None:
        if not _entered(entry[1]):
            return
        try:
            result = OPERATIONS["exit"](entry[2], error)
            if platform.is_awaitable(result):
                platform.spawn(self._awaited(result))
        except BaseException as exc:
            self._complain(exc, "of a context that was left")

    async def _awaited(self, result: "Any") -> None:
        try:
            await result
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            self._complain(exc, "of a context that was left")


def _entered(answer: "Answer") -> bool:
    """Whether a call has entered a context manager; an object that is none gives False."""
    return answer.done and answer.error is None and answer.value[0]
