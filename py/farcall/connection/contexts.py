"""Context managers that a peer has entered: it leaves them, or this side does when it is gone.

A lock that a page holds in `async with worker.lock` is free again when the page is closed, and
when its task was cancelled while the lock's answer was on its way, or while the lock was taken.

As long as any is entered, the peer's calls run with the context variables that it has set:
`async with worker.errstate(divide="raise")` counts for the calls in it.
"""

from farcall import platform
from farcall.connection.operations import OPERATIONS
from farcall.values.encoder import MARKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from farcall.proxies.remote import Value


class Entry:
    """What a call of the peer enters.

    Attributes:
        number: of the call.
        owner: the context manager.
        variables: the context variables of all that are entered.
        entered: whether the call has entered it.
        gone: why the peer will not leave it; None as long as it may.
        coroutine: what enters or leaves it, until that has begun.
    """

    entered = False
    gone: "BaseException | None" = None
    coroutine: "Any" = None

    def __init__(self, number: "int", owner: "Any", variables: "platform.Variables") -> None:
        self.number = number
        self.owner = owner
        self.variables = variables


class Contexts:
    """What the peer of one session has entered and not left.

    Args:
        operate: runs an operation of an object, if the peer may.
        complain: takes an error of leaving one, and a text saying of what.

    Attributes:
        entries: what calls have entered or will have; the last one last.
    """

    def __init__(
        self,
        operate: "Callable[[Any, Any, list[Value]], Any]",
        complain: "Callable[[BaseException, str], object]",
    ) -> None:
        self._operate = operate
        self._complain = complain
        self.entries: "list[Entry]" = []
        self._leaving: "list[Entry]" = []

    def operate(self, number: "int", owner: "Any", name: "object", args: "list[Value]") -> "Any":
        """Run an operation, and note what it enters or leaves.

        Args:
            number: of its call; 0 if nothing comes back.
            owner: what the operation is of.
            name: of the operation.
            args: of the operation.
        """
        owner = owner.value if type(owner) in MARKS else owner
        if name == "enter" and _only_released(owner):
            return False, owner
        if name == "exit":
            found = [e for e in self.entries if e.owner is owner and e.entered]
            if found:  # the others are those of tasks that wait to enter, or have entered too
                entry = found[-1]
                self._drop(entry)
                result = self._operate(owner, name, args)
                if not platform.is_awaitable(result):
                    return result
                entry.number, entry.coroutine = number, result
                self._leaving.append(entry)
                return self._left(entry)
        if name != "enter" or not number:
            return self._operate(owner, name, args)
        known = self.entries[-1].variables if self.entries else platform.Variables()
        entry = Entry(number, owner, known)
        result = known.run(self._operate, owner, name, args)
        if platform.is_awaitable(result):
            entry.coroutine, result = result, self._later(entry)
        else:
            entry.entered = result[0]
        if entry.entered or entry.coroutine is not None:
            self.entries.append(entry)
        return result

    async def _later(self, entry: "Entry") -> "Any":
        coroutine, entry.coroutine = entry.coroutine, None
        result = await entry.variables.wait(coroutine)  # where it fails, `leave` forgets the entry
        entry.entered = True
        if entry.gone is not None:
            self._exit(entry, entry.gone)
            raise entry.gone
        return result

    async def _left(self, entry: "Entry") -> "Any":
        self._leaving.remove(entry)
        return await entry.variables.wait(entry.coroutine)

    def _drop(self, entry: "Entry") -> None:
        self.entries = [e for e in self.entries if e is not entry]

    def leave(self, number: "int", error: "BaseException") -> None:
        """Leave what a call has entered, will have or was to leave: its caller has gone."""
        for entry in list(self._leaving):
            if entry.number == number:
                self._leaving.remove(entry)
                platform.spawn(self._awaited(entry.variables.wait(entry.coroutine)))
        for entry in self.entries:
            if entry.number == number:
                self._drop(entry)
                self._exit(entry, error)
                return

    def clear(self, error: "BaseException") -> None:
        """Leave all, the last first: the peer is gone."""
        for entry in list(self._leaving):
            self.leave(entry.number, error)
        while self.entries:
            self._exit(self.entries.pop(), error)

    def _exit(self, entry: "Entry", error: "BaseException") -> None:
        """Leave it now, or as soon as it is entered."""
        entry.gone = error
        if entry.coroutine is not None:
            platform.discard(entry.coroutine)
        if not entry.entered:
            return
        try:
            result = entry.variables.run(OPERATIONS["exit"], entry.owner, error)
            if platform.is_awaitable(result):
                platform.spawn(self._awaited(entry.variables.wait(result)))
        except BaseException as exc:
            self._complain(exc, "of a context that was left")

    async def _awaited(self, result: "Any") -> None:
        try:
            await result
        except BaseException as exc:
            if platform.is_over(exc):
                raise
            self._complain(exc, "of a context that was left")


def _only_released(owner: "Any") -> bool:
    """Whether `async with` only releases an object at its end, which its marks need not permit."""
    cls = type(owner)
    entered = hasattr(cls, "__aenter__") or hasattr(cls, "__enter__")
    return bool(getattr(cls, "__farcall__", None)) and not entered
