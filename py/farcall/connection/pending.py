"""Pending calls of this side: what a call waits for, and what reports an error never awaited.

Both dialects keep theirs in a `PendingCalls`: farcall's `Calls`, and Comlink's `Wrapped`.
"""

from farcall import errors, platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from farcall.proxies.remote import Remote, Value

    Key = int | str  # a call's number on the wire

# Where `__del__` does not run, an error that was not awaited by then is reported.
UNRETRIEVED_AFTER = 1.0


class Pending(platform.Waiter):
    """What a call waits for.

    Attributes:
        proxy: what was called: keeps it from being released while the call is under way.
        key: the call's number, by which its reply is known.
        timer: ends it when it takes too long.
        dropped: whether nothing can await it any more.
    """

    timer: "platform.Timer | None" = None
    dropped = False

    def __init__(self, calls: "PendingCalls", key: "Key", proxy: "Remote") -> None:
        self._calls = calls
        self.key = key
        self.proxy = proxy

    def cancelled(self) -> None:
        """Cancel the call: the awaiting task was cancelled."""
        self._calls.cancel(self.key)


class PendingCalls:
    """The pending calls of one connection, by their numbers.

    Args:
        woken: waiters that the connection wakes when it has handled the message.
        complain: takes an error that no caller can get, and a text saying of what.
    """

    def __init__(
        self,
        woken: "list[platform.Waiter]",
        complain: "Callable[[BaseException, str], object]",
    ) -> None:
        self.pending: "dict[Key, Pending]" = {}
        self._woken = woken
        self._complain = complain

    def cancel(self, key: "Key") -> None:
        """Tell the peer that the caller has gone."""
        raise NotImplementedError

    def time(self, waiter: "Pending", seconds: "float", late: "Callable[[], object]") -> None:
        """Call `late` unless the call ends within `seconds`."""
        waiter.timer = platform.Timer(seconds, late)

    def take(self, key: "Key") -> "Pending | None":
        """Take out the call whose reply has come; None if it is not pending."""
        waiter = self.pending.pop(key, None)
        if waiter is not None and waiter.timer is not None:
            waiter.timer.cancel()
        return waiter

    def settle(
        self, waiter: "Pending", value: "Value", error: "BaseException | None" = None
    ) -> None:
        """End a call that was taken out."""
        if waiter.settle(value, error):
            self._woken.append(waiter)
        elif error is not None and waiter.error is error:
            self._unheard(waiter)

    def _unheard(self, waiter: "Pending") -> None:
        """Handle an error that nothing awaits yet."""
        if waiter.dropped:
            self._tell(waiter)
        elif not platform.CALLS_DEL:
            platform.Timer(UNRETRIEVED_AFTER, lambda: self._tell(waiter))

    def _tell(self, waiter: "Pending") -> None:
        if not waiter.retrieved and waiter.error is not None:
            waiter.retrieved = True
            name = waiter.proxy._farcall.text() or "the peer"
            self._complain(waiter.error, f"of a call of {name!r} that was never awaited")

    def drop(self, waiter: "Pending") -> None:
        """The last reference to a call is gone: its error is `on_error`'s."""
        waiter.dropped = True
        if waiter.error is not None:
            self._tell(waiter)

    def fail_all(self, error: "BaseException | None", heard: "bool" = False) -> None:
        """End every pending call with `error`.

        Args:
            error: what they raise; each gets a copy.
            heard: whether somebody learns of it in another way, so that no call reports it.
        """
        for key in list(self.pending):
            waiter = self.take(key)
            if waiter is not None:
                waiter.retrieved = waiter.retrieved or heard
                self.settle(waiter, None, errors.again(error))
