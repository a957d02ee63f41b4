"""A coalescing loop: repeated requests for the same work become one more run of it."""

from app.page import dom


class Latest:
    """Runs `action()` as often as needed, one run at a time.

    Requests that come during a run are answered by a single further run, which sees the newest
    state of the page.

    Args:
        action: a coroutine function without arguments.
    """

    def __init__(self, action):
        self._action = action
        self._wanted = False
        self._running = False

    def ask(self):
        """Request a run without waiting for it."""
        self._wanted = True
        if not self._running:
            dom.spawn(self.now())

    def cancel(self):
        """Withdraw a request that has not begun."""
        self._wanted = False

    async def now(self):
        """Request a run and wait for it; return immediately if one is running."""
        self._wanted = True
        if self._running:
            return
        self._running = True
        try:
            while self._wanted:
                self._wanted = False
                await self._action()
        finally:
            self._running = False
