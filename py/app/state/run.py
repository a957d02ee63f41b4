"""The state of the page and its training run: one machine with named states.

Panels ask it what is going on and request the next state; none sets a state for another. The
attribute `data-phase` of the document follows from it and is one of loading, ready, training,
paused, error: tests and pages that embed this one rely on it. Pure Python.
"""

import asyncio

from app.language import tr

# State: the phase of the document (None: as it was) and the states that may follow.
STATES = {
    "starting": ("loading", ("ready", "failed")),
    "ready": ("ready", ("training", "stepping", "measuring", "joined", "failed")),
    "stepping": ("ready", ("ready", "failed")),
    "measuring": ("ready", ("ready", "failed")),
    "joined": ("ready", ("ready", "failed")),
    "training": ("training", ("paused", "stopping", "ready", "failed")),
    "paused": ("paused", ("training", "stopping", "ready", "failed")),
    "stopping": (None, ("ready", "failed")),
    "failed": ("error", ("starting",)),
}
UNDER_WAY = ("training", "paused", "stopping")


class RunState:
    """The machine.

    Args:
        say: shows a sentence to the user.

    Attributes:
        name: of the state, a key of STATES.
        phase: of the document: loading, ready, training, paused or error.
        problem: why the page failed, in words.
    """

    def __init__(self, say):
        self._say = say
        self.name = "starting"
        self.phase = "loading"
        self.problem = ""
        self._listeners = []
        self._changed = asyncio.Event()

    @property
    def busy(self):
        """Whether a run, a step, a measurement or a federation has the network and the worker."""
        return self.name in UNDER_WAY or self.name in ("stepping", "measuring", "joined")

    @property
    def under_way(self):
        """Whether a training run is in progress, paused ones included."""
        return self.name in UNDER_WAY

    @property
    def failed(self):
        """Whether the page cannot go on."""
        return self.name == "failed"

    def listen(self, listener):
        """Call `listener(name)` after every change of state."""
        self._listeners.append(listener)

    def enter(self, name):
        """Go to a state.

        Raises:
            RuntimeError: it cannot follow the present one.
        """
        phase, _ = STATES[name]
        if name not in STATES[self.name][1]:
            raise RuntimeError(f"the page is {self.name}: it cannot become {name}")
        self.name = name
        if phase is not None:
            self.phase = phase
        before, self._changed = self._changed, asyncio.Event()
        before.set()
        for listener in self._listeners:
            listener(name)

    def rest(self):
        """Become ready after whatever was in progress; a page that failed stays so."""
        if self.busy:
            self.enter("ready")

    def free(self, reason=""):
        """Whether nothing is in progress; says what to do if something is, and why."""
        if self.busy:
            joined = self.name == "joined"
            what = tr("Leave the federation first") if joined else tr("Stop the training first")
            self._say(f"{what}: {reason}." if reason else what + ".")
        return not self.busy

    def turn(self):
        """Return what waits its turn with others: `async with turn as free:`, where `free` says
        whether nothing is in progress when the turn has come, as `free()` does."""
        return Turn(self.free)

    async def until(self, *names):
        """Wait until the state is one of these, or `failed`.

        Raises:
            RuntimeError: the page failed, in its own words.
        """
        while self.name not in names and not self.failed:
            await self._changed.wait()
        if self.failed:
            raise RuntimeError(self.problem)

    async def started(self):
        """Wait until the page can be used. Raises as `until`."""
        await self.until(*[name for name in STATES if name not in ("starting", "failed")])

    def fail(self, problem):
        """Note that the page cannot go on, and why."""
        self.problem = problem
        self.enter("failed")


class Turn:
    """One after another: a lock that says whether the page is free once it has been waited for.

    A run may have begun meanwhile, and what was asked for before it would take its data away.

    Args:
        free: says whether nothing is in progress.
    """

    def __init__(self, free):
        self._free = free
        self._lock = asyncio.Lock()

    def locked(self):
        """Whether somebody has the turn."""
        return self._lock.locked()

    async def __aenter__(self):
        await self._lock.acquire()
        return self._free()

    async def __aexit__(self, *_):
        self._lock.release()
