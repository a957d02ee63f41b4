"""A coalescing loop: repeated requests for the same work become one more run of it."""

from app.page import dom


class Latest:
    """Runs `action()` as often as needed, one run at a time.

    Requests that come during a run are answered by a single further run, which sees the newest
    state of the page.

    Args:
        action: a coroutine function without arguments.
        shown: the element that shows what the action brings: it is `aria-busy` until the newest
            request is answered. None: there is none.
    """

    def __init__(self, action, shown=None):
        self._action = action
        self._shown = shown
        self._wanted = False
        self._running = False

    def ask(self):
        """Request a run without waiting for it."""
        if self._begins():
            dom.spawn(self._run())

    def cancel(self):
        """Withdraw a request that has not begun."""
        self._wanted = False

    async def now(self):
        """Request a run and wait for it; return immediately if one is running."""
        if self._begins():
            await self._run()

    def _begins(self):
        self._wanted = True
        if self._running:
            return False
        self._running = True
        self._show("true")
        return True

    async def _run(self):
        try:
            while self._wanted:
                self._wanted = False
                await self._action()
        finally:
            self._running = False
            self._show("false")

    def _show(self, busy):
        if self._shown is not None:
            self._shown.setAttribute("aria-busy", busy)
