"""The hardware panel: what the options Device and Cores find, and what trains.

It is fetched by pages on which one of them is not the usual one.
"""

import farcall

from app.language import plural, tr
from app.page import dom, status
from app.state.connection import BASE, START


class Hardware:
    """The GPU, and the workers that share each batch with the engine's.

    Args:
        training: the panel that trains, which has the engine and the settings.
    """

    def __init__(self, training):
        self.training = training
        self.client, self.options = training.client, training.options
        self.gpu = None  # its name, where a run may take it
        self.team = None
        self._running = False
        training.progress.begun = self._begun
        training.state.listen(self._entered)

    def lost(self):
        """Forget the worker that led, which is gone, and end the others."""
        self.gpu = None
        self._running = False
        if self.team is not None:
            self.team.terminate()
            self.team = None

    async def choose(self):
        """Look for what the options choose; what is missing is said, and the CPU trains."""
        await self._choose_device()
        await self._choose_cores(self.training.state.busy)

    async def _choose_device(self):
        kind, self.gpu = self.options["device"], None
        if kind == "cpu":
            _say("device", "")
            return
        _say("device", tr("Looking for a GPU…"))
        try:
            found = await self.client.lab.hardware.find(kind)
        except Exception as error:  # its part of the engine could not be fetched
            found = {"name": None, "reason": str(error)}
        name = found["name"]
        if name is None:
            _say("device", _cpu(found["reason"]))
        elif not found["emulated"]:
            self.gpu = name
            _say(
                "device",
                tr("{name} or the CPU, the faster.", name=name) if kind == "auto" else f"{name}.",
            )
        elif kind == "auto":
            _say("device", _cpu(tr("{name} is emulated", name=name)))
        else:
            self.gpu = name
            _say("device", tr("{name}: emulated, so slower than the CPU.", name=name))

    def _short(self):
        """Whether workers have ended, or more are wanted now."""
        team, wanted = self.team, self.options["cores"]
        if team is None or wanted == 1:
            return wanted > 1
        ended = None in [worker.engine for worker in team.workers]
        return ended or (team.size < wanted and not team.why)

    async def _choose_cores(self, busy):
        wanted, short = self.options["cores"], self._short()
        if short and not (busy and self.team):
            _say(
                "cores",
                tr("Starting another worker…") if wanted == 2 else tr("Starting more workers…"),
            )
            if self.team is not None:
                self.team.terminate()  # those that are left cannot join another one
                self.team = None
            try:
                self.team = await farcall.Team(
                    "./py/app/worker.py",
                    config="./worker.toml",
                    size=wanted,
                    leader=self.client.engine,
                    name="cores",
                    setup=lambda engine: engine.lab.load_kernels(BASE),
                    timeout=START,
                )
            except Exception as error:
                _say("cores", tr("One worker trains: {error}", error=error))
                return
        team = self.team
        if team is None or wanted == 1:
            _say("cores", "")
            return
        while len(team.workers) > wanted:
            team.workers.pop().terminate()
        why = team.why or (tr("more from the next run on") if self._short() else "")
        if why:
            words = plural(
                team.size,
                "{size} worker: {why}.",
                "{size} workers: {why}.",
                size=team.size,
                why=why,
            )
        else:
            words = tr("{size} workers.", size=team.size)
        _say("cores", words)

    # -- a run ------------------------------------------------------------------------------

    async def begin(self):
        """Start workers in place of those that ended; say what comes before the first batch."""
        if self.team is not None and self._short():
            await self._choose_cores(False)
        if self.gpu:
            words = tr("{gpu}: its shaders compile before the first batch.", gpu=self.gpu)
            _say("device", words)
            status.say(words)

    def _begun(self):
        self._running = True  # a run that is stopped before has nothing that trains
        dom.spawn(self._trained())

    def _entered(self, state):
        if state == "ready" and self._running:
            self._running = False
            dom.spawn(self._trained())

    async def _trained(self):
        """Say what trains the network, or did; nothing of an option that was changed meanwhile."""
        client, options = self.client, self.options
        device, cores = options["device"], options["cores"]
        if device != "cpu":
            where = await client.lab.hardware.trained(client.model)
            words = tr("{where} trains.", where=where) if where[:3] != "cpu" else _cpu(where[5:])
            if options["device"] == device:
                _say("device", words)
        if cores > 1:
            words = await client.model.distribution + "."
            if options["cores"] == cores:
                _say("cores", words)


def _cpu(reason):
    return tr("The CPU trains: {reason}.", reason=reason) if reason else tr("The CPU trains.")


def _say(option, words):
    dom.set_text(option + "-note", words)
